//! Writes full-size checkpoints of random weights, in both layouts, without holding more than a tensor in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

use half::f16;
use serde_json::{Map, Value, json};

use super::names::{self, Form, Named, UNet};

/// Which model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Stable Diffusion 1.5.
    Sd15,
    /// Stable Diffusion XL base 1.0.
    Sdxl,
}

/// In which type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Two bytes a number.
    F16,
    /// Four bytes a number.
    F32,
}

impl Precision {
    fn bytes(self) -> usize {
        if self == Self::F16 { 2 } else { 4 }
    }

    fn name(self) -> &'static str {
        if self == Self::F16 { "F16" } else { "F32" }
    }
}

/// A published configuration, as far as loaders read it.
impl Model {
    /// All tensors.
    pub fn tensors(self) -> Vec<Named> {
        let sd15 = UNet {
            channels: &[320, 640, 1280, 1280],
            depths: &[1, 1, 1, 0],
            middle: 1,
            context: 768,
            linear: false,
            added: None,
        };
        let sdxl = UNet {
            channels: &[320, 640, 1280],
            depths: &[0, 2, 10],
            middle: 10,
            context: 2048,
            linear: true,
            added: Some(2816),
        };
        match self {
            Self::Sd15 => {
                [names::unet(&sd15), names::vae(), names::clip_l("cond_stage_model.transformer")].concat()
            }
            Self::Sdxl => [
                names::unet(&sdxl),
                names::vae(),
                names::clip_l("conditioner.embedders.0.transformer"),
                names::clip_big_g("conditioner.embedders.1.model"),
            ]
            .concat(),
        }
    }

    fn configs(self) -> Vec<(&'static str, Value)> {
        let unet = match self {
            Self::Sd15 => json!({"_class_name": "UNet2DConditionModel", "sample_size": 64,
                "block_out_channels": [320, 640, 1280, 1280], "attention_head_dim": 8, "cross_attention_dim": 768,
                "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}),
            Self::Sdxl => json!({"_class_name": "UNet2DConditionModel", "sample_size": 128,
                "block_out_channels": [320, 640, 1280], "attention_head_dim": [5, 10, 20], "cross_attention_dim": 2048,
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                "transformer_layers_per_block": [1, 2, 10], "use_linear_projection": true,
                "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 2816}),
        };
        let scale = if self == Self::Sd15 { 0.18215 } else { 0.13025 };
        let vae = json!({"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512],
            "layers_per_block": 2, "latent_channels": 4, "norm_num_groups": 32, "scaling_factor": scale,
            "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]});
        let text = json!({"architectures": ["CLIPTextModel"], "hidden_size": 768, "intermediate_size": 3072,
            "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 768, "hidden_act": "quick_gelu",
            "eos_token_id": 2});
        let scheduler = json!({"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "prediction_type": "epsilon",
            "steps_offset": 1, "timestep_spacing": "leading"});
        let mut all = vec![
            ("unet/config.json", unet),
            ("vae/config.json", vae),
            ("text_encoder/config.json", text),
            ("scheduler/scheduler_config.json", scheduler),
        ];
        let mut index = json!({"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
            "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
            "scheduler": ["diffusers", "EulerDiscreteScheduler"]});
        if self == Self::Sdxl {
            index["_class_name"] = json!("StableDiffusionXLPipeline");
            index["text_encoder_2"] = json!(["transformers", "CLIPTextModelWithProjection"]);
            index["tokenizer_2"] = json!(["transformers", "CLIPTokenizer"]);
            index["force_zeros_for_empty_prompt"] = json!(true);
            all.push(("text_encoder_2/config.json", json!({"architectures": ["CLIPTextModelWithProjection"],
                "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
                "projection_dim": 1280, "hidden_act": "gelu", "eos_token_id": 2})));
        } else {
            index["_class_name"] = json!("StableDiffusionPipeline");
        }
        all.push(("model_index.json", index));
        all
    }
}

/// Writes the diffusers layout into `folder`; `tokenizer` is a folder with a tokenizer's files.
pub fn write_folder(model: Model, precision: Precision, folder: &Path, tokenizer: &Path) -> Result<()> {
    for (file, config) in model.configs() {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, serde_json::to_vec_pretty(&config)?)?;
    }
    let tokenizers: &[&str] =
        if model == Model::Sdxl { &["tokenizer", "tokenizer_2"] } else { &["tokenizer"] };
    for name in tokenizers {
        std::fs::create_dir_all(folder.join(name))?;
        for entry in std::fs::read_dir(tokenizer)? {
            let entry = entry?;
            std::fs::copy(entry.path(), folder.join(name).join(entry.file_name()))?;
        }
    }
    if model == Model::Sdxl {
        pad_with_exclamation_marks(&folder.join("tokenizer_2"))?;
    }
    let all = model.tensors();
    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        let tensors: Vec<Entry<'_>> = all
            .iter()
            .filter(|tensor| tensor.part == part)
            .map(|tensor| (tensor.name.clone(), tensor.shape.clone(), vec![(tensor, Form::Same)]))
            .collect();
        if !tensors.is_empty() {
            let is_network = ["unet", "vae"].contains(&part);
            let name = if is_network { "diffusion_pytorch_model.safetensors" } else { "model.safetensors" };
            write_file(&folder.join(part).join(name), precision, &tensors)?;
        }
    }
    Ok(())
}

/// A tensor of a file: its name, its shape, and what its values are made of.
type Entry<'a> = (String, Vec<usize>, Vec<(&'a Named, Form)>);

/// The second tokenizer of the published SDXL fills texts up with token 0, which is `!`.
fn pad_with_exclamation_marks(tokenizer: &Path) -> Result<()> {
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
        let path = tokenizer.join(name);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(path, text.replace(r#""pad_token": "<|endoftext|>""#, r#""pad_token": "!""#))?;
    }
    Ok(())
}

/// Writes the single-file layout.
pub fn write_single(model: Model, precision: Precision, path: &Path) -> Result<()> {
    let all = model.tensors();
    let mut joined: BTreeMap<&str, Vec<&Named>> = BTreeMap::new();
    for tensor in &all {
        joined.entry(&tensor.single).or_default().push(tensor);
    }
    let tensors: Vec<Entry<'_>> = joined
        .into_iter()
        .map(|(name, mut parts)| {
            parts.sort_by_key(|part| if let Form::Third(third) = part.form { third } else { 0 });
            let mut shape = parts[0].shape.clone();
            shape[0] *= parts.len();
            if parts[0].form == Form::Pointwise {
                shape.extend([1, 1]);
            }
            (name.to_owned(), shape, parts.into_iter().map(|part| (part, part.form)).collect())
        })
        .collect();
    write_file(path, precision, &tensors)
}

/// A safetensors file: its header, then every tensor, made as it is written.
fn write_file(path: &Path, precision: Precision, tensors: &[Entry<'_>]) -> Result<()> {
    let (mut header, mut offset) = (Map::new(), 0);
    for (name, shape, _) in tensors {
        let end = offset + shape.iter().product::<usize>() * precision.bytes();
        let entry = json!({"dtype": precision.name(), "shape": shape, "data_offsets": [offset, end]});
        header.insert(name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for (_, _, parts) in tensors {
        for (tensor, form) in parts {
            for number in numbers(tensor, *form) {
                match precision {
                    Precision::F16 => file.write_all(&f16::from_f32(number).to_le_bytes())?,
                    Precision::F32 => file.write_all(&number.to_le_bytes())?,
                }
            }
        }
    }
    file.flush()
}

/// The numbers of a tensor: the same whatever the layout. Weights keep the size of what goes through them
/// (deviation 1/√inputs), norms are about one, biases small.
fn numbers(tensor: &Named, form: Form) -> impl Iterator<Item = f32> + '_ {
    let label = format!("{}/{}", tensor.part, tensor.name);
    let seed = label
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let inputs: usize = tensor.shape[1..].iter().product();
    let (middle, spread) = match tensor.shape.len() {
        1 if tensor.name.ends_with("bias") => (0.0, 0.02),
        1 => (1.0, 0.1),
        _ if tensor.name.contains("embedding.weight") => (0.0, 0.02),
        // Uniform numbers in ±s have the deviation s/√3.
        _ => (0.0, (3.0 / inputs as f32).sqrt()),
    };
    let (rows, columns) = (tensor.shape[0], inputs);
    (0..rows * columns).map(move |i| {
        let i = if form == Form::Turned { i % rows * columns + i / rows } else { i };
        let mut x = seed.wrapping_add((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        middle + spread * ((x >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
    })
}
