//! The motion of a whole picture as one plane, fitted to the motion of its places: RANSAC (Fischler and Bolles 1981)
//! finds the largest set of places that move together, least squares fit the motion to them.

use crate::camera::flow::Flow;
use crate::canvas::Size;

/// A place and where it has gone, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    pub from: [f64; 2],
    pub to: [f64; 2],
}

/// A projective map of homogeneous places, row by row; the last number is 1.
pub(super) type Matrix = [f64; 9];

/// Places that are off by less move with the plane: OpenCV's `findHomography(..., 5.0)` in the peer.
const REACH: f64 = 5.0;

/// Draws. With half of the places on the plane, four of them all are in one draw of sixteen: that 200 draws miss has a
/// chance of 1 in 400,000.
const DRAWS: u64 = 200;

/// Fewer matches say nothing of a motion: the peer's limit.
const FEWEST: usize = 9;

/// Shift, turn and scale; `None` when too few places move together.
pub(super) fn similarity(matches: &[Match]) -> Option<Matrix> {
    fitted(matches, 2, similar)
}

/// As a plane is seen from another side; `None` when too few places move together.
pub(super) fn homography(matches: &[Match]) -> Option<Matrix> {
    fitted(matches, 4, projective)
}

/// The map that most matches agree with, fitted to all of those.
fn fitted(matches: &[Match], needed: usize, fit: fn(&[Match]) -> Option<Matrix>) -> Option<Matrix> {
    if matches.len() < FEWEST {
        return None;
    }
    let agree = |map: &Matrix| -> Vec<Match> {
        matches.iter().filter(|found| off(map, found) < REACH * REACH).copied().collect()
    };
    let mut best: Vec<Match> = Vec::new();
    for draw in 0..DRAWS {
        let sample: Vec<Match> = (0..needed as u64)
            .map(|k| matches[(hash(draw * needed as u64 + k) % matches.len() as u64) as usize])
            .collect();
        let Some(map) = fit(&sample) else { continue };
        let inside = agree(&map);
        if inside.len() > best.len() {
            best = inside;
        }
    }
    if best.len() < FEWEST {
        return None;
    }
    // The fit moves, and with it who agrees.
    let map = fit(&best)?;
    fit(&agree(&map)).or(Some(map))
}

/// Squared distance, in pixels, of where a map takes a place from where it was found.
fn off(map: &Matrix, found: &Match) -> f64 {
    let to = apply(map, found.from);
    let miss = (to[0] - found.to[0]).powi(2) + (to[1] - found.to[1]).powi(2);
    // A place at infinity is far away.
    if miss.is_finite() { miss } else { f64::INFINITY }
}

fn apply(map: &Matrix, [x, y]: [f64; 2]) -> [f64; 2] {
    let row = |r: usize| map[3 * r] * x + map[3 * r + 1] * y + map[3 * r + 2];
    let w = row(2);
    [row(0) / w, row(1) / w]
}

/// Vigna's splitmix64: which matches are drawn is the same for ever.
fn hash(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Least squares of `x' = a x - b y + c`, `y' = b x + a y + d`, about the centres (Umeyama 1991 without weights).
fn similar(matches: &[Match]) -> Option<Matrix> {
    let n = matches.len() as f64;
    let mean = |of: fn(&Match) -> [f64; 2]| {
        let sum = matches.iter().fold([0.0; 2], |[x, y], found| [x + of(found)[0], y + of(found)[1]]);
        sum.map(|sum| sum / n)
    };
    let (p, q) = (mean(|found| found.from), mean(|found| found.to));
    let (mut spread, mut same, mut turned) = (0.0, 0.0, 0.0);
    for Match { from, to } in matches {
        let ([x, y], [u, v]) = ([from[0] - p[0], from[1] - p[1]], [to[0] - q[0], to[1] - q[1]]);
        spread += x * x + y * y;
        same += x * u + y * v;
        turned += x * v - y * u;
    }
    if spread < 1e-9 {
        return None;
    }
    let (a, b) = (same / spread, turned / spread);
    if a * a + b * b < 1e-12 {
        return None;
    }
    Some([a, -b, q[0] - a * p[0] + b * p[1], b, a, q[1] - b * p[0] - a * p[1], 0.0, 0.0, 1.0])
}

/// Least squares of the eight numbers of a homography, by normal equations about the centres (Hartley's
/// normalisation, 1997).
fn projective(matches: &[Match]) -> Option<Matrix> {
    let (from, to) = (centred(matches, |found| found.from)?, centred(matches, |found| found.to)?);
    let (mut square, mut right) = ([[0.0; 8]; 8], [0.0; 8]);
    for found in matches {
        let ([x, y], [u, v]) = (from.of(found.from), to.of(found.to));
        for (row, value) in
            [([x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], u), ([0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y], v)]
        {
            for i in 0..8 {
                right[i] += row[i] * value;
                for j in 0..8 {
                    square[i][j] += row[i] * row[j];
                }
            }
        }
    }
    let h = solved(square, right)?;
    let h = [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1.0];
    let map = product(&to.back(), &product(&h, &from.there()));
    (map[8].abs() > 1e-12).then(|| map.map(|value| value / map[8]))
}

/// Places moved to their centre and scaled to a mean distance of √2.
struct Centred {
    middle: [f64; 2],
    scale: f64,
}

fn centred(matches: &[Match], of: fn(&Match) -> [f64; 2]) -> Option<Centred> {
    let n = matches.len() as f64;
    let sum = matches.iter().fold([0.0; 2], |[x, y], found| [x + of(found)[0], y + of(found)[1]]);
    let middle = sum.map(|sum| sum / n);
    let far = |found: &Match| {
        let [x, y] = of(found);
        ((x - middle[0]).powi(2) + (y - middle[1]).powi(2)).sqrt()
    };
    let mean = matches.iter().map(far).sum::<f64>() / n;
    (mean > 1e-9).then(|| Centred { middle, scale: std::f64::consts::SQRT_2 / mean })
}

impl Centred {
    fn of(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.middle[0]) * self.scale, (y - self.middle[1]) * self.scale]
    }

    fn there(&self) -> Matrix {
        let (s, [x, y]) = (self.scale, self.middle);
        [s, 0.0, -s * x, 0.0, s, -s * y, 0.0, 0.0, 1.0]
    }

    fn back(&self) -> Matrix {
        let (s, [x, y]) = (1.0 / self.scale, self.middle);
        [s, 0.0, x, 0.0, s, y, 0.0, 0.0, 1.0]
    }
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|at| (0..3).map(|k| a[at / 3 * 3 + k] * b[k * 3 + at % 3]).sum())
}

/// Gauss with the largest pivot; `None` when the equations do not determine the numbers.
fn solved(mut square: [[f64; 8]; 8], mut right: [f64; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let size = |row: &usize| square[*row][column].abs();
        let pivot = (column..8).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        if square[pivot][column].abs() < 1e-9 {
            return None;
        }
        square.swap(pivot, column);
        right.swap(pivot, column);
        for row in column + 1..8 {
            let factor = square[row][column] / square[column][column];
            let above = square[column];
            for (value, above) in square[row].iter_mut().zip(above).skip(column) {
                *value -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..8).rev() {
        let known: f64 = (row + 1..8).map(|k| square[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / square[row][row];
    }
    Some(right)
}

/// The inverse; `None` when the map folds the plane.
fn inverse(m: &Matrix) -> Option<Matrix> {
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
    let adjugate = [
        minor(4, 5, 7, 8),
        -minor(1, 2, 7, 8),
        minor(1, 2, 4, 5),
        -minor(3, 5, 6, 8),
        minor(0, 2, 6, 8),
        -minor(0, 2, 3, 5),
        minor(3, 4, 6, 7),
        -minor(0, 1, 6, 7),
        minor(0, 1, 3, 4),
    ];
    let determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
    (determinant.abs() > 1e-12).then(|| adjugate.map(|value| value / determinant))
}

/// The flow along which [`crate::camera::flow::apply`] moves a picture as the map does; none for a map that folds the
/// plane. No place goes farther than the picture is large: beyond is nothing but its mirror image.
pub(super) fn field(size: Size, map: Matrix) -> Flow {
    let back = inverse(&map).unwrap_or([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    let limit = (size.width + size.height) as f64;
    let vector = |at: usize| {
        let place = [(at % size.width) as f64, (at / size.width) as f64];
        let from = apply(&back, place);
        [0, 1].map(|axis| {
            let way = place[axis] - from[axis];
            if way.is_finite() { way.clamp(-limit, limit) as f32 } else { 0.0 }
        })
    };
    Flow::new(size, (0..size.area()).map(vector).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(map: &Matrix) -> Vec<Match> {
        let places = (0..12).flat_map(|y| (0..16).map(move |x| [f64::from(x) * 16.0, f64::from(y) * 16.0]));
        places.map(|from| Match { from, to: apply(map, from) }).collect()
    }

    /// Every third match goes somewhere else.
    fn spoiled(mut matches: Vec<Match>) -> Vec<Match> {
        for (at, found) in matches.iter_mut().enumerate().filter(|(at, _)| at % 3 == 0) {
            found.to = [(hash(at as u64) % 256) as f64, (hash(at as u64 + 999) % 192) as f64];
        }
        matches
    }

    fn worst(found: &Matrix, truth: &Matrix) -> f64 {
        grid(truth).iter().map(|place| off(found, place).sqrt()).fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn motion_is_found_among_wrong_matches(
            zoom in 0.8_f64..1.25, turn in -0.3_f64..0.3, x in -30.0_f64..30.0, y in -30.0_f64..30.0,
            tilt in -0.0005_f64..0.0005
        ) {
            let (a, b) = (zoom * libm::cos(turn), zoom * libm::sin(turn));
            let plain = [a, -b, x, b, a, y, 0.0, 0.0, 1.0];
            let found = similarity(&spoiled(grid(&plain))).unwrap();
            prop_assert!(worst(&found, &plain) < 0.5, "{found:?}");
            let tilted = [a, -b, x, b, a, y, tilt, -tilt / 2.0, 1.0];
            let found = homography(&spoiled(grid(&tilted))).unwrap();
            prop_assert!(worst(&found, &tilted) < 1.0, "{found:?}");
        }

        #[test]
        fn any_matches_give_a_flow_or_nothing(numbers in prop::collection::vec(-1e6_f64..1e6, 0..80)) {
            let matches: Vec<Match> = numbers
                .as_chunks::<4>()
                .0
                .iter()
                .map(|[a, b, c, d]| Match { from: [*a, *b], to: [*c, *d] })
                .collect();
            for map in [similarity(&matches), homography(&matches)].into_iter().flatten() {
                let flow = field(Size::new(8, 6), map);
                prop_assert!(flow.vectors().iter().flatten().all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn the_flow_of_a_shift_is_the_shift() {
        let flow = field(Size::new(5, 4), [1.0, 0.0, 3.0, 0.0, 1.0, -2.0, 0.0, 0.0, 1.0]);
        assert!(flow.vectors().iter().all(|vector| *vector == [3.0, -2.0]));
        assert!(similarity(&[]).is_none());
    }
}
