//! Masks as pixels: one byte each, white where something is painted.

use crate::canvas::{Canvas, Size};

/// A grey picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grey {
    pub size: Size,
    pub values: Vec<u8>,
}

impl Grey {
    /// The brightness of a picture, weighed as PIL does (ITU-R 601, 16 bits).
    pub fn of(canvas: &Canvas) -> Self {
        let bright = |p: &[u8; 3]| {
            let [r, g, b] = p.map(u32::from);
            ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
        };
        Self { size: canvas.size(), values: canvas.as_rgb8().as_chunks::<3>().0.iter().map(bright).collect() }
    }

    /// The same as a picture of three equal channels.
    pub fn to_canvas(&self) -> Canvas {
        Canvas::from_rgb8(self.size, self.values.iter().flat_map(|v| [*v; 3]).collect())
    }

    /// The first channel of a picture that has three equal ones.
    pub fn channel(canvas: &Canvas) -> Self {
        Self {
            size: canvas.size(),
            values: canvas.as_rgb8().as_chunks::<3>().0.iter().map(|p| p[0]).collect(),
        }
    }

    /// Gaussian blur with `sigma` pixels, along the rows and then along the columns, each rounded to bytes; 0 and
    /// less leave it alone. sd-webui's mask blur: a kernel of `2·int(2.5·sigma + 0.5) + 1` places, OpenCV's
    /// 8-bit arithmetic (4.x: the kernel in 256ths), mirrored at the edges without repeating them.
    pub fn blurred(&self, sigma: f64) -> Self {
        if sigma.is_nan() || sigma <= 0.0 {
            return self.clone();
        }
        let kernel = kernel(sigma);
        let Size { width, height } = self.size;
        let mut values = self.values.clone();
        let mut line = Vec::new();
        for y in 0..height {
            line.clear();
            line.extend_from_slice(&values[y * width..(y + 1) * width]);
            for x in 0..width {
                values[y * width + x] = weighed(&line, x, &kernel);
            }
        }
        for x in 0..width {
            line.clear();
            line.extend((0..height).map(|y| values[y * width + x]));
            for y in 0..height {
                values[y * width + x] = weighed(&line, y, &kernel);
            }
        }
        Self { size: self.size, values }
    }
}

impl Grey {
    /// The mask at another size, cubically filtered (a = -1/2, over as many values as it takes when it shrinks) along
    /// the rows and then along the columns, each rounded and clipped to bytes: PIL's `resize` where nothing is said.
    pub fn resized(&self, size: Size) -> Self {
        let Size { width, height } = self.size;
        let (across, down) = (weights(width, size.width), weights(height, size.height));
        let mut rows = vec![0; size.width * height];
        for (row, line) in rows.chunks_exact_mut(size.width).zip(self.values.chunks_exact(width)) {
            for (value, (first, weights)) in row.iter_mut().zip(&across) {
                *value = summed(weights, |i| line[first + i]);
            }
        }
        let mut values = Vec::with_capacity(size.area());
        for (first, weights) in &down {
            let column = |x: usize| summed(weights, |i| rows[(first + i) * size.width + x]);
            values.extend((0..size.width).map(column));
        }
        Self { size, values }
    }
}

/// The weighed sum of values as a byte; weights are in 2^-22.
fn summed(weights: &[i64], value: impl Fn(usize) -> u8) -> u8 {
    let sum: i64 = weights.iter().enumerate().map(|(i, weight)| weight * i64::from(value(i))).sum();
    ((sum + (1 << 21)) >> 22).clamp(0, 255) as u8
}

/// Where each of `to` values begins to look at a line of `from`, and by which weights.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<i64>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let reach = 2.0 * stretch;
    let one = |i: usize| {
        let middle = (i as f64 + 0.5) * scale;
        let first = (middle - reach + 0.5).max(0.0) as usize;
        let last = ((middle + reach + 0.5) as usize).min(from);
        let weight = |x: usize| cubic((x as f64 - middle + 0.5) / stretch);
        let sum: f64 = (first..last).map(weight).sum();
        let whole = |x: usize| (weight(x) / sum * f64::from(1 << 22)).round() as i64;
        (first, (first..last).map(whole).collect())
    };
    (0..to).map(one).collect()
}

/// The cubic convolution kernel with a = -1/2 (Keys 1981).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// The Gaussian kernel in 256ths: distances and their weights, without those of weight 0, so that however wide it
/// is, it has at most 256 places. Rounding errors are carried towards the middle, so that the sum is 256.
fn kernel(sigma: f64) -> Vec<(i64, i64)> {
    // A blur wider than any picture is as good as the mean of its rows.
    let half = (2.5 * sigma.min(1e4) + 0.5) as usize;
    let weight = |i: usize| {
        let distance = i as f64 - half as f64;
        libm::exp(-distance * distance / (2.0 * sigma * sigma))
    };
    let sum: f64 = (0..=2 * half).map(weight).sum();
    let mut kernel = vec![0; 2 * half + 1];
    let mut error = 0.0;
    for i in 0..half {
        let wanted = weight(i) / sum * 256.0 + error;
        let whole = wanted.round_ties_even();
        error = wanted - whole;
        kernel[i] = whole as i64;
        kernel[2 * half - i] = whole as i64;
    }
    kernel[half] = 256 - kernel.iter().sum::<i64>();
    let places = kernel.into_iter().enumerate().map(|(i, weight)| (i as i64 - half as i64, weight));
    places.filter(|(_, weight)| *weight != 0).collect()
}

/// The weighed mean about a place of a line.
fn weighed(line: &[u8], at: usize, kernel: &[(i64, i64)]) -> u8 {
    let value = |distance: i64| i64::from(line[mirrored(at as i64 + distance, line.len())]);
    let sum: i64 = kernel.iter().map(|(distance, weight)| weight * value(*distance)).sum();
    ((sum + 128) >> 8).clamp(0, 255) as u8
}

/// A place beyond the ends of a line, mirrored at its first and last value (OpenCV's `BORDER_REFLECT_101`).
fn mirrored(place: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    if last == 0 {
        return 0;
    }
    let place = place.rem_euclid(2 * last);
    place.min(2 * last - place) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot() -> Grey {
        let mut values = vec![0; 63];
        values[2 * 9 + 1] = 255;
        values[5 * 9 + 8] = 200;
        Grey { size: Size::new(9, 7), values }
    }

    #[test]
    fn blurs_as_opencv_does() {
        // cv2.GaussianBlur 5.0 with (9, 1), 1.5 and then (1, 9), 1.5.
        assert_eq!(spot().blurred(1.5).values, OPENCV);
    }

    const OPENCV: [u8; 63] = [
        24, 21, 14, 7, 2, 0, 0, 0, 0, 28, 24, 16, 8, 2, 1, 0, 0, 0, 30, 26, 18, 8, 3, 1, 1, 2, 2, 24, 21, 14,
        6, 2, 1, 3, 5, 6, 12, 11, 7, 3, 1, 2, 6, 11, 13, 4, 3, 2, 1, 1, 3, 8, 16, 20, 2, 2, 1, 0, 1, 3, 9,
        18, 23,
    ];

    #[test]
    fn masks_get_as_small_as_the_latent_as_in_pil() {
        let size = Size::new(32, 24);
        let value = |i: usize| match (i % 32, i / 32) {
            (x, y) if (5..19).contains(&x) && (3..14).contains(&y) => 255,
            (x, y) if x > 24 => (x * y * 7 % 200) as u8,
            _ => 0,
        };
        let mask = Grey { size, values: (0..size.area()).map(value).collect() };
        // Image.resize((4, 3)) of Pillow 13.0.
        assert_eq!(mask.resized(Size::new(4, 3)).values, [74, 181, 72, 70, 79, 193, 75, 69, 0, 0, 1, 79]);
        assert_eq!(mask.resized(size), mask);
    }

    #[test]
    fn blurs_of_any_width_are_harmless() {
        for sigma in [0.0, -1.0, f64::NAN] {
            assert_eq!(spot().blurred(sigma), spot());
        }
        for sigma in [0.01, 40.0, 1e9, f64::INFINITY] {
            let white = Grey { size: Size::new(3, 1), values: vec![255; 3] };
            assert_eq!(white.blurred(sigma), white, "{sigma}");
        }
    }
}
