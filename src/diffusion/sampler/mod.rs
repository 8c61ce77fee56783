//! Samplers: how a run of denoiser calls turns noise into a picture's latent.
//!
//! A sampler is a function over a [`Run`] (denoiser, noise, watcher), the start latent and the noise
//! levels of [`super::sigmas`]. It knows nothing of networks, prompts or pictures. Two families exist:
//! those on the VE scale of k-diffusion take a falling list of sigmas; [`ddim`], [`plms`], [`ddpm`],
//! [`lcm`] and [`tcd`] take [`Hop`]s between timesteps on the VP scale.

mod calls;
mod consistency;
mod ddim;
mod dpm2;
mod dpm_solver;
mod dpmpp;
mod dpmpp_sde;
mod euler;
mod heun;
mod latent;
mod lms;
mod names;
mod noise;
mod settings;
mod unipc;

use std::ops::ControlFlow;

use candle_core::Tensor;

pub use consistency::{lcm, tcd};
pub use ddim::{Hop, Predictor, VpDenoiser, VpRun, ddim, ddpm, hops, plms};
pub use dpm_solver::{dpm_adaptive, dpm_fast};
pub use dpm2::{dpm2, dpm2_a};
pub use dpmpp::{dpmpp_2m, dpmpp_2s_a, dpmpp_singlestep};
pub use dpmpp_sde::{Correction, dpmpp_2m_sde, dpmpp_3m_sde, dpmpp_sde};
pub use euler::{Churn, euler, euler_a};
pub use heun::heun;
pub(crate) use latent::{bug, mix};
pub use lms::lms;
pub use names::{Sampler, resolve, sampler_names, spacing_names};
pub use noise::{BrownianNoise, ReplayedNoise, SeededNoise, Variation};
pub use settings::SamplerSettings;
pub use unipc::{UniPc, UniPcVariant, unipc};

use super::sigmas::{NoiseSchedule, Spacing};
use crate::error::{Error, Result};

/// Removes the noise from a latent: the network with guidance and controls, or a closed form in tests.
pub trait Denoiser {
    /// The clean latent that `x` = clean + `sigma` · normal noise most likely stands for. `x` and the
    /// result are `[batch, channels, height, width]` on the VE scale; `sigma` is above 0.
    ///
    /// # Errors
    /// What the network reports.
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor>;

    /// Told when step `step` (from 0) has had its first call, before the latent is updated: what depends
    /// on progress, such as a control's window, follows this count as it does in sd-webui.
    fn reached(&mut self, _step: usize) {}
}

/// Where a sampler's fresh noise comes from.
pub trait NoiseSource {
    /// Standard normal noise in the latent's shape, for the way from level `sigma` down to `sigma_next`.
    ///
    /// # Errors
    /// What the source reports, such as a replayed list that is too short.
    fn next(&mut self, sigma: f64, sigma_next: f64) -> Result<Tensor>;
}

/// What a watcher sees of a step: the state before the latent is updated.
#[derive(Debug)]
pub struct Step<'a> {
    /// Number of the step, from 0.
    pub index: usize,
    /// How many steps there will be (an estimate for the adaptive sampler).
    pub of: usize,
    /// The latent, on the scale of the sampler.
    pub x: &'a Tensor,
}

/// Called once a step; `Break` ends the run with [`Error::Interrupted`].
pub type Watch<'a> = dyn FnMut(&Step) -> ControlFlow<()> + 'a;

/// The outside world of a sampler.
pub struct Run<'a, M: ?Sized> {
    /// Removes noise.
    pub model: &'a mut M,
    /// Adds noise.
    pub noise: &'a mut dyn NoiseSource,
    /// Is told of each step and may stop the run.
    pub watch: &'a mut Watch<'a>,
}

impl Run<'_, dyn Denoiser + '_> {
    /// Calls the denoiser for the first time in step `index` of `of`, and reports the step.
    fn first(&mut self, index: usize, of: usize, x: &Tensor, sigma: f64) -> Result<Tensor> {
        let denoised = self.model.denoise(x, sigma)?;
        self.model.reached(index);
        self.report(index, of, x)?;
        Ok(denoised)
    }
}

impl<M: ?Sized> Run<'_, M> {
    /// Tells the watcher of a step.
    fn report(&mut self, index: usize, of: usize, x: &Tensor) -> Result<()> {
        match (self.watch)(&Step { index, of, x }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }
}

/// A run over a denoiser on the VE scale.
pub type VeRun<'a, 'm> = Run<'a, dyn Denoiser + 'm>;

/// The split of a step down from `from` to `to` into a deterministic part down to `.0` and noise of
/// strength `.1` on top (k-diffusion `get_ancestral_step`). `eta` 1 is fully ancestral, 0 adds no noise.
pub(crate) fn ancestral_step(from: f64, to: f64, eta: f64) -> (f64, f64) {
    let up = (eta * (to * to * (from * from - to * to) / (from * from)).max(0.0).sqrt()).min(to);
    ((to * to - up * up).max(0.0).sqrt(), up)
}

impl Sampler {
    /// Noise levels for `n` steps of this sampler: the spacing's, without the last but one of `n + 1`
    /// where sd-webui leaves it out because two calls so close to the end do not pay.
    pub fn sigmas(self, n: usize, spacing: Spacing, schedule: &NoiseSchedule) -> Vec<f64> {
        if !self.drops_a_level() || n == 0 {
            return spacing.sigmas(n, schedule);
        }
        let mut sigmas = spacing.sigmas(n + 1, schedule);
        sigmas.remove(sigmas.len() - 2);
        sigmas
    }

    /// Whether sd-webui leaves out the last level but one (`discard_next_to_last_sigma`).
    pub fn drops_a_level(self) -> bool {
        matches!(self, Self::Dpm2 | Self::Dpm2A)
    }

    /// Whether its fresh noise is that of a [`BrownianNoise`] (sd-webui's `brownian_noise`).
    pub fn draws_brownian_noise(self) -> bool {
        matches!(self, Self::DpmppSde | Self::Dpmpp2mSde | Self::Dpmpp2mSdeHeun | Self::Dpmpp3mSde)
    }

    /// Runs the sampler from `x`, on the VE scale at level `sigmas[0]`, down to the last level, with
    /// sd-webui's defaults, see [`SamplerSettings`]. Samplers on the VP scale convert at both ends.
    ///
    /// # Errors
    /// What denoiser and noise report, and [`Error::Interrupted`] when the watcher says so.
    pub fn sample(
        self,
        run: &mut VeRun,
        x: Tensor,
        sigmas: &[f64],
        schedule: &NoiseSchedule,
    ) -> Result<Tensor> {
        self.sample_with(SamplerSettings::default(), run, x, sigmas, schedule)
    }
}

#[cfg(test)]
mod tests;
