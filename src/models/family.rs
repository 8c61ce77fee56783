//! What a file of weights is, and for which models: told from the names and shapes of its tensors.

use std::fmt;

use super::tensors::Header;

/// A line of models that fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Base {
    /// Stable Diffusion 1.x: CLIP-L, context of 768 numbers.
    Sd1,
    /// Stable Diffusion 2.x: OpenCLIP-H, context of 1024 numbers.
    Sd2,
    /// Stable Diffusion XL and its kin (Pony, Illustrious, Lightning, Turbo …): two encoders, context of 2048.
    Xl,
    /// The refiner of Stable Diffusion XL: OpenCLIP-bigG alone, context of 1280.
    XlRefiner,
}

impl Base {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sd1 => "SD 1.x",
            Self::Sd2 => "SD 2.x",
            Self::Xl => "SDXL",
            Self::XlRefiner => "SDXL refiner",
        }
    }

    /// The line whose UNets look at a context of this width.
    pub fn of_context(width: usize) -> Option<Self> {
        match width {
            768 => Some(Self::Sd1),
            1024 => Some(Self::Sd2),
            2048 => Some(Self::Xl),
            1280 => Some(Self::XlRefiner),
            _ => None,
        }
    }

    /// What the models whose UNets look at a context of this width are called.
    pub fn called(width: usize) -> String {
        let known = Self::of_context(width).map(|base| base.name().to_owned());
        known.unwrap_or_else(|| format!("models with a context of {width} numbers"))
    }
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A whole model in one file.
    Checkpoint,
    /// A UNet alone.
    UNet,
    /// An autoencoder.
    Vae,
    /// A tiny autoencoder (TAESD), or one half of it.
    TinyVae,
    /// Text encoders alone.
    TextEncoder,
    /// A LoRA of any kind (LoCon, LoHa, LoKr, DoRA).
    Lora,
    /// A textual inversion.
    Embedding,
    /// A ControlNet.
    ControlNet,
    /// A ControlLLLite.
    Lllite,
    /// A Control-LoRA.
    ControlLora,
    /// A depth network.
    Depth,
    /// A network that enlarges pictures.
    Upscaler,
    /// Something else.
    Unknown,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// Its kind.
    pub kind: FileKind,
    /// What it belongs to, where the weights tell.
    pub base: Option<Base>,
    /// Whether the UNet takes a mask and a masked picture too.
    pub inpainting: bool,
}

impl Family {
    fn new(kind: FileKind, base: Option<Base>) -> Self {
        Self { kind, base, inpainting: false }
    }

    /// Whether what is of this family goes together with what is of `other`. What cannot be told does.
    pub fn fits(&self, other: &Self) -> bool {
        self.base.is_none() || other.base.is_none() || self.base == other.base
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = match self.kind {
            FileKind::Checkpoint => "checkpoint",
            FileKind::UNet => "UNet",
            FileKind::Vae => "VAE",
            FileKind::TinyVae => "TAESD",
            FileKind::TextEncoder => "text encoder",
            FileKind::Lora => "LoRA",
            FileKind::Embedding => "embedding",
            FileKind::ControlNet => "ControlNet",
            FileKind::Lllite => "ControlLLLite",
            FileKind::ControlLora => "Control-LoRA",
            FileKind::Depth => "depth network",
            FileKind::Upscaler => "upscaler",
            FileKind::Unknown => "unknown",
        };
        let inpainting = if self.inpainting { " inpainting" } else { "" };
        match (self.kind, self.base) {
            (FileKind::Checkpoint, Some(base)) => write!(f, "{}{inpainting}", base.name()),
            (FileKind::UNet, Some(base)) => write!(f, "{}{inpainting} UNet", base.name()),
            (_, Some(base)) => write!(f, "{alone} for {}", base.name()),
            (_, None) => write!(f, "{alone}{inpainting}"),
        }
    }
}

/// Beginnings of a UNet's names in a whole checkpoint.
pub(super) const UNET: &str = "model.diffusion_model.";
/// Of its autoencoder's.
pub(super) const VAE: &str = "first_stage_model.";

/// Whether the names that begin with `prefix` are those of an LDM UNet.
fn is_ldm_unet(header: &Header, prefix: &str) -> bool {
    header.has_prefix(&format!("{prefix}input_blocks.0.0."))
        && header.has_prefix(&format!("{prefix}output_blocks."))
}

/// What a file with this head is. Sizes that published models do not have leave the base open where only
/// they tell it.
pub fn family_of(header: &Header) -> Family {
    let has = |prefix: &str| header.has_prefix(prefix);
    let ends = |ending: &str| header.tensors.keys().any(|name| name.ends_with(ending));
    if has("lllite_") {
        return Family::new(FileKind::Lllite, lllite_base(header));
    }
    if header.tensors.contains_key("lora_controlnet") {
        return Family::new(FileKind::ControlLora, context(header).and_then(Base::of_context));
    }
    if has("control_model.")
        || has("zero_convs.")
        || has("controlnet_down_blocks.")
        || has("input_hint_block.")
    {
        return Family::new(FileKind::ControlNet, context(header).and_then(Base::of_context));
    }
    if is_lora(header) {
        return Family::new(FileKind::Lora, lora_base(header));
    }
    if let Some(base) = embedding(header) {
        return Family::new(FileKind::Embedding, base);
    }
    for prefix in [UNET, ""] {
        if is_ldm_unet(header, prefix) {
            return unet(header, prefix);
        }
    }
    if has("down_blocks.0.") && has("up_blocks.0.") && has("conv_in.") {
        return unet(header, "");
    }
    let tiny = ["encoder.layers.0.conv.0.", "encoder.layers.1.conv.0.", "decoder.layers.2.conv.0."];
    if tiny.iter().any(|name| has(name)) || has("1.conv.0.") || has("3.conv.0.") {
        return Family::new(FileKind::TinyVae, None);
    }
    if has("first_stage_model.decoder.") || (has("decoder.conv_in.") && has("encoder.conv_in.")) {
        return Family::new(FileKind::Vae, None);
    }
    if ["pretrained.", "backbone.embeddings.", "depth_head.", "dpt.embeddings."].iter().any(|name| has(name))
    {
        return Family::new(FileKind::Depth, None);
    }
    if has("text_model.") || has("cond_stage_model.") || has("conditioner.") || has("transformer.resblocks.")
    {
        return Family::new(FileKind::TextEncoder, None);
    }
    if has("RRDB_trunk.") || has("body.0.rdb1.") || (has("conv_first.") && ends("rdb1.conv1.weight")) {
        return Family::new(FileKind::Upscaler, None);
    }
    Family::new(FileKind::Unknown, None)
}

/// A UNet, alone or in a checkpoint.
fn unet(header: &Header, prefix: &str) -> Family {
    let has = |prefix: &str| header.has_prefix(prefix);
    let is_whole = has("cond_stage_model.") || has("conditioner.");
    let width = context(header);
    let base = if has("conditioner.embedders.1.") {
        Some(Base::Xl)
    } else if has("conditioner.") {
        Some(Base::XlRefiner)
    } else if has("cond_stage_model.model.") {
        Some(Base::Sd2)
    } else if has("cond_stage_model.") {
        Some(Base::Sd1)
    } else {
        width.and_then(Base::of_context)
    };
    let first = ["input_blocks.0.0.weight", "conv_in.weight"];
    let inputs = first.iter().find_map(|name| header.shape(&format!("{prefix}{name}"))?.get(1).copied());
    let kind = if is_whole { FileKind::Checkpoint } else { FileKind::UNet };
    Family { kind, base, inpainting: inputs == Some(9) }
}

/// The second side of the first matrix whose name ends so.
fn width_of(header: &Header, ending: &str) -> Option<usize> {
    let found = header.tensors.iter().find(|(name, _)| name.ends_with(ending));
    found.and_then(|(_, info)| info.shape.get(1).copied())
}

/// The width of the context that attention looks at.
fn context(header: &Header) -> Option<usize> {
    width_of(header, "attn2.to_k.weight").or_else(|| width_of(header, "attn2.to_k.down"))
}

/// Endings of the tensors that LoRAs of all kinds are made of.
const LOW_RANK: [&str; 8] = [
    ".lora_down.weight",
    ".lora_A.weight",
    ".lora.down.weight",
    ".hada_w1_a",
    ".lokr_w1",
    ".lokr_w1_a",
    ".lora_A.default.weight",
    ".lora_linear_layer.down.weight",
];

fn is_lora(header: &Header) -> bool {
    header.tensors.keys().any(|name| LOW_RANK.iter().any(|ending| name.ends_with(ending)))
}

/// The model that a LoRA was made for: from what its matrices see, else from what its trainer noted.
pub fn lora_base(header: &Header) -> Option<Base> {
    let is_xl_name = |name: &String| {
        name.starts_with("lora_te1_")
            || name.starts_with("lora_te2_")
            || name.starts_with("text_encoder_2.")
            || name.starts_with("lora_unet_input_blocks_")
    };
    if header.tensors.keys().any(is_xl_name) {
        return Some(Base::Xl);
    }
    let sees_context = |name: &str| name.contains("attn2_to_k") || name.contains("attn2.to_k");
    let widths = header.tensors.iter().filter(|(name, _)| sees_context(name)).filter_map(|(name, info)| {
        let down =
            ["lora_down.weight", "lora_A.weight", "lora_A.default.weight", "lora.down.weight", "hada_w1_b"];
        down.iter().any(|ending| name.ends_with(ending)).then(|| info.shape.get(1).copied()).flatten()
    });
    if let Some(base) = widths.filter_map(Base::of_context).next() {
        return Some(base);
    }
    let noted = |key: &str| header.metadata.get(key).map(|text| text.to_lowercase());
    let version = noted("ss_base_model_version").or_else(|| noted("modelspec.architecture"))?;
    let named = [
        ("xl", Base::Xl),
        ("sd_v2", Base::Sd2),
        ("diffusion-v2", Base::Sd2),
        ("sd_v1", Base::Sd1),
        ("diffusion-v1", Base::Sd1),
    ];
    named.iter().find(|(mark, _)| version.contains(mark)).map(|(_, base)| *base)
}

/// A ControlLLLite names the LDM blocks that it steers; those of SDXL alone have blocks 7 and 8 with ten
/// transformers.
fn lllite_base(header: &Header) -> Option<Base> {
    let mut xl = header.tensors.keys().filter(|name| name.contains("_transformer_blocks_"));
    let deep = |name: &String| !name.contains("_transformer_blocks_0_");
    if xl.any(deep) { Some(Base::Xl) } else { None }
}

/// Whether a file holds a textual inversion, and for what.
fn embedding(header: &Header) -> Option<Option<Base>> {
    if header.tensors.len() > 4 {
        return None;
    }
    if header.tensors.contains_key("clip_g") {
        return Some(Some(Base::Xl));
    }
    let names = ["emb_params", "clip_l", "*"];
    let vector = header.tensors.iter().find(|(name, info)| {
        names.contains(&name.as_str())
            || (name.starts_with('<') && name.ends_with('>') && info.shape.len() <= 2)
    })?;
    Some(vector.1.shape.last().copied().and_then(Base::of_context))
}

#[cfg(test)]
mod tests {
    use super::super::tensors::TensorInfo;
    use super::*;

    fn of(tensors: &[(&str, &[usize])]) -> String {
        let mut header = Header::default();
        for (name, shape) in tensors {
            let info = TensorInfo { dtype: "F16".to_owned(), shape: shape.to_vec(), start: 0, end: 0 };
            header.tensors.insert((*name).to_owned(), info);
        }
        family_of(&header).to_string()
    }

    #[test]
    fn checkpoints_are_told_by_their_text_encoders_and_inputs() {
        let unet = |inputs: usize| {
            vec![
                ("model.diffusion_model.input_blocks.0.0.weight", vec![320, inputs, 3, 3]),
                ("model.diffusion_model.output_blocks.0.0.in_layers.0.weight", vec![320]),
            ]
        };
        let with = |inputs, more: &'static str| {
            let mut tensors = unet(inputs);
            tensors.push((more, vec![1, 1]));
            of(&tensors.iter().map(|(name, shape)| (*name, shape.as_slice())).collect::<Vec<_>>())
        };
        assert_eq!(with(4, "cond_stage_model.transformer.text_model.x"), "SD 1.x");
        assert_eq!(with(9, "cond_stage_model.transformer.text_model.x"), "SD 1.x inpainting");
        assert_eq!(with(4, "cond_stage_model.model.ln_final.bias"), "SD 2.x");
        assert_eq!(with(4, "conditioner.embedders.1.model.ln_final.bias"), "SDXL");
        assert_eq!(with(4, "conditioner.embedders.0.model.ln_final.bias"), "SDXL refiner");
        assert_eq!(with(4, "x"), "UNet");
    }

    #[test]
    fn loras_are_told_by_the_context_that_they_see() {
        let down = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
        assert_eq!(of(&[(down, &[4, 768])]), "LoRA for SD 1.x");
        assert_eq!(of(&[(down, &[4, 1024])]), "LoRA for SD 2.x");
        assert_eq!(of(&[(down, &[4, 2048])]), "LoRA for SDXL");
        assert_eq!(of(&[(down, &[4, 32])]), "LoRA");
        assert_eq!(of(&[("lora_te2_text_model_x.hada_w1_a", &[4, 4])]), "LoRA for SDXL");
    }

    #[test]
    fn other_files_are_told_by_their_names() {
        let kinds: [(&str, &[usize], &str); 9] = [
            ("emb_params", &[8, 768], "embedding for SD 1.x"),
            ("clip_g", &[8, 1280], "embedding for SDXL"),
            ("control_model.zero_convs.0.0.weight", &[1, 1], "ControlNet"),
            ("lora_controlnet", &[0], "Control-LoRA"),
            (
                "lllite_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.down.0.weight",
                &[1, 1],
                "ControlLLLite for SDXL",
            ),
            ("pretrained.cls_token", &[1, 1], "depth network"),
            ("dpt.embeddings.cls_token", &[1, 1], "depth network"),
            ("first_stage_model.decoder.conv_in.weight", &[1, 1], "VAE"),
            ("x", &[1], "unknown"),
        ];
        for (name, shape, kind) in kinds {
            assert_eq!(of(&[(name, shape)]), kind, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_told_fits() {
        let lora = |base| Family::new(FileKind::Lora, base);
        let model = Family::new(FileKind::Checkpoint, Some(Base::Xl));
        assert!(lora(None).fits(&model) && lora(Some(Base::Xl)).fits(&model));
        assert!(!lora(Some(Base::Sd1)).fits(&model));
    }
}
