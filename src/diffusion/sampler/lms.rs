//! Linear multistep sampler.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::{VeRun, mix};
use crate::error::Result;

/// Adams–Bashforth steps of up to `order` (1..=4) on the actual, uneven levels (k-diffusion `sample_lms`).
///
/// # Errors
/// What the run's parts report; interruption.
pub fn lms(run: &mut VeRun, mut x: Tensor, sigmas: &[f64], order: usize) -> Result<Tensor> {
    let n = sigmas.len().saturating_sub(1);
    let mut slopes = VecDeque::new();
    for i in 0..n {
        let denoised = run.first(i, n, &x, sigmas[i])?;
        slopes.push_front(mix([(1.0 / sigmas[i], &x), (-1.0 / sigmas[i], &denoised)])?);
        slopes.truncate(order.clamp(1, 4));
        for (j, slope) in slopes.iter().enumerate() {
            x = mix([(1.0, &x), (coefficient(sigmas, i, j, slopes.len()), slope)])?;
        }
    }
    Ok(x)
}

/// The integral over step `i` of the Lagrange polynomial that is 1 at level `i - j` and 0 at the other
/// `order - 1` latest levels. Two-point Gauss quadrature is exact for its degree, at most 3.
fn coefficient(sigmas: &[f64], i: usize, j: usize, order: usize) -> f64 {
    let lagrange = |at: f64| -> f64 {
        let others = (0..order).filter(|k| *k != j);
        others.map(|k| (at - sigmas[i - k]) / (sigmas[i - j] - sigmas[i - k])).product()
    };
    let (middle, half) = (0.5 * (sigmas[i + 1] + sigmas[i]), 0.5 * (sigmas[i + 1] - sigmas[i]));
    let node = half / 3f64.sqrt();
    half * (lagrange(middle - node) + lagrange(middle + node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_steps_give_the_textbook_coefficients() {
        let sigmas = [5.0, 4.0, 3.0, 2.0, 1.0];
        // Adams–Bashforth of order 4: 55, -59, 37, -9 over 24; the step is -1.
        for (j, wanted) in [55.0, -59.0, 37.0, -9.0].into_iter().enumerate() {
            assert!((coefficient(&sigmas, 3, j, 4) + wanted / 24.0).abs() < 1e-12);
        }
    }
}
