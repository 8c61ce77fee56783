//! The tiny autoencoder (TAESD, Ollin Boer Bohan 2023; diffusers' `AutoencoderTiny`).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::json;

use crate::diffusion::nn::{Options, conv2d, weight};
use crate::kernels::{Conv2d, Padding};

/// What an `AutoencoderTiny` config says. Any size and any number of blocks per stage is fine.
#[derive(Clone, Debug, Deserialize)]
pub struct TinyConfig {
    /// Channels of the picture that goes in.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of the picture that comes out.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of each encoder stage, highest resolution first.
    #[serde(default = "usual_channels")]
    pub encoder_block_out_channels: Vec<usize>,
    /// Channels of each decoder stage, lowest resolution first.
    #[serde(default = "usual_channels")]
    pub decoder_block_out_channels: Vec<usize>,
    /// Residual blocks of each encoder stage.
    #[serde(default = "usual_encoder_blocks")]
    pub num_encoder_blocks: Vec<usize>,
    /// Residual blocks of each decoder stage.
    #[serde(default = "usual_decoder_blocks")]
    pub num_decoder_blocks: Vec<usize>,
    /// Channels of the latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// What the encoder's result is multiplied by for the UNet.
    #[serde(default = "unscaled")]
    pub scaling_factor: f64,
    /// Enlargement after each decoder stage but the last.
    #[serde(default = "two")]
    pub upsampling_scaling_factor: usize,
    /// Everything else that the file says.
    #[serde(flatten)]
    pub other: Options,
}

fn two() -> usize {
    2
}

fn three() -> usize {
    3
}

fn four() -> usize {
    4
}

fn unscaled() -> f64 {
    1.0
}

fn usual_channels() -> Vec<usize> {
    vec![64; 4]
}

fn usual_encoder_blocks() -> Vec<usize> {
    vec![1, 3, 3, 3]
}

fn usual_decoder_blocks() -> Vec<usize> {
    vec![3, 3, 3, 1]
}

impl TinyConfig {
    /// Memory in bytes that a pixel of the picture takes at the most: four maps at the full resolution.
    pub fn bytes_per_pixel(&self) -> usize {
        let channels = self.encoder_block_out_channels.first().max(self.decoder_block_out_channels.first());
        4 * channels.copied().unwrap_or(0) * size_of::<f32>()
    }

    /// Passes when this config describes a network that kinora can build.
    ///
    /// # Errors
    /// The first option that it cannot follow, by name, with expected and found value.
    pub fn check(&self) -> Result<()> {
        // Magnitude and shift serve to store latents in 8 bits; block_out_channels repeats the encoder's.
        let inert = ["sample_size", "force_upcast", "latent_magnitude", "latent_shift", "block_out_channels"];
        let fixed =
            [("act_fn", json!("relu")), ("upsample_fn", json!("nearest")), ("shift_factor", json!(0))];
        self.other.check(&inert, &fixed)?;
        for (name, channels, blocks) in [
            ("num_encoder_blocks", &self.encoder_block_out_channels, &self.num_encoder_blocks),
            ("num_decoder_blocks", &self.decoder_block_out_channels, &self.num_decoder_blocks),
        ] {
            if channels.is_empty() || channels.len() != blocks.len() {
                let (expected, found) = (channels.len(), blocks.len());
                candle_core::bail!(
                    "option `{name}`: expected {expected} numbers, at least one, found {found}"
                );
            }
            if channels.iter().any(|c| *c != channels[0]) {
                candle_core::bail!("option `{name}`: expected stages of equal channels, found {channels:?}");
            }
        }
        Ok(())
    }
}

/// The tiny autoencoder. Inside it works with pictures in 0..1.
#[derive(Clone, Debug)]
pub struct AutoencoderTiny {
    config: TinyConfig,
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
}

/// One entry of diffusers' `nn.Sequential`s.
#[derive(Clone, Debug)]
enum Layer {
    Conv(Conv2d),
    Block(Box<Block>),
    Relu,
    Upsample(usize),
}

impl AutoencoderTiny {
    /// Builds the network that `config` describes from the weights of `vb`.
    ///
    /// # Errors
    /// When the config asks for something unsupported, or a weight is missing or has another shape.
    pub fn new(config: &TinyConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        Ok(Self {
            encoder: encoder(config, &vb.pp("encoder").pp("layers"))?,
            decoder: decoder(config, &vb.pp("decoder").pp("layers"))?,
            config: config.clone(),
        })
    }

    /// `[B, 3, H, W]`, RGB in −1..1, to the latent, not scaled.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn encode(&self, image: &Tensor) -> Result<Tensor> {
        run(&self.encoder, image.affine(0.5, 0.5)?)
    }

    /// A latent that is not scaled to the picture, about −1..1. Large values are bent to ±3 at the entry.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        let bounded = ((latent / 3.0)?.tanh()? * 3.0)?;
        run(&self.decoder, bounded)?.affine(2.0, -1.0)
    }

    /// What the encoder's result is multiplied by for the UNet.
    pub fn scaling_factor(&self) -> f64 {
        self.config.scaling_factor
    }

    /// Pixels per latent pixel, along each side.
    pub fn downscale(&self) -> usize {
        1 << (self.config.encoder_block_out_channels.len() - 1)
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }
}

/// Convolution (with stride 2 and no bias from the second stage on) and blocks per stage, then a convolution.
fn encoder(config: &TinyConfig, vb: &VarBuilder) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for (stage, (&channels, &blocks)) in
        config.encoder_block_out_channels.iter().zip(&config.num_encoder_blocks).enumerate()
    {
        let here = vb.pp(layers.len());
        layers.push(Layer::Conv(if stage == 0 {
            conv2d(config.in_channels, channels, 3, 1, Padding::Even(1), here)?
        } else {
            conv_no_bias(channels, channels, 2, &here)?
        }));
        push_blocks(&mut layers, channels, blocks, vb)?;
    }
    let last = config.encoder_block_out_channels.last().copied().unwrap_or_default();
    let here = vb.pp(layers.len());
    layers.push(Layer::Conv(conv2d(last, config.latent_channels, 3, 1, Padding::Even(1), here)?));
    Ok(layers)
}

/// Convolution and ReLU, then blocks, enlargement and convolution (without bias but in the last) per stage.
fn decoder(config: &TinyConfig, vb: &VarBuilder) -> Result<Vec<Layer>> {
    let channels = config.decoder_block_out_channels[0];
    let first = conv2d(config.latent_channels, channels, 3, 1, Padding::Even(1), vb.pp(0))?;
    let mut layers = vec![Layer::Conv(first), Layer::Relu];
    let last = config.num_decoder_blocks.len() - 1;
    for (stage, &blocks) in config.num_decoder_blocks.iter().enumerate() {
        push_blocks(&mut layers, channels, blocks, vb)?;
        if stage < last {
            layers.push(Layer::Upsample(config.upsampling_scaling_factor));
        }
        let here = vb.pp(layers.len());
        layers.push(Layer::Conv(if stage < last {
            conv_no_bias(channels, channels, 1, &here)?
        } else {
            conv2d(channels, config.out_channels, 3, 1, Padding::Even(1), here)?
        }));
    }
    Ok(layers)
}

fn push_blocks(layers: &mut Vec<Layer>, channels: usize, count: usize, vb: &VarBuilder) -> Result<()> {
    for _ in 0..count {
        layers.push(Layer::Block(Box::new(Block::new(channels, &vb.pp(layers.len()))?)));
    }
    Ok(())
}

fn conv_no_bias(inputs: usize, outputs: usize, stride: usize, vb: &VarBuilder) -> Result<Conv2d> {
    Conv2d::new(weight(vb, (outputs, inputs, 3, 3))?, None, stride, Padding::Even(1))
}

fn run(layers: &[Layer], mut x: Tensor) -> Result<Tensor> {
    for layer in layers {
        x = match layer {
            Layer::Conv(conv) => conv.forward(&x)?,
            Layer::Block(block) => block.forward(&x)?,
            Layer::Relu => x.relu()?,
            Layer::Upsample(factor) => {
                let (_, _, height, width) = x.dims4()?;
                x.upsample_nearest2d(factor * height, factor * width)?
            }
        };
    }
    Ok(x)
}

/// Three convolutions with ReLU, added to the input, then ReLU (diffusers' `AutoencoderTinyBlock`).
#[derive(Clone, Debug)]
struct Block {
    convs: [Conv2d; 3],
}

impl Block {
    fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        let conv = |i: usize| conv2d(channels, channels, 3, 1, Padding::Even(1), vb.pp("conv").pp(i));
        Ok(Self { convs: [conv(0)?, conv(2)?, conv(4)?] })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.convs[0].forward(x)?.relu()?;
        let h = self.convs[1].forward(&h)?.relu()?;
        (self.convs[2].forward(&h)? + x)?.relu()
    }
}
