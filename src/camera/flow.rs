//! Moving pictures along an optical flow, and judging a flow by the one back.

use rayon::prelude::*;

use super::Warped;
use super::edge::Edge;
use super::places::Places;
use super::sample::Texture;
use super::warp2d::{Positions, render};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::Sampling;

/// What [`consistency`] writes where a flow cannot be trusted. Negative, so that a blur spreads the distrust.
const UNRELIABLE: f32 = -0.75;

/// Displacement of each pixel from one picture to the next: (x, y) in pixels, right and down, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    size: Size,
    vectors: Vec<[f32; 2]>,
}

/// What stands beyond the edge of a picture that is moved along a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowBorder {
    /// Mirrored about the edge pixels' centres.
    Reflect,
    /// Mirrored for a quarter of the width and height, black beyond: Deforum, where the intended
    /// mirroring lands in a wrong argument.
    Deforum,
}

impl Flow {
    /// Takes one vector a pixel, row by row.
    ///
    /// # Panics
    /// When the number of vectors is another: a bug of the caller.
    pub fn new(size: Size, vectors: Vec<[f32; 2]>) -> Self {
        assert_eq!(vectors.len(), size.area(), "a flow of {size} has one vector a pixel");
        Self { size, vectors }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All vectors, row by row.
    pub fn vectors(&self) -> &[[f32; 2]] {
        &self.vectors
    }

    /// The flow with each component multiplied by its factor (x, y).
    pub fn scaled(&self, factor: [f32; 2]) -> Self {
        let vectors = self.vectors.iter().map(|[x, y]| [x * factor[0], y * factor[1]]).collect();
        Self { size: self.size, vectors }
    }

    /// Each vector multiplied by the plane's value at its pixel, as Deforum weakens unreliable flow.
    ///
    /// # Panics
    /// When the sizes differ: a bug of the caller.
    pub fn weighted(&self, weight: &Plane) -> Self {
        assert_eq!(self.size, weight.size(), "a weight for each vector");
        let vectors = self.vectors.iter().zip(weight.values()).map(|([x, y], w)| [x * w, y * w]).collect();
        Self { size: self.size, vectors }
    }

    /// Largest absolute component, pixels. 0 for an empty flow.
    pub fn peak(&self) -> f32 {
        self.vectors.iter().flatten().fold(0.0, |peak, v| peak.max(v.abs()))
    }

    /// Deforum's «relative» flow: x divided by peak and width, y by peak and height. The peak is lost, see
    /// [`Flow::absolute`]. A flow of zeros stays.
    pub fn relative(&self) -> Self {
        let peak = self.peak();
        let share = |n: usize| if peak > 0.0 { 1.0 / (peak * n as f32) } else { 0.0 };
        self.scaled([share(self.size.width), share(self.size.height)])
    }

    /// Deforum's way back from [`Flow::relative`]. It does not restore the magnitude: the largest component
    /// comes back as one pixel. Provided to reproduce Deforum's cadence flow; kinora warps the flow itself.
    pub fn absolute(&self) -> Self {
        let (w, h) = (self.size.width as f32, self.size.height as f32);
        let peak = self.scaled([w, h]).peak();
        self.scaled([peak * w, peak * h])
    }
}

/// Moves a picture along a flow: `out(p) = in(p - factor * flow(p))`, bilinear, rounded to the nearest grey level.
///
/// # Panics
/// When picture and flow differ in size: a bug of the caller.
pub fn apply(canvas: &Canvas, flow: &Flow, factor: f32, border: FlowBorder) -> Warped {
    let size = canvas.size();
    assert_eq!(size, flow.size, "a flow has a vector for each pixel of the picture");
    let edge = match border {
        FlowBorder::Reflect => Edge::Mirror101,
        FlowBorder::Deforum => Edge::Margin((size.width / 4) as i32, (size.height / 4) as i32),
    };
    let texture = Texture::new(canvas, 0.0, Sampling::Bilinear);
    render(&texture, size, edge, (Sampling::Bilinear, false), &Along { flow, factor })
}

/// A flow walked backwards.
struct Along<'a> {
    flow: &'a Flow,
    factor: f32,
}

impl Positions for Along<'_> {
    #[inline(always)]
    fn row(&self, y: usize, places: &mut Places) {
        let width = self.flow.size.width;
        let row = &self.flow.vectors[y * width..][..width];
        let from = |at: usize, d: f32| f64::from(at as i32) - f64::from(self.factor * d);
        places.between(row.iter().enumerate().map(|(x, [dx, dy])| [from(x, *dx), from(y, *dy)]));
    }
}

/// Where a flow can be trusted: 1, and -0.75 where following it and the flow back misses the start by too much
/// (|miss|² >= 0.01 (|forward|² + |backward|²) + 0.5). After Ruder, Dosovitskiy and Brox, "Artistic style
/// transfer for videos" (2016), whose threshold this is; the negative value is Deforum's.
///
/// # Panics
/// When the flows differ in size: a bug of the caller.
pub fn consistency(forward: &Flow, backward: &Flow) -> Plane {
    let size = forward.size;
    assert_eq!(size, backward.size, "both flows have one size");
    let trust = |i: usize| {
        let [dx, dy] = forward.vectors[i];
        let [bx, by] = backward.at((i % size.width) as f32 + dx, (i / size.width) as f32 + dy);
        let miss = (dx + bx).powi(2) + (dy + by).powi(2);
        let allowed = 0.01 * (dx * dx + dy * dy + bx * bx + by * by) + 0.5;
        // A flow that is not a number is not to be trusted either.
        if miss < allowed { 1.0 } else { UNRELIABLE }
    };
    Plane::from_values(size, (0..size.area()).into_par_iter().with_min_len(4096).map(trust).collect())
}

impl Flow {
    /// The vector at a position, bilinear; positions outside are brought to the last pair of pixels but never past it.
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let Size { width, height } = self.size;
        let split = |v: f32, n: usize| {
            let v = v.max(0.0).min(n.saturating_sub(2) as f32);
            (v as usize, v.fract())
        };
        let ((x, fx), (y, fy)) = (split(x, width), split(y, height));
        let vector =
            |dx: usize, dy: usize| self.vectors[(y + dy).min(height - 1) * width + (x + dx).min(width - 1)];
        std::array::from_fn(|c| {
            let along = |dy| (1.0 - fx) * vector(0, dy)[c] + fx * vector(1, dy)[c];
            (1.0 - fy) * along(0) + fy * along(1)
        })
    }
}

/// Gaussian blur of a consistency map, as Deforum softens it: standard deviation `sigma` pixels, cut off at one
/// sigma, zero outside the picture. 0 leaves it as it is.
pub fn blur(plane: &Plane, sigma: f64) -> Plane {
    let kernel = kernel(sigma);
    transposed(&blur_rows(&transposed(&blur_rows(plane, &kernel)), &kernel))
}

/// Weights from the middle outwards, normalised over both sides.
fn kernel(sigma: f64) -> Vec<f64> {
    let radius = (sigma.max(0.0) + 0.5) as usize;
    let half: Vec<f64> = (0..=radius)
        .map(|i| if i == 0 { 1.0 } else { libm::exp(-0.5 * (i as f64 / sigma).powi(2)) })
        .collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter().map(|w| w / sum).collect()
}

fn blur_rows(plane: &Plane, kernel: &[f64]) -> Plane {
    let size = plane.size();
    let mut out = Plane::filled(size, 0.0);
    let rows = plane.values().par_chunks(size.width.max(1));
    out.values_mut().par_chunks_mut(size.width.max(1)).zip(rows).for_each(|(out, row)| {
        let value = |i: Option<usize>| i.and_then(|i| row.get(i)).map_or(0.0, |v| f64::from(*v));
        for (x, out) in out.iter_mut().enumerate() {
            let sides = (1..kernel.len()).map(|d| kernel[d] * (value(x.checked_sub(d)) + value(Some(x + d))));
            *out = (kernel[0] * f64::from(row[x]) + sides.sum::<f64>()) as f32;
        }
    });
    out
}

fn transposed(plane: &Plane) -> Plane {
    let Size { width, height } = plane.size();
    let values = (0..width * height).map(|i| plane.values()[i % height * width + i / height]).collect();
    Plane::from_values(Size::new(height, width), values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_flow_moves_nothing() {
        let size = Size::new(11, 6);
        let canvas = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 91 % 256) as u8).collect());
        let flow = Flow::new(size, vec![[0.0; 2]; size.area()]);
        for border in [FlowBorder::Reflect, FlowBorder::Deforum] {
            let warped = apply(&canvas, &flow, 1.0, border);
            assert_eq!(warped.canvas, canvas);
            assert!(warped.coverage.values().iter().all(|c| *c == 1.0));
        }
        assert_eq!(flow.relative(), flow);
        assert_eq!(flow.absolute(), flow);
    }

    #[test]
    fn a_flow_and_its_opposite_agree() {
        let size = Size::new(8, 8);
        let there = Flow::new(size, vec![[2.0, -1.0]; size.area()]);
        let back = there.scaled([-1.0, -1.0]);
        assert!(consistency(&there, &back).values().iter().all(|v| *v == 1.0));
        assert!(consistency(&there, &there).values().iter().all(|v| *v == UNRELIABLE));
    }

    #[test]
    fn a_blur_keeps_a_constant_away_from_the_edge() {
        let plane = Plane::filled(Size::new(9, 7), 1.0);
        let soft = blur(&plane, 2.0);
        assert!((soft.values()[3 * 9 + 4] - 1.0).abs() < 1e-6);
        assert!(soft.values()[0] < 0.9);
        assert_eq!(blur(&plane, 0.0), plane);
    }
}
