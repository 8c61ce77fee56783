//! One safetensors file of a control network, whatever its tensors are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use crate::error::{Error, Result};
use crate::models::{Cut, Source, WeightFile, Weights};

/// Maps the file and reads its head; of the tensors nothing is read yet.
///
/// # Errors
/// [`Error::Model`] as [`WeightFile::open`], and when it holds anything but floating-point numbers.
pub(super) fn open(path: &Path) -> Result<Arc<WeightFile>> {
    let file = WeightFile::open(path)?;
    // Marks have no numbers, and any type.
    let odd = file.header().tensors.iter().find(|(_, info)| info.start < info.end && !info.is_float());
    if let Some((name, info)) = odd {
        let message = format!(
            "weight `{}`: expected numbers of type F16, BF16 or F32, found {}",
            name.escape_debug(),
            info.dtype
        );
        return Err(Error::model(path, message).with_hint("take the fp16, bf16 or fp32 file of this network"));
    }
    Ok(Arc::new(file))
}

/// A file's weights under the names that the network has for them: name of the network → name in the file.
pub(super) fn renamed(file: &Arc<WeightFile>, names: &BTreeMap<String, String>) -> Weights {
    let mut weights = Weights::default();
    for (name, own) in names {
        weights.insert(name.clone(), Source::new(file, own.clone(), Cut::Whole));
    }
    weights
}

/// Names that were asked for.
pub(super) type Taken = Arc<Mutex<BTreeSet<String>>>;

/// Weights that remember which of them were taken.
pub(super) struct Watched {
    weights: Weights,
    taken: Taken,
}

impl Watched {
    pub(super) fn new(weights: Weights) -> Self {
        Self { weights, taken: Arc::default() }
    }

    /// The names that were asked for so far.
    pub(super) fn taken(&self) -> Taken {
        self.taken.clone()
    }

    fn take(&self, name: &str) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }
}

impl SimpleBackend for Watched {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.take(name);
        self.weights.get(shape, name, init, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.take(name);
        self.weights.get_unchecked(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.contains_tensor(name)
    }
}
