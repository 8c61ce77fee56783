//! Autoencoders: from pictures to latents and back.

mod kl;
mod kl_config;
mod tiles;
mod tiny;

pub use kl::{AutoencoderKl, Posterior};
pub use kl_config::KlConfig;
pub use tiles::Tiling;
pub use tiny::{AutoencoderTiny, TinyConfig};

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

use crate::models::ModelFolder;

/// Any autoencoder's config.json; `_class_name` says which.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "_class_name")]
pub enum AutoencoderConfig {
    /// The usual one.
    #[serde(rename = "AutoencoderKL")]
    Kl(KlConfig),
    /// The small one (TAESD).
    #[serde(rename = "AutoencoderTiny")]
    Tiny(TinyConfig),
}

impl AutoencoderConfig {
    /// Memory in bytes that a pixel of the picture takes at the most.
    pub fn bytes_per_pixel(&self) -> usize {
        match self {
            Self::Kl(config) => config.bytes_per_pixel(),
            Self::Tiny(config) => config.bytes_per_pixel(),
        }
    }

    /// Pixels per latent pixel, along each side.
    pub fn downscale(&self) -> usize {
        let levels = match self {
            Self::Kl(config) => config.block_out_channels.len(),
            Self::Tiny(config) => config.encoder_block_out_channels.len(),
        };
        1 << levels.saturating_sub(1).min(16)
    }
}

/// Any autoencoder.
#[derive(Clone, Debug)]
pub enum Autoencoder {
    /// The usual one.
    Kl(Box<AutoencoderKl>),
    /// The small one (TAESD).
    Tiny(AutoencoderTiny),
}

impl Autoencoder {
    /// Builds the network that `config` describes from the weights of `vb`.
    ///
    /// # Errors
    /// When the config asks for something unsupported, or a weight is missing or has another shape.
    pub fn new(config: &AutoencoderConfig, vb: VarBuilder) -> Result<Self> {
        match config {
            AutoencoderConfig::Kl(config) => Ok(Self::Kl(Box::new(AutoencoderKl::new(config, vb)?))),
            AutoencoderConfig::Tiny(config) => AutoencoderTiny::new(config, vb).map(Self::Tiny),
        }
    }

    /// Reads `config.json` and the weights of a folder.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when a file is missing, the config asks for something unsupported, or a weight is
    /// missing or has another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> crate::error::Result<Self> {
        let config = folder.json("config.json")?;
        folder.network("VAE", device, |weights| Self::new(&config, weights))
    }

    /// Pictures `[B, 3, H, W]`, RGB in −1..1, to latents `[B, latent_channels, H/f, W/f]` in the UNet's scale.
    /// The same picture always gives the same latent: the distribution's mean, nothing is drawn.
    ///
    /// # Errors
    /// When the shape is another.
    pub fn encode(&self, image: &Tensor) -> Result<Tensor> {
        each_item(image, |image| self.encode_one(image))
    }

    fn encode_one(&self, image: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kl(kl) => {
                kl.encode(image)?.mean.affine(kl.scaling_factor(), -kl.shift() * kl.scaling_factor())
            }
            Self::Tiny(tiny) => tiny.encode(image)?.affine(tiny.scaling_factor(), 0.0),
        }
    }

    /// Latents in the UNet's scale to pictures, RGB about −1..1 (not clipped).
    ///
    /// # Errors
    /// When the shape is another.
    pub fn decode(&self, latent: &Tensor) -> Result<Tensor> {
        each_item(latent, |latent| self.decode_one(latent))
    }

    fn decode_one(&self, latent: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kl(kl) => kl.decode(&latent.affine(1.0 / kl.scaling_factor(), kl.shift())?),
            Self::Tiny(tiny) => tiny.decode(&latent.affine(1.0 / tiny.scaling_factor(), 0.0)?),
        }
    }

    /// What the encoder's result is multiplied by.
    pub fn scaling_factor(&self) -> f64 {
        match self {
            Self::Kl(kl) => kl.scaling_factor(),
            Self::Tiny(tiny) => tiny.scaling_factor(),
        }
    }

    /// Pixels per latent pixel, along each side.
    pub fn downscale(&self) -> usize {
        match self {
            Self::Kl(kl) => kl.downscale(),
            Self::Tiny(tiny) => tiny.downscale(),
        }
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        match self {
            Self::Kl(kl) => kl.latent_channels(),
            Self::Tiny(tiny) => tiny.latent_channels(),
        }
    }
}

/// Runs `work` on one item of a batch after the other: a batch takes the memory of one picture.
fn each_item(x: &Tensor, work: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let count = x.dim(0)?;
    if count <= 1 {
        return work(x);
    }
    let items = (0..count).map(|i| work(&x.narrow(0, i, 1)?.contiguous()?)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&items, 0)
}
