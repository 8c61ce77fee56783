//! The matrices of both cameras. Conventions are drawn in the [module](super) header.

use libm::{cos, sin, sqrt, tan};
use nalgebra::{Matrix3, Matrix4, SMatrix, SVector, Vector3, Vector4};

use crate::canvas::Size;
use crate::timeline::frame::{Camera2d, Camera3d, PerspectiveFlip};

/// The 2D camera as a matrix from source to destination pixels:
/// `flip * zoom and rotation about the centre * translation`, so that the translation is zoomed and rotated.
///
/// Angle and translation follow Deforum: positive angles turn counter-clockwise on screen, positive translations go
/// right and down; centre and translation are rounded to `f32` as OpenCV's interfaces do.
/// **Deliberate difference**: with the perspective flip on, Deforum drops the translation (a misplaced
/// argument); here it stays. Set it to 0 to reproduce that.
pub fn flat_matrix(camera: &Camera2d, size: Size) -> Matrix3<f64> {
    let radians = camera.angle.to_radians();
    let (a, b) = (camera.zoom * cos(radians), camera.zoom * sin(radians));
    let cx = f64::from((size.width as f64 * camera.center_x) as f32);
    let cy = f64::from((size.height as f64 * camera.center_y) as f32);
    let turn = Matrix3::new(a, b, (1.0 - a) * cx - b * cy, -b, a, b * cx + (1.0 - a) * cy, 0.0, 0.0, 1.0);
    let shift = translation(f64::from(camera.translation_x as f32), f64::from(camera.translation_y as f32));
    let moved = turn * shift;
    camera.flip.map_or(moved, |flip| flip_matrix(&flip, size) * moved)
}

/// The perspective flip as a matrix from source to destination pixels: the picture as a card turned by theta about z,
/// gamma about y and phi about x, seen by a camera whose field of view `fv` takes in its diagonal.
///
/// The corners pass through `f32`, as they do in OpenCV.
pub fn flip_matrix(flip: &PerspectiveFlip, size: Size) -> Matrix3<f64> {
    let (w, h) = (size.width as f64, size.height as f64);
    let diagonal = sqrt(w * w + h * h);
    let half = (flip.fv / 2.0).to_radians();
    let distance = diagonal / (2.0 * sin(half));
    let side = diagonal / cos(half);
    let view = projection(half, distance, diagonal)
        * Matrix4::new_translation(&Vector3::new(0.0, 0.0, -distance))
        * about_x(flip.phi).to_homogeneous()
        * about_y(flip.gamma).to_homogeneous()
        * about_z(flip.theta).to_homogeneous();
    let corners = [(-w / 2.0, h / 2.0), (w / 2.0, h / 2.0), (w / 2.0, -h / 2.0), (-w / 2.0, -h / 2.0)];
    let from = corners.map(|(x, y)| [x + w / 2.0, y + h / 2.0].map(through_f32));
    let to = corners.map(|(x, y)| {
        let seen = view * Vector4::new(x, y, 0.0, 1.0);
        [seen.x / seen.w, seen.y / seen.w].map(|v| through_f32((v + 1.0) * side * 0.5))
    });
    homography(&from, &to) * translation((w - side) / 2.0, (h - side) / 2.0)
}

/// OpenGL's perspective matrix for a card at `distance` that may swing half its diagonal to and fro. Deforum leaves a 1 in
/// the corner where OpenGL has 0, so that everything lies one pixel farther away.
fn projection(half: f64, distance: f64, diagonal: f64) -> Matrix4<f64> {
    let (near, far) = (distance - diagonal / 2.0, distance + diagonal / 2.0);
    let focal = 1.0 / tan(half);
    let mut p = Matrix4::zeros();
    p[(0, 0)] = focal;
    p[(1, 1)] = focal;
    p[(2, 2)] = -(far + near) / (far - near);
    p[(2, 3)] = -2.0 * far * near / (far - near);
    p[(3, 2)] = -1.0;
    p[(3, 3)] = 1.0;
    p
}

/// The homography that carries four points to four others. All zero when no three-by-three matrix does.
fn homography(from: &[[f64; 2]; 4], to: &[[f64; 2]; 4]) -> Matrix3<f64> {
    let mut a = SMatrix::<f64, 8, 8>::zeros();
    let mut b = SVector::<f64, 8>::zeros();
    for (i, ([x, y], [u, v])) in from.iter().zip(to).enumerate() {
        a.set_row(i, &SMatrix::from([[*x], [*y], [1.0], [0.0], [0.0], [0.0], [-x * u], [-y * u]]));
        a.set_row(i + 4, &SMatrix::from([[0.0], [0.0], [0.0], [*x], [*y], [1.0], [-x * v], [-y * v]]));
        b[i] = *u;
        b[i + 4] = *v;
    }
    a.lu()
        .solve(&b)
        .map_or_else(Matrix3::zeros, |s| Matrix3::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], 1.0))
}

/// Where the 3D camera carries a point: `v = p * rotation + translation`, row vectors, and the focal length
/// `1 / tan(fov / 2)` of the perspective division after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Rx Ry Rz.
    pub rotation: Matrix3<f64>,
    /// (-x, y, -z) / 200.
    pub translation: [f64; 3],
    /// Focal length in units of half the picture's width.
    pub focal: f64,
}

/// The 3D camera's pose. A negative field of view mirrors the motion, as in Deforum.
pub fn pose(camera: &Camera3d) -> Pose {
    let [rx, ry, rz] = camera.rotation;
    let [tx, ty, tz] = camera.translation;
    Pose {
        rotation: about_x(rx) * about_y(ry) * about_z(rz),
        translation: [-tx / 200.0, ty / 200.0, -tz / 200.0],
        focal: 1.0 / tan((camera.fov / 2.0).to_radians()),
    }
}

/// The `aspect_ratio` that Deforum's old formula puts in place of the schedule: width over height.
pub fn old_aspect_ratio(size: Size) -> f64 {
    size.width as f64 / size.height as f64
}

fn about_x(degrees: f64) -> Matrix3<f64> {
    let (s, c) = sin_cos(degrees);
    Matrix3::new(1.0, 0.0, 0.0, 0.0, c, -s, 0.0, s, c)
}

fn about_y(degrees: f64) -> Matrix3<f64> {
    let (s, c) = sin_cos(degrees);
    Matrix3::new(c, 0.0, s, 0.0, 1.0, 0.0, -s, 0.0, c)
}

fn about_z(degrees: f64) -> Matrix3<f64> {
    let (s, c) = sin_cos(degrees);
    Matrix3::new(c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)
}

fn sin_cos(degrees: f64) -> (f64, f64) {
    (sin(degrees.to_radians()), cos(degrees.to_radians()))
}

fn translation(x: f64, y: f64) -> Matrix3<f64> {
    Matrix3::new(1.0, 0.0, x, 0.0, 1.0, y, 0.0, 0.0, 1.0)
}

fn through_f32(v: f64) -> f64 {
    f64::from(v as f32)
}
