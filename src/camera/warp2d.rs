//! The 2D warp: a homography, sampled bilinearly.

use nalgebra::Matrix3;
use rayon::prelude::*;

use super::Warped;
use super::edge::Edge;
use super::places::Place;
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
    render(&texture, size, border.into(), Sampling::Bilinear, |y, places| flat_row(&inverse, y, places))
}

/// Samples every pixel at the place that `row` gives, rounding to the nearest grey level.
pub(super) fn render(
    texture: &Texture,
    size: Size,
    edge: Edge,
    sampling: Sampling,
    row: impl Fn(usize, &mut [Place]) + Sync,
) -> Warped {
    let mut canvas = Canvas::filled(size, [0; 3]);
    let mut coverage = Plane::filled(size, 0.0);
    let width = size.width;
    let pixels = canvas.as_rgb8_mut().par_chunks_mut((width * 3).max(1));
    let covers = coverage.values_mut().par_chunks_mut(width.max(1));
    pixels.zip(covers).enumerate().for_each_init(
        || (vec![Place::default(); width], vec![[0.0; 4]; width]),
        |(places, texels), (y, (out, cover))| {
            row(y, places);
            texture.sample_row(places, sampling, edge, texels);
            round_row(texels, out);
            cover_row(places, size, cover);
        },
    );
    Warped { canvas, coverage }
}

/// Source positions of row `y`.
fn flat_row(inverse: &Matrix3<f64>, y: usize, places: &mut [Place]) {
    let at = |i: usize| inverse[(i, 1)] * y as f64 + inverse[(i, 2)];
    let (x0, y0, w0) = (at(0), at(1), at(2));
    let (dx, dy, dw) = (inverse[(0, 0)], inverse[(1, 0)], inverse[(2, 0)]);
    for (i, place) in places.iter_mut().enumerate() {
        let x = i as f64;
        let scale = 1.0 / (w0 + dw * x);
        *place = Place::between((x0 + dx * x) * scale, (y0 + dy * x) * scale);
    }
}

fn round_row(texels: &[Texel], out: &mut [u8]) {
    for (texel, pixel) in texels.iter().zip(out.as_chunks_mut::<3>().0) {
        for c in 0..3 {
            // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
            pixel[c] = (texel[c] + 12_582_912.0).to_bits() as u8;
        }
    }
}

/// 1 where the position lies in the source's area, half a pixel around its outer pixel centres.
pub(super) fn cover_row(places: &[Place], size: Size, cover: &mut [f32]) {
    let inside =
        |i: i32, f: f32, n: i32| (i >= 0 && i < n - 1) || (i == -1 && f >= 0.5) || (i == n - 1 && f <= 0.5);
    let (w, h) = (size.width as i32, size.height as i32);
    for (value, p) in cover.iter_mut().zip(places) {
        *value = f32::from(inside(p.x, p.fx, w) && inside(p.y, p.fy, h));
    }
}
