//! A LoRA file: opened, its keys taken apart and grouped by layer. Tensors are read when they are used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::safetensors::{BufferedSafetensors, MmapedSafetensors};
use candle_core::{DType, Device, Tensor};

use super::keys::{self, Key, Scope};
use super::module::Module;
use crate::error::{Error, Result};

/// Longest header that is read, in bytes; safetensors' own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// A LoRA file, of any trainer and kind.
pub struct LoraFile {
    place: PathBuf,
    tensors: Tensors,
    pub(super) modules: Vec<Module>,
    /// Keys that no known kind has.
    pub(super) unknown: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl std::fmt::Debug for LoraFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoraFile").field("place", &self.place).field("modules", &self.modules.len()).finish()
    }
}

enum Tensors {
    Mapped(MmapedSafetensors),
    Owned(BufferedSafetensors),
}

impl Tensors {
    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let views = match self {
            Self::Mapped(file) => file.tensors(),
            Self::Owned(file) => file.tensors(),
        };
        views.into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect()
    }

    fn load(&self, name: &str, device: &Device) -> candle_core::Result<Tensor> {
        match self {
            Self::Mapped(file) => file.load(name, device),
            Self::Owned(file) => file.load(name, device),
        }
    }
}

impl LoraFile {
    /// Opens a file. Its numbers are mapped, not read.
    ///
    /// # Errors
    /// [`Error::Model`] when it cannot be read, is no safetensors file or truncated, holds no LoRA, or one of a
    /// kind that is not supported, which is named.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::model(path, format!("cannot read this LoRA file: {e}"));
        let mut file = std::fs::File::open(path).map_err(cannot)?;
        let size = file.metadata().map_err(cannot)?.len();
        let header = header(&mut file, size, path)?;
        // SAFETY: the file is mapped read-only; as everywhere with mapped files, nobody may cut it short
        // while it is in use.
        let tensors = unsafe { MmapedSafetensors::new(path) }.map_err(|e| damaged(path, &e))?;
        Self::new(path, Tensors::Mapped(tensors), &header)
    }

    /// Reads a file that is in memory; `place` is what messages call it.
    ///
    /// # Errors
    /// As [`LoraFile::open`].
    pub fn from_bytes(bytes: Vec<u8>, place: &Path) -> Result<Self> {
        let size = bytes.len() as u64;
        let header = header(&mut bytes.as_slice(), size, place)?;
        let tensors = BufferedSafetensors::new(bytes).map_err(|e| damaged(place, &e))?;
        Self::new(place, Tensors::Owned(tensors), &header)
    }

    fn new(place: &Path, tensors: Tensors, header: &[u8]) -> Result<Self> {
        let mut grouped: BTreeMap<(Scope, String), Module> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (key, shape) in tensors.shapes() {
            match keys::read(&key) {
                Key::Unsupported(kind) => {
                    let message = format!("`{key}` belongs to a network of the kind {kind}");
                    return Err(Error::model(place, message)
                        .with_hint("kinora reads LoRA, LoCon, LoHa, LoKr, DoRA, IA3 and full differences"));
                }
                Key::Unknown => unknown.push(key),
                Key::Part { scope, path, part } => {
                    let module =
                        grouped.entry((scope, path.clone())).or_insert_with(|| Module::new(scope, path));
                    if let Some(other) = module.add(part, key.clone(), shape) {
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
        let metadata = serde_json::from_slice::<safetensors::tensor::Metadata>(header)
            .ok()
            .and_then(|header| header.metadata().clone())
            .unwrap_or_default()
            .into_iter()
            .collect();
        Ok(Self { place: place.to_owned(), tensors, modules, unknown, metadata })
    }

    /// Where the file lies.
    pub fn place(&self) -> &Path {
        &self.place
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
        let tensor = self.tensors.load(key, device)?;
        // Whole numbers are those of marks such as IA3's `on_input`.
        let known = [DType::F16, DType::BF16, DType::F32, DType::F64, DType::I64, DType::U32, DType::U8];
        if !known.contains(&tensor.dtype()) {
            candle_core::bail!("`{key}`: expected f16, bf16 or f32 numbers, found {:?}", tensor.dtype());
        }
        let tensor = tensor.to_dtype(DType::F32)?;
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
        let broken =
            |e: candle_core::Error| Error::model(&self.place, super::first_line(&e)).with_hint(super::AGAIN);
        let values =
            self.tensor(key, &Device::Cpu).and_then(|x| x.flatten_all()?.to_vec1::<f32>()).map_err(broken)?;
        match values[..] {
            [value] => Ok(f64::from(value)),
            _ => Err(Error::model(
                &self.place,
                format!("`{key}`: expected one number, found {}", values.len()),
            )
            .with_hint(super::AGAIN)),
        }
    }
}

/// The header, when the file can be a safetensors file at all.
fn header(file: &mut dyn std::io::Read, size: u64, place: &Path) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let cannot = |e: std::io::Error| Error::model(place, format!("cannot read this LoRA file: {e}"));
    if size == 0 {
        return Err(Error::model(place, "expected a LoRA, the file is empty").with_hint(super::AGAIN));
    }
    let mut length = [0; 8];
    if size < 8 {
        return Err(no_safetensors(place));
    }
    file.read_exact(&mut length).map_err(cannot)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(no_safetensors(place));
    }
    if length + 8 > size {
        let message = format!("expected at least {} bytes, the file has {size}: it is truncated", length + 8);
        return Err(Error::model(place, message).with_hint(super::AGAIN));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(cannot)?;
    Ok(header)
}

fn no_safetensors(place: &Path) -> Error {
    Error::model(place, "expected a safetensors file, its header cannot be read")
        .with_hint("only safetensors files are read, never .pt, .ckpt or .bin")
}

/// What the reader of safetensors says, in our words.
fn damaged(place: &Path, error: &candle_core::Error) -> Error {
    let said = super::first_line(error);
    if said.contains("IncompleteBuffer") || said.contains("incomplete metadata") {
        return Error::model(
            place,
            "its header promises more or fewer bytes than the file has: it is truncated",
        )
        .with_hint(super::AGAIN);
    }
    if said.contains("header") || said.contains("Header") {
        return no_safetensors(place);
    }
    Error::model(place, format!("cannot read this LoRA file: {said}")).with_hint(super::AGAIN)
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
