//! The 2D warp: a homography, sampled bilinearly.

use nalgebra::Matrix3;
use rayon::prelude::*;

use super::Warped;
use super::edge::Edge;
use super::places::Places;
use super::sample::{Texel, Texture};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::{Border, Sampling};

/// Moves a picture by `matrix` (source to destination pixels, column vectors), sampling bilinearly and rounding to the
/// nearest grey level. Positions are exact, as in OpenCV 5; OpenCV 4 rounds them to 1/32 pixel.
///
/// A matrix that cannot be inverted or is not finite shows the border only: for every pixel it is as if the source lay
/// infinitely far to the right of it.
pub fn warp_flat(canvas: &Canvas, matrix: &Matrix3<f64>, border: Border) -> Warped {
    let size = canvas.size();
    if *matrix == Matrix3::identity() {
        return Warped { canvas: canvas.clone(), coverage: Plane::filled(size, 1.0) };
    }
    // A singular matrix has no inverse; NaN positions then lie far outside.
    let inverse = matrix.try_inverse().unwrap_or_else(|| Matrix3::repeat(f64::NAN));
    let texture = Texture::new(canvas, 0.0);
    render(&texture, size, border.into(), &Homography { inverse, width: size.width })
}

/// Where a row of the moved picture is sampled.
pub(super) trait Positions: Sync {
    /// Sets the places of row `y`. Inlined into code for the processor at hand.
    fn row(&self, y: usize, places: &mut Places);
}

/// Samples every pixel bilinearly at its place, rounding to the nearest grey level.
pub(super) fn render(texture: &Texture, size: Size, edge: Edge, positions: &impl Positions) -> Warped {
    let mut canvas = Canvas::filled(size, [0; 3]);
    let mut coverage = Plane::filled(size, 0.0);
    let width = size.width;
    let pixels = canvas.as_rgb8_mut().par_chunks_mut((width * 3).max(1));
    let covers = coverage.values_mut().par_chunks_mut(width.max(1));
    pixels.zip(covers).enumerate().for_each_init(
        || (Places::new(width), vec![[0.0; 4]; width]),
        |(places, texels), (y, (out, cover))| {
            let job = Job { texture, size, edge, positions };
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                unsafe { job.row_avx2(y, places, texels, out, cover) };
                return;
            }
            // SAFETY: nothing is promised.
            unsafe { job.row::<false>(y, places, texels, out, cover) };
        },
    );
    Warped { canvas, coverage }
}

/// One row of [`render`].
struct Job<'a, P> {
    texture: &'a Texture,
    size: Size,
    edge: Edge,
    positions: &'a P,
}

impl<P: Positions> Job<'_, P> {
    /// The same operations in the same order, compiled for wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn row_avx2(
        &self,
        y: usize,
        places: &mut Places,
        texels: &mut [Texel],
        out: &mut [u8],
        cover: &mut [f32],
    ) {
        // SAFETY: the processor has AVX2.
        unsafe { self.row::<true>(y, places, texels, out, cover) };
    }

    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn row<const AVX2: bool>(
        &self,
        y: usize,
        places: &mut Places,
        texels: &mut [Texel],
        out: &mut [u8],
        cover: &mut [f32],
    ) {
        self.positions.row(y, places);
        // SAFETY: the caller's promise.
        unsafe { self.texture.sample_row::<AVX2>(places, Sampling::Bilinear, self.edge, texels) };
        round_row(texels, out);
        cover_row(places, self.size, cover);
    }
}

/// The inverse of a matrix, which carries pixels to their sources.
struct Homography {
    inverse: Matrix3<f64>,
    width: usize,
}

impl Positions for Homography {
    #[inline(always)]
    fn row(&self, y: usize, places: &mut Places) {
        let at = |i: usize| self.inverse[(i, 1)] * y as f64 + self.inverse[(i, 2)];
        let (x0, y0, w0) = (at(0), at(1), at(2));
        let (dx, dy, dw) = (self.inverse[(0, 0)], self.inverse[(1, 0)], self.inverse[(2, 0)]);
        let columns = (0..self.width as i32).map(f64::from);
        if dw == 0.0 && w0 == 1.0 {
            places.between(columns.map(|x| [x0 + dx * x, y0 + dy * x]));
            return;
        }
        places.between(columns.map(|x| {
            let scale = 1.0 / (w0 + dw * x);
            [(x0 + dx * x) * scale, (y0 + dy * x) * scale]
        }));
    }
}

#[inline(always)]
fn round_row(texels: &[Texel], out: &mut [u8]) {
    for (texel, pixel) in texels.iter().zip(out.as_chunks_mut::<3>().0) {
        for c in 0..3 {
            // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
            pixel[c] = (texel[c] + 12_582_912.0).to_bits() as u8;
        }
    }
}

/// 1 where the position lies in the source's area, half a pixel around its outer pixel centres.
#[inline(always)]
pub(super) fn cover_row(places: &Places, size: Size, cover: &mut [f32]) {
    // Without short circuits, so that several pixels are judged at a time.
    let inside =
        |i: i32, f: f32, n: i32| (i >= 0) & (i < n - 1) | (i == -1) & (f >= 0.5) | (i == n - 1) & (f <= 0.5);
    let (w, h) = (size.width as i32, size.height as i32);
    for (value, p) in cover.iter_mut().zip(places.iter()) {
        *value = f32::from(inside(p.x, p.fx, w) & inside(p.y, p.fy, h));
    }
}
