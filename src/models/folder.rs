//! A folder of model files, wherever it lies.

mod hash;
mod read;
mod weigh;

pub use weigh::Weight;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::family::Family;
use super::single::{SD_SCALE, SingleFile, TOKENIZER, XL_SCALE, inside};
use crate::error::{Error, Result};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A folder of model files: on disk, compiled into the program, or one file that stands for a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFolder {
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Disk(PathBuf),
    /// A path below `presets/models` at build time, such as `kinora-tiny/unet`.
    Embedded(String),
    /// A file, and the folder of those that it stands for; empty is the whole.
    Single(Arc<SingleFile>, String),
    /// A model with the autoencoder of another place.
    WithVae(Box<ModelFolder>, Box<ModelFolder>),
}

impl ModelFolder {
    /// A folder on disk, or a safetensors file as the web UIs have them, which is read as a folder would be:
    /// `join("unet")`, `join("vae")` and so on are its parts, a UNet or autoencoder by itself is the folder.
    ///
    /// # Errors
    /// [`Error::Model`] when there is neither, or the file cannot be read; the message says what is there instead.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self { place: Place::Disk(path.to_owned()) });
        }
        if path.is_file() {
            let single = SingleFile::open(path, None)?;
            return Ok(Self { place: Place::Single(Arc::new(single), String::new()) });
        }
        Err(Error::model(path, "expected a model, there is nothing here").with_hint(
            "give a .safetensors file, or a folder in diffusers layout (it holds model_index.json, unet/, vae/ …)",
        ))
    }

    /// As [`ModelFolder::open`] for a file, whose configs and tokenizers are those of a folder in diffusers layout as far
    /// as it has them. They say what shapes do not show: numbers of heads, groups of norms.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be read.
    pub fn open_with_configs(file: &Path, configs: &Path) -> Result<Self> {
        let single = SingleFile::open(file, Some(configs))?;
        Ok(Self { place: Place::Single(Arc::new(single), String::new()) })
    }

    /// This model with another autoencoder: a folder of one, or one file, in whatever naming. It is scaled as the
    /// model's own, which its file does not say.
    ///
    /// # Errors
    /// [`Error::Model`] when it is none, or the model's configs cannot be read.
    pub fn with_vae(&self, vae: Self) -> Result<Self> {
        vae.require("config.json", "an autoencoder (VAE)")?;
        let place = match vae.place {
            Place::Single(file, part) => Place::Single(Arc::new(file.scaled(self.vae_scale()?)), part),
            other => other,
        };
        Ok(Self { place: Place::WithVae(Box::new(self.clone()), Box::new(Self { place })) })
    }

    /// What the encoder's result is multiplied by for this model's UNet.
    fn vae_scale(&self) -> Result<f64> {
        #[derive(serde::Deserialize)]
        struct Said {
            #[serde(default)]
            scaling_factor: Option<f64>,
            #[serde(rename = "_class_name", default)]
            class: String,
        }
        let own = self.join("vae");
        if own.has("config.json") {
            let said: Said = own.json("config.json")?;
            // A tiny one gives scaled latents itself.
            if let (Some(scale), "AutoencoderKL") = (said.scaling_factor, said.class.as_str()) {
                return Ok(scale);
            }
        }
        let index: Said = self.json("model_index.json")?;
        Ok(if index.class.starts_with("StableDiffusionXL") { XL_SCALE } else { SD_SCALE })
    }

    /// What the file is, when the model is one file.
    pub fn family(&self) -> Option<Family> {
        match &self.place {
            Place::Single(file, _) => Some(file.family()),
            Place::WithVae(model, _) => model.family(),
            Place::Disk(_) | Place::Embedded(_) => None,
        }
    }

    /// A model compiled into the program, by the name of its folder in `presets/models`.
    pub fn embedded(name: &str) -> Option<Self> {
        Self::embedded_names().contains(name).then(|| Self { place: Place::Embedded(name.to_owned()) })
    }

    /// Names of the models that are compiled in.
    pub fn embedded_names() -> BTreeSet<&'static str> {
        let config = |path: &'static str| {
            let (name, file) = path.split_once('/')?;
            matches!(file, "config.json" | "model_index.json").then_some(name)
        };
        EMBEDDED.iter().filter_map(|(path, _)| config(path)).collect()
    }

    /// The folder's path, for messages. Embedded folders begin with `embedded:`.
    pub fn label(&self) -> PathBuf {
        match &self.place {
            Place::Disk(path) => path.clone(),
            Place::Embedded(path) => PathBuf::from(format!("embedded:{path}")),
            Place::Single(file, part) if part.is_empty() => file.path().to_owned(),
            Place::Single(file, part) => file.path().join(part),
            Place::WithVae(model, _) => model.label(),
        }
    }

    /// A folder inside this one. It need not exist.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let place = match &self.place {
            Place::Disk(path) => Place::Disk(path.join(name)),
            Place::Embedded(path) => Place::Embedded(format!("{path}/{name}")),
            Place::Single(file, part) => Place::Single(file.clone(), inside(part, name)),
            Place::WithVae(_, vae) if name == "vae" => vae.place.clone(),
            Place::WithVae(model, _) => model.join(name).place,
        };
        Self { place }
    }

    /// Whether the folder holds any file of a model.
    pub fn exists(&self) -> bool {
        match &self.place {
            Place::Disk(path) => path.is_dir(),
            Place::Embedded(path) => EMBEDDED
                .iter()
                .any(|(p, _)| p.strip_prefix(path.as_str()).is_some_and(|r| r.starts_with('/'))),
            Place::Single(file, part) => file.has_part(part),
            Place::WithVae(model, _) => model.exists(),
        }
    }

    /// Refuses a folder that lacks `file`, which `what` («a diffusers model») cannot be without.
    ///
    /// # Errors
    /// [`Error::Model`] that says what the folder looks like instead.
    pub fn require(&self, file: &str, what: &str) -> Result<()> {
        if self.has(file) {
            return Ok(());
        }
        if let Place::Single(single, _) = &self.place {
            let message = format!("expected {what}, found a file with another content: {}", single.family());
            return Err(Error::model(&self.label(), message)
                .with_hint("`kinora models` says what each file is and what it can be used for"));
        }
        let hint = match &self.place {
            Place::Disk(path) if self.has("config.json") && path.join("../model_index.json").is_file() => {
                "this is one part of a model: name the folder above it"
            }
            _ if self.has("config.json") => "its config.json is that of another kind of network",
            _ if self.has("model_index.json") => {
                "this is a whole model: name one of its folders, such as `controlnet`"
            }
            _ => {
                "give a .safetensors file, or a folder as diffusers saves it (model_index.json, unet/, vae/ …)"
            }
        };
        Err(Error::model(&self.label(), format!("expected {what}, found a folder without {file}"))
            .with_hint(hint))
    }

    /// Looks at the weights without loading them: whether they are there, whole, and of types that are read.
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or a file is truncated or no safetensors file.
    pub fn check_weights(&self) -> Result<()> {
        let weights = self.tensors()?;
        let unread =
            weights.names().find(|name| weights.source(name).is_none_or(|source| source.dtype().is_none()));
        let Some(name) = unread else { return Ok(()) };
        let found = weights.source(name).map(|source| source.stored_as().to_owned()).unwrap_or_default();
        let message = format!("weight `{name}`: expected numbers of type F16, BF16 or F32, found {found}");
        Err(Error::model(&self.label(), message).with_hint("take the fp16, bf16 or fp32 file of this model"))
    }

    /// Whether the folder holds the file.
    pub fn has(&self, file: &str) -> bool {
        match &self.place {
            Place::Disk(path) => path.join(file).is_file(),
            Place::Embedded(path) => embedded_bytes(path, file).is_some(),
            Place::Single(single, part) => {
                single.has(&inside(part, file))
                    || (single.brings_tokenizer(part) && embedded_bytes(TOKENIZER, file).is_some())
            }
            Place::WithVae(model, _) => model.has(file),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing or cannot be read.
    pub fn read(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        match &self.place {
            Place::Disk(path) => {
                let path = path.join(file);
                let bytes = std::fs::read(&path)
                    .map_err(|e| Error::model(&path, format!("cannot read this file of the model: {e}")))?;
                Ok(Cow::Owned(bytes))
            }
            Place::Embedded(path) => embedded_bytes(path, file)
                .map(Cow::Borrowed)
                .ok_or_else(|| Error::model(&self.label().join(file), "there is no such file in the model")),
            Place::Single(single, part) => {
                let missing = || Error::model(&self.label(), single.lacks(part));
                match single.read(&inside(part, file)) {
                    Some(read) => read
                        .map(Cow::Owned)
                        .map_err(|e| Error::model(&self.label(), format!("cannot read its config: {e}"))),
                    None if single.brings_tokenizer(part) => {
                        embedded_bytes(TOKENIZER, file).map(Cow::Borrowed).ok_or_else(missing)
                    }
                    None => Err(missing().with_hint(single.hint(part))),
                }
            }
            Place::WithVae(model, _) => model.read(file),
        }
    }

    /// A JSON file of the folder. Keys that `T` does not name are ignored.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing, is no JSON, or lacks what `T` needs.
    pub fn json<T: DeserializeOwned>(&self, file: &str) -> Result<T> {
        serde_json::from_slice(&self.read(file)?)
            .map_err(|e| Error::model(&self.label().join(file), format!("cannot understand this file: {e}")))
    }
}

/// Bytes of an embedded file.
fn embedded_bytes(folder: &str, file: &str) -> Option<&'static [u8]> {
    EMBEDDED
        .iter()
        .find(|(path, _)| {
            path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| rest == file)
        })
        .map(|(_, bytes)| *bytes)
}

/// A candle error as a model error that names the weight, with expected and found shape.
pub fn model_error(path: &Path, error: &candle_core::Error) -> Error {
    use candle_core::Error as Candle;
    let mut innermost = error;
    while let Candle::WithBacktrace { inner, .. }
    | Candle::Context { inner, .. }
    | Candle::WithPath { inner, .. } = innermost
    {
        innermost = inner;
    }
    match innermost {
        Candle::CannotFindTensor { path: name } => {
            Error::model(path, format!("expected a weight called `{name}`, there is none"))
                .with_hint("the config does not belong to these weights, or the model is of another kind")
        }
        Candle::UnexpectedShape { msg, expected, got } => {
            let name = msg.rsplit(' ').next().unwrap_or_default();
            Error::model(path, format!("weight `{name}`: expected shape {expected:?}, found {got:?}"))
                .with_hint("the config does not belong to these weights, or the model is of another kind")
        }
        other => Error::model(path, other.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_embedded_models_are_found_by_name() {
        for name in ["kinora-tiny", "kinora-depth"] {
            let folder = ModelFolder::embedded(name).expect(name);
            assert!(folder.exists());
            assert!(folder.fingerprint().is_ok());
        }
        assert!(ModelFolder::embedded("no-such-model").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_its_own_folder_ends() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::os::unix::fs::symlink(folder.path(), folder.path().join(name)).unwrap();
        }
        assert!(ModelFolder::open(folder.path()).unwrap().fingerprint().is_ok());
    }

    #[test]
    fn a_folder_of_another_kind_is_told_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("unet")).unwrap();
        std::fs::write(folder.path().join("model_index.json"), "{}").unwrap();
        std::fs::write(folder.path().join("unet/config.json"), "{}").unwrap();
        let refusal = |path: &str, file| {
            let opened = ModelFolder::open(&folder.path().join(path)).unwrap();
            opened.require(file, "a model").unwrap_err().hint().unwrap().to_owned()
        };
        assert!(refusal("unet", "model_index.json").contains("folder above"));
        assert!(refusal(".", "config.json").contains("whole model"));
    }

    #[test]
    fn an_empty_file_is_truncated() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.safetensors"), "").unwrap();
        let error = ModelFolder::open(folder.path()).unwrap().check_weights().unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
    }

    #[test]
    fn a_truncated_file_is_named_with_both_lengths() {
        let folder = tempfile::tempdir().unwrap();
        let whole = ModelFolder::embedded("kinora-depth").unwrap().read("model.safetensors").unwrap();
        std::fs::write(folder.path().join("model.safetensors"), &whole[..whole.len() - 5]).unwrap();
        let opened = ModelFolder::open(folder.path()).unwrap();
        let error = opened.weights(&Device::Cpu).err().expect("a truncated file is refused").to_string();
        assert!(error.contains("truncated") && error.contains(&whole.len().to_string()), "{error}");
    }
}
