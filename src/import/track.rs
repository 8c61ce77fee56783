//! A schedule of numbers as a line of the film: in its own keys where they mean the same there, else in
//! keys made from its values.

use super::bench::{Bench, Place};
use super::print::{expression, number};
use super::reduce::{self, Key};
use super::score::Value;
use super::tidy::tidy;
use crate::schedule::deforum::keys::{is_plain_number, sanitise, split, unquote};
use crate::schedule::deforum::{Mode, python};
use crate::schedule::expr::{Expr, ExprKind};
use crate::schedule::params::find;
use crate::schedule::span::Span;
use crate::timeline::deforum::numexpr;
use crate::timeline::eval;

/// More keys than anybody typed: then the fewest that give the same values are written.
const MANY: usize = 12;

/// A line of the film, without its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub value: Value,
    /// `let` lines that must stand above it.
    pub lets: Vec<String>,
    /// What differs from the schedule, for the report.
    pub changes: Vec<String>,
    /// Frames of keys outside of the film, where Deforum does not look.
    pub beyond: Vec<i64>,
}

impl Track {
    pub(super) fn plain(value: Value) -> Self {
        Self { value, lets: Vec::new(), changes: Vec::new(), beyond: Vec::new() }
    }
}

/// The schedule `text`, which Deforum expands to `wanted`, as a line of `param`; `None` when the
/// parameter cannot take such values.
pub(super) fn schedule(
    bench: &Bench,
    place: Place,
    param: &str,
    text: &str,
    wanted: &[f64],
) -> Option<Track> {
    for is_tidy in [true, false] {
        let Some(parts) = &Part::read(text, bench, is_tidy) else { continue };
        let uses_seed = parts.iter().any(|part| part.uses("s"));
        let known = if uses_seed { None } else { constant(wanted) };
        let own = known.map_or_else(|| Value::Keys(keyed(parts)), Value::One);
        let is_list = parts.len() > MANY && parts.iter().all(|part| matches!(part.what, What::Number(_)));
        let own = if is_list { Value::Keys(texts(&reduce::keys(wanted))) } else { shortest(own) };
        if bench.says(place, &[], param, &own.text(), wanted) {
            return Some(Track { beyond: beyond(text, bench), ..Track::plain(own) });
        }
    }
    let parts = Part::read(text, bench, true);
    if wanted.iter().all(|v| v.is_finite())
        && let Some(track) = parts.and_then(|parts| around_gaps(bench, place, param, &parts, wanted))
    {
        return Some(track);
    }
    series(bench, place, param, wanted)
}

/// A list of values as a line of `param`; cut off where the parameter ends.
pub(super) fn series(bench: &Bench, place: Place, param: &str, wanted: &[f64]) -> Option<Track> {
    let try_values = |values: &[f64]| {
        let keys = texts(&reduce::keys(values));
        let value = constant(values).map_or(Value::Keys(keys), Value::One);
        let value = shortest(value);
        bench.says(place, &[], param, &value.text(), values).then_some(value)
    };
    if wanted.iter().all(|v| v.is_finite())
        && let Some(value) = try_values(wanted)
    {
        return Some(Track::plain(value));
    }
    let (least, most) = find(param)?.possible;
    let cut: Vec<f64> = wanted.iter().map(|v| v.clamp(least, most)).collect();
    let value = cut.iter().all(|v| v.is_finite()).then(|| try_values(&cut)).flatten()?;
    let range = crate::schedule::params::range((least, most));
    let change = format!("values outside of what kinora takes ({range}) were cut off");
    Some(Track { changes: vec![change], ..Track::plain(value) })
}

/// The number that all values are.
pub(super) fn constant(values: &[f64]) -> Option<String> {
    let first = *values.first()?;
    (first.is_finite() && values.iter().all(|v| *v == first)).then(|| number(first))
}

fn texts(keys: &[Key]) -> Vec<String> {
    keys.iter().map(Key::text).collect()
}

/// One key at the start is no key.
fn shortest(value: Value) -> Value {
    match value {
        Value::Keys(keys) => match keys.as_slice() {
            [only] => {
                only.strip_prefix("0: ").map_or(Value::Keys(keys.clone()), |v| Value::One(v.to_owned()))
            }
            _ => Value::Keys(keys),
        },
        one => one,
    }
}

/// One key of a schedule.
struct Part {
    frame: u32,
    /// The time as the film writes it.
    time: String,
    what: What,
}

enum What {
    Number(f64),
    Expression { text: String, expr: Expr },
}

impl Part {
    /// The keys inside the clip by frame; `None` when one cannot be said in the film's language.
    fn read(text: &str, bench: &Bench, is_tidy: bool) -> Option<Vec<Self>> {
        let mut parts: Vec<Self> = Vec::new();
        for key in split(text, Span::default(), Mode::Compat).ok()? {
            let (frame, time) = frame(key.frame, bench)?;
            let Some(frame) = u32::try_from(frame).ok().filter(|frame| *frame < bench.frames) else {
                continue;
            };
            let plain = sanitise(key.value);
            let what = if is_plain_number(&plain) {
                What::Number(plain.trim().parse().ok()?)
            } else {
                let expr = renamed(&python::expression(key.value, Span::default()).ok()?);
                let expr = if is_tidy { tidy(expr) } else { expr };
                What::Expression { text: expression(&expr)?, expr }
            };
            parts.retain(|part| part.frame != frame);
            parts.push(Self { frame, time, what });
        }
        parts.sort_by_key(|part| part.frame);
        (!parts.is_empty()).then_some(parts)
    }

    fn text(&self) -> String {
        match &self.what {
            What::Number(value) => number(*value),
            What::Expression { text, .. } => text.clone(),
        }
    }

    fn uses(&self, name: &str) -> bool {
        matches!(&self.what, What::Expression { expr, .. } if mentions(expr, name))
    }

    /// Whether it is the same number until the next key, without being a number that a line is drawn from.
    fn stays(&self) -> bool {
        matches!(self.what, What::Expression { .. }) && !self.uses("t")
    }

    /// Its value at a frame; NaN where there is none.
    fn at(&self, frame: u32, bench: &Bench) -> Option<f64> {
        match &self.what {
            What::Number(value) => Some(*value),
            What::Expression { expr, .. } => evaluated(expr, Some(frame), bench),
        }
    }
}

/// The frame of a key and how the film writes it.
fn frame(text: &str, bench: &Bench) -> Option<(i64, String)> {
    let plain = sanitise(text);
    if is_plain_number(plain.trim()) {
        let frame: i64 = plain.trim().parse().ok()?;
        return Some((frame, frame.to_string()));
    }
    let expr = python::expression(&unquote(text), Span::default()).ok()?;
    let value = evaluated(&expr, None, bench)?;
    Some((value.trunc() as i64, expression(&expr)?))
}

fn evaluated(expr: &Expr, frame: Option<u32>, bench: &Bench) -> Option<f64> {
    let names = |name: &str| match name {
        "t" => frame.map(|frame| eval::Value::Int(frame.into())),
        "max_f" => Some(eval::Value::Int(i64::from(bench.frames) - 1)),
        "s" => Some(eval::Value::Int(bench.seed)),
        _ => None,
    };
    numexpr::evaluate(expr, &names, Mode::Compat).ok()?.as_f64()
}

/// The names that numexpr sees by accident under their own: `i` is the frame too.
fn renamed(expr: &Expr) -> Expr {
    let inner = |expr: &Expr| Box::new(renamed(expr));
    let kind = match &expr.kind {
        ExprKind::Name(name) if name == "i" => ExprKind::Name("t".to_owned()),
        ExprKind::Unary(op, x) => ExprKind::Unary(*op, inner(x)),
        ExprKind::Binary(op, a, b) => ExprKind::Binary(*op, inner(a), inner(b)),
        ExprKind::Call { name, name_span, args, method } => {
            let mut args = args.clone();
            args.iter_mut().for_each(|arg| arg.value = renamed(&arg.value));
            ExprKind::Call { name: name.clone(), name_span: *name_span, args, method: *method }
        }
        other => other.clone(),
    };
    Expr { kind, span: expr.span }
}

/// Whether `name` occurs in the expression.
pub(super) fn mentions(expr: &Expr, name: &str) -> bool {
    match &expr.kind {
        ExprKind::Name(found) => found == name,
        ExprKind::Unary(_, x) => mentions(x, name),
        ExprKind::Binary(_, a, b) => mentions(a, name) || mentions(b, name),
        ExprKind::Call { args, .. } => args.iter().any(|arg| mentions(&arg.value, name)),
        _ => false,
    }
}

/// The schedule's own keys. What stays in Deforum because it is an expression without `t` stays here
/// because the next key is a cut.
fn keyed(parts: &[Part]) -> Vec<String> {
    let mut keys: Vec<Key> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let cut = index > 0 && parts[index - 1].stays();
        keys.push(Key { time: part.time.clone(), value: part.text(), cut });
    }
    texts(&keys)
}

/// Frames of the keys that Deforum does not look at.
fn beyond(text: &str, bench: &Bench) -> Vec<i64> {
    let keys = split(text, Span::default(), Mode::Compat).unwrap_or_default();
    let frames = keys.iter().filter_map(|key| frame(key.frame, bench)).map(|(frame, _)| frame);
    frames.filter(|frame| !(0..i64::from(bench.frames)).contains(frame)).collect()
}

/// Deforum draws a straight line over frames at which an expression is no number. The film says so with
/// keys: the expression runs up to each gap and goes on behind it.
fn around_gaps(bench: &Bench, place: Place, param: &str, parts: &[Part], wanted: &[f64]) -> Option<Track> {
    let pieces = pieces(bench, parts)?;
    let name = format!("{}_wave", param.replace('.', "_"));
    let repeated = |text: &str| {
        text.len() > 24 && pieces.iter().filter(|(_, value)| value.as_deref() == Some(text)).count() > 1
    };
    let shared = pieces.iter().find_map(|(_, value)| value.as_deref().filter(|text| repeated(text)));
    let keys: Vec<String> = pieces
        .iter()
        .map(|(frame, value)| match value {
            None => format!("{frame}: {}", number(wanted[*frame as usize])),
            Some(text) if Some(text.as_str()) == shared => format!("{frame}: {name}"),
            Some(text) => format!("{frame}: {text}"),
        })
        .collect();
    let lets: Vec<String> = shared.map(|text| format!("let {name} = {text}")).into_iter().collect();
    let value = shortest(Value::Keys(keys));
    bench.says(place, &lets, param, &value.text(), wanted).then(|| Track {
        lets,
        changes: vec![
            "Deforum draws a line over the frames at which it is not a number; keys do so here".to_owned(),
        ],
        ..Track::plain(value)
    })
}

/// Keys with an expression that runs, or with the value of that frame.
fn pieces(bench: &Bench, parts: &[Part]) -> Option<Vec<(u32, Option<String>)>> {
    let mut found: Vec<(u32, Option<String>)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let end = parts.get(index + 1).map_or(bench.frames, |next| next.frame);
        let What::Expression { text, .. } = &part.what else {
            found.push((part.frame, None));
            continue;
        };
        let mut start = None;
        for frame in part.frame..=end {
            let is_number = frame < end && !part.at(frame, bench)?.is_nan();
            match (start, is_number) {
                (None, true) => start = Some(frame),
                (Some(first), false) => {
                    found.push((first, (first + 1 < frame).then(|| text.clone())));
                    // Where the next part begins at once, the expression runs up to it.
                    if first + 1 < frame && frame < end {
                        found.push((frame - 1, None));
                    }
                    start = None;
                }
                _ => {}
            }
        }
    }
    if found.first().is_some_and(|(frame, _)| *frame > 0) {
        found.insert(0, (0, None));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::deforum::expand;

    fn line(text: &str, frames: u32) -> String {
        let bench = Bench { frames, fps: "12".into(), bpm: None, seed: 5 };
        let wanted = expand(text, frames, 5, Mode::Compat).unwrap();
        let track = schedule(&bench, Place::Film, "angle", text, &wanted).unwrap();
        track.lets.iter().map(|text| format!("{text}; ")).collect::<String>() + &track.value.text()
    }

    #[test]
    fn schedules_keep_their_keys_where_they_mean_the_same() {
        for (text, expected) in [
            ("0:(1.0), 30:(1.02)", "0: 1, 30: 1.02"),
            ("0: (1)", "1"),
            ("0:(1.0025+0.002*sin(1.25*3.14*t/30))", "1.0025 + 0.002 * sin(1.25 * 3.14 * t / 30)"),
            ("0:(1), \"max_f/2\":(2), max_f-1:(i)", "0: 1, max_f / 2: 2, max_f - 1: t"),
            // A blank inside the brackets makes it an expression, which stays.
            ("0:( 1 ), 30:( 2 )", "0: 1, 30: 2 ~cut"),
            ("30:(2), 0:(1), 30:(3), 99:(9), -4:(8)", "0: 1, 30: 3"),
            ("0:(s), 20:(s+1)", "0: s, 20: s + 1 ~cut"),
            ("0:(1)(2)", "12"),
        ] {
            assert_eq!(line(text, 40), expected, "{text}");
        }
    }

    #[test]
    fn gaps_of_an_expression_become_lines_between_keys() {
        assert_eq!(line("0:(sqrt(t-2))", 6), "0: 0, 2: sqrt(t - 2)");
        assert_eq!(
            line("0:(cos(t/2+0.25*3.14159/2)**0.9)", 22),
            "let angle_wave = cos(t / 2 + 0.25 * 3.14159 / 2)**0.9; 0: angle_wave, 2: 0.210631698006, \
             9: angle_wave, 14: 0.482624583544"
        );
    }

    #[test]
    fn long_lists_become_the_fewest_keys() {
        let text: Vec<String> =
            (0..40).map(|t| format!("{t}:({})", if t < 20 { 1.0 } else { 2.5 })).collect();
        assert_eq!(line(&text.join(", "), 40), "0: 1, 20: 2.5 ~cut");
        // What the language has no sign for is written as its values.
        assert_eq!(line("0:(t^1)", 4), "0: 1, 1: 0, 2: 3, 3: 2");
    }
}
