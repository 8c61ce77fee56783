//! Depth that keeps its scale: a network's estimates are right up to a scale and a shift that differ from frame to
//! frame, and distances made of them one by one pump.
//!
//! Scale and shift of each estimate are those with which it agrees best with the depth of the frame before, moved as
//! the picture was. The agreement is robust, for what was painted anew may be anything: it begins with medians and
//! median absolute deviations (Hampel 1974), and goes on by reweighting with Tukey's biweight at 95 % efficiency (Beaton
//! & Tukey 1974), for which what is far off does not count at all. The slope is that of the reduced
//! major axis (Kermack & Haldane 1950), the quotient of the deviations: least squares would shrink it by the noise of
//! the estimate, at every frame, and after a hundred of them the relief would be flat.
//!
//! A share of each frame's own scale (its 2nd and 98th percentile at 0 and 1) is mixed in, so that the range follows
//! the content slowly. All of it is the same for an estimate and for any positive multiple of it plus a constant.

use crate::canvas::{DepthMap, Plane};

/// What lies beyond 0 and 1 is kept this far on either side, so that the next frame can be compared with it.
const HEADROOM: f32 = 0.25;

/// Steps of a stored depth.
const STEPS: f32 = u16::MAX as f32;

/// Percentiles of an estimate that its own scale puts at 0 and 1.
const ENDS: (f64, f64) = (0.02, 0.98);

/// The smallest range that is stretched to 1. In a flat picture (fog, stars) a network's noise would otherwise
/// become mountains.
const SMALLEST_SPAN: f64 = 0.1;

/// Pixels that are looked at, at least a quarter of them; more change nothing.
const SAMPLES: usize = 16_384;

/// Errors of so many deviations and more do not count.
const TUKEY: f64 = 4.685;

/// Deviations over median absolute deviations of a normal distribution.
const MAD: f64 = 1.4826;

/// Rounds of reweighting; weights change by less than a thousandth after ten.
const ROUNDS: usize = 12;

/// Fewer covered samples than this say nothing about the scale.
const FEWEST: usize = 64;

/// Depth 0 to 1 with some headroom, from the numbers that are stored: 0 is -0.25, 65535 is 1.25.
pub fn from_steps(step: u16) -> f32 {
    f32::from(step) / STEPS * (1.0 + 2.0 * HEADROOM) - HEADROOM
}

/// The number that is stored for a depth; what is beyond the headroom is cut off.
pub fn to_steps(depth: f32) -> u16 {
    let share = (depth + HEADROOM) / (1.0 + 2.0 * HEADROOM);
    // NaN becomes 0, the farthest.
    (share * STEPS).round().clamp(0.0, STEPS) as u16
}

/// The map with every value where a stored one lies.
fn stored(depth: &DepthMap, (scale, shift): (f64, f64)) -> DepthMap {
    let value = |v: &f32| from_steps(to_steps((f64::from(*v) * scale + shift) as f32));
    Plane::from_values(depth.size(), depth.values().iter().map(value).collect())
}

/// An estimate on its own scale: its 2nd percentile is 0, its 98th 1. Values are those that can be stored.
#[must_use]
pub fn own_scale(estimate: &DepthMap) -> DepthMap {
    stored(estimate, own(&sampled(estimate)))
}

/// An estimate on the scale of the frame before. `before` is that frame's depth, moved with its picture, and where it is
/// covered; `follow` is the share of the estimate's own scale that is mixed in, 0 to 1.
///
/// Values are those that can be stored. Sizes that differ, and too little that is covered, leave the estimate to its own
/// scale.
#[must_use]
pub fn locked(estimate: &DepthMap, before: Option<(&DepthMap, &Plane)>, follow: f64) -> DepthMap {
    let own = own(&sampled(estimate));
    let fitted = before
        .filter(|(moved, coverage)| moved.size() == estimate.size() && coverage.size() == estimate.size())
        .and_then(|(moved, coverage)| fit(estimate, moved, coverage, own));
    let (scale, shift) = match fitted {
        None => own,
        Some(fitted) => {
            let mixed = |fitted: f64, own: f64| fitted + follow * (own - fitted);
            (mixed(fitted.0, own.0), mixed(fitted.1, own.1))
        }
    };
    stored(estimate, (scale, shift))
}

/// Every n-th value.
fn sampled(plane: &Plane) -> Vec<f64> {
    let step = (plane.values().len() / SAMPLES).max(1);
    plane.values().iter().step_by(step).map(|v| f64::from(*v)).filter(|v| v.is_finite()).collect()
}

/// Scale and shift that put the ends of the values at 0 and 1.
fn own(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| sorted.get(((sorted.len().max(1) - 1) as f64 * share).round() as usize);
    let (Some(low), Some(high)) = (at(ENDS.0), at(ENDS.1)) else { return (0.0, 0.5) };
    let span = (high - low).max(SMALLEST_SPAN);
    let scale = 1.0 / span;
    (scale, 0.5 - scale * (low / 2.0 + high / 2.0))
}

/// Scale and shift with which the estimate agrees best with the moved depth where that is covered.
fn fit(estimate: &DepthMap, moved: &DepthMap, coverage: &Plane, own: (f64, f64)) -> Option<(f64, f64)> {
    let step = (estimate.values().len() / SAMPLES).max(1);
    let triples = estimate.values().iter().zip(moved.values()).zip(coverage.values()).step_by(step);
    let pairs: Vec<(f64, f64)> = triples
        .filter(|((e, m), covered)| **covered >= 1.0 && e.is_finite() && m.is_finite())
        .map(|((e, m), _)| (f64::from(*e), f64::from(*m)))
        .collect();
    if pairs.len() < FEWEST {
        return None;
    }
    // Begins where half of the picture may be new without being felt.
    let spread_of = |values: Vec<f64>| {
        let mut values = values;
        let middle = median(&mut values);
        values.iter_mut().for_each(|v| *v = (*v - middle).abs());
        (middle, median(&mut values))
    };
    let (middle_e, spread_e) = spread_of(pairs.iter().map(|(e, _)| *e).collect());
    let (middle_m, spread_m) = spread_of(pairs.iter().map(|(_, m)| *m).collect());
    let start = spread_m / spread_e;
    let mut scale = if start.is_finite() && start > 0.0 { start } else { own.0 };
    let mut shift = middle_m - scale * middle_e;
    for _ in 0..ROUNDS {
        let residual = |(e, m): &(f64, f64)| m - scale * e - shift;
        let mut sizes: Vec<f64> = pairs.iter().map(|pair| residual(pair).abs()).collect();
        // Below a stored step errors are rounding.
        let limit = TUKEY * (MAD * median(&mut sizes)).max(f64::from(1.0 / STEPS));
        let weight = |pair: &(f64, f64)| {
            let share = (residual(pair) / limit).abs().min(1.0);
            (1.0 - share * share) * (1.0 - share * share)
        };
        let weights = pairs.iter().map(|pair| (weight(pair), pair));
        let mut sums = [0.0; 3];
        for (w, (e, m)) in weights.clone() {
            sums = [sums[0] + w, sums[1] + w * e, sums[2] + w * m];
        }
        let (mean_e, mean_m) = (sums[1] / sums[0], sums[2] / sums[0]);
        let mut spread = [0.0; 3];
        for (w, (e, m)) in weights {
            let (e, m) = (e - mean_e, m - mean_m);
            spread = [spread[0] + w * e * e, spread[1] + w * m * m, spread[2] + w * e * m];
        }
        // What does not go together has no common scale: each keeps its own, and only the middle is held.
        let agrees = spread[2] > 0.25 * (spread[0] * spread[1]).sqrt();
        scale = if agrees { (spread[1] / spread[0]).sqrt() } else { own.0 };
        shift = mean_m - scale * mean_e;
    }
    (scale.is_finite() && shift.is_finite() && scale > 0.0).then_some((scale, shift))
}

/// The middle value; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::canvas::Size;

    const SIZE: Size = Size { width: 24, height: 18 };

    /// Hills, with noise that a seed chooses.
    fn hills(seed: u32, noise: f32) -> DepthMap {
        let value = |i: usize| {
            let (x, y) = ((i % SIZE.width) as f32, (i / SIZE.width) as f32);
            let mixed = (i as u32).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503);
            let random = (mixed.wrapping_mul(2_246_822_519) >> 8) as f32 / (1 << 24) as f32 - 0.5;
            (x * 0.4).sin() + y * 0.2 + noise * random
        };
        Plane::from_values(SIZE, (0..SIZE.area()).map(value).collect())
    }

    fn scaled(map: &DepthMap, scale: f32, shift: f32) -> DepthMap {
        Plane::from_values(map.size(), map.values().iter().map(|v| v * scale + shift).collect())
    }

    fn covered() -> Plane {
        Plane::filled(SIZE, 1.0)
    }

    /// Largest difference of two maps.
    fn apart(a: &DepthMap, b: &DepthMap) -> f32 {
        a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn stored_steps_are_exact() {
        for step in [0, 1, 10_922, 10_923, 54_612, 65_534, u16::MAX] {
            assert_eq!(to_steps(from_steps(step)), step);
        }
        assert_eq!((to_steps(-9.0), to_steps(9.0), to_steps(f32::NAN)), (0, u16::MAX, 0));
    }

    #[test]
    fn an_estimate_of_the_same_scene_comes_to_the_scale_of_the_frame_before() {
        let first = own_scale(&hills(1, 0.0));
        let again = scaled(&hills(1, 0.0), 7.0, -3.0);
        assert!(apart(&locked(&again, Some((&first, &covered())), 0.0), &first) < 2e-4);
    }

    #[test]
    fn what_is_new_in_a_part_of_the_picture_does_not_change_the_scale_of_the_rest() {
        let first = own_scale(&hills(1, 0.0));
        let mut changed = hills(1, 0.0);
        // A fifth of the picture becomes something very near.
        let part = SIZE.area() / 5;
        changed.values_mut()[..part].iter_mut().for_each(|v| *v += 20.0);
        let found = locked(&changed, Some((&first, &covered())), 0.0);
        let error = found.values()[part..].iter().zip(&first.values()[part..]).map(|(a, b)| (a - b).abs());
        assert!(error.fold(0.0, f32::max) < 0.05);
        // On its own scale the rest would have shrunk to a few hundredths.
        assert!(apart(&own_scale(&changed), &first) > 0.5);
    }

    #[test]
    fn noise_does_not_flatten_the_relief_over_many_frames() {
        let mut depth = own_scale(&hills(0, 0.6));
        let spread = |map: &DepthMap| {
            let mean = map.values().iter().sum::<f32>() / SIZE.area() as f32;
            (map.values().iter().map(|v| (v - mean).powi(2)).sum::<f32>() / SIZE.area() as f32).sqrt()
        };
        let before = spread(&depth);
        for seed in 1..100 {
            depth = locked(&hills(seed, 0.6), Some((&depth, &covered())), 0.0);
        }
        assert!((spread(&depth) / before - 1.0).abs() < 0.1, "{before} became {}", spread(&depth));
    }

    #[test]
    fn the_own_scale_is_followed_slowly() {
        let first = scaled(&own_scale(&hills(1, 0.0)), 0.5, 0.0);
        let mut depth = first.clone();
        let own = own_scale(&hills(1, 0.0));
        let mut distance = apart(&depth, &own);
        for _ in 0..60 {
            depth = locked(&hills(1, 0.0), Some((&depth, &covered())), 0.1);
            assert!(apart(&depth, &own) < distance + 1e-4);
            distance = apart(&depth, &own);
        }
        assert!(distance < 0.01);
    }

    #[test]
    fn maps_without_information_are_in_the_middle() {
        let flat = Plane::filled(SIZE, 3.0);
        let nothing = Plane::filled(SIZE, f32::NAN);
        assert!(own_scale(&flat).values().iter().all(|v| (v - 0.5).abs() < 1e-4));
        let first = own_scale(&hills(1, 0.0));
        for map in [&flat, &nothing] {
            let found = locked(map, Some((&first, &covered())), 0.1);
            assert!(found.values().iter().all(|v| (-0.25..=1.25).contains(v)));
        }
    }

    proptest! {
        #[test]
        fn scale_and_shift_of_each_estimate_change_nothing(
            changes in prop::collection::vec((0.3_f32..20.0, -30.0_f32..30.0), 1..6),
            follow in 0.0_f64..0.5,
        ) {
            let (mut plain, mut changed): (Option<DepthMap>, Option<DepthMap>) = (None, None);
            for (seed, (scale, shift)) in changes.into_iter().enumerate() {
                let estimate = hills(seed as u32, 0.3);
                let other = scaled(&estimate, scale, shift);
                let coverage = covered();
                let lock = |map: &DepthMap, before: &Option<DepthMap>| {
                    locked(map, before.as_ref().map(|before| (before, &coverage)), follow)
                };
                let found = (lock(&estimate, &plain), lock(&other, &changed));
                // f32 rounding of the changed estimate, a few stored steps a frame.
                prop_assert!(apart(&found.0, &found.1) < 1e-3, "{}", apart(&found.0, &found.1));
                (plain, changed) = (Some(found.0), Some(found.1));
            }
        }
    }
}
