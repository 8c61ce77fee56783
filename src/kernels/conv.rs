//! Two-dimensional convolution.

use candle_core::{Result, Tensor};

/// Zeros around the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same on all four sides.
    Even(usize),
    /// One column at the right, one row at the bottom: the VAE encoder's down-sampling.
    RightBottom,
}

/// A 2D cross-correlation with square kernel, as `torch.nn.Conv2d` without groups or dilation.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// `weight` is `[C_out, C_in, k, k]`, `bias` `[C_out]`.
    ///
    /// # Errors
    /// When the kernel is not square or the bias does not fit.
    pub fn new(weight: Tensor, bias: Option<Tensor>, stride: usize, padding: Padding) -> Result<Self> {
        let (outputs, _, height, width) = weight.dims4()?;
        if height != width || stride == 0 {
            candle_core::bail!(
                "convolution: expected a square kernel, found {height}x{width}, stride {stride}"
            );
        }
        if let Some(found) = bias.as_ref().map(Tensor::dims).filter(|d| *d != [outputs]) {
            candle_core::bail!("convolution: expected a bias of {outputs} channels, found {found:?}");
        }
        Ok(Self { weight, bias, stride, padding })
    }

    /// The kernel, `[C_out, C_in, k, k]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[C_out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// `[B, C_in, H, W]` → `[B, C_out, H', W']`.
    ///
    /// # Errors
    /// When the channels do not fit or the picture is smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, inputs, _, _) = x.dims4()?;
        let expected = self.weight.dim(1)?;
        if inputs != expected {
            candle_core::bail!("convolution: expected {expected} input channels, found {inputs}");
        }
        self.composed(x)
    }

    /// The same from candle's operations.
    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let y = match self.padding {
            Padding::Even(pad) => x.conv2d(&self.weight, pad, self.stride, 1, 1)?,
            Padding::RightBottom => x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(
                &self.weight,
                0,
                self.stride,
                1,
                1,
            )?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
            None => Ok(y),
        }
    }
}
