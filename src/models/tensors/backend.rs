//! Tensors of files under the names that networks ask for.
//!
//! Whoever asks for `f32` gets `f32`. Whoever can work with halves asks [`stored`] or [`stored_shaped`], which give them as they lie in
//! the file. A backend that keeps halves says so: asked whether it contains the tensor called like the weight
//! with the [`mark`] of a type behind it, it says yes when that weight is stored in that type. Backends that
//! know nothing of this say no, and their weights come as `f32`.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::{WeightFile, readable};

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

/// As [`stored`], of a known shape: what is missing is then known with its shape when an error is explained.
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

/// What is taken of a tensor in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// All of it.
    #[default]
    Whole,
    /// One of `of` equal parts along the first side: OpenCLIP keeps query, key and value in one.
    Rows {
        /// Which, from 0.
        part: usize,
        /// How many there are.
        of: usize,
    },
    /// A matrix with its sides exchanged.
    Transposed,
}

/// Where a weight comes from.
#[derive(Clone, Debug)]
pub struct Source {
    file: Arc<WeightFile>,
    name: String,
    cut: Cut,
}

impl Source {
    /// The tensor `name` of a file, or a part of it.
    pub fn new(file: &Arc<WeightFile>, name: impl Into<String>, cut: Cut) -> Self {
        Self { file: file.clone(), name: name.into(), cut }
    }

    /// Its shape as the network sees it; `None` when there is no such tensor, or it cannot be cut so.
    pub fn shape(&self) -> Option<Vec<usize>> {
        let mut shape = self.file.header().shape(&self.name)?.to_vec();
        match self.cut {
            Cut::Whole => {}
            Cut::Rows { of, .. } => {
                let rows = shape.first_mut()?;
                (*rows % of == 0).then(|| *rows /= of)?;
            }
            Cut::Transposed => {
                (shape.len() == 2).then(|| shape.reverse())?;
            }
        }
        Some(shape)
    }

    /// The type it is stored in.
    pub fn dtype(&self) -> Option<DType> {
        readable(&self.file.header().tensors.get(&self.name)?.dtype)
    }

    /// The name of the type it is stored in, as the file says it.
    pub fn stored_as(&self) -> &str {
        self.file.header().tensors.get(&self.name).map_or("nothing", |info| info.dtype.as_str())
    }

    /// Its bytes in the file and once it is loaded.
    fn extent(&self) -> (u64, u64) {
        let Some((info, bytes)) = self.file.view(&self.name) else { return (0, 0) };
        let parts = if let Cut::Rows { of, .. } = self.cut { of as u64 } else { 1 };
        (bytes.len() as u64 / parts, info.loaded() / parts)
    }

    fn read(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = self.file.tensor(&self.name, dtype, device)?;
        match self.cut {
            Cut::Whole => Ok(tensor),
            Cut::Rows { part, of } => {
                let rows = tensor.dim(0)? / of;
                // A copy, because a view would keep all of the parts in memory.
                tensor.narrow(0, part * rows, rows)?.copy()
            }
            Cut::Transposed => tensor.t()?.contiguous(),
        }
    }
}

/// Weights by the names that networks know. Cheap to clone: files are shared.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    sources: BTreeMap<String, Source>,
}

impl Weights {
    /// All tensors of files, by their own names. Of two of one name the later file's counts.
    pub fn of(files: &[Arc<WeightFile>]) -> Self {
        let mut weights = Self::default();
        for file in files {
            for name in file.header().tensors.keys() {
                weights.insert(name.clone(), Source::new(file, name.clone(), Cut::Whole));
            }
        }
        weights
    }

    /// Adds a weight.
    pub fn insert(&mut self, name: String, source: Source) {
        self.sources.insert(name, source);
    }

    /// The weights' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Where a weight comes from.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// A weight's shape.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.sources.get(name)?.shape()
    }

    /// Bytes of all weights in their files, and once they are loaded.
    pub fn extent(&self) -> (u64, u64) {
        self.sources.values().map(Source::extent).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// The type that most bytes are stored in.
    pub fn precision(&self) -> Option<String> {
        let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
        for source in self.sources.values() {
            *bytes.entry(source.stored_as()).or_default() += source.extent().0;
        }
        bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(dtype, _)| dtype.to_owned())
    }

    /// The tree of names that networks are built from.
    pub fn builder(self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), DType::F32, device.clone())
    }

    fn find(&self, name: &str) -> Result<&Source> {
        self.sources.get(name).ok_or_else(|| Error::CannotFindTensor { path: name.to_owned() }.bt())
    }
}

impl SimpleBackend for Weights {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let found = Shape::from(self.find(name)?.shape().unwrap_or_default());
        if found != shape {
            let msg = format!("shape mismatch for {name}");
            return Err(Error::UnexpectedShape { msg, expected: shape, got: found }.bt());
        }
        self.get_unchecked(name, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.find(name)?.read(dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match name.split_once('\u{0}') {
            None => self.sources.contains_key(name),
            Some((plain, kind)) => {
                let dtype = self.sources.get(plain).and_then(Source::dtype);
                dtype.is_some_and(|dtype| mark(dtype).strip_prefix('\u{0}') == Some(kind))
            }
        }
    }
}
