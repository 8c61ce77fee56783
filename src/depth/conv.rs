//! The convolutions of a depth network: 3x3 with a border of zeros, and 1x1.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A 2D convolution that keeps the size, or divides it by its stride (rounding up).
#[derive(Clone, Debug)]
pub(super) struct Conv {
    /// `[C_out, C_in, 3, 3]`, or `[C_out, C_in]` for 1x1.
    kernel: Tensor,
    /// `[1, C_out, 1, 1]`.
    bias: Option<Tensor>,
    stride: usize,
}

impl Conv {
    /// 3x3 with `weight` and, if `bias`, `bias` from the tree.
    pub(super) fn three(
        (inputs, outputs): (usize, usize),
        stride: usize,
        bias: bool,
        weights: VarBuilder,
    ) -> Result<Self> {
        let kernel = weights.get((outputs, inputs, 3, 3), "weight")?;
        let bias = bias.then(|| weights.get(outputs, "bias")?.reshape((1, outputs, 1, 1))).transpose()?;
        Ok(Self { kernel, bias, stride })
    }

    /// 1x1 with `weight` and `bias` from the tree.
    pub(super) fn one((inputs, outputs): (usize, usize), weights: VarBuilder) -> Result<Self> {
        let kernel = weights.get((outputs, inputs, 1, 1), "weight")?.flatten_from(1)?;
        let bias = Some(weights.get(outputs, "bias")?.reshape((1, outputs, 1, 1))?);
        Ok(Self { kernel, bias, stride: 1 })
    }

    /// `[B, C_in, H, W]` → `[B, C_out, H', W']`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = if self.kernel.rank() == 2 {
            let (batch, _, height, width) = x.dims4()?;
            // A 1x1 convolution is a product; candle's own copies the picture first.
            let y = self.kernel.broadcast_matmul(&x.flatten_from(2)?)?;
            y.reshape((batch, (), height, width))?
        } else {
            x.conv2d(&self.kernel, 1, self.stride, 1, 1)?
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
