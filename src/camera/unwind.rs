//! A picture as it looked before a motion that is still to come: the way back through many warps in one sampling.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::matrix::{flat_matrix, flip_matrix};
use super::places::Places;
use super::relief::Relief;
use super::sample::Texture;
use super::warp2d::{Positions, render};
use super::warp3d::View;
use super::{Warped, resample};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::{Border, Camera, Camera2d, Camera3d, Sampling};

/// Most steps towards the pixel that a place moves to.
const STEPS: usize = 12;
/// Pixels by which a place may miss it.
const MISS: f64 = 1e-3;
/// A miss that says that there is no such pixel.
const LOST: f64 = 0.5;

/// The picture that the cameras `ahead`, one frame after the other, turn into `canvas`: what is seen now of a picture that
/// is to be reached. Where it ends nothing is known, and coverage is 0.
///
/// 2D cameras are one matrix. A move over a relief is undone pixel by pixel, frame by frame, by repeated substitution
/// (`p := p + q - g(p)` for the place `p` that is sampled at `q`), over `relief`, that of `canvas`: nobody knows the
/// reliefs of frames that are still to be painted.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn unwound(canvas: &Canvas, ahead: &[Camera], border: Border, relief: &Relief) -> Warped {
    let size = canvas.size();
    let flat: Option<Vec<&Camera2d>> = ahead
        .iter()
        .map(|camera| match camera {
            Camera::Flat(flat) => Some(flat),
            Camera::Deep(_) => None,
        })
        .collect();
    if let Some(flat) = flat {
        let whole = flat.iter().fold(Matrix3::identity(), |m, camera| flat_matrix(camera, size) * m);
        let back = whole.try_inverse().unwrap_or_else(Matrix3::zeros);
        return resample(canvas, &back, border, Sampling::Lagrange);
    }
    let steps: Vec<Step<'_>> = ahead.iter().map(|camera| Step::new(camera, size, relief)).collect();
    let mut places = vec![[0.0; 2]; size.area()];
    places.par_chunks_mut(size.width.max(1)).enumerate().for_each(|(y, row)| {
        for (x, place) in row.iter_mut().enumerate() {
            *place = steps.iter().fold([x as f64, y as f64], |place, step| step.forward(place));
        }
    });
    let listed = Listed { width: size.width, places };
    render(
        &Texture::new(canvas, 0.0, Sampling::Lagrange),
        size,
        border.into(),
        (Sampling::Lagrange, false),
        &listed,
    )
}

/// One frame's motion, from where a place was to where it is.
enum Step<'a> {
    Flat(Matrix3<f64>),
    Deep { flip: Option<Matrix3<f64>>, view: Box<View<'a>>, distance: Option<&'a Plane> },
}

impl<'a> Step<'a> {
    fn new(camera: &Camera, size: Size, relief: &'a Relief) -> Self {
        match camera {
            Camera::Flat(flat) => Self::Flat(flat_matrix(flat, size)),
            Camera::Deep(deep) => Self::Deep {
                flip: deep.flip.map(|flip| flip_matrix(&flip, size)),
                view: Box::new(View::new(size, &Camera3d { flip: None, ..*deep }, relief)),
                distance: relief.distance(),
            },
        }
    }

    /// Not numbers where a place is lost.
    fn forward(&self, place: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Flat(matrix) => carried(matrix, place),
            Self::Deep { flip, view, distance } => {
                let to = flip.map_or(place, |flip| carried(&flip, place));
                let mut at = to;
                let mut miss = [f64::INFINITY; 2];
                for _ in 0..STEPS {
                    let z = distance.map_or(1.0, |plane| between(plane, at));
                    let from = view.source(at, z);
                    miss = [to[0] - from[0], to[1] - from[1]];
                    at = [at[0] + miss[0], at[1] + miss[1]];
                    if miss[0].abs().max(miss[1].abs()) < MISS {
                        return at;
                    }
                }
                if miss[0].abs().max(miss[1].abs()) < LOST { at } else { [f64::NAN; 2] }
            }
        }
    }
}

fn carried(matrix: &Matrix3<f64>, [x, y]: [f64; 2]) -> [f64; 2] {
    let p = matrix * Vector3::new(x, y, 1.0);
    // Behind the camera there is no picture.
    if p.z > 0.0 { [p.x / p.z, p.y / p.z] } else { [f64::NAN; 2] }
}

/// The plane's value at a place, bilinear, its edge going on.
fn between(plane: &Plane, [x, y]: [f64; 2]) -> f64 {
    let size = plane.size();
    let axis = |v: f64, n: usize| {
        let v = if v.is_nan() { 0.0 } else { v.clamp(0.0, (n - 1) as f64) };
        let low = v as usize;
        (low, (low + 1).min(n - 1), v - low as f64)
    };
    let ((left, right, fx), (top, bottom, fy)) = (axis(x, size.width), axis(y, size.height));
    let at = |x: usize, y: usize| f64::from(plane.values()[y * size.width + x]);
    let row = |y: usize| at(left, y) * (1.0 - fx) + at(right, y) * fx;
    row(top) * (1.0 - fy) + row(bottom) * fy
}

/// Places computed one by one.
struct Listed {
    width: usize,
    places: Vec<[f64; 2]>,
}

impl Positions for Listed {
    fn row(&self, y: usize, places: &mut Places) {
        places.between(self.places[y * self.width..][..self.width].iter().copied());
    }
}

/// Coverage that begins at 0 at the edge of what is covered and is whole `width` pixels inside; the picture's own edge is
/// no edge. Distances are counted along rows, columns and diagonals (Rosenfeld and Pfaltz, "Sequential operations in
/// digital picture processing", 1966).
pub fn feathered(coverage: &Plane, width: f32) -> Plane {
    let size = coverage.size();
    let (w, h) = (size.width, size.height);
    let far = (w + h) as f32;
    let mut distance: Vec<f32> = coverage.values().iter().map(|c| if *c > 0.0 { far } else { 0.0 }).collect();
    let nearest = |distance: &mut [f32], x: usize, y: usize, steps: [(isize, isize); 4]| {
        let mut least = distance[y * w + x];
        for (dx, dy) in steps {
            let (Some(x), Some(y)) = (x.checked_add_signed(dx), y.checked_add_signed(dy)) else { continue };
            if x < w && y < h {
                least = least.min(distance[y * w + x] + 1.0);
            }
        }
        distance[y * w + x] = least;
    };
    for y in 0..h {
        (0..w).for_each(|x| nearest(&mut distance, x, y, [(-1, 0), (-1, -1), (0, -1), (1, -1)]));
    }
    for y in (0..h).rev() {
        (0..w).rev().for_each(|x| nearest(&mut distance, x, y, [(1, 0), (1, 1), (0, 1), (-1, 1)]));
    }
    let share = |d: &f32| (d / width.max(1.0)).min(1.0);
    Plane::from_values(size, distance.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{DepthMeaning, warp_over};
    use super::*;
    use proptest::prelude::*;

    fn picture(size: Size) -> Canvas {
        let value = |i: usize| {
            let (x, y) = ((i / 3 % size.width) as f64, (i / 3 / size.width) as f64);
            (128.0 + 60.0 * libm::sin(x / 5.0 + (i % 3) as f64) + 50.0 * libm::cos(y / 4.0)) as u8
        };
        Canvas::from_rgb8(size, (0..size.area() * 3).map(value).collect())
    }

    /// Mean difference where both are covered, and how much is.
    fn difference(a: &Warped, b: &Warped) -> (f64, f64) {
        let both = a.coverage.values().iter().zip(b.coverage.values()).map(|(a, b)| a * b > 0.0);
        let pixels = a.canvas.as_rgb8().chunks(3).zip(b.canvas.as_rgb8().chunks(3)).zip(both);
        let (mut sum, mut count, mut all) = (0.0, 0.0, 0.0);
        for ((a, b), both) in pixels {
            all += 1.0;
            if both {
                sum += a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
                count += 3.0;
            }
        }
        (sum / f64::max(count, 1.0), count / 3.0 / all)
    }

    /// Moved back and then on again frame by frame, a picture is itself.
    fn there_and_back(ahead: &[Camera], relief: &Relief) -> (f64, f64) {
        let size = Size::new(96, 64);
        let canvas = picture(size);
        let back = unwound(&canvas, ahead, Border::Replicate, relief);
        let mut cover = back.coverage.clone();
        let mut seen = back.canvas;
        for camera in ahead {
            let warped = warp_over(&seen, camera, Border::Replicate, relief);
            let grey = cover.values().iter().flat_map(|c| [(c * 255.0) as u8; 3]).collect();
            let moved = warp_over(&Canvas::from_rgb8(size, grey), camera, Border::Zeros, relief).canvas;
            let still = moved.as_rgb8().iter().step_by(3).map(|v| f32::from(*v > 250)).collect();
            cover = Plane::from_values(size, still);
            seen = warped.canvas;
        }
        let original = Warped { canvas, coverage: Plane::filled(size, 1.0) };
        difference(&Warped { canvas: seen, coverage: cover }, &original)
    }

    #[test]
    fn a_zoom_and_a_turn_are_undone_by_one_matrix() {
        let camera = Camera2d { zoom: 1.01, angle: 0.7, translation_x: 0.6, ..Camera2d::STILL };
        let (mean, covered) = there_and_back(&[Camera::Flat(camera); 12], &Relief::flat());
        assert!(mean < 2.0 && covered > 0.4, "{mean} {covered}");
    }

    #[test]
    fn a_flight_is_undone_over_flat_and_deep_reliefs() {
        let camera = Camera3d { translation: [0.5, 0.3, 2.0], rotation: [0.1, 0.2, 0.3], ..Camera3d::STILL };
        let (mean, covered) = there_and_back(&[Camera::Deep(camera); 10], &Relief::flat());
        assert!(mean < 2.0 && covered > 0.4, "{mean} {covered}");
        let size = Size::new(96, 64);
        let bowl = |i: usize| libm::hypot((i % 96) as f64 - 48.0, (i / 96) as f64 - 32.0) as f32;
        let depth = Plane::from_values(size, (0..size.area()).map(bowl).collect());
        let (mean, covered) =
            there_and_back(&[Camera::Deep(camera); 10], &Relief::new(Some(&depth), DepthMeaning::Inverse));
        assert!(mean < 3.0 && covered > 0.4, "{mean} {covered}");
    }

    #[test]
    fn feathers_grow_inwards_from_what_is_not_covered() {
        let size = Size::new(8, 1);
        let cover = Plane::from_values(size, vec![0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(feathered(&cover, 4.0).values(), [0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        assert_eq!(feathered(&Plane::filled(size, 1.0), 4.0), Plane::filled(size, 1.0));
        assert_eq!(feathered(&cover, 0.0), cover);
    }

    proptest! {
        #[test]
        fn any_motion_gives_a_picture(v in prop::array::uniform6(prop::num::f64::ANY), n in 0_usize..4) {
            let flat = Camera2d { zoom: v[0], angle: v[1], translation_x: v[2], ..Camera2d::STILL };
            let deep = Camera3d { translation: [v[0], v[1], v[2]], rotation: [v[3], v[4], v[5]], ..Camera3d::STILL };
            let canvas = picture(Size::new(7, 5));
            for ahead in [vec![Camera::Flat(flat); n], vec![Camera::Deep(deep); n]] {
                prop_assert_eq!(unwound(&canvas, &ahead, Border::Zeros, &Relief::flat()).canvas.size(), canvas.size());
            }
        }
    }
}
