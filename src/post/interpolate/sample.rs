//! Colours and values between pixels.

use crate::canvas::{Canvas, Size};

/// Index and share of the two neighbours on one axis, clamped.
fn pair(at: f32, length: usize) -> (usize, usize, f32) {
    let at = at.clamp(0.0, (length - 1) as f32);
    let low = at as usize;
    (low, (low + 1).min(length - 1), at - low as f32)
}

/// A plane between pixels, clamped at the border.
pub(super) fn sample_plane(values: &[f32], size: Size, (x, y): (f32, f32)) -> f32 {
    let ((left, right, fx), (top, bottom, fy)) = (pair(x, size.width), pair(y, size.height));
    let line = |row: usize| {
        let (a, b) = (values[row * size.width + left], values[row * size.width + right]);
        a + (b - a) * fx
    };
    line(top) + (line(bottom) - line(top)) * fy
}

/// A colour between pixels, bilinear, 0–255, clamped at the border.
pub(super) fn bilinear(canvas: &Canvas, (x, y): (f32, f32)) -> [f32; 3] {
    let ((left, right, fx), (top, bottom, fy)) = (pair(x, canvas.width()), pair(y, canvas.height()));
    let [a, b, c, d] = [(left, top), (right, top), (left, bottom), (right, bottom)]
        .map(|(x, y)| canvas.pixel(x, y).map(f32::from));
    std::array::from_fn(|i| {
        let (upper, lower) = (a[i] + (b[i] - a[i]) * fx, c[i] + (d[i] - c[i]) * fx);
        upper + (lower - upper) * fy
    })
}

/// Catmull-Rom (Keys 1981, a = -1/2), clamped at the border.
pub(super) fn bicubic(canvas: &Canvas, (x, y): (f32, f32)) -> [f32; 3] {
    let (columns, wx) = cubic(x, canvas.width());
    let (rows, wy) = cubic(y, canvas.height());
    let rgb = canvas.as_rgb8();
    let mut sum = [0f32; 3];
    for (row, wy) in rows.into_iter().zip(wy) {
        for (column, wx) in columns.into_iter().zip(wx) {
            let at = (row * canvas.width() + column) * 3;
            (0..3).for_each(|c| sum[c] += wy * wx * f32::from(rgb[at + c]));
        }
    }
    sum
}

fn cubic(at: f32, length: usize) -> ([usize; 4], [f32; 4]) {
    let at = at.clamp(0.0, (length - 1) as f32);
    let (low, t) = (at as isize, at.fract());
    let (t2, t3) = (t * t, t * t * t);
    let weights = [
        -0.5 * t3 + t2 - 0.5 * t,
        1.5 * t3 - 2.5 * t2 + 1.0,
        -1.5 * t3 + 2.0 * t2 + 0.5 * t,
        0.5 * t3 - 0.5 * t2,
    ];
    ([-1, 0, 1, 2].map(|d| (low + d).clamp(0, length as isize - 1) as usize), weights)
}
