//! The seed of a frame: which settings it comes from. The sequences themselves are in `seeds`.

use super::eval::Value;
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::seeds::{SeedBehaviour, SeedSequence};
use super::settings::number;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::units::Short;

/// The seeds of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seeds {
    pub seed: i64,
    pub subseed: i64,
    /// Share of the way from the noise of `seed` to that of `subseed`.
    pub strength: f64,
    /// Whether `seed` itself is between two whole numbers.
    pub walks: bool,
}

/// The seeds of the frame that `reader` reads. A fractional seed is on its way to the next whole one: 41.25 is
/// seed 41 and, at a quarter of the way, seed 42 (Parseq's rule for the web UI's variation seed).
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage) -> Seeds {
    let values = &stage.values;
    let (whole, fraction) = main(reader, stage);
    let strength = reader.number(values, "subseed_strength", 0.0);
    if fraction > 0.0 && strength > 0.0 {
        let span = values.lines.get("subseed_strength").map_or_else(Default::default, |line| line.span());
        let walk = Short(whole as f64 + fraction);
        let message =
            format!("`seed` is between two seeds here ({walk}), so `subseed_strength` has no place");
        let hint = "give `seed` whole numbers, or leave `subseed_strength` at 0";
        reader.wrong("E80", &message, span, Some(hint.to_owned()));
    }
    if fraction > 0.0 {
        return Seeds { seed: whole, subseed: whole.wrapping_add(1), strength: fraction, walks: true };
    }
    let subseed = reader.maybe_number(values, "subseed").map_or(1, |subseed| subseed as i64);
    let subseed = match subseed {
        // Not the draw of a random `seed`: noise mixed with itself is no variation.
        -1 => SeedSequence::new(!stage.clock.seed, SeedBehaviour::Schedule)
            .scheduled(-1.0, u64::from(reader.frame)),
        subseed => subseed,
    };
    Seeds { seed: whole, subseed, strength, walks: false }
}

/// The seed as a whole number and the share of the way to the next one.
fn main(reader: &mut Reader<'_>, stage: &Stage) -> (i64, f64) {
    let values = &stage.values;
    let line = values.lines.get("seed");
    let schedule = values.lines.get("seed_schedule").or(line.filter(|line| !line.is_constant()));
    let clock = line.or(schedule).map(|line| line.clock);
    let clock = clock.or(values.calls.get("seed").map(|(_, clock)| *clock));
    // Seeds go on with each frame that is painted, in the scene or in the film up to it.
    let own = clock.is_some_and(|clock| clock.start == stage.clock.start);
    let grid = &stage.grid;
    let count = grid.at(reader.frame).index + if own { 0 } else { grid.before };
    let behavior = reader.maybe_choice(values, "seed_behavior");
    let behavior = match &behavior {
        Some(behavior) => behavior.as_str(),
        None if schedule.is_some() => "schedule",
        None => "iter",
    };
    let count = u64::from(count);
    let (start, fraction) = match stage.clock.seed_of(values) {
        // A start of -1 is a random one, drawn from the film's own: the clock is never asked.
        (start, _) if start < 0 => {
            (SeedSequence::new(start, SeedBehaviour::Schedule).scheduled(-1.0, 0), 0.0)
        }
        start => start,
    };
    let every = reader.maybe_count(values, "seed_iter_N").unwrap_or(1);
    let behaviour = SeedBehaviour::from_deforum(behavior, every).unwrap_or(SeedBehaviour::Iter(every));
    let sequence = SeedSequence::new(start, behaviour);
    if behavior != "schedule" {
        return (sequence.seed(count), fraction);
    }
    if values.has("seed_schedule") {
        // Deforum cuts fractions off.
        let seed = reader.maybe_number(values, "seed_schedule");
        return (seed.map_or(start, |seed| sequence.scheduled(seed, count)), 0.0);
    }
    match reader.maybe_number(values, "seed") {
        Some(seed) => (sequence.scheduled(seed, count), seed.max(0.0).fract()),
        None => (start, fraction),
    }
}

impl super::clock::Clock {
    /// The start seed in force, of `seed` when that is one number, else the film's; with its fraction.
    fn seed_of(&self, values: &Values) -> (i64, f64) {
        if let Some((call, clock)) = values.calls.get("seed") {
            return (number(call, "start", clock).map_or(self.seed, |start| start as i64), 0.0);
        }
        let line = values.lines.get("seed").filter(|line| line.is_constant());
        match line.and_then(|line| line.at(self.start).ok()) {
            // 64 bits do not fit a double.
            Some((Value::Int(seed), _)) => (seed, 0.0),
            Some((value, _)) => {
                value.as_f64().map_or((self.seed, 0.0), |seed| (seed as i64, seed.max(0.0).fract()))
            }
            None => (self.seed, 0.0),
        }
    }
}

/// Whether the seeds are given frame by frame.
fn moves(values: &Values) -> bool {
    values.constant_choice("seed_behavior").is_none()
        && (values.has("seed_schedule") || values.lines.get("seed").is_some_and(|line| !line.is_constant()))
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
    if let Some(line) = values.lines.get("seed_iter_N")
        && (behavior.as_deref().is_some_and(|behavior| behavior != "iter") || moves(values))
    {
        let message = "`seed_iter_N` has no effect with this `seed_behavior`";
        let found = Diagnostic::warning("W05", message, line.span());
        warnings.push(found.hint("it is for `seed_behavior = iter`, and a `seed` without keys"));
    }
    if let Some(line) = values.lines.get("subseed")
        && !values.has("subseed_strength")
    {
        let message = "`subseed` has no effect without `subseed_strength`";
        let found = Diagnostic::warning("W05", message, line.span());
        warnings.push(found.hint("say how much of it: `subseed_strength = 0.1`"));
    }
}

/// The film's start seed: `seed` at the top when it is one number, else 0.
pub(super) fn start(film: &super::Film) -> i64 {
    use crate::schedule::expr::{ExprKind, UnaryOp};
    use crate::schedule::film::SettingValue;
    let whole = |expr: &crate::schedule::expr::Expr| match &expr.kind {
        ExprKind::Int(seed) => Some(*seed),
        ExprKind::Float(seed) => Some(*seed as i64),
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
