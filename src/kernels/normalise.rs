//! Group norm in two passes over each group, the activation included.

use rayon::prelude::*;

use super::simd::{LANES, silu, sum_lanes, vectorised};

/// Group norm of `x` into `out`: groups of `weight.len() / groups` channels of `plane` values, each channel times its weight plus
/// its bias; `eps` is added to the variance. `active` adds SiLU. `given` are mean and variance of each
/// group, for those of a part of a larger picture.
#[allow(clippy::too_many_arguments, reason = "slices and their sizes")]
pub(super) fn group_norm(
    x: &[f32],
    (weight, bias): (&[f32], &[f32]),
    groups: usize,
    eps: f32,
    active: bool,
    given: Option<&[(f32, f32)]>,
    plane: usize,
    out: &mut [f32],
) {
    let channels = weight.len() / groups;
    let size = (channels * plane).max(1);
    x.par_chunks(size).zip(out.par_chunks_mut(size)).enumerate().for_each(|(index, (x, out))| {
        let first = index % groups * channels;
        let (mut mean, mut variance) = (0.0, 0.0);
        match given {
            Some(given) => (mean, variance) = given[index % groups],
            None => moments(x, &mut mean, &mut variance),
        }
        let scale = (1.0 / (f64::from(variance) + f64::from(eps)).sqrt()) as f32;
        for (channel, (x, out)) in x.chunks(plane).zip(out.chunks_mut(plane)).enumerate() {
            let factor = scale * weight[first + channel];
            let affine = (mean, factor, bias[first + channel]);
            if active { scale_silu(x, affine, out) } else { scale_shift(x, affine, out) }
        }
    });
}

vectorised! {
    /// Mean and variance. The deviations from the mean are squared, not the values:
    /// the difference of two large numbers would lose digits. Partial sums of a line are added in f64.
    pub(super) fn moments(x: &[f32], mean: &mut f32, variance: &mut f32) {
        let count = x.len() as f64;
        let average = total(x, |value| value) / count;
        let center = average as f32;
        *variance = (total(x, |value| (value - center) * (value - center)) / count) as f32;
        *mean = center;
    }
}

/// The sum of `term` of every value.
#[inline(always)]
fn total(x: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut sum = 0.0;
    for line in x.chunks(64 * LANES) {
        let mut lanes = [0.0; LANES];
        let (chunks, rest) = line.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += term(*value);
            }
        }
        sum += f64::from(sum_lanes(&lanes)) + rest.iter().map(|v| f64::from(term(*v))).sum::<f64>();
    }
    sum
}

vectorised! {
    /// (x − mean) · factor + offset. Folding the mean into the offset would lose digits where it is large.
    fn scale_shift(x: &[f32], affine: (f32, f32, f32), out: &mut [f32]) {
        let (mean, factor, offset) = affine;
        for (out, x) in out.iter_mut().zip(x) {
            *out = (x - mean) * factor + offset;
        }
    }
}

vectorised! {
    /// silu((x − mean) · factor + offset).
    fn scale_silu(x: &[f32], affine: (f32, f32, f32), out: &mut [f32]) {
        let (mean, factor, offset) = affine;
        for (out, x) in out.iter_mut().zip(x) {
            *out = silu((x - mean) * factor + offset);
        }
    }
}
