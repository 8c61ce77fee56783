//! The network that predicts noise (or velocity): Stable Diffusion 1.x, 2.x, XL and their kin.
//!
//! Ronneberger et al. 2015, Rombach et al. 2022; the layout and the names of the weights are those of
//! diffusers' `UNet2DConditionModel`.

mod blocks;
mod condition;
mod config;
mod encoder;

pub use blocks::{DownBlock, MidBlock, UpBlock};
pub use condition::{AddedCond, Conditioner};
pub use config::{BlockType, Level, UNetConfig};
pub use encoder::Encoder;

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

use crate::diffusion::controlnet::ControlResiduals;
use crate::diffusion::nn::{AttentionHooks, BasicTransformerBlock, Context, conv2d, group_norm};
use crate::kernels::{Conv2d, GroupNorm, Padding};
use crate::models::ModelFolder;

/// A UNet.
#[derive(Clone, Debug)]
pub struct UNet {
    encoder: Encoder,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet {
    /// Builds the network that `config` describes from the weights of `vb`.
    ///
    /// # Errors
    /// When the config asks for something unsupported, or a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        if config.up_block_types.is_empty() {
            candle_core::bail!("option `up_block_types`: expected one entry per level, found none");
        }
        let (first, kernel) = (config.block_out_channels[0], config.conv_out_kernel);
        let up_block = |i| UpBlock::new(config, i, &vb);
        Ok(Self {
            encoder: Encoder::new(config, &vb)?,
            up_blocks: (0..config.up_block_types.len()).map(up_block).collect::<Result<_>>()?,
            conv_norm_out: group_norm(
                config.norm_num_groups,
                first,
                config.norm_eps,
                vb.pp("conv_norm_out"),
            )?,
            conv_out: conv2d(
                first,
                config.out_channels,
                kernel,
                1,
                Padding::Even(kernel / 2),
                vb.pp("conv_out"),
            )?,
        })
    }

    /// Reads `config.json` and the weights of a folder.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when a file is missing, the config asks for something unsupported, or a weight is
    /// missing or has another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> crate::error::Result<Self> {
        let config = folder.json("config.json")?;
        folder.network("UNet", device, |weights| Self::new(&config, weights))
    }

    /// The model's prediction for a noised latent.
    ///
    /// `sample` is `[B, in_channels, h, w]` of any size, `timestep` one number for all or one per item
    /// (training timesteps, 0..1000, fractions allowed), `context` `[B, T, C]` the encoded text, `added`
    /// SDXL's condition, `residuals` what ControlNets add (weights already applied). Returns
    /// `[B, out_channels, h, w]`.
    ///
    /// # Errors
    /// When the shapes do not belong together, an added condition is missing, or the number of residuals
    /// is not that of the skips.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: &[f64],
        context: &Tensor,
        added: Option<&AddedCond>,
        residuals: Option<&ControlResiduals>,
    ) -> Result<Tensor> {
        self.forward_hooked(sample, timestep, context, added, residuals, None)
    }

    /// [`UNet::forward`] with hooks into every attention layer.
    ///
    /// # Errors
    /// As [`UNet::forward`], and whatever the hooks refuse.
    pub fn forward_hooked(
        &self,
        sample: &Tensor,
        timestep: &[f64],
        context: &Tensor,
        added: Option<&AddedCond>,
        residuals: Option<&ControlResiduals>,
        hooks: Option<&dyn AttentionHooks>,
    ) -> Result<Tensor> {
        let context = Context { text: context, hooks };
        let time = self.encoder.embed(sample, timestep, added)?;
        let (mut x, mut skips) = self.encoder.forward(&self.encoder.enter(sample)?, &time, context)?;
        if let Some(residuals) = residuals {
            x = residuals.add_to(x, &mut skips)?;
        }
        for block in &self.up_blocks {
            x = block.forward(&x, &time, context, &mut skips)?;
        }
        self.conv_out.forward(&self.conv_norm_out.forward_silu(&x)?)
    }

    /// All transformer blocks, in the order in which they are passed.
    pub fn transformer_blocks(&self) -> impl Iterator<Item = &BasicTransformerBlock> {
        let up = self.up_blocks.iter().flat_map(UpBlock::transformer_blocks);
        self.encoder.transformer_blocks().chain(up)
    }

    /// The half that a ControlNet copies, with the conditions.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }
}
