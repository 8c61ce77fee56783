//! Variational refinement: brightness and gradient constancy against smoothness, all robust (Brox 2004), with
//! the normalised data terms and weights of OpenCV's DIS (alpha 20, gamma 10, delta 5).

use rayon::prelude::*;

use super::Flow;
use super::pyramid::{gradient, sample};
use crate::canvas::{Plane, Size};

/// Weight of smoothness.
const ALPHA: f32 = 20.0;
/// Weight of gradient constancy.
const GAMMA: f32 = 10.0;
/// Weight of brightness constancy.
const DELTA: f32 = 5.0;
/// The Charbonnier penalty `sqrt(s² + EPSILON)`.
const EPSILON: f32 = 1e-6;
/// Keeps the normalisation of the data terms from dividing by zero (grey levels²).
const ZETA: f32 = 0.01;
/// Sweeps of the solver for each linearisation.
const SWEEPS: usize = 5;
/// Over-relaxation.
const OMEGA: f32 = 1.6;

/// The linearised data terms of a pixel: `[a11, a12, a22, b1, b2]` without their robust weights, for brightness
/// and gradient together once weighted.
type System = [f32; 5];

/// Refines `field` by `rounds` linearisations.
pub(super) fn refine(first: &Plane, second: &Plane, mut field: Flow, rounds: usize) -> Flow {
    for _ in 0..rounds {
        let terms = Terms::new(first, second, &field);
        let update = solve(&terms, &field);
        field.vectors.iter_mut().zip(update).for_each(|(v, d)| *v = [v[0] + d[0], v[1] + d[1]]);
    }
    field
}

/// Derivatives of the pair with the second picture pulled back by the field: x, y, difference in time.
struct Terms {
    x: Plane,
    y: Plane,
    t: Plane,
    xx: Plane,
    xy: Plane,
    yy: Plane,
    xt: Plane,
    yt: Plane,
    /// 0 where the field points out of the second picture: nothing is known there.
    known: Vec<bool>,
}

impl Terms {
    fn new(first: &Plane, second: &Plane, field: &Flow) -> Self {
        let size = first.size();
        let place = |i: usize| {
            let [u, v] = field.vectors[i];
            ((i % size.width) as f32 + u, (i / size.width) as f32 + v)
        };
        let inside = |(x, y): (f32, f32)| {
            x >= 0.0 && y >= 0.0 && x <= (size.width - 1) as f32 && y <= (size.height - 1) as f32
        };
        let indices = || (0..size.area()).into_par_iter();
        let pulled: Vec<f32> = indices().map(place).map(|(x, y)| sample(second, x, y)).collect();
        let known = indices().map(|i| inside(place(i))).collect();
        let a = first.values();
        let mean = Plane::from_values(size, indices().map(|i| (pulled[i] + a[i]) * 0.5).collect());
        let t = Plane::from_values(size, indices().map(|i| pulled[i] - a[i]).collect());
        let (x, y) = gradient(&mean);
        let (xx, xy) = gradient(&x);
        let (_, yy) = gradient(&y);
        let (xt, yt) = gradient(&t);
        Self { x, y, t, xx, xy, yy, xt, yt, known }
    }

    /// The robustly weighted normal equations of pixel `i` at the increment `[du, dv]`.
    fn system(&self, i: usize, [du, dv]: [f32; 2]) -> System {
        if !self.known[i] {
            return [0.0; 5];
        }
        let at = |p: &Plane| p.values()[i];
        let (ix, iy, it) = (at(&self.x), at(&self.y), at(&self.t));
        let (xx, xy, yy) = (at(&self.xx), at(&self.xy), at(&self.yy));
        let (xt, yt) = (at(&self.xt), at(&self.yt));
        let n0 = 1.0 / (ix * ix + iy * iy + ZETA);
        let e0 = it + ix * du + iy * dv;
        let w0 = DELTA * n0 * slope(n0 * e0 * e0);
        let (n1, n2) = (1.0 / (xx * xx + xy * xy + ZETA), 1.0 / (xy * xy + yy * yy + ZETA));
        let (e1, e2) = (xt + xx * du + xy * dv, yt + xy * du + yy * dv);
        let robust = GAMMA * slope(n1 * e1 * e1 + n2 * e2 * e2);
        let (w1, w2) = (robust * n1, robust * n2);
        [
            w0 * ix * ix + w1 * xx * xx + w2 * xy * xy,
            w0 * ix * iy + w1 * xx * xy + w2 * xy * yy,
            w0 * iy * iy + w1 * xy * xy + w2 * yy * yy,
            -(w0 * ix * it + w1 * xx * xt + w2 * xy * yt),
            -(w0 * iy * it + w1 * xy * xt + w2 * yy * yt),
        ]
    }
}

/// Derivative of the robust penalty with respect to its square.
#[inline]
fn slope(square: f32) -> f32 {
    0.5 / (square + EPSILON).sqrt()
}

/// Smoothness weight of every pixel: the slope of the penalty at the field's gradient.
fn diffusivity(field: &Flow) -> Vec<f32> {
    let Size { width, height } = field.size;
    let v = &field.vectors;
    let square = |i: usize| {
        let (x, y) = (i % width, i / width);
        let right = if x + 1 < width { i + 1 } else { i };
        let below = if y + 1 < height { i + width } else { i };
        let difference = |j: usize, c: usize| (v[j][c] - v[i][c]) * (v[j][c] - v[i][c]);
        difference(right, 0) + difference(right, 1) + difference(below, 0) + difference(below, 1)
    };
    (0..v.len()).into_par_iter().map(|i| ALPHA * slope(square(i))).collect()
}

/// The increment of every vector: red-black over-relaxation, the weights held fixed.
fn solve(terms: &Terms, field: &Flow) -> Vec<[f32; 2]> {
    let Size { width, height } = field.size;
    let smooth = diffusivity(field);
    let systems: Vec<System> =
        (0..field.vectors.len()).into_par_iter().map(|i| terms.system(i, [0.0; 2])).collect();
    let mut now = vec![[0f32; 2]; field.vectors.len()];
    let mut before = now.clone();
    for half in 0..2 * SWEEPS {
        // A colour reads only the other one, so the copy makes the rows independent.
        before.copy_from_slice(&now);
        now.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
            for x in ((y + half) % 2..width).step_by(2) {
                let i = y * width + x;
                let around = [
                    (x > 0).then(|| i - 1),
                    (x + 1 < width).then_some(i + 1),
                    (y > 0).then(|| i - width),
                    (y + 1 < height).then_some(i + width),
                ];
                row[x] = relaxed(i, around, &systems[i], &smooth, field, &before);
            }
        });
    }
    now
}

/// One pixel's update: 2x2 system of data terms and the pull of its neighbours.
#[inline]
fn relaxed(
    i: usize,
    around: [Option<usize>; 4],
    system: &System,
    smooth: &[f32],
    field: &Flow,
    increments: &[[f32; 2]],
) -> [f32; 2] {
    let [a11, a12, a22, mut b1, mut b2] = *system;
    let mut total = 0.0;
    for j in around.into_iter().flatten() {
        let weight = (smooth[i] + smooth[j]) * 0.5;
        b1 += weight * (field.vectors[j][0] + increments[j][0] - field.vectors[i][0]);
        b2 += weight * (field.vectors[j][1] + increments[j][1] - field.vectors[i][1]);
        total += weight;
    }
    let old = increments[i];
    let (d1, d2) = (a11 + total, a22 + total);
    if d1 <= 0.0 || d2 <= 0.0 {
        return old;
    }
    let du = (1.0 - OMEGA) * old[0] + OMEGA * (b1 - a12 * old[1]) / d1;
    let dv = (1.0 - OMEGA) * old[1] + OMEGA * (b2 - a12 * du) / d2;
    [du, dv]
}
