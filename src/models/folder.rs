//! A folder of model files, wherever it lies.

mod weigh;

pub use weigh::Weight;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;

use super::stored::Files;
use crate::error::{Error, Result};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Names under which weights are looked for in a folder, best first.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
];

/// Folders in folders that a model has at the most. Without a limit a link to its own folder never ends.
const DEEPEST: u32 = 3;

/// Endings of the files that decide what a model paints.
const DECISIVE: [&str; 3] = ["json", "txt", "safetensors"];

/// A folder of model files: on disk, or compiled into the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFolder {
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Disk(PathBuf),
    /// A path below `presets/models` at build time, such as `kinora-tiny/unet`.
    Embedded(String),
}

impl ModelFolder {
    /// A folder on disk.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such folder; the message says what is there instead.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self { place: Place::Disk(path.to_owned()) });
        }
        let found = if path.is_file() { "this is a file" } else { "there is nothing here" };
        Err(Error::model(path, format!("expected a model folder, {found}"))
            .with_hint("give a folder in diffusers layout (it holds model_index.json, unet/, vae/ …)"))
    }

    /// A model compiled into the program, by the name of its folder in `presets/models`.
    pub fn embedded(name: &str) -> Option<Self> {
        Self::embedded_names().contains(name).then(|| Self { place: Place::Embedded(name.to_owned()) })
    }

    /// Names of the models that are compiled in.
    pub fn embedded_names() -> BTreeSet<&'static str> {
        EMBEDDED.iter().filter_map(|(path, _)| path.split('/').next()).collect()
    }

    /// The folder's path, for messages. Embedded folders begin with `embedded:`.
    pub fn label(&self) -> PathBuf {
        match &self.place {
            Place::Disk(path) => path.clone(),
            Place::Embedded(path) => PathBuf::from(format!("embedded:{path}")),
        }
    }

    /// A folder inside this one. It need not exist.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let place = match &self.place {
            Place::Disk(path) => Place::Disk(path.join(name)),
            Place::Embedded(path) => Place::Embedded(format!("{path}/{name}")),
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
        let hint = match &self.place {
            Place::Disk(path) if self.has("config.json") && path.join("../model_index.json").is_file() => {
                "this is one part of a model: name the folder above it"
            }
            _ if self.has("config.json") => "its config.json is that of another kind of network",
            _ if self.has("model_index.json") => {
                "this is a whole model: name one of its folders, such as `controlnet`"
            }
            _ => {
                "give a folder as diffusers saves it (model_index.json, unet/, vae/ …); one file must be converted"
            }
        };
        Err(Error::model(&self.label(), format!("expected {what}, found a folder without {file}"))
            .with_hint(hint))
    }

    /// Looks at the weights without loading them: whether they are there and whole.
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or a file is truncated or no safetensors file.
    pub fn check_weights(&self) -> Result<()> {
        let files = self.weight_files()?;
        match &self.place {
            Place::Disk(path) => check_headers(&files.iter().map(|f| path.join(f)).collect::<Vec<_>>()),
            Place::Embedded(_) => Ok(()),
        }
    }

    /// Whether the folder holds the file.
    pub fn has(&self, file: &str) -> bool {
        match &self.place {
            Place::Disk(path) => path.join(file).is_file(),
            Place::Embedded(path) => embedded_bytes(path, file).is_some(),
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

    /// The folder's weights on `device` as a tree of names: `f32`, or as they are for those who ask [`stored`](super::stored).
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or the file is truncated or no safetensors file.
    pub fn weights(&self, device: &Device) -> Result<VarBuilder<'static>> {
        let files = self.weight_files()?;
        match &self.place {
            Place::Disk(path) => {
                let paths: Vec<PathBuf> = files.iter().map(|f| path.join(f)).collect();
                check_headers(&paths)?;
                Files::open(&paths)
            }
            Place::Embedded(path) => {
                let bytes = files.first().and_then(|f| embedded_bytes(path, f)).unwrap_or_default();
                Files::embedded(bytes)
            }
        }
        .map(|files| files.builder(device))
        .map_err(|e| model_error(&self.label(), &e))
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
        }
        Ok(hasher.finalize())
    }

    /// Names of the files that hold the weights: one, or the shards that an index names.
    fn weight_files(&self) -> Result<Vec<String>> {
        for name in WEIGHTS {
            if self.has(name) {
                return Ok(vec![name.to_owned()]);
            }
            let index = format!("{name}.index.json");
            if self.has(&index) {
                let index: ShardIndex = self.json(&index)?;
                let shards: BTreeSet<String> = index.weight_map.into_values().collect();
                return Ok(shards.into_iter().collect());
            }
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

/// Reads each file's safetensors header and compares the length it promises with the file's, so that
/// a truncated download is named as such.
fn check_headers(paths: &[PathBuf]) -> Result<()> {
    use std::io::Read as _;
    for path in paths {
        let read = || -> std::io::Result<(u64, u64, Vec<u8>)> {
            let mut file = std::fs::File::open(path)?;
            let size = file.metadata()?.len();
            let mut length = [0; 8];
            if size < 8 {
                return Ok((size, 8, Vec::new()));
            }
            file.read_exact(&mut length)?;
            let length = u64::from_le_bytes(length);
            let mut header = Vec::new();
            file.take(length.min(size)).read_to_end(&mut header)?;
            Ok((size, length, header))
        };
        let (size, length, header) =
            read().map_err(|e| Error::model(path, format!("cannot read the weights: {e}")))?;
        let truncated = |needed: u64| {
            Error::model(path, format!("expected {needed} bytes, the file has {size}: it is truncated"))
                .with_hint("copy or download the file again")
        };
        if length.saturating_add(8) > size {
            return Err(truncated(length.saturating_add(8)));
        }
        let header: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
            .map_err(|_| {
            Error::model(path, "expected a safetensors file, its header cannot be read")
                .with_hint("only safetensors weights are read, never .ckpt or .bin")
        })?;
        let end = header
            .values()
            .filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64())
            .max()
            .unwrap_or(0);
        if 8 + length + end > size {
            return Err(truncated(8 + length + end));
        }
    }
    Ok(())
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
