//! How a picture is moved: the 2D warp, the 3D warp over a depth map, and warps along a flow.
//!
//! # Conventions
//!
//! *Pixels*: (0, 0) is the centre of the top-left pixel, x to the right, y down. The picture covers
//! -0.5 to width - 0.5. All angles are degrees.
//!
//! *Flat matrices* ([`flat_matrix`], [`flip_matrix`]) are 3x3, act on **column** vectors and carry a
//! **source** pixel to its **destination**; the warp samples the source at the inverse:
//!
//! ```text
//! | m00 m01 m02 |   | x |   | X |
//! | m10 m11 m12 | * | y | = | Y |      destination = (X / W, Y / W)
//! | m20 m21 m22 |   | 1 |   | W |
//! ```
//!
//! *The 3D pose* ([`pose`]) acts on **row** vectors `(x, y, z)`: x from -1 at the centre of the leftmost column to 1
//! at the rightmost, y from -1 at the top to 1 at the bottom, z the distance. `v = p * Rx Ry Rz + t`,
//! each factor the standard right-handed matrix for column vectors:
//!
//! ```text
//!                          | r00 r01 r02 |
//! (vx vy vz) = (x y z)  *  | r10 r11 r12 |  +  (tx ty tz)
//!                          | r20 r21 r22 |
//! ```
//!
//! The formulas are Deforum's (sd-webui-deforum 32242685), sampling is PyTorch's `grid_sample` with
//! `align_corners = false`.

mod around;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod bytes;
mod edge;
pub mod flow;
mod follow;
mod kernel;
mod matrix;
mod places;
mod relief;
mod sample;
mod steady;
mod unwind;
mod vectors;
mod warp2d;
mod warp3d;
pub mod zoom;

pub use crate::timeline::frame::DepthMeaning;
pub use around::{Sides, Travel, reach, reach_round, uncovered_sides, warp_around};
pub use follow::follow;
pub use matrix::{Pose, flat_matrix, flip_matrix, old_aspect_ratio, pose};
pub use relief::{Relief, equalise};
pub use steady::{from_steps, locked, own_scale, to_steps};
pub use unwind::{feathered, unwound};
pub use vectors::warp_vectors;
pub use warp2d::{resample, warp_flat};
pub use warp3d::{deep_positions, warp_deep, warp_deep_float, warp_deep_once};

use crate::canvas::{Canvas, DepthMap, Plane};
use crate::timeline::frame::{Border, Camera, Camera2d, Camera3d, Sampling};

/// A moved picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Warped {
    /// The picture, of the size it had.
    pub canvas: Canvas,
    /// 1 where the source covers the pixel, 0 where the border rule filled it.
    pub coverage: Plane,
}

/// Whose way of moving pictures counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One resampling a frame, sampled as the camera says, filtered where the picture becomes smaller, rounded.
    Native,
    /// As sd-webui-deforum 32242685: bilinear in 2D, the perspective flip of the 3D camera as a warp of its own, no
    /// translation in 2D while the flip is on, 3D truncated to 8 bit.
    Deforum,
    /// As [`Manner::Native`], but bilinear and unfiltered: several times as fast, for a look at motion.
    Quick,
}

/// Moves a picture as `camera` says, `border` filling what comes in from outside.
///
/// `depth` is used by [`Camera::Deep`] only: relative inverse depth of this picture (large is near, any range, it is
/// equalised as in Deforum), scaled to the picture when sizes differ. Without it, and where it is
/// constant or not finite, everything lies at distance 1.
///
/// A camera that moves nothing gives the picture back unchanged. One that cannot be inverted (zoom 0)
/// leaves nothing of it: every pixel is the border's.
pub fn warp(canvas: &Canvas, camera: &Camera, border: Border, depth: Option<&DepthMap>) -> Warped {
    warp_as(Manner::Native, canvas, camera, border, depth)
}

/// [`warp`] in another manner than kinora's own.
pub fn warp_as(
    manner: Manner,
    canvas: &Canvas,
    camera: &Camera,
    border: Border,
    depth: Option<&DepthMap>,
) -> Warped {
    let relief = match camera {
        Camera::Flat(_) => Relief::flat(),
        Camera::Deep(deep) => Relief::new(depth.map(|map| map.resized(canvas.size())).as_ref(), deep.meaning),
    };
    warp_over_as(manner, canvas, camera, border, &relief)
}

/// Moves a picture as `camera` says, a 3D camera over `relief`.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_over(canvas: &Canvas, camera: &Camera, border: Border, relief: &Relief) -> Warped {
    warp_over_as(Manner::Native, canvas, camera, border, relief)
}

/// [`warp_over`] in another manner than kinora's own.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_over_as(
    manner: Manner,
    canvas: &Canvas,
    camera: &Camera,
    border: Border,
    relief: &Relief,
) -> Warped {
    let size = canvas.size();
    match (camera, manner) {
        (Camera::Flat(flat), Manner::Native) => {
            resample(canvas, &flat_matrix(flat, size), border, flat.sampling)
        }
        (Camera::Flat(flat), Manner::Quick) => warp_flat(canvas, &flat_matrix(flat, size), border),
        (Camera::Flat(flat), Manner::Deforum) => {
            warp_flat(canvas, &flat_matrix(&losing_translation(flat), size), border)
        }
        (Camera::Deep(deep), Manner::Native) => warp_deep_once(canvas, deep, border, relief, true),
        (Camera::Deep(deep), Manner::Quick) => {
            let quick = Camera3d { sampling: Sampling::Bilinear, ..*deep };
            warp_deep_once(canvas, &quick, border, relief, false)
        }
        (Camera::Deep(deep), Manner::Deforum) => warp_deep(canvas, deep, border, border, relief),
    }
}

/// The 2D camera as Deforum understands it: with the perspective flip it does not move.
fn losing_translation(camera: &Camera2d) -> Camera2d {
    match camera.flip {
        Some(_) => Camera2d { translation_x: 0.0, translation_y: 0.0, ..*camera },
        None => *camera,
    }
}

#[cfg(test)]
mod tests;
