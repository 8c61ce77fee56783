//! Paths through points: centripetal Catmull-Rom splines, walked at an even speed.
//!
//! Between two points the curve is the cubic whose ends have the tangents of the non-uniform Catmull-Rom
//! spline with knots spaced by the square root of the distances (centripetal; Yuksel, Schaefer, Keyser:
//! «Parameterization and applications of Catmull-Rom curves», 2011: no cusps and no loops within a segment).
//! The ends of an open path take the tangent of the parabola through the last three points.

use std::sync::Arc;

use super::vector::{norm, numbers};
use super::{Problem, Value};

/// Chords that a segment's length is measured with. With their three-point correction the length of a
/// segment is right to about 1e-6 of itself.
const CHORDS: usize = 64;
/// Points of a path at most.
const MAX_POINTS: usize = 10_000;

/// A path.
#[derive(Debug, PartialEq)]
pub struct Spline {
    /// Coordinates of a point; 0 when points are plain numbers.
    dimension: usize,
    segments: Vec<Segment>,
    closed: bool,
    /// Length from the start to the end of each chord, and 0 in front.
    lengths: Vec<f64>,
}

/// A cubic by its power coefficients for each coordinate, over a parameter from 0 to 1.
#[derive(Debug, PartialEq)]
struct Segment(Vec<[f64; 4]>);

impl Segment {
    /// From `a` to `b` with the derivatives `da` and `db` there (Hermite).
    fn new(a: &[f64], b: &[f64], da: &[f64], db: &[f64]) -> Self {
        let cubic = |i: usize| {
            let (a, b, da, db) = (a[i], b[i], da[i], db[i]);
            [a, da, 3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db]
        };
        Self((0..a.len()).map(cubic).collect())
    }

    fn point(&self, s: f64) -> Vec<f64> {
        self.0.iter().map(|[a, b, c, d]| a + s * (b + s * (c + s * d))).collect()
    }

    fn derivative(&self, s: f64) -> Vec<f64> {
        self.0.iter().map(|[_, b, c, d]| b + s * (2.0 * c + s * 3.0 * d)).collect()
    }

    /// The length from `a` to `b`: Gauss and Legendre's rule with three points.
    fn length(&self, a: f64, b: f64) -> f64 {
        let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
        let off = half * 0.6_f64.sqrt();
        let speed = |s| norm(&self.derivative(s));
        half * (5.0 * speed(middle - off) + 8.0 * speed(middle) + 5.0 * speed(middle + off)) / 9.0
    }
}

impl Spline {
    /// The path through `points`, all of one dimension, no two neighbours equal.
    fn new(points: &[Vec<f64>], dimension: usize, closed: bool) -> Self {
        let n = points.len();
        let count = if closed { n } else { n - 1 };
        let knot = |i: usize| {
            let (a, b) = (&points[i % n], &points[(i + 1) % n]);
            norm(&difference(b, a)).sqrt()
        };
        // Slopes per knot at point i, from the knots and secants on its sides.
        let slope = |i: usize| -> Vec<f64> {
            let before = (i > 0 || closed).then(|| (i + n - 1) % n);
            let after = (i < n - 1 || closed).then_some(i);
            match (before, after) {
                (Some(before), Some(after)) if n > 2 => {
                    let (ha, hb) = (knot(before), knot(after));
                    let (a, b) = (secant(points, before, ha), secant(points, after, hb));
                    a.iter().zip(&b).map(|(a, b)| (a * hb + b * ha) / (ha + hb)).collect()
                }
                (None, Some(after)) if n > 2 => end(points, knot(after), knot(after + 1), after, after + 1),
                (Some(before), None) if n > 2 => {
                    end(points, knot(before), knot(before - 1), before, before - 1)
                }
                (Some(at), _) | (_, Some(at)) => secant(points, at, knot(at)),
                (None, None) => vec![0.0; points[0].len()],
            }
        };
        let segments: Vec<Segment> = (0..count)
            .map(|i| {
                let h = knot(i);
                let scaled = |slope: Vec<f64>| slope.into_iter().map(|v| v * h).collect::<Vec<_>>();
                let j = (i + 1) % n;
                Segment::new(&points[i], &points[j], &scaled(slope(i)), &scaled(slope(j)))
            })
            .collect();
        let mut lengths = vec![0.0];
        let mut total = 0.0;
        for segment in &segments {
            for chord in 0..CHORDS {
                let step = 1.0 / CHORDS as f64;
                total += segment.length(chord as f64 * step, (chord + 1) as f64 * step);
                lengths.push(total);
            }
        }
        Self { dimension, segments, closed, lengths }
    }

    /// The length of the whole path.
    pub fn length(&self) -> f64 {
        self.lengths.last().copied().unwrap_or(0.0)
    }

    /// The segment and its parameter at the share `x` of the length: held at the ends of an open path, going round a
    /// closed one.
    fn place(&self, x: f64) -> (&Segment, f64) {
        let x = if self.closed { x - x.floor() } else { x.clamp(0.0, 1.0) };
        let wanted = x * self.length();
        let chord =
            self.lengths.partition_point(|length| *length <= wanted).clamp(1, self.lengths.len() - 1) - 1;
        let segment = &self.segments[chord / CHORDS];
        let start = (chord % CHORDS) as f64 / CHORDS as f64;
        let (from, to) = (self.lengths[chord], self.lengths[chord + 1]);
        let share = if to > from { ((wanted - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
        let mut s = start + share / CHORDS as f64;
        // One step of Newton's takes out the chord's own unevenness.
        let speed = norm(&segment.derivative(s));
        if speed > 0.0 {
            let ahead = wanted - from - segment.length(start, s);
            s = (s + ahead / speed).clamp(start, start + 1.0 / CHORDS as f64);
        }
        (segment, s)
    }

    fn value(&self, numbers: Vec<f64>) -> Value {
        match (self.dimension, numbers.as_slice()) {
            (0, [x]) => Value::Float(*x),
            _ => super::vector::vector(numbers),
        }
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The slope of the straight line of segment `i`, which is `h` knots long.
fn secant(points: &[Vec<f64>], i: usize, h: f64) -> Vec<f64> {
    difference(&points[(i + 1) % points.len()], &points[i]).into_iter().map(|v| v / h).collect()
}

/// The slope at the outer end of the parabola through an end segment and its neighbour.
fn end(points: &[Vec<f64>], h: f64, next: f64, at: usize, beside: usize) -> Vec<f64> {
    let (a, b) = (secant(points, at, h), secant(points, beside, next));
    a.iter().zip(&b).map(|(a, b)| a + (a - b) * h / (h + next)).collect()
}

/// `spline(closed, first, second, ...)`
pub(super) fn through(values: &[Value]) -> Result<Value, Problem> {
    let [closed, points @ ..] = values else { return Err(Problem::new("expected points in `spline`")) };
    let closed = match closed.as_f64() {
        Some(closed) => closed != 0.0,
        None => {
            return Err(Problem::new(format!("expected `closed=1` or `closed=0`, found {}", closed.kind())));
        }
    };
    if points.len() > MAX_POINTS {
        return Err(Problem::new(format!("expected at most {MAX_POINTS} points in `spline`")));
    }
    let dimension = points[0].as_list().map_or(0, <[Value]>::len);
    let read = |(i, point): (usize, &Value)| {
        let found = match point {
            Value::List(items) if items.len() == dimension && dimension > 0 => numbers("spline", point)?,
            other if dimension == 0 && other.as_f64().is_some() => other.as_f64().into_iter().collect(),
            other => {
                let found = match other {
                    Value::List(items) => format!("a vector of {}", items.len()),
                    other => other.kind().to_owned(),
                };
                let wanted =
                    if dimension == 0 { "a number".to_owned() } else { format!("a vector of {dimension}") };
                return Err(Problem::new(format!(
                    "expected points of one kind in `spline`: point {} is {found}, the first is {wanted}",
                    i + 1
                )));
            }
        };
        match found.iter().all(|v| v.is_finite() && v.abs() <= 1e100) {
            true => Ok(found),
            false => Err(Problem::new(format!("expected finite numbers in point {} of `spline`", i + 1))),
        }
    };
    let points = points.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let n = points.len();
    let pairs = if closed { n } else { n - 1 };
    if let Some(i) = (0..pairs).find(|i| points[*i] == points[(i + 1) % n]) {
        let (a, b) = (i + 1, (i + 1) % n + 1);
        let found = Problem::new(format!("points {a} and {b} of `spline` are at one place"));
        return Err(match closed && b == 1 {
            true => found.hint("`closed=1` leads back to the first point by itself: leave the last one out"),
            false => found.hint("leave one of them out"),
        });
    }
    Ok(Value::Spline(Arc::new(Spline::new(&points, dimension, closed))))
}

fn receiver<'a>(name: &str, values: &'a [Value]) -> Result<(&'a Spline, f64), Problem> {
    let [path, x] = values else { return Err(Problem::new(format!("expected one argument in `.{name}`"))) };
    let Value::Spline(path) = path else {
        return Err(Problem::new(format!("expected a spline before `.{name}`, found {}", path.kind()))
            .hint("bind one: `let path = spline([0, 0, 0], [2, 0, 5])`"));
    };
    let x = x.as_f64().filter(|x| x.is_finite()).ok_or_else(|| {
        Problem::new(format!("expected a finite share of the path in `.{name}`, found {}", x.kind()))
    })?;
    Ok((path, x))
}

/// `path.at(x)`
pub(super) fn at(values: &[Value]) -> Result<Value, Problem> {
    let (path, x) = receiver("at", values)?;
    let (segment, s) = path.place(x);
    Ok(path.value(segment.point(s)))
}

/// `path.tangent(x)`
pub(super) fn tangent(values: &[Value]) -> Result<Value, Problem> {
    let (path, x) = receiver("tangent", values)?;
    let (segment, s) = path.place(x);
    let direction = segment.derivative(s);
    let length = norm(&direction);
    if length > 0.0 {
        return Ok(path.value(direction.into_iter().map(|v| v / length).collect()));
    }
    Err(Problem::new("the path stands still here and has no direction"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spline(points: &[[f64; 3]], closed: bool) -> Spline {
        Spline::new(&points.iter().map(|p| p.to_vec()).collect::<Vec<_>>(), 3, closed)
    }

    fn point(path: &Spline, x: f64) -> Vec<f64> {
        let (segment, s) = path.place(x);
        segment.point(s)
    }

    #[test]
    fn a_straight_path_is_walked_evenly_whatever_its_points() {
        let path = spline(&[[0.0; 3], [1.0, 0.0, 0.0], [8.0, 0.0, 0.0], [10.0, 0.0, 0.0]], false);
        assert!((path.length() - 10.0).abs() < 1e-6);
        for i in 0..=20 {
            let x = f64::from(i) / 20.0;
            assert!((point(&path, x)[0] - 10.0 * x).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn a_closed_path_comes_back_and_goes_round() {
        let path = spline(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], true);
        for (a, b) in [(0.0, 1.0), (0.25, 1.25), (-0.5, 0.5)] {
            let off = norm(&difference(&point(&path, a), &point(&path, b)));
            assert!(off < 1e-9, "{a} {b}: {off}");
        }
        // Symmetric points: each quarter of the length is a quarter of the way.
        assert!(norm(&difference(&point(&path, 0.25), &[0.0, 1.0, 0.0])) < 1e-6);
        // It closes without a corner.
        let (first, s) = path.place(0.0);
        let (last, e) = path.place(1.0 - 1e-9);
        let (a, b) = (first.derivative(s), last.derivative(e));
        let cos = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / norm(&a) / norm(&b);
        assert!(cos > 1.0 - 1e-6);
    }

    proptest! {
        #[test]
        fn it_goes_through_its_points_at_an_even_speed(points in prop::collection::vec(
            prop::array::uniform3(-5.0..5.0f64), 2..7), closed: bool) {
            let apart = |a: &[f64; 3], b: &[f64; 3]| norm(&difference(a, b)) > 0.3;
            prop_assume!(points.windows(2).all(|p| apart(&p[0], &p[1])));
            prop_assume!(apart(&points[0], &points[points.len() - 1]));
            let path = spline(&points, closed);
            for (i, wanted) in points.iter().enumerate() {
                let x = path.lengths[(i * CHORDS).min(path.lengths.len() - 1)] / path.length();
                prop_assert!(norm(&difference(&point(&path, x), wanted)) < 1e-4);
            }
            // Steps of a thousandth are chords of the way, and so no longer than it; sharp bends cut them.
            let step = path.length() / 1000.0;
            for i in 0..1000 {
                let x = f64::from(i) / 1000.0;
                let chord = norm(&difference(&point(&path, x), &point(&path, x + 1e-3)));
                prop_assert!(chord <= step * 1.001, "{} of {step}", chord);
            }
        }
    }
}
