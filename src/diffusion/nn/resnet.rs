//! The residual block.

use candle_core::{Result, Tensor};
use candle_nn::{Module as _, VarBuilder};

use super::layers::{conv2d, group_norm, linear};
use crate::kernels::{Conv2d, GroupNorm, Linear, Padding};

/// A way to apply a norm and then SiLU.
pub type Norm<'a> = dyn FnMut(&GroupNorm, &Tensor) -> Result<Tensor> + 'a;

/// diffusers' `ResnetBlock2D`: twice norm, SiLU, 3×3 convolution, with the time embedding added
/// between, and the input added at the end (through a 1×1 convolution where the channels change).
#[derive(Clone, Debug)]
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    /// `time` is the width of the time embedding; `None` in autoencoders.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        inputs: usize,
        outputs: usize,
        time: Option<usize>,
        groups: usize,
        eps: f64,
        vb: VarBuilder,
    ) -> Result<Self> {
        let conv = |i, k, pad, name: &str| conv2d(i, outputs, k, 1, Padding::Even(pad), vb.pp(name));
        Ok(Self {
            norm1: group_norm(groups, inputs, eps, vb.pp("norm1"))?,
            conv1: conv(inputs, 3, 1, "conv1")?,
            time_emb_proj: time.map(|t| linear(t, outputs, vb.pp("time_emb_proj"))).transpose()?,
            norm2: group_norm(groups, outputs, eps, vb.pp("norm2"))?,
            conv2: conv(outputs, 3, 1, "conv2")?,
            conv_shortcut: (inputs != outputs).then(|| conv(inputs, 1, 0, "conv_shortcut")).transpose()?,
        })
    }

    /// `[B, inputs, H, W]` → `[B, outputs, H, W]`. `time` is `[B, time]` (or one row for all), already
    /// through SiLU: every block of a network applies it to the same tensor.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        self.forward_normed(x, time, &mut GroupNorm::forward_silu)
    }

    /// The same with another way to apply norm and SiLU.
    ///
    /// # Errors
    /// When the shapes do not belong together, or `norm` fails.
    pub fn forward_normed(&self, x: &Tensor, time: Option<&Tensor>, norm: &mut Norm) -> Result<Tensor> {
        let shift = match (&self.time_emb_proj, time) {
            (Some(projection), Some(time)) => Some(projection.forward(time)?),
            _ => None,
        };
        let h = self.conv1.forward_with(&norm(&self.norm1, x)?, shift.as_ref(), None)?;
        let h = norm(&self.norm2, &h)?;
        match &self.conv_shortcut {
            Some(shortcut) => self.conv2.forward_with(&h, None, Some(&shortcut.forward(x)?)),
            None => self.conv2.forward_with(&h, None, Some(x)),
        }
    }
}
