//! Distances out of depth maps.

use rayon::prelude::*;

use crate::canvas::{DepthMap, Plane, on_widest};
use crate::timeline::frame::{DepthMeaning, DepthParams};

/// Bins of the histogram by which depth is equalised.
const BINS: usize = 1024;

/// What Deforum adds to pictures (grey levels) before it samples them over an old blended map.
const OLD_LIFT: f32 = 1.0 / 512.0 - 0.0001;

/// A distance for each pixel, or distance 1 everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Relief {
    distance: Option<Plane>,
    lift: f32,
}

impl Relief {
    /// Distances from a depth map. No map, a constant one and one with values that are not finite give distance 1
    /// everywhere.
    pub fn new(depth: Option<&DepthMap>, meaning: DepthMeaning) -> Self {
        let distance = match meaning {
            DepthMeaning::Inverse => depth.and_then(equalise).map(|e| map(e, |e| 2.0 - e)),
            DepthMeaning::Metric => depth.and_then(equalise).map(|e| map(e, |e| 1.0 + e)),
            DepthMeaning::Blended => depth.filter(|d| range(d).is_some()).cloned(),
        };
        Self { distance, lift: if meaning == DepthMeaning::Blended { OLD_LIFT } else { 0.0 } }
    }

    /// Distances of depth that is to be read as `params` say; no map gives distance 1 everywhere.
    ///
    /// Equalised depth e in 0..1 lies at `far - e (far - near)`, which is Deforum's `2 - e`, and a map that cannot be
    /// equalised at distance 1. Other depth is d in 0..1 (what is beyond is at the ends): its inverse distance is
    /// linear between `1 / far` and `1 / near`, for that is what networks estimate and what pictures of depth show.
    pub fn of(depth: Option<&DepthMap>, params: &DepthParams) -> Self {
        let (near, far) = (params.near as f32, params.far as f32);
        let distance = if params.equalise {
            depth.and_then(equalise).map(|e| map(e, |e| far - e * (far - near)))
        } else {
            let inverse = |d: f32| 1.0 / far + d.clamp(0.0, 1.0) * (1.0 / near - 1.0 / far);
            depth.cloned().map(|d| map(d, |d| if d.is_nan() { far } else { 1.0 / inverse(d) }))
        };
        Self { distance, lift: 0.0 }
    }

    /// Everything at distance 1.
    pub fn flat() -> Self {
        Self { distance: None, lift: 0.0 }
    }

    /// Distance of each pixel; `None` is 1 everywhere.
    pub fn distance(&self) -> Option<&Plane> {
        self.distance.as_ref()
    }

    /// Grey levels added to the picture before it is sampled.
    pub(super) fn lift(&self) -> f32 {
        self.lift
    }
}

/// Histogram equalisation of a depth map, values above 0 up to 1: each value becomes the share of the picture at or below
/// it, interpolated between 1024 bins (at their left edges, as Deforum does). `None` when the map is constant
/// or has values that are not finite.
pub fn equalise(depth: &DepthMap) -> Option<Plane> {
    let (low, high) = range(depth)?;
    let scale = Scale { low, span: high - low };
    let pieces = depth.values().par_chunks(PIECE);
    // Sums of integers: the order in which threads finish cannot show.
    let counts = pieces.map(|piece| scale.counts(piece)).reduce(
        || [0; BINS],
        |mut all, piece| {
            all.iter_mut().zip(piece).for_each(|(sum, count)| *sum += count);
            all
        },
    );
    let steps = cumulate(&counts, depth.values().len());
    let mut equal = Plane::filled(depth.size(), 0.0);
    let to = equal.values_mut().par_chunks_mut(PIECE);
    to.zip(depth.values().par_chunks(PIECE)).for_each(|(to, from)| scale.look_up(from, &steps, to));
    Some(equal)
}

/// Values that a thread takes at a time.
const PIECE: usize = 1 << 15;
/// Values whose bins are found at a time.
const BLOCK: usize = 256;

/// Brings values of a map to 0..=1.
#[derive(Clone, Copy)]
struct Scale {
    low: f32,
    span: f32,
}

impl Scale {
    /// How many values fall into each bin.
    fn counts(self, values: &[f32]) -> [u32; BINS] {
        // Every other one is counted apart: neighbours are often equal, and adding to one number twice in a row waits.
        let mut counts = [[0_u32; BINS]; 2];
        let (mut scaled, mut bins) = ([0.0; BLOCK], [0; BLOCK]);
        for values in values.chunks(BLOCK) {
            on_widest(|| self.place(values, &mut scaled, &mut bins));
            for [a, b] in bins[..values.len()].as_chunks::<2>().0 {
                counts[0][*a as usize & (BINS - 1)] += 1;
                counts[1][*b as usize & (BINS - 1)] += 1;
            }
            if values.len() % 2 == 1 {
                counts[0][bins[values.len() - 1] as usize & (BINS - 1)] += 1;
            }
        }
        let [mut even, odd] = counts;
        even.iter_mut().zip(odd).for_each(|(sum, count)| *sum += count);
        even
    }

    /// The share of the picture at or below each value.
    fn look_up(self, values: &[f32], steps: &[(f64, f64); BINS], to: &mut [f32]) {
        let (mut scaled, mut bins) = ([0.0; BLOCK], [0; BLOCK]);
        for (values, to) in values.chunks(BLOCK).zip(to.chunks_mut(BLOCK)) {
            on_widest(|| {
                self.place(values, &mut scaled, &mut bins);
                for ((to, v), bin) in to.iter_mut().zip(&scaled).zip(&bins) {
                    let (base, step) = steps[*bin as usize & (BINS - 1)];
                    let within = f64::from(*v) * BINS as f64 - f64::from(*bin);
                    *to = (base + within * step) as f32;
                }
            });
        }
    }

    /// The scaled values and their bins; 1 itself belongs to the last.
    #[inline(always)]
    fn place(self, values: &[f32], scaled: &mut [f32; BLOCK], bins: &mut [i32; BLOCK]) {
        for ((v, scaled), bin) in values.iter().zip(scaled.iter_mut()).zip(bins.iter_mut()) {
            *scaled = (v - self.low) / self.span;
            // SAFETY: the map's values are finite, its lowest one and the span known: this is a number from 0 to 1.
            let floor = unsafe { (*scaled * BINS as f32).to_int_unchecked::<i32>() };
            *bin = floor.min(BINS as i32 - 1);
        }
    }
}

/// For each bin the share of pixels up to it, and the step to the next bin's (none after the last).
fn cumulate(counts: &[u32; BINS], total: usize) -> [(f64, f64); BINS] {
    let mut steps = [(0.0, 0.0); BINS];
    let mut sum = 0_u64;
    for (i, count) in counts.iter().enumerate() {
        sum += u64::from(*count);
        steps[i].0 = sum as f64 / total as f64;
        if i > 0 {
            steps[i - 1].1 = steps[i].0 - steps[i - 1].0;
        }
    }
    steps
}

/// Smallest and largest value, when all are finite and they differ.
fn range(depth: &DepthMap) -> Option<(f32, f32)> {
    let ranges = depth.values().par_chunks(PIECE).map(|piece| {
        let mut range = (f32::INFINITY, f32::NEG_INFINITY, true);
        on_widest(|| range = piece_range(piece));
        range
    });
    let start = || (f32::INFINITY, f32::NEG_INFINITY, true);
    let (low, high, finite) = ranges.reduce(start, |a, b| (a.0.min(b.0), a.1.max(b.1), a.2 & b.2));
    (finite && low < high && (high - low).is_finite()).then_some((low, high))
}

/// Smallest and largest value, and whether all are finite, kept for each place of a block until the end.
#[inline(always)]
fn piece_range(values: &[f32]) -> (f32, f32, bool) {
    const WIDE: usize = 32;
    let (mut low, mut high, mut exponent) = ([f32::INFINITY; WIDE], [f32::NEG_INFINITY; WIDE], [0; WIDE]);
    let mut take = |values: &[f32]| {
        for (i, v) in values.iter().enumerate().take(WIDE) {
            low[i] = if *v < low[i] { *v } else { low[i] };
            high[i] = if *v > high[i] { *v } else { high[i] };
            exponent[i] = exponent[i].max(v.to_bits() & 0x7F80_0000);
        }
    };
    let (blocks, rest) = values.as_chunks::<WIDE>();
    for block in blocks {
        take(block);
    }
    take(rest);
    let low = low.iter().fold(f32::INFINITY, |low, v| low.min(*v));
    let high = high.iter().fold(f32::NEG_INFINITY, |high, v| high.max(*v));
    (low, high, exponent.iter().all(|e| *e < 0x7F80_0000))
}

/// Each value through `f`, in place.
fn map(mut plane: Plane, f: impl Fn(f32) -> f32) -> Plane {
    plane.values_mut().iter_mut().for_each(|v| *v = f(*v));
    plane
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn maps_without_information_are_flat() {
        let size = Size::new(2, 1);
        for values in [[3.0, 3.0], [f32::NAN, 1.0], [1.0, f32::INFINITY], [f32::MIN, f32::MAX]] {
            let map = Plane::from_values(size, values.to_vec());
            for meaning in [DepthMeaning::Inverse, DepthMeaning::Metric, DepthMeaning::Blended] {
                assert_eq!(Relief::new(Some(&map), meaning).distance(), None, "{values:?}");
            }
        }
        assert_eq!(Relief::new(None, DepthMeaning::Inverse), Relief::flat());
    }

    #[test]
    fn the_nearest_pixel_is_at_distance_one() {
        let map = Plane::from_values(Size::new(4, 1), vec![0.0, 5.0, 7.0, 100.0]);
        let relief = Relief::new(Some(&map), DepthMeaning::Inverse);
        let z = relief.distance().unwrap().values();
        assert_eq!(z[3], 1.0);
        assert!(z[0] > z[1] && z[1] > z[2] && z[2] > z[3] && z[0] < 2.0, "{z:?}");
    }

    #[test]
    fn near_and_far_are_the_ends_of_either_reading() {
        let map = Plane::from_values(Size::new(5, 1), vec![-0.2, 0.0, 0.5, 1.0, 1.2]);
        let params = DepthParams { near: 2.0, far: 6.0, equalise: false, ..DepthParams::default() };
        let z = Relief::of(Some(&map), &params).distance().unwrap().values().to_vec();
        for (found, expected) in z.iter().zip([6.0, 6.0, 3.0, 2.0, 2.0]) {
            assert!((found - expected).abs() < 1e-5, "{z:?}");
        }
        let equalised = Relief::of(Some(&map), &DepthParams { equalise: true, ..params });
        assert_eq!(equalised.distance().unwrap().values()[4], 2.0);
        // Deforum's reading is the default.
        let deforum = Relief::of(Some(&map), &DepthParams::default());
        assert_eq!(deforum, Relief::new(Some(&map), DepthMeaning::Inverse));
    }

    #[test]
    fn a_ramp_is_equalised_to_itself() {
        let n = 1024;
        let ramp = Plane::from_values(Size::new(n, 1), (0..n).map(|i| i as f32 / (n - 1) as f32).collect());
        let flat = equalise(&ramp).unwrap();
        // A bin holds one pixel, so a value is off by at most one bin.
        assert!(flat.values().iter().zip(ramp.values()).all(|(a, b)| (a - b).abs() <= 1.01 / n as f32));
    }
}
