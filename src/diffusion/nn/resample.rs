//! Halving and doubling the resolution inside a network.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::layers::conv2d;
use crate::kernels::{Conv2d, Padding};

/// A 3×3 convolution with stride 2 (diffusers' `Downsample2D`), under `conv`.
#[derive(Clone, Debug)]
pub struct Downsample {
    conv: Conv2d,
}

impl Downsample {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(channels: usize, padding: Padding, vb: VarBuilder) -> Result<Self> {
        Ok(Self { conv: conv2d(channels, channels, 3, 2, padding, vb.pp("conv"))? })
    }

    /// `[B, C, H, W]` → `[B, C, ⌈H/2⌉, ⌈W/2⌉]` with a padding of one.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward(x)
    }
}

/// Nearest-neighbour enlargement, then a 3×3 convolution (diffusers' `Upsample2D`), under `conv`.
#[derive(Clone, Debug)]
pub struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self { conv: conv2d(channels, channels, 3, 1, Padding::Even(1), vb.pp("conv"))? })
    }

    /// `[B, C, H, W]` → `[B, C, size.0, size.1]`. A size other than twice the input belongs to inputs
    /// whose halving rounded up.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn forward(&self, x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        self.conv.forward(&x.upsample_nearest2d(size.0, size.1)?)
    }
}
