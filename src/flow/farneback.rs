//! Dense optical flow by polynomial expansion: Farnebäck, «Two-Frame Motion Estimation Based on Polynomial Expansion»,
//! SCIA 2003.
//!
//! Around every pixel both pictures are fitted by a quadratic polynomial, weighted by a Gaussian. A displacement of
//! the picture displaces the polynomial, and its coefficients say by how much; averaged over a window, from coarse to
//! fine.

use rayon::prelude::*;

use super::Flow;
use super::pyramid::{corners, grey, sample};
use crate::canvas::{Canvas, Plane, Size};

/// How polynomials are fitted and averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FarnebackSettings {
    /// Coarser pictures at most, each half the one before; 0 is the picture alone.
    pub levels: usize,
    /// Width of the window over which displacements are averaged, odd, in pixels.
    pub window: usize,
    /// Rounds on each level.
    pub iterations: usize,
    /// Pixels to each side that a polynomial is fitted to.
    pub reach: usize,
    /// Standard deviation of the fit's weights, in pixels.
    pub sigma: f64,
}

/// As sd-webui-deforum 32242685 calls OpenCV.
impl Default for FarnebackSettings {
    fn default() -> Self {
        Self { levels: 5, window: 21, iterations: 5, reach: 7, sigma: 1.2 }
    }
}

/// No side of a coarse picture is shorter, as in OpenCV 4.
const SHORTEST: f64 = 32.0;
/// Keeps the last division from being by zero, as in OpenCV 4.
const REGULAR: f32 = 1e-3;
/// Weight of pixels by their distance from the edge, where polynomials know only one side, as in OpenCV 4.
const NEAR_EDGE: [f32; 5] = [0.14, 0.14, 0.4472, 0.4472, 0.4472];

/// `f(x, y) = c + x bx + y by + x² axx + y² ayy + xy axy` about a pixel, without c: `[bx, by, axx, ayy, axy]`.
type Polynomial = [f32; 5];

/// The flow from `first` to `second`, which have one size.
///
/// # Panics
/// When their sizes differ: a bug of the caller.
pub fn farneback(first: &Canvas, second: &Canvas, settings: &FarnebackSettings) -> Flow {
    assert_eq!(first.size(), second.size(), "a flow needs two pictures of one size");
    let size = first.size();
    let pictures = [whole(grey(first)), whole(grey(second))];
    let mut flow: Option<Flow> = None;
    for level in (0..levels(size, settings.levels)).rev() {
        let scale = 0.5f64.powi(level as i32);
        let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
        let small = Size::new(side(size.width), side(size.height));
        let [a, b] = [0, 1].map(|i| expansion(&shrunk(&pictures[i], small, 1.0 / scale), settings));
        let mut now = flow.map_or_else(|| Flow::filled(small, [0.0; 2]), |coarse| coarse.resized(small));
        for _ in 0..settings.iterations {
            now = improved(&a, &b, &now, settings.window);
        }
        flow = Some(now);
    }
    flow.unwrap_or_else(|| Flow::filled(size, [0.0; 2]))
}

/// Grey levels as 8 bits hold them, which is what the peer's estimator is given.
fn whole(mut picture: Plane) -> Plane {
    picture.values_mut().iter_mut().for_each(|value| *value = value.round());
    picture
}

/// How many levels a picture is large enough for.
fn levels(size: Size, most: usize) -> usize {
    let shorter = size.width.min(size.height) as f64;
    (1..=most).take_while(|level| shorter * 0.5f64.powi(*level as i32) >= SHORTEST).count() + 1
}

/// The picture made smaller by `factor`, blurred first so that nothing fine is left to alias. One that keeps its size is
/// blurred by 1 2 1, as OpenCV 4 does where it asks for a deviation of 0.
fn shrunk(picture: &Plane, size: Size, factor: f64) -> Plane {
    let sigma = (factor - 1.0) * 0.5;
    let radius = ((sigma * 5.0).round() as usize | 1).max(3) / 2;
    let kernel = if sigma > 0.0 { gaussian(radius, sigma) } else { vec![0.25, 0.5, 0.25] };
    let soft = separable(picture, Beyond::Mirror, |_| kernel.clone());
    if picture.size() == size {
        return soft;
    }
    let (sx, sy) =
        (picture.size().width as f32 / size.width as f32, picture.size().height as f32 / size.height as f32);
    let value = |i: usize| {
        let (x, y) = ((i % size.width) as f32, (i / size.width) as f32);
        sample(&soft, (x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5)
    };
    Plane::from_values(size, (0..size.area()).into_par_iter().map(value).collect())
}

/// Weights from `-radius` to `radius` that sum to 1.
fn gaussian(radius: usize, sigma: f64) -> Vec<f64> {
    let r = radius as i32;
    let weights: Vec<f64> = (-r..=r).map(|x| libm::exp(-f64::from(x * x) / (2.0 * sigma * sigma))).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// What stands beyond the edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// The edge's own value.
    Edge,
    /// The picture mirrored about the edge pixel.
    Mirror,
}

impl Beyond {
    /// The pixel, of `n`, that stands for `i + k - radius`.
    fn index(self, i: usize, k: usize, radius: usize, n: usize) -> usize {
        let last = n - 1;
        match (self, (i + k).checked_sub(radius)) {
            (Self::Mirror, None) => (radius - i - k).min(last),
            (Self::Mirror, Some(at)) if at > last => (2 * last).saturating_sub(at),
            (_, at) => at.unwrap_or(0).min(last),
        }
    }
}

/// The picture convolved along x with `kernel(0)` and along y with `kernel(1)`.
fn separable(picture: &Plane, beyond: Beyond, kernel: impl Fn(usize) -> Vec<f64>) -> Plane {
    let Size { width, height } = picture.size();
    let at = |i: usize, k: usize, radius: usize, n: usize| beyond.index(i, k, radius, n);
    let (across, down) = (kernel(0), kernel(1));
    let v = picture.values();
    let along: Vec<f32> = (0..width * height)
        .into_par_iter()
        .map(|i| {
            let (x, row) = (i % width, i / width * width);
            let taps = across.iter().enumerate();
            taps.map(|(k, w)| w * f64::from(v[row + at(x, k, across.len() / 2, width)])).sum::<f64>() as f32
        })
        .collect();
    let both = (0..width * height)
        .into_par_iter()
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let taps = down.iter().enumerate();
            let value = |k: usize| f64::from(along[at(y, k, down.len() / 2, height) * width + x]);
            taps.map(|(k, w)| w * value(k)).sum::<f64>() as f32
        })
        .collect();
    Plane::from_values(picture.size(), both)
}

/// A polynomial for every pixel.
struct Expansion {
    size: Size,
    polynomials: Vec<Polynomial>,
}

/// Fits a polynomial around every pixel.
fn expansion(picture: &Plane, settings: &FarnebackSettings) -> Expansion {
    let weights = gaussian(settings.reach, settings.sigma);
    let r = settings.reach as i32;
    let moment = |power: i32| -> f64 {
        (-r..=r).zip(&weights).map(|(x, w)| w * f64::from(x).powi(power)).sum::<f64>()
    };
    let (m2, m4) = (moment(2), moment(4));
    let powers: Vec<Vec<f64>> =
        (0..3).map(|p| (-r..=r).zip(&weights).map(|(x, w)| w * f64::from(x).powi(p)).collect()).collect();
    let moments =
        |px: usize, py: usize| separable(picture, Beyond::Edge, |axis| powers[[px, py][axis]].clone());
    let [m, mx, my, mxx, myy, mxy] =
        [moments(0, 0), moments(1, 0), moments(0, 1), moments(2, 0), moments(0, 2), moments(1, 1)];
    // 1, x² - m2 and y² - m2 are orthogonal under weights that factor, so each coefficient stands alone.
    let spread = m4 - m2 * m2;
    let fit = |i: usize| {
        let at = |plane: &Plane| f64::from(plane.values()[i]);
        [
            at(&mx) / m2,
            at(&my) / m2,
            (at(&mxx) - m2 * at(&m)) / spread,
            (at(&myy) - m2 * at(&m)) / spread,
            at(&mxy) / (m2 * m2),
        ]
        .map(|v| v as f32)
    };
    let polynomials = (0..picture.size().area()).into_par_iter().map(fit).collect();
    Expansion { size: picture.size(), polynomials }
}

/// One round: what the polynomials say of the displacement, averaged over the window, solved.
fn improved(first: &Expansion, second: &Expansion, flow: &Flow, window: usize) -> Flow {
    let size = first.size;
    let equations: Vec<[f32; 5]> =
        (0..size.area()).into_par_iter().map(|i| equation(first, second, flow, i)).collect();
    let mean = vec![1.0 / window as f64; window | 1];
    let averaged: [Plane; 5] = std::array::from_fn(|c| {
        let plane = Plane::from_values(size, equations.iter().map(|e| e[c]).collect());
        separable(&plane, Beyond::Edge, |_| mean.clone())
    });
    let solved = |i: usize| {
        let [g11, g12, g22, h1, h2] = std::array::from_fn(|c| averaged[c].values()[i]);
        let inverse = 1.0 / (g11 * g22 - g12 * g12 + REGULAR);
        [(g22 * h1 - g12 * h2) * inverse, (g11 * h2 - g12 * h1) * inverse]
    };
    Flow { size, vectors: (0..size.area()).into_par_iter().map(solved).collect() }
}

/// The normal equations `G d = h` of one pixel: `[g11, g12, g22, h1, h2]`.
fn equation(first: &Expansion, second: &Expansion, flow: &Flow, i: usize) -> [f32; 5] {
    let Size { width, height } = first.size;
    let (x, y) = (i % width, i / width);
    let [dx, dy] = flow.vectors[i];
    let (px, py) = (x as f32 + dx, y as f32 + dy);
    let [bx, by, axx, ayy, axy] = first.polynomials[i];
    let inside = px >= 0.0 && py >= 0.0 && px < (width - 1) as f32 && py < (height - 1) as f32;
    let (a11, a22, a12, mut h);
    if inside {
        let (at, weights) = corners(first.size, px, py);
        let other: Polynomial =
            std::array::from_fn(|c| (0..4).map(|k| weights[k] * second.polynomials[at[k]][c]).sum());
        (a11, a22) = ((axx + other[2]) * 0.5, (ayy + other[3]) * 0.5);
        a12 = (axy + other[4]) * 0.25;
        h = [(bx - other[0]) * 0.5, (by - other[1]) * 0.5];
    } else {
        // Nothing is known there: the first picture's polynomial moved by what was found so far.
        (a11, a22, a12) = (axx, ayy, axy * 0.5);
        h = [bx * 0.5, by * 0.5];
    }
    h = [h[0] + a11 * dx + a12 * dy, h[1] + a12 * dx + a22 * dy];
    let edge = |v: usize, n: usize| NEAR_EDGE.get(v.min(n - 1 - v)).copied().unwrap_or(1.0);
    let weight = edge(x, width) * edge(y, height);
    let [a11, a22, a12, h1, h2] = [a11, a22, a12, h[0], h[1]].map(|v| v * weight);
    [
        a11 * a11 + a12 * a12,
        (a11 + a22) * a12,
        a22 * a22 + a12 * a12,
        a11 * h1 + a12 * h2,
        a12 * h1 + a22 * h2,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A polynomial is its own expansion, away from the edge.
    #[test]
    fn a_quadratic_picture_is_fitted_exactly() {
        let size = Size::new(40, 36);
        let at = |i: usize| ((i % 40) as f32 - 20.0, (i / 40) as f32 - 18.0);
        let value = |i: usize| {
            let (x, y) = at(i);
            3.0 + 0.5 * x - 0.25 * y + 0.02 * x * x - 0.03 * y * y + 0.01 * x * y
        };
        let picture = Plane::from_values(size, (0..size.area()).map(value).collect());
        let found = expansion(&picture, &FarnebackSettings::default());
        let middle = 18 * 40 + 20;
        for (a, b) in found.polynomials[middle].iter().zip([0.5, -0.25, 0.02, -0.03, 0.01]) {
            assert!((a - b).abs() < 1e-4, "{:?}", found.polynomials[middle]);
        }
    }

    #[test]
    fn flat_pictures_do_not_move_whatever_their_size() {
        for size in [Size::new(1, 1), Size::new(3, 50), Size::new(64, 64)] {
            let flat = Canvas::filled(size, [77; 3]);
            let found = farneback(&flat, &flat, &FarnebackSettings::default());
            assert!(found.vectors().iter().flatten().all(|v| v.abs() < 1e-3), "{size}");
        }
    }
}
