//! Control-LoRA (Stability AI 2023): a ControlNet whose encoder is the film's model's own with a low-rank change.
//!
//! The file names its tensors as LDM does and marks itself with `lora_controlnet`. Of a layer it has the whole
//! `weight`, or `up` and `down`, whose product (both flattened behind their first axis) is added to the model's
//! weight in the shape of that; what it lacks altogether is the model's.

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use crate::models::Weights;

/// The marker.
pub(super) const MARK: &str = "lora_controlnet";

/// The model's weights, changed by those of a file.
pub(super) struct LowRank {
    /// The file's, under diffusers' names.
    own: Weights,
    base: VarBuilder<'static>,
}

impl LowRank {
    pub(super) fn new(own: Weights, base: VarBuilder<'static>) -> Self {
        Self { own, base }
    }

    fn has(&self, name: &str) -> bool {
        self.own.source(name).is_some()
    }

    fn own(&self, name: &str, device: &Device) -> Option<Result<Tensor>> {
        self.has(name).then(|| self.own.get_unchecked(name, DType::F32, device))
    }

    /// Whether a weight is the model's own.
    fn is_untouched(&self, name: &str) -> bool {
        let layer = name.strip_suffix(".weight");
        let is_changed =
            layer.is_some_and(|layer| ["up", "down"].iter().any(|part| self.has(&format!("{layer}.{part}"))));
        !self.has(name) && !is_changed
    }

    fn read(&self, name: &str, device: &Device) -> Result<Tensor> {
        if let Some(own) = self.own(name, device) {
            return own;
        }
        let base = self.base.get_unchecked(name)?.to_dtype(DType::F32)?;
        let Some(layer) = name.strip_suffix(".weight") else { return Ok(base) };
        let part = |part: &str| self.own(&format!("{layer}.{part}"), device).transpose();
        match (part("up")?, part("down")?) {
            (Some(up), Some(down)) => changed(&base, &up, &down, layer),
            (None, None) => Ok(base),
            (up, _) => {
                let (there, missing) = if up.is_some() { ("up", "down") } else { ("down", "up") };
                candle_core::bail!("weight `{layer}.{there}` is there, `{layer}.{missing}` is missing")
            }
        }
    }
}

/// `base + up·down`, in the shape of `base`.
fn changed(base: &Tensor, up: &Tensor, down: &Tensor, layer: &str) -> Result<Tensor> {
    let (outputs, count) = (base.dim(0)?, base.elem_count());
    let (wide, tall) = (up.flatten_from(1)?, down.flatten_from(1)?);
    let fits = wide.dim(1)? == tall.dim(0)? && wide.dim(0)? == outputs && tall.dim(1)? * outputs == count;
    if !fits {
        candle_core::bail!(
            "weight `{layer}`: `up` {:?} times `down` {:?} does not give the model's shape {:?}",
            up.dims(),
            down.dims(),
            base.dims()
        );
    }
    base + wide.matmul(&tall)?.reshape(base.shape())?
}

impl SimpleBackend for LowRank {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let found = self.read(name, device)?;
        if *found.shape() != shape {
            let (msg, got) = (format!("shape mismatch for {name}"), found.shape().clone());
            return Err(candle_core::Error::UnexpectedShape { msg, expected: shape, got });
        }
        found.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        if self.is_untouched(name) {
            return self.base.get_unchecked_dtype(name, dtype);
        }
        self.read(name, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        // A sum of two weights is stored in no type; it is kept as it was computed. See `models::mark`.
        let is_of_base = match name.split_once('\u{0}') {
            Some((plain, _)) => self.is_untouched(plain),
            None => true,
        };
        self.own.contains_tensor(name) || (is_of_base && self.base.contains_tensor(name))
    }
}
