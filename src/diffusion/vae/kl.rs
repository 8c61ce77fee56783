//! The autoencoder of Stable Diffusion (Rombach et al. 2022; diffusers' `AutoencoderKL`).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::kl_config::{EPS, KlConfig};
use super::tiles::{self, Layers, Tiling};
use crate::diffusion::nn::{
    Attention, Downsample, Norm, ResnetBlock, Upsample, conv2d, group_norm, linear_or_conv1x1,
};
use crate::kernels::{Conv2d, GroupNorm, Linear, Padding};

/// What the encoder says of a picture: a normal distribution per latent value, not scaled.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// `[B, latent_channels, h, w]`.
    pub mean: Tensor,
    /// The standard deviation, of the same shape.
    pub std: Tensor,
}

/// The autoencoder of Stable Diffusion.
#[derive(Clone, Debug)]
pub struct AutoencoderKl {
    config: KlConfig,
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
    tiling: Option<Tiling>,
}

impl AutoencoderKl {
    /// Builds the network that `config` describes from the weights of `vb`.
    ///
    /// # Errors
    /// When the config asks for something unsupported, or a weight is missing or has another shape.
    pub fn new(config: &KlConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let latent = config.latent_channels;
        let conv = |wanted: bool, channels, name: &str| {
            wanted.then(|| conv2d(channels, channels, 1, 1, Padding::Even(0), vb.pp(name))).transpose()
        };
        Ok(Self {
            encoder: Encoder::new(config, &vb.pp("encoder"))?,
            quant_conv: conv(config.use_quant_conv, 2 * latent, "quant_conv")?,
            post_quant_conv: conv(config.use_post_quant_conv, latent, "post_quant_conv")?,
            decoder: Decoder::new(config, &vb.pp("decoder"))?,
            tiling: None,
            config: config.clone(),
        })
    }

    /// `[B, 3, H, W]`, RGB in −1..1, to the distribution of its latent, not scaled.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn encode(&self, image: &Tensor) -> Result<Posterior> {
        let tiling = self.tiling();
        let front = |x: &Tensor, norm: &mut Norm| self.encoder.front(x, norm);
        let x = tiles::run(image, self.front_layers(), &tiling, front)?;
        let mut moments = self.encoder.rest(&x)?;
        if let Some(conv) = &self.quant_conv {
            moments = conv.forward(&moments)?;
        }
        let latent = self.config.latent_channels;
        // diffusers clamps the logarithm of the variance to -30..20.
        let log_variance = moments.narrow(1, latent, latent)?.clamp(-30f32, 20f32)?;
        let std = (log_variance * 0.5)?.exp()?;
        Ok(Posterior { mean: moments.narrow(1, 0, latent)?.contiguous()?, std })
    }

    /// A latent that is not scaled, `[B, latent_channels, h, w]`, to the picture.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let x = match &self.post_quant_conv {
            Some(conv) => self.decoder.head(&conv.forward(latent)?)?,
            None => self.decoder.head(latent)?,
        };
        let tail = |x: &Tensor, norm: &mut Norm| self.decoder.tail(x, norm);
        tiles::run(&x, self.tail_layers(), &self.tiling(), tail)
    }

    /// The encoder's levels that halve the resolution: in each, two 3×3 convolutions a block and the
    /// halving one, which sees two pixels to the right.
    fn front_layers(&self) -> Layers {
        let halvings = self.config.block_out_channels.len() - 1;
        let sees = 2 * self.config.layers_per_block + 2;
        let margin: usize = 1 + (0..halvings).map(|level| sees << level).sum::<usize>();
        let divide = 1 << halvings;
        Layers { divide, multiply: 1, margin: margin.next_multiple_of(divide) }
    }

    /// The decoder's levels behind the first: in each, two 3×3 convolutions a block (one more than the encoder
    /// has) and one behind the doubling; then the last convolution.
    pub(super) fn tail_layers(&self) -> Layers {
        let doublings = self.config.block_out_channels.len().saturating_sub(2);
        let sees = 2 * (self.config.layers_per_block + 1) + 1;
        let levels: usize = (0..=doublings).map(|level| sees << (doublings - level)).sum();
        Layers { divide: 1, multiply: 1 << doublings, margin: (levels + 1).div_ceil(1 << doublings) }
    }

    /// The layers of [`AutoencoderKl::decode`] that run on the whole picture, without the first 1×1 convolution.
    #[cfg(test)]
    pub(super) fn decoder_head(&self, latent: &Tensor) -> Result<Tensor> {
        self.decoder.head(latent)
    }

    /// The layers that run on parts.
    #[cfg(test)]
    pub(super) fn decoder_tail(&self, x: &Tensor, norm: &mut Norm) -> Result<Tensor> {
        self.decoder.tail(x, norm)
    }

    /// How large a picture may be before it is worked on in parts.
    fn tiling(&self) -> Tiling {
        self.tiling.unwrap_or_else(|| Tiling::within_memory(self.config.bytes_per_pixel()))
    }

    /// The same network with another limit.
    #[must_use]
    pub fn with_tiling(self, tiling: Tiling) -> Self {
        Self { tiling: Some(tiling), ..self }
    }

    /// What the mean is multiplied by for the UNet.
    pub fn scaling_factor(&self) -> f64 {
        self.config.scaling_factor
    }

    /// What is subtracted from the mean before.
    pub fn shift(&self) -> f64 {
        self.config.shift_factor.unwrap_or(0.0)
    }

    /// Pixels per latent pixel, along each side.
    pub fn downscale(&self) -> usize {
        1 << (self.config.block_out_channels.len() - 1)
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }
}

/// Residual blocks, then half (or twice) the resolution but for the last level.
#[derive(Clone, Debug)]
struct Level<R> {
    resnets: Vec<ResnetBlock>,
    resampler: Option<R>,
}

impl<R> Level<R> {
    fn new(
        config: &KlConfig,
        inputs: usize,
        outputs: usize,
        layers: usize,
        resampler: Option<R>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let resnet = |i| {
            let inputs = if i == 0 { inputs } else { outputs };
            config.resnet(inputs, outputs, vb.pp("resnets").pp(i))
        };
        Ok(Self { resnets: (0..layers).map(resnet).collect::<Result<_>>()?, resampler })
    }

    fn forward(
        &self,
        x: &Tensor,
        norm: &mut Norm,
        resample: impl Fn(&R, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for resnet in &self.resnets {
            x = resnet.forward_normed(&x, None, norm)?;
        }
        match &self.resampler {
            Some(resampler) => resample(resampler, &x),
            None => Ok(x),
        }
    }
}

#[derive(Clone, Debug)]
struct Encoder {
    conv_in: Conv2d,
    levels: Vec<Level<Downsample>>,
    mid: Middle,
    out: Output,
}

impl Encoder {
    fn new(config: &KlConfig, vb: &VarBuilder) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let level = |i: usize| {
            let vb = vb.pp("down_blocks").pp(i);
            let down = |_| Downsample::new(channels[i], Padding::RightBottom, vb.pp("downsamplers").pp(0));
            let down = channels.get(i + 1).map(down).transpose()?;
            let inputs = channels[i.saturating_sub(1)];
            Level::new(config, inputs, channels[i], config.layers_per_block, down, &vb)
        };
        Ok(Self {
            conv_in: conv2d(config.in_channels, first, 3, 1, Padding::Even(1), vb.pp("conv_in"))?,
            levels: (0..channels.len()).map(level).collect::<Result<_>>()?,
            mid: Middle::new(config, last, &vb.pp("mid_block"))?,
            out: Output::new(config, last, 2 * config.latent_channels, vb)?,
        })
    }

    /// The levels that halve the resolution.
    fn front(&self, image: &Tensor, norm: &mut Norm) -> Result<Tensor> {
        let mut x = self.conv_in.forward(image)?;
        for level in &self.levels[..self.levels.len() - 1] {
            x = level.forward(&x, norm, Downsample::forward)?;
        }
        Ok(x)
    }

    /// All behind them.
    fn rest(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for level in &self.levels[self.levels.len() - 1..] {
            x = level.forward(&x, &mut GroupNorm::forward_silu, Downsample::forward)?;
        }
        self.out.forward(&self.mid.forward(&x)?, &mut GroupNorm::forward_silu)
    }
}

#[derive(Clone, Debug)]
struct Decoder {
    conv_in: Conv2d,
    mid: Middle,
    levels: Vec<Level<Upsample>>,
    out: Output,
}

impl Decoder {
    fn new(config: &KlConfig, vb: &VarBuilder) -> Result<Self> {
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let level = |i: usize| {
            let vb = vb.pp("up_blocks").pp(i);
            let up = |_| Upsample::new(channels[i], vb.pp("upsamplers").pp(0));
            let up = channels.get(i + 1).map(up).transpose()?;
            let inputs = channels[i.saturating_sub(1)];
            Level::new(config, inputs, channels[i], config.layers_per_block + 1, up, &vb)
        };
        Ok(Self {
            conv_in: conv2d(config.latent_channels, first, 3, 1, Padding::Even(1), vb.pp("conv_in"))?,
            mid: Middle::new(config, first, &vb.pp("mid_block"))?,
            levels: (0..channels.len()).map(level).collect::<Result<_>>()?,
            out: Output::new(config, last, config.out_channels, vb)?,
        })
    }

    /// All before the second level: what looks at the whole picture, at the lowest resolutions.
    fn head(&self, latent: &Tensor) -> Result<Tensor> {
        let x = self.mid.forward(&self.conv_in.forward(latent)?)?;
        self.levels[0].forward(&x, &mut GroupNorm::forward_silu, enlarge)
    }

    /// All behind the first level.
    fn tail(&self, x: &Tensor, norm: &mut Norm) -> Result<Tensor> {
        let mut x = x.clone();
        for level in &self.levels[1..] {
            x = level.forward(&x, norm, enlarge)?;
        }
        self.out.forward(&x, norm)
    }
}

/// To twice the resolution.
fn enlarge(up: &Upsample, x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    up.forward(x, (2 * height, 2 * width))
}

/// Residual block, attention over all pixels with one head, residual block.
#[derive(Clone, Debug)]
struct Middle {
    first: ResnetBlock,
    attention: Option<(GroupNorm, Attention)>,
    last: ResnetBlock,
}

impl Middle {
    fn new(config: &KlConfig, channels: usize, vb: &VarBuilder) -> Result<Self> {
        let resnet = |i: usize| config.resnet(channels, channels, vb.pp("resnets").pp(i));
        let attention = |()| {
            let vb = vb.pp("attentions").pp(0);
            let norm = group_norm(config.norm_num_groups, channels, EPS, vb.pp("group_norm"))?;
            Ok::<_, candle_core::Error>((norm, pixel_attention(channels, &vb)?))
        };
        Ok(Self {
            first: resnet(0)?,
            attention: config.mid_block_add_attention.then_some(()).map(attention).transpose()?,
            last: resnet(1)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(x, None)?;
        if let Some((norm, attention)) = &self.attention {
            let (batch, channels, height, width) = x.dims4()?;
            let pixels = norm.forward(&x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
            let seen = attention.forward(&pixels, &pixels)?.transpose(1, 2)?.contiguous()?;
            x = (seen.reshape((batch, channels, height, width))? + x)?;
        }
        self.last.forward(&x, None)
    }
}

/// Attention with the names of today or of diffusers before 0.17 (query, key, value, proj_attn), whose
/// weights may be those of 1×1 convolutions.
fn pixel_attention(channels: usize, vb: &VarBuilder) -> Result<Attention> {
    let old = vb.contains_tensor("query.weight");
    let layer = |old_name: &str, new_name: &str| -> Result<Linear> {
        linear_or_conv1x1(channels, channels, vb.pp(if old { old_name } else { new_name }))
    };
    Ok(Attention::from_layers(
        layer("query", "to_q")?,
        layer("key", "to_k")?,
        layer("value", "to_v")?,
        layer("proj_attn", "to_out.0")?,
        1,
    ))
}

/// Norm, SiLU, convolution.
#[derive(Clone, Debug)]
struct Output {
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Output {
    fn new(config: &KlConfig, inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            conv_norm_out: group_norm(config.norm_num_groups, inputs, EPS, vb.pp("conv_norm_out"))?,
            conv_out: conv2d(inputs, outputs, 3, 1, Padding::Even(1), vb.pp("conv_out"))?,
        })
    }

    fn forward(&self, x: &Tensor, norm: &mut Norm) -> Result<Tensor> {
        self.conv_out.forward(&norm(&self.conv_norm_out, x)?)
    }
}
