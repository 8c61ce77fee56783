//! The one piece of tensor arithmetic that samplers need.

use candle_core::Tensor;

use crate::error::{Error, Result};

/// The weighted sum of tensors of one shape. Weights stay `f64` until they meet the tensor.
pub(crate) fn mix<const N: usize>(terms: [(f64, &Tensor); N]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weight, tensor) in terms {
        let term = (tensor * weight).map_err(bug)?;
        sum = Some(match sum {
            None => term,
            Some(sum) => (sum + term).map_err(bug)?,
        });
    }
    sum.ok_or_else(|| Error::Bug("a weighted sum of nothing".to_owned()))
}

/// Shapes and devices of a run are our own, so that a refusal of the tensor library is our mistake.
pub(crate) fn bug(error: candle_core::Error) -> Error {
    Error::Bug(format!("sampling: {error}"))
}
