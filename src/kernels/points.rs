//! The one-dimensional transforms of Winograd's F(4, 3), for several lanes at once.
//!
//! Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks": the transforms G, Bᵀ and Aᵀ.

use super::simd::{LANES, Lanes};

/// Results of a transform.
pub(super) const TILE: usize = 4;
/// Points of interpolation, and numbers that go into a transform of the input.
pub(super) const PATCH: usize = 6;
/// The points of interpolation are 0, ±NEAR, ±FAR and infinity. These (and their powers) are exact in f32, and
/// rounding errors are a quarter of those with the usual 1 and 2, as measured over several pairs.
const NEAR: f32 = 0.75;
const FAR: f32 = 1.5;
const A2: f32 = NEAR * NEAR;
const B2: f32 = FAR * FAR;

/// Kernels that are transformed side by side.
pub(super) type Eight = [f32; 8];

/// G: the values of g₀ + g₁ p + g₂ p² at the points p, over the products of their distances.
#[inline(always)]
pub(super) fn kernel_points(g: &[Eight; 3]) -> [Eight; PATCH] {
    const ZERO: f32 = 1.0 / (A2 * B2);
    const NEARS: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
    const FARS: f32 = 1.0 / (2.0 * B2 * (B2 - A2));
    let mut points = [[0.0; 8]; PATCH];
    for l in 0..8 {
        let (near, near_odd) = (g[0][l] * NEARS + g[2][l] * (NEARS * A2), g[1][l] * (NEARS * NEAR));
        let (far, far_odd) = (g[0][l] * FARS + g[2][l] * (FARS * B2), g[1][l] * (FARS * FAR));
        points[0][l] = g[0][l] * ZERO;
        points[1][l] = near + near_odd;
        points[2][l] = near - near_odd;
        points[3][l] = far + far_odd;
        points[4][l] = far - far_odd;
        points[5][l] = g[2][l];
    }
    points
}

/// Bᵀ.
#[inline(always)]
pub(super) fn input_points(d: &[Lanes; PATCH]) -> [Lanes; PATCH] {
    let mut points = [[0.0; LANES]; PATCH];
    for l in 0..LANES {
        let (even, odd) = (d[4][l] - B2 * d[2][l], NEAR * (d[3][l] - B2 * d[1][l]));
        let (far_even, far_odd) = (d[4][l] - A2 * d[2][l], FAR * (d[3][l] - A2 * d[1][l]));
        points[0][l] = A2 * B2 * d[0][l] - (A2 + B2) * d[2][l] + d[4][l];
        points[1][l] = even + odd;
        points[2][l] = even - odd;
        points[3][l] = far_even + far_odd;
        points[4][l] = far_even - far_odd;
        points[5][l] = A2 * B2 * d[1][l] - (A2 + B2) * d[3][l] + d[5][l];
    }
    points
}

/// Aᵀ.
#[inline(always)]
pub(super) fn output_points(m: &[Lanes; PATCH]) -> [Lanes; TILE] {
    let mut points = [[0.0; LANES]; TILE];
    for l in 0..LANES {
        let (even, odd) = (m[1][l] + m[2][l], m[1][l] - m[2][l]);
        let (far_even, far_odd) = (m[3][l] + m[4][l], m[3][l] - m[4][l]);
        points[0][l] = m[0][l] + even + far_even;
        points[1][l] = NEAR * odd + FAR * far_odd;
        points[2][l] = A2 * even + B2 * far_even;
        points[3][l] = NEAR * A2 * odd + FAR * B2 * far_odd + m[5][l];
    }
    points
}
