//! Where others may look into a network's attention: control networks that steer it, pictures that lend it
//! their features.

use std::fmt::Debug;

use candle_core::{Result, Tensor};

use super::Attention;

/// What the attention layers of a network are given beside the picture.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The encoded text, `[B, S, C]`.
    pub text: &'a Tensor,
    /// Who takes part in the attention; none as a rule, which costs nothing.
    pub hooks: Option<&'a dyn AttentionHooks>,
}

impl<'a> From<&'a Tensor> for Context<'a> {
    fn from(text: &'a Tensor) -> Self {
        Self { text, hooks: None }
    }
}

/// A transformer block as hooks see it.
#[derive(Clone, Copy, Debug)]
pub struct BlockPlace<'a> {
    /// Its path in diffusers' names: `down_blocks.1.attentions.0.transformer_blocks.0`.
    pub name: &'a str,
    /// Height and width of the feature map whose pixels are the tokens, row by row.
    pub size: (usize, usize),
}

/// Takes part in the attention of every transformer block.
pub trait AttentionHooks: Debug {
    /// The result of a block's self-attention over its normed input `normed` `[B, T, C]`, in place of
    /// `attention.forward(normed, normed)`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    fn self_attention(&self, block: BlockPlace<'_>, attention: &Attention, normed: &Tensor)
    -> Result<Tensor>;

    /// What a block's cross-attention makes its queries of, in place of `normed` `[B, T, C]`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    fn cross_query(&self, block: BlockPlace<'_>, normed: Tensor) -> Result<Tensor>;
}
