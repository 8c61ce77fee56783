//! Lanczos-3 (Duchon 1979): the windowed sinc that keeps the most detail without visible ringing.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Lobes on each side.
const LOBES: f64 = 3.0;
/// Entries of the table for one pixel; between them it is linear, which is right to 1e-6.
const FINE: usize = 1024;

static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let entry = |i: usize| exact(i as f64 / FINE as f64) as f32;
    (0..LOBES as usize * FINE + 2).map(entry).collect()
});

/// sinc(x) sinc(x / 3).
fn exact(x: f64) -> f64 {
    // A sine of a multiple of pi is not quite 0, and a picture that lies on the pixels must stay what it is.
    if x == 0.0 {
        return 1.0;
    }
    if x >= LOBES || x.fract() == 0.0 {
        return 0.0;
    }
    let sinc = |x: f64| libm::sin(PI * x) / (PI * x);
    sinc(x) * sinc(x / LOBES)
}

/// The kernel at a distance in pixels.
pub(super) fn kernel(distance: f64) -> f32 {
    let at = distance.abs() * FINE as f64;
    if at >= LOBES * FINE as f64 {
        return 0.0;
    }
    let (whole, part) = (at as usize, at.fract() as f32);
    TABLE[whole] + (TABLE[whole + 1] - TABLE[whole]) * part
}

/// The pixels of a row that make up one place in it, and their weights, which sum to 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Taps {
    /// The first pixel.
    pub first: usize,
    /// Of it and the ones behind it.
    pub weights: Vec<f32>,
}

impl Taps {
    /// The place `at` (0 is the middle of the first pixel) of a row of `length` pixels, whose edge pixels go on
    /// beyond it. `scale` below 1 shrinks the row.
    pub fn set(&mut self, at: f64, scale: f64, length: usize) {
        // Shrunk rows are seen through a wider kernel, or what is finer than a pixel would shimmer.
        let narrow = scale.min(1.0);
        let reach = LOBES / narrow;
        let last = length as i64 - 1;
        let (from, to) = ((at - reach).ceil() as i64, (at + reach).floor() as i64);
        let first = from.clamp(0, last);
        self.first = first as usize;
        self.weights.clear();
        self.weights.resize((to.clamp(0, last) - first) as usize + 1, 0.0);
        let mut sum = 0.0;
        for i in from..=to {
            let weight = kernel((i as f64 - at) * narrow);
            self.weights[(i.clamp(0, last) - first) as usize] += weight;
            sum += weight;
        }
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_kernel() {
        for i in 0..400 {
            let x = f64::from(i) * 0.0101;
            assert!((f64::from(kernel(x)) - exact(x)).abs() < 3e-6, "{x}");
        }
    }

    #[test]
    fn weights_sum_to_one_everywhere_and_a_pixel_s_own_middle_is_the_pixel() {
        let mut taps = Taps::default();
        for scale in [0.01, 0.5, 0.77, 1.0, 3.0] {
            for at in [-5.0, -0.3, 0.0, 4.4, 9.0, 12.25] {
                taps.set(at, scale, 10);
                assert!((taps.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{at} {scale}");
                assert!(taps.first + taps.weights.len() <= 10);
            }
        }
        taps.set(4.0, 1.0, 10);
        assert_eq!(taps.weights[4 - taps.first], 1.0);
    }
}
