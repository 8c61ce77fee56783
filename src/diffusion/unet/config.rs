//! diffusers' config.json of UNets and ControlNets.

use candle_core::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diffusion::nn::{Options, PerLevel};

/// What a `UNet2DConditionModel` or `ControlNetModel` config says (diffusers 0.42.1). Any size is fine;
/// an option that is not supported is refused by [`UNetConfig::check`], by name.
#[derive(Clone, Debug, Deserialize)]
pub struct UNetConfig {
    /// Channels of the input: 4, or 9 for inpainting (latent, mask, masked latent).
    #[serde(default = "four")]
    pub in_channels: usize,
    /// Channels of the output.
    #[serde(default = "four")]
    pub out_channels: usize,
    /// Channels of each level, highest resolution first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks in each level's encoder half; the decoder half has one more.
    #[serde(default = "two")]
    pub layers_per_block: PerLevel,
    /// Kind of each level's encoder half.
    pub down_block_types: Vec<BlockType>,
    /// Kind of the middle; absent means the one with attention, null means none.
    #[serde(default = "cross_attention_mid")]
    pub mid_block_type: Option<String>,
    /// Kind of each decoder half, lowest resolution first. ControlNets have none.
    #[serde(default)]
    pub up_block_types: Vec<BlockType>,
    /// Width of the context, the same for all levels or one per level.
    pub cross_attention_dim: PerLevel,
    /// Misnamed in diffusers: the number of heads.
    #[serde(default = "eight")]
    pub attention_head_dim: PerLevel,
    /// The number of heads, when given beside `attention_head_dim`.
    #[serde(default)]
    pub num_attention_heads: Option<PerLevel>,
    /// Transformer blocks in each attention layer.
    #[serde(default = "one")]
    pub transformer_layers_per_block: PerLevel,
    /// Groups of every group norm.
    #[serde(default = "thirty_two")]
    pub norm_num_groups: usize,
    /// Added to the variance in residual blocks and before the output.
    #[serde(default = "eps")]
    pub norm_eps: f64,
    /// Whether cosines come before sines in the timestep embedding.
    #[serde(default = "yes")]
    pub flip_sin_to_cos: bool,
    /// Subtracted from the divisor of the timestep embedding's frequencies.
    #[serde(default)]
    pub freq_shift: f64,
    /// Width of the time embedding; 4 × the first level's channels when absent.
    #[serde(default)]
    pub time_embedding_dim: Option<usize>,
    /// `text_time` (SDXL) or none.
    #[serde(default)]
    pub addition_embed_type: Option<String>,
    /// Width of each added number's sinusoid (SDXL).
    #[serde(default)]
    pub addition_time_embed_dim: Option<usize>,
    /// Width of the added vector: pooled text and all sinusoids (SDXL).
    #[serde(default)]
    pub projection_class_embeddings_input_dim: Option<usize>,
    /// Side of the first convolution's window.
    #[serde(default = "three")]
    pub conv_in_kernel: usize,
    /// Side of the last convolution's window.
    #[serde(default = "three")]
    pub conv_out_kernel: usize,
    /// Everything else that the file says.
    #[serde(flatten)]
    pub other: Options,
}

/// The kind of one level of a UNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum BlockType {
    /// Encoder half without attention.
    DownBlock2D,
    /// Encoder half with attention.
    CrossAttnDownBlock2D,
    /// Decoder half without attention.
    UpBlock2D,
    /// Decoder half with attention.
    CrossAttnUpBlock2D,
}

/// The sizes of one level of a UNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Channels.
    pub channels: usize,
    /// Residual blocks of the encoder half.
    pub layers: usize,
    /// Heads of each attention.
    pub heads: usize,
    /// Transformer blocks in each attention layer.
    pub depth: usize,
    /// Width of the context.
    pub context: usize,
}

impl UNetConfig {
    /// Options without effect on the result: sizes of training data, training-only and precision
    /// switches (everything is computed in f32), and options of parts that are switched off.
    const INERT: [&str; 5] = [
        "sample_size",
        "dropout",
        "upcast_attention",
        "use_linear_projection",
        "addition_embed_type_num_heads",
    ];

    /// Passes when this config describes a network that kinora can build.
    ///
    /// # Errors
    /// The first option that it cannot follow, by name, with expected and found value.
    pub fn check(&self) -> Result<()> {
        self.other.check(&Self::INERT, &fixed_options())?;
        let levels = self.block_out_channels.len();
        if levels == 0 {
            candle_core::bail!("option `block_out_channels`: expected at least one level, found none");
        }
        let lists = [("down_block_types", &self.down_block_types), ("up_block_types", &self.up_block_types)];
        for (name, list) in lists {
            let is_up = name == "up_block_types";
            if list.len() != levels && !(is_up && list.is_empty()) {
                candle_core::bail!("option `{name}`: expected {levels} entries, found {}", list.len());
            }
            if let Some(kind) = list.iter().find(|kind| kind.is_up() != is_up) {
                candle_core::bail!("option `{name}`: {kind:?} belongs to the other half");
            }
        }
        self.check_middle()?;
        self.check_added()?;
        self.levels().map(|_| ())
    }

    /// The middle is the known one or none.
    fn check_middle(&self) -> Result<()> {
        match self.mid_block_type.as_deref() {
            None | Some("UNetMidBlock2DCrossAttn") => Ok(()),
            Some(other) => candle_core::bail!(
                "option `mid_block_type`: expected \"UNetMidBlock2DCrossAttn\", found \"{other}\", which kinora does not support"
            ),
        }
    }

    /// The added condition is SDXL's, complete, or none.
    fn check_added(&self) -> Result<()> {
        match self.addition_embed_type.as_deref() {
            None if self.projection_class_embeddings_input_dim.is_some() => candle_core::bail!(
                "option `projection_class_embeddings_input_dim`: expected none without `addition_embed_type`"
            ),
            None => Ok(()),
            Some("text_time") => {
                for (name, value) in [
                    ("addition_time_embed_dim", self.addition_time_embed_dim),
                    ("projection_class_embeddings_input_dim", self.projection_class_embeddings_input_dim),
                ] {
                    if value.is_none() {
                        candle_core::bail!("option `{name}`: expected a number, found none");
                    }
                }
                Ok(())
            }
            Some(other) => candle_core::bail!(
                "option `addition_embed_type`: expected \"text_time\" or none, found \"{other}\", which kinora does not support"
            ),
        }
    }

    /// The sizes of every level, highest resolution first.
    ///
    /// # Errors
    /// When a list has another number of entries than `block_out_channels`.
    pub fn levels(&self) -> Result<Vec<Level>> {
        let count = self.block_out_channels.len();
        let layers = self.layers_per_block.levels(count, "layers_per_block")?;
        let heads = match &self.num_attention_heads {
            Some(heads) => heads.levels(count, "num_attention_heads")?,
            None => self.attention_head_dim.levels(count, "attention_head_dim")?,
        };
        let depth = self.transformer_layers_per_block.levels(count, "transformer_layers_per_block")?;
        let context = self.cross_attention_dim.levels(count, "cross_attention_dim")?;
        Ok((0..count)
            .map(|i| Level {
                channels: self.block_out_channels[i],
                layers: layers[i],
                heads: heads[i],
                depth: depth[i],
                context: context[i],
            })
            .collect())
    }

    /// Width of the time embedding.
    pub fn time_width(&self) -> usize {
        self.time_embedding_dim.unwrap_or(4 * self.block_out_channels.first().copied().unwrap_or(0))
    }
}

impl BlockType {
    /// Whether it is a decoder half.
    pub fn is_up(self) -> bool {
        matches!(self, Self::UpBlock2D | Self::CrossAttnUpBlock2D)
    }

    /// Whether it has attention.
    pub fn has_attention(self) -> bool {
        matches!(self, Self::CrossAttnDownBlock2D | Self::CrossAttnUpBlock2D)
    }
}

/// Options that must have one value.
fn fixed_options() -> [(&'static str, Value); 8] {
    [
        ("act_fn", json!("silu")),
        ("downsample_padding", json!(1)),
        ("mid_block_scale_factor", json!(1)),
        ("resnet_time_scale_shift", json!("default")),
        ("resnet_out_scale_factor", json!(1)),
        ("time_embedding_type", json!("positional")),
        ("attention_type", json!("default")),
        ("controlnet_conditioning_channel_order", json!("rgb")),
    ]
}

fn one() -> PerLevel {
    PerLevel::One(1)
}

fn two() -> PerLevel {
    PerLevel::One(2)
}

fn eight() -> PerLevel {
    PerLevel::One(8)
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

fn eps() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn cross_attention_mid() -> Option<String> {
    Some("UNetMidBlock2DCrossAttn".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small config with `change` laid over it.
    fn config(change: &Value) -> UNetConfig {
        let mut base = json!({
            "block_out_channels": [8, 16], "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "cross_attention_dim": 12,
        });
        for (key, value) in change.as_object().unwrap() {
            base[key] = value.clone();
        }
        serde_json::from_value(base).unwrap()
    }

    #[test]
    fn heads_come_from_attention_head_dim_and_lists_from_the_highest_resolution() {
        let levels = config(&json!({"attention_head_dim": [2, 4], "transformer_layers_per_block": [1, 3]}));
        let levels = levels.levels().unwrap();
        assert_eq!(levels[1], Level { channels: 16, layers: 2, heads: 4, depth: 3, context: 12 });
    }

    #[test]
    fn every_unsupported_option_is_refused_by_name() {
        for (name, value) in [
            ("class_embed_type", json!("timestep")),
            ("num_class_embeds", json!(1000)),
            ("only_cross_attention", json!(true)),
            ("only_cross_attention", json!([true, false])),
            ("dual_cross_attention", json!(true)),
            ("time_cond_proj_dim", json!(256)),
            ("encoder_hid_dim", json!(4096)),
            ("center_input_sample", json!(true)),
            ("resnet_time_scale_shift", json!("scale_shift")),
            ("mid_block_type", json!("UNetMidBlock2DSimpleCrossAttn")),
            ("addition_embed_type", json!("image")),
            ("addition_embed_type", json!("text_time")),
            ("down_block_types", json!(["DownBlock2D"])),
            ("up_block_types", json!(["DownBlock2D", "UpBlock2D"])),
            ("attention_head_dim", json!([1, 2, 3])),
            ("attention_type", json!("gated")),
            ("a_new_option", json!(1)),
        ] {
            let error = config(&json!({ name: value })).check().unwrap_err().to_string();
            assert!(error.contains('`'), "{name}: {error}");
            assert!(error.contains(name) || name == "addition_embed_type", "{name}: {error}");
        }
        config(&json!({})).check().unwrap();
    }
}
