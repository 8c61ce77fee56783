//! Samplers that hop from timestep to timestep on the VP scale.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::consistency::{lcm, tcd};
use super::{Denoiser, NoiseSource, Run, Sampler, VeRun, mix};
use crate::diffusion::sigmas::NoiseSchedule;
use crate::error::Result;

/// A step from one timestep to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop {
    /// Timestep it starts at; may be fractional.
    pub t: f64,
    /// Timestep it leads to. Below 0 stands for the clean end.
    pub t_next: f64,
    /// Cumulated alpha at `t`: 0 (noise) to 1 (clean).
    pub alpha: f64,
    /// Cumulated alpha at `t_next`, above `alpha`.
    pub alpha_next: f64,
}

/// Splits a latent of the VP scale into picture and noise.
pub trait Predictor {
    /// The clean latent and the noise that `x` = sqrt(`alpha`) clean + sqrt(1 - `alpha`) noise is made of.
    ///
    /// # Errors
    /// What the network reports.
    fn split(&mut self, x: &Tensor, t: f64, alpha: f64) -> Result<(Tensor, Tensor)>;

    /// As [`Denoiser::reached`].
    fn reached(&mut self, _step: usize) {}
}

/// A denoiser of the VE scale as a predictor of the VP scale. Alphas must be above 0.
pub struct VpDenoiser<'a>(pub &'a mut dyn Denoiser);

impl Predictor for VpDenoiser<'_> {
    fn split(&mut self, x: &Tensor, _t: f64, alpha: f64) -> Result<(Tensor, Tensor)> {
        let sigma = ((1.0 - alpha) / alpha).sqrt();
        let scale = 1.0 / alpha.sqrt();
        let clean = self.0.denoise(&mix([(scale, x)])?, sigma)?;
        let noise = mix([(scale / sigma, x), (-1.0 / sigma, &clean)])?;
        Ok((clean, noise))
    }

    fn reached(&mut self, step: usize) {
        self.0.reached(step);
    }
}

/// A run over a predictor on the VP scale.
pub type VpRun<'a, 'm> = Run<'a, dyn Predictor + 'm>;

impl VpRun<'_, '_> {
    pub(super) fn first(
        &mut self,
        index: usize,
        of: usize,
        x: &Tensor,
        hop: &Hop,
    ) -> Result<(Tensor, Tensor)> {
        let parts = self.model.split(x, hop.t, hop.alpha)?;
        self.model.reached(index);
        self.report(index, of, x)?;
        Ok(parts)
    }
}

impl Hop {
    /// Sigmas at both ends, for noise sources.
    fn sigmas(&self) -> (f64, f64) {
        let sigma = |alpha: f64| ((1.0 - alpha) / alpha).sqrt();
        (sigma(self.alpha), sigma(self.alpha_next))
    }

    pub(super) fn noise(&self, source: &mut dyn NoiseSource) -> Result<Tensor> {
        let (from, to) = self.sigmas();
        source.next(from, to)
    }
}

/// DDIM (eq. 12 of Song et al. 2020, arXiv:2010.02502). `eta` 0 is deterministic, 1 is DDPM's noise. Noise
/// is drawn only for `eta` above 0. The last hop may lead to a level that is not clean, as sd-webui's does.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn ddim(run: &mut VpRun, mut x: Tensor, hops: &[Hop], eta: f64) -> Result<Tensor> {
    for (i, hop) in hops.iter().enumerate() {
        let (clean, noise) = run.first(i, hops.len(), &x, hop)?;
        let (a, next) = (hop.alpha, hop.alpha_next);
        let spread = eta * ((1.0 - next) / (1.0 - a) * (1.0 - a / next)).max(0.0).sqrt();
        x = mix([(next.sqrt(), &clean), ((1.0 - next - spread * spread).max(0.0).sqrt(), &noise)])?;
        if eta > 0.0 {
            x = mix([(1.0, &x), (spread, &hop.noise(run.noise)?)])?;
        }
    }
    Ok(x)
}

/// Ancestral sampling of the training process itself, between any timesteps (eq. 7 of Ho et al. 2020,
/// arXiv:2006.11239; the smaller of its two variances).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn ddpm(run: &mut VpRun, mut x: Tensor, hops: &[Hop]) -> Result<Tensor> {
    for (i, hop) in hops.iter().enumerate() {
        let (clean, _) = run.first(i, hops.len(), &x, hop)?;
        let (a, next) = (hop.alpha, hop.alpha_next);
        let kept = a / next;
        let weights = (next.sqrt() * (1.0 - kept) / (1.0 - a), kept.sqrt() * (1.0 - next) / (1.0 - a));
        x = mix([(weights.0, &clean), (weights.1, &x)])?;
        if hop.t > 0.0 && next < 1.0 {
            let spread = ((1.0 - next) / (1.0 - a) * (1.0 - kept)).max(1e-20).sqrt();
            x = mix([(1.0, &x), (spread, &hop.noise(run.noise)?)])?;
        }
    }
    Ok(x)
}

/// PLMS: DDIM hops with the noise estimate extrapolated through up to four calls (Liu et al. 2022,
/// arXiv:2202.09778, without its Runge-Kutta start; the first hop is an improved Euler step with two calls).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn plms(run: &mut VpRun, mut x: Tensor, hops: &[Hop]) -> Result<Tensor> {
    let mut old: VecDeque<Tensor> = VecDeque::new();
    for (i, hop) in hops.iter().enumerate() {
        let (_, noise) = run.first(i, hops.len(), &x, hop)?;
        let estimate = match (old.front(), old.get(1), old.get(2)) {
            // At the clean end itself nothing is left to look at.
            (None, ..) if hop.alpha_next >= 1.0 => noise.clone(),
            (None, ..) => {
                let there = hop_by(&x, hop, &noise)?;
                let (_, next) = run.model.split(&there, hop.t_next, hop.alpha_next)?;
                mix([(0.5, &noise), (0.5, &next)])?
            }
            (Some(a), None, _) => mix([(1.5, &noise), (-0.5, a)])?,
            (Some(a), Some(b), None) => mix([(23.0 / 12.0, &noise), (-16.0 / 12.0, a), (5.0 / 12.0, b)])?,
            (Some(a), Some(b), Some(c)) => {
                mix([(55.0 / 24.0, &noise), (-59.0 / 24.0, a), (37.0 / 24.0, b), (-9.0 / 24.0, c)])?
            }
        };
        x = hop_by(&x, hop, &estimate)?;
        old.push_front(noise);
        old.truncate(3);
    }
    Ok(x)
}

/// A deterministic hop with a given noise estimate.
fn hop_by(x: &Tensor, hop: &Hop, noise: &Tensor) -> Result<Tensor> {
    let scale = (hop.alpha_next / hop.alpha).sqrt();
    mix([(scale, x), ((1.0 - hop.alpha_next).sqrt() - scale * (1.0 - hop.alpha).sqrt(), noise)])
}

/// The hops of a list of falling sigmas.
pub fn hops(sigmas: &[f64], schedule: &NoiseSchedule) -> Vec<Hop> {
    let alpha = |sigma: f64| 1.0 / (1.0 + sigma * sigma);
    let t = |sigma: f64| if sigma > 0.0 { schedule.sigma_to_t(sigma) } else { -1.0 };
    sigmas
        .windows(2)
        .map(|w| Hop { t: t(w[0]), t_next: t(w[1]), alpha: alpha(w[0]), alpha_next: alpha(w[1]) })
        .collect()
}

/// Runs a sampler of the VP scale between two latents of the VE scale. `eta` is DDIM's, and TCD's gamma.
pub(super) fn sample_vp(
    sampler: Sampler,
    run: &mut VeRun,
    x: Tensor,
    sigmas: &[f64],
    schedule: &NoiseSchedule,
    eta: f64,
) -> Result<Tensor> {
    let hops = hops(sigmas, schedule);
    let shrink = |sigma: f64| 1.0 / (1.0 + sigma * sigma).sqrt();
    let last = sigmas[sigmas.len() - 1];
    let x = mix([(shrink(sigmas[0]), &x)])?;
    let mut model = VpDenoiser(&mut *run.model);
    let mut vp =
        Run { model: &mut model as &mut dyn Predictor, noise: &mut *run.noise, watch: &mut *run.watch };
    let x = match sampler {
        Sampler::Plms => plms(&mut vp, x, &hops),
        Sampler::Ddpm => ddpm(&mut vp, x, &hops),
        Sampler::Lcm => lcm(&mut vp, x, &hops),
        Sampler::Tcd => tcd(&mut vp, x, &hops, eta, |t| schedule.alpha_at(t)),
        _ => ddim(&mut vp, x, &hops, eta),
    }?;
    mix([(1.0 / shrink(last), &x)])
}
