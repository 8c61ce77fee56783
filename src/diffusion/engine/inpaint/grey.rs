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
