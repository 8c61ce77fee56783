//! Easings: how much of the way has been gone after a share of the time. Formulas: CSS Easing
//! Functions Level 1 (W3C) and Robert Penner's (2002), the latter in the form of easings.net.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::schedule::ease::{Family, Side};
use crate::schedule::film::Ease;

/// Steps that the search for a Bézier curve's parameter may take. Newton needs a handful; halving, which
/// catches it where the curve is flat, needs 60 for the last bit.
const SEARCH: u32 = 60;
/// Penner's overshoot of a tenth of the way, and what makes it a tenth when both ends swing.
const OVERSHOOT: f64 = 1.70158;
const OVERSHOOT_BOTH: f64 = OVERSHOOT * 1.525;

/// The share of the way at the share `x` of the time, 0 to 1. It begins at 0 and ends at 1; Bézier curves,
/// `back` and `elastic` may leave that range in between. Curves that depend on other keys, and blends, count
/// as straight here.
pub(super) fn progress(ease: Ease, x: f64) -> f64 {
    if x >= 1.0 {
        return 1.0;
    }
    match ease {
        Ease::Linear | Ease::Blend | Ease::Monotone | Ease::CatmullRom => x,
        Ease::Cut => 0.0,
        Ease::Bezier(points) => bezier(points, x),
        Ease::Steps { count, start, end } => steps(count, start, end, x),
        Ease::Curve(..) if x <= 0.0 => 0.0,
        Ease::Curve(family, Side::In) => family_in(family, x),
        Ease::Curve(family, Side::Out) => 1.0 - family_in(family, 1.0 - x),
        Ease::Curve(family, Side::InOut) if x < 0.5 => first_half(family, 2.0 * x) / 2.0,
        Ease::Curve(family, Side::InOut) => 1.0 - first_half(family, 2.0 - 2.0 * x) / 2.0,
    }
}

/// The family's curve that is slow at its beginning.
fn family_in(family: Family, x: f64) -> f64 {
    match family {
        Family::Sine => 1.0 - libm::cos(x * FRAC_PI_2),
        Family::Quad => x * x,
        Family::Cubic => x * x * x,
        Family::Quart => x * x * x * x,
        Family::Quint => x * x * x * x * x,
        Family::Expo if x <= 0.0 => 0.0,
        Family::Expo => libm::exp2(10.0 * x - 10.0),
        Family::Circ => 1.0 - (1.0 - x * x).max(0.0).sqrt(),
        Family::Back => back(OVERSHOOT, x),
        // Three tenths of the time are one swing.
        Family::Elastic => elastic(x, 3.0),
        Family::Bounce => 1.0 - bounce(1.0 - x),
    }
}

/// As [`family_in`], for the first half of a curve that is slow at both ends: some swing a little less there.
fn first_half(family: Family, x: f64) -> f64 {
    match family {
        Family::Back => back(OVERSHOOT_BOTH, x),
        Family::Elastic => elastic(x, 4.5),
        other => family_in(other, x),
    }
}

fn back(overshoot: f64, x: f64) -> f64 {
    x * x * ((overshoot + 1.0) * x - overshoot)
}

/// A sine wave whose period is `period` tenths of the time, growing by 2^10; a crest of it ends at 1.
fn elastic(x: f64, period: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    libm::exp2(10.0 * x - 10.0) * libm::cos((x - 1.0) * 10.0 * 2.0 * PI / period)
}

/// Penner's four parabolas.
fn bounce(x: f64) -> f64 {
    const STEEP: f64 = 7.5625;
    const PART: f64 = 2.75;
    let arc = |at: f64, base: f64| STEEP * (x - at / PART) * (x - at / PART) + base;
    match x * PART {
        place if place < 1.0 => arc(0.0, 0.0),
        place if place < 2.0 => arc(1.5, 0.75),
        place if place < 2.5 => arc(2.25, 0.9375),
        _ => arc(2.625, 0.984_375),
    }
}

/// One coordinate of the cubic Bézier curve from 0 through `a` and `b` to 1.
fn coordinate(a: f64, b: f64, s: f64) -> f64 {
    let r = 1.0 - s;
    3.0 * r * r * s * a + 3.0 * r * s * s * b + s * s * s
}

/// Its derivative.
fn speed(a: f64, b: f64, s: f64) -> f64 {
    let r = 1.0 - s;
    3.0 * r * r * a + 6.0 * r * s * (b - a) + 3.0 * s * s * (1.0 - b)
}

/// y where the curve's x is `x`. x grows with the parameter since x1 and x2 lie in 0..1, so the place lies
/// between bounds that close in; Newton's steps are taken while they stay inside.
fn bezier([x1, y1, x2, y2]: [f64; 4], x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let (mut low, mut high, mut s) = (0.0_f64, 1.0_f64, x);
    for _ in 0..SEARCH {
        let off = coordinate(x1, x2, s) - x;
        if off == 0.0 || (high - low).abs() < f64::EPSILON {
            break;
        }
        if off < 0.0 {
            low = s
        } else {
            high = s
        }
        let next = s - off / speed(x1, x2, s);
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - s).abs() < 0.5 * f64::EPSILON {
            s = next;
            break;
        }
        s = next;
    }
    coordinate(y1, y2, s)
}

fn steps(count: u32, start: bool, end: bool, x: f64) -> f64 {
    let count = f64::from(count);
    let jumps = count - 1.0 + f64::from(u8::from(start)) + f64::from(u8::from(end));
    let step = (x * count).floor() + f64::from(u8::from(start));
    if jumps <= 0.0 { 0.0 } else { (step / jumps).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schedule::ease::{FAMILIES, PLAIN, find};

    /// Rounding of a few operations on numbers up to 1; the search for a Bézier's place adds nothing to it.
    const CLOSE: f64 = 1e-12;

    #[test]
    fn a_bezier_of_the_diagonal_is_straight() {
        for i in 0..=10 {
            let x = f64::from(i) / 10.0;
            assert!((progress(Ease::Bezier([0.3, 0.3, 0.6, 0.6]), x) - x).abs() < CLOSE);
        }
    }

    #[test]
    fn ease_in_out_is_symmetric_and_flat_at_its_ends() {
        let ease = Ease::Bezier([0.42, 0.0, 0.58, 1.0]);
        for i in 0..=20 {
            let x = f64::from(i) / 20.0;
            assert!((progress(ease, x) + progress(ease, 1.0 - x) - 1.0).abs() < CLOSE);
        }
        assert!(progress(ease, 0.01) < 0.001 && progress(ease, 0.5) > 0.499);
    }

    #[test]
    fn steps_jump_where_their_term_says() {
        let at = |start, end| {
            let ease = Ease::Steps { count: 4, start, end };
            [0.0, 0.24, 0.25, 0.5, 0.99].map(|x| progress(ease, x))
        };
        assert_eq!(at(false, true), [0.0, 0.0, 0.25, 0.5, 0.75]);
        assert_eq!(at(true, false), [0.25, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(at(true, true), [0.2, 0.2, 0.4, 0.6, 0.8]);
        let third = 1.0 / 3.0;
        assert_eq!(at(false, false), [0.0, 0.0, third, 2.0 * third, 1.0]);
    }

    /// Values of easings.net's formulas, computed with Python's floats from their published form.
    #[test]
    fn the_families_are_penners() {
        let cases = [
            ("sine-in", 0.3, 0.108_993_475_811_632_1),
            ("expo-out", 0.3, 0.875),
            ("circ-in-out", 0.3, 0.1),
            ("back-in", 0.5, -0.087_697_5),
            ("back-in-out", 0.25, -0.099_681_843_75),
            ("elastic-in", 0.7, 0.125),
            ("elastic-in-out", 0.3, 0.023_938_888_847_468_056),
            ("bounce-out", 0.5, 0.765_625),
        ];
        for (name, x, wanted) in cases {
            let found = progress(find(name).unwrap(), x);
            assert!((found - wanted).abs() < 1e-9, "{name} at {x}: {found}");
        }
    }

    #[test]
    fn every_ease_begins_at_0_and_ends_at_1() {
        let sides = [Side::In, Side::Out, Side::InOut];
        let families = FAMILIES.iter().flat_map(|(_, f)| sides.map(|side| Ease::Curve(*f, side)));
        for ease in families.chain(PLAIN.iter().map(|(_, ease)| *ease)) {
            let jumps = matches!(ease, Ease::Steps { start: true, .. });
            assert!(jumps || progress(ease, 0.0) == 0.0, "{ease:?}");
            assert_eq!(progress(ease, 1.0), 1.0, "{ease:?}");
            // No jump at the end, but for the ones that are jumps; Penner's `expo` stops 2^-10 short of it.
            let last = progress(ease, 1.0 - 1e-9);
            let is_jump = matches!(ease, Ease::Cut | Ease::Steps { .. });
            assert!(is_jump || (last - 1.0).abs() < 1e-3, "{ease:?}: {last}");
        }
    }

    fn family() -> impl Strategy<Value = Family> {
        prop::sample::select(FAMILIES.map(|(_, family)| family).to_vec())
    }

    proptest! {
        #[test]
        fn out_is_in_turned_round(family in family(), x in 0.0..=1.0f64) {
            let slow = progress(Ease::Curve(family, Side::In), x);
            let fast = progress(Ease::Curve(family, Side::Out), 1.0 - x);
            prop_assert!((slow + fast - 1.0).abs() < CLOSE);
            let half = progress(Ease::Curve(family, Side::InOut), x);
            let other = progress(Ease::Curve(family, Side::InOut), 1.0 - x);
            prop_assert!((half + other - 1.0).abs() < CLOSE);
        }

        #[test]
        fn what_does_not_swing_never_turns_back(family in family(), a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
            prop_assume!(!matches!(family, Family::Back | Family::Elastic | Family::Bounce));
            let (a, b) = (a.min(b), a.max(b));
            for side in [Side::In, Side::Out, Side::InOut] {
                let ease = Ease::Curve(family, side);
                prop_assert!(progress(ease, a) <= progress(ease, b) + CLOSE);
                prop_assert!((0.0..=1.0).contains(&progress(ease, a)));
            }
        }

        #[test]
        fn a_bezier_is_where_its_curve_is(x1 in 0.0..=1.0f64, x2 in 0.0..=1.0f64, y1 in -1.0..2.0f64,
            y2 in -1.0..2.0f64, s in 0.0..=1.0f64) {
            // Where x stands still in the parameter, y moves by the cube root of what x is off by.
            prop_assume!(speed(x1, x2, s) > 1e-3);
            let found = progress(Ease::Bezier([x1, y1, x2, y2]), coordinate(x1, x2, s));
            prop_assert!((found - coordinate(y1, y2, s)).abs() < 1e-10);
        }

        #[test]
        fn bounce_and_steps_stay_between(count in 1u32..50, x in 0.0..=1.0f64) {
            for start in [true, false] {
                let way = progress(Ease::Steps { count, start, end: !start }, x);
                prop_assert!((0.0..=1.0).contains(&way));
            }
            prop_assert!((0.0..=1.0).contains(&progress(Ease::Curve(Family::Bounce, Side::In), x)));
        }
    }
}
