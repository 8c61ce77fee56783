//! Weights from safetensors files in the type in which they are stored.
//!
//! Tensors are read from the files when they are asked for, and nothing else stays in memory. Whoever asks
//! for `f32` gets `f32`. Whoever can work with halves asks [`stored`], which gives them as they are.
//!
//! A backend that keeps halves says so: asked whether it contains the tensor called like the weight with the
//! [`mark`] of a type behind it, it says yes when that weight is stored in that type. Backends that know
//! nothing of this say no, and their weights come as `f32`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Mutex;

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::Deserialize;

/// A weight in the type in which it is stored if that is `f16` or `bf16` and the device is the CPU, else in the
/// builder's type.
///
/// # Errors
/// When there is no such weight.
pub fn stored(vb: &VarBuilder, name: &str) -> Result<Tensor> {
    match own_type(vb, name) {
        Some(dtype) => vb.get_unchecked_dtype(name, dtype),
        None => vb.get_unchecked(name),
    }
}

/// As [`stored`], of a known shape.
///
/// # Errors
/// When there is no such weight, or it has another shape.
pub fn stored_shaped(vb: &VarBuilder, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
    match own_type(vb, name) {
        Some(dtype) => vb.get_with_hints_dtype(shape.into(), name, Init::Const(0.0), dtype),
        None => vb.get(shape.into(), name),
    }
}

/// The half type that a weight is stored in, when it is one and the device can take it.
fn own_type(vb: &VarBuilder, name: &str) -> Option<DType> {
    let is_stored = |dtype: &DType| vb.contains_tensor(&format!("{name}{}", mark(*dtype)));
    [DType::F16, DType::BF16].into_iter().find(is_stored).filter(|_| vb.device().is_cpu())
}

/// What is put behind a weight's name to ask whether it is stored in this type. Begins with a character that
/// no weight's name has.
pub fn mark(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "\u{0}f16",
        DType::BF16 => "\u{0}bf16",
        _ => "\u{0}",
    }
}

/// Where one tensor lies.
#[derive(Clone, Debug)]
struct Entry {
    file: usize,
    dtype: DType,
    shape: Vec<usize>,
    /// From the start of the file, in bytes.
    begin: u64,
    len: usize,
}

/// What a header says of a tensor.
#[derive(Deserialize)]
struct Listed {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

enum Source {
    Disk(PathBuf, Mutex<File>),
    Memory(&'static [u8]),
}

/// The tensors of some safetensors files.
pub(super) struct Files {
    sources: Vec<Source>,
    entries: BTreeMap<String, Entry>,
}

impl Files {
    /// Of files on the disk.
    ///
    /// # Errors
    /// When one cannot be read or its header does not describe it.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut all = Self { sources: Vec::new(), entries: BTreeMap::new() };
        for path in paths {
            let mut file = File::open(path).map_err(|e| Error::from(e).with_path(path))?;
            let size = file.metadata()?.len();
            let mut length = [0; 8];
            file.read_exact(&mut length).map_err(|e| Error::from(e).with_path(path))?;
            let length = u64::from_le_bytes(length);
            let mut header = Vec::new();
            (&mut file).take(length.min(size)).read_to_end(&mut header)?;
            all.list(&header, length.saturating_add(8), size)?;
            all.sources.push(Source::Disk(path.clone(), Mutex::new(file)));
        }
        Ok(all)
    }

    /// Of a file that is compiled in.
    ///
    /// # Errors
    /// When its header does not describe it.
    pub(super) fn embedded(bytes: &'static [u8]) -> Result<Self> {
        let mut all = Self { sources: Vec::new(), entries: BTreeMap::new() };
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let start = length.saturating_add(8);
        let header = usize::try_from(start).ok().and_then(|start| bytes.get(8..start)).unwrap_or_default();
        all.list(header, start, bytes.len() as u64)?;
        all.sources.push(Source::Memory(bytes));
        Ok(all)
    }

    /// The tree of names over them.
    pub(super) fn builder(self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), DType::F32, device.clone())
    }

    /// Takes in what the header of the next source says; its numbers begin at `start`.
    fn list(&mut self, header: &[u8], start: u64, size: u64) -> Result<()> {
        let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header)
            .map_err(|_| Error::Msg("expected a safetensors file, its header cannot be read".to_owned()))?;
        for (name, value) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
            let wrong = || Error::Msg(format!("weight `{name}`: its entry in the header is wrong"));
            let listed: Listed = serde_json::from_value(value).map_err(|_| wrong())?;
            let dtype = type_of(&listed.dtype).ok_or_else(|| {
                Error::Msg(format!(
                    "weight `{name}`: its type is `{}`, which kinora does not read",
                    listed.dtype
                ))
            })?;
            let [from, to] = listed.data_offsets;
            let bytes = listed.shape.iter().try_fold(dtype.size_in_bytes(), |n, side| n.checked_mul(*side));
            let begin = start.checked_add(from).ok_or_else(wrong)?;
            let len = to.checked_sub(from).and_then(|len| usize::try_from(len).ok()).ok_or_else(wrong)?;
            if bytes != Some(len) || begin.checked_add(len as u64).is_none_or(|end| end > size) {
                return Err(wrong());
            }
            let entry = Entry { file: self.sources.len(), dtype, shape: listed.shape, begin, len };
            self.entries.insert(name, entry);
        }
        Ok(())
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::CannotFindTensor { path: name.to_owned() }.bt())
    }

    /// The bytes of a tensor.
    fn read(&self, entry: &Entry) -> Result<Vec<u8>> {
        match &self.sources[entry.file] {
            Source::Disk(path, file) => {
                let mut file =
                    file.lock().map_err(|_| Error::Msg("a reader of weights failed".to_owned()))?;
                let mut bytes = vec![0; entry.len];
                file.seek(SeekFrom::Start(entry.begin))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|e| Error::from(e).with_path(path))?;
                Ok(bytes)
            }
            Source::Memory(all) => Ok(all[entry.begin as usize..][..entry.len].to_vec()),
        }
    }
}

/// The types that are read, by their names in headers.
fn type_of(name: &str) -> Option<DType> {
    Some(match name {
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        "F64" => DType::F64,
        "I64" => DType::I64,
        "U32" => DType::U32,
        "U8" => DType::U8,
        _ => return None,
    })
}

impl SimpleBackend for Files {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let found = Shape::from(self.entry(name)?.shape.as_slice());
        if found != shape {
            let msg = format!("shape mismatch for {name}");
            return Err(Error::UnexpectedShape { msg, expected: shape, got: found }.bt());
        }
        self.get_unchecked(name, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let entry = self.entry(name)?;
        let bytes = self.read(entry)?;
        Tensor::from_raw_buffer(&bytes, entry.dtype, &entry.shape, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match name.split_once('\u{0}') {
            None => self.entries.contains_key(name),
            Some((name, _)) if !self.entries.contains_key(name) => false,
            Some((plain, _)) => {
                self.entries.get(plain).is_some_and(|e| name == format!("{plain}{}", mark(e.dtype)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    fn file(header: &str, bytes: &[u8]) -> Vec<u8> {
        let mut all = (header.len() as u64).to_le_bytes().to_vec();
        all.extend(header.bytes());
        all.extend(bytes);
        all
    }

    #[test]
    fn halves_stay_halves_when_asked_for_and_are_floats_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let header = r#"{"a.weight":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"__metadata__":{"x":"y"}}"#;
        let halves: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        std::fs::write(&path, file(header, &[halves, 7f32.to_le_bytes().to_vec()].concat())).unwrap();
        let vb = Files::open(&[path]).unwrap().builder(&Device::Cpu);
        assert_eq!(stored(&vb.pp("a"), "weight").unwrap().dtype(), DType::F16);
        assert_eq!(vb.get(2, "a.weight").unwrap().to_vec1::<f32>().unwrap(), [1.5, -2.0]);
        assert_eq!(stored(&vb, "b").unwrap().to_vec1::<f32>().unwrap(), [7.0]);
        assert!(vb.get(3, "a.weight").is_err() && stored(&vb, "c").is_err() && !vb.contains_tensor("c"));
    }

    #[test]
    fn a_header_that_does_not_describe_its_file_is_refused() {
        for header in [
            r#"{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}}"#,
            r#"{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F16","shape":[18446744073709551615,4],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"X9","shape":[4],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F16"}}"#,
            "nonsense",
        ] {
            let bytes: &'static [u8] = file(header, &[0; 4]).leak();
            assert!(Files::embedded(bytes).is_err(), "{header}");
        }
        assert!(Files::embedded(&[1, 2]).is_err());
    }
}
