//! What takes part in the attention of the real pass: light control networks, and remembered pictures.

use candle_core::{Result, Tensor};

use super::controlnet::{LlliteHint, Projection};
use super::nn::{Attention, AttentionHooks, BlockPlace};
use super::reference::Bank;

/// Hooks of one pass of the network.
#[derive(Debug)]
pub struct Steering<'a> {
    /// ControlLLLites that count now, with their weights. Each looks at the same input, and their shifts add up
    /// (sd-webui-controlnet's rule).
    pub lllites: Vec<(&'a LlliteHint<'a>, f64)>,
    /// What blocks remember of reference pictures.
    pub bank: &'a Bank,
    /// How many rows at the end carry the negative prompt.
    pub negative: usize,
}

impl Steering<'_> {
    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.lllites.is_empty() && self.bank.is_empty()
    }

    /// The input of a projection with what the light networks add to it.
    fn shifted(&self, block: BlockPlace<'_>, projection: Projection, input: &Tensor) -> Result<Tensor> {
        let mut sum = input.clone();
        for (lllite, weight) in &self.lllites {
            if let Some(shift) = lllite.shift(block, projection, input)? {
                sum = (sum + (shift * *weight)?)?;
            }
        }
        Ok(sum)
    }
}

impl AttentionHooks for Steering<'_> {
    fn self_attention(
        &self,
        block: BlockPlace<'_>,
        attention: &Attention,
        normed: &Tensor,
    ) -> Result<Tensor> {
        let queries = self.shifted(block, Projection::SelfQuery, normed)?;
        let keys = self.shifted(block, Projection::SelfKey, normed)?;
        let values = self.shifted(block, Projection::SelfValue, normed)?;
        match self.bank.attend(block, attention, [&queries, &keys, &values], self.negative)? {
            Some(attended) => Ok(attended),
            None => attention.forward_from(&queries, &keys, &values),
        }
    }

    fn cross_query(&self, block: BlockPlace<'_>, normed: Tensor) -> Result<Tensor> {
        self.shifted(block, Projection::CrossQuery, &normed)
    }
}
