//! Nearest, bilinear and bicubic sampling of pictures with every border rule.

use super::edge::Edge;
use super::places::{Place, Places};
use crate::canvas::Canvas;
use crate::timeline::frame::Sampling;

/// One pixel as four `f32` (R, G, B, anything): a vector register wide.
pub(super) type Texel = [f32; 4];

/// Parameter of the Keys kernel that PyTorch uses for bicubic sampling.
const KEYS: f32 = -0.75;

/// Bytes after the last pixel, so that a pixel can be read as part of a wider register.
const PADDING: usize = 16;

/// A picture ready to be sampled.
pub(super) struct Texture {
    width: i32,
    height: i32,
    rgb: Vec<u8>,
    /// Added to every value.
    lift: f32,
}

impl Texture {
    /// Takes a picture; `lift` is added to every value (grey levels).
    pub(super) fn new(canvas: &Canvas, lift: f32) -> Self {
        let mut rgb = Vec::with_capacity(canvas.as_rgb8().len() + PADDING);
        rgb.extend_from_slice(canvas.as_rgb8());
        rgb.extend_from_slice(&[0; PADDING]);
        Self { width: canvas.width() as i32, height: canvas.height() as i32, rgb, lift }
    }

    /// Samples at every place of a row.
    #[inline(always)]
    pub(super) fn sample_row(&self, places: &Places, sampling: Sampling, edge: Edge, out: &mut [Texel]) {
        let pairs = places.iter().zip(out);
        match sampling {
            Sampling::Nearest => pairs.for_each(|(p, out)| *out = self.tap(p.x, p.y, edge)),
            Sampling::Bilinear => pairs.for_each(|(p, out)| *out = self.bilinear(p, edge)),
            Sampling::Bicubic => pairs.for_each(|(p, out)| *out = self.bicubic(p, edge)),
        }
    }

    #[inline(always)]
    fn bilinear(&self, place: Place, edge: Edge) -> Texel {
        let (wx, wy) = ([1.0 - place.fx, place.fx], [1.0 - place.fy, place.fy]);
        let Some(rows) = self.window::<2, 8>(place.x, place.y) else {
            return self.bordered(place.x, place.y, wx, wy, edge);
        };
        self.weigh(rows, wx, wy)
    }

    #[inline(always)]
    fn bicubic(&self, place: Place, edge: Edge) -> Texel {
        let (wx, wy) = (keys_weights(place.fx), keys_weights(place.fy));
        let Some(rows) = self.window::<4, 16>(place.x - 1, place.y - 1) else {
            return self.bordered(place.x - 1, place.y - 1, wx, wy, edge);
        };
        self.weigh(rows, wx, wy)
    }

    /// The bytes of N by N pixels from column `x`, row `y`, when all of them lie inside. Each row comes in a register
    /// of W bytes, of which the last are not its own.
    #[inline(always)]
    fn window<const N: usize, const W: usize>(&self, x: i32, y: i32) -> Option<[&[u8; W]; N]> {
        let n = N as i32;
        if x < 0 || y < 0 || x > self.width - n || y > self.height - n {
            return None;
        }
        let (at, stride) = ((y * self.width + x) as usize * 3, self.width as usize * 3);
        let span = self.rgb.get(at..at + (N - 1) * stride + W)?;
        let mut rows = [span.first_chunk()?; N];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = span[i * stride..].first_chunk()?;
        }
        Some(rows)
    }

    /// Sums N rows of N pixels: down the columns first, all bytes at once, then along.
    #[inline(always)]
    fn weigh<const N: usize, const W: usize>(
        &self,
        rows: [&[u8; W]; N],
        wx: [f32; N],
        wy: [f32; N],
    ) -> Texel {
        let mut down = [0.0; W];
        for (row, wy) in rows.iter().zip(wy) {
            for (sum, v) in down.iter_mut().zip(*row) {
                *sum += f32::from(*v) * wy;
            }
        }
        let mut sum = [self.lift; 4];
        for (i, wx) in wx.iter().enumerate() {
            for c in 0..4 {
                sum[c] += down[i * 3 + c] * wx;
            }
        }
        sum
    }

    /// The weighted sum when some pixels lie outside.
    #[inline(never)]
    fn bordered<const N: usize>(&self, x: i32, y: i32, wx: [f32; N], wy: [f32; N], edge: Edge) -> Texel {
        let mut sum = [0.0; 4];
        for (j, wy) in wy.iter().enumerate() {
            for (i, wx) in wx.iter().enumerate() {
                let tap = self.tap(x + i as i32, y + j as i32, edge);
                (0..4).for_each(|c| sum[c] += tap[c] * wx * wy);
            }
        }
        sum
    }

    /// The pixel that stands at column `x`, row `y`.
    #[inline(always)]
    fn tap(&self, x: i32, y: i32, edge: Edge) -> Texel {
        let (Some(x), Some(y)) = (edge.column(x, self.width), edge.row(y, self.height)) else {
            return [0.0; 4];
        };
        let at = (y * self.width as usize + x) * 3;
        [0, 1, 2, 2].map(|c| f32::from(self.rgb[at + c]) + self.lift)
    }
}

/// Weights of the four pixels around a position `t` of the way from the second to the third (Keys, "Cubic convolution
/// interpolation for digital image processing", 1981).
#[inline(always)]
fn keys_weights(t: f32) -> [f32; 4] {
    const CUBIC: [f32; 4] = [KEYS, KEYS + 2.0, -KEYS - 2.0, -KEYS];
    const SQUARE: [f32; 4] = [-2.0 * KEYS, -KEYS - 3.0, 2.0 * KEYS + 3.0, KEYS];
    const LINEAR: [f32; 4] = [KEYS, 0.0, -KEYS, 0.0];
    const CONSTANT: [f32; 4] = [0.0, 1.0, 0.0, 0.0];
    std::array::from_fn(|i| ((CUBIC[i] * t + SQUARE[i]) * t + LINEAR[i]) * t + CONSTANT[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn keys_weights_sum_to_one_and_hit_the_pixels() {
        for i in 0..=64 {
            let w = keys_weights(i as f32 / 64.0);
            assert!((w.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert_eq!(keys_weights(0.0), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(keys_weights(1.0), [0.0, 0.0, 1.0, 0.0]);
        // Half-way: -A-weighted outer pixels, by hand: A/8 and (4 - A)/8.
        assert_eq!(keys_weights(0.5), [-0.09375, 0.59375, 0.59375, -0.09375]);
    }

    #[test]
    fn inside_and_border_paths_agree() {
        let size = Size::new(9, 7);
        let canvas = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 37 % 256) as u8).collect());
        let texture = Texture::new(&canvas, 0.0);
        let place = Place { x: 3, y: 2, fx: 0.3, fy: 0.8 };
        let near = |a: Texel, b: Texel| (0..3).all(|c| (a[c] - b[c]).abs() < 1e-3);
        let (wx, wy) = (keys_weights(0.3), keys_weights(0.8));
        assert!(near(texture.bicubic(place, Edge::Clamp), texture.bordered(2, 1, wx, wy, Edge::Clamp)));
        let (wx, wy) = ([1.0 - 0.3, 0.3], [1.0 - 0.8, 0.8]);
        assert!(near(texture.bilinear(place, Edge::Clamp), texture.bordered(3, 2, wx, wy, Edge::Clamp)));
    }
}
