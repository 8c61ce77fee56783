//! Reads a model folder in diffusers layout.

use std::collections::BTreeMap;

use candle_core::Device;
use serde::Deserialize;
use serde_json::Value;

use super::loras::LoraShelf;
use super::prompts::{PromptCache, TextStack};
use super::usual::usual;
use super::{Engine, ModelDefaults};
use crate::canvas::Size;
use crate::diffusion::controlnet::{ControlBase, ControlModel, ControlNet, ControlPlace};
use crate::diffusion::sampler::{resolve, sampler_names, spacing_names};
use crate::diffusion::sigmas::{NoiseSchedule, SchedulerConfig, Spacing};
use crate::diffusion::text::{TextModel, TextPair};
use crate::diffusion::unet::UNetConfig;
use crate::diffusion::vae::Autoencoder;
use crate::error::{Error, Result};
use crate::models::ModelFolder;

/// Classes that kinora can load for each part of a pipeline.
const PARTS: [(&str, &[&str]); 5] = [
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
    ("text_encoder", &["CLIPTextModel"]),
    ("text_encoder_2", &["CLIPTextModelWithProjection"]),
    ("controlnet", &["ControlNetModel"]),
];

/// `model_index.json`.
#[derive(Deserialize)]
struct ModelIndex {
    #[serde(rename = "_class_name")]
    class: String,
    #[serde(default = "yes")]
    force_zeros_for_empty_prompt: bool,
    #[serde(flatten)]
    parts: BTreeMap<String, Value>,
}

fn yes() -> bool {
    true
}

/// Which family of pipelines a model belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    StableDiffusion,
    Xl,
}

impl Engine {
    /// Loads a model and control networks beside it (by the names that jobs call them).
    ///
    /// The folder is in diffusers layout, of any size: Stable Diffusion 1.x, 2.x or XL, with the usual or the
    /// tiny autoencoder. A `controlnet/` folder inside it is the model's own depth ControlNet.
    ///
    /// # Errors
    /// [`Error::Model`] that names the file, class, option or weight that is missing or not supported.
    pub fn load(model: &ModelFolder, controls: &[(String, ControlPlace)], device: &Device) -> Result<Self> {
        let index: ModelIndex = model.json("model_index.json")?;
        let kind = check_index(&index, model)?;
        let unet_config = check_unet(&model.join("unet"))?;
        let shelf = LoraShelf::new(model, matches!(kind, Kind::Xl), device)?;
        let text = match kind {
            Kind::StableDiffusion => TextStack::Single(Box::new(TextModel::load_from(
                &model.join("text_encoder"),
                shelf.text_weights(0),
                &model.join("tokenizer"),
            )?)),
            Kind::Xl => TextStack::Pair {
                models: Box::new(TextPair::load_from(model, [shelf.text_weights(0), shelf.text_weights(1)])?),
                zero_empty_negative: index.force_zeros_for_empty_prompt,
            },
        };
        let vae = Autoencoder::load(&model.join("vae"), device)?;
        let own = model.join("controlnet");
        let folder = model.join("unet");
        let (config, unet) = (folder.json::<UNetConfig>("config.json")?, shelf.build_unet()?);
        let base = ControlBase { unet: &unet, config: &config, folder: &folder };
        let named = |(name, place): &(String, ControlPlace)| -> Result<(String, ControlModel)> {
            Ok((name.clone(), place.load(&base, device)?))
        };
        let controls = controls.iter().map(named).collect::<Result<_>>()?;
        Ok(Self {
            unet: Some(unet),
            loras: shelf,
            prompts: PromptCache::new(text),
            schedule: load_schedule(model)?,
            own_controlnet: own.exists().then(|| ControlNet::load(&own, device)).transpose()?,
            controls,
            defaults: defaults(kind, &unet_config, vae.downscale(), model)?,
            is_xl: kind == Kind::Xl,
            inpaints: unet_config.in_channels == INPAINTING,
            vae,
            device: device.clone(),
            place: model.label(),
        })
    }
}

impl Engine {
    /// What a model does best, from its configs alone: no weights are loaded.
    ///
    /// # Errors
    /// As [`Engine::load`], as far as the configs show it.
    pub fn defaults_of(model: &ModelFolder) -> Result<ModelDefaults> {
        let kind = check_index(&model.json("model_index.json")?, model)?;
        let unet = check_unet(&model.join("unet"))?;
        let vae: VaeSummary = model.join("vae").json("config.json")?;
        let levels = vae.block_out_channels.or(vae.encoder_block_out_channels).map_or(4, |sides| sides.len());
        defaults(kind, &unet, 1 << levels.saturating_sub(1).min(8), model)
    }
}

/// What the engine itself needs of the autoencoder's config: the number of its levels.
#[derive(Deserialize)]
struct VaeSummary {
    block_out_channels: Option<Vec<Value>>,
    encoder_block_out_channels: Option<Vec<Value>>,
}

/// What tells one family's autoencoder from another's.
#[derive(Deserialize)]
struct VaeKind {
    #[serde(default = "four")]
    latent_channels: usize,
    #[serde(rename = "_class_name")]
    class: Option<String>,
    scaling_factor: Option<f64>,
}

/// Refuses an autoencoder that cannot read the model's latents. Families scale them differently; the tiny ones all
/// by 1, so that nothing shows whose they are.
///
/// # Errors
/// [`Error::Model`] when it belongs to another family, or a config cannot be read.
pub fn check_vae(vae: &ModelFolder, model: &ModelFolder) -> Result<()> {
    vae.require("config.json", "an autoencoder")?;
    let other: VaeKind = vae.json("config.json")?;
    let refuse = |what: &str, expected: String, found: String| {
        Err(Error::model(&vae.label(), format!("{what}: expected {expected} for this model, found {found}"))
            .with_hint("this autoencoder belongs to another family of models: take one made for this"))
    };
    let own = model.join("vae");
    if !own.has("config.json") {
        return Ok(());
    }
    let own: VaeKind = own.json("config.json")?;
    if other.latent_channels != own.latent_channels {
        let (expected, found) = (own.latent_channels.to_string(), other.latent_channels.to_string());
        return refuse("channels of the latent", expected, found);
    }
    let full = |kind: &VaeKind| kind.class.as_deref() == Some("AutoencoderKL");
    match (own.scaling_factor, other.scaling_factor) {
        (Some(expected), Some(found)) if full(&own) && full(&other) && expected != found => {
            refuse("scale of the latent", expected.to_string(), found.to_string())
        }
        _ => Ok(()),
    }
}

/// Refuses pipelines and parts that are not known, by name.
fn check_index(index: &ModelIndex, model: &ModelFolder) -> Result<Kind> {
    let file = model.label().join("model_index.json");
    let refuse = |message: String| {
        Error::model(&file, message)
            .with_hint("kinora loads Stable Diffusion 1.x, 2.x and XL in diffusers layout")
    };
    let kind = match index.class.as_str() {
        c if c.starts_with("StableDiffusionXL") && c.ends_with("Pipeline") => Kind::Xl,
        "StableDiffusionPipeline"
        | "StableDiffusionImg2ImgPipeline"
        | "StableDiffusionControlNetPipeline"
        | "StableDiffusionInpaintPipeline"
        | "StableDiffusionControlNetInpaintPipeline"
        | "StableDiffusionControlNetImg2ImgPipeline" => Kind::StableDiffusion,
        other => return Err(refuse(format!("expected a Stable Diffusion pipeline, found `{other}`"))),
    };
    for (part, classes) in PARTS {
        let Some(class) = index.parts.get(part).and_then(|v| v.get(1)).and_then(Value::as_str) else {
            continue;
        };
        if !classes.contains(&class) {
            return Err(refuse(format!("`{part}`: expected {}, found `{class}`", classes.join(" or "))));
        }
    }
    Ok(kind)
}

/// Input channels of a UNet for inpainting: the latent's 4, the mask, and the 4 of the masked picture's latent.
const INPAINTING: usize = 9;

/// What the engine itself needs of the UNet's config.
#[derive(Deserialize)]
struct UNetSummary {
    #[serde(default = "four")]
    in_channels: usize,
    /// One number, or height and width.
    #[serde(default)]
    sample_size: Value,
}

fn four() -> usize {
    4
}

fn check_unet(folder: &ModelFolder) -> Result<UNetSummary> {
    let config: UNetSummary = folder.json("config.json")?;
    if matches!(config.in_channels, 4 | INPAINTING) {
        return Ok(config);
    }
    let message =
        format!("option `in_channels`: expected 4, or 9 for inpainting, found {}", config.in_channels);
    Err(Error::model(&folder.label().join("config.json"), message).with_hint(
        "models for upscaling, depth input or edits by instruction are not known; take the base model",
    ))
}

fn load_schedule(model: &ModelFolder) -> Result<NoiseSchedule> {
    let folder = model.join("scheduler");
    let config: SchedulerConfig = folder.json("scheduler_config.json")?;
    NoiseSchedule::new(&config).map_err(|e| {
        Error::model(&folder.label(), e.to_string()).with_hint(e.hint().unwrap_or_default().to_owned())
    })
}

/// `kinora.json` beside `model_index.json`: what this model does best. Every key may be left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    steps: Option<u32>,
    guidance: Option<f64>,
    sampler: Option<String>,
    spacing: Option<String>,
}

fn defaults(kind: Kind, unet: &UNetSummary, factor: usize, model: &ModelFolder) -> Result<ModelDefaults> {
    let file = "kinora.json";
    let wishes: Wishes = if model.has(file) { model.json(file)? } else { Wishes::default() };
    let refuse = |key: &str, found: &str, known: &[&str]| {
        let message = format!("`{key}`: expected one of {}, found `{found}`", known.join(", "));
        Error::model(&model.label().join(file), message)
    };
    let usual = usual(model, kind == Kind::Xl)?;
    let (mut sampler, mut spacing) = (usual.sampler, usual.spacing);
    if let Some(name) = &wishes.sampler {
        let (found, its) = resolve(name).ok_or_else(|| refuse("sampler", name, sampler_names()))?;
        (sampler, spacing) = (found, its.unwrap_or_else(|| found.usual_spacing()));
    }
    if let Some(name) = &wishes.spacing {
        spacing = Spacing::from_name(name).ok_or_else(|| refuse("spacing", name, spacing_names()))?;
    }
    Ok(ModelDefaults {
        size: trained_size(&unet.sample_size, factor),
        steps: wishes.steps.unwrap_or(usual.steps).max(1),
        guidance: wishes.guidance.unwrap_or(usual.guidance),
        sampler,
        spacing,
    })
}

/// The size in pixels of the latents that the model was trained on; 64 when the config does not say.
fn trained_size(sample_size: &Value, factor: usize) -> Size {
    let number = |v: &Value| v.as_u64().filter(|n| (1..=4096).contains(n)).map(|n| n as usize);
    let (height, width) = match sample_size {
        Value::Array(sides) => (sides.first().and_then(number), sides.get(1).and_then(number)),
        one => (number(one), number(one)),
    };
    Size::new(width.unwrap_or(64) * factor, height.unwrap_or(64) * factor)
}
