//! Moving a picture that reaches beyond its frame on all sides.

use nalgebra::{Matrix3, Point2, Vector2};

use super::{Warped, flat_matrix, resample};
use crate::canvas::{Canvas, Size};
use crate::timeline::frame::{Border, Camera2d, Sampling};

/// How far a flat camera has moved what is seen since a picture was made: all its ways as one, so that the picture is
/// sampled once however many they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Travel(Matrix3<f64>);

impl Travel {
    /// Nowhere yet.
    pub const NONE: Self = Self(Matrix3::new(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0));

    /// On by what a camera moves a frame of that size.
    #[must_use]
    pub fn then(self, camera: &Camera2d, frame: Size) -> Self {
        Self(flat_matrix(camera, frame) * self.0)
    }

    /// The matrix of homogeneous places of the frame, row by row.
    pub fn numbers(self) -> [f64; 9] {
        std::array::from_fn(|i| self.0[(i / 3, i % 3)])
    }

    /// The travel of such a matrix; `None` when a number is not finite.
    pub fn of(numbers: [f64; 9]) -> Option<Self> {
        numbers.iter().all(|n| n.is_finite()).then(|| Self(Matrix3::from_row_slice(&numbers)))
    }
}

/// Moves a picture in whose middle the frame of size `frame` lies just as [`warp`](super::warp) moves the frame alone:
/// centres and ways are the frame's. Both sides are larger than the frame's by an even number of pixels.
pub fn warp_around(
    canvas: &Canvas,
    travel: Travel,
    frame: Size,
    border: Border,
    sampling: Sampling,
) -> Warped {
    let margin = |whole: usize, part: usize| whole.saturating_sub(part) as f64 / 2.0;
    let (x, y) = (margin(canvas.width(), frame.width), margin(canvas.height(), frame.height));
    if travel == Travel::NONE {
        return resample(canvas, &travel.0, border, sampling);
    }
    let out = Matrix3::new_translation(&Vector2::new(x, y));
    let back = Matrix3::new_translation(&Vector2::new(-x, -y));
    resample(canvas, &(out * travel.0 * back), border, sampling)
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
    let Some(corners) = looked_at(camera, frame) else { return Sides::ALL };
    let (right, bottom) = (frame.width as f64 - 1.0, frame.height as f64 - 1.0);
    Sides {
        left: corners.iter().any(|from| from.x < -TOUCH),
        right: corners.iter().any(|from| from.x > right + TOUCH),
        top: corners.iter().any(|from| from.y < -TOUCH),
        bottom: corners.iter().any(|from| from.y > bottom + TOUCH),
    }
}

/// Pixels that a flat camera looks beyond the frame at most; without end for one that cannot be inverted.
pub fn reach(camera: &Camera2d, frame: Size) -> f64 {
    let (right, bottom) = (frame.width as f64 - 1.0, frame.height as f64 - 1.0);
    let Some(corners) = looked_at(camera, frame) else { return f64::INFINITY };
    let beyond = |p: &Point2<f64>| (-p.x).max(p.x - right).max(-p.y).max(p.y - bottom);
    corners.iter().map(beyond).fold(0.0, f64::max)
}

/// Pixels that a flat camera looks beyond the circle round the frame at most: none for one that only turns about the
/// middle. Without end for one that cannot be inverted.
pub fn reach_round(camera: &Camera2d, frame: Size) -> f64 {
    let Some(corners) = looked_at(camera, frame) else { return f64::INFINITY };
    let middle = Point2::new(frame.width as f64 - 1.0, frame.height as f64 - 1.0) / 2.0;
    let radius = middle.coords.norm();
    // The camera's middle is half a pixel beside that of the pixels' centres (see `flat_matrix`).
    let beyond = |p: &Point2<f64>| (p - middle).norm() - radius - std::f64::consts::SQRT_2;
    corners.iter().map(beyond).fold(0.0, f64::max)
}

/// Where the frame's corners were before the camera moved.
fn looked_at(camera: &Camera2d, frame: Size) -> Option<[Point2<f64>; 4]> {
    let inverse = flat_matrix(camera, frame).try_inverse()?;
    let (right, bottom) = (frame.width as f64 - 1.0, frame.height as f64 - 1.0);
    let from = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
        .map(|(x, y)| inverse.transform_point(&Point2::new(x, y)));
    from.iter().all(|p| p.x.is_finite() && p.y.is_finite()).then_some(from)
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
        let camera = Camera2d { sampling: Sampling::Bilinear, ..camera };
        let alone = warp(&picture.cut(16, 16, frame), &Camera::Flat(camera), Border::Replicate, None);
        let travel = Travel::NONE.then(&camera, frame);
        let moved = warp_around(&picture, travel, frame, Border::Replicate, camera.sampling).canvas;
        let moved = moved.cut(16, 16, frame);
        let pixels = moved.as_rgb8().as_chunks::<3>().0.iter().zip(alone.canvas.as_rgb8().as_chunks::<3>().0);
        let mut seen = 0;
        // The outermost pixels are mixed with what lies beyond the edge.
        for ((a, b), _) in pixels.zip(alone.coverage.values()).filter(|(_, covered)| **covered == 1.0) {
            let near = a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
            seen += usize::from(near);
        }
        assert!(seen > frame.area() * 8 / 10, "{seen} of {}", frame.area());
    }

    #[test]
    fn ways_add_up_to_one_and_go_through_numbers() {
        let frame = Size::new(40, 24);
        let scroll = Camera2d { translation_x: -3.0, translation_y: 1.5, ..STILL };
        let twice = Travel::NONE.then(&scroll, frame).then(&scroll, frame);
        let doubled = Camera2d { translation_x: -6.0, translation_y: 3.0, ..STILL };
        assert_eq!(twice, Travel::NONE.then(&doubled, frame));
        assert_eq!(Travel::of(twice.numbers()), Some(twice));
        assert_eq!(Travel::of([f64::NAN; 9]), None);
    }

    #[test]
    fn only_a_turn_stays_within_the_circle_round_the_frame() {
        let round = |camera| reach_round(&camera, Size::new(64, 48));
        assert!(round(Camera2d { angle: 33.0, ..STILL }) == 0.0);
        assert!(round(Camera2d { angle: 33.0, zoom: 0.9, ..STILL }) > 2.0);
        assert!(round(Camera2d { translation_x: -9.0, ..STILL }) > 4.0);
        assert!(round(Camera2d { zoom: 0.0, ..STILL }).is_infinite());
    }
}
