//! Nearest, bilinear and bicubic sampling of pictures with every border rule.

use super::edge::Edge;
use super::places::Place;
use crate::canvas::Canvas;
use crate::timeline::frame::Sampling;

/// One pixel as four `f32` (R, G, B, unused): a vector register wide.
pub(super) type Texel = [f32; 4];

/// Parameter of the Keys kernel that PyTorch uses for bicubic sampling.
const KEYS: f32 = -0.75;

/// A picture ready to be sampled.
pub(super) struct Texture {
    width: i32,
    height: i32,
    texels: Vec<Texel>,
}

impl Texture {
    /// Widens a picture; `lift` is added to every value (grey levels).
    pub(super) fn new(canvas: &Canvas, lift: f32) -> Self {
        let widen =
            |p: &[u8; 3]| [f32::from(p[0]) + lift, f32::from(p[1]) + lift, f32::from(p[2]) + lift, 0.0];
        Self {
            width: canvas.width() as i32,
            height: canvas.height() as i32,
            texels: canvas.as_rgb8().as_chunks::<3>().0.iter().map(widen).collect(),
        }
    }

    /// Samples at every place of a row.
    #[inline(always)]
    pub(super) fn sample_row(&self, places: &[Place], sampling: Sampling, edge: Edge, out: &mut [Texel]) {
        match sampling {
            Sampling::Nearest => places.iter().zip(out).for_each(|(p, o)| *o = self.tap(p.x, p.y, edge)),
            Sampling::Bilinear => places.iter().zip(out).for_each(|(p, o)| *o = self.bilinear(p, edge)),
            Sampling::Bicubic => places.iter().zip(out).for_each(|(p, o)| *o = self.bicubic(p, edge)),
        }
    }

    #[inline(always)]
    fn bilinear(&self, place: &Place, edge: Edge) -> Texel {
        let (wx, wy) = ([1.0 - place.fx, place.fx], [1.0 - place.fy, place.fy]);
        self.window(place.x, place.y).map_or_else(
            || self.bordered(place.x, place.y, wx, wy, edge),
            |rows: [&[Texel; 2]; 2]| weigh(rows, wx, wy),
        )
    }

    #[inline(always)]
    fn bicubic(&self, place: &Place, edge: Edge) -> Texel {
        let (wx, wy) = (keys_weights(place.fx), keys_weights(place.fy));
        self.window(place.x - 1, place.y - 1).map_or_else(
            || self.bordered(place.x - 1, place.y - 1, wx, wy, edge),
            |rows: [&[Texel; 4]; 4]| weigh(rows, wx, wy),
        )
    }

    /// N by N pixels from column `x`, row `y`, when all of them lie inside.
    #[inline(always)]
    fn window<const N: usize>(&self, x: i32, y: i32) -> Option<[&[Texel; N]; N]> {
        let n = N as i32;
        if x < 0 || y < 0 || x > self.width - n || y > self.height - n {
            return None;
        }
        let (at, stride) = ((y * self.width + x) as usize, self.width as usize);
        let span = &self.texels[at..at + (N - 1) * stride + N];
        let mut rows = [span.first_chunk()?; N];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = span[i * stride..].first_chunk()?;
        }
        Some(rows)
    }

    /// The weighted sum when some pixels lie outside.
    #[inline(never)]
    fn bordered<const N: usize>(&self, x: i32, y: i32, wx: [f32; N], wy: [f32; N], edge: Edge) -> Texel {
        let taps: [[Texel; N]; N] =
            std::array::from_fn(|j| std::array::from_fn(|i| self.tap(x + i as i32, y + j as i32, edge)));
        weigh(taps.each_ref(), wx, wy)
    }

    /// The pixel that stands at column `x`, row `y`.
    #[inline(always)]
    fn tap(&self, x: i32, y: i32, edge: Edge) -> Texel {
        match (edge.column(x, self.width), edge.row(y, self.height)) {
            (Some(x), Some(y)) => self.texels[y * self.width as usize + x],
            _ => [0.0; 4],
        }
    }
}

/// Sums N rows of N pixels: along the rows first, then down.
#[inline(always)]
fn weigh<const N: usize>(rows: [&[Texel; N]; N], wx: [f32; N], wy: [f32; N]) -> Texel {
    let mut sum = [0.0; 4];
    for (row, wy) in rows.iter().zip(wy) {
        let mut along = [0.0; 4];
        for (texel, wx) in row.iter().zip(wx) {
            for c in 0..4 {
                along[c] += texel[c] * wx;
            }
        }
        for c in 0..4 {
            sum[c] += along[c] * wy;
        }
    }
    sum
}

/// Weights of the four pixels around a position `t` of the way from the second to the third (Keys, "Cubic convolution
/// interpolation for digital image processing", 1981).
#[inline(always)]
fn keys_weights(t: f32) -> [f32; 4] {
    const CUBIC: Texel = [KEYS, KEYS + 2.0, -KEYS - 2.0, -KEYS];
    const SQUARE: Texel = [-2.0 * KEYS, -KEYS - 3.0, 2.0 * KEYS + 3.0, KEYS];
    const LINEAR: Texel = [KEYS, 0.0, -KEYS, 0.0];
    const CONSTANT: Texel = [0.0, 1.0, 0.0, 0.0];
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
        let place = Place::between(3.3, 2.8);
        let (wx, wy) = (keys_weights(place.fx), keys_weights(place.fy));
        let direct = texture.bicubic(&place, Edge::Clamp);
        assert_eq!(direct, texture.bordered(2, 1, wx, wy, Edge::Clamp));
    }
}
