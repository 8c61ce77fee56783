//! diffusers' config.json of the usual autoencoder.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::json;

use crate::diffusion::nn::{Options, ResnetBlock};

/// Added to the variance in every norm: fixed in diffusers' `Encoder` and `Decoder`.
pub(super) const EPS: f64 = 1e-6;

/// What an `AutoencoderKL` config says. Any size is fine.
#[derive(Clone, Debug, Deserialize)]
pub struct KlConfig {
    /// Channels of the picture that goes in.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of the picture that comes out.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of each level, highest resolution first.
    pub block_out_channels: Vec<usize>,
    /// Kind of each encoder level; one is supported.
    #[serde(default)]
    pub down_block_types: Vec<String>,
    /// Kind of each decoder level; one is supported.
    #[serde(default)]
    pub up_block_types: Vec<String>,
    /// Residual blocks of each encoder level; a decoder level has one more.
    #[serde(default = "one")]
    pub layers_per_block: usize,
    /// Channels of the latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// Groups of every group norm.
    #[serde(default = "thirty_two")]
    pub norm_num_groups: usize,
    /// What the encoder's mean is multiplied by for the UNet.
    #[serde(default = "usual_scale")]
    pub scaling_factor: f64,
    /// What is subtracted from the mean before.
    #[serde(default)]
    pub shift_factor: Option<f64>,
    /// Whether a 1×1 convolution follows the encoder.
    #[serde(default = "yes")]
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution precedes the decoder.
    #[serde(default = "yes")]
    pub use_post_quant_conv: bool,
    /// Whether the middle has attention.
    #[serde(default = "yes")]
    pub mid_block_add_attention: bool,
    /// Everything else that the file says.
    #[serde(flatten)]
    pub other: Options,
}

fn one() -> usize {
    1
}

fn three() -> usize {
    3
}

fn four() -> usize {
    4
}

fn thirty_two() -> usize {
    32
}

fn usual_scale() -> f64 {
    0.18215
}

fn yes() -> bool {
    true
}

impl KlConfig {
    /// Passes when this config describes a network that kinora can build.
    ///
    /// # Errors
    /// The first option that it cannot follow, by name, with expected and found value.
    pub fn check(&self) -> Result<()> {
        // Everything is computed in f32, so the half-precision switch changes nothing.
        self.other.check(&["sample_size", "force_upcast"], &[("act_fn", json!("silu"))])?;
        let levels = self.block_out_channels.len();
        if levels == 0 || self.latent_channels == 0 {
            candle_core::bail!("options `block_out_channels`, `latent_channels`: expected some, found none");
        }
        for (name, expected, kinds) in [
            ("down_block_types", "DownEncoderBlock2D", &self.down_block_types),
            ("up_block_types", "UpDecoderBlock2D", &self.up_block_types),
        ] {
            if let Some(found) = kinds.iter().find(|kind| *kind != expected) {
                candle_core::bail!(
                    "option `{name}`: expected \"{expected}\", found \"{found}\", which kinora does not support"
                );
            }
            if !kinds.is_empty() && kinds.len() != levels {
                candle_core::bail!("option `{name}`: expected {levels} entries, found {}", kinds.len());
            }
        }
        Ok(())
    }

    /// Memory in bytes that a pixel of the picture takes at the most: three maps of the widest level at the
    /// full resolution, which in the decoder is the second.
    pub fn bytes_per_pixel(&self) -> usize {
        let widest = self.block_out_channels.iter().take(2).max().copied().unwrap_or(0);
        3 * widest * size_of::<f32>()
    }

    /// A residual block of this network.
    pub(super) fn resnet(&self, inputs: usize, outputs: usize, vb: VarBuilder) -> Result<ResnetBlock> {
        ResnetBlock::new(inputs, outputs, None, self.norm_num_groups, EPS, vb)
    }
}
