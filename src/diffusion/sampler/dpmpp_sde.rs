//! DPM-Solver++ for the stochastic differential equation (Lu et al. 2022, arXiv:2211.01095, and
//! k-diffusion 0.1.1).

use candle_core::Tensor;

use super::{VeRun, ancestral_step, mix};
use crate::error::Result;

/// DPM-Solver++ SDE: an ancestral step to the middle in log sigma, and one over the whole with the
/// estimate from there. Two calls and two draws of noise a step (k-diffusion `sample_dpmpp_sde`, r = 1/2).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_sde(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    for i in 0..n {
        let (sigma, next) = (sigmas[i], sigmas[i + 1]);
        let denoised = run.first(i, n, &x, sigma)?;
        if next == 0.0 {
            x = denoised;
            continue;
        }
        let middle = (sigma * next).sqrt();
        let (down, up) = ancestral_step(sigma, middle, eta);
        let [from, half, to] = levels_in_single(sigma, next);
        let noise = run.noise.next(from, half)?;
        let x_middle = mix([(down / sigma, &x), (1.0 - down / sigma, &denoised), (up, &noise)])?;
        let again = run.model.denoise(&x_middle, middle)?;
        let (down, up) = ancestral_step(sigma, next, eta);
        let noise = run.noise.next(from, to)?;
        x = mix([(down / sigma, &x), (1.0 - down / sigma, &again), (up, &noise)])?;
    }
    Ok(x)
}

/// Start, middle and end of a step as k-diffusion asks its Brownian motion for them: it goes through
/// `t = -ln sigma` and back in `f32`. A level that is off by one in the seventh digit has another noise, by a
/// share that can be seen in a comparison of bytes.
fn levels_in_single(sigma: f64, next: f64) -> [f64; 3] {
    let time = |sigma: f64| -libm::log(f64::from(sigma as f32)) as f32;
    let (t, end) = (time(sigma), time(next));
    let middle = t + (end - t) * 0.5;
    [t, middle, end].map(|t| f64::from(libm::exp(-f64::from(t)) as f32))
}

/// How [`dpmpp_2m_sde`] weighs the change of the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// By half of the step's weight.
    Midpoint,
    /// By the integral of a linear change.
    Heun,
}

/// DPM-Solver++(2M) SDE: the estimate is extrapolated from the last step's, noise is added for `eta`
/// above 0. One call a step (k-diffusion `sample_dpmpp_2m_sde`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_2m_sde(
    run: &mut VeRun,
    mut x: Tensor,
    sigmas: &[f64],
    eta: f64,
    correction: Correction,
) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut before: Option<(Tensor, f64)> = None;
    for i in 0..n {
        let (sigma, next) = (sigmas[i], sigmas[i + 1]);
        let denoised = run.first(i, n, &x, sigma)?;
        if next == 0.0 {
            x = denoised;
            continue;
        }
        let step = libm::log(sigma / next);
        let grown = step * (1.0 + eta);
        let weight = -libm::expm1(-grown);
        x = mix([(libm::exp(-grown), &x), (weight, &denoised)])?;
        if let Some((before, last)) = &before {
            let part = match correction {
                Correction::Midpoint => 0.5 * weight,
                Correction::Heun => 1.0 - weight / grown,
            } * step
                / last;
            x = mix([(1.0, &x), (part, &denoised), (-part, before)])?;
        }
        x = add_noise(run, x, sigma, next, eta)?;
        before = Some((denoised, step));
    }
    Ok(x)
}

/// DPM-Solver++(3M) SDE: the estimate is a parabola through this and the two last ones. One call a step
/// (k-diffusion `sample_dpmpp_3m_sde`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpmpp_3m_sde(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut last: Option<(Tensor, f64)> = None;
    let mut second: Option<(Tensor, f64)> = None;
    for i in 0..n {
        let (sigma, next) = (sigmas[i], sigmas[i + 1]);
        let denoised = run.first(i, n, &x, sigma)?;
        if next == 0.0 {
            x = denoised;
            continue;
        }
        let step = libm::log(sigma / next);
        let grown = step * (1.0 + eta);
        x = mix([(libm::exp(-grown), &x), (-libm::expm1(-grown), &denoised)])?;
        let phi_2 = libm::expm1(-grown) / grown + 1.0;
        match (&last, &second) {
            (Some((d1, h1)), Some((d2, h2))) => {
                let (r0, r1) = (h1 / step, h2 / step);
                let phi_3 = phi_2 / grown - 0.5;
                // First and second divided differences of the estimates.
                let (first, older) = (mix([(1.0 / r0, &denoised), (-1.0 / r0, d1)])?, (1.0 / r1, d1, d2));
                let change = mix([(1.0, &first), (-older.0, older.1), (older.0, older.2)])?;
                let bend = (phi_2 * r0 - phi_3) / (r0 + r1);
                x = mix([(1.0, &x), (phi_2, &first), (bend, &change)])?;
            }
            (Some((d1, h1)), None) => {
                let part = phi_2 * step / h1;
                x = mix([(1.0, &x), (part, &denoised), (-part, d1)])?;
            }
            _ => {}
        }
        x = add_noise(run, x, sigma, next, eta)?;
        second = last.replace((denoised, step));
    }
    Ok(x)
}

/// Adds what a step of the SDE from `sigma` to `next` adds.
fn add_noise(run: &mut VeRun, x: Tensor, sigma: f64, next: f64, eta: f64) -> Result<Tensor> {
    if eta == 0.0 {
        return Ok(x);
    }
    let strength = next * (-libm::expm1(-2.0 * eta * libm::log(sigma / next))).sqrt();
    mix([(1.0, &x), (strength, &run.noise.next(sigma, next)?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_through_single_precision_as_in_k_diffusion() {
        // Recorded from k-diffusion 0.1.1 with torch 2.15: steps of 10 on Karras levels. The second is where
        // the way there and back costs a digit.
        for (sigma, next, wanted) in [
            (
                14.614643096923828,
                9.102933883666992,
                [14.614643096923828, 11.53412914276123, 9.102932929992676],
            ),
            (9.102933883666992, 5.478399276733398, [9.102932929992676, 7.06183385848999, 5.478399276733398]),
            (
                0.20139983296394348,
                0.08191107958555222,
                [0.20139983296394348, 0.12844017148017883, 0.08191107958555222],
            ),
        ] {
            assert_eq!(levels_in_single(sigma, next), wanted);
        }
    }
}
