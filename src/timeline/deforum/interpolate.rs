//! Fills the empty frames of a series: straight lines as numpy's `interp`, or interpolating splines with
//! not-a-knot ends as SciPy's `make_interp_spline` (de Boor, *A Practical Guide to Splines*, 1978,
//! chapters IX and XIII). pandas hands the work to these two.

/// How empty frames are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Straight lines; what every settings file gets.
    Linear,
    /// Splines of degree 2.
    Quadratic,
    /// Splines of degree 3.
    Cubic,
}

impl Method {
    /// The method Deforum really uses for a schedule of so many keys.
    #[must_use]
    pub fn for_keys(self, keys: usize) -> Self {
        let cubic_to_quadratic = if self == Self::Cubic && keys <= 3 { Self::Quadratic } else { self };
        if cubic_to_quadratic == Self::Quadratic && keys <= 2 { Self::Linear } else { cubic_to_quadratic }
    }
}

/// Replaces every NaN of `series` that lies between two numbers.
///
/// # Errors
/// Splines need more numbers than their degree, and no infinite ones.
pub fn fill(series: &mut [f64], method: Method) -> Result<(), String> {
    if !series.iter().any(|v| v.is_nan()) {
        return Ok(());
    }
    match method {
        Method::Linear => linear(series),
        Method::Quadratic => spline(series, 2)?,
        Method::Cubic => spline(series, 3)?,
    }
    Ok(())
}

fn linear(series: &mut [f64]) {
    let mut left: Option<usize> = None;
    for right in 0..series.len() {
        if series[right].is_nan() {
            continue;
        }
        if let Some(left) = left.filter(|&l| l + 1 < right) {
            let (a, b) = (series[left], series[right]);
            let slope = (b - a) / (right - left) as f64;
            for i in left + 1..right {
                series[i] = on_line(a, b, slope, (i - left) as f64, (i as f64) - right as f64);
            }
        }
        left = Some(right);
    }
}

/// With an infinite end the line from the left is NaN; then it is drawn from the right.
fn on_line(a: f64, b: f64, slope: f64, from_left: f64, from_right: f64) -> f64 {
    let value = slope * from_left + a;
    if !value.is_nan() {
        return value;
    }
    let value = slope * from_right + b;
    if value.is_nan() && a == b { a } else { value }
}

fn spline(series: &mut [f64], degree: usize) -> Result<(), String> {
    let (x, y): (Vec<f64>, Vec<f64>) =
        series.iter().enumerate().filter(|(_, v)| !v.is_nan()).map(|(i, v)| (i as f64, *v)).unzip();
    if x.len() <= degree {
        return Err(format!(
            "expected more than {degree} values for a curve of degree {degree}, found {}",
            x.len()
        ));
    }
    if y.iter().any(|v| v.is_infinite()) {
        return Err("expected finite values for a curve, found an infinite one".into());
    }
    let knots = not_a_knot(&x, degree);
    let weights = solve(&x, y, &knots, degree);
    for (i, slot) in series.iter_mut().enumerate().filter(|(_, v)| v.is_nan()) {
        let at = i as f64;
        let span = interval(&knots, degree, at);
        let basis = basis(&knots, degree, span, at);
        *slot = (0..=degree).map(|j| basis[j] * weights[span - degree + j]).sum();
    }
    Ok(())
}

/// Knots at the points for odd degrees, between them for even ones; those next to the ends are left out,
/// the ends are repeated.
fn not_a_knot(x: &[f64], degree: usize) -> Vec<f64> {
    let skip = if degree % 2 == 1 { degree.div_ceil(2) } else { degree / 2 };
    let inner: Vec<f64> =
        if degree % 2 == 1 { x.to_vec() } else { x.windows(2).map(|w| (w[0] + w[1]) / 2.0).collect() };
    let mut knots = vec![x[0]; degree + 1];
    knots.extend_from_slice(&inner[skip..inner.len() - skip]);
    knots.extend(std::iter::repeat_n(x[x.len() - 1], degree + 1));
    knots
}

/// The `span` with `knots[span] <= at < knots[span + 1]`, the last one for the right end.
fn interval(knots: &[f64], degree: usize, at: f64) -> usize {
    let count = knots.len() - degree - 1;
    knots.partition_point(|&k| k <= at).clamp(degree + 1, count) - 1
}

/// The B-splines that are not zero in `span`, by de Boor's recurrence.
fn basis(knots: &[f64], degree: usize, span: usize, at: f64) -> [f64; 4] {
    let mut values = [0.0; 4];
    values[0] = 1.0;
    for d in 1..=degree {
        let mut saved = 0.0;
        for r in 0..d {
            let (right, left) = (knots[span + r + 1], knots[span + r + 1 - d]);
            let term = values[r] / (right - left);
            values[r] = saved + (right - at) * term;
            saved = (at - left) * term;
        }
        values[d] = saved;
    }
    values
}

/// The weights of the spline through (x, y). The matrix has `degree` diagonals on each side and is
/// totally positive, so elimination needs no pivots (de Boor, chapter XIII).
fn solve(x: &[f64], mut y: Vec<f64>, knots: &[f64], degree: usize) -> Vec<f64> {
    let (n, width) = (x.len(), 2 * degree + 1);
    // rows[i][j] is the entry of column i + j - degree.
    let mut rows = vec![[0.0; 7]; n];
    for (i, &at) in x.iter().enumerate() {
        let span = interval(knots, degree, at);
        for (j, v) in basis(knots, degree, span, at).into_iter().take(degree + 1).enumerate() {
            let column = span - degree + j;
            if (i.saturating_sub(degree)..=i + degree).contains(&column) {
                rows[i][column + degree - i] = v;
            }
        }
    }
    for pivot in 0..n {
        for row in pivot + 1..n.min(pivot + degree + 1) {
            let factor = rows[row][pivot + degree - row] / rows[pivot][degree];
            for column in pivot..n.min(pivot + degree + 1) {
                let above = rows[pivot][column + degree - pivot];
                let place = column + degree - row;
                if place < width {
                    rows[row][place] -= factor * above;
                }
            }
            y[row] -= factor * y[pivot];
        }
    }
    for i in (0..n).rev() {
        for column in i + 1..n.min(i + degree + 1) {
            y[i] -= rows[i][column + degree - i] * y[column];
        }
        y[i] /= rows[i][degree];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[test]
    fn a_cubic_is_reproduced_by_the_cubic_spline_and_a_parabola_by_the_quadratic_one() {
        // 1e-9: a few hundred roundings of values up to 30,000.
        for (method, f) in [
            (Method::Cubic, (|x: f64| x * x * x - 5.0 * x) as fn(f64) -> f64),
            (Method::Quadratic, |x| 2.0 * x * x - x),
        ] {
            let mut series: Vec<f64> = (0..32)
                .map(|i| if [0, 4, 5, 13, 22, 31].contains(&i) { f(f64::from(i)) } else { GAP })
                .collect();
            fill(&mut series, method).unwrap();
            for (i, v) in series.iter().enumerate() {
                assert!((v - f(i as f64)).abs() < 1e-9, "{method:?} at {i}: {v}");
            }
        }
    }

    #[test]
    fn lines_reach_infinity_from_the_finite_side() {
        let mut series = [f64::NEG_INFINITY, GAP, 5.0, GAP, f64::INFINITY, GAP, f64::INFINITY];
        fill(&mut series, Method::Linear).unwrap();
        assert_eq!(series[1], f64::NEG_INFINITY);
        assert_eq!(series[3], f64::INFINITY);
        assert_eq!(series[5], f64::INFINITY);
    }

    #[test]
    fn curves_need_points() {
        assert!(fill(&mut [1.0, GAP, 2.0], Method::Quadratic).is_err());
        assert!(fill(&mut [1.0, GAP, 2.0, f64::INFINITY], Method::Quadratic).is_err());
    }
}
