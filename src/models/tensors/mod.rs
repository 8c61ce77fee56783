//! Files of weights: mapped, checked, and read one tensor at a time.
//!
//! Of a file nothing is in memory but its head and the pages of the tensor at hand: they are given back once it
//! is copied, so that loading a model takes its size once.

mod audit;
mod backend;
mod header;
mod sniff;

pub use backend::{Cut, Source, Weights, mark, stored, stored_shaped};
pub use header::{Header, TensorInfo};

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};

/// A safetensors file, on disk, compiled in or in memory.
#[derive(Debug)]
pub struct WeightFile {
    label: PathBuf,
    bytes: Bytes,
    header: Header,
}

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
    Owned(Vec<u8>),
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl WeightFile {
    /// Maps a file and reads its head; of the tensors nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Model`] when it is no safetensors file, by what it is instead, or when it is cut short or its head
    /// describes what is not there.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| Error::model(path, format!("cannot read the weights: {e}"));
        let file = std::fs::File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if !about.is_file() {
            return Err(Error::model(path, "expected a file of weights, found something else"));
        }
        if about.len() == 0 {
            return Self::check(path, Bytes::Owned(Vec::new()));
        }
        // SAFETY: the file is mapped read-only; as everywhere with mapped files, nobody may cut it short
        // while it is in use.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(cannot)?;
        Self::check(path, Bytes::Mapped(map))
    }

    /// A file that is compiled in.
    ///
    /// # Errors
    /// As [`WeightFile::open`].
    pub fn embedded(label: &Path, bytes: &'static [u8]) -> Result<Self> {
        Self::check(label, Bytes::Static(bytes))
    }

    /// A file that is in memory.
    ///
    /// # Errors
    /// As [`WeightFile::open`].
    pub fn in_memory(label: &Path, bytes: Vec<u8>) -> Result<Self> {
        Self::check(label, Bytes::Owned(bytes))
    }

    fn check(label: &Path, bytes: Bytes) -> Result<Self> {
        let start = bytes.all();
        if let Some((kind, hint)) = sniff::other_kind(&start[..start.len().min(64)]) {
            let message = format!("expected a safetensors file, found {kind}");
            return Err(Error::model(label, message).with_hint(hint));
        }
        let header =
            Header::of(start).map_err(|r| Error::model(label, r.message).with_hint(r.hint.to_owned()))?;
        Ok(Self { label: label.to_owned(), bytes, header })
    }

    /// What it holds.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.label
    }

    /// Bytes of the whole file.
    pub fn size(&self) -> u64 {
        self.bytes.all().len() as u64
    }

    /// A tensor's bytes and what the head says of it.
    pub fn view(&self, name: &str) -> Option<(&TensorInfo, &[u8])> {
        let info = self.header.tensors.get(name)?;
        Some((info, self.bytes.all().get(info.start..info.end)?))
    }

    /// A tensor in a type of numbers: in its stored one nothing is converted.
    ///
    /// # Errors
    /// When there is none of that name, or it is stored in a type that is not read (fp8, integers of odd widths).
    pub fn tensor(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let Some((info, bytes)) = self.view(name) else {
            return Err(candle_core::Error::CannotFindTensor { path: name.to_owned() });
        };
        let Some(own) = readable(&info.dtype) else {
            candle_core::bail!(
                "weight `{}`: expected numbers of type F16, BF16 or F32, found {}, which is not read",
                header::short(name),
                info.dtype
            );
        };
        let tensor = if own == dtype || dtype != DType::F32 {
            Tensor::from_raw_buffer(bytes, own, &info.shape, device)?.to_dtype(dtype)?
        } else {
            Tensor::from_vec(widened(bytes, own), info.shape.as_slice(), device)?
        };
        self.give_back(info);
        Ok(tensor)
    }

    /// Lets the system take the pages of a tensor that was copied: it need not keep what can be read again.
    fn give_back(&self, info: &TensorInfo) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.bytes
            && info.end > info.start
        {
            // SAFETY: the mapping is read-only and of a file, so a dropped page is read again when it is needed.
            let _ = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    info.start,
                    info.end - info.start,
                )
            };
        }
        #[cfg(not(unix))]
        let _ = info;
    }
}

/// The types that are read, by their names in files.
pub(super) fn readable(dtype: &str) -> Option<DType> {
    Some(match dtype {
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        "F64" => DType::F64,
        "I64" => DType::I64,
        "I32" => DType::I32,
        "U32" => DType::U32,
        "U8" => DType::U8,
        _ => return None,
    })
}

/// The numbers of a tensor as `f32`, little end first, at any address.
fn widened(bytes: &[u8], dtype: DType) -> Vec<f32> {
    fn all<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    match dtype {
        DType::F16 => all(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        DType::BF16 => all(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        DType::F64 => all(bytes, |b| f64::from_le_bytes(b) as f32),
        DType::I64 => all(bytes, |b| i64::from_le_bytes(b) as f32),
        DType::I32 => all(bytes, |b| i32::from_le_bytes(b) as f32),
        DType::U32 => all(bytes, |b| u32::from_le_bytes(b) as f32),
        DType::U8 => all(bytes, |b: [u8; 1]| f32::from(b[0])),
        _ => all(bytes, f32::from_le_bytes),
    }
}

#[cfg(test)]
mod tests;
