//! A folder of model files, wherever it lies.

mod weigh;

pub use weigh::Weight;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;

use super::digest;
use super::family::Family;
use super::single::{SingleFile, TOKENIZER, inside};
use super::tensors::{WeightFile, Weights, audit};
use crate::error::{Error, Result};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Names under which weights are looked for in a folder, best first.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
];

/// Names of lists of shards, best first. diffusers puts the variant at either place.
const INDICES: [&str; 5] = [
    "diffusion_pytorch_model.safetensors.index.json",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "model.safetensors.index.fp16.json",
    "diffusion_pytorch_model.fp16.safetensors.index.json",
];

/// Folders in folders that a model has at the most. Without a limit a link to its own folder never ends.
const DEEPEST: u32 = 3;

/// Endings of the files that decide what a model paints.
const DECISIVE: [&str; 3] = ["json", "txt", "safetensors"];

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

    /// What the file is, when the model is one file.
    pub fn family(&self) -> Option<Family> {
        match &self.place {
            Place::Single(file, _) => Some(file.family()),
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
        }
    }

    /// A folder inside this one. It need not exist.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let place = match &self.place {
            Place::Disk(path) => Place::Disk(path.join(name)),
            Place::Embedded(path) => Place::Embedded(format!("{path}/{name}")),
            Place::Single(file, part) => Place::Single(file.clone(), inside(part, name)),
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

    /// The folder's weights on `device` as a tree of names: `f32`, or as they are for those who ask
    /// [`stored`](super::stored).
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or the file is truncated or no safetensors file.
    pub fn weights(&self, device: &Device) -> Result<VarBuilder<'static>> {
        Ok(self.tensors()?.builder(device))
    }

    /// The network that `build` makes of the folder's weights; `what` it is stands in errors («UNet»).
    ///
    /// # Errors
    /// As [`ModelFolder::weights`]; when weights are missing or have another shape, all of them in one error, grouped
    /// and counted.
    pub fn network<T>(
        &self,
        what: &str,
        device: &Device,
        build: impl Fn(VarBuilder<'static>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let weights = self.tensors()?;
        build(weights.clone().builder(device)).map_err(|error| {
            let found = audit(&self.label(), what, &weights, &build);
            found.unwrap_or_else(|| model_error(&self.label(), &error))
        })
    }

    /// The folder's weights by name, none of them read yet.
    ///
    /// # Errors
    /// As [`ModelFolder::weights`].
    pub fn tensors(&self) -> Result<Weights> {
        if let Place::Single(single, part) = &self.place {
            let own = single.weights(part).cloned();
            return own
                .ok_or_else(|| Error::model(&self.label(), single.lacks(part)).with_hint(single.hint(part)));
        }
        Ok(Weights::of(&self.opened()?))
    }

    /// The folder's files of weights, their heads checked.
    fn opened(&self) -> Result<Vec<Arc<WeightFile>>> {
        let files = self.weight_files()?;
        let open = |name: &String| match &self.place {
            Place::Disk(path) => WeightFile::open(&path.join(name)),
            Place::Embedded(path) => {
                WeightFile::embedded(&self.label().join(name), embedded_bytes(path, name).unwrap_or_default())
            }
            Place::Single(..) => Err(Error::Bug("a single file has no files of weights".to_owned())),
        };
        files.iter().map(|name| open(name).map(Arc::new)).collect()
    }

    /// A hash of the model's files (configs, tokenizers, safetensors): two folders with the same hash make
    /// the same picture. Hidden files and other formats decide nothing and do not count.
    ///
    /// # Errors
    /// [`Error::Model`] when a file cannot be read.
    pub fn fingerprint(&self) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        match &self.place {
            Place::Disk(path) => hash_folder(path, DEEPEST, &mut hasher)?,
            Place::Embedded(path) => {
                let inside =
                    |p: &&(&str, &[u8])| p.0.strip_prefix(path.as_str()).is_some_and(|r| r.starts_with('/'));
                for (name, bytes) in EMBEDDED.iter().filter(inside) {
                    hasher.update(name.as_bytes()).update(bytes);
                }
            }
            Place::Single(single, _) => {
                hasher.update(digest::content(single.path())?.as_bytes());
                if let Some(configs) = single.configs() {
                    hash_folder(configs, DEEPEST, &mut hasher)?;
                }
            }
        }
        Ok(hasher.finalize())
    }

    /// Names of the files that hold the weights: one, or the shards that an index names.
    fn weight_files(&self) -> Result<Vec<String>> {
        if let Some(name) = WEIGHTS.iter().find(|name| self.has(name)) {
            return Ok(vec![(*name).to_owned()]);
        }
        if let Some(index) = INDICES.iter().find(|name| self.has(name)) {
            let listed: ShardIndex = self.json(index)?;
            let shards: BTreeSet<String> = listed.weight_map.into_values().collect();
            // A list is no way out of the folder.
            return match shards.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
                None => Ok(shards.into_iter().collect()),
                Some(odd) => {
                    let message = format!("expected names of files in this folder, found `{odd}`");
                    Err(Error::model(&self.label().join(index), message))
                }
            };
        }
        Err(Error::model(&self.label(), format!("expected weights here ({})", WEIGHTS.join(" or ")))
            .with_hint("copy the whole model folder; .bin and .ckpt files must be converted to safetensors"))
    }
}

/// diffusers' and transformers' list of shards.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: std::collections::BTreeMap<String, String>,
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

/// Feeds names and contents of all files at most `levels` folders below `folder`, in name order, to `hasher`.
fn hash_folder(folder: &Path, levels: u32, hasher: &mut blake3::Hasher) -> Result<()> {
    let cannot = |e: std::io::Error| Error::model(folder, format!("cannot read the folder: {e}"));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(cannot)?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if levels > 0 {
                hasher.update(name.as_bytes());
                hash_folder(&path, levels - 1, hasher)?;
            }
        } else if path.extension().is_some_and(|e| DECISIVE.iter().any(|known| e == *known)) {
            hasher.update(name.as_bytes());
            let file = std::fs::File::open(&path).map_err(cannot)?;
            hasher.update_reader(file).map_err(cannot)?;
        }
    }
    Ok(())
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
