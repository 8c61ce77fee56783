//! Nearest, bilinear, bicubic, Lanczos and Lagrange sampling of pictures with every border rule.

use super::edge::Edge;
use super::kernel::{Table, lagrange, lanczos, wide_weights};
use super::places::{Place, Places};
use crate::canvas::Canvas;
use crate::timeline::frame::Sampling;

/// One pixel as four `f32` (R, G, B, anything): a vector register wide.
pub(super) type Texel = [f32; 4];

/// Parameter of the Keys kernel that PyTorch uses for bicubic sampling.
pub(super) const KEYS: f32 = -0.75;

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

    /// Samples at every place of a row. `AVX2` promises that the processor has it; the results are the same.
    ///
    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    pub(super) unsafe fn sample_row<const AVX2: bool>(
        &self,
        places: &Places,
        sampling: Sampling,
        edge: Edge,
        out: &mut [Texel],
    ) {
        let pairs = places.iter().zip(out);
        match sampling {
            Sampling::Nearest => pairs.for_each(|(p, out)| *out = self.tap(p.x, p.y, edge)),
            Sampling::Bilinear => pairs.for_each(|(p, out)| *out = self.bilinear(p, edge)),
            // SAFETY: the caller's promise.
            Sampling::Bicubic => pairs.for_each(|(p, out)| *out = unsafe { self.bicubic::<AVX2>(p, edge) }),
            Sampling::Lanczos => {
                let table = lanczos();
                pairs.for_each(|(p, out)| *out = self.six(table, p, edge));
            }
            Sampling::Lagrange => {
                let table = lagrange();
                pairs.for_each(|(p, out)| *out = self.six(table, p, edge));
            }
        }
    }

    /// Samples at every place of a row with kernels stretched along x and y as `stretch` says, each at least 1.
    #[inline(always)]
    pub(super) fn sample_row_wide(
        &self,
        places: &Places,
        stretch: &[[f32; 2]],
        sampling: Sampling,
        edge: Edge,
        out: &mut [Texel],
    ) {
        for ((place, [sx, sy]), out) in places.iter().zip(stretch).zip(out) {
            let (left, across, wx) = wide_weights(sampling, place.fx, *sx);
            let (top, down, wy) = wide_weights(sampling, place.fy, *sy);
            let (x, y) = (place.x + left, place.y + top);
            *out = self.sum(x, y, &wx[..across], &wy[..down], edge);
        }
    }

    #[inline(always)]
    fn six(&self, table: &Table, place: Place, edge: Edge) -> Texel {
        let (wx, wy) = (table.weights(place.fx), table.weights(place.fy));
        match self.window::<6, 24>(place.x - 2, place.y - 2) {
            Some(rows) => self.weigh(rows, wx, wy),
            None => self.bordered(place.x - 2, place.y - 2, wx, wy, edge),
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

    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn bicubic<const AVX2: bool>(&self, place: Place, edge: Edge) -> Texel {
        let Some(rows) = self.window::<4, 16>(place.x - 1, place.y - 1) else {
            let (wx, wy) = (keys_weights(place.fx), keys_weights(place.fy));
            return self.bordered(place.x - 1, place.y - 1, wx, wy, edge);
        };
        #[cfg(target_arch = "x86_64")]
        if AVX2 {
            // SAFETY: the caller's promise.
            return unsafe { avx2::bicubic(rows, place.fx, place.fy, self.lift) };
        }
        self.weigh(rows, keys_weights(place.fx), keys_weights(place.fy))
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

    /// The weighted sum of any number of pixels.
    fn sum(&self, x: i32, y: i32, wx: &[f32], wy: &[f32], edge: Edge) -> Texel {
        let inside =
            x >= 0 && y >= 0 && x + wx.len() as i32 <= self.width && y + wy.len() as i32 <= self.height;
        let mut sum = [0.0; 4];
        for (j, wy) in wy.iter().enumerate() {
            let mut along = [0.0; 4];
            if inside {
                let at = ((y as usize + j) * self.width as usize + x as usize) * 3;
                let row = self.rgb[at..at + wx.len() * 3].as_chunks::<3>().0;
                for (pixel, wx) in row.iter().zip(wx) {
                    (0..3).for_each(|c| along[c] += (f32::from(pixel[c]) + self.lift) * wx);
                }
            } else {
                for (i, wx) in wx.iter().enumerate() {
                    let tap = self.tap(x + i as i32, y + j as i32, edge);
                    (0..4).for_each(|c| along[c] += tap[c] * wx);
                }
            }
            (0..4).for_each(|c| sum[c] += along[c] * wy);
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

/// Coefficients of the four weights of the Keys kernel: t cubed, squared, t, 1.
const KEYS_TERMS: [[f32; 4]; 4] = [
    [KEYS, KEYS + 2.0, -KEYS - 2.0, -KEYS],
    [-2.0 * KEYS, -KEYS - 3.0, 2.0 * KEYS + 3.0, KEYS],
    [KEYS, 0.0, -KEYS, 0.0],
    [0.0, 1.0, 0.0, 0.0],
];

/// Weights of the four pixels around a position `t` of the way from the second to the third (Keys, "Cubic convolution
/// interpolation for digital image processing", 1981).
#[inline(always)]
fn keys_weights(t: f32) -> [f32; 4] {
    let [cubic, square, linear, constant] = KEYS_TERMS;
    std::array::from_fn(|i| ((cubic[i] * t + square[i]) * t + linear[i]) * t + constant[i])
}

/// [`Texture::weigh`] of bicubic weights, written out for AVX2: the compiler does not find the broadcasts. Operations and
/// their order are the same, so that the results are.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{KEYS_TERMS, Texel};

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn bicubic(rows: [&[u8; 16]; 4], fx: f32, fy: f32, lift: f32) -> Texel {
        let (wx, wy) = (weights(fx), _mm256_set_m128(weights(fy), weights(fy)));
        let (mut left, mut right) = (_mm256_setzero_ps(), _mm256_setzero_ps());
        let mut add = |row: &[u8; 16], w: __m256| {
            left = _mm256_add_ps(left, _mm256_mul_ps(widen(row.first_chunk().expect("of 16")), w));
            right = _mm256_add_ps(right, _mm256_mul_ps(widen(row[6..].first_chunk().expect("of 10")), w));
        };
        add(rows[0], _mm256_permute_ps::<0x00>(wy));
        add(rows[1], _mm256_permute_ps::<0x55>(wy));
        add(rows[2], _mm256_permute_ps::<0xAA>(wy));
        add(rows[3], _mm256_permute_ps::<0xFF>(wy));
        // Each half holds two pixels of three values; the second begins at the fourth place.
        let second = _mm256_setr_epi32(3, 4, 5, 6, 0, 0, 0, 0);
        let pixel = |half| _mm256_castps256_ps128(half);
        let mut sum = _mm_set1_ps(lift);
        let mut weigh = |pixel: __m128, w: __m128| sum = _mm_add_ps(sum, _mm_mul_ps(pixel, w));
        weigh(pixel(left), _mm_permute_ps::<0x00>(wx));
        weigh(pixel(_mm256_permutevar8x32_ps(left, second)), _mm_permute_ps::<0x55>(wx));
        weigh(pixel(right), _mm_permute_ps::<0xAA>(wx));
        weigh(pixel(_mm256_permutevar8x32_ps(right, second)), _mm_permute_ps::<0xFF>(wx));
        let mut texel = [0.0; 4];
        // SAFETY: four f32 are written to four f32.
        unsafe { _mm_storeu_ps(texel.as_mut_ptr(), sum) };
        texel
    }

    /// The four weights at `t`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weights(t: f32) -> __m128 {
        let [cubic, square, linear, constant] =
            KEYS_TERMS.map(|row| _mm_setr_ps(row[0], row[1], row[2], row[3]));
        let t = _mm_set1_ps(t);
        let inner = _mm_add_ps(_mm_mul_ps(cubic, t), square);
        _mm_add_ps(_mm_mul_ps(_mm_add_ps(_mm_mul_ps(inner, t), linear), t), constant)
    }

    /// Eight bytes as eight `f32`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn widen(bytes: &[u8; 8]) -> __m256 {
        let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(*bytes));
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
    }
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
        // SAFETY: nothing is promised.
        let bicubic = unsafe { texture.bicubic::<false>(place, Edge::Clamp) };
        assert!(near(bicubic, texture.bordered(2, 1, wx, wy, Edge::Clamp)));
        let (wx, wy) = ([1.0 - 0.3, 0.3], [1.0 - 0.8, 0.8]);
        assert!(near(texture.bilinear(place, Edge::Clamp), texture.bordered(3, 2, wx, wy, Edge::Clamp)));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_written_out_path_agrees_bit_for_bit() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let size = Size::new(64, 8);
        let canvas = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * i % 256) as u8).collect());
        let texture = Texture::new(&canvas, 0.25);
        for i in 0..1000 {
            let fraction = |step: f32| (i as f32 * step).fract();
            let place = Place { x: 1 + i % 61, y: 1 + i % 5, fx: fraction(0.618), fy: fraction(0.414) };
            // SAFETY: the processor has AVX2.
            let (plain, wide) = unsafe {
                (texture.bicubic::<false>(place, Edge::Clamp), texture.bicubic::<true>(place, Edge::Clamp))
            };
            assert_eq!(plain[..3], wide[..3], "{place:?}");
        }
    }
}
