//! The first half of a UNet, which a ControlNet shares.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::blocks::{DownBlock, MidBlock};
use super::condition::{AddedCond, Conditioner};
use super::config::UNetConfig;
use crate::diffusion::nn::{BasicTransformerBlock, Context, conv2d};
use crate::kernels::{Conv2d, Padding};

/// First convolution, encoder levels and middle, with the conditions.
#[derive(Clone, Debug)]
pub struct Encoder {
    conv_in: Conv2d,
    conditioner: Conditioner,
    down_blocks: Vec<DownBlock>,
    mid_block: Option<MidBlock>,
}

impl Encoder {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, vb: &VarBuilder) -> Result<Self> {
        let (first, kernel) = (config.block_out_channels[0], config.conv_in_kernel);
        let down_block = |i| DownBlock::new(config, i, vb);
        Ok(Self {
            conv_in: conv2d(
                config.in_channels,
                first,
                kernel,
                1,
                Padding::Even(kernel / 2),
                vb.pp("conv_in"),
            )?,
            conditioner: Conditioner::new(config, vb)?,
            down_blocks: (0..config.down_block_types.len()).map(down_block).collect::<Result<_>>()?,
            mid_block: MidBlock::new(config, vb)?,
        })
    }

    /// The embedding of timestep and added condition for every residual block, through SiLU.
    ///
    /// # Errors
    /// When there is neither one timestep nor one per item of `sample`, or the added condition does not fit.
    pub fn embed(&self, sample: &Tensor, timestep: &[f64], added: Option<&AddedCond>) -> Result<Tensor> {
        let batch = sample.dim(0)?;
        if timestep.len() != 1 && timestep.len() != batch {
            candle_core::bail!(
                "timestep: expected one, or one for each of {batch}, found {}",
                timestep.len()
            );
        }
        self.conditioner.forward(timestep, added, sample.device())
    }

    /// The conditions alone.
    pub fn conditioner(&self) -> &Conditioner {
        &self.conditioner
    }

    /// The first convolution: `[B, in_channels, h, w]` → `[B, C₀, h, w]`.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn enter(&self, sample: &Tensor) -> Result<Tensor> {
        self.conv_in.forward(sample)
    }

    /// Its transformer blocks, in the order in which they are passed.
    pub fn transformer_blocks(&self) -> impl Iterator<Item = &BasicTransformerBlock> {
        let down = self.down_blocks.iter().flat_map(DownBlock::transformer_blocks);
        down.chain(self.mid_block.iter().flat_map(MidBlock::transformer_blocks))
    }

    /// From the result of [`Encoder::enter`] to the middle's, with what every layer gave on the way.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, time: &Tensor, context: Context<'_>) -> Result<(Tensor, Vec<Tensor>)> {
        let mut x = x.clone();
        let mut skips = vec![x.clone()];
        for block in &self.down_blocks {
            x = block.forward(&x, time, context, &mut skips)?;
        }
        if let Some(middle) = &self.mid_block {
            x = middle.forward(&x, time, context)?;
        }
        Ok((x, skips))
    }
}
