//! Nearest, bilinear, bicubic, Lanczos and Lagrange sampling of pictures with every border rule.

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::edge::Edge;
use super::kernel::{lagrange, lanczos, wide_weights};
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
    /// The same as numbers, for kernels that read each pixel often; empty for the others.
    texels: Vec<Texel>,
    /// Added to every value.
    lift: f32,
}

impl Texture {
    /// Takes a picture that is to be sampled in this way; `lift` is added to every value (grey levels).
    pub(super) fn new(canvas: &Canvas, lift: f32, sampling: Sampling) -> Self {
        let mut rgb = Vec::with_capacity(canvas.as_rgb8().len() + PADDING);
        rgb.extend_from_slice(canvas.as_rgb8());
        rgb.extend_from_slice(&[0; PADDING]);
        let texels = match sampling {
            Sampling::Nearest | Sampling::Bilinear => Vec::new(),
            Sampling::Bicubic | Sampling::Lanczos | Sampling::Lagrange => {
                let pixels = canvas.as_rgb8().as_chunks::<3>().0;
                pixels
                    .par_iter()
                    .with_min_len(1 << 14)
                    .map(|[r, g, b]| [*r, *g, *b, 0].map(f32::from))
                    .collect()
            }
        };
        Self { width: canvas.width() as i32, height: canvas.height() as i32, rgb, texels, lift }
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
        // Loops and no closures: what a closure calls is not compiled for the processor at hand.
        match sampling {
            Sampling::Nearest => {
                for (p, out) in places.iter().zip(out) {
                    *out = self.tap(p.x, p.y, edge);
                }
            }
            Sampling::Bilinear => {
                for (p, out) in places.iter().zip(out) {
                    // SAFETY: the caller's promise.
                    *out = unsafe { self.bilinear::<AVX2>(p, edge) };
                }
            }
            Sampling::Bicubic => {
                for (p, out) in places.iter().zip(out) {
                    let (wx, wy) = (keys_weights(p.fx), keys_weights(p.fy));
                    // SAFETY: the caller's promise.
                    *out = unsafe { self.kernel::<AVX2, 4, 2>(p.x - 1, p.y - 1, &wx, &wy, edge) };
                }
            }
            Sampling::Lanczos | Sampling::Lagrange => {
                let table = if sampling == Sampling::Lanczos { lanczos() } else { lagrange() };
                for (p, out) in places.iter().zip(out) {
                    let (wx, wy) = (table.weights(p.fx), table.weights(p.fy));
                    // SAFETY: the caller's promise.
                    *out = unsafe { self.kernel::<AVX2, 6, 3>(p.x - 2, p.y - 2, &wx, &wy, edge) };
                }
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

    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn bilinear<const AVX2: bool>(&self, place: Place, edge: Edge) -> Texel {
        let (wx, wy) = ([1.0 - place.fx, place.fx], [1.0 - place.fy, place.fy]);
        let Some(at) = self.inside::<2>(place.x, place.y) else {
            return self.bordered(place.x, place.y, wx, wy, edge);
        };
        let (at, stride) = (at * 3, self.width as usize * 3);
        // SAFETY: both pixels and the ones below are inside; beyond the last there is padding.
        let rows: [&[u8; 8]; 2] = [at, at + stride].map(|at| unsafe { &*self.rgb.as_ptr().add(at).cast() });
        #[cfg(target_arch = "x86_64")]
        if AVX2 {
            // SAFETY: the caller's promise.
            return unsafe { avx2::bilinear(rows, wx, wy, self.lift) };
        }
        let mut down = [0.0; 8];
        for (row, wy) in rows.iter().zip(wy) {
            for (sum, v) in down.iter_mut().zip(*row) {
                *sum += f32::from(*v) * wy;
            }
        }
        std::array::from_fn(|c| self.lift + down[c] * wx[0] + down[c + 3] * wx[1])
    }

    /// Sums N by N pixels from column `x`, row `y`: down the columns first, then along. `HALF` is half of N.
    ///
    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn kernel<const AVX2: bool, const N: usize, const HALF: usize>(
        &self,
        x: i32,
        y: i32,
        wx: &[f32; N],
        wy: &[f32; N],
        edge: Edge,
    ) -> Texel {
        let Some(at) = self.inside::<N>(x, y) else {
            return self.bordered(x, y, *wx, *wy, edge);
        };
        let stride = self.width as usize;
        // SAFETY: N rows of N pixels from here are inside.
        let rows: [&[Texel; N]; N] =
            std::array::from_fn(|i| unsafe { &*self.texels.as_ptr().add(at + i * stride).cast() });
        #[cfg(target_arch = "x86_64")]
        if AVX2 {
            // SAFETY: the caller's promise.
            return unsafe { avx2::weigh::<N, HALF>(rows, wx, wy, self.lift) };
        }
        let mut down = [[0.0; 4]; N];
        for (row, wy) in rows.iter().zip(wy) {
            for (sum, texel) in down.iter_mut().zip(*row) {
                (0..4).for_each(|c| sum[c] += texel[c] * wy);
            }
        }
        let mut sum = [self.lift; 4];
        for (down, wx) in down.iter().zip(wx) {
            (0..4).for_each(|c| sum[c] += down[c] * wx);
        }
        sum
    }

    /// Where column `x`, row `y` lies in the list of pixels, when N by N pixels from there are inside.
    #[inline(always)]
    fn inside<const N: usize>(&self, x: i32, y: i32) -> Option<usize> {
        let n = N as i32;
        let fits = (x >= 0) & (y >= 0) & (x <= self.width - n) & (y <= self.height - n);
        fits.then(|| y as usize * self.width as usize + x as usize)
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
        let texture = Texture::new(&canvas, 0.0, Sampling::Bicubic);
        let place = Place { x: 3, y: 2, fx: 0.3, fy: 0.8 };
        let near = |a: Texel, b: Texel| (0..3).all(|c| (a[c] - b[c]).abs() < 1e-3);
        let (wx, wy) = (keys_weights(0.3), keys_weights(0.8));
        // SAFETY: nothing is promised.
        let bicubic = unsafe { texture.kernel::<false, 4, 2>(2, 1, &wx, &wy, Edge::Clamp) };
        assert!(near(bicubic, texture.bordered(2, 1, wx, wy, Edge::Clamp)));
        let (wx, wy) = ([1.0 - 0.3, 0.3], [1.0 - 0.8, 0.8]);
        // SAFETY: nothing is promised.
        let bilinear = unsafe { texture.bilinear::<false>(place, Edge::Clamp) };
        assert!(near(bilinear, texture.bordered(3, 2, wx, wy, Edge::Clamp)));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_written_out_paths_agree_bit_for_bit() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let size = Size::new(64, 8);
        let canvas = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * i % 256) as u8).collect());
        let texture = Texture::new(&canvas, 0.25, Sampling::Lagrange);
        let mut places = Places::new(1000);
        let fraction = |i: usize, step: f64| (i as f64 * step).fract();
        // Beyond all four edges too.
        places.between((0..1000).map(|i| [fraction(i, 0.618) * 70.0 - 3.0, fraction(i, 0.414) * 14.0 - 3.0]));
        for sampling in [Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, Sampling::Lagrange] {
            let (mut plain, mut wide) = (vec![[0.0; 4]; 1000], vec![[0.0; 4]; 1000]);
            // SAFETY: the processor has AVX2.
            unsafe {
                texture.sample_row::<false>(&places, sampling, Edge::Mirror, &mut plain);
                texture.sample_row::<true>(&places, sampling, Edge::Mirror, &mut wide);
            }
            assert!(plain.iter().zip(&wide).all(|(a, b)| a[..3] == b[..3]), "{sampling:?}");
        }
    }
}
