//! Gain curve and gain map: how much brighter each part of each frame is than its neighbours in time.
//!
//! For frames `t` and `t + k`, `k` = 1…4, and each cell and channel, the robust centre `m` of
//! `log2 L(t+k) - log2 L(t)` over the pixels (`L` linear light) says how the light changed, whatever moves,
//! as long as moving things cover less than half of the cell. The gains `g` that explain all pairs best,
//! `min Σ w (g(t+k) - g(t) - m)²` with `w` = share of usable pixels / k, come from a banded system. The
//! correction is `smooth(g) - g`. Method and constants: own prototype, measured against ffmpeg's
//! `deflicker`, simple-deflicker 0.4.0 and 0.3.0.

use std::collections::VecDeque;
use std::ops::Range;

use rayon::prelude::*;

use super::apply::Grid;
use super::transfer::linear_table;
use crate::canvas::{Canvas, Size};

/// The farthest frames that are compared.
const REACH: usize = 4;
/// Code values (0–255) outside are clipped or so dark that one level is a fifth of a stop.
const USABLE: std::ops::RangeInclusive<u8> = 6..=250;
/// Differences nearer to the median than this, in stops, are noise and rounding.
const NEAR: f32 = 0.2;
/// Differences farther than so many median absolute deviations (two standard deviations of a normal
/// distribution), and farther than [`NEAR`], belong to moving things.
const FAR: f32 = 3.0;
/// Pixels that a reduced frame has at most, roughly: a thousand for each of 48 cells.
const REDUCED_AREA: usize = 49_152;
/// How strongly a whole-frame gain is held at zero: only enough to make the system definite.
const HOLD_FRAME: f64 = 1e-6;
/// How strongly a cell is held at the whole frame's gain: a cell in the dark or in clipped sky follows it.
const HOLD_CELL: f64 = 0.02;
/// The strongest correction, in stops.
const STRONGEST: f64 = 1.5;

/// log2 of linear light of a reduced frame, three planes; NaN where a pixel is not usable.
struct Reduced {
    size: Size,
    planes: [Vec<f32>; 3],
}

/// The centre of the differences of one pair in one cell and channel, in stops, and its weight.
#[derive(Clone, Copy, Default)]
struct Pair {
    centre: f32,
    weight: f32,
}

/// First pass: keeps [`REACH`] reduced frames and a few numbers a frame.
pub(super) struct Statistics {
    rows: usize,
    columns: usize,
    linear: Vec<f32>,
    recent: VecDeque<Reduced>,
    /// For each frame, distance 1…[`REACH`] back, channel, place (0 is the whole frame, then the cells).
    pairs: Vec<Vec<Pair>>,
}

impl Statistics {
    /// With a 1x1 grid only the whole frame is measured.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let linear = linear_table(u8::MAX.into());
        Self { rows, columns, linear, recent: VecDeque::new(), pairs: Vec::new() }
    }

    /// Places that are measured: the whole frame, and the cells when there is more than one.
    fn places(&self) -> usize {
        let cells = self.rows * self.columns;
        if cells == 1 { 1 } else { 1 + cells }
    }

    pub(super) fn push(&mut self, frame: &Canvas) {
        let reduced = reduce(frame, &self.linear);
        let jobs: Vec<(usize, usize)> = (1..=REACH).flat_map(|k| (0..3).map(move |c| (k, c))).collect();
        let measured: Vec<Vec<Pair>> = jobs.par_iter().map(|&(k, c)| self.measure(&reduced, k, c)).collect();
        self.pairs.push(measured.concat());
        self.recent.push_front(reduced);
        self.recent.truncate(REACH);
    }

    /// The pairs of a frame and the one `k` before it in channel `c`; no weight where there is none.
    fn measure(&self, frame: &Reduced, k: usize, c: usize) -> Vec<Pair> {
        let Some(before) = self.recent.get(k - 1).filter(|b| b.size == frame.size) else {
            return vec![Pair::default(); self.places()];
        };
        let size = frame.size;
        let whole = (0..size.height, 0..size.width);
        let cells = (1..self.places()).map(|place| {
            let (row, column) = ((place - 1) / self.columns, (place - 1) % self.columns);
            (part(size.height, row, self.rows), part(size.width, column, self.columns))
        });
        let mut differences = Vec::with_capacity(size.area());
        let areas = std::iter::once(whole).chain(cells);
        areas
            .map(|(rows, columns)| {
                differences.clear();
                for y in rows.clone() {
                    let line = y * size.width + columns.start..y * size.width + columns.end;
                    let (now, then) = (&frame.planes[c][line.clone()], &before.planes[c][line]);
                    differences.extend(now.iter().zip(then).map(|(n, t)| n - t).filter(|d| !d.is_nan()));
                }
                let share = differences.len() as f32 / (rows.len() * columns.len()).max(1) as f32;
                Pair { centre: centre(&mut differences), weight: share / k as f32 }
            })
            .collect()
    }

    /// The correction of every frame in stops. `scenes` are the ranges of frames between cuts.
    pub(super) fn solve(&self, scenes: &[Range<usize>], sigma: f64) -> Vec<Grid> {
        let mut grids = vec![Grid::flat(self.rows, self.columns); self.pairs.len()];
        let cells = self.rows * self.columns;
        for scene in scenes {
            let corrections: Vec<Vec<f64>> = (0..cells * 3)
                .into_par_iter()
                .map(|i| correction(&self.gains(scene, i / 3, i % 3), sigma))
                .collect();
            for (i, values) in corrections.iter().enumerate() {
                for (frame, value) in scene.clone().zip(values) {
                    grids[frame].stops[i] = *value as f32;
                }
            }
        }
        grids
    }

    /// The gains of one cell and channel over a scene: the whole frame's, and the cell's difference to it.
    fn gains(&self, scene: &Range<usize>, cell: usize, c: usize) -> Vec<f64> {
        let whole = |t: usize, k: usize| self.pair(t, k, c, 0);
        let mut gains = solve(scene, HOLD_FRAME, |t, k| {
            let pair = whole(t, k);
            (f64::from(pair.centre), f64::from(pair.weight))
        });
        if self.places() > 1 {
            let difference = solve(scene, HOLD_CELL, |t, k| {
                let pair = self.pair(t, k, c, cell + 1);
                (f64::from(pair.centre - whole(t, k).centre), f64::from(pair.weight))
            });
            gains.iter_mut().zip(difference).for_each(|(g, d)| *g += d);
        }
        gains
    }

    fn pair(&self, t: usize, k: usize, c: usize, place: usize) -> Pair {
        self.pairs[t][((k - 1) * 3 + c) * self.places() + place]
    }
}

/// The `i`th of `n` parts of `length`.
fn part(length: usize, i: usize, n: usize) -> Range<usize> {
    length * i / n..length * (i + 1) / n
}

/// Box-averages linear light to about [`REDUCED_AREA`] pixels; a box with an unusable pixel is not usable.
#[allow(
    clippy::disallowed_methods,
    reason = "one logarithm for each reduced pixel; only medians of them are used"
)]
fn reduce(frame: &Canvas, linear: &[f32]) -> Reduced {
    let from = frame.size();
    let factor = ((from.area() as f64 / REDUCED_AREA as f64).sqrt() as usize).max(1);
    let size = Size::new((from.width / factor).max(1), (from.height / factor).max(1));
    let (step_x, step_y) = (factor.min(from.width), factor.min(from.height));
    let rows: Vec<Vec<[f32; 3]>> = (0..size.height)
        .into_par_iter()
        .map(|y| {
            let mut sums = vec![[0f32; 3]; size.width];
            for line in y * step_y..(y + 1) * step_y {
                let bytes = &frame.as_rgb8()[line * from.width * 3..][..size.width * step_x * 3];
                for (x, pixel) in bytes.as_chunks::<3>().0.iter().enumerate() {
                    for (sum, value) in sums[x / step_x].iter_mut().zip(pixel) {
                        *sum += if USABLE.contains(value) { linear[usize::from(*value)] } else { f32::NAN };
                    }
                }
            }
            sums.iter().map(|sum| sum.map(f32::log2)).collect()
        })
        .collect();
    let plane = |c: usize| rows.iter().flatten().map(|pixel| pixel[c]).collect();
    Reduced { size, planes: [plane(0), plane(1), plane(2)] }
}

/// The mean of what lies near the median: as robust, but finer than the steps of 8-bit values. How near is
/// near follows the spread, so that the whole of a frame with bands counts.
fn centre(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let median = *values.select_nth_unstable_by(middle, f32::total_cmp).1;
    values.iter_mut().for_each(|v| *v -= median);
    let mut deviations: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let near = NEAR.max(FAR * *deviations.select_nth_unstable_by(middle, f32::total_cmp).1);
    let (mut sum, mut count) = (0f64, 0f64);
    for value in values.iter().filter(|v| v.abs() <= near) {
        (sum, count) = (sum + f64::from(*value), count + 1.0);
    }
    median + (sum / count) as f32
}

/// Least squares over a scene: `pair(t, k)` is what frame `t` is above frame `t - k`, and its weight.
/// Normal equations of half-bandwidth [`REACH`], by LDLᵀ.
fn solve(scene: &Range<usize>, hold: f64, pair: impl Fn(usize, usize) -> (f64, f64)) -> Vec<f64> {
    let n = scene.len();
    // band[i][k] is the entry (i, i - k).
    let mut band = vec![[0f64; REACH + 1]; n];
    let mut right = vec![0f64; n];
    for (i, t) in scene.clone().enumerate() {
        band[i][0] += hold;
        for k in 1..=REACH.min(i) {
            let (centre, weight) = pair(t, k);
            band[i][0] += weight;
            band[i - k][0] += weight;
            band[i][k] -= weight;
            right[i] += weight * centre;
            right[i - k] -= weight * centre;
        }
    }
    factor(&mut band);
    substitute(&band, &mut right);
    right
}

/// LDLᵀ in place: `band[i][0]` becomes `D`, the others `L`. Positive definite by the hold on the diagonal.
fn factor(band: &mut [[f64; REACH + 1]]) {
    for i in 0..band.len() {
        for k in (1..=REACH.min(i)).rev() {
            let j = i - k;
            let sum: f64 = (k + 1..=REACH.min(i)).map(|m| band[i][m] * band[j][m - k] * band[i - m][0]).sum();
            band[i][k] = (band[i][k] - sum) / band[j][0];
        }
        let sum: f64 = (1..=REACH.min(i)).map(|k| band[i][k] * band[i][k] * band[i - k][0]).sum();
        band[i][0] -= sum;
    }
}

/// Solves with the factors of [`factor`]; `right` becomes the solution.
fn substitute(band: &[[f64; REACH + 1]], right: &mut [f64]) {
    for i in 0..right.len() {
        let sum: f64 = (1..=REACH.min(i)).map(|k| band[i][k] * right[i - k]).sum();
        right[i] -= sum;
    }
    for i in 0..right.len() {
        right[i] /= band[i][0];
    }
    for i in (0..right.len()).rev() {
        for k in 1..=REACH.min(i) {
            right[i - k] -= band[i][k] * right[i];
        }
    }
}

/// `smooth(g) - g`, clamped to ±[`STRONGEST`].
fn correction(gains: &[f64], sigma: f64) -> Vec<f64> {
    let smooth = (0..gains.len()).map(|i| fitted(gains, i, sigma));
    smooth.zip(gains).map(|(smooth, g)| (smooth - g).clamp(-STRONGEST, STRONGEST)).collect()
}

/// The value at `i` of the straight line that fits best under a Gaussian round `i` (local linear regression,
/// Cleveland 1979). Inside it is the Gaussian mean; at the ends, unlike reflection, it neither bends a
/// ramp nor hangs on the last frame, which flickers as any other.
fn fitted(gains: &[f64], i: usize, sigma: f64) -> f64 {
    let radius = libm::ceil(3.0 * sigma) as usize;
    let window = i.saturating_sub(radius)..(i + radius + 1).min(gains.len());
    let (mut s0, mut s1, mut s2, mut t0, mut t1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for j in window {
        let d = j as f64 - i as f64;
        let weight = libm::exp(-0.5 * (d / sigma) * (d / sigma));
        (s0, s1, s2) = (s0 + weight, s1 + weight * d, s2 + weight * d * d);
        (t0, t1) = (t0 + weight * gains[j], t1 + weight * d * gains[j]);
    }
    let det = s0 * s2 - s1 * s1;
    // A single frame has no slope.
    if det > 1e-12 * s0 * s0 { (s2 * t0 - s1 * t1) / det } else { t0 / s0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// With all pairs exact, the gains come back but for a constant: the hold of 1e-6 costs far below 1e-3.
        #[test]
        fn exact_pairs_give_the_gains_back(gains in prop::collection::vec(-1.0f64..1.0, 1..40)) {
            let n = gains.len();
            let found = solve(&(0..n), HOLD_FRAME, |t, k| (gains[t] - gains[t - k], 1.0 / k as f64));
            let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
            let shift = mean(&gains) - mean(&found);
            for (g, f) in gains.iter().zip(&found) {
                prop_assert!((g - f - shift).abs() < 1e-3, "{g} {f}");
            }
        }

        #[test]
        fn a_ramp_needs_no_correction(start in -3.0f64..3.0, slope in -0.2f64..0.2, n in 1usize..60) {
            let ramp: Vec<f64> = (0..n).map(|i| start + slope * i as f64).collect();
            for c in correction(&ramp, 6.0) {
                prop_assert!(c.abs() < 1e-9);
            }
        }
    }

    /// The first frame is corrected like any other: reflection would leave it as it is.
    #[test]
    fn a_spike_at_the_end_is_taken_out() {
        let mut gains = [0.0; 40];
        gains[0] = 0.8;
        let first = correction(&gains, 6.0)[0];
        assert!((-0.8..-0.5).contains(&first), "{first}");
    }

    #[test]
    fn the_centre_ignores_what_moves() {
        let mut values: Vec<f32> = (0..60).map(|i| 0.3 + (i % 5) as f32 * 0.01).collect();
        values.extend([4.0; 40]);
        assert!((centre(&mut values) - 0.32).abs() < 1e-5);
    }
}
