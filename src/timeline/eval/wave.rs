//! Functions of the time: waves, seeded noise, and eases as functions.

use super::random::Stream;
use super::{Problem, Value};
use crate::schedule::ease::find;
use crate::timeline::ease::progress;

/// Layers of noise at most: beyond them a layer is a ten-thousandth of the whole.
const MAX_OCTAVES: f64 = 12.0;
/// Times at whole multiples of an interval are counted to the interval that begins there, also when the
/// division is a rounding below.
const TIE: f64 = 1e-9;

fn number(name: &str, argument: &str, value: &Value) -> Result<f64, Problem> {
    let found = value.as_f64().ok_or_else(|| {
        Problem::new(format!("expected a number as `{argument}` of `{name}`, found {}", value.kind()))
    })?;
    match found.is_finite() {
        true => Ok(found),
        false => Err(Problem::new(format!("expected a finite `{argument}` in `{name}`, found {found}"))),
    }
}

fn positive(name: &str, argument: &str, value: &Value) -> Result<f64, Problem> {
    match number(name, argument, value)? {
        found if found > 0.0 => Ok(found),
        found => {
            let message = format!("expected `{argument}` of `{name}` above 0, found {found}");
            Err(Problem::new(message).hint(format!("for example `{argument}=2s`")))
        }
    }
}

/// `osc(shape, period, amp, centre, phase, width, at)`: `centre + amp * wave`. All waves but `pulse` go from
/// -1 to 1, `pulse` is 1 for the share `width` of each period and 0 for the rest; `phase` is in periods.
pub(super) fn osc(values: &[Value]) -> Result<Value, Problem> {
    let [shape, period, amp, centre, phase, width, at] = values else {
        return Err(Problem::new("expected 7 arguments"));
    };
    let shape = shape.as_text().unwrap_or_default();
    let period = positive("osc", "period", period)?;
    let [amp, centre, phase, width, at] =
        [("amp", amp), ("centre", centre), ("phase", phase), ("width", width), ("at", at)]
            .map(|(name, value)| number("osc", name, value));
    let width = width?;
    if !(0.0..=1.0).contains(&width) {
        return Err(Problem::new(format!("expected `width` of `osc` from 0 to 1, found {width}")));
    }
    let turns = at? / period + phase?;
    let wave = wave(shape, turns - turns.floor(), width)
        .ok_or_else(|| Problem::new(format!("`osc` has no shape `{shape}`")))?;
    Ok(Value::Float(centre? + amp? * wave))
}

/// The shapes at the share `x` of a period, 0 to 1.
fn wave(shape: &str, x: f64, width: f64) -> Option<f64> {
    Some(match shape {
        "sin" => libm::sin(x * std::f64::consts::TAU),
        "cos" => libm::cos(x * std::f64::consts::TAU),
        "tri" if x < 0.25 => 4.0 * x,
        "tri" if x < 0.75 => 2.0 - 4.0 * x,
        "tri" => 4.0 * x - 4.0,
        "saw" => 2.0 * x - 1.0,
        "square" if x < 0.5 => 1.0,
        "square" => -1.0,
        "pulse" => f64::from(u8::from(x < width)),
        _ => return None,
    })
}

/// `noise(period, low, high, octaves, seed, at, s)`: smooth, from `low` to `high`.
pub(super) fn noise(values: &[Value]) -> Result<Value, Problem> {
    let [period, low, high, octaves, seed, at, film] = values else {
        return Err(Problem::new("expected 7 arguments"));
    };
    let period = positive("noise", "period", period)?;
    let octaves = number("noise", "octaves", octaves)?;
    if !(1.0..=MAX_OCTAVES).contains(&octaves) {
        return Err(Problem::new(format!(
            "expected `octaves` of `noise` from 1 to {MAX_OCTAVES}, found {octaves}"
        )));
    }
    let stream = Stream::new(film.as_i64().unwrap_or(0), number("noise", "seed", seed)?, 1);
    let share = stream.layered(number("noise", "at", at)? / period, octaves as u32);
    between("noise", low, high, share)
}

/// `random(low, high, every, seed, at, s)`: a new number each `every` frames.
pub(super) fn random(values: &[Value]) -> Result<Value, Problem> {
    let [low, high, every, seed, at, film] = values else {
        return Err(Problem::new("expected 6 arguments"));
    };
    let every = positive("random", "every", every)?;
    let stream = Stream::new(film.as_i64().unwrap_or(0), number("random", "seed", seed)?, 2);
    let index = (number("random", "at", at)? / every + TIE).floor();
    between("random", low, high, stream.uniform(index as i64))
}

/// The value at `share` of the way from `low` to `high`, kept between them also by rounding.
fn between(name: &str, low: &Value, high: &Value, share: f64) -> Result<Value, Problem> {
    let (low, high) = (number(name, "low", low)?, number(name, "high", high)?);
    let value = low + (high - low) * share;
    Ok(Value::Float(value.clamp(low.min(high), low.max(high))))
}

/// `ease(name, x)`
pub(super) fn ease(values: &[Value]) -> Result<Value, Problem> {
    let name = values[0].as_text().unwrap_or_default();
    let ease = find(name).ok_or_else(|| Problem::new(format!("`ease` has no curve `{name}`")))?;
    let x = values[1].as_f64().ok_or_else(|| {
        Problem::new(format!("expected a number as `x` of `ease`, found {}", values[1].kind()))
    })?;
    Ok(Value::Float(if x.is_nan() { x } else { progress(ease, x.clamp(0.0, 1.0)) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn oscillator(shape: &str, at: f64) -> f64 {
        let number = Value::Float;
        let args = [
            Value::Text(shape.to_owned()),
            number(8.0),
            number(1.0),
            number(0.0),
            number(0.0),
            number(0.25),
            number(at),
        ];
        osc(&args).unwrap().as_f64().unwrap()
    }

    fn walk(at: f64, octaves: f64, seed: f64, film: i64) -> f64 {
        let number = Value::Float;
        let args = [
            number(6.0),
            number(-2.0),
            number(3.0),
            number(octaves),
            number(seed),
            number(at),
            Value::Int(film),
        ];
        noise(&args).unwrap().as_f64().unwrap()
    }

    #[test]
    fn waves_have_the_shape_of_their_name() {
        let at = |shape: &str| [0.0, 1.0, 2.0, 4.0, 6.0].map(|t| oscillator(shape, t));
        assert_eq!(at("tri"), [0.0, 0.5, 1.0, 0.0, -1.0]);
        assert_eq!(at("saw"), [-1.0, -0.75, -0.5, 0.0, 0.5]);
        assert_eq!(at("square"), [1.0, 1.0, 1.0, -1.0, -1.0]);
        assert_eq!(at("pulse"), [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert!((oscillator("sin", 2.0) - 1.0).abs() < 1e-15 && (oscillator("cos", 0.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn noise_depends_on_both_seeds_and_reaches_far() {
        assert_ne!(walk(3.0, 1.0, 0.0, 0), walk(3.0, 1.0, 1.0, 0));
        assert_ne!(walk(3.0, 1.0, 0.0, 0), walk(3.0, 1.0, 0.0, 1));
        let all: Vec<f64> = (0..6000).map(|t| walk(f64::from(t), 1.0, 0.0, 0)).collect();
        let (least, most) = all.iter().fold((9.0_f64, -9.0_f64), |(a, b), v| (a.min(*v), b.max(*v)));
        // A thousand goals spread evenly over 5: the outermost are nearer than 0.05 but for chances of e^-10.
        assert!(least < -1.95 && most > 2.95, "{least} to {most}");
        let mean = all.iter().sum::<f64>() / 6000.0;
        // Standard error of a thousand uniform values over 5: 0.046, five of them.
        assert!((mean - 0.5).abs() < 0.23, "{mean}");
    }

    proptest! {
        #[test]
        fn noise_keeps_its_range_and_does_not_jump(at in -1e4..1e4f64, octaves in 1.0..12.0f64,
            seed in -9.0..9.0f64, film: i64) {
            let value = walk(at, octaves, seed, film);
            prop_assert!((-2.0..=3.0).contains(&value));
            // The fade's steepest slope is 15/8; layers add theirs, doubled in speed and halved in strength.
            let slope = 5.0 / 6.0 * 1.875 * octaves.floor();
            prop_assert!((walk(at + 1e-3, octaves, seed, film) - value).abs() <= 1e-3 * slope + 1e-9);
        }

        #[test]
        fn waves_keep_their_range_and_period(at in -1e4..1e4f64, shape in prop::sample::select(
            crate::schedule::functions::SHAPES.to_vec())) {
            let value = oscillator(shape, at);
            prop_assert!((-1.0..=1.0).contains(&value));
            let next = oscillator(shape, at + 8.0);
            let near_a_jump = (at / 2.0 - (at / 2.0).round()).abs() < 1e-6;
            prop_assert!(near_a_jump || (next - value).abs() < 1e-9);
        }

        #[test]
        fn random_keeps_its_range(at in -1e6..1e6f64, low in -9.0..9.0f64, high in -9.0..9.0f64) {
            let number = Value::Float;
            let args = [number(low), number(high), number(1.0), number(0.0), number(at), Value::Int(5)];
            let value = random(&args).unwrap().as_f64().unwrap();
            prop_assert!((low.min(high)..=low.max(high)).contains(&value));
        }
    }
}
