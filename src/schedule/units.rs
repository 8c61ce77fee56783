//! What a number with a unit is worth where it stands.

use super::expr::{BaseUnit, BinaryOp, TimeUnit, Unit};
use super::params::Measure;

/// Frames per second as an exact fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Above the line, at least 1.
    pub num: u32,
    /// Below the line, at least 1.
    pub den: u32,
}

impl Rate {
    /// `num / den` in lowest terms; `None` when either is 0 or the fraction needs more than 32 bits.
    pub fn new(num: u64, den: u64) -> Option<Self> {
        let common = gcd(num, den);
        if num == 0 || den == 0 {
            return None;
        }
        Some(Self { num: u32::try_from(num / common).ok()?, den: u32::try_from(den / common).ok()? })
    }

    /// The decimal number `value` exactly, up to six places: 23.976 is 2997/125.
    pub fn from_decimal(value: f64) -> Option<Self> {
        let millionths = (value * 1e6).round();
        (1.0..1e16).contains(&millionths).then(|| Self::new(millionths as u64, 1_000_000)).flatten()
    }

    /// As a number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What ties times to frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    /// Frames per second.
    pub rate: Rate,
    /// Beats per minute, when the film has them. A bar has four.
    pub bpm: Option<f64>,
}

impl Tempo {
    /// Frames in `value` of `unit`; `None` for beats without `bpm`.
    pub fn frames(&self, value: f64, unit: TimeUnit) -> Option<f64> {
        // Multiplied before it is divided: 0.5 s at 24000/1001 loses nothing that it need not lose.
        let seconds = |value: f64| value * f64::from(self.rate.num) / f64::from(self.rate.den);
        match unit {
            TimeUnit::Frames => Some(value),
            TimeUnit::Seconds => Some(seconds(value)),
            TimeUnit::Milliseconds => Some(seconds(value) / 1000.0),
            TimeUnit::Beats => self.bpm.map(|bpm| seconds(value * 60.0) / bpm),
            TimeUnit::Bars => self.bpm.map(|bpm| seconds(value * 240.0) / bpm),
        }
    }
}

/// Prints a number for people: at most six digits behind the point, powers of ten from 1e15 on.
#[derive(Clone, Copy, Debug)]
pub struct Short(pub f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_finite() && self.0.abs() >= 1e15 {
            return write!(f, "{:e}", self.0);
        }
        let rounded = (self.0 * 1e6).round() / 1e6;
        if rounded.is_finite() && rounded != 0.0 { write!(f, "{rounded}") } else { write!(f, "{}", self.0) }
    }
}

/// What a number with a unit may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// It is (a summand or factor of) a value of this measure.
    Value(Measure),
    /// It is the time of a key, in frames.
    KeyTime,
    /// It is inside a function or a comparison: angles count in radians, times in frames.
    Inner,
}

/// Whether a number with `unit` may stand in `context`.
pub fn fits(unit: Unit, context: Context) -> bool {
    let plain = unit.per.is_none();
    match (context, unit.base) {
        (Context::Value(Measure::Factor), BaseUnit::Factor) => true,
        (Context::Value(Measure::Turn), BaseUnit::Degrees) => true,
        (Context::Value(Measure::Shift), BaseUnit::Pixels) => true,
        (Context::Value(Measure::Angle), BaseUnit::Degrees) => plain,
        (Context::Value(Measure::Time), BaseUnit::Time(_)) => plain,
        (Context::Value(Measure::Plain | Measure::Factor), BaseUnit::Percent) => plain,
        (Context::KeyTime, BaseUnit::Time(_) | BaseUnit::Percent) => plain,
        (Context::Inner, BaseUnit::Time(_) | BaseUnit::Percent | BaseUnit::Degrees) => plain,
        _ => false,
    }
}

/// What stands to the left and right of an operator in a value of some context.
pub fn sides(op: BinaryOp, context: Context) -> (Context, Context) {
    match op {
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Rem => (context, context),
        BinaryOp::Div | BinaryOp::FloorDiv => (context, Context::Inner),
        _ => (Context::Inner, Context::Inner),
    }
}

/// What `value` of `unit` is worth in `context`: per frame for rates, frames for times. `length` is
/// that of the scene in frames, for percentages in key times.
///
/// # Errors
/// Beats in a film without `bpm`; a unit that does not fit.
pub fn amount(value: f64, unit: Unit, context: Context, tempo: &Tempo, length: f64) -> Result<f64, String> {
    if !fits(unit, context) {
        return Err(format!("{} has no meaning here", describe(unit)));
    }
    let frames = |value, unit| tempo.frames(value, unit).ok_or_else(|| "beats need `bpm`".to_owned());
    let per = unit.per.map(|per| frames(1.0, per)).transpose()?;
    Ok(match (unit.base, context) {
        (BaseUnit::Time(base), _) => frames(value, base)?,
        (BaseUnit::Percent, Context::KeyTime) => value * length / 100.0,
        (BaseUnit::Percent, _) => value / 100.0,
        (BaseUnit::Degrees, Context::Inner) => value.to_radians(),
        (BaseUnit::Factor, _) => per.map_or(value, |frames| libm::pow(value, 1.0 / frames)),
        _ => per.map_or(value, |frames| value / frames),
    })
}

/// `an angle per second`.
pub fn describe(unit: Unit) -> String {
    let base = match unit.base {
        BaseUnit::Time(_) => "a time",
        BaseUnit::Percent => "a percentage",
        BaseUnit::Degrees => "an angle",
        BaseUnit::Pixels => "a distance",
        BaseUnit::Factor => "a factor",
        BaseUnit::Hertz => "a frequency",
    };
    let per = match unit.per {
        None => return base.to_owned(),
        Some(TimeUnit::Seconds) => "second",
        Some(TimeUnit::Milliseconds) => "millisecond",
        Some(TimeUnit::Frames) => "frame",
        Some(TimeUnit::Beats) => "beat",
        Some(TimeUnit::Bars) => "bar",
    };
    format!("{base} per {per}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: Tempo = Tempo { rate: Rate { num: 24000, den: 1001 }, bpm: Some(120.0) };

    #[test]
    fn rates_are_exact_fractions() {
        assert_eq!(Rate::new(48, 2), Some(Rate { num: 24, den: 1 }));
        assert_eq!(Rate::from_decimal(23.976), Some(Rate { num: 2997, den: 125 }));
        assert_eq!(Rate::from_decimal(0.0), None);
        assert_eq!(Rate::new(1, 0), None);
    }

    #[test]
    fn a_factor_per_second_multiplies_up_to_itself() {
        let unit = Unit { base: BaseUnit::Factor, per: Some(TimeUnit::Seconds) };
        let tempo = Tempo { rate: Rate { num: 12, den: 1 }, bpm: None };
        let each = amount(1.35, unit, Context::Value(Measure::Factor), &tempo, 0.0).unwrap();
        // Twelve multiplications of a correctly rounded root: a few units in the last place.
        assert!(((0..12).fold(1.0, |all, _| all * each) - 1.35f64).abs() < 1e-14);
    }

    #[test]
    fn times_become_frames() {
        assert_eq!(FILM.frames(1001.0, TimeUnit::Seconds), Some(24000.0));
        let beat = FILM.frames(2.0, TimeUnit::Beats).unwrap();
        assert!((beat - FILM.rate.as_f64()).abs() < 1e-12);
        assert_eq!(FILM.frames(4.0, TimeUnit::Beats), FILM.frames(1.0, TimeUnit::Bars));
        assert_eq!(Tempo { bpm: None, ..FILM }.frames(1.0, TimeUnit::Beats), None);
    }
}
