//! The colours of a picture in the middle of the one that was painted over it.

use rayon::prelude::*;

use super::draw::{Film, Weigh};
use super::{Placement, WHOLE, band};
use crate::canvas::{Canvas, Size};

/// The painted picture, with the colours of `inner` at its place in it: what is coarser than the bands of `inner` is
/// taken from there, what is finer stays as it is painted.
///
/// The two lowest bands of a multiresolution spline (Burt & Adelson 1983) are one here: the difference of the two
/// pictures is smoothed by a Gaussian as wide as a band, of places inside `inner` alone, and fades out over two bands.
pub fn settle(painted: &Canvas, inner: &Canvas, placement: Placement, overlap: f64) -> Canvas {
    let size = painted.size();
    let width = band(size, overlap);
    let (mut there, mut share) = (Film::of(painted), Film::blank(size));
    let white = Canvas::filled(size, [255; 3]);
    there.draw(inner, placement, WHOLE);
    share.draw(&white, placement, WHOLE);
    let painted = Film::of(painted);
    let difference: Vec<f32> =
        there.values().iter().zip(painted.values()).map(|(there, painted)| there - painted).collect();
    let sigma = width * placement.scale;
    let (coarse, known) = (blurred(&difference, size, sigma), blurred(share.values(), size, sigma));
    // Where the passage is: the same bands, in white.
    let mut passage = Film::blank(size);
    passage.draw(&white, placement, Weigh::Band { from: 0.0, width: 2.0 * width, most: 1.0, round: 0.0 });
    let weights = passage.values().iter().zip(coarse.iter().zip(&known));
    let settled = painted.values().iter().zip(weights).map(|(painted, (weight, (coarse, known)))| {
        // `known` is 255 far inside. Where the passage lies it is 127 and more.
        painted + coarse / known.max(1.0) * weight
    });
    Film::from_values(size, settled.collect()).into_canvas()
}

/// Smoothed by a Gaussian; edge pixels go on. Three values a pixel.
fn blurred(values: &[f32], size: Size, sigma: f64) -> Vec<f32> {
    let kernel = gaussian(sigma);
    let wide = size.width * 3;
    let rows: Vec<f32> = values.par_chunks_exact(wide).flat_map_iter(|row| along(row, &kernel)).collect();
    let mut made = vec![0.0_f32; values.len()];
    made.par_chunks_exact_mut(wide).enumerate().for_each(|(y, line)| {
        let reach = kernel.len() / 2;
        for (tap, weight) in kernel.iter().enumerate() {
            let from = (y + tap).saturating_sub(reach).min(size.height - 1);
            line.iter_mut().zip(&rows[from * wide..]).for_each(|(made, value)| *made += weight * value);
        }
    });
    made
}

/// A row of pixels of three values, smoothed.
fn along<'a>(row: &'a [f32], kernel: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    let (pixels, reach) = (row.len() / 3, kernel.len() / 2);
    (0..row.len()).map(move |i| {
        let from = |tap: usize| (i / 3 + tap).saturating_sub(reach).min(pixels - 1);
        kernel.iter().enumerate().map(|(tap, weight)| weight * row[from(tap) * 3 + i % 3]).sum()
    })
}

/// The weights of a Gaussian, an odd number, which sum to 1.
fn gaussian(sigma: f64) -> Vec<f32> {
    let sigma = sigma.max(0.3);
    let reach = (3.0 * sigma).ceil() as i64;
    let weights = (-reach..=reach).map(|i| libm::exp(-0.5 * (i as f64 / sigma) * (i as f64 / sigma)));
    let weights: Vec<f64> = weights.collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}
