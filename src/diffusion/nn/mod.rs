//! The layers that the networks share, on candle, with diffusers' names for their weights.
//!
//! A layer owns its weights and takes them from a [`candle_nn::VarBuilder`], so whoever builds that can
//! rename or merge weights (LoRA, single-file checkpoints) without a word here.

mod attention;
mod hooks;
mod layers;
mod options;
mod resample;
mod resnet;
mod timestep;

pub use attention::{Attention, BasicTransformerBlock, FeedForward, Transformer2d, TransformerConfig};
pub use hooks::{AttentionHooks, BlockPlace, Context};
pub use layers::{conv2d, group_norm, layer_norm, linear, linear_no_bias, linear_or_conv1x1, weight};
pub use options::{Options, PerLevel};
pub use resample::{Downsample, Upsample};
pub use resnet::{Norm, ResnetBlock};
pub use timestep::{TimestepEmbedding, sinusoid};
