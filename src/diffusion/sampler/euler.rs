//! First-order samplers on the VE scale.

use candle_core::Tensor;

use super::{VeRun, ancestral_step, bug, mix};
use crate::error::Result;

/// Noise added before each step so that errors are washed out (Karras et al. 2022, arXiv:2206.00364,
/// algorithm 2). The default adds none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// How much in the whole run; a step gets its share, at most `sqrt(2) - 1` of its sigma.
    pub amount: f64,
    /// Lowest sigma at which noise is added.
    pub from: f64,
    /// Highest sigma at which noise is added.
    pub to: f64,
    /// Strength of the noise, 1 by theory.
    pub noise: f64,
}

impl Default for Churn {
    fn default() -> Self {
        Self { amount: 0.0, from: 0.0, to: f64::INFINITY, noise: 1.0 }
    }
}

impl Churn {
    /// The latent at level `sigma` with a step's share of the noise added, and the level that it has then. A run
    /// has `n` steps.
    pub(super) fn stir(&self, run: &mut VeRun, x: Tensor, sigma: f64, n: usize) -> Result<(Tensor, f64)> {
        let churned = (self.from..=self.to).contains(&sigma);
        let gamma = if churned { (self.amount / n as f64).min(std::f64::consts::SQRT_2 - 1.0) } else { 0.0 };
        if gamma <= 0.0 {
            return Ok((x, sigma));
        }
        let raised = sigma * (1.0 + gamma);
        let strength = self.noise * (raised * raised - sigma * sigma).sqrt();
        Ok((mix([(1.0, &x), (strength, &run.noise.next(sigma, raised)?)])?, raised))
    }
}

/// Euler steps of the probability flow ODE: algorithm 2 of Karras et al. (2022, arXiv:2206.00364) without
/// its correction, with its churn.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn euler(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], churn: Churn) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let sigma;
        (x, sigma) = churn.stir(run, x, sigmas[i], n)?;
        let denoised = run.first(i, n, &x, sigma)?;
        x = step(&x, &denoised, sigma, sigmas[i + 1])?;
    }
    Ok(x)
}

/// Euler steps to below the wanted level and fresh noise up to it (k-diffusion
/// `sample_euler_ancestral`; the discrete form is Song et al. 2020, arXiv:2010.02502, with `eta`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn euler_a(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let denoised = run.first(i, n, &x, sigmas[i])?;
        let (down, up) = ancestral_step(sigmas[i], sigmas[i + 1], eta);
        x = step(&x, &denoised, sigmas[i], down)?;
        if sigmas[i + 1] > 0.0 {
            x = mix([(1.0, &x), (up, &run.noise.next(sigmas[i], sigmas[i + 1])?)])?;
        }
    }
    Ok(x)
}

/// One Euler step from level `from` to `to`. Elsewhere the same is written as a mixture of `x` and
/// `denoised`, which rounds less; here it is slope times length, as in the peers, because at the 4096 of
/// zero-terminal-SNR models the rounding of the two forms differs visibly.
fn step(x: &Tensor, denoised: &Tensor, from: f64, to: f64) -> Result<Tensor> {
    let slope = (x - denoised).and_then(|difference| difference / from).map_err(bug)?;
    mix([(1.0, x), (to - from, &slope)])
}
