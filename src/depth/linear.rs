//! Linear layers of a depth network, whose weights stay in their stored type.

use candle_core::{Result, Shape, Tensor};
use candle_nn::VarBuilder;

use crate::kernels::Linear;
use crate::models::stored_shaped;

/// The `weight` of a layer in its stored type.
pub(super) fn weight(weights: &VarBuilder, shape: impl Into<Shape>) -> Result<Tensor> {
    stored_shaped(weights, shape, "weight")
}

/// A linear layer, with `bias` or without.
pub(super) fn linear(inputs: usize, outputs: usize, bias: bool, weights: VarBuilder) -> Result<Linear> {
    let bias = bias.then(|| weights.get(outputs, "bias")).transpose()?;
    Ok(Linear::new(weight(&weights, (outputs, inputs))?, bias))
}
