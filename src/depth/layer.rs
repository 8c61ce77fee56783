//! The layers of vision transformers (Dosovitskiy et al. 2020), as transformers names them.

use candle_core::{DType, Result, Tensor};
use candle_nn::{LayerNorm, Module as _, VarBuilder, layer_norm};

use super::config::BackboneConfig;
use super::dpt_config::DptConfig;
use super::linear::linear;
use crate::kernels::{Linear, attention, gelu, joined};

/// Attention and a feed-forward block, each behind a norm and added to what went in.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    feed_forward: FeedForward,
}

impl Layer {
    /// A layer of DINOv2, with layer scale.
    pub(super) fn dinov2(config: &BackboneConfig, weights: VarBuilder) -> Result<Self> {
        let norm = |name: &str| layer_norm(config.hidden_size, config.layer_norm_eps, weights.pp(name));
        let scale = |name: &str| weights.get(config.hidden_size, name);
        let width = (config.hidden_size, config.num_attention_heads);
        let mut attention = Attention::new(width, config.qkv_bias, &weights.pp("attention"))?;
        attention.out = scaled(&attention.out, &scale("layer_scale1.lambda1")?)?;
        Ok(Self {
            norm1: norm("norm1")?,
            attention,
            norm2: norm("norm2")?,
            feed_forward: FeedForward::dinov2(config, &scale("layer_scale2.lambda1")?, &weights.pp("mlp"))?,
        })
    }

    /// A layer of a plain vision transformer.
    pub(super) fn plain(config: &DptConfig, weights: VarBuilder) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| layer_norm(width, config.layer_norm_eps, weights.pp(name));
        let heads = (width, config.num_attention_heads);
        Ok(Self {
            norm1: norm("layernorm_before")?,
            attention: Attention::new(heads, config.qkv_bias, &weights.pp("attention"))?,
            norm2: norm("layernorm_after")?,
            feed_forward: FeedForward::Gelu {
                widen: linear(width, inner, true, weights.pp("intermediate.dense"))?,
                narrow: linear(inner, width, true, weights.pp("output.dense"))?,
            },
        })
    }

    /// `[B, T, C]` → `[B, T, C]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention.forward_add(&self.norm1.forward(x)?, x)?;
        self.feed_forward.forward_add(&self.norm2.forward(&x)?, &x)
    }
}

/// The layer with its output multiplied by one factor a channel: layer scale costs nothing then.
fn scaled(layer: &Linear, factors: &Tensor) -> Result<Linear> {
    let weight = layer.weight().to_dtype(DType::F32)?.broadcast_mul(&factors.unsqueeze(1)?)?;
    let bias = layer.bias().map(|bias| bias * factors).transpose()?;
    Ok(Linear::new(weight, bias))
}

#[derive(Clone, Debug)]
struct Attention {
    /// Rows of query, key and value, one after another.
    qkv: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn new((width, heads): (usize, usize), qkv_bias: bool, weights: &VarBuilder) -> Result<Self> {
        if heads == 0 || !width.is_multiple_of(heads) {
            candle_core::bail!("expected hidden_size {width} to be a multiple of num_attention_heads")
        }
        let part = |name: &str| linear(width, width, qkv_bias, weights.pp(name));
        // transformers 5.24 calls them otherwise in memory than in published files.
        let is_short = weights.contains_tensor("q_proj.weight");
        let qkv = if weights.contains_tensor("qkv.weight") {
            linear(width, 3 * width, qkv_bias, weights.pp("qkv"))?
        } else if is_short {
            joined(&[part("q_proj")?, part("k_proj")?, part("v_proj")?])?
        } else {
            joined(&[part("attention.query")?, part("attention.key")?, part("attention.value")?])?
        };
        let out = if is_short { "o_proj" } else { "output.dense" };
        Ok(Self { qkv, out: linear(width, width, true, weights.pp(out))?, heads })
    }

    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let width = x.dim(2)?;
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| qkv.narrow(2, i * width, width)?.contiguous();
        self.out.forward_add(&attention(&part(0)?, &part(1)?, &part(2)?, self.heads)?, residual)
    }
}

#[derive(Clone, Debug)]
enum FeedForward {
    Gelu {
        widen: Linear,
        narrow: Linear,
    },
    /// silu(gate) · value (Shazeer 2020): the giant model.
    Gated {
        widen: Linear,
        narrow: Linear,
    },
}

impl FeedForward {
    fn dinov2(config: &BackboneConfig, scale: &Tensor, weights: &VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        let inner = (width as f64 * config.mlp_ratio) as usize;
        if !config.use_swiglu_ffn {
            return Ok(Self::Gelu {
                widen: linear(width, inner, true, weights.pp("fc1"))?,
                narrow: scaled(&linear(inner, width, true, weights.pp("fc2"))?, scale)?,
            });
        }
        // transformers keeps the number of weights and rounds up to a multiple of 8.
        let inner = (inner * 2 / 3).next_multiple_of(8);
        if weights.contains_tensor("gate_proj.weight") {
            let widen = |name: &str| linear(width, inner, true, weights.pp(name));
            return Ok(Self::Gated {
                widen: joined(&[widen("gate_proj")?, widen("up_proj")?])?,
                narrow: scaled(&linear(inner, width, true, weights.pp("down_proj"))?, scale)?,
            });
        }
        Ok(Self::Gated {
            widen: linear(width, 2 * inner, true, weights.pp("weights_in"))?,
            narrow: scaled(&linear(inner, width, true, weights.pp("weights_out"))?, scale)?,
        })
    }

    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu { widen, narrow } => narrow.forward_add(&gelu(&widen.forward(x)?)?, residual),
            Self::Gated { widen, narrow } => {
                narrow.forward_add(&candle_nn::ops::swiglu(&widen.forward(x)?)?, residual)
            }
        }
    }
}
