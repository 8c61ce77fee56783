//! Attention and the transformer blocks around it.

use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module as _, VarBuilder};

use super::hooks::{BlockPlace, Context};
use super::layers::{group_norm, layer_norm, linear, linear_no_bias, linear_or_conv1x1};
use crate::kernels::{self, GroupNorm, Linear};

/// Multi-head attention (diffusers' `Attention` with its default processor).
#[derive(Clone, Debug)]
pub struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
}

impl Attention {
    /// Queries from `channels`, keys and values from `context` channels, no bias but in the output.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(channels: usize, context: usize, heads: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            to_q: linear_no_bias(channels, channels, vb.pp("to_q"))?,
            to_k: linear_no_bias(context, channels, vb.pp("to_k"))?,
            to_v: linear_no_bias(context, channels, vb.pp("to_v"))?,
            to_out: linear(channels, channels, vb.pp("to_out").pp(0))?,
            heads,
        })
    }

    /// From layers that are already loaded.
    pub fn from_layers(to_q: Linear, to_k: Linear, to_v: Linear, to_out: Linear, heads: usize) -> Self {
        Self { to_q, to_k, to_v, to_out, heads }
    }

    /// `x` `[B, T, channels]` looks at `context` `[B, S, context]`. Self-attention is `context` = `x`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        self.to_out.forward(&self.look(x, context, context)?)
    }

    /// The same with keys and values made of different inputs, of as many tokens.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward_from(&self, queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
        self.to_out.forward(&self.look(queries, keys, values)?)
    }

    /// [`Attention::forward`] with `residual` added.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward_add(&self, x: &Tensor, context: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.to_out.forward_add(&self.look(x, context, context)?, residual)
    }

    /// All but the last layer.
    fn look(&self, queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
        let (q, k) = (self.to_q.forward(queries)?, self.to_k.forward(keys)?);
        kernels::attention(&q, &k, &self.to_v.forward(values)?, self.heads)
    }
}

/// Linear to 8 × the channels, GEGLU, linear back (diffusers' `FeedForward`, activation "geglu").
#[derive(Clone, Debug)]
pub struct FeedForward {
    proj: Linear,
    out: Linear,
}

impl FeedForward {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        let inner = 4 * channels;
        Ok(Self {
            proj: linear(channels, 2 * inner, vb.pp("net").pp(0).pp("proj"))?,
            out: linear(inner, channels, vb.pp("net").pp(2))?,
        })
    }

    /// `[B, T, C]` → `[B, T, C]`.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.out.forward(&kernels::geglu(&self.proj.forward(x)?)?)
    }

    /// The same with `residual` added.
    ///
    /// # Errors
    /// When the channels are others.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.out.forward_add(&kernels::geglu(&self.proj.forward(x)?)?, residual)
    }
}

/// Self-attention, cross-attention, feed-forward; each after a layer norm and added to its input
/// (diffusers' `BasicTransformerBlock`).
#[derive(Clone, Debug)]
pub struct BasicTransformerBlock {
    name: String,
    channels: usize,
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl BasicTransformerBlock {
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(channels: usize, context: usize, heads: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            name: place_in_network(&vb.prefix()).to_owned(),
            channels,
            norm1: layer_norm(channels, vb.pp("norm1"))?,
            attn1: Attention::new(channels, channels, heads, vb.pp("attn1"))?,
            norm2: layer_norm(channels, vb.pp("norm2"))?,
            attn2: Attention::new(channels, context, heads, vb.pp("attn2"))?,
            norm3: layer_norm(channels, vb.pp("norm3"))?,
            ff: FeedForward::new(channels, vb.pp("ff"))?,
        })
    }

    /// Its path in the network, in diffusers' names: `mid_block.attentions.0.transformer_blocks.0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width of its tokens.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `x` `[B, T, channels]`, the context's text `[B, S, context]` → `[B, T, channels]`. `size` is the height
    /// and width of the feature map that the tokens are the pixels of.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, context: Context<'_>, size: (usize, usize)) -> Result<Tensor> {
        let place = BlockPlace { name: &self.name, size };
        let normed = self.norm1.forward(x)?;
        let x = match context.hooks {
            None => self.attn1.forward_add(&normed, &normed, x)?,
            Some(hooks) => (hooks.self_attention(place, &self.attn1, &normed)? + x)?,
        };
        let mut query = self.norm2.forward(&x)?;
        if let Some(hooks) = context.hooks {
            query = hooks.cross_query(place, query)?;
        }
        let x = self.attn2.forward_add(&query, context.text, &x)?;
        self.ff.forward_add(&self.norm3.forward(&x)?, &x)
    }
}

/// The part of a weight's path that says where in the network it is, without the prefix of the network.
fn place_in_network(path: &str) -> &str {
    let starts = ["down_blocks.", "mid_block.", "up_blocks."].map(|part| path.find(part));
    starts.into_iter().flatten().min().map_or(path, |start| &path[start..])
}

/// The sizes of a [`Transformer2d`].
#[derive(Clone, Copy, Debug)]
pub struct TransformerConfig {
    /// Channels of the picture and inside.
    pub channels: usize,
    /// Channels of the context (the text).
    pub context: usize,
    /// Heads of each attention.
    pub heads: usize,
    /// Number of transformer blocks.
    pub depth: usize,
    /// Groups of the norm before them.
    pub groups: usize,
}

/// Transformer blocks over the pixels of a feature map (diffusers' `Transformer2DModel`).
#[derive(Clone, Debug)]
pub struct Transformer2d {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<BasicTransformerBlock>,
    proj_out: Linear,
}

impl Transformer2d {
    /// Projections may be linear or 1×1 convolutions (`use_linear_projection`): the same numbers, as both
    /// act on one pixel at a time.
    ///
    /// # Errors
    /// When a weight is missing or has another shape, or `heads` does not divide `channels`.
    pub fn new(config: TransformerConfig, vb: VarBuilder) -> Result<Self> {
        let TransformerConfig { channels, context, heads, depth, groups } = config;
        if heads == 0 || !channels.is_multiple_of(heads) {
            let name = vb.prefix();
            candle_core::bail!("{name}: expected heads that divide {channels} channels, found {heads}");
        }
        let block =
            |i| BasicTransformerBlock::new(channels, context, heads, vb.pp("transformer_blocks").pp(i));
        Ok(Self {
            // 1e-6, not the network's norm_eps: fixed in diffusers' Transformer2DModel.
            norm: group_norm(groups, channels, 1e-6, vb.pp("norm"))?,
            proj_in: linear_or_conv1x1(channels, channels, vb.pp("proj_in"))?,
            blocks: (0..depth).map(block).collect::<Result<_>>()?,
            proj_out: linear_or_conv1x1(channels, channels, vb.pp("proj_out"))?,
        })
    }

    /// Its transformer blocks, first to last.
    pub fn blocks(&self) -> &[BasicTransformerBlock] {
        &self.blocks
    }

    /// `x` `[B, C, H, W]`, the context's text `[B, S, context]` → `[B, C, H, W]`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, context: Context<'_>) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let pixels = self.norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let mut h = self.proj_in.forward(&pixels)?;
        for block in &self.blocks {
            h = block.forward(&h, context, (height, width))?;
        }
        let h = self.proj_out.forward(&h)?.transpose(1, 2)?.contiguous()?;
        h.reshape((batch, channels, height, width))? + x
    }
}
