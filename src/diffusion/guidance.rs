//! The real denoiser: a UNet with classifier-free guidance, ControlNets and an inpainting mask.

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::conditions::{Batch, Conditions, Stage};
use super::controlnet::{ControlNet, ControlResiduals};
use super::sampler::{Denoiser, mix};
use super::sigmas::NoiseSchedule;
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

impl ControlUnit<'_> {
    /// Whether the unit counts now. sd-webui compares the window with the last *finished* step, which is 0
    /// in the first two steps, divided by the number of steps.
    fn active(&self, finished: usize, steps: usize) -> bool {
        let moment = finished as f64 / steps.max(1) as f64;
        self.weight != 0.0 && self.start <= moment && moment <= self.end
    }

    /// The second argument is the numbers of rows with the prompt and with the negative prompt.
    fn weigh(
        &self,
        residuals: &ControlResiduals,
        (positive, negative): (usize, usize),
    ) -> candle_core::Result<ControlResiduals> {
        match self.mode {
            ControlMode::Balanced => residuals.scale(self.weight),
            ControlMode::Prompt => residuals.scale_soft(self.weight),
            ControlMode::Control if negative > 0 => {
                let factors = [vec![1.0; positive], vec![0.0; negative]].concat();
                residuals.scale_soft(self.weight)?.scale_rows(&factors)
            }
            ControlMode::Control => residuals.scale_soft(self.weight),
        }
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
}

/// UNet, guidance and controls as a [`Denoiser`].
#[derive(Debug)]
pub struct GuidedDenoiser<'a> {
    unet: &'a UNet,
    schedule: &'a NoiseSchedule,
    conditions: Conditions,
    controls: Vec<ControlUnit<'a>>,
    blend: Option<(Tensor, Tensor)>,
    channels: Option<Tensor>,
    steps: usize,
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
        let (conditions, controls, blend, channels) = (conditions.into(), Vec::new(), None, None);
        let (finished, calls, place) = (0, 0, place.to_owned());
        Self { unet, schedule, conditions, controls, blend, channels, steps, finished, calls, place }
    }

    /// The same with ControlNets, whose residuals are added up.
    #[must_use]
    pub fn with_controls(self, controls: Vec<ControlUnit<'a>>) -> Self {
        Self { controls, ..self }
    }

    /// The same with a mask. A model for inpainting may be given both kinds, one after the other.
    #[must_use]
    pub fn with_inpaint(self, inpaint: Inpaint) -> Self {
        match inpaint {
            Inpaint::Blend { keep, init } => Self { blend: Some((keep, init)), ..self },
            Inpaint::Channels(channels) => Self { channels: Some(channels), ..self },
        }
    }

    /// The network's output for a latent of the VP scale, guided.
    fn predict(&self, x: &Tensor, t: f64, stage: &Stage) -> candle_core::Result<Tensor> {
        let outs = stage
            .batches()
            .iter()
            .map(|batch| self.predict_batch(x, t, batch))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let out = if outs.len() == 1 { outs[0].clone() } else { Tensor::cat(&outs, 0)? };
        stage.guide(&out)
    }

    /// The network's output for each row of a batch.
    fn predict_batch(&self, x: &Tensor, t: f64, batch: &Batch) -> candle_core::Result<Tensor> {
        let count = batch.positive + batch.negative;
        let rows = if count == 1 { x.clone() } else { Tensor::cat(&vec![x; count], 0)? };
        let residuals = self.residuals(&rows, t, batch)?;
        let rows = match &self.channels {
            Some(more) => {
                let (_, channels, height, width) = more.dims4()?;
                Tensor::cat(&[&rows, &more.expand((count, channels, height, width))?], 1)?
            }
            None => rows,
        };
        self.unet.forward(&rows, &[t], &batch.context, batch.added.as_ref(), residuals.as_ref())
    }

    /// What the controls that count now add.
    fn residuals(&self, x: &Tensor, t: f64, batch: &Batch) -> candle_core::Result<Option<ControlResiduals>> {
        let mut sum: Option<ControlResiduals> = None;
        for unit in self.controls.iter().filter(|unit| unit.active(self.finished, self.steps)) {
            let raw = unit.net.forward(x, &[t], &batch.context, batch.added.as_ref(), &unit.hint)?;
            let weighed = unit.weigh(&raw, (batch.positive, batch.negative))?;
            sum = Some(match sum {
                Some(sum) => sum.sum(&weighed)?,
                None => weighed,
            });
        }
        Ok(sum)
    }

    /// Puts back what a mask keeps; also to be done once at the end of a run.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when mask and latent differ in size.
    pub fn keep(&self, latent: Tensor) -> Result<Tensor> {
        let Some((keep, init)) = &self.blend else { return Ok(latent) };
        let blend = || init.broadcast_mul(keep)? + latent.broadcast_mul(&keep.affine(-1.0, 1.0)?)?;
        blend().map_err(|e| model_error(&self.place, &e))
    }
}

impl Denoiser for GuidedDenoiser<'_> {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        let scaled = mix([(1.0 / (1.0 + sigma * sigma).sqrt(), x)])?;
        let stage = std::sync::Arc::clone(self.conditions.at(self.calls));
        self.calls += 1;
        let out = self.predict(&scaled, self.schedule.sigma_to_t(sigma), &stage);
        let out = out.map_err(|e| model_error(&self.place, &e))?;
        let (of_x, of_out) = self.schedule.prediction().weights(sigma);
        self.keep(mix([(of_x, x), (of_out, &out)])?)
    }

    fn reached(&mut self, step: usize) {
        self.finished = step;
    }
}
