//! Sampling positions as the samplers want them: a whole pixel and a fraction.

/// 1.5 * 2^52. Added to a number below 2^31 it rounds it to the nearest integer, half to even, and leaves that
/// integer in the low bits. Unlike `floor` and `as i32` it is a vector instruction everywhere.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Positions farther out than this are brought here. Large enough that no picture notices with a border that goes
/// on, small enough for exact fractions.
const FAR: f64 = 16_777_216.0;

/// A position in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    /// Column at or left of the position.
    pub x: i32,
    /// Row at or above the position.
    pub y: i32,
    /// Way from there to the next column, 0 to 1.
    pub fx: f32,
    /// Way from there to the next row, 0 to 1.
    pub fy: f32,
}

impl Place {
    /// Splits a position given in pixels. One that is not a number lies far outside.
    #[inline(always)]
    pub(super) fn between(x: f64, y: f64) -> Self {
        let (x, fx) = split(x);
        let (y, fy) = split(y);
        Self { x, y, fx, fy }
    }

    /// The nearest pixel, ties to the even one as PyTorch rounds.
    #[inline(always)]
    pub(super) fn nearest(x: f64, y: f64) -> Self {
        Self { x: low(near(x) + ROUND), y: low(near(y) + ROUND), fx: 0.0, fy: 0.0 }
    }
}

/// Whole and fraction of a position.
#[inline(always)]
fn split(v: f64) -> (i32, f32) {
    let v = near(v);
    let rounded = (v + ROUND) - ROUND;
    let floor = if rounded > v { rounded - 1.0 } else { rounded };
    (low(floor + ROUND), (v - floor) as f32)
}

/// `v` within the range where the arithmetic is exact; NaN becomes its lower end.
#[inline(always)]
fn near(v: f64) -> f64 {
    v.max(-FAR).min(FAR)
}

/// The integer that adding [`ROUND`] left in the low bits.
#[inline(always)]
fn low(shifted: f64) -> i32 {
    shifted.to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_floor_and_rest(x in -1e6_f64..1e6, y in -1e6_f64..1e6) {
            let place = Place::between(x, y);
            prop_assert_eq!((place.x, place.y), (x.floor() as i32, y.floor() as i32));
            prop_assert_eq!((place.fx, place.fy), ((x - x.floor()) as f32, (y - y.floor()) as f32));
            let nearest = Place::nearest(x, y);
            prop_assert_eq!((nearest.x, nearest.y), (x.round_ties_even() as i32, y.round_ties_even() as i32));
        }
    }

    #[test]
    fn what_is_not_finite_lies_far_outside() {
        assert_eq!(Place::between(f64::NAN, f64::NEG_INFINITY), Place::between(-FAR, -FAR));
        assert_eq!(Place::nearest(f64::INFINITY, 0.0).x, FAR as i32);
    }
}
