//! A map moved as a picture is: depth that goes with the picture it belongs to.

use nalgebra::Matrix3;

use super::{Relief, deep_positions, flat_matrix};
use crate::canvas::{Plane, Size};
use crate::timeline::frame::Camera;

/// The plane moved as [`warp`](super::warp) moves a picture of its size over `relief`, sampled bilinearly; beyond its edge
/// its edge goes on.
#[must_use]
pub fn follow(plane: &Plane, camera: &Camera, relief: &Relief) -> Plane {
    let size = plane.size();
    match camera {
        Camera::Flat(flat) => by_matrix(plane, &flat_matrix(flat, size)),
        Camera::Deep(deep) => {
            let positions = deep_positions(size, deep, relief);
            sampled(plane, |i| positions[i])
        }
    }
}

/// Moved by a matrix from source to destination pixels.
fn by_matrix(plane: &Plane, matrix: &Matrix3<f64>) -> Plane {
    let size = plane.size();
    let inverse = matrix.try_inverse().unwrap_or_else(|| Matrix3::repeat(f64::NAN));
    sampled(plane, |i| {
        let (x, y) = ((i % size.width) as f64, (i / size.width) as f64);
        let at = |row: usize| inverse[(row, 0)] * x + inverse[(row, 1)] * y + inverse[(row, 2)];
        [at(0) / at(2), at(1) / at(2)]
    })
}

/// Every pixel from the place that `position` gives.
fn sampled(plane: &Plane, position: impl Fn(usize) -> [f64; 2]) -> Plane {
    let size = plane.size();
    let values = (0..size.area()).map(|i| bilinear(plane, size, position(i)));
    Plane::from_values(size, values.collect())
}

fn bilinear(plane: &Plane, size: Size, [x, y]: [f64; 2]) -> f32 {
    // The place of no place is the first pixel; nothing there counts as covered.
    let inside = |v: f64, count: usize| if v.is_nan() { 0.0 } else { v.clamp(0.0, (count - 1) as f64) };
    let (x, y) = (inside(x, size.width), inside(y, size.height));
    let (left, top) = (x.floor() as usize, y.floor() as usize);
    let (right, below) = ((left + 1).min(size.width - 1), (top + 1).min(size.height - 1));
    let (across, down) = ((x - left as f64) as f32, (y - top as f64) as f32);
    let at = |x: usize, y: usize| plane.values()[y * size.width + x];
    let upper = at(left, top) * (1.0 - across) + at(right, top) * across;
    let lower = at(left, below) * (1.0 - across) + at(right, below) * across;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::warp;
    use crate::canvas::Canvas;
    use crate::timeline::frame::{Border, Camera2d, Camera3d, PerspectiveFlip, Sampling};

    /// Moved as a grey picture is, up to the picture's rounding and sampling.
    #[test]
    fn a_map_moves_as_the_picture_of_it() {
        let size = Size::new(48, 32);
        let grey =
            |i: usize| (128.0 + 100.0 * ((i % 48) as f32 * 0.2).sin() * ((i / 48) as f32 * 0.3).cos()) as u8;
        let bytes: Vec<u8> = (0..size.area()).map(grey).collect();
        let plane = Plane::from_values(size, bytes.iter().map(|v| f32::from(*v)).collect());
        let canvas = Canvas::from_rgb8(size, bytes.iter().flat_map(|v| [*v; 3]).collect());
        let flat = Camera2d {
            zoom: 1.05,
            angle: 3.0,
            translation_x: 2.5,
            translation_y: -1.0,
            center_x: 0.5,
            center_y: 0.4,
            ..Camera2d::STILL
        };
        let flip = PerspectiveFlip { theta: 2.0, phi: 5.0, gamma: 3.0, fv: 53.0 };
        let deep = Camera3d {
            translation: [3.0, -2.0, 8.0],
            rotation: [0.5, -1.0, 2.0],
            fov: 60.0,
            zoom: 1.02,
            sampling: Sampling::Bilinear,
            flip: Some(flip),
            ..Camera3d::STILL
        };
        let relief = Relief::new(Some(&plane), super::super::DepthMeaning::Inverse);
        for camera in [Camera::Flat(flat), Camera::Deep(deep)] {
            let moved = follow(&plane, &camera, &relief);
            let picture = warp(&canvas, &camera, Border::Replicate, Some(&plane));
            let mut checked = 0;
            for (i, value) in moved.values().iter().enumerate() {
                if picture.coverage.values()[i] < 1.0 {
                    continue;
                }
                let shown = f32::from(picture.canvas.as_rgb8()[3 * i]);
                // Rounding, truncation and the flip's own rounding.
                assert!((value - shown).abs() <= 2.5, "{i}: {value} {shown}");
                checked += 1;
            }
            assert!(checked > size.area() / 2);
        }
    }
}
