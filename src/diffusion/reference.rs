//! «Reference-only» control: the picture under way looks at a second picture through its self-attention.
//!
//! Each time the network is asked, the reference picture's latent is noised to the same level and goes through
//! the network too; every transformer block remembers what its self-attention looked at, and the real pass
//! attends over its own tokens and the remembered ones. The rules are those of sd-webui-controlnet
//! (`reference_only`): which blocks take part, what the negative prompt's rows see, how fidelity mixes the two.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{Result, Tensor};

use super::guidance::ControlMode;
use super::nn::{Attention, AttentionHooks, BlockPlace};
use super::sampler::NoiseSource;
use super::unet::UNet;

/// Below this fidelity the negative prompt's rows are treated as the others, which saves an attention
/// (sd-webui-controlnet's threshold).
const NO_FIDELITY: f64 = 1e-5;

/// A reference picture at work.
pub struct ReferenceUnit<'a> {
    /// The picture's latent in the UNet's scale, `[1, C, h, w]`.
    pub latent: Tensor,
    /// Which blocks take part, 0 to 1: the widest first, all of them above `1 - 1 / blocks`; none at 0.
    pub weight: f64,
    /// How far the negative prompt's rows are kept from seeing the picture, 0 to 1: the larger, the more guidance
    /// pulls towards it. Only for [`ControlMode::Balanced`], the other modes fix it at 0 and 1.
    pub fidelity: f64,
    /// First moment at which it counts, as a share of the run.
    pub start: f64,
    /// Last moment at which it counts, as a share of the run.
    pub end: f64,
    /// «My prompt is more important» is fidelity 0, «ControlNet is more important» fidelity 1.
    pub mode: ControlMode,
    /// Noise for the latent, one draw of its shape whenever the network is asked.
    pub noise: Box<dyn NoiseSource + 'a>,
}

impl std::fmt::Debug for ReferenceUnit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { latent, weight, fidelity, start, end, mode, noise: _ } = self;
        let mut parts = f.debug_struct("ReferenceUnit");
        parts.field("latent", latent).field("weight", weight).field("fidelity", fidelity);
        parts.field("start", start).field("end", end).field("mode", mode).finish_non_exhaustive()
    }
}

impl ReferenceUnit<'_> {
    /// The fidelity that the mode leaves.
    fn style(&self) -> f64 {
        match self.mode {
            ControlMode::Balanced => self.fidelity.clamp(0.0, 1.0),
            ControlMode::Prompt => 0.0,
            ControlMode::Control => 1.0,
        }
    }

    /// What goes through the network in front of the real pass: `rows` times the latent at a noise level whose
    /// share of signal is `alpha` (cumulative, 0 to 1), with the same noise in every row.
    ///
    /// # Errors
    /// When the source of noise has run out or its shape is another.
    pub fn noised(&mut self, rows: usize, alpha: f64) -> crate::error::Result<Tensor> {
        let noise = self.noise.next(1.0, 1.0)?;
        let noised = super::sampler::mix([(alpha.sqrt(), &self.latent), ((1.0 - alpha).sqrt(), &noise)])?;
        Tensor::cat(&vec![&noised; rows], 0).map_err(|e| crate::error::Error::Bug(e.to_string()))
    }
}

/// The rank of each block as a share of their number, 0 for the widest. Equally wide ones stand in the order of
/// diffusers' modules: encoder, decoder, middle. (sd-webui has the middle in front of the decoder: with Stable
/// Diffusion 1.5 that makes a difference for weights below 0.32.)
pub fn ranks(unet: &UNet) -> BTreeMap<String, f64> {
    let mut blocks: Vec<(&str, usize)> =
        unet.transformer_blocks().map(|block| (block.name(), block.channels())).collect();
    blocks.sort_by_key(|(name, channels)| (std::cmp::Reverse(*channels), name.starts_with("mid_block.")));
    let count = blocks.len() as f64;
    blocks.iter().enumerate().map(|(rank, (name, _))| ((*name).to_owned(), rank as f64 / count)).collect()
}

/// What blocks remember of reference pictures, for one pass.
#[derive(Debug, Default)]
pub struct Bank {
    blocks: RefCell<BTreeMap<String, Vec<(Tensor, f64)>>>,
}

impl Bank {
    /// Whether nothing was remembered.
    pub fn is_empty(&self) -> bool {
        self.blocks.borrow().is_empty()
    }

    /// Hooks that remember what `unit`'s picture looks like to the blocks that take part.
    pub fn writer<'a>(&'a self, ranks: &'a BTreeMap<String, f64>, unit: &ReferenceUnit<'_>) -> Writer<'a> {
        Writer { bank: self, ranks, weight: unit.weight, style: unit.style() }
    }

    /// A block's self-attention from the inputs of its queries, keys and values (`[B, T, C]` each) over its own
    /// tokens and what it remembers; the last `negative` rows carry the negative prompt. `None` when this block
    /// remembers nothing.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn attend(
        &self,
        block: BlockPlace<'_>,
        attention: &Attention,
        [queries, keys, values]: [&Tensor; 3],
        negative: usize,
    ) -> Result<Option<Tensor>> {
        let blocks = self.blocks.borrow();
        let Some(remembered) = blocks.get(block.name) else { return Ok(None) };
        let with = |own: &Tensor| {
            let all: Vec<&Tensor> = std::iter::once(own).chain(remembered.iter().map(|(x, _)| x)).collect();
            Tensor::cat(&all, 1)
        };
        let both = attention.forward_from(queries, &with(keys)?, &with(values)?)?;
        let style = remembered.iter().map(|(_, style)| style).sum::<f64>() / remembered.len() as f64;
        if negative == 0 || style <= NO_FIDELITY {
            return Ok(Some(both));
        }
        let positive = both.dim(0)? - negative;
        let rows = |x: &Tensor| x.narrow(0, positive, negative);
        let own = attention.forward_from(&rows(queries)?, &rows(keys)?, &rows(values)?)?;
        let mixed = ((own * style)? + (rows(&both)? * (1.0 - style))?)?;
        if positive == 0 {
            return Ok(Some(mixed));
        }
        Tensor::cat(&[&both.narrow(0, 0, positive)?, &mixed], 0).map(Some)
    }
}

/// See [`Bank::writer`].
#[derive(Debug)]
pub struct Writer<'a> {
    bank: &'a Bank,
    ranks: &'a BTreeMap<String, f64>,
    weight: f64,
    style: f64,
}

impl AttentionHooks for Writer<'_> {
    fn self_attention(
        &self,
        block: BlockPlace<'_>,
        attention: &Attention,
        normed: &Tensor,
    ) -> Result<Tensor> {
        if self.ranks.get(block.name).is_some_and(|rank| self.weight > *rank) {
            let mut blocks = self.bank.blocks.borrow_mut();
            blocks.entry(block.name.to_owned()).or_default().push((normed.clone(), self.style));
        }
        attention.forward(normed, normed)
    }

    fn cross_query(&self, _: BlockPlace<'_>, normed: Tensor) -> Result<Tensor> {
        Ok(normed)
    }
}
