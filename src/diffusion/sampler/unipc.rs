//! UniPC: a unified predictor-corrector (Zhao et al. 2023, arXiv:2302.04867).

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{VeRun, mix};
use crate::error::Result;

/// The function B(h) of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniPcVariant {
    /// B(h) = h. Needs a last level above 0.
    Bh1,
    /// B(h) = e^h - 1.
    Bh2,
}

/// Settings of [`unipc`]; the defaults are diffusers' and the paper's for guided sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniPc {
    /// Highest order, 1 to 3.
    pub order: usize,
    /// The function B(h).
    pub variant: UniPcVariant,
}

impl Default for UniPc {
    fn default() -> Self {
        Self { order: 2, variant: UniPcVariant::Bh2 }
    }
}

/// An estimate and the time (`-ln sigma`) it was made at.
type Known = (Tensor, f64);

/// UniPC on data prediction (diffusers 0.42.1 `UniPCMultistepScheduler` with `lower_order_final`): each
/// call both corrects the step that led to it and predicts the next. One call a step.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn unipc(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], settings: UniPc) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut known: VecDeque<Known> = VecDeque::new();
    let mut last: Option<(Tensor, usize)> = None;
    for i in 0..n {
        let denoised = run.first(i, n, &x, sigmas[i])?;
        let here = (denoised, -libm::log(sigmas[i]));
        if let Some((start, order)) = &last {
            x = step(start, &known, here.1, *order, settings.variant, Some(&here.0))?;
        }
        known.push_front(here);
        known.truncate(settings.order.clamp(1, 3));
        let order = known.len().min(n - i);
        let next = -libm::log(sigmas[i + 1]);
        let predicted = step(&x, &known, next, order, settings.variant, None)?;
        last = Some((x, order));
        x = predicted;
    }
    Ok(x)
}

/// One step from the time of `known[0]` to `to`: the predictor, or with the estimate at `to` the corrector.
fn step(
    x: &Tensor,
    known: &VecDeque<Known>,
    to: f64,
    order: usize,
    variant: UniPcVariant,
    arrived: Option<&Tensor>,
) -> Result<Tensor> {
    let (newest, from) = &known[0];
    let h = to - from;
    let weight = libm::expm1(-h);
    let mut result = mix([(libm::exp(-h), x), (-weight, newest)])?;
    // Distances of the older estimates in units of the step, then the end of the step itself.
    let mut places: Vec<f64> = known.iter().skip(1).take(order - 1).map(|k| (k.1 - from) / h).collect();
    places.push(1.0);
    let b = match variant {
        UniPcVariant::Bh1 => -h,
        UniPcVariant::Bh2 => weight,
    };
    let rho = shares(&places, h, b, arrived.is_some());
    let estimates = known.iter().skip(1).take(order - 1).map(|k| &k.0).chain(arrived);
    for ((estimate, place), rho) in estimates.zip(&places).zip(&rho) {
        let part = -b * rho / place;
        result = mix([(1.0, &result), (part, estimate), (-part, newest)])?;
    }
    Ok(result)
}

/// The weights rho of the differences: the solution of the paper's Vandermonde system, with its fixed 1/2
/// where a single difference is known.
fn shares(places: &[f64], h: f64, b: f64, corrector: bool) -> Vec<f64> {
    let size = if corrector { places.len() } else { places.len() - 1 };
    if size <= 1 {
        return vec![0.5; size];
    }
    let mut phi = libm::expm1(-h) / -h - 1.0;
    let mut factorial = 1.0;
    let mut right = Vec::with_capacity(size);
    for i in 1..=size {
        right.push(phi * factorial / b);
        factorial *= (i + 1) as f64;
        phi = phi / -h - 1.0 / factorial;
    }
    let matrix = nalgebra::DMatrix::from_fn(size, size, |row, column| places[column].powi(row as i32));
    let solution = matrix.lu().solve(&nalgebra::DVector::from_vec(right));
    // Levels are distinct, so that the system has a solution.
    solution.map_or_else(|| vec![0.0; size], |s| s.iter().copied().collect())
}
