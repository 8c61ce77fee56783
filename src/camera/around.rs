//! Moving a picture that reaches beyond its frame on all sides.

use nalgebra::{Matrix3, Point2, Vector2};

use super::{Warped, flat_matrix, resample};
use crate::canvas::{Canvas, Size};
use crate::timeline::frame::{Border, Camera2d};

/// Moves a picture in whose middle the frame of size `frame` lies just as [`warp`](super::warp) moves the frame alone:
/// centres and ways are the frame's. Both sides are larger than the frame's by an even number of pixels.
pub fn warp_around(canvas: &Canvas, camera: &Camera2d, frame: Size, border: Border) -> Warped {
    let margin = |whole: usize, part: usize| whole.saturating_sub(part) as f64 / 2.0;
    let (x, y) = (margin(canvas.width(), frame.width), margin(canvas.height(), frame.height));
    let matrix = flat_matrix(camera, frame);
    if matrix == Matrix3::identity() {
        return resample(canvas, &matrix, border, camera.sampling);
    }
    let out = Matrix3::new_translation(&Vector2::new(x, y));
    let back = Matrix3::new_translation(&Vector2::new(-x, -y));
    resample(canvas, &(out * matrix * back), border, camera.sampling)
}

/// Sides of a frame beyond which a camera looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of sides")]
pub struct Sides {
    pub left: bool,
    pub right: bool,
    pub top: bool,
    pub bottom: bool,
}

impl Sides {
    /// Every side.
    pub const ALL: Self = Self { left: true, right: true, top: true, bottom: true };
}

/// A thousandth of a pixel is rounding, not motion.
const TOUCH: f64 = 1e-3;

/// Beyond which sides of the frame a flat camera looks. The moved frame's sides are straight lines in the frame
/// before, so that its corners decide. All of them for a camera that cannot be inverted.
pub fn uncovered_sides(camera: &Camera2d, frame: Size) -> Sides {
    let Some(inverse) = flat_matrix(camera, frame).try_inverse() else { return Sides::ALL };
    let (right, bottom) = (frame.width as f64 - 1.0, frame.height as f64 - 1.0);
    let mut sides = Sides::default();
    for corner in [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)] {
        let from = inverse.transform_point(&Point2::new(corner.0, corner.1));
        if !(from.x.is_finite() && from.y.is_finite()) {
            return Sides::ALL;
        }
        sides.left |= from.x < -TOUCH;
        sides.right |= from.x > right + TOUCH;
        sides.top |= from.y < -TOUCH;
        sides.bottom |= from.y > bottom + TOUCH;
    }
    sides
}

/// Pixels that a flat camera looks beyond the frame at most; without end for one that cannot be inverted.
pub fn reach(camera: &Camera2d, frame: Size) -> f64 {
    let Some(inverse) = flat_matrix(camera, frame).try_inverse() else { return f64::INFINITY };
    let (right, bottom) = (frame.width as f64 - 1.0, frame.height as f64 - 1.0);
    let mut most = 0.0_f64;
    for corner in [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)] {
        let from = inverse.transform_point(&Point2::new(corner.0, corner.1));
        most = most.max(-from.x).max(from.x - right).max(-from.y).max(from.y - bottom);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::super::warp;
    use super::*;
    use crate::timeline::frame::Camera;

    const STILL: Camera2d = Camera2d::STILL;

    #[test]
    fn a_scroll_looks_beyond_one_side_and_a_turn_beyond_all() {
        let sides = |camera| uncovered_sides(&camera, Size::new(64, 48));
        assert_eq!(sides(STILL), Sides::default());
        let left = Camera2d { translation_x: -3.0, ..STILL };
        assert_eq!(sides(left), Sides { right: true, ..Sides::default() });
        let down = Camera2d { translation_y: 0.5, ..STILL };
        assert_eq!(sides(down), Sides { top: true, ..Sides::default() });
        assert_eq!(sides(Camera2d { angle: 1.0, ..STILL }), Sides::ALL);
        assert_eq!(sides(Camera2d { zoom: 0.99, ..STILL }), Sides::ALL);
        assert_eq!(sides(Camera2d { zoom: 1.01, ..STILL }), Sides::default());
        assert_eq!(sides(Camera2d { zoom: 0.0, ..STILL }), Sides::ALL);
        assert!(
            (reach(&left, Size::new(64, 48)) - 3.0).abs() < 1e-9 && reach(&STILL, Size::new(64, 48)) == 0.0
        );
    }

    #[test]
    fn the_frame_in_the_middle_moves_as_it_does_alone() {
        let (frame, wide) = (Size::new(40, 24), Size::new(40 + 32, 24 + 32));
        let bytes = (0..wide.area() * 3).map(|i| (i * 37 % 251) as u8).collect();
        let picture = Canvas::from_rgb8(wide, bytes);
        let camera = Camera2d { zoom: 1.03, angle: 2.0, translation_x: -3.3, translation_y: 1.5, ..STILL };
        // Wider kernels mix more of the edge with what lies beyond.
        let camera = Camera2d { sampling: crate::timeline::frame::Sampling::Bilinear, ..camera };
        let alone = warp(&picture.cut(16, 16, frame), &Camera::Flat(camera), Border::Replicate, None);
        let moved = warp_around(&picture, &camera, frame, Border::Replicate).canvas.cut(16, 16, frame);
        let pixels = moved.as_rgb8().as_chunks::<3>().0.iter().zip(alone.canvas.as_rgb8().as_chunks::<3>().0);
        let mut seen = 0;
        // The outermost pixels are mixed with what lies beyond the edge.
        for ((a, b), _) in pixels.zip(alone.coverage.values()).filter(|(_, covered)| **covered == 1.0) {
            let near = a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
            seen += usize::from(near);
        }
        assert!(seen > frame.area() * 8 / 10, "{seen} of {}", frame.area());
    }
}
