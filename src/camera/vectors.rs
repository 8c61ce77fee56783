//! Moving a field of vectors as the picture that it belongs to is moved.

use nalgebra::Matrix3;
use rayon::prelude::*;

use super::edge::Edge;
use super::flow::Flow;
use super::matrix::{flat_matrix, flip_matrix};
use super::relief::Relief;
use super::warp3d::deep_positions;
use crate::canvas::Size;
use crate::timeline::frame::{Border, Camera, Camera3d};

/// The field where [`warp_over`](super::warp_over) puts the picture that it belongs to: each vector goes with its pixel and
/// stays as it is. Bilinear, whatever the camera's sampling.
pub fn warp_vectors(flow: &Flow, camera: &Camera, border: Border, relief: &Relief) -> Flow {
    let size = flow.size();
    match camera {
        Camera::Flat(flat) => sampled(flow, &flat_positions(size, &flat_matrix(flat, size)), border),
        Camera::Deep(deep) => {
            let flipped =
                deep.flip.map(|flip| sampled(flow, &flat_positions(size, &flip_matrix(&flip, size)), border));
            let deep = Camera3d { flip: None, ..*deep };
            sampled(flipped.as_ref().unwrap_or(flow), &deep_positions(size, &deep, relief), border)
        }
    }
}

/// Where each pixel of a picture moved by `matrix` comes from.
fn flat_positions(size: Size, matrix: &Matrix3<f64>) -> Vec<[f64; 2]> {
    let inverse = matrix.try_inverse().unwrap_or_else(|| Matrix3::repeat(f64::NAN));
    let position = |i: usize| {
        let place = inverse * nalgebra::Vector3::new((i % size.width) as f64, (i / size.width) as f64, 1.0);
        [place.x / place.z, place.y / place.z]
    };
    (0..size.area()).map(position).collect()
}

/// The field at `positions`.
fn sampled(flow: &Flow, positions: &[[f64; 2]], border: Border) -> Flow {
    let size = flow.size();
    let edge = Edge::from(border);
    let (width, height) = (size.width as i32, size.height as i32);
    let tap = |x: i32, y: i32| {
        let at = edge.row(y, height).zip(edge.column(x, width));
        at.map_or([0.0; 2], |(y, x)| flow.vectors()[y * size.width + x])
    };
    // What is no place lies far outside, as in the pictures' warps.
    let near = |v: f64| if v.is_finite() { v.clamp(-1e6, 1e6) } else { -1e6 };
    let vector = |[x, y]: &[f64; 2]| {
        let (x, y) = (near(*x), near(*y));
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = ((x - left) as f32, (y - top) as f32);
        let (left, top) = (left as i32, top as i32);
        let rows = [0, 1].map(|dy| {
            let (a, b) = (tap(left, top + dy), tap(left + 1, top + dy));
            [0, 1].map(|c| a[c] + (b[c] - a[c]) * fx)
        });
        [0, 1].map(|c| rows[0][c] + (rows[1][c] - rows[0][c]) * fy)
    };
    Flow::new(size, positions.par_iter().map(vector).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::frame::Camera2d;

    #[test]
    fn vectors_go_with_their_pixels() {
        let size = Size::new(9, 5);
        let mut vectors = vec![[0.0; 2]; size.area()];
        vectors[2 * 9 + 3] = [4.0, -8.0];
        let camera = Camera::Flat(Camera2d { translation_x: 2.0, translation_y: -1.0, ..Camera2d::STILL });
        let moved = warp_vectors(&Flow::new(size, vectors), &camera, Border::Replicate, &Relief::flat());
        assert_eq!(moved.vectors()[9 + 5], [4.0, -8.0]);
        assert_eq!(moved.vectors().iter().filter(|v| **v != [0.0; 2]).count(), 1);
    }
}
