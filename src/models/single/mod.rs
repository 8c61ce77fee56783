//! A model in one file, as a folder in diffusers layout.
//!
//! The web UI's files hold UNet, autoencoder and text encoders under the names of the original code. Here they are
//! taken apart, and what a folder says in its configs is inferred from names and shapes. What shapes do not
//! show can be said in a folder of configs beside the file: `NAME.config/unet/config.json` and so on, laid out
//! as diffusers does.
//!
//! The rule for what a model predicts: `v` when the file has a key `v_pred`, its notes say so
//! (`modelspec.prediction_type`), or a `NAME.yaml` beside it has `parameterization: v`. Stable Diffusion 2
//! models predict `v` unless their notes or names say otherwise (`base` or `512` in the name, as in
//! `512-base-ema`): their weights alone do not tell. Everything else predicts the noise.

mod depth;
mod infer;
mod predicts;
mod text_names;
mod vae_names;

pub(super) use depth::called as called_depth;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::family::{Base, Family, FileKind, UNET, VAE, family_of};
use super::ldm::UNetNames;
use super::tensors::{Cut, Source, WeightFile, Weights};
use crate::error::{Error, Result};
use predicts::Prediction;
use text_names::Named;

/// What the encoder's result is multiplied by in Stable Diffusion 1 and 2 (`scale_factor` in the models' configs).
pub(super) const SD_SCALE: f64 = 0.18215;
/// The same in SDXL.
pub(super) const XL_SCALE: f64 = 0.13025;

/// The tokenizer of every CLIP, compiled in.
pub(super) const TOKENIZER: &str = "clip-tokenizer";

/// A file that stands for a folder of files.
#[derive(Clone, Debug)]
pub(super) struct SingleFile {
    file: Arc<WeightFile>,
    family: Family,
    /// A folder whose configs count before what is inferred.
    configs: Option<PathBuf>,
    /// Files of the folder that the file stands for, by their paths in it.
    documents: BTreeMap<String, Vec<u8>>,
    /// The networks, by the folder that they would lie in; empty is the folder itself.
    parts: BTreeMap<String, Weights>,
}

impl PartialEq for SingleFile {
    fn eq(&self, other: &Self) -> bool {
        let key =
            |single: &Self| (single.file.path().to_owned(), single.configs.clone(), single.documents.clone());
        key(self) == key(other)
    }
}

impl Eq for SingleFile {}

impl SingleFile {
    /// Reads a file's head. `configs` is a folder in diffusers layout whose configs and tokenizers count before what is
    /// inferred; without it `NAME.config` beside the file is taken when there is such a folder.
    pub(super) fn open(path: &Path, configs: Option<&Path>) -> Result<Self> {
        Self::of(WeightFile::open(path)?, configs)
    }

    /// As [`SingleFile::open`], of a file that is open.
    pub(super) fn of(file: WeightFile, configs: Option<&Path>) -> Result<Self> {
        let (path, file) = (file.path().to_owned(), Arc::new(file));
        let path = path.as_path();
        let family = family_of(file.header());
        let beside = path.with_extension("config");
        let configs = configs.map(Path::to_owned).or_else(|| beside.is_dir().then_some(beside));
        let mut single = Self { file, family, configs, documents: BTreeMap::new(), parts: BTreeMap::new() };
        let wrong = |message: String| {
            Error::model(path, message)
                .with_hint("the file is not whole, or of another kind: copy or download it again")
        };
        match family.kind {
            FileKind::Checkpoint if family.base == Some(Base::XlRefiner) => {}
            FileKind::Checkpoint => single.take_apart().map_err(wrong)?,
            FileKind::UNet => single
                .take_unet(if single.file.header().has_prefix(UNET) { UNET } else { "" }, "")
                .map_err(wrong)?,
            FileKind::Vae => single.take_vae("", "").map_err(wrong)?,
            FileKind::TinyVae => single.take_tiny().map_err(wrong)?,
            FileKind::Depth => single.take_depth().map_err(wrong)?,
            _ => {}
        }
        Ok(single)
    }

    /// An autoencoder whose latents are scaled so; a tiny one scales them itself.
    pub(super) fn scaled(&self, scaling_factor: f64) -> Self {
        let mut scaled = self.clone();
        let config =
            self.documents.get("config.json").and_then(|text| serde_json::from_slice::<Value>(text).ok());
        if let Some(mut config) = config.filter(|config| config["_class_name"] == "AutoencoderKL") {
            config["scaling_factor"] = json!(scaling_factor);
            scaled.put("config.json", &config);
        }
        scaled
    }

    /// The networks that it holds.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Weights> {
        self.parts.values()
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Whether the folder is one of those that have CLIP's tokenizer, which such files do not bring.
    pub(super) fn brings_tokenizer(&self, part: &str) -> bool {
        self.documents.contains_key(&inside(part, "tokenizer_config.json"))
    }

    /// What to say of a part that is not there.
    pub(super) fn lacks(&self, part: &str) -> String {
        let what = match part {
            "vae" => "an autoencoder (VAE)",
            "text_encoder" | "text_encoder_2" => "a text encoder",
            "unet" => "a UNet",
            "" => "a model",
            other => return format!("expected `{other}` in this file, it has none"),
        };
        format!("expected {what} in this file, it has none: it is {}", self.family)
    }

    /// What to do about it.
    pub(super) fn hint(&self, part: &str) -> &'static str {
        match part {
            "vae" => "name one: `vae = \"file\"`; for SD 1.x it is often called vae-ft-mse-840000-ema-pruned",
            _ => "take the whole checkpoint; `kinora models` says what each file is",
        }
    }

    /// The network in a folder.
    pub(super) fn weights(&self, part: &str) -> Option<&Weights> {
        self.parts.get(part)
    }

    /// Whether anything lies in a folder or below it.
    pub(super) fn has_part(&self, part: &str) -> bool {
        let inside = |path: &String| {
            part.is_empty()
                || path.strip_prefix(part).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
        };
        self.documents.keys().any(inside) || self.parts.keys().any(inside)
    }

    /// A file of the folder; `None` when there is none.
    pub(super) fn read(&self, path: &str) -> Option<std::io::Result<Vec<u8>>> {
        let own = self.documents.get(path);
        let given = self.configs.as_ref().map(|folder| folder.join(path)).filter(|file| file.is_file());
        // A folder of configs does not bring back parts that the file does not have.
        match given.filter(|_| own.is_some() || path.starts_with("tokenizer") || path == "kinora.json") {
            Some(file) => Some(std::fs::read(file)),
            None => own.cloned().map(Ok),
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.documents.contains_key(path) || self.read(path).is_some()
    }

    /// The files of the folder of configs that count.
    pub(super) fn configs(&self) -> Option<&Path> {
        self.configs.as_deref()
    }

    /// A whole checkpoint.
    fn take_apart(&mut self) -> Result<(), String> {
        let is_xl = self.family.base == Some(Base::Xl);
        let prediction = Prediction::of(&self.file, self.family.base);
        let size = match self.family.base {
            Some(Base::Xl) => 128,
            Some(Base::Sd2) if prediction.is_v => 96,
            _ => 64,
        };
        self.take_unet_of(UNET, "unet", size)?;
        let mut index = json!({
            "_class_name": if is_xl { "StableDiffusionXLPipeline" } else { "StableDiffusionPipeline" },
            "force_zeros_for_empty_prompt": true,
            "unet": ["diffusers", "UNet2DConditionModel"],
            "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        });
        if self.file.header().has_prefix(&format!("{VAE}decoder.")) {
            self.take_vae(VAE, "vae")?;
            index["vae"] = json!(["diffusers", "AutoencoderKL"]);
        }
        match self.family.base {
            Some(Base::Xl) => {
                self.take_text("conditioner.embedders.0.transformer.", "text_encoder", "tokenizer", 0)?;
                self.take_text("conditioner.embedders.1.model.", "text_encoder_2", "tokenizer_2", 0)?;
                index["text_encoder_2"] = json!(["transformers", "CLIPTextModelWithProjection"]);
            }
            // Trained on the last layer but one; the last is never used.
            Some(Base::Sd2) => self.take_text("cond_stage_model.model.", "text_encoder", "tokenizer", 1)?,
            _ => self.take_text("cond_stage_model.transformer.", "text_encoder", "tokenizer", 0)?,
        }
        index["text_encoder"] = json!(["transformers", "CLIPTextModel"]);
        self.put("scheduler/scheduler_config.json", &prediction.scheduler());
        self.put("model_index.json", &index);
        Ok(())
    }

    fn take_unet(&mut self, prefix: &str, part: &str) -> Result<(), String> {
        let size = if self.family.base == Some(Base::Xl) { 128 } else { 64 };
        self.take_unet_of(prefix, part, size)
    }

    fn take_unet_of(&mut self, prefix: &str, part: &str, sample_size: usize) -> Result<(), String> {
        let own = self.own(prefix);
        let names = UNetNames::of(own.iter().map(|(_, name)| name.as_str()));
        let is_diffusers = own.iter().any(|(_, name)| name.starts_with("down_blocks."));
        let name = |name: &str| match is_diffusers {
            true => vec![(name.to_owned(), Cut::Whole)],
            false => names.diffusers(name).map(|name| (name, Cut::Whole)).into_iter().collect(),
        };
        let weights = self.renamed(&own, name);
        self.put(&inside(part, "config.json"), &infer::unet(&weights, sample_size)?);
        self.parts.insert(part.to_owned(), weights);
        Ok(())
    }

    fn take_vae(&mut self, prefix: &str, part: &str) -> Result<(), String> {
        let prefix = if prefix.is_empty() && self.file.header().has_prefix(VAE) { VAE } else { prefix };
        let own = self.own(prefix);
        let is_diffusers = own.iter().any(|(_, name)| name.starts_with("encoder.down_blocks."));
        let level = |name: &str| name.strip_prefix("decoder.up.")?.split('.').next()?.parse::<usize>().ok();
        let levels =
            own.iter().filter_map(|(_, name)| level(name)).max().map_or(0, |last| last.saturating_add(1));
        let name = |name: &str| match is_diffusers {
            true => vec![(name.to_owned(), Cut::Whole)],
            false => vae_names::diffusers(name, levels).map(|name| (name, Cut::Whole)).into_iter().collect(),
        };
        let weights = self.renamed(&own, name);
        let scale = if self.family.base == Some(Base::Xl) { XL_SCALE } else { SD_SCALE };
        self.put(&inside(part, "config.json"), &infer::vae(&weights, scale)?);
        self.parts.insert(part.to_owned(), weights);
        Ok(())
    }

    /// A tiny autoencoder: a whole one, or one half with the other half beside it.
    fn take_tiny(&mut self) -> Result<(), String> {
        let header = self.file.header();
        let mut weights = Weights::default();
        if header.has_prefix("encoder.layers.") && header.has_prefix("decoder.layers.") {
            weights = Weights::of(std::slice::from_ref(&self.file));
        } else {
            for (half, is_decoder) in [("encoder", false), ("decoder", true)] {
                let file = self.half(half)?;
                for name in file.header().tensors.keys() {
                    if let Some(new) = vae_names::tiny(name, is_decoder) {
                        weights.insert(new, Source::new(&file, name.clone(), Cut::Whole));
                    }
                }
            }
        }
        self.put("config.json", &infer::tiny(&weights)?);
        self.parts.insert(String::new(), weights);
        Ok(())
    }

    /// A depth network, whose names stay what they are: its reader knows both kinds.
    fn take_depth(&mut self) -> Result<(), String> {
        let weights = Weights::of(std::slice::from_ref(&self.file));
        let stem = self.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let depth::Documents { config, preprocessor } = depth::documents(&weights, &stem)?;
        self.put("config.json", &config);
        if let Some(preprocessor) = preprocessor {
            self.put("preprocessor_config.json", &preprocessor);
        }
        self.parts.insert(String::new(), weights);
        Ok(())
    }

    /// `taesd_encoder.safetensors` for `taesd_decoder.safetensors`, or the file itself.
    fn half(&self, half: &str) -> Result<Arc<WeightFile>, String> {
        let name = self.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains(half) {
            return Ok(self.file.clone());
        }
        let other = name.replace("encoder", "@").replace("decoder", "@").replace('@', half);
        let path = self.path().with_file_name(&other);
        match WeightFile::open(&path) {
            Ok(file) if other != name => Ok(Arc::new(file)),
            _ => Err(format!(
                "expected the other half of this tiny autoencoder beside it, `{other}`: there is none"
            )),
        }
    }

    /// A text encoder and its tokenizer.
    fn take_text(&mut self, prefix: &str, part: &str, tokenizer: &str, skip: usize) -> Result<(), String> {
        let own = self.own(prefix);
        let is_open = own.iter().any(|(_, name)| name.starts_with("transformer.resblocks."));
        let weights =
            self.renamed(&own, if is_open { text_names::open_clip } else { text_names::transformers });
        let activation = if is_open { "gelu" } else { "quick_gelu" };
        let config = infer::text(&weights, activation, skip).map_err(|e| format!("{part}: {e}"))?;
        self.put(&format!("{part}/config.json"), &config);
        let pad = if is_open { "!" } else { "<|endoftext|>" };
        self.put(
            &format!("{tokenizer}/tokenizer_config.json"),
            &json!({
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "pad_token": pad,
            }),
        );
        self.parts.insert(part.to_owned(), weights);
        Ok(())
    }

    /// The tensors whose names begin so: whole names and what follows.
    fn own(&self, prefix: &str) -> Vec<(String, String)> {
        let all = self.file.header().tensors.keys();
        all.filter_map(|name| Some((name.clone(), name.strip_prefix(prefix)?.to_owned()))).collect()
    }

    fn renamed(&self, own: &[(String, String)], rename: impl Fn(&str) -> Vec<Named>) -> Weights {
        let mut weights = Weights::default();
        for (whole, name) in own {
            for (new, cut) in rename(name) {
                weights.insert(new, Source::new(&self.file, whole.clone(), cut));
            }
        }
        weights
    }

    fn put(&mut self, path: &str, value: &Value) {
        self.documents.insert(path.to_owned(), value.to_string().into_bytes());
    }
}

/// `part/file`, or `file` in the folder itself.
pub(super) fn inside(part: &str, file: &str) -> String {
    if part.is_empty() { file.to_owned() } else { format!("{part}/{file}") }
}

#[cfg(test)]
mod tests;
