//! The inverse search of patches, and the field that they vote for.

use rayon::prelude::*;

use super::pyramid::{gradient, sample};
use super::{Flow, FlowSettings};
use crate::canvas::{Plane, Size};

/// Side of a patch in pixels, where the picture is large enough.
const PATCH: usize = 8;
/// A step below this many pixels ends a search.
const STILL: f32 = 0.01;
/// A Hessian flatter than this has no direction to search in (grey levels² over a patch).
const FLAT: f32 = 1e-3;

/// Patches on a regular grid; the last row and column touch the border.
struct Layout {
    side: usize,
    columns: Vec<usize>,
    rows: Vec<usize>,
}

impl Layout {
    fn new(size: Size, stride: usize) -> Self {
        let side = PATCH.min(size.width).min(size.height);
        let places = |length: usize| {
            let last = length - side;
            // Never wider than a patch: no pixel may be left without one.
            let inner = (0..last).step_by(stride.clamp(1, side));
            inner.chain([last]).collect::<Vec<_>>()
        };
        Self { side, columns: places(size.width), rows: places(size.height) }
    }

    fn len(&self) -> usize {
        self.columns.len() * self.rows.len()
    }

    /// Top-left corner of patch `i`.
    fn corner(&self, i: usize) -> (usize, usize) {
        (self.columns[i % self.columns.len()], self.rows[i / self.columns.len()])
    }

    /// The patches left, right, above and below.
    fn neighbours(&self, i: usize) -> impl Iterator<Item = usize> {
        let (width, height) = (self.columns.len(), self.rows.len());
        let (x, y) = (i % width, i / width);
        let candidates = [
            (x > 0).then(|| i - 1),
            (x + 1 < width).then_some(i + 1),
            (y > 0).then(|| i.saturating_sub(width)),
            (y + 1 < height).then_some(i + width),
        ];
        candidates.into_iter().flatten()
    }
}

/// The two pictures and what the inverse search needs of the first.
struct Pair<'a> {
    first: &'a Plane,
    second: &'a Plane,
    dx: Plane,
    dy: Plane,
    side: usize,
}

/// A patch of the first picture with its mean and inverse Hessian.
struct Template {
    corner: (usize, usize),
    /// Value, derivative along x and y of each pixel.
    pixels: Vec<[f32; 3]>,
    mean: f32,
    slope: [f32; 2],
    inverse: Option<[f32; 3]>,
}

impl Pair<'_> {
    fn template(&self, corner: (usize, usize)) -> Template {
        let width = self.first.size().width;
        let mut pixels = Vec::with_capacity(self.side * self.side);
        for y in corner.1..corner.1 + self.side {
            for at in y * width + corner.0..y * width + corner.0 + self.side {
                pixels.push([self.first.values()[at], self.dx.values()[at], self.dy.values()[at]]);
            }
        }
        let count = pixels.len() as f32;
        let sum = |f: &dyn Fn(&[f32; 3]) -> f32| pixels.iter().map(f).sum::<f32>();
        let (mean, sx, sy) = (sum(&|p| p[0]) / count, sum(&|p| p[1]), sum(&|p| p[2]));
        // The patch's mean is free, so the derivatives count without theirs.
        let xx = sum(&|p| p[1] * p[1]) - sx * sx / count;
        let xy = sum(&|p| p[1] * p[2]) - sx * sy / count;
        let yy = sum(&|p| p[2] * p[2]) - sy * sy / count;
        let det = xx * yy - xy * xy;
        let inverse = (det > FLAT * (xx + yy).max(1.0)).then(|| [yy / det, -xy / det, xx / det]);
        Template { corner, pixels, mean, slope: [sx / count, sy / count], inverse }
    }

    /// The patch of the second picture at `vector`, into `out`; returns its mean.
    fn fetch(&self, template: &Template, vector: [f32; 2], out: &mut Vec<f32>) -> f32 {
        out.clear();
        let (left, top) = (template.corner.0 as f32 + vector[0], template.corner.1 as f32 + vector[1]);
        let size = self.second.size();
        let reach = self.side as f32;
        if left >= 0.0 && top >= 0.0 && left + reach < size.width as f32 && top + reach < size.height as f32 {
            self.fetch_inside(left, top, out);
        } else {
            let places = (0..self.side).flat_map(|y| (0..self.side).map(move |x| (x as f32, y as f32)));
            out.extend(places.map(|(x, y)| sample(self.second, left + x, top + y)));
        }
        out.iter().sum::<f32>() / out.len() as f32
    }

    /// A patch that lies within the picture: all its pixels share the same four weights.
    fn fetch_inside(&self, left: f32, top: f32, out: &mut Vec<f32>) {
        let width = self.second.size().width;
        let (fx, fy) = (left.fract(), top.fract());
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        for y in top as usize..top as usize + self.side {
            let at = y * width + left as usize;
            let upper = &self.second.values()[at..at + self.side + 1];
            let lower = &self.second.values()[at + width..at + width + self.side + 1];
            out.extend((0..self.side).map(|x| {
                weights[0] * upper[x]
                    + weights[1] * upper[x + 1]
                    + weights[2] * lower[x]
                    + weights[3] * lower[x + 1]
            }));
        }
    }

    /// Sum of squared differences without the means.
    fn cost(&self, template: &Template, vector: [f32; 2], scratch: &mut Vec<f32>) -> f32 {
        let mean = self.fetch(template, vector, scratch);
        let shift = mean - template.mean;
        scratch.iter().zip(&template.pixels).map(|(a, p)| (a - p[0] - shift) * (a - p[0] - shift)).sum()
    }

    /// Gauss-Newton from `start`; a search that runs off by more than a patch, or gets worse, is undone.
    fn descend(
        &self,
        template: &Template,
        start: [f32; 2],
        steps: usize,
        scratch: &mut Vec<f32>,
    ) -> [f32; 2] {
        let Some(inverse) = template.inverse else { return start };
        let mut vector = start;
        for _ in 0..steps {
            let shift = self.fetch(template, vector, scratch) - template.mean;
            let (mut bx, mut by) = (0.0, 0.0);
            for (value, p) in scratch.iter().zip(&template.pixels) {
                let error = value - p[0] - shift;
                bx += error * (p[1] - template.slope[0]);
                by += error * (p[2] - template.slope[1]);
            }
            let step = [inverse[0] * bx + inverse[1] * by, inverse[1] * bx + inverse[2] * by];
            vector = [vector[0] - step[0], vector[1] - step[1]];
            let far = (vector[0] - start[0]).hypot(vector[1] - start[1]);
            if far > self.side as f32 || !far.is_finite() {
                return start;
            }
            if step[0].hypot(step[1]) < STILL {
                break;
            }
        }
        if self.cost(template, vector, scratch) <= self.cost(template, start, scratch) {
            vector
        } else {
            start
        }
    }
}

/// A dense field from patch searches that begin at `start`.
pub(super) fn search(first: &Plane, second: &Plane, start: &Flow, settings: &FlowSettings) -> Flow {
    let layout = Layout::new(first.size(), settings.stride);
    let (dx, dy) = gradient(first);
    let pair = Pair { first, second, dx, dy, side: layout.side };
    let centre = (layout.side as f32 - 1.0) * 0.5;
    let mut vectors: Vec<[f32; 2]> = (0..layout.len())
        .into_par_iter()
        .map(|i| {
            let corner = layout.corner(i);
            let guess = start.sample(corner.0 as f32 + centre, corner.1 as f32 + centre);
            let template = pair.template(corner);
            pair.descend(&template, guess, settings.iterations, &mut Vec::new())
        })
        .collect();
    // Two rounds: a good vector travels two patches, which at the coarsest level is far.
    for _ in 0..2 {
        vectors = propagate(&pair, &layout, &vectors, settings);
    }
    densify(&pair, &layout, &vectors)
}

/// Every patch tries its neighbours' vectors of the round before and searches on from a better one.
fn propagate(
    pair: &Pair<'_>,
    layout: &Layout,
    vectors: &[[f32; 2]],
    settings: &FlowSettings,
) -> Vec<[f32; 2]> {
    let improved = |i: usize| {
        let template = pair.template(layout.corner(i));
        let mut scratch = Vec::new();
        let own = vectors[i];
        let own_cost = pair.cost(&template, own, &mut scratch);
        let mut best = (own_cost, own);
        for neighbour in layout.neighbours(i).map(|n| vectors[n]) {
            if (neighbour[0] - own[0]).hypot(neighbour[1] - own[1]) < 0.1 {
                continue;
            }
            let cost = pair.cost(&template, neighbour, &mut scratch);
            if cost < best.0 {
                best = (cost, neighbour);
            }
        }
        if best.1 == own {
            own
        } else {
            pair.descend(&template, best.1, settings.iterations / 2, &mut scratch)
        }
    };
    (0..layout.len()).into_par_iter().map(improved).collect()
}

/// Each pixel is the mean of the vectors of the patches over it, those that fit it better counting more:
/// weight 1 / max(1, |difference|).
fn densify(pair: &Pair<'_>, layout: &Layout, vectors: &[[f32; 2]]) -> Flow {
    let size = pair.first.size();
    let over = |places: &[usize], at: usize| {
        let end = places.partition_point(|p| *p <= at);
        let begin = places.partition_point(|p| p + layout.side <= at);
        begin..end
    };
    let columns: Vec<_> = (0..size.width).map(|x| over(&layout.columns, x)).collect();
    let row = |y: usize| {
        let rows = over(&layout.rows, y);
        let columns = &columns;
        (0..size.width).map(move |x| {
            let value = pair.first.values()[y * size.width + x];
            let (mut sum, mut total) = ([0f32; 2], 0f32);
            for patch_row in rows.clone() {
                for patch_column in columns[x].clone() {
                    let vector = vectors[patch_row * layout.columns.len() + patch_column];
                    let there = sample(pair.second, x as f32 + vector[0], y as f32 + vector[1]);
                    let weight = 1.0 / (there - value).abs().max(1.0);
                    sum = [sum[0] + weight * vector[0], sum[1] + weight * vector[1]];
                    total += weight;
                }
            }
            [sum[0] / total, sum[1] / total]
        })
    };
    Flow { size, vectors: (0..size.height).into_par_iter().flat_map_iter(row).collect() }
}
