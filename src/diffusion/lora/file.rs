//! A LoRA file: opened, its keys taken apart and grouped by layer. Tensors are read when they are used.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::keys::{self, Key, Scope};
use super::module::Module;
use crate::error::{Error, Result};
use crate::models::{Header, WeightFile, model_error};

/// A LoRA file, of any trainer and kind.
pub struct LoraFile {
    file: WeightFile,
    pub(super) modules: Vec<Module>,
    /// Keys that no known kind has.
    pub(super) unknown: Vec<String>,
}

impl std::fmt::Debug for LoraFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoraFile")
            .field("place", &self.file.path())
            .field("modules", &self.modules.len())
            .finish()
    }
}

impl LoraFile {
    /// Opens a file. Its numbers are mapped, not read.
    ///
    /// # Errors
    /// [`Error::Model`] when it cannot be read, is no safetensors file or truncated, holds no LoRA, or one of a
    /// kind that is not supported, which is named.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path, WeightFile::open(path)?)
    }

    /// Reads a file that is in memory; `place` is what messages call it.
    ///
    /// # Errors
    /// As [`LoraFile::open`].
    pub fn from_bytes(bytes: Vec<u8>, place: &Path) -> Result<Self> {
        Self::new(place, WeightFile::in_memory(place, bytes)?)
    }

    fn new(place: &Path, file: WeightFile) -> Result<Self> {
        let mut grouped: BTreeMap<(Scope, String), Module> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (key, info) in &file.header().tensors {
            match keys::read(key) {
                Key::Unsupported(kind) => {
                    let message = format!("`{key}` belongs to a network of the kind {kind}");
                    return Err(Error::model(place, message)
                        .with_hint("kinora reads LoRA, LoCon, LoHa, LoKr, DoRA, IA3 and full differences"));
                }
                Key::Unknown => unknown.push(key.clone()),
                Key::Part { scope, path, part } => {
                    let module =
                        grouped.entry((scope, path.clone())).or_insert_with(|| Module::new(scope, path));
                    if let Some(other) = module.add(part, key.clone(), info.shape.clone()) {
                        let message = format!("`{key}` and `{other}` are the same part of one layer");
                        return Err(Error::model(place, message)
                            .with_hint("the file holds several adapters: save them one by one"));
                    }
                }
            }
        }
        // A weight beside no `on_input` is no IA3: a whole model has such names.
        let (modules, odd): (Vec<Module>, Vec<Module>) =
            grouped.into_values().partition(|module| !module.is_plain_weight());
        unknown.extend(odd.into_iter().flat_map(Module::into_keys));
        unknown.sort();
        if modules.is_empty() {
            return Err(no_lora(place, &unknown));
        }
        Ok(Self { file, modules, unknown })
    }

    /// Where the file lies.
    pub fn place(&self) -> &Path {
        self.file.path()
    }

    /// Its tensors, and what its trainer noted.
    pub(super) fn header(&self) -> &Header {
        self.file.header()
    }

    /// How many layers it changes.
    pub fn layer_count(&self) -> usize {
        self.modules.len()
    }

    /// A tensor as `f32`.
    ///
    /// # Errors
    /// When its numbers are of a kind that is not read (floats of 8 bits), or not finite.
    pub(super) fn tensor(&self, key: &str, device: &Device) -> candle_core::Result<Tensor> {
        let tensor = self.file.tensor(key, DType::F32, device)?;
        // One number that is none makes the sum of all of them none.
        let sum = if tensor.elem_count() == 0 { 0.0 } else { tensor.abs()?.sum_all()?.to_scalar::<f32>()? };
        if sum.is_nan() {
            candle_core::bail!("`{key}`: expected finite numbers, found NaN");
        }
        if sum.is_infinite() && tensor.abs()?.max_all()?.to_scalar::<f32>()?.is_infinite() {
            candle_core::bail!("`{key}`: expected finite numbers, found infinity");
        }
        Ok(tensor)
    }

    /// The numbers that scale modules are read at once: a broken one is better known before a frame is painted.
    pub(super) fn number(&self, key: &str) -> Result<f64> {
        let broken = |e: candle_core::Error| model_error(self.place(), &e).with_hint(super::AGAIN);
        let values =
            self.tensor(key, &Device::Cpu).and_then(|x| x.flatten_all()?.to_vec1::<f32>()).map_err(broken)?;
        match values[..] {
            [value] => Ok(f64::from(value)),
            _ => Err(Error::model(
                self.place(),
                format!("`{key}`: expected one number, found {}", values.len()),
            )
            .with_hint(super::AGAIN)),
        }
    }
}

/// The refusal of a file without any change of a layer.
fn no_lora(place: &Path, unknown: &[String]) -> Error {
    let message = match unknown.first() {
        Some(key) => format!("expected a LoRA, found {} keys such as `{key}`", unknown.len()),
        None => "expected a LoRA, the file holds no tensor".to_owned(),
    };
    let hint = if unknown.iter().any(|key| key.starts_with("model.diffusion_model.")) {
        "this is a whole model: name it with `model`"
    } else if unknown.iter().any(|key| key == "emb_params" || key.starts_with("clip_")) {
        "this is a textual inversion: write its name into the prompt"
    } else {
        "check that the file is a LoRA for Stable Diffusion"
    };
    Error::model(place, message).with_hint(hint)
}
