//! Loading of single layers. Each takes the builder of its own prefix.

use candle_core::{Error, Result, Shape, Tensor};
use candle_nn::{LayerNorm, VarBuilder};

use crate::kernels::{Conv2d, GroupNorm, Linear, Padding};
use crate::models::{stored, stored_shaped};

/// The `weight` of a layer in its stored type: the one place where layers ask for it.
///
/// # Errors
/// When it is missing or has another shape.
pub fn weight(vb: &VarBuilder, shape: impl Into<Shape>) -> Result<Tensor> {
    stored_shaped(vb, shape, "weight")
}

/// A convolution with a `kernel`×`kernel` window and a bias: `weight [outputs, inputs, k, k]`, `bias [outputs]`.
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn conv2d(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    vb: VarBuilder,
) -> Result<Conv2d> {
    let weight = weight(&vb, (outputs, inputs, kernel, kernel))?;
    Conv2d::new(weight, Some(vb.get(outputs, "bias")?), stride, padding)
}

/// A linear layer with bias: `weight [outputs, inputs]`, `bias [outputs]`.
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn linear(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    Ok(Linear::new(weight(&vb, (outputs, inputs))?, Some(vb.get(outputs, "bias")?)))
}

/// A linear layer without bias.
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn linear_no_bias(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    Ok(Linear::new(weight(&vb, (outputs, inputs))?, None))
}

/// A linear layer with bias whose weight may also be stored as that of a 1×1 convolution,
/// `[outputs, inputs, 1, 1]`, which is the same layer.
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn linear_or_conv1x1(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    let weight = stored(&vb, "weight")?;
    if weight.dims() != [outputs, inputs] && weight.dims() != [outputs, inputs, 1, 1] {
        return Err(unexpected_shape(&vb, "weight", (outputs, inputs), &weight));
    }
    Ok(Linear::new(weight.reshape((outputs, inputs))?, Some(vb.get(outputs, "bias")?)))
}

/// A group norm over `channels`: `weight [channels]`, `bias [channels]`.
///
/// # Errors
/// When a weight is missing or has another shape, or `groups` does not divide `channels`.
pub fn group_norm(groups: usize, channels: usize, eps: f64, vb: VarBuilder) -> Result<GroupNorm> {
    if groups == 0 || !channels.is_multiple_of(groups) {
        let name = vb.prefix();
        candle_core::bail!("{name}: expected norm groups that divide {channels} channels, found {groups}");
    }
    GroupNorm::new(vb.get(channels, "weight")?, vb.get(channels, "bias")?, groups, eps)
}

/// A layer norm over the last axis, eps 1e-5 (PyTorch's default, which diffusers keeps).
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn layer_norm(channels: usize, vb: VarBuilder) -> Result<LayerNorm> {
    Ok(LayerNorm::new(vb.get(channels, "weight")?, vb.get(channels, "bias")?, 1e-5))
}

/// The error that candle itself gives for a weight of another shape.
fn unexpected_shape(vb: &VarBuilder, name: &str, expected: impl Into<Shape>, found: &Tensor) -> Error {
    let prefix = vb.prefix();
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    Error::UnexpectedShape {
        msg: format!("shape mismatch for {path}"),
        expected: expected.into(),
        got: found.shape().clone(),
    }
}
