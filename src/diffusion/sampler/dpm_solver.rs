//! DPM-Solver-fast and DPM-Solver-12/23 with adaptive steps (Lu et al. 2022, arXiv:2206.00927), as
//! k-diffusion 0.1.1 has them. Time is `t = -ln sigma`, so that it rises while noise falls.

use candle_core::Tensor;

use super::{VeRun, ancestral_step, bug, mix};
use crate::error::Result;

/// DPM-Solver-fast: steps of order 3, even in log sigma from the first level to the last above 0, so few
/// that a run of `n` steps calls the denoiser `n` times; the rest of `n / 3` is a step of lower order.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm_fast(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    let calls = sigmas.len().saturating_sub(1);
    if calls == 0 {
        return Ok(x);
    }
    let (start, end) = ends(sigmas);
    let orders = fast_orders(calls);
    let n = orders.len();
    let at = |i: usize| start + (end - start) * i as f64 / (calls / 3 + 1) as f64;
    for (i, order) in orders.into_iter().enumerate() {
        let (t, next) = (at(i), at(i + 1));
        let (down, up) = split(t, next, end, eta);
        let slope = slope(run, &x, t)?;
        run.model.reached(i);
        run.report(i, n, &x)?;
        x = match order {
            1 => step_1(&x, down - t, t, &slope)?,
            2 => step_2(run, &x, t, down, 0.5, &slope)?.0,
            _ => {
                let third = probe(run, &x, t, down, 1.0 / 3.0, &slope)?;
                step_3(run, &x, t, down, &slope, &third)?
            }
        };
        if up > 0.0 {
            x = mix([(1.0, &x), (up, &run.noise.next(libm::exp(-t), libm::exp(-next))?)])?;
        }
    }
    Ok(x)
}

/// Orders of the steps of [`dpm_fast`] for `calls` denoiser calls.
fn fast_orders(calls: usize) -> Vec<usize> {
    let mut orders = match calls % 3 {
        0 => vec![3; calls / 3 - 1],
        _ => vec![3; calls / 3],
    };
    match calls % 3 {
        0 => orders.extend([2, 1]),
        rest => orders.push(rest),
    }
    orders
}

/// DPM-Solver-23: each step is made with orders 2 and 3, and kept or repeated shorter as they agree.
/// Only the first level and the last above 0 matter. Tolerances are k-diffusion's defaults.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn dpm_adaptive(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], eta: f64) -> Result<Tensor> {
    if sigmas.len() < 2 {
        return Ok(x);
    }
    let (mut t, end) = ends(sigmas);
    let mut control = StepControl::new(0.05, if eta > 0.0 { 1.5 } else { 3.0 });
    let mut before = x.clone();
    let mut attempt = 0;
    while t < end - 1e-5 {
        let next = end.min(t + control.step);
        let (down, up) = split(t, next, end, eta);
        let slope = slope(run, &x, t)?;
        run.model.reached(attempt);
        let third = probe(run, &x, t, down, 1.0 / 3.0, &slope)?;
        let low = finish_2(&x, t, down, 1.0 / 3.0, &slope, &third)?;
        let high = step_3(run, &x, t, down, &slope, &third)?;
        if control.accepts(disagreement(&low, &high, &before)?) {
            x = high;
            if up > 0.0 {
                x = mix([(1.0, &x), (up, &run.noise.next(libm::exp(-t), libm::exp(-next))?)])?;
            }
            before = low;
            t = next;
        }
        run.report(attempt, sigmas.len().saturating_sub(1), &x)?;
        attempt += 1;
    }
    Ok(x)
}

/// Root mean square of the difference in units of what is tolerated: 0.0078 absolute or 5 %.
fn disagreement(low: &Tensor, high: &Tensor, before: &Tensor) -> Result<f64> {
    let relative = || -> candle_core::Result<f32> {
        let size = (low.abs()?.maximum(&before.abs()?)? * 0.05)?;
        let allowed = size.maximum(0.0078f64)?;
        ((low - high)? / allowed)?.sqr()?.mean_all()?.to_scalar::<f32>()
    };
    Ok(f64::from(relative().map_err(bug)?).sqrt())
}

/// The integral controller of step lengths (Söderlind 2003, as k-diffusion sets it: integral part only).
struct StepControl {
    step: f64,
    order: f64,
}

impl StepControl {
    fn new(step: f64, order: f64) -> Self {
        Self { step, order }
    }

    /// Whether a step with this error is good enough; changes the length of the next try either way.
    fn accepts(&mut self, error: f64) -> bool {
        let wanted = libm::pow(1.0 / (error + 1e-8), 1.0 / self.order);
        let factor = 1.0 + libm::atan(wanted - 1.0);
        self.step *= factor;
        factor >= 0.81
    }
}

/// Times of the first level and of the last one above 0.
fn ends(sigmas: &[f64]) -> (f64, f64) {
    let last = sigmas.iter().copied().rfind(|s| *s > 0.0).unwrap_or(sigmas[0]);
    (-libm::log(sigmas[0]), -libm::log(last))
}

/// Where a step from `t` to `next` really goes, and the strength of the noise that makes up for it.
fn split(t: f64, next: f64, end: f64, eta: f64) -> (f64, f64) {
    if eta == 0.0 {
        return (next, 0.0);
    }
    let (from, to) = (libm::exp(-t), libm::exp(-next));
    let (down, _) = ancestral_step(from, to, eta);
    let down = end.min(-libm::log(down));
    (down, (to * to - libm::exp(-2.0 * down)).max(0.0).sqrt())
}

/// The noise estimate at time `t`.
fn slope(run: &mut VeRun, x: &Tensor, t: f64) -> Result<Tensor> {
    let sigma = libm::exp(-t);
    let denoised = run.model.denoise(x, sigma)?;
    mix([(1.0 / sigma, x), (-1.0 / sigma, &denoised)])
}

/// A step of length `h` from `t` with a constant noise estimate: order 1.
fn step_1(x: &Tensor, h: f64, t: f64, slope: &Tensor) -> Result<Tensor> {
    mix([(1.0, x), (-libm::exp(-t - h) * libm::expm1(h), slope)])
}

/// The noise estimate at share `r` of the way from `t` to `next`.
fn probe(run: &mut VeRun, x: &Tensor, t: f64, next: f64, r: f64, at_t: &Tensor) -> Result<Tensor> {
    let h = r * (next - t);
    slope(run, &step_1(x, h, t, at_t)?, t + h)
}

/// A step of order 2 with a probe at share `r`; also gives the probe.
fn step_2(run: &mut VeRun, x: &Tensor, t: f64, next: f64, r: f64, at_t: &Tensor) -> Result<(Tensor, Tensor)> {
    let probed = probe(run, x, t, next, r, at_t)?;
    Ok((finish_2(x, t, next, r, at_t, &probed)?, probed))
}

/// The step of order 2 once the probe at share `r` is known.
fn finish_2(x: &Tensor, t: f64, next: f64, r: f64, at_t: &Tensor, probed: &Tensor) -> Result<Tensor> {
    let length = libm::exp(-next) * libm::expm1(next - t);
    let change = length / (2.0 * r);
    mix([(1.0, x), (change - length, at_t), (-change, probed)])
}

/// The step of order 3 with probes at one third (given) and two thirds.
fn step_3(run: &mut VeRun, x: &Tensor, t: f64, next: f64, at_t: &Tensor, third: &Tensor) -> Result<Tensor> {
    const R2: f64 = 2.0 / 3.0;
    let h = next - t;
    let there = t + R2 * h;
    let (length, twist) = {
        let grown = libm::expm1(R2 * h);
        (libm::exp(-there) * grown, libm::exp(-there) * 2.0 * (grown / (R2 * h) - 1.0))
    };
    let x_there = mix([(1.0, x), (twist - length, at_t), (-twist, third)])?;
    let two_thirds = slope(run, &x_there, there)?;
    let sigma = libm::exp(-next);
    let (length, twist) = (sigma * libm::expm1(h), sigma / R2 * (libm::expm1(h) / h - 1.0));
    mix([(1.0, x), (twist - length, at_t), (-twist, &two_thirds)])
}
