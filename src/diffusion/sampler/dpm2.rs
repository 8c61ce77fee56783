//! DPM-Solver-2 in the manner of Karras et al.

use candle_core::Tensor;

use super::{VeRun, ancestral_step, mix};
use crate::error::Result;

/// Midpoint steps, the midpoint in log sigma (k-diffusion `sample_dpm_2`; DPM-Solver-2 of Lu et al. 2022,
/// arXiv:2206.00927). Two denoiser calls a step, one in the last.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm2(run: &mut VeRun, x: Tensor, sigmas: &[f64]) -> Result<Tensor> {
    dpm2_a(run, x, sigmas, 0.0)
}

/// The same to below the wanted level, and fresh noise up to it (k-diffusion `sample_dpm_2_ancestral`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm2_a(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let sigma = sigmas[i];
        let denoised = run.first(i, n, &x, sigma)?;
        let (down, up) = ancestral_step(sigma, sigmas[i + 1], eta);
        if down == 0.0 {
            let ratio = down / sigma;
            x = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
            continue;
        }
        let middle = (sigma * down).sqrt();
        let ratio = middle / sigma;
        let x_middle = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
        let again = run.model.denoise(&x_middle, middle)?;
        let slope = (down - sigma) / middle;
        x = mix([(1.0, &x), (slope, &x_middle), (-slope, &again)])?;
        if eta > 0.0 {
            x = mix([(1.0, &x), (up, &run.noise.next(sigma, sigmas[i + 1])?)])?;
        }
    }
    Ok(x)
}
