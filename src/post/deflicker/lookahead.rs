//! A moving mean that looks ahead, as ffmpeg's `deflicker` filter has it (read and run at 5.1).
//!
//! A frame's gain is the mean brightness of itself and the frames after it over its own. ffmpeg applies it to
//! the luma plane only, which makes the saturation pump; here it goes to R, G and B alike. On grey pictures
//! both are the same, value for value.

use std::ops::Range;

use crate::canvas::Canvas;

/// Which mean of the brightness; names and formulas are ffmpeg's.
///
/// Its `median` is not here: the filter sorts by address, so what it takes is no median.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mean {
    /// `am`, its default.
    #[default]
    Arithmetic,
    /// `gm`. The product is kept in the logarithm: ffmpeg's overflows from 18 frames on.
    Geometric,
    /// `hm`.
    Harmonic,
    /// `qm`.
    Quadratic,
    /// `cm`.
    Cubic,
    /// `pm`: the exponent is the number of frames.
    Power,
}

impl Mean {
    /// The mean of some brightnesses (0–255). The simple ones add in `f32` and in order, as the peer: a steady
    /// sequence then gets the very gain, a hair below 1, that it gets there.
    #[allow(clippy::disallowed_methods, reason = "square roots are exact; the cube root goes through libm")]
    fn of(self, values: &[f32]) -> f64 {
        let count = values.len() as f32;
        let mean = |f: &dyn Fn(f32) -> f32| values.iter().fold(0f32, |sum, v| sum + f(*v)) / count;
        match self {
            Self::Arithmetic => f64::from(mean(&|v| v)),
            Self::Geometric => {
                let logs = values.iter().map(|v| libm::log(f64::from(*v))).sum::<f64>();
                libm::exp(logs / f64::from(count))
            }
            Self::Harmonic => f64::from(count / values.iter().fold(0f32, |sum, v| sum + 1.0 / v)),
            Self::Quadratic => f64::from(mean(&|v| v * v).sqrt()),
            Self::Cubic => f64::from(libm::cbrtf(mean(&|v| v * v * v))),
            Self::Power => power_mean(values),
        }
    }
}

/// The mean whose exponent is the number of values, scaled by the largest so that it cannot overflow.
fn power_mean(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let largest = values.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let powers = values.iter().map(|v| libm::pow(f64::from(v / largest), count)).sum::<f64>();
    f64::from(largest) * libm::pow(powers / count, 1.0 / count)
}

/// The gain of every frame of a scene from its brightness (0–255): the mean of `size` frames from it on, the
/// last one repeated at the end, over its own. A black frame has gain 1.
pub fn gains(brightness: &[f32], size: usize, mean: Mean) -> Vec<f64> {
    let at = |i: usize| brightness[i.min(brightness.len() - 1)];
    let gain = |i: usize| {
        let window: Vec<f32> = (i..i + size).map(at).collect();
        let gain = mean.of(&window) / f64::from(brightness[i]);
        if gain.is_finite() { gain } else { 1.0 }
    };
    (0..brightness.len()).map(gain).collect()
}

/// First pass: one number a frame.
#[derive(Default)]
pub(super) struct Statistics {
    brightness: Vec<f32>,
}

impl Statistics {
    pub(super) fn push(&mut self, frame: &Canvas) {
        let mut sums = [0u64; 3];
        for pixel in frame.as_rgb8().as_chunks::<3>().0 {
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
        }
        let weighted = 299 * sums[0] + 587 * sums[1] + 114 * sums[2];
        self.brightness.push((weighted as f64 / 1000.0 / frame.size().area() as f64) as f32);
    }

    pub(super) fn solve(&self, scenes: &[Range<usize>], size: usize, mean: Mean) -> Vec<f32> {
        let of_scene = |scene: &Range<usize>| gains(&self.brightness[scene.clone()], size, mean);
        scenes.iter().flat_map(of_scene).map(|gain| gain as f32).collect()
    }
}

/// Multiplies encoded values, 8-bit, and rounds down as the peer does.
pub fn apply(gain: f32, frame: &mut Canvas) {
    let table: Vec<u8> = (0..=255u8).map(|value| (f32::from(value) * gain).min(255.0) as u8).collect();
    frame.as_rgb8_mut().iter_mut().for_each(|value| *value = table[usize::from(*value)]);
}

/// As [`apply`] for 16-bit values.
pub(super) fn apply16(gain: f32, rgb: &mut [u16]) {
    rgb.iter_mut().for_each(|value| *value = (f32::from(*value) * gain).min(65_535.0) as u16);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The means of positive numbers are ordered: harmonic, geometric, arithmetic, quadratic, cubic.
    #[test]
    fn the_means_are_ordered_and_none_overflows() {
        let values: Vec<f32> = (0..129u8).map(|i| 100.0 + f32::from(i % 7) * 20.0).collect();
        let order =
            [Mean::Harmonic, Mean::Geometric, Mean::Arithmetic, Mean::Quadratic, Mean::Cubic, Mean::Power];
        let means = order.map(|mean| mean.of(&values));
        assert!(means.is_sorted() && means[5] <= 220.001, "{means:?}");
        for mean in order {
            assert!((mean.of(&[80.0; 5]) - 80.0).abs() < 1e-4);
        }
    }

    #[test]
    fn black_frames_do_not_divide_by_zero() {
        for mean in [Mean::Arithmetic, Mean::Geometric, Mean::Harmonic, Mean::Power] {
            assert!(gains(&[0.0, 0.0, 50.0], 2, mean).iter().all(|g| g.is_finite()));
        }
    }
}
