//! DPM-Solver++ without added noise, and its ancestral two-call form (Lu et al. 2022, arXiv:2211.01095).
//!
//! With `t = -ln sigma`, a step from sigma to sigma' by a constant estimate `D` is exactly
//! `x' = r x + (1 - r) D`, `r = sigma'/sigma`; the variants differ in the estimate.

use candle_core::Tensor;

use super::{VeRun, ancestral_step, mix};
use crate::error::Result;

/// DPM-Solver++(2M): the estimate is extrapolated from this step's and the last one's. One call a step;
/// first order in the first step and in the one to 0.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_2m(run: &mut VeRun, mut x: Tensor, sigmas: &[f64]) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut before: Option<Tensor> = None;
    for i in 0..n {
        let denoised = run.first(i, n, &x, sigmas[i])?;
        let ratio = sigmas[i + 1] / sigmas[i];
        let estimate = match &before {
            Some(before) if sigmas[i + 1] > 0.0 => {
                let step = libm::log(sigmas[i] / sigmas[i + 1]);
                let half = 0.5 * step / libm::log(sigmas[i - 1] / sigmas[i]);
                mix([(1.0 + half, &denoised), (-half, before)])?
            }
            _ => denoised.clone(),
        };
        x = mix([(ratio, &x), (1.0 - ratio, &estimate)])?;
        before = Some(denoised);
    }
    Ok(x)
}

/// DPM-Solver++(2S) ancestral: the estimate is the one at the middle of the step in log sigma; then fresh
/// noise (k-diffusion `sample_dpmpp_2s_ancestral`). Two calls a step, one in the last.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_2s_a(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let sigma = sigmas[i];
        let mut denoised = run.first(i, n, &x, sigma)?;
        let (down, up) = ancestral_step(sigma, sigmas[i + 1], eta);
        if down > 0.0 {
            let middle = (sigma * down).sqrt();
            let ratio = middle / sigma;
            let x_middle = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
            denoised = run.model.denoise(&x_middle, middle)?;
        }
        let ratio = down / sigma;
        x = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
        if sigmas[i + 1] > 0.0 {
            x = mix([(1.0, &x), (up, &run.noise.next(sigma, sigmas[i + 1])?)])?;
        }
    }
    Ok(x)
}

/// DPM-Solver++ singlestep of order 2: pairs of steps, of which the second goes from where the first began,
/// with the estimate extrapolated through both (diffusers 0.42.1 `DPMSolverSinglestepScheduler` with
/// `lower_order_final`). One call a step.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_singlestep(run: &mut VeRun, mut x: Tensor, sigmas: &[f64]) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut start: Option<(Tensor, Tensor)> = None;
    for i in 0..n {
        let denoised = run.first(i, n, &x, sigmas[i])?;
        // The last step of a run is of order 1, so that its end at 0 is the estimate itself.
        match start.take().filter(|_| i + 1 < n) {
            Some((x_start, first)) => {
                let whole = libm::log(sigmas[i - 1] / sigmas[i + 1]);
                let share = 0.5 * whole / libm::log(sigmas[i - 1] / sigmas[i]);
                let estimate = mix([(1.0 - share, &first), (share, &denoised)])?;
                let ratio = sigmas[i + 1] / sigmas[i - 1];
                x = mix([(ratio, &x_start), (1.0 - ratio, &estimate)])?;
            }
            None => {
                let ratio = sigmas[i + 1] / sigmas[i];
                let next = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
                start = Some((x, denoised));
                x = next;
            }
        }
    }
    Ok(x)
}
