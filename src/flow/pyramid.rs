//! Grey pictures, their halves, samples and derivatives.

use rayon::prelude::*;

use crate::canvas::{Canvas, Plane, Size};

/// Luma of the encoded values, 0–255 (ITU-R BT.601).
pub(super) fn grey(canvas: &Canvas) -> Plane {
    let luma = |p: &[u8; 3]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    Plane::from_values(canvas.size(), canvas.as_rgb8().as_chunks::<3>().0.iter().map(luma).collect())
}

/// Half the size, each pixel the mean of four; an odd last line is left out.
pub(super) fn halved(plane: &Plane) -> Plane {
    let from = plane.size();
    let size = Size::new((from.width / 2).max(1), (from.height / 2).max(1));
    let v = plane.values();
    let mean = |i: usize| {
        let at = (i / size.width * 2) * from.width + i % size.width * 2;
        (v[at] + v[at + 1] + v[at + from.width] + v[at + from.width + 1]) * 0.25
    };
    Plane::from_values(size, (0..size.area()).map(mean).collect())
}

/// The four pixels round a place, clamped into the picture, and their bilinear weights.
#[inline]
pub(super) fn corners(size: Size, x: f32, y: f32) -> ([usize; 4], [f32; 4]) {
    let x = x.clamp(0.0, (size.width - 1) as f32);
    let y = y.clamp(0.0, (size.height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (fx, fy) = (x - left as f32, y - top as f32);
    let (right, bottom) = ((left + 1).min(size.width - 1), (top + 1).min(size.height - 1));
    let (row, next) = (top * size.width, bottom * size.width);
    (
        [row + left, row + right, next + left, next + right],
        [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy],
    )
}

/// A plane between pixels, bilinear, clamped at the border.
#[inline]
pub(super) fn sample(plane: &Plane, x: f32, y: f32) -> f32 {
    let (at, weights) = corners(plane.size(), x, y);
    let v = plane.values();
    weights[0] * v[at[0]] + weights[1] * v[at[1]] + weights[2] * v[at[2]] + weights[3] * v[at[3]]
}

/// Central differences along x and y; at the border the line beyond repeats the last.
pub(super) fn gradient(plane: &Plane) -> (Plane, Plane) {
    let size = plane.size();
    let v = plane.values();
    let along = |dx: usize, dy: usize| {
        let row = |y: usize| {
            let (up, down) = (y.saturating_sub(dy), (y + dy).min(size.height - 1));
            (0..size.width).map(move |x| {
                let (left, right) = (x.saturating_sub(dx), (x + dx).min(size.width - 1));
                (v[down * size.width + right] - v[up * size.width + left]) * 0.5
            })
        };
        Plane::from_values(size, (0..size.height).into_par_iter().flat_map_iter(row).collect())
    };
    (along(1, 0), along(0, 1))
}
