//! Sampling positions as the samplers want them: a whole pixel and a fraction.

/// 1.5 * 2^52. Added to a number below 2^31 it rounds it to the nearest integer, half to even, and leaves that
/// integer in the low bits. Unlike `floor` and `as i32` it is a vector instruction everywhere.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Positions farther out than this are brought here. Large enough that no picture notices with a border that goes
/// on, small enough for exact fractions.
const FAR: f64 = 16_777_216.0;

/// The positions of a row, each number in a list of its own so that they are computed several at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    x: Vec<i32>,
    y: Vec<i32>,
    fx: Vec<f32>,
    fy: Vec<f32>,
}

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

impl Places {
    /// Room for `n` positions.
    pub(super) fn new(n: usize) -> Self {
        Self { x: vec![0; n], y: vec![0; n], fx: vec![0.0; n], fy: vec![0.0; n] }
    }

    /// Sets the positions in order, given in pixels. One that is not a number lies far outside.
    #[inline(always)]
    pub(super) fn between(&mut self, positions: impl Iterator<Item = [f64; 2]>) {
        let whole = self.x.iter_mut().zip(&mut self.y);
        for (((x, y), (fx, fy)), [px, py]) in whole.zip(self.fx.iter_mut().zip(&mut self.fy)).zip(positions) {
            (*x, *fx) = split(px);
            (*y, *fy) = split(py);
        }
    }

    /// Sets the positions in order to the nearest pixel, ties to the even one as PyTorch rounds.
    #[inline(always)]
    pub(super) fn nearest(&mut self, positions: impl Iterator<Item = [f64; 2]>) {
        let whole = self.x.iter_mut().zip(&mut self.y);
        for (((x, y), (fx, fy)), [px, py]) in whole.zip(self.fx.iter_mut().zip(&mut self.fy)).zip(positions) {
            (*x, *y, *fx, *fy) = (low(near(px) + ROUND), low(near(py) + ROUND), 0.0, 0.0);
        }
    }

    /// The positions in order.
    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        let whole = self.x.iter().zip(&self.y);
        let fractions = self.fx.iter().zip(&self.fy);
        whole.zip(fractions).map(|((x, y), (fx, fy))| Place { x: *x, y: *y, fx: *fx, fy: *fy })
    }
}

/// Whole and fraction of a position.
#[inline(always)]
fn split(v: f64) -> (i32, f32) {
    let v = near(v);
    let floor = v.floor();
    // SAFETY: a number within a range that fits.
    (unsafe { floor.to_int_unchecked() }, (v - floor) as f32)
}

/// `v` within the range where the arithmetic is exact; NaN becomes its lower end.
#[inline(always)]
#[allow(clippy::manual_clamp, reason = "clamp keeps NaN")]
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

    fn one(x: f64, y: f64) -> (Place, Place) {
        let mut places = Places::new(1);
        places.between(std::iter::once([x, y]));
        let between = places.iter().next().unwrap();
        places.nearest(std::iter::once([x, y]));
        (between, places.iter().next().unwrap())
    }

    proptest! {
        #[test]
        fn a_place_is_floor_and_rest(x in -1e6_f64..1e6, y in -1e6_f64..1e6) {
            let (place, nearest) = one(x, y);
            prop_assert_eq!((place.x, place.y), (x.floor() as i32, y.floor() as i32));
            prop_assert_eq!((place.fx, place.fy), ((x - x.floor()) as f32, (y - y.floor()) as f32));
            prop_assert_eq!((nearest.x, nearest.y), (x.round_ties_even() as i32, y.round_ties_even() as i32));
        }
    }

    #[test]
    fn what_is_not_finite_lies_far_outside() {
        assert_eq!(one(f64::NAN, f64::NEG_INFINITY).0, one(-FAR, -FAR).0);
        assert_eq!(one(f64::INFINITY, 0.0).1.x, FAR as i32);
    }
}
