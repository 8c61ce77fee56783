//! 8-bit resizing as Pillow does it, to the last bit: networks were trained on pictures made so.
//!
//! Filters widen when they shrink (anti-aliasing). Pillow (its `Resample.c`) filters rows first, rounds to
//! 8 bits, then columns, with coefficients in fixed point. `fast_image_resize` takes columns first,
//! which differs wherever the filter overshoots: by 25 of 255 in a picture of noise.

use rayon::prelude::*;

use crate::canvas::{Canvas, Size};

/// Bits behind the point of a coefficient: 32, less 8 for the pixel and 2 for the overshoot.
const PRECISION: u32 = 22;

/// A filter, by Pillow's number in `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Nearest,
    Lanczos,
    Bilinear,
    Bicubic,
    Box,
    Hamming,
}

impl Filter {
    /// The filter that Pillow numbers so.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];
        all.get(usize::from(number)).copied()
    }

    /// How far it reaches, in samples of the larger picture's grid.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// Its weight at a distance of `x` samples.
    fn weight(self, x: f64) -> f64 {
        let far = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - far).max(0.0),
            Self::Hamming if far >= 1.0 => 0.0,
            Self::Hamming => sinc(far) * (0.54 + 0.46 * libm::cos(std::f64::consts::PI * far)),
            Self::Bicubic => cubic(far),
            Self::Lanczos if far >= 3.0 => 0.0,
            Self::Lanczos => sinc(far) * sinc(far / 3.0),
        }
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { libm::sin(x) / x }
}

/// Keys' cubic with a = −0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// What one output sample is made of: the first input sample, and weights in fixed point.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// The samples that each output sample along an axis is made of.
fn axis(filter: Filter, from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    if filter == Filter::Nearest {
        let one =
            |i: usize| Taps { first: ((i as f64 + 0.5) * scale) as usize, weights: vec![1 << PRECISION] };
        return (0..to).map(one).collect();
    }
    let widening = scale.max(1.0);
    let reach = filter.support() * widening;
    let taps = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - reach + 0.5).max(0.0) as usize;
        let end = ((center + reach + 0.5) as usize).min(from);
        let weight = |x: usize| filter.weight((x as f64 - center + 0.5) / widening);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |w: &f64| (w / sum * f64::from(1 << PRECISION)).round() as i32;
        Taps { first, weights: weights.iter().map(fixed).collect() }
    };
    (0..to).map(taps).collect()
}

/// Rounds a sum in fixed point to a byte.
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Half of the last bit that is kept.
const HALF: i32 = 1 << (PRECISION - 1);

/// The picture at another size. A side of 0 gives an empty picture.
pub(super) fn resized(picture: &Canvas, size: Size, filter: Filter) -> Canvas {
    let from = picture.size();
    if from == size || from.area() == 0 || size.area() == 0 {
        return if from == size { picture.clone() } else { Canvas::filled(size, [0; 3]) };
    }
    let mut rows = vec![0; size.width * from.height * 3];
    let across = axis(filter, from.width, size.width);
    let lines = picture.as_rgb8().par_chunks(from.width * 3);
    rows.par_chunks_mut(size.width * 3).zip(lines).for_each(|(out, line)| filter_row(line, &across, out));
    let mut rgb = vec![0; size.area() * 3];
    let down = axis(filter, from.height, size.height);
    rgb.par_chunks_mut(size.width * 3).zip(&down).for_each(|(out, taps)| mix_rows(&rows, taps, out));
    Canvas::from_rgb8(size, rgb)
}

/// Filters one row of pixels.
fn filter_row(line: &[u8], across: &[Taps], out: &mut [u8]) {
    for (pixel, taps) in out.as_chunks_mut::<3>().0.iter_mut().zip(across) {
        let mut sums = [HALF; 3];
        for (source, weight) in line.as_chunks::<3>().0[taps.first..].iter().zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(source) {
                *sum += i32::from(*value) * weight;
            }
        }
        *pixel = sums.map(byte);
    }
}

/// One output row as a weighted sum of rows.
fn mix_rows(rows: &[u8], taps: &Taps, out: &mut [u8]) {
    let mut sums = vec![HALF; out.len()];
    for (row, weight) in rows.chunks(out.len()).skip(taps.first).zip(&taps.weights) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += i32::from(*value) * weight);
    }
    out.iter_mut().zip(sums).for_each(|(byte_out, sum)| *byte_out = byte(sum));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A picture whose numbers overshoot when they are filtered.
    fn noise(size: Size) -> Canvas {
        let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
        Canvas::from_rgb8(size, (0..size.area() * 3).map(byte).collect())
    }

    /// ```python
    /// import numpy as np; from PIL import Image          # Pillow 13.0.0
    /// def noise(w, h):
    ///     return np.array([(i * 2654435761 >> 13) & 255 for i in range(w * h * 3)], np.uint8).reshape(h, w, 3)
    /// for n in range(6):
    ///     for size in [(9, 8), (3, 2)]:
    ///         print(np.asarray(Image.fromarray(noise(5, 4)).resize(size, n)).astype(int)
    ///               .ravel().dot(np.arange(size[0] * size[1] * 3) % 97 + 1))
    /// ```
    #[test]
    fn every_filter_agrees_with_pillow() {
        let expected: [[u64; 2]; 6] = [
            [1188934, 21684],
            [1188941, 20541],
            [1186293, 20652],
            [1188333, 20610],
            [1188934, 20796],
            [1186463, 20801],
        ];
        for (number, sums) in expected.iter().enumerate() {
            let filter = Filter::from_number(number as u8).unwrap();
            for (size, sum) in [Size::new(9, 8), Size::new(3, 2)].into_iter().zip(sums) {
                let out = resized(&noise(Size::new(5, 4)), size, filter);
                let weighed =
                    out.as_rgb8().iter().enumerate().map(|(i, v)| u64::from(*v) * (i as u64 % 97 + 1));
                assert_eq!(weighed.sum::<u64>(), *sum, "{filter:?} {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_constant_stays_what_it_is(w in 1_usize..30, h in 1_usize..30, w2 in 1_usize..60, h2 in 1_usize..60,
                                       number in 0_u8..6, rgb in any::<[u8; 3]>()) {
            let picture = Canvas::filled(Size::new(w, h), rgb);
            let out = resized(&picture, Size::new(w2, h2), Filter::from_number(number).unwrap());
            prop_assert_eq!(out, Canvas::filled(Size::new(w2, h2), rgb));
        }
    }
}
