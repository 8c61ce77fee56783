//! One in-between picture from two pictures and the flows between them.
//!
//! Each pixel of the new picture considers up to three motions: that of the first picture's pixels carried
//! forward to its time, that of the second's carried back, and the one at its own place. It takes the motion
//! along which both pictures agree best. Where a flow and its opposite do not close a loop, the source pixel
//! is hidden in the other picture, and only the picture that shows it counts (Herbst, Seitz, Baker, «Occlusion
//! Reasoning for Temporal Interpolation Using Optical Flow», 2009; weights as in Jiang et al., «Super SloMo»,
//! CVPR 2018, but visibility taken at the source).

use std::borrow::Cow;

use rayon::prelude::*;

use crate::canvas::{Canvas, Size};
use crate::flow::{Flow, FlowSettings, flow};
use crate::post::interpolate::sample::{bicubic, bilinear, sample_plane};

/// The difference, in grey levels, that a source hidden in the other picture counts as.
const HIDDEN_COST: f32 = 10.0;
/// The difference, in grey levels, that makes one motion e times as likely as another.
const SELECTIVITY: f32 = 1.0;
/// The cost of a motion that was carried here by less than a tenth of a pixel's worth.
const UNCOVERED: f32 = 1e4;

/// Motions nearer to each other than this, in pixels, show the same.
const SAME: f32 = 0.02;

/// Two pictures and the motion between them, ready for any time between.
pub struct Between<'a> {
    first: Cow<'a, Canvas>,
    second: Cow<'a, Canvas>,
    forward: Flow,
    backward: Flow,
    /// How sure it is, 0–1, that a pixel of the first picture is seen in the second.
    seen_forward: Vec<f32>,
    /// How sure it is, 0–1, that a pixel of the second picture is seen in the first.
    seen_backward: Vec<f32>,
}

/// A motion of every pixel of the new picture, in pixels over the whole interval, and how well it is covered.
struct Carried {
    motion: Flow,
    cover: Vec<f32>,
}

/// What both pictures show along a motion.
struct Sight {
    places: [(f32, f32); 2],
    /// How sure it is that each place is seen in the other picture.
    seen: [f32; 2],
    inside: [bool; 2],
}

impl Between<'static> {
    /// As [`Between::new`], keeping the pictures.
    ///
    /// # Panics
    /// When their sizes differ: a bug of the caller.
    pub fn owning(first: Canvas, second: Canvas, settings: &FlowSettings) -> Self {
        Self::estimated(Cow::Owned(first), Cow::Owned(second), settings)
    }
}

impl<'a> Between<'a> {
    /// Estimates the flows between two pictures of one size.
    ///
    /// # Panics
    /// When their sizes differ: a bug of the caller.
    pub fn new(first: &'a Canvas, second: &'a Canvas, settings: &FlowSettings) -> Self {
        Self::estimated(Cow::Borrowed(first), Cow::Borrowed(second), settings)
    }

    /// Uses flows that are known, as from the camera: `forward` leads from the first picture to the second,
    /// `backward` from the second to the first.
    ///
    /// # Panics
    /// When the sizes differ: a bug of the caller.
    pub fn from_flows(first: &'a Canvas, second: &'a Canvas, forward: Flow, backward: Flow) -> Self {
        Self::with(Cow::Borrowed(first), Cow::Borrowed(second), forward, backward)
    }

    fn estimated(first: Cow<'a, Canvas>, second: Cow<'a, Canvas>, settings: &FlowSettings) -> Self {
        let (forward, backward) =
            rayon::join(|| flow(&first, &second, settings), || flow(&second, &first, settings));
        Self::with(first, second, forward, backward)
    }

    fn with(first: Cow<'a, Canvas>, second: Cow<'a, Canvas>, forward: Flow, backward: Flow) -> Self {
        let size = first.size();
        assert!(
            [second.size(), forward.size(), backward.size()] == [size; 3],
            "pictures and flows have one size"
        );
        let (seen_forward, seen_backward) = (closed(&forward, &backward), closed(&backward, &forward));
        Self { first, second, forward, backward, seen_forward, seen_backward }
    }

    /// The picture at time `t`, 0 is the first picture and 1 the second.
    pub fn at(&self, t: f32) -> Canvas {
        if t <= 0.0 {
            return self.first.as_ref().clone();
        }
        if t >= 1.0 {
            return self.second.as_ref().clone();
        }
        let motions = self.motions(t);
        let costs: Vec<Vec<f32>> = motions.iter().map(|m| self.costs(m, t)).collect();
        let size = self.first.size();
        let row = |y: usize| {
            let (motions, costs) = (&motions, &costs);
            (0..size.width).flat_map(move |x| {
                let i = y * size.width + x;
                let chosen = std::array::from_fn(|k| (motions[k].motion.vectors()[i], costs[k][i]));
                self.colour((x as f32, y as f32), t, chosen)
            })
        };
        Canvas::from_rgb8(size, (0..size.height).into_par_iter().flat_map_iter(row).collect())
    }

    /// The three motions of every pixel at time `t`.
    fn motions(&self, t: f32) -> [Carried; 3] {
        let (first, second) = (&self.forward, &self.backward);
        let here = |i: usize| {
            let (f, b) = (first.vectors()[i], second.vectors()[i]);
            [(1.0 - t) * f[0] - t * b[0], (1.0 - t) * f[1] - t * b[1]]
        };
        let size = first.size();
        let local = Carried {
            motion: Flow::from_vectors(size, (0..size.area()).map(here).collect()),
            cover: vec![1.0; size.area()],
        };
        let (a, b) = rayon::join(
            || carried(first, &self.seen_forward, t, 1.0, &local.motion),
            || carried(second, &self.seen_backward, 1.0 - t, -1.0, &local.motion),
        );
        [a, b, local]
    }

    /// Where a pixel's motion comes from and goes to, and what is known of these places.
    fn sight(&self, (x, y): (f32, f32), t: f32, motion: [f32; 2]) -> Sight {
        let size = self.first.size();
        let places =
            [(x - t * motion[0], y - t * motion[1]), (x + (1.0 - t) * motion[0], y + (1.0 - t) * motion[1])];
        let inside = places.map(|(x, y)| {
            x >= -0.5 && y >= -0.5 && x <= size.width as f32 - 0.5 && y <= size.height as f32 - 0.5
        });
        let seen = [
            sample_plane(&self.seen_forward, size, places[0]),
            sample_plane(&self.seen_backward, size, places[1]),
        ];
        Sight { places, seen, inside }
    }

    /// How badly the pictures agree along each pixel's motion, in grey levels, averaged over 5x5 pixels.
    fn costs(&self, carried: &Carried, t: f32) -> Vec<f32> {
        let size = self.first.size();
        let row = |y: usize| {
            (0..size.width).map(move |x| {
                let i = y * size.width + x;
                let sight = self.sight((x as f32, y as f32), t, carried.motion.vectors()[i]);
                let [a, b] =
                    [bilinear(&self.first, sight.places[0]), bilinear(&self.second, sight.places[1])];
                let difference = (0..3).map(|c| (a[c] - b[c]).abs()).sum::<f32>() / 3.0;
                let hidden = 1.0 - sight.seen[0].min(sight.seen[1]);
                let agreed = difference * (1.0 - hidden) + hidden * difference.min(HIDDEN_COST);
                let agreed = if sight.inside == [true; 2] { agreed } else { agreed.min(HIDDEN_COST) };
                if carried.cover[i] < 0.1 { UNCOVERED } else { agreed }
            })
        };
        let raw: Vec<f32> = (0..size.height).into_par_iter().flat_map_iter(row).collect();
        let smooth = box_mean(&raw, size);
        // A hole stays a hole: its neighbours must not lend it their cost.
        smooth.into_iter().zip(raw).map(|(s, r)| if r >= UNCOVERED { r } else { s }).collect()
    }

    /// The colour of a pixel: its motions blended by how well they agree.
    fn colour(&self, place: (f32, f32), t: f32, motions: [([f32; 2], f32); 3]) -> [u8; 3] {
        let best = motions.iter().map(|m| m.1).fold(f32::INFINITY, f32::min);
        let (mut sum, mut total) = ([0f32; 3], 0f32);
        let mut last: Option<([f32; 2], [f32; 3])> = None;
        for (motion, cost) in motions {
            let weight = likelihood((cost - best) / SELECTIVITY);
            if weight < 0.01 {
                continue;
            }
            // Away from edges the motions agree, and one look is enough.
            let colour = match last {
                Some((other, colour)) if (other[0] - motion[0]).hypot(other[1] - motion[1]) < SAME => colour,
                _ => self.along(place, t, motion),
            };
            last = Some((motion, colour));
            (0..3).for_each(|c| sum[c] += weight * colour[c]);
            total += weight;
        }
        sum.map(|v| (v / total + 0.5).clamp(0.0, 255.0) as u8)
    }

    /// The colour along one motion: both pictures by nearness in time, less the one where it is hidden.
    fn along(&self, place: (f32, f32), t: f32, motion: [f32; 2]) -> [f32; 3] {
        let sight = self.sight(place, t, motion);
        let floor = 1e-3;
        // What the first picture shows but the second hides must come from the first, and the reverse.
        let mut weights = [(1.0 - t) * (sight.seen[1] + floor), t * (sight.seen[0] + floor)];
        for (weight, inside) in weights.iter_mut().zip(sight.inside) {
            if !inside {
                *weight *= floor;
            }
        }
        let share = weights[1] / (weights[0] + weights[1]);
        let (a, b) = (bicubic(&self.first, sight.places[0]), bicubic(&self.second, sight.places[1]));
        std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
    }
}

#[allow(clippy::disallowed_methods, reason = "weights of pixels that are rounded to 8 bits")]
fn likelihood(distance: f32) -> f32 {
    (-distance).exp()
}

/// 1 where going there and back leads home, 0 where it ends elsewhere or outside. The tolerance grows with the
/// motion (Sundaram, Brox, Keutzer, ECCV 2010: 1 % of the squared lengths plus half a pixel²).
fn closed(there: &Flow, back: &Flow) -> Vec<f32> {
    let Size { width, height } = there.size();
    let confidence = |i: usize| {
        let [u, v] = there.vectors()[i];
        let (x, y) = ((i % width) as f32 + u, (i / width) as f32 + v);
        if x < -0.5 || y < -0.5 || x > width as f32 - 0.5 || y > height as f32 - 0.5 {
            return 0.0;
        }
        let [p, q] = back.sample(x, y);
        let gap = (u + p) * (u + p) + (v + q) * (v + q);
        let tolerance = 0.01 * (u * u + v * v + p * p + q * q) + 0.5;
        likelihood(gap / tolerance)
    };
    (0..width * height).into_par_iter().map(confidence).collect()
}

/// Carries each pixel's motion along itself by the share `t`; `sign` turns a backward flow into a motion forward
/// in time. Where several land, those seen in the other picture count far more: they are in front.
fn carried(flow: &Flow, seen: &[f32], t: f32, sign: f32, fallback: &Flow) -> Carried {
    let size = flow.size();
    let mut sums = vec![[0f32; 3]; size.area()];
    let mut cover = vec![0f32; size.area()];
    for (i, [u, v]) in flow.vectors().iter().copied().enumerate() {
        let (x, y) = ((i % size.width) as f32 + t * u, (i / size.width) as f32 + t * v);
        let strength = seen[i] * seen[i] + 1e-3;
        let (left, top) = (x.floor(), y.floor());
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (px, py) = (left + dx, top + dy);
            if px < 0.0 || py < 0.0 || px >= size.width as f32 || py >= size.height as f32 {
                continue;
            }
            let area = (1.0 - (px - x).abs()) * (1.0 - (py - y).abs());
            let at = py as usize * size.width + px as usize;
            let weight = area * strength;
            sums[at] =
                [sums[at][0] + weight * u * sign, sums[at][1] + weight * v * sign, sums[at][2] + weight];
            cover[at] += area;
        }
    }
    let motion = |i: usize| match sums[i] {
        [u, v, w] if w > 1e-6 => [u / w, v / w],
        _ => fallback.vectors()[i],
    };
    Carried { motion: Flow::from_vectors(size, (0..size.area()).map(motion).collect()), cover }
}

/// Mean over 5x5 pixels, clamped at the border.
fn box_mean(values: &[f32], size: Size) -> Vec<f32> {
    const RADIUS: usize = 2;
    let window = |at: usize, length: usize| at.saturating_sub(RADIUS)..(at + RADIUS + 1).min(length);
    let along = |y: usize| {
        (0..size.width).map(move |x| {
            let columns = window(x, size.width);
            let count = columns.len() as f32;
            columns.map(|c| values[y * size.width + c].min(HIDDEN_COST * 4.0)).sum::<f32>() / count
        })
    };
    let rows: Vec<f32> = (0..size.height).into_par_iter().flat_map_iter(along).collect();
    let down = |y: usize| {
        let rows = &rows;
        (0..size.width).map(move |x| {
            let lines = window(y, size.height);
            let count = lines.len() as f32;
            lines.map(|l| rows[l * size.width + x]).sum::<f32>() / count
        })
    };
    (0..size.height).into_par_iter().flat_map_iter(down).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(size: Size, left: usize) -> Canvas {
        let pixel = |i: usize| {
            let (x, y) = (i % size.width, i / size.width);
            let ground = (60.0 + 20.0 * (x as f32 * 0.7).sin() + 20.0 * (y as f32 * 0.9).cos()) as u8;
            let shade = 200 + ((x + 64 - left) * 5 % 17 + y % 9) as u8;
            let inside = (left..left + 16).contains(&x) && (20..36).contains(&y);
            if inside { [shade, 120, 40] } else { [ground; 3] }
        };
        Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
    }

    fn psnr(a: &Canvas, b: &Canvas) -> f64 {
        let square: f64 = a
            .as_rgb8()
            .iter()
            .zip(b.as_rgb8())
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum::<f64>()
            / a.as_rgb8().len() as f64;
        10.0 * libm::log10(255.0 * 255.0 / square.max(1e-9))
    }

    #[test]
    fn the_ends_are_the_pictures_themselves() {
        let size = Size::new(64, 56);
        let (first, second) = (square(size, 10), square(size, 20));
        let between = Between::new(&first, &second, &FlowSettings::default());
        assert_eq!(between.at(0.0), first);
        assert_eq!(between.at(1.0), second);
    }

    /// A square moves over a still ground: what it uncovers comes from the later picture. Blending reaches
    /// 21 dB here; 30 dB leaves no ghost.
    #[test]
    fn what_is_hidden_comes_from_the_picture_that_shows_it() {
        let size = Size::new(64, 56);
        let (first, truth, second) = (square(size, 16), square(size, 20), square(size, 24));
        let between = Between::new(&first, &second, &FlowSettings::default());
        let found = psnr(&between.at(0.5), &truth);
        assert!(found > 30.0, "{found}");
    }

    #[test]
    fn known_flows_can_be_given() {
        let size = Size::new(64, 56);
        let shifted = |d: usize| {
            let pixel = |i: usize| [((i % 64 + 64 - d) % 64 * 3) as u8, (i / 64 * 4) as u8, 9];
            Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
        };
        let (first, second) = (shifted(0), shifted(8));
        let flows = [8.0, -8.0].map(|d| Flow::filled(size, [d, 0.0]));
        let [forward, backward] = flows;
        let middle = Between::from_flows(&first, &second, forward, backward).at(0.25);
        assert!((12..52).all(|x| middle.pixel(x, 30) == shifted(2).pixel(x, 30)));
    }
}
