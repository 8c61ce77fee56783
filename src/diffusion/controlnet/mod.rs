//! A copy of a UNet's encoder that looks at a hint picture and steers the UNet by adding to its skips.
//!
//! Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models"; layout and names
//! of diffusers' `ControlNetModel`. Beside it the lighter kinds: Control-LoRA and ControlLLLite.

mod file;
mod infer;
mod lllite;
mod lora;
mod names;
mod place;
mod residuals;

pub use lllite::{Lllite, LlliteHint, Projection};
pub use place::{ControlBase, ControlModel, ControlPlace};
pub use residuals::ControlResiduals;

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

use crate::diffusion::nn::conv2d;
use crate::diffusion::unet::{AddedCond, Encoder, UNetConfig};
use crate::kernels::{Conv2d, Padding, silu};
use crate::models::ModelFolder;

/// What a `ControlNetModel` config says: the encoder's options and the hint's.
#[derive(Clone, Debug, Deserialize)]
pub struct ControlNetConfig {
    /// The encoder.
    #[serde(flatten)]
    pub unet: UNetConfig,
    /// Channels of the hint picture.
    #[serde(default = "three")]
    pub conditioning_channels: usize,
    /// Channels of the hint's convolutions; each after the first halves the resolution.
    #[serde(default = "usual_hint_channels")]
    pub conditioning_embedding_out_channels: Vec<usize>,
    /// Whether only the mean of each residual counts, so that the hint lends its look and not its shapes
    /// (the «shuffle» network).
    #[serde(default)]
    pub global_pool_conditions: bool,
}

fn three() -> usize {
    3
}

fn usual_hint_channels() -> Vec<usize> {
    vec![16, 32, 96, 256]
}

/// A ControlNet.
#[derive(Clone, Debug)]
pub struct ControlNet {
    encoder: Encoder,
    hint: HintEmbedding,
    down: Vec<Conv2d>,
    mid: Conv2d,
    pools: bool,
}

impl ControlNet {
    /// Builds the network that `config` describes from the weights of `vb`.
    ///
    /// # Errors
    /// When the config asks for something unsupported, or a weight is missing or has another shape.
    pub fn new(config: &ControlNetConfig, vb: VarBuilder) -> Result<Self> {
        config.unet.check()?;
        let first = config.unet.block_out_channels[0];
        let zero = |channels, vb| conv2d(channels, channels, 1, 1, Padding::Even(0), vb);
        let down = skip_channels(&config.unet)?.into_iter().enumerate();
        let last = config.unet.block_out_channels.last().copied().unwrap_or(first);
        Ok(Self {
            encoder: Encoder::new(&config.unet, &vb)?,
            hint: HintEmbedding::new(config, first, &vb.pp("controlnet_cond_embedding"))?,
            down: down.map(|(i, c)| zero(c, vb.pp("controlnet_down_blocks").pp(i))).collect::<Result<_>>()?,
            mid: zero(last, vb.pp("controlnet_mid_block"))?,
            pools: config.global_pool_conditions,
        })
    }

    /// Reads `config.json` and the weights of a folder.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when a file is missing, the config asks for something unsupported, or weights are
    /// missing or have another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> crate::error::Result<Self> {
        let config = folder.json("config.json")?;
        folder.network("ControlNet", device, |weights| Self::new(&config, weights))
    }

    /// What this network adds to a UNet's skips, at weight 1.
    ///
    /// `sample`, `timestep`, `context` and `added` are those of [`UNet::forward`](super::unet::UNet::forward);
    /// `hint` is `[B or 1, 3, H, W]`, RGB in 0..1, as many times larger than the latent as the
    /// autoencoder's factor (8).
    ///
    /// # Errors
    /// When the shapes do not belong together; the message names the hint's expected and found size.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: &[f64],
        context: &Tensor,
        added: Option<&AddedCond>,
        hint: &Tensor,
    ) -> Result<ControlResiduals> {
        let time = self.encoder.embed(sample, timestep, added)?;
        self.hint.check(hint, sample)?;
        let x = self.encoder.enter(sample)?.broadcast_add(&self.hint.forward(hint)?)?;
        let (mid, skips) = self.encoder.forward(&x, &time, context.into())?;
        let down = self.down.iter().zip(&skips).map(|(zero, skip)| zero.forward(skip));
        let residuals = ControlResiduals { down: down.collect::<Result<_>>()?, mid: self.mid.forward(&mid)? };
        if self.pools { residuals.pooled() } else { Ok(residuals) }
    }

    /// Whether only the means of its residuals count, see [`ControlNetConfig::global_pool_conditions`].
    pub fn pools(&self) -> bool {
        self.pools
    }
}

/// Channels of every skip of the encoder: the first convolution's, each layer's, each down-sampler's.
fn skip_channels(config: &UNetConfig) -> Result<Vec<usize>> {
    let levels = config.levels()?;
    let mut channels = vec![config.block_out_channels[0]];
    for (i, level) in levels.iter().enumerate() {
        let is_last = i + 1 == levels.len();
        channels.extend(std::iter::repeat_n(level.channels, level.layers + usize::from(!is_last)));
    }
    Ok(channels)
}

/// Convolutions that bring the hint picture to the latent's size.
#[derive(Clone, Debug)]
struct HintEmbedding {
    conv_in: Conv2d,
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
    factor: usize,
}

impl HintEmbedding {
    fn new(config: &ControlNetConfig, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        let channels = &config.conditioning_embedding_out_channels;
        let (Some(&first), Some(&last)) = (channels.first(), channels.last()) else {
            candle_core::bail!("option `conditioning_embedding_out_channels`: expected numbers, found none");
        };
        let conv = |i, o, stride, vb| conv2d(i, o, 3, stride, Padding::Even(1), vb);
        let mut blocks = Vec::new();
        for pair in channels.windows(2) {
            blocks.push(conv(pair[0], pair[0], 1, vb.pp("blocks").pp(blocks.len()))?);
            blocks.push(conv(pair[0], pair[1], 2, vb.pp("blocks").pp(blocks.len()))?);
        }
        Ok(Self {
            conv_in: conv(config.conditioning_channels, first, 1, vb.pp("conv_in"))?,
            factor: 1 << (blocks.len() / 2),
            blocks,
            conv_out: conv(last, outputs, 1, vb.pp("conv_out"))?,
        })
    }

    /// The hint belongs to the latent.
    fn check(&self, hint: &Tensor, sample: &Tensor) -> Result<()> {
        let (_, _, height, width) = hint.dims4()?;
        let (_, _, h, w) = sample.dims4()?;
        let (h, w) = (h * self.factor, w * self.factor);
        if (height, width) != (h, w) {
            candle_core::bail!("control hint: expected {w}x{h} pixels, found {width}x{height}");
        }
        Ok(())
    }

    fn forward(&self, hint: &Tensor) -> Result<Tensor> {
        let mut x = silu(&self.conv_in.forward(hint)?)?;
        for block in &self.blocks {
            x = silu(&block.forward(&x)?)?;
        }
        self.conv_out.forward(&x)
    }
}
