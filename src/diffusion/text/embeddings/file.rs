//! Files of textual inversions.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::Part;
use crate::error::{Error, Result};
use crate::models::family::Base;
use crate::models::{WeightFile, model_error};

/// The largest file that is read. 75 vectors of SDXL in f64 have 1.2 MB; training tools add little to that.
const LARGEST: u64 = 16 << 20;

/// The vectors of a textual inversion.
#[derive(Clone, Debug)]
pub enum EmbeddingFile {
    /// For a model with one text encoder, `[n, C]`.
    One(Tensor),
    /// For SDXL's two: `clip_l`, `clip_g`, of equally many vectors.
    Two(Tensor, Tensor),
}

impl EmbeddingFile {
    /// The vectors for an encoder, and how many there are.
    ///
    /// # Errors
    /// [`Error::Model`] when the file is made for another family.
    pub fn part(&self, part: Part, path: &Path) -> Result<(&Tensor, usize)> {
        let refuse = |wanted: &str, found: &str| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            Error::model(
                path,
                format!("embedding `{name}`: expected one for {wanted}, found one for {found}"),
            )
            .with_hint(format!("take an embedding made for {wanted}"))
        };
        let one = format!("a model with one text encoder ({} or {})", Base::Sd1.name(), Base::Sd2.name());
        let two = Base::Xl.name();
        let vectors = match (self, part) {
            (Self::One(vectors), Part::Only) => vectors,
            (Self::Two(first, _), Part::First) => first,
            (Self::Two(_, second), Part::Second) => second,
            (Self::One(_), _) => return Err(refuse(two, &one)),
            (Self::Two(..), Part::Only) => return Err(refuse(&one, two)),
        };
        Ok((vectors, vectors.dims()[0]))
    }
}

/// Reads a textual inversion: `.safetensors` with `emb_params`, with `clip_l` and `clip_g`, or with one tensor of
/// any name (diffusers' `<name>`).
///
/// # Errors
/// [`Error::Model`] when the file is missing, of another format, broken, or holds something else.
pub fn read(path: &Path) -> Result<EmbeddingFile> {
    let bytes = bytes(path)?;
    let tensors = if super::archive::is_zip(&bytes) {
        super::pickle::tensors(&bytes).map_err(|why| {
            Error::model(path, format!("cannot read this PyTorch file: {why}")).with_hint(CONVERT)
        })?
    } else {
        safetensors(path, bytes)?
    };
    of_tensors(path, tensors)
}

/// What to do with files that only Python's pickle can read.
const CONVERT: &str = "convert it to safetensors: `python -c \"import torch, safetensors.torch as s; \
                       d = torch.load('x.pt', weights_only=True); \
                       s.save_file({'emb_params': list(d['string_to_param'].values())[0].detach()}, 'x.safetensors')\"`";

/// The whole file, of which no more is read than an embedding can have.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let cannot = |e: std::io::Error| Error::model(path, format!("cannot read the embedding: {e}"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    match bytes.len() as u64 {
        0 => Err(Error::model(path, "expected an embedding, the file is empty")
            .with_hint("copy or download the file again")),
        n if n > LARGEST => {
            let message =
                format!("expected an embedding of at most {} MB, the file is larger", LARGEST >> 20);
            Err(Error::model(path, message).with_hint("this is another kind of model"))
        }
        _ => Ok(bytes),
    }
}

fn safetensors(path: &Path, bytes: Vec<u8>) -> Result<BTreeMap<String, Tensor>> {
    // Older PyTorch files are a pickle from the first byte on; safetensors have eight bytes of length, then JSON.
    if bytes.starts_with(&[0x80]) && bytes.get(8) != Some(&b'{') {
        return Err(
            Error::model(path, "expected safetensors, found a file of an old PyTorch").with_hint(CONVERT)
        );
    }
    let broken = |e: candle_core::Error| model_error(path, &e);
    let file = WeightFile::in_memory(path, bytes)?;
    let names = file.header().tensors.keys();
    names
        .map(|name| Ok((name.clone(), file.tensor(name, DType::F32, &Device::Cpu).map_err(broken)?)))
        .collect()
}

/// Finds the vectors among the tensors of a file.
fn of_tensors(path: &Path, tensors: BTreeMap<String, Tensor>) -> Result<EmbeddingFile> {
    if tensors.contains_key("clip_l") && tensors.contains_key("clip_g") {
        let (first, second) = (&tensors["clip_l"], &tensors["clip_g"]);
        let (first, second) = (vectors(path, "clip_l", first)?, vectors(path, "clip_g", second)?);
        let (a, b) = (first.dims()[0], second.dims()[0]);
        if a != b {
            let message = format!("expected as many vectors in clip_l and clip_g, found {a} and {b}");
            return Err(Error::model(path, message).with_hint("copy or download the file again"));
        }
        return Ok(EmbeddingFile::Two(first, second));
    }
    let usual = "emb_params";
    let only = match tensors.len() {
        1 => tensors.keys().next().cloned(),
        _ => tensors.contains_key(usual).then(|| usual.to_owned()),
    };
    match only {
        Some(name) => Ok(EmbeddingFile::One(vectors(path, &name, &tensors[&name])?)),
        None => {
            let names: Vec<&str> = tensors.keys().map(String::as_str).take(5).collect();
            let message = format!(
                "expected `emb_params`, `clip_l` with `clip_g`, or one tensor, found {}: {}",
                tensors.len(),
                names.join(", ")
            );
            Err(Error::model(path, message).with_hint("this is no textual inversion"))
        }
    }
}

/// A tensor as vectors `[n, C]` in f32.
fn vectors(path: &Path, name: &str, tensor: &Tensor) -> Result<Tensor> {
    let refuse = |what: String| {
        Error::model(path, format!("tensor `{name}`: {what}")).with_hint("this is no textual inversion")
    };
    let shaped = match tensor.dims() {
        [width] if *width > 0 => tensor.unsqueeze(0),
        [count, width] if *count > 0 && *width > 0 => Ok(tensor.clone()),
        other => return Err(refuse(format!("expected shape [vectors, width], found {other:?}"))),
    };
    let vectors =
        shaped.and_then(|x| x.to_dtype(DType::F32)?.contiguous()).map_err(|e| refuse(e.to_string()))?;
    let values = vectors.flatten_all().and_then(|x| x.to_vec1::<f32>()).map_err(|e| refuse(e.to_string()))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(refuse("it holds numbers that are not finite (NaN)".to_owned()));
    }
    Ok(vectors)
}
