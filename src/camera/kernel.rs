//! Kernels over six pixels, and every kernel made wider where a picture is made smaller.
//!
//! A kernel that is stretched by the factor by which the picture shrinks takes the mean of all pixels that fall
//! together, so that nothing flickers or forms moiré. Along an oblique direction it is stretched along both axes,
//! each by the length that one step across or down the moved picture has on it.

use std::sync::OnceLock;

use libm::sin;

use crate::timeline::frame::Sampling;

/// Lobes of Lanczos' kernel to each side.
pub(super) const LOBES: usize = 3;
/// Entries of its table to a pixel.
const STEPS: usize = 1024;
/// Farthest that a kernel is stretched. Beyond that a picture is a few pixels and nobody counts them.
pub(super) const WIDEST: f32 = 8.0;
/// Most pixels that a stretched kernel reaches along one axis.
pub(super) const REACH: usize = 2 * LOBES * WIDEST as usize + 2;

/// A kernel that reaches over three pixels to each side: for each step of a fraction from 0 to 1 its values at the six
/// pixels around, in a row of eight.
pub(super) struct Table(Vec<[f32; 8]>);

/// Lanczos' kernel `sinc(x) sinc(x / 3)` (Duchon, "Lanczos filtering in one and two dimensions", 1979). Nearest to the
/// ideal in one warp, but it passes some waves on by 2.7 % too strongly, and over a hundred warps those grow fourfold.
pub(super) fn lanczos() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::of(lanczos_at))
}

/// The polynomial of fifth degree through six pixels (Lagrange). It passes no wave on too strongly, whatever the fraction
/// (Laakso, Välimäki, Karjalainen and Laine, "Splitting the unit delay", 1996, on centred Lagrange interpolators), and
/// of all such kernels loses least of coarse ones: after a hundred warps 94 % of waves of eight pixels are left, where
/// Catmull and Rom's cubic leaves 64 % and bilinear sampling 0.6 %. A loop may use it for ever.
pub(super) fn lagrange() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::of(lagrange_at))
}

fn lanczos_at(x: f64) -> f64 {
    let lobes = LOBES as f64;
    if x == 0.0 {
        return 1.0;
    }
    // At whole numbers it is 0, and a picture that moves by whole pixels stays as it is.
    if x >= lobes || x.fract() == 0.0 {
        return 0.0;
    }
    let at = x * std::f64::consts::PI;
    lobes * sin(at) * sin(at / lobes) / (at * at)
}

fn lagrange_at(x: f64) -> f64 {
    let whole = x.floor();
    if whole >= LOBES as f64 {
        return 0.0;
    }
    // The weight of node `-whole` among the nodes -2 to 3 about a position between 0 and 1.
    let (node, t) = (-whole, x - whole);
    let others = (-2..=3).map(f64::from).filter(|other| *other != node);
    others.fold(1.0, |product, other| product * (t - other) / (node - other))
}

impl Table {
    fn of(kernel: fn(f64) -> f64) -> Self {
        let step = |i: usize| kernel(i as f64 / STEPS as f64) as f32;
        // The row of fraction 1 stands for what follows it too.
        let row = |i: usize| {
            let i = i.min(STEPS);
            let near = |from: usize| step(from * STEPS - i);
            [step(2 * STEPS + i), step(STEPS + i), step(i), near(1), near(2), near(3), 0.0, 0.0]
        };
        Self((0..STEPS + 2).map(row).collect())
    }

    /// Weights of the six pixels around a position `t` of the way from the third to the fourth, 0 to 1. They sum to 1,
    /// so that a flat colour stays.
    #[inline(always)]
    pub(super) fn weights(&self, t: f32) -> [f32; 2 * LOBES] {
        let scaled = t * STEPS as f32;
        let i = scaled as usize;
        let rest = scaled - i as f32;
        let (low, next) = (&self.0[i], &self.0[i + 1]);
        let mut weights: [f32; 8] = std::array::from_fn(|k| low[k] + (next[k] - low[k]) * rest);
        let sum = 1.0 / weights[..2 * LOBES].iter().sum::<f32>();
        weights.iter_mut().for_each(|w| *w *= sum);
        *weights.first_chunk().expect("six of eight")
    }

    #[inline(always)]
    fn at(&self, x: f32) -> f32 {
        let scaled = x * STEPS as f32;
        if scaled >= (LOBES * STEPS) as f32 {
            return 0.0;
        }
        let i = scaled as usize;
        // Values at 0, 1 and 2 pixels and beyond stand in columns 2, 1 and 0.
        let (row, column) = (i % STEPS, LOBES - 1 - i / STEPS);
        let (low, next) = (self.0[row][column], self.0[row + 1][column]);
        low + (next - low) * (scaled - i as f32)
    }
}

/// How far a kernel reaches to each side, pixels.
pub(super) fn radius(sampling: Sampling) -> f32 {
    match sampling {
        Sampling::Nearest => 0.5,
        Sampling::Bilinear => 1.0,
        Sampling::Bicubic => 2.0,
        Sampling::Lanczos | Sampling::Lagrange => LOBES as f32,
    }
}

/// The kernel at a distance `x`, at least 0, without the factor that makes weights sum to 1.
#[inline(always)]
fn at(sampling: Sampling, x: f32) -> f32 {
    match sampling {
        Sampling::Nearest => f32::from(x <= 0.5),
        Sampling::Bilinear => (1.0 - x).max(0.0),
        Sampling::Bicubic => {
            let a = super::sample::KEYS;
            if x < 1.0 {
                ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
            } else if x < 2.0 {
                ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
            } else {
                0.0
            }
        }
        Sampling::Lanczos => lanczos().at(x),
        Sampling::Lagrange => lagrange().at(x),
    }
}

/// Weights along one axis of a kernel `stretch` times as wide about a position `t` after pixel 0: the first pixel, how
/// many, and their weights, which sum to 1.
#[inline(always)]
pub(super) fn wide_weights(sampling: Sampling, t: f32, stretch: f32) -> (i32, usize, [f32; REACH]) {
    let stretch = stretch.clamp(1.0, WIDEST);
    let reach = radius(sampling) * stretch;
    let first = (t - reach).ceil() as i32;
    let count = (((t + reach).floor() as i32 - first) + 1).clamp(1, REACH as i32) as usize;
    let mut weights = [0.0; REACH];
    let mut sum = 0.0;
    for (i, weight) in weights[..count].iter_mut().enumerate() {
        *weight = at(sampling, ((first + i as i32) as f32 - t).abs() / stretch);
        sum += *weight;
    }
    let scale = 1.0 / sum;
    weights[..count].iter_mut().for_each(|w| *w *= scale);
    (first, count, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Kernel = (fn() -> &'static Table, fn(f64) -> f64, Sampling);

    const TABLES: [Kernel; 2] =
        [(lanczos, lanczos_at, Sampling::Lanczos), (lagrange, lagrange_at, Sampling::Lagrange)];

    #[test]
    fn both_hit_the_pixels() {
        for (table, ..) in TABLES {
            assert_eq!(table().weights(0.0), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
            assert_eq!(table().weights(1.0), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        }
    }

    /// How strongly a wave of `turn` radians a pixel comes out at fraction `t`.
    fn gain(weights: [f32; 6], turn: f64) -> f64 {
        let part = |f: fn(f64) -> f64| -> f64 {
            weights.iter().zip(-2..4).map(|(w, i)| f64::from(*w) * f(f64::from(i) * turn)).sum()
        };
        libm::hypot(part(libm::cos), part(sin))
    }

    #[test]
    fn lagrange_never_amplifies_and_lanczos_does() {
        let loudest = |table: &Table| {
            let pairs = (0..=64).flat_map(|t| (0..=64).map(move |w| (t, f64::from(w))));
            pairs.fold(0.0_f64, |most, (t, w)| {
                most.max(gain(table.weights(t as f32 / 64.0), w / 64.0 * std::f64::consts::PI))
            })
        };
        // Weights are f32 out of a table of f32.
        assert!(loudest(lagrange()) < 1.0 + 1e-5, "{}", loudest(lagrange()));
        assert!((1.02..1.03).contains(&loudest(lanczos())), "{}", loudest(lanczos()));
    }

    proptest! {
        #[test]
        fn weights_are_the_kernels(t in 0.0_f32..1.0) {
            for (table, kernel, _) in TABLES {
                let weights = table().weights(t);
                prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                let exact: Vec<f64> = (-2..4).map(|i| kernel((f64::from(i) - f64::from(t)).abs())).collect();
                let sum: f64 = exact.iter().sum();
                for (ours, exact) in weights.iter().zip(exact) {
                    prop_assert!((f64::from(*ours) - exact / sum).abs() < 2e-6, "{weights:?}");
                }
            }
        }

        #[test]
        fn a_stretch_of_one_is_the_kernel_itself(t in 0.001_f32..0.999) {
            for (table, _, sampling) in TABLES {
                let (first, count, weights) = wide_weights(sampling, t, 1.0);
                prop_assert_eq!((first, count), (-2, 6));
                for (wide, plain) in weights.iter().zip(table().weights(t)) {
                    prop_assert!((wide - plain).abs() < 1e-4, "{wide} {plain}");
                }
            }
        }

        #[test]
        fn wide_weights_sum_to_one(t in 0.0_f32..1.0, stretch in 0.0_f32..20.0, s in 0_usize..5) {
            let all = [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, Sampling::Lagrange];
            let (_, count, weights) = wide_weights(all[s], t, stretch);
            prop_assert!((weights[..count].iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
