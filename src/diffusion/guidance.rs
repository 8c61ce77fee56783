//! The real denoiser: a UNet with classifier-free guidance, ControlNets and an inpainting mask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::conditions::{Batch, Conditions, Stage};
use super::controlnet::{ControlNet, ControlResiduals, LlliteHint};
use super::engine::SAME_LEVEL;
use super::nn::AttentionHooks;
use super::reference::{Bank, ReferenceUnit, ranks};
use super::sampler::{Denoiser, mix};
use super::sigmas::NoiseSchedule;
use super::steering::Steering;
use super::unet::{AddedCond, UNet};
use crate::error::Result;
use crate::models::model_error;

/// What a ControlNet and the prompt mean to each other (sd-webui-controlnet's control mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlMode {
    /// Every residual counts by the weight.
    #[default]
    Balanced,
    /// «My prompt is more important»: the finer a residual, the less it counts.
    Prompt,
    /// «ControlNet is more important»: as `Prompt`, and the unconditional half is not controlled, so that
    /// guidance pulls towards the hint too.
    Control,
}

/// A ControlNet at work.
#[derive(Clone, Debug)]
pub struct ControlUnit<'a> {
    /// The network.
    pub net: &'a ControlNet,
    /// What it looks at: `[1, 3, H, W]`, RGB in 0..=1, in the size of the picture.
    pub hint: Tensor,
    /// How much its residuals count; 0 is as good as absent, 1 is as trained.
    pub weight: f64,
    /// First moment at which it counts, as a share of the run.
    pub start: f64,
    /// Last moment at which it counts, as a share of the run.
    pub end: f64,
    /// What matters more.
    pub mode: ControlMode,
}

/// A ControlLLLite at work. Control modes mean nothing to it, as in sd-webui-controlnet.
#[derive(Debug)]
pub struct LlliteUnit<'a> {
    /// The network, which has seen its hint.
    pub hint: LlliteHint<'a>,
    /// How much its shifts count; 0 is as good as absent, 1 is as trained.
    pub weight: f64,
    /// First moment at which it counts, as a share of the run.
    pub start: f64,
    /// Last moment at which it counts, as a share of the run.
    pub end: f64,
}

/// Whether a unit of any kind counts now. sd-webui compares the window with the last *finished* step, which is 0
/// in the first two steps, divided by the number of steps.
fn counts(weight: f64, (start, end): (f64, f64), (finished, steps): (usize, usize)) -> bool {
    let moment = finished as f64 / steps.max(1) as f64;
    weight != 0.0 && start <= moment && moment <= end
}

impl ControlUnit<'_> {
    /// The second argument is the numbers of rows with the prompt and with the negative prompt.
    fn weigh(
        &self,
        residuals: &ControlResiduals,
        (positive, negative): (usize, usize),
    ) -> candle_core::Result<ControlResiduals> {
        let weighed = match self.mode {
            ControlMode::Balanced => residuals.scale(self.weight)?,
            ControlMode::Prompt | ControlMode::Control => residuals.scale_soft(self.weight)?,
        };
        // sd-webui never controls the negative prompt with a network that pools.
        let is_positive_only = self.mode == ControlMode::Control || self.net.pools();
        if is_positive_only && negative > 0 {
            return weighed.scale_rows(&[vec![1.0; positive], vec![0.0; negative]].concat());
        }
        Ok(weighed)
    }
}

/// What the text says to the networks, the same throughout a run; [`Conditions`] change on the way.
#[derive(Clone, Debug)]
pub struct Conditioning {
    /// `[2, T, C]`: the prompt, then the negative prompt; or `[1, T, C]` without guidance. With `parts` one row
    /// for each of them.
    pub context: Tensor,
    /// SDXL's added condition, with as many rows.
    pub added: Option<AddedCond>,
    /// Scale of classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): 1 is the prompt alone.
    pub guidance: f64,
    /// Weights of several prompts that are composed; `None` for one prompt and its negative.
    pub parts: Option<Parts>,
}

/// Composed prompts: the network looks at each of them, and the predictions are summed (Liu et al. 2022,
/// arXiv:2206.01714; sd-webui's `AND`, which knows one negative prompt only).
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Weights of the first rows of the context, each times the guidance.
    pub positive: Vec<f64>,
    /// Weights of the rows behind them, summing to 1; none without guidance.
    pub negative: Vec<f64>,
}

/// What an inpainting run keeps.
#[derive(Clone, Debug)]
pub enum Inpaint {
    /// Any model: where `keep` (`[1, 1, h, w]`, 0 repaint to 1 keep) is 1, every estimate is replaced by the
    /// latent `init` (`[1, C, h, w]`). sd-webui's rule.
    Blend {
        /// What stays.
        keep: Tensor,
        /// The latent under the mask.
        init: Tensor,
    },
    /// An inpainting model: `[1, 5, h, w]`, the mask (1 repaint) and the latent of the masked picture, which
    /// the UNet sees behind the noisy latent.
    Channels(Tensor),
    /// Any model: each place is held to the latent `init` (`[1, C, h, w]`) until the run reaches its own level in
    /// `starts` (`[1, 1, h, w]`, a sigma; 0 is never). Differential diffusion, see
    /// [`PaintFill`](super::engine::PaintFill).
    Levels {
        /// Where each place runs free.
        starts: Tensor,
        /// The latent of the picture underneath.
        init: Tensor,
    },
}

/// UNet, guidance and controls as a [`Denoiser`].
#[derive(Debug)]
pub struct GuidedDenoiser<'a> {
    unet: &'a UNet,
    schedule: &'a NoiseSchedule,
    conditions: Conditions,
    controls: Vec<ControlUnit<'a>>,
    lllites: Vec<LlliteUnit<'a>>,
    references: Vec<ReferenceUnit<'a>>,
    ranks: BTreeMap<String, f64>,
    blend: Option<(Tensor, Tensor)>,
    channels: Option<Tensor>,
    levels: Option<(Tensor, Tensor)>,
    steps: usize,
    before: usize,
    finished: usize,
    calls: usize,
    place: PathBuf,
}

impl<'a> GuidedDenoiser<'a> {
    /// A denoiser for a run of `steps` steps: of [`Conditioning`], or of [`Conditions`] that change from call to
    /// call. `place` is where the model lies, for messages.
    pub fn new(
        unet: &'a UNet,
        schedule: &'a NoiseSchedule,
        conditions: impl Into<Conditions>,
        steps: usize,
        place: &Path,
    ) -> Self {
        Self {
            unet,
            schedule,
            conditions: conditions.into(),
            controls: Vec::new(),
            lllites: Vec::new(),
            references: Vec::new(),
            ranks: BTreeMap::new(),
            blend: None,
            channels: None,
            levels: None,
            steps,
            before: 0,
            finished: 0,
            calls: 0,
            place: place.to_owned(),
        }
    }

    /// The same with ControlNets, whose residuals are added up.
    #[must_use]
    pub fn with_controls(self, controls: Vec<ControlUnit<'a>>) -> Self {
        Self { controls, ..self }
    }

    /// The same with ControlLLLites, whose shifts are added up.
    #[must_use]
    pub fn with_lllites(self, lllites: Vec<LlliteUnit<'a>>) -> Self {
        Self { lllites, ..self }
    }

    /// The same with reference pictures.
    #[must_use]
    pub fn with_references(self, references: Vec<ReferenceUnit<'a>>) -> Self {
        let ranks = if references.is_empty() { BTreeMap::new() } else { ranks(self.unet) };
        Self { references, ranks, ..self }
    }

    /// The same with a mask. Each kind may be given, one after the other.
    #[must_use]
    pub fn with_inpaint(self, inpaint: Inpaint) -> Self {
        match inpaint {
            Inpaint::Blend { keep, init } => Self { blend: Some((keep, init)), ..self },
            Inpaint::Channels(channels) => Self { channels: Some(channels), ..self },
            Inpaint::Levels { starts, init } => Self { levels: Some((starts, init)), ..self },
        }
    }

    /// Says that `steps` steps of the run were made by a sampler before the next one, which counts from 0 again.
    pub fn go_on_from(&mut self, steps: usize) {
        self.before = steps;
    }

    /// The network's output for a latent of the VP scale, guided.
    fn predict(&mut self, x: &Tensor, t: f64, stage: &Stage) -> candle_core::Result<Tensor> {
        let outs = stage
            .batches()
            .iter()
            .map(|batch| self.predict_batch(x, t, batch))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let out = if outs.len() == 1 { outs[0].clone() } else { Tensor::cat(&outs, 0)? };
        stage.guide(&out)
    }

    /// The network's output for each row of a batch.
    fn predict_batch(&mut self, x: &Tensor, t: f64, batch: &Batch) -> candle_core::Result<Tensor> {
        let count = batch.positive + batch.negative;
        let rows = if count == 1 { x.clone() } else { Tensor::cat(&vec![x; count], 0)? };
        let bank = self.remembered(batch, t)?;
        let moment = (self.finished, self.steps);
        let now = |unit: &&LlliteUnit<'_>| counts(unit.weight, (unit.start, unit.end), moment);
        let lllites = self.lllites.iter().filter(now).map(|unit| (&unit.hint, unit.weight)).collect();
        let steering = Steering { lllites, bank: &bank, negative: batch.negative };
        let hooks = (!steering.is_idle()).then_some(&steering as &dyn AttentionHooks);
        let residuals = self.residuals(&rows, t, batch)?;
        let rows = match &self.channels {
            Some(more) => {
                let (_, channels, height, width) = more.dims4()?;
                Tensor::cat(&[&rows, &more.expand((count, channels, height, width))?], 1)?
            }
            None => rows,
        };
        let context = &batch.context;
        self.unet.forward_hooked(&rows, &[t], context, batch.added.as_ref(), residuals.as_ref(), hooks)
    }

    /// What the network's blocks remember of the reference pictures that count now, for the rows of a batch.
    fn remembered(&mut self, batch: &Batch, t: f64) -> candle_core::Result<Bank> {
        let (bank, count) = (Bank::default(), batch.positive + batch.negative);
        let moment = (self.finished, self.steps);
        // sd-webui noises the picture to the nearest level that the model was trained with.
        let alpha = self.schedule.alpha_at(t.round_ties_even());
        for unit in &mut self.references {
            if !counts(unit.weight, (unit.start, unit.end), moment) {
                continue;
            }
            let noised = unit.noised(count, alpha).map_err(candle_core::Error::wrap)?;
            let rows = match &self.channels {
                // The mask is empty: nothing of the reference picture is hidden.
                Some(_) => {
                    let latent = Tensor::cat(&vec![&unit.latent; count], 0)?;
                    let mask = latent.narrow(1, 0, 1)?.zeros_like()?;
                    Tensor::cat(&[&noised, &mask, &latent], 1)?
                }
                None => noised,
            };
            let hooks = bank.writer(&self.ranks, unit);
            self.unet.forward_hooked(
                &rows,
                &[t],
                &batch.context,
                batch.added.as_ref(),
                None,
                Some(&hooks),
            )?;
        }
        Ok(bank)
    }

    /// What the controls that count now add.
    fn residuals(&self, x: &Tensor, t: f64, batch: &Batch) -> candle_core::Result<Option<ControlResiduals>> {
        let mut sum: Option<ControlResiduals> = None;
        let added = batch.added.as_ref();
        let moment = (self.finished, self.steps);
        let now = |unit: &&ControlUnit<'_>| counts(unit.weight, (unit.start, unit.end), moment);
        for unit in self.controls.iter().filter(now) {
            let raw = unit.net.forward(x, &[t], &batch.context, added, &unit.hint)?;
            let weighed = unit.weigh(&raw, (batch.positive, batch.negative))?;
            sum = Some(match sum {
                Some(sum) => sum.sum(&weighed)?,
                None => weighed,
            });
        }
        Ok(sum)
    }

    /// Puts back what is kept of an estimate at level `sigma`; also to be done once at the end of a run, at 0.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when mask and latent differ in size.
    pub fn keep(&self, latent: Tensor, sigma: f64) -> Result<Tensor> {
        let kept = || {
            let latent = match &self.blend {
                Some((keep, init)) => blend(&latent, keep, init)?,
                None => latent,
            };
            match &self.levels {
                Some((starts, init)) => blend(&latent, &held(starts, sigma)?, init),
                None => Ok(latent),
            }
        };
        kept().map_err(|e: candle_core::Error| model_error(&self.place, &e))
    }
}

/// `init` where `keep` is 1, `latent` where it is 0.
fn blend(latent: &Tensor, keep: &Tensor, init: &Tensor) -> candle_core::Result<Tensor> {
    init.broadcast_mul(keep)? + latent.broadcast_mul(&keep.affine(-1.0, 1.0)?)?
}

/// 1 where a place is still held at a level, and where it is held to the end.
fn held(starts: &Tensor, sigma: f64) -> candle_core::Result<Tensor> {
    let not_yet = starts.affine(1.0 + SAME_LEVEL, 0.0)?.lt(sigma)?;
    let never = starts.le(0.0)?;
    not_yet.maximum(&never)?.to_dtype(starts.dtype())
}

impl Denoiser for GuidedDenoiser<'_> {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        let scaled = mix([(1.0 / (1.0 + sigma * sigma).sqrt(), x)])?;
        let stage = std::sync::Arc::clone(self.conditions.at(self.calls));
        self.calls += 1;
        let out = self.predict(&scaled, self.schedule.sigma_to_t(sigma), &stage);
        let out = out.map_err(|e| model_error(&self.place, &e))?;
        let (of_x, of_out) = self.schedule.prediction().weights(sigma);
        self.keep(mix([(of_x, x), (of_out, &out)])?, sigma)
    }

    fn reached(&mut self, step: usize) {
        self.finished = self.before + step;
    }
}
