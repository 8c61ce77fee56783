//! Heun's second-order sampler.

use candle_core::Tensor;

use super::{Churn, VeRun, mix};
use crate::error::Result;

/// Heun steps of the probability flow ODE: algorithm 2 of Karras et al. (2022, arXiv:2206.00364).
/// Two denoiser calls a step, one in the last.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn heun(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], churn: Churn) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let (sigma, next);
        (x, sigma) = churn.stir(run, x, sigmas[i], n)?;
        next = sigmas[i + 1];
        let denoised = run.first(i, n, &x, sigma)?;
        let ratio = next / sigma;
        let predicted = mix([(ratio, &x), (1.0 - ratio, &denoised)])?;
        if next == 0.0 {
            x = predicted;
            continue;
        }
        let again = run.model.denoise(&predicted, next)?;
        // x + dt (d + d')/2 with d = (x - D)/sigma, d' = (x' - D')/next.
        let (half, half_next) = ((next - sigma) / (2.0 * sigma), (next - sigma) / (2.0 * next));
        x = mix([(1.0 + half, &x), (-half, &denoised), (half_next, &predicted), (-half_next, &again)])?;
    }
    Ok(x)
}
