//! Easings: how much of the way has been gone after a share of the time. Formulas: CSS Easing
//! Functions Level 1 (W3C).

use crate::schedule::film::Ease;

/// Halvings of the parameter of a Bézier curve; 2^-60 is below the spacing of doubles in 0..1 that matter.
const HALVINGS: u32 = 60;

/// The share of the way at the share `x` of the time, both 0 to 1 (Bézier curves may leave that range).
pub(super) fn progress(ease: Ease, x: f64) -> f64 {
    match ease {
        Ease::Linear => x,
        Ease::Cut => 0.0,
        Ease::Bezier(points) => bezier(points, x),
        Ease::Steps { count, start, end } => steps(count, start, end, x),
    }
}

/// One coordinate of the cubic Bézier curve from 0 through `a` and `b` to 1.
fn coordinate(a: f64, b: f64, s: f64) -> f64 {
    let r = 1.0 - s;
    3.0 * r * r * s * a + 3.0 * r * s * s * b + s * s * s
}

/// y where the curve's x is `x`. x grows with the parameter since x1 and x2 lie in 0..1, so halving finds it.
fn bezier([x1, y1, x2, y2]: [f64; 4], x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if coordinate(x1, x2, middle) < x { low = middle } else { high = middle }
    }
    coordinate(y1, y2, 0.5 * (low + high))
}

fn steps(count: u32, start: bool, end: bool, x: f64) -> f64 {
    let count = f64::from(count);
    let jumps = count - 1.0 + f64::from(u8::from(start)) + f64::from(u8::from(end));
    let step = (x * count).floor() + f64::from(u8::from(start));
    if jumps <= 0.0 { 0.0 } else { (step / jumps).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bezier_of_the_diagonal_is_straight() {
        for i in 0..=10 {
            let x = f64::from(i) / 10.0;
            // The curve is solved to the last bits; 1e-12 leaves room for the evaluation itself.
            assert!((progress(Ease::Bezier([0.3, 0.3, 0.6, 0.6]), x) - x).abs() < 1e-12);
        }
    }

    #[test]
    fn ease_in_out_is_symmetric_and_flat_at_its_ends() {
        let ease = Ease::Bezier([0.42, 0.0, 0.58, 1.0]);
        for i in 0..=20 {
            let x = f64::from(i) / 20.0;
            assert!((progress(ease, x) + progress(ease, 1.0 - x) - 1.0).abs() < 1e-12);
        }
        assert!(progress(ease, 0.01) < 0.001 && progress(ease, 0.5) > 0.499);
    }

    #[test]
    fn steps_jump_at_the_end_of_each_interval() {
        let ease = Ease::Steps { count: 4, start: false, end: true };
        assert_eq!([0.0, 0.24, 0.25, 0.5, 0.99].map(|x| progress(ease, x)), [0.0, 0.0, 0.25, 0.5, 0.75]);
    }
}
