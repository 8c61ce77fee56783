//! One safetensors file of a control network, whatever its tensors are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;

use crate::error::{Error, Result};
use crate::models::mark;

/// A mapped file and the shapes of what is in it.
#[derive(Clone)]
pub struct WeightFile {
    path: PathBuf,
    tensors: Arc<MmapedSafetensors>,
    shapes: BTreeMap<String, Vec<usize>>,
    dtypes: BTreeMap<String, DType>,
}

impl std::fmt::Debug for WeightFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeightFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl WeightFile {
    /// Maps the file and reads its header; of the tensors nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Model`] when it is no safetensors file, is cut short, or holds anything but floating-point
    /// numbers.
    pub fn open(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path)
            .map_err(|e| Error::model(path, format!("cannot read the weights: {e}")))?
            .len();
        if size < 8 {
            let message = format!("expected a safetensors file, found {size} bytes: it is truncated");
            return Err(Error::model(path, message).with_hint("copy or download the file again"));
        }
        // SAFETY: the file is mapped read-only; as everywhere with mapped files, nobody may cut it short
        // while it is in use.
        let tensors = unsafe { MmapedSafetensors::new(path) }.map_err(|e| unreadable(path, &e))?;
        let (mut shapes, mut dtypes) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in tensors.tensors() {
            let dtype = DType::try_from(view.dtype()).ok().filter(|dtype| dtype.is_float());
            if let Some(dtype) = dtype {
                dtypes.insert(name.clone(), dtype);
            } else if !view.data().is_empty() {
                let message = format!(
                    "weight `{name}`: expected floating-point numbers (f16, bf16, f32), found {:?}",
                    view.dtype()
                );
                return Err(Error::model(path, message).with_hint("take a file that is not quantised"));
            }
            shapes.insert(name, view.shape().to_vec());
        }
        Ok(Self { path: path.to_owned(), tensors: Arc::new(tensors), shapes, dtypes })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of every tensor, by name.
    pub fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.shapes
    }

    /// Whether any tensor's name begins so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        let next = self.shapes.range(prefix.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// Whether a tensor is stored in this type.
    pub(super) fn is_stored(&self, name: &str, dtype: DType) -> bool {
        self.dtypes.get(name) == Some(&dtype)
    }

    /// A tensor, widened to f32.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn tensor(&self, name: &str, device: &Device) -> candle_core::Result<Tensor> {
        self.tensor_as(name, DType::F32, device)
    }

    /// A tensor in another type than its own, or the same.
    fn tensor_as(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        if !self.shapes.contains_key(name) {
            return Err(candle_core::Error::CannotFindTensor { path: name.to_owned() });
        }
        self.tensors.load(name, device)?.to_dtype(dtype)
    }
}

fn unreadable(path: &Path, error: &candle_core::Error) -> Error {
    let why = error.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::model(path, format!("expected a safetensors file, it cannot be read: {why}"))
        .with_hint("copy or download the file again; of .ckpt, .pth and .bin files nothing is read")
}

/// The tensors of a file under other names. It remembers which were taken.
pub(super) struct Renamed {
    file: WeightFile,
    /// Name of the network → name in the file.
    names: BTreeMap<String, String>,
    taken: Arc<Mutex<BTreeSet<String>>>,
}

impl Renamed {
    pub(super) fn new(file: WeightFile, names: BTreeMap<String, String>) -> Self {
        Self { file, names, taken: Arc::default() }
    }

    /// The names of the network that were asked for so far.
    pub(super) fn taken(&self) -> Arc<Mutex<BTreeSet<String>>> {
        self.taken.clone()
    }

    fn read(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let Some(own) = self.names.get(name) else {
            return Err(candle_core::Error::CannotFindTensor { path: name.to_owned() });
        };
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.file.tensor_as(own, dtype, device)
    }
}

impl SimpleBackend for Renamed {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        fitting(self.read(name, dtype, device)?, shape, name)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.read(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match asked_type(name) {
            Some((name, dtype)) => self.names.get(name).is_some_and(|own| self.file.is_stored(own, dtype)),
            None => self.names.contains_key(name),
        }
    }
}

/// The weight and the type that a question about its type names, see [`crate::models::mark`].
pub(super) fn asked_type(name: &str) -> Option<(&str, DType)> {
    [DType::F16, DType::BF16].into_iter().find_map(|dtype| Some((name.strip_suffix(mark(dtype))?, dtype)))
}

/// The tensor when it has that shape, else candle's own complaint.
pub(super) fn fitting(found: Tensor, expected: Shape, name: &str) -> candle_core::Result<Tensor> {
    if *found.shape() == expected {
        return Ok(found);
    }
    Err(candle_core::Error::UnexpectedShape {
        msg: format!("shape mismatch for {name}"),
        expected,
        got: found.shape().clone(),
    })
}
