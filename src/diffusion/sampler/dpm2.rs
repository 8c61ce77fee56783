//! DPM-Solver-2 in the manner of Karras et al.

use candle_core::Tensor;

use super::{Churn, VeRun, ancestral_step, mix};
use crate::error::Result;

/// Midpoint steps, the midpoint in log sigma (k-diffusion `sample_dpm_2`; DPM-Solver-2 of Lu et al. 2022,
/// arXiv:2206.00927). Two denoiser calls a step, one in the last.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm2(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], churn: Churn) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let sigma;
        (x, sigma) = churn.stir(run, x, sigmas[i], n)?;
        x = midpoint_step(run, x, (i, n), sigma, sigmas[i + 1])?;
    }
    Ok(x)
}

/// The same to below the wanted level, and fresh noise up to it (k-diffusion `sample_dpm_2_ancestral`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm2_a(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let (down, up) = ancestral_step(sigmas[i], sigmas[i + 1], eta);
        x = midpoint_step(run, x, (i, n), sigmas[i], down)?;
        if eta > 0.0 && down > 0.0 {
            x = mix([(1.0, &x), (up, &run.noise.next(sigmas[i], sigmas[i + 1])?)])?;
        }
    }
    Ok(x)
}

/// Step `index` of `of`, from level `sigma` to `to`: Euler's where it ends in 0.
fn midpoint_step(
    run: &mut VeRun,
    x: Tensor,
    (index, of): (usize, usize),
    sigma: f64,
    to: f64,
) -> Result<Tensor> {
    let denoised = run.first(index, of, &x, sigma)?;
    if to == 0.0 {
        return Ok(denoised);
    }
    let middle = (sigma * to).sqrt();
    let ratio = middle / sigma;
    let x_middle = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
    let again = run.model.denoise(&x_middle, middle)?;
    let slope = (to - sigma) / middle;
    mix([(1.0, &x), (slope, &x_middle), (-slope, &again)])
}
