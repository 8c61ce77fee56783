//! Curves through keys: what a value's speed is at a key, from the keys on both sides.

use super::ease::progress;
use crate::schedule::film::Ease;

/// How near to a key the speed of another ease is measured, as a share of the time between its keys.
const NEAR: f64 = 1e-6;
/// Fastest multiple of the straight way's speed that is taken over from another ease, and that keeps a cubic
/// from turning back (Fritsch, Carlson: «Monotone piecewise cubic interpolation», 1980).
const FASTEST: f64 = 3.0;

/// The way from one key to the next, for one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    /// Frames, above 0.
    pub time: f64,
    /// Change of the value per frame.
    pub secant: f64,
    /// How it is gone.
    pub ease: Ease,
}

impl Way {
    pub fn is_through(self) -> bool {
        matches!(self.ease, Ease::Monotone | Ease::CatmullRom)
    }
}

/// Where a key lies on the way in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Start,
    Finish,
}

/// The speed, per frame, at one end of `own`; `beside` is the way on the other side of that key, `across` the one
/// beyond the other end, where there are such.
///
/// * Beside another curve through keys both have one speed there: for Catmull-Rom the slope of the chord over
///   both, for monotone cubics the weighted harmonic mean of Fritsch and Butland (1984), 0 at a turning point,
///   which is PCHIP's rule. Where the two kinds meet the monotone rule holds for both.
/// * Beside a way with another ease it takes over that one's speed, so that there is no corner.
/// * Otherwise (at the first and last key, at a jump, beside a running expression) it is the end rule:
///   PCHIP's three-point formula for monotone cubics, the straight way's speed for Catmull-Rom.
pub(super) fn speed(own: Way, beside: Option<Way>, across: Option<Way>, end: End) -> f64 {
    let monotone = own.ease == Ease::Monotone;
    let found = match beside {
        Some(beside) if beside.is_through() => {
            if monotone || beside.ease == Ease::Monotone {
                harmonic(own, beside)
            } else {
                chord(own, beside)
            }
        }
        Some(beside) => match taken_over(beside, end) {
            Some(speed) => speed,
            None => at_end(own, across),
        },
        None => at_end(own, across),
    };
    if monotone { limited(found, own.secant) } else { found }
}

fn chord(a: Way, b: Way) -> f64 {
    (a.secant * a.time + b.secant * b.time) / (a.time + b.time)
}

fn harmonic(own: Way, beside: Way) -> f64 {
    if own.secant * beside.secant <= 0.0 {
        return 0.0;
    }
    // The longer a way, the less the key belongs to it. Symmetric in both.
    let (w1, w2) = (own.time + 2.0 * beside.time, 2.0 * own.time + beside.time);
    (w1 + w2) / (w1 / own.secant + w2 / beside.secant)
}

/// The speed at which a way with an ease of its own arrives at or leaves the key.
fn taken_over(beside: Way, end: End) -> Option<f64> {
    let share = match beside.ease {
        Ease::Cut | Ease::Steps { .. } | Ease::Blend => return None,
        ease if end == End::Start => (1.0 - progress(ease, 1.0 - NEAR)) / NEAR,
        ease => progress(ease, NEAR) / NEAR,
    };
    Some(beside.secant * share.clamp(-FASTEST, FASTEST))
}

fn at_end(own: Way, across: Option<Way>) -> f64 {
    match across.filter(|across| own.ease == Ease::Monotone && across.is_through()) {
        // The parabola through the three keys (de Boor; the end rule of PCHIP).
        Some(across) => {
            let (h, g) = (own.time, across.time);
            ((2.0 * h + g) * own.secant - h * across.secant) / (h + g)
        }
        None => own.secant,
    }
}

/// Within what keeps the cubic from going beyond its keys.
fn limited(speed: f64, secant: f64) -> f64 {
    if speed * secant <= 0.0 { 0.0 } else { speed.abs().min(FASTEST * secant.abs()).copysign(secant) }
}

/// The cubic from `a` to `b` with the speeds `from` and `to` (per frame), at the share `s` of `time` frames
/// (Hermite).
pub(super) fn hermite(a: f64, b: f64, [from, to]: [f64; 2], time: f64, s: f64) -> f64 {
    let r = 1.0 - s;
    a * r * r * (1.0 + 2.0 * s) + b * s * s * (1.0 + 2.0 * r) + time * s * r * (from * r - to * s)
}
