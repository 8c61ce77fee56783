//! The seed of a frame, as a pure function of the frame. Sequences are Deforum's (sd-webui-deforum
//! 32242685, one diffused frame after the other); its random seeds are replaced by a hash.

use super::reader::Reader;
use super::scene::{Stage, Values};
use super::settings::number;
use crate::schedule::diagnostic::Diagnostic;

/// The seed of the frame that `reader` reads.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage) -> i64 {
    let values = &stage.values;
    let line = values.lines.get("seed");
    let schedule = values.lines.get("seed_schedule").or(line.filter(|line| !line.is_constant()));
    let clock = line.or(schedule).map(|line| line.clock);
    let clock = clock.or(values.calls.get("seed").map(|(_, clock)| *clock));
    let count = i64::from(reader.frame) - clock.map_or(0, |clock| i64::from(clock.start));
    let behavior = reader.maybe_choice(values, "seed_behavior");
    let behavior = match &behavior {
        Some(behavior) => behavior.as_str(),
        None if schedule.is_some() => "schedule",
        None => "iter",
    };
    let start = stage.clock.seed_of(values);
    if behavior == "schedule" {
        let name = if values.has("seed_schedule") { "seed_schedule" } else { "seed" };
        let seed = reader.maybe_number(values, name).map_or(start, |seed| seed as i64);
        return if seed < 0 { random(start, count) } else { seed };
    }
    let start = if start < 0 { random(start, -1) } else { start };
    match behavior {
        "fixed" => start,
        "ladder" => start.wrapping_add((count + 3 * (count % 2)) / 2),
        "alternate" => start.wrapping_add(count % 2),
        "random" if count > 0 => random(start, count),
        "random" => start,
        _ => start.wrapping_add(count),
    }
}

impl super::clock::Clock {
    /// The start seed in force: of `seed` when that is one number, else the film's.
    fn seed_of(&self, values: &Values) -> i64 {
        if let Some((call, clock)) = values.calls.get("seed") {
            return number(call, "start", clock).map_or(self.seed, |start| start as i64);
        }
        let line = values.lines.get("seed").filter(|line| line.is_constant());
        line.and_then(|line| line.at(self.start).ok())
            .and_then(|(value, _)| value.as_f64())
            .map_or(self.seed, |seed| seed as i64)
    }
}

/// A seed from 0 to 2^32 - 1 that is the same for the same start and frame (the finaliser of
/// SplitMix64, Steele, Lea and Flood 2014).
fn random(start: i64, count: i64) -> i64 {
    let mut z = (start as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(count as u64);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 32) as i64
}

/// `seed_schedule` beside a behaviour that does not look at it, as Deforum's settings files have it.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    let behavior = values.constant_choice("seed_behavior");
    if let Some(line) = values.lines.get("seed_schedule")
        && behavior.as_deref().is_some_and(|behavior| behavior != "schedule")
    {
        let found = Diagnostic::warning(
            "W05",
            "`seed_schedule` has no effect with this `seed_behavior`",
            line.span(),
        );
        warnings.push(found.hint("say `seed_behavior = schedule`"));
    }
}

/// The film's start seed: `seed` at the top when it is one number, else 0.
pub(super) fn start(film: &super::Film) -> i64 {
    use crate::schedule::expr::{ExprKind, UnaryOp};
    use crate::schedule::film::SettingValue;
    let whole = |expr: &crate::schedule::expr::Expr| match &expr.kind {
        ExprKind::Int(seed) => Some(*seed),
        ExprKind::Unary(UnaryOp::Neg, x) => match x.kind {
            ExprKind::Int(seed) => Some(-seed),
            _ => None,
        },
        _ => None,
    };
    let written = film.setting("seed").and_then(|setting| match &setting.value {
        SettingValue::Track(keys) => match keys.as_slice() {
            [key] => whole(&key.value),
            _ => None,
        },
        SettingValue::Call(call) => call.args.get("start").and_then(whole),
    });
    written.unwrap_or(0)
}
