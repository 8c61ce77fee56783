//! The tensors of Stable Diffusion 1.5 and SDXL base: diffusers' names, those of the single-file layout, and shapes.
//!
//! Names and shapes as in the published checkpoints (runwayml/stable-diffusion-v1-5, stabilityai/stable-diffusion-xl-base-1.0).

/// One tensor in both layouts.
#[derive(Clone, Debug)]
pub struct Named {
    /// Folder of the diffusers layout.
    pub part: &'static str,
    /// Name in that folder.
    pub name: String,
    /// Name in the single file.
    pub single: String,
    /// Shape in the diffusers layout.
    pub shape: Vec<usize>,
    /// How the single file stores it.
    pub form: Form,
}

/// How a single file stores a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As diffusers does.
    Same,
    /// As the kernel of a 1×1 convolution.
    Pointwise,
    /// Rows and columns exchanged.
    Turned,
    /// As third 0, 1 or 2 of one tensor.
    Third(usize),
}

/// Collects tensors of one part.
struct List {
    part: &'static str,
    all: Vec<Named>,
}

impl List {
    fn push(&mut self, name: String, single: String, shape: &[usize], form: Form) {
        self.all.push(Named { part: self.part, name, single, shape: shape.to_vec(), form });
    }

    /// Weight of the shape and bias.
    fn layer(&mut self, name: &str, single: &str, shape: &[usize]) {
        self.push(format!("{name}.weight"), format!("{single}.weight"), shape, Form::Same);
        self.push(format!("{name}.bias"), format!("{single}.bias"), &shape[..1], Form::Same);
    }

    fn plain(&mut self, name: &str, single: &str, shape: &[usize]) {
        self.push(format!("{name}.weight"), format!("{single}.weight"), shape, Form::Same);
    }

    /// A residual block; `names` are the single file's of its layers in the order norm1, conv1, time_emb_proj, norm2,
    /// conv2, conv_shortcut.
    fn resnet(
        &mut self,
        name: &str,
        single: &str,
        io: (usize, usize),
        time: Option<usize>,
        names: [&str; 6],
    ) {
        let (i, o) = io;
        let mut layer = |a: &str, b: &str, shape: &[usize]| {
            self.layer(&format!("{name}.{a}"), &format!("{single}.{b}"), shape);
        };
        layer("norm1", names[0], &[i]);
        layer("conv1", names[1], &[o, i, 3, 3]);
        if let Some(time) = time {
            layer("time_emb_proj", names[2], &[o, time]);
        }
        layer("norm2", names[3], &[o]);
        layer("conv2", names[4], &[o, o, 3, 3]);
        if i != o {
            layer("conv_shortcut", names[5], &[o, i, 1, 1]);
        }
    }
}

/// The sizes of a UNet.
pub struct UNet {
    pub channels: &'static [usize],
    /// Transformer blocks in each attention layer of a level; 0 is a level without attention.
    pub depths: &'static [usize],
    pub middle: usize,
    pub context: usize,
    /// Whether the projections are linear layers and not convolutions.
    pub linear: bool,
    /// Width of the added condition.
    pub added: Option<usize>,
}

const UNET_RESNET: [&str; 6] =
    ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection"];
const VAE_RESNET: [&str; 6] = ["norm1", "conv1", "", "norm2", "conv2", "nin_shortcut"];

fn transformer(list: &mut List, name: &str, single: &str, c: usize, depth: usize, unet: &UNet) {
    list.layer(&format!("{name}.norm"), &format!("{single}.norm"), &[c]);
    let projection: &[usize] = if unet.linear { &[c, c] } else { &[c, c, 1, 1] };
    list.layer(&format!("{name}.proj_in"), &format!("{single}.proj_in"), projection);
    for i in 0..depth {
        let (n, s) = (format!("{name}.transformer_blocks.{i}"), format!("{single}.transformer_blocks.{i}"));
        for norm in ["norm1", "norm2", "norm3"] {
            list.layer(&format!("{n}.{norm}"), &format!("{s}.{norm}"), &[c]);
        }
        for (attention, context) in [("attn1", c), ("attn2", unet.context)] {
            for (layer, inputs) in [("to_q", c), ("to_k", context), ("to_v", context)] {
                list.plain(
                    &format!("{n}.{attention}.{layer}"),
                    &format!("{s}.{attention}.{layer}"),
                    &[c, inputs],
                );
            }
            list.layer(&format!("{n}.{attention}.to_out.0"), &format!("{s}.{attention}.to_out.0"), &[c, c]);
        }
        list.layer(&format!("{n}.ff.net.0.proj"), &format!("{s}.ff.net.0.proj"), &[8 * c, c]);
        list.layer(&format!("{n}.ff.net.2"), &format!("{s}.ff.net.2"), &[c, 4 * c]);
    }
    list.layer(&format!("{name}.proj_out"), &format!("{single}.proj_out"), projection);
}

/// A UNet with two residual blocks a level.
pub fn unet(unet: &UNet) -> Vec<Named> {
    let mut list = List { part: "unet", all: Vec::new() };
    let at = |name: &str| format!("model.diffusion_model.{name}");
    let (first, levels) = (unet.channels[0], unet.channels.len());
    let time = 4 * first;
    list.layer("conv_in", &at("input_blocks.0.0"), &[first, 4, 3, 3]);
    list.layer("time_embedding.linear_1", &at("time_embed.0"), &[time, first]);
    list.layer("time_embedding.linear_2", &at("time_embed.2"), &[time, time]);
    if let Some(added) = unet.added {
        list.layer("add_embedding.linear_1", &at("label_emb.0.0"), &[time, added]);
        list.layer("add_embedding.linear_2", &at("label_emb.0.2"), &[time, time]);
    }
    let (mut skips, mut now, mut block) = (vec![first], first, 1);
    for level in 0..levels {
        let c = unet.channels[level];
        for i in 0..2 {
            let (n, s) = (format!("down_blocks.{level}"), at(&format!("input_blocks.{block}")));
            list.resnet(&format!("{n}.resnets.{i}"), &format!("{s}.0"), (now, c), Some(time), UNET_RESNET);
            if unet.depths[level] > 0 {
                let name = format!("{n}.attentions.{i}");
                transformer(&mut list, &name, &format!("{s}.1"), c, unet.depths[level], unet);
            }
            now = c;
            skips.push(c);
            block += 1;
        }
        if level + 1 < levels {
            let single = at(&format!("input_blocks.{block}.0.op"));
            list.layer(&format!("down_blocks.{level}.downsamplers.0.conv"), &single, &[c, c, 3, 3]);
            skips.push(c);
            block += 1;
        }
    }
    for (i, place) in [(0, 0), (1, 2)] {
        let single = at(&format!("middle_block.{place}"));
        list.resnet(&format!("mid_block.resnets.{i}"), &single, (now, now), Some(time), UNET_RESNET);
    }
    transformer(&mut list, "mid_block.attentions.0", &at("middle_block.1"), now, unet.middle, unet);
    let mut block = 0;
    for (up, level) in (0..levels).rev().enumerate() {
        let (c, depth) = (unet.channels[level], unet.depths[level]);
        for i in 0..3 {
            let (n, s) = (format!("up_blocks.{up}"), at(&format!("output_blocks.{block}")));
            let inputs = now + skips.pop().expect("a skip for every block");
            list.resnet(&format!("{n}.resnets.{i}"), &format!("{s}.0"), (inputs, c), Some(time), UNET_RESNET);
            if depth > 0 {
                transformer(&mut list, &format!("{n}.attentions.{i}"), &format!("{s}.1"), c, depth, unet);
            }
            now = c;
            if i == 2 && level > 0 {
                let single = format!("{s}.{}.conv", if depth > 0 { 2 } else { 1 });
                list.layer(&format!("{n}.upsamplers.0.conv"), &single, &[c, c, 3, 3]);
            }
            block += 1;
        }
    }
    list.layer("conv_norm_out", &at("out.0"), &[first]);
    list.layer("conv_out", &at("out.2"), &[4, first, 3, 3]);
    list.all
}

/// The autoencoder of both.
pub fn vae() -> Vec<Named> {
    let channels = [128, 256, 512, 512];
    let mut list = List { part: "vae", all: Vec::new() };
    let at = |name: &str| format!("first_stage_model.{name}");
    list.layer("encoder.conv_in", &at("encoder.conv_in"), &[128, 3, 3, 3]);
    let mut now = 128;
    for (level, c) in channels.into_iter().enumerate() {
        for i in 0..2 {
            let single = at(&format!("encoder.down.{level}.block.{i}"));
            let name = format!("encoder.down_blocks.{level}.resnets.{i}");
            list.resnet(&name, &single, (now, c), None, VAE_RESNET);
            now = c;
        }
        if level < 3 {
            let single = at(&format!("encoder.down.{level}.downsample.conv"));
            list.layer(&format!("encoder.down_blocks.{level}.downsamplers.0.conv"), &single, &[c, c, 3, 3]);
        }
    }
    middle(&mut list, "encoder");
    list.layer("encoder.conv_norm_out", &at("encoder.norm_out"), &[512]);
    list.layer("encoder.conv_out", &at("encoder.conv_out"), &[8, 512, 3, 3]);
    list.layer("quant_conv", &at("quant_conv"), &[8, 8, 1, 1]);
    list.layer("post_quant_conv", &at("post_quant_conv"), &[4, 4, 1, 1]);
    list.layer("decoder.conv_in", &at("decoder.conv_in"), &[512, 4, 3, 3]);
    middle(&mut list, "decoder");
    for (up, level) in (0..4).rev().enumerate() {
        let c = channels[level];
        for i in 0..3 {
            let single = at(&format!("decoder.up.{level}.block.{i}"));
            list.resnet(&format!("decoder.up_blocks.{up}.resnets.{i}"), &single, (now, c), None, VAE_RESNET);
            now = c;
        }
        if level > 0 {
            let single = at(&format!("decoder.up.{level}.upsample.conv"));
            list.layer(&format!("decoder.up_blocks.{up}.upsamplers.0.conv"), &single, &[c, c, 3, 3]);
        }
    }
    list.layer("decoder.conv_norm_out", &at("decoder.norm_out"), &[128]);
    list.layer("decoder.conv_out", &at("decoder.conv_out"), &[3, 128, 3, 3]);
    list.all
}

fn middle(list: &mut List, half: &str) {
    let (name, single) = (format!("{half}.mid_block"), format!("first_stage_model.{half}.mid"));
    for i in 0..2 {
        let single = format!("{single}.block_{}", i + 1);
        list.resnet(&format!("{name}.resnets.{i}"), &single, (512, 512), None, VAE_RESNET);
    }
    let (name, single) = (format!("{name}.attentions.0"), format!("{single}.attn_1"));
    list.layer(&format!("{name}.group_norm"), &format!("{single}.norm"), &[512]);
    for (a, b) in [("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")] {
        list.push(format!("{name}.{a}.weight"), format!("{single}.{b}.weight"), &[512, 512], Form::Pointwise);
        list.push(format!("{name}.{a}.bias"), format!("{single}.{b}.bias"), &[512], Form::Same);
    }
}

/// CLIP-L under transformers' names in both layouts; `prefix` is the single file's.
pub fn clip_l(prefix: &str) -> Vec<Named> {
    clip("text_encoder", 768, 12, |name| (format!("{prefix}.text_model.{name}"), Form::Same))
}

/// OpenCLIP bigG with OpenCLIP's names in the single file.
pub fn clip_big_g(prefix: &str) -> Vec<Named> {
    let mut all = clip("text_encoder_2", 1280, 32, |name| {
        let renamed = match name {
            "embeddings.token_embedding.weight" => "token_embedding.weight".to_owned(),
            "embeddings.position_embedding.weight" => "positional_embedding".to_owned(),
            _ => name
                .replace("final_layer_norm", "ln_final")
                .replace("encoder.layers", "transformer.resblocks")
                .replace("layer_norm", "ln_")
                .replace("mlp.fc1", "mlp.c_fc")
                .replace("mlp.fc2", "mlp.c_proj")
                .replace("self_attn.out_proj", "attn.out_proj"),
        };
        let third = ["q_proj", "k_proj", "v_proj"].iter().position(|p| name.contains(p));
        let Some(third) = third else { return (format!("{prefix}.{renamed}"), Form::Same) };
        let (layer, end) = renamed.split_once(".self_attn.").expect("an attention layer");
        let end = if end.ends_with("weight") { "in_proj_weight" } else { "in_proj_bias" };
        (format!("{prefix}.{layer}.attn.{end}"), Form::Third(third))
    });
    all.push(Named {
        part: "text_encoder_2",
        name: "text_projection.weight".to_owned(),
        single: format!("{prefix}.text_projection"),
        shape: vec![1280, 1280],
        form: Form::Turned,
    });
    all
}

fn clip(
    part: &'static str,
    width: usize,
    layers: usize,
    single: impl Fn(&str) -> (String, Form),
) -> Vec<Named> {
    let mut all = Vec::new();
    let mut push = |name: String, shape: &[usize]| {
        let (single, form) = single(&name);
        all.push(Named { part, name: format!("text_model.{name}"), single, shape: shape.to_vec(), form });
    };
    push("embeddings.token_embedding.weight".to_owned(), &[49408, width]);
    push("embeddings.position_embedding.weight".to_owned(), &[77, width]);
    let mut layer = |name: &str, outputs: usize, inputs: Option<usize>| {
        let shape: Vec<usize> = std::iter::once(outputs).chain(inputs).collect();
        push(format!("{name}.weight"), &shape);
        push(format!("{name}.bias"), &[outputs]);
    };
    for i in 0..layers {
        let at = |name: &str| format!("encoder.layers.{i}.{name}");
        for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            layer(&at(&format!("self_attn.{projection}")), width, Some(width));
        }
        layer(&at("layer_norm1"), width, None);
        layer(&at("layer_norm2"), width, None);
        layer(&at("mlp.fc1"), 4 * width, Some(width));
        layer(&at("mlp.fc2"), width, Some(4 * width));
    }
    layer("final_layer_norm", width, None);
    all
}
