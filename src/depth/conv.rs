//! The convolutions of a depth network: 3x3 with a border of zeros, and 1x1.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::linear::weight;
use crate::kernels::{Conv2d, Padding};

/// A 2D convolution that keeps the size, or divides it by its stride (rounding up).
#[derive(Clone, Debug)]
pub(super) struct Conv(Conv2d);

impl Conv {
    /// 3x3 with `weight` and, if `bias`, `bias` from the tree.
    pub(super) fn three(
        (inputs, outputs): (usize, usize),
        stride: usize,
        bias: bool,
        weights: VarBuilder,
    ) -> Result<Self> {
        let kernel = weight(&weights, (outputs, inputs, 3, 3))?;
        let bias = bias.then(|| weights.get(outputs, "bias")).transpose()?;
        Ok(Self(Conv2d::new(kernel, bias, stride, Padding::Even(1))?))
    }

    /// 1x1 with `weight` and `bias` from the tree.
    pub(super) fn one((inputs, outputs): (usize, usize), weights: VarBuilder) -> Result<Self> {
        let kernel = weight(&weights, (outputs, inputs, 1, 1))?;
        Ok(Self(Conv2d::new(kernel, Some(weights.get(outputs, "bias")?), 1, Padding::Even(0))?))
    }

    /// `[B, C_in, H, W]` → `[B, C_out, H', W']`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }

    /// The same with `residual` added.
    pub(super) fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.0.forward_with(x, None, Some(residual))
    }
}
