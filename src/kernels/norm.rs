//! Group normalisation, alone and with the activation that mostly follows it.

use candle_core::{Result, Tensor};
use candle_nn::Module as _;

/// Group normalisation (Wu & He 2018) of `[B, C, …]` with a weight and a bias per channel.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    composed: candle_nn::GroupNorm,
}

impl GroupNorm {
    /// Weight and bias are `[C]`; `eps` is added to the variance.
    ///
    /// # Errors
    /// When `groups` does not divide the channels.
    pub fn new(weight: Tensor, bias: Tensor, groups: usize, eps: f64) -> Result<Self> {
        let channels = weight.dim(0)?;
        if groups == 0 || channels % groups != 0 {
            candle_core::bail!("group norm: expected groups that divide {channels} channels, found {groups}");
        }
        Ok(Self { composed: candle_nn::GroupNorm::new(weight, bias, channels, groups, eps)? })
    }

    /// Normalises `[B, C, …]`.
    ///
    /// # Errors
    /// When the channels are not those of the weight.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.composed.forward(x)
    }

    /// Normalises `[B, C, …]`, then applies [`silu`](super::silu).
    ///
    /// # Errors
    /// When the channels are not those of the weight.
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        super::silu(&self.forward(x)?)
    }
}
