//! Linear layers of a depth network, whose weights stay in their stored type.

use candle_core::{Error, Result, Shape, Tensor};
use candle_nn::VarBuilder;

use crate::kernels::Linear;
use crate::models::stored;

/// The `weight` of a layer in its stored type.
pub(super) fn weight(weights: &VarBuilder, shape: impl Into<Shape>) -> Result<Tensor> {
    let (weight, expected) = (stored(weights, "weight")?, shape.into());
    if *weight.shape() != expected {
        let msg = format!("shape mismatch for {}.weight", weights.prefix());
        return Err(Error::UnexpectedShape { msg, expected, got: weight.shape().clone() });
    }
    Ok(weight)
}

/// A linear layer, with `bias` or without.
pub(super) fn linear(inputs: usize, outputs: usize, bias: bool, weights: VarBuilder) -> Result<Linear> {
    let bias = bias.then(|| weights.get(outputs, "bias")).transpose()?;
    Ok(Linear::new(weight(&weights, (outputs, inputs))?, bias))
}
