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
mod edge;
pub mod flow;
mod follow;
mod matrix;
mod places;
mod relief;
mod sample;
mod steady;
mod warp2d;
mod warp3d;
pub mod zoom;

pub use around::{Sides, reach, uncovered_sides, warp_around};
pub use follow::follow;
pub use matrix::{Pose, flat_matrix, flip_matrix, old_aspect_ratio, pose};
pub use relief::{DepthMeaning, Relief, equalise};
pub use steady::{from_steps, locked, own_scale, to_steps};
pub use warp2d::warp_flat;
pub use warp3d::{deep_positions, warp_deep, warp_deep_float};

use crate::canvas::{Canvas, DepthMap, Plane};
use crate::timeline::frame::{Border, Camera};

/// A moved picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Warped {
    /// The picture, of the size it had.
    pub canvas: Canvas,
    /// 1 where the source covers the pixel, 0 where the border rule filled it.
    pub coverage: Plane,
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
    match camera {
        Camera::Flat(flat) => warp_flat(canvas, &flat_matrix(flat, canvas.size()), border),
        Camera::Deep(_) => {
            let fitted = depth.map(|map| map.resized(canvas.size()));
            warp_over(canvas, camera, border, &Relief::new(fitted.as_ref(), DepthMeaning::Inverse))
        }
    }
}

/// Moves a picture as `camera` says, a 3D camera over `relief`.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_over(canvas: &Canvas, camera: &Camera, border: Border, relief: &Relief) -> Warped {
    match camera {
        Camera::Flat(flat) => warp_flat(canvas, &flat_matrix(flat, canvas.size()), border),
        Camera::Deep(deep) => warp_deep(canvas, deep, border, border, relief),
    }
}

#[cfg(test)]
mod tests;
