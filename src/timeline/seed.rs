//! The seed of a frame: which settings it comes from. The sequences themselves are in `seeds`.

use super::reader::Reader;
use super::scene::{Stage, Values};
use super::seeds::{SeedBehaviour, SeedSequence};
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
    let count = u64::try_from(count).unwrap_or(0);
    let start = match stage.clock.seed_of(values) {
        // A start of -1 is a random one, drawn from the film's own: the clock is never asked.
        start if start < 0 => SeedSequence::new(start, SeedBehaviour::Schedule).scheduled(-1.0, 0),
        start => start,
    };
    let sequence =
        SeedSequence::new(start, SeedBehaviour::from_deforum(behavior, 1).unwrap_or(SeedBehaviour::Iter(1)));
    if behavior != "schedule" {
        return sequence.seed(count);
    }
    let name = if values.has("seed_schedule") { "seed_schedule" } else { "seed" };
    reader.maybe_number(values, name).map_or(start, |seed| sequence.scheduled(seed, count))
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
