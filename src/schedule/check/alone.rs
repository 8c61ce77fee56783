//! A value without a film round it: the part of a setting behind the `=`.

use std::path::Path;

use super::Checker;
use super::scope::Scope;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BaseUnit, BinaryOp, Expr, ExprKind};
use crate::schedule::film::{Ease, Film, Key, Setting, SettingValue};
use crate::schedule::functions::find_function;
use crate::schedule::params::{Measure, Param, alone, find};
use crate::schedule::read_all;
use crate::schedule::source::Sources;
use crate::schedule::span::Span;
use crate::schedule::syntax::{Name, Value};
use crate::schedule::units::Tempo;

/// A film of `frames` frames whose only setting, called [`alone::NAME`], is `value`. Without `param` it
/// is a number of the measure that its units show.
pub(in crate::schedule) fn check_alone(
    sources: Sources,
    value: &Value,
    param: Option<&'static Param>,
    tempo: Tempo,
    frames: u32,
    list: &mut Vec<Diagnostic>,
) -> Film {
    // An empty film is missing a version, a length and a prompt, and none of that matters here.
    let (mut film, _) = read_all(Path::new(""), "", "");
    film.sources = sources;
    film.tempo = tempo;
    film.settings.extend(length(frames));
    let mut checker = Checker { film, list: Vec::new(), scope: Scope::default(), is_chosen: false };
    let param = param.unwrap_or_else(|| alone::number_of(measure_of(value)));
    let found = checker.value(param, value);
    list.append(&mut checker.list);
    let mut film = checker.film;
    if let Some(value_found) = found {
        let name = Name { text: alone::NAME.to_owned(), span: value.span() };
        film.settings.insert(alone::NAME, Setting { param, name, replaced: Vec::new(), value: value_found });
    }
    film
}

/// `frames = ...`
fn length(frames: u32) -> Option<(&'static str, Setting)> {
    let param = find("frames")?;
    let span = Span::default();
    let value = Expr { kind: ExprKind::Int(frames.into()), span };
    let key = Key { time: None, value, ease: Ease::Linear, span, changes: false };
    let name = Name { text: param.name.to_owned(), span };
    Some((param.name, Setting { param, name, replaced: Vec::new(), value: SettingValue::Track(vec![key]) }))
}

/// What the first unit in `value` measures; a plain number without any.
fn measure_of(value: &Value) -> Measure {
    let found = match value {
        Value::Expr(expr) => first_unit(expr),
        Value::Keys(keys) => keys.iter().find_map(|key| first_unit(&key.value)),
    };
    match found {
        Some(BaseUnit::Factor) => Measure::Factor,
        Some(BaseUnit::Degrees) => Measure::Turn,
        Some(BaseUnit::Pixels) => Measure::Shift,
        Some(BaseUnit::Time(_)) => Measure::Time,
        Some(BaseUnit::Percent | BaseUnit::Hertz) | None => Measure::Plain,
    }
}

/// The first unit that the value itself has; those inside functions and divisors are none of it.
fn first_unit(expr: &Expr) -> Option<BaseUnit> {
    match &expr.kind {
        ExprKind::Quantity { unit, .. } if unit.base != BaseUnit::Percent => Some(unit.base),
        ExprKind::Unary(_, x) => first_unit(x),
        ExprKind::Binary(op, a, b) => match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Rem => {
                first_unit(a).or_else(|| first_unit(b))
            }
            BinaryOp::Div | BinaryOp::FloorDiv => first_unit(a),
            _ => None,
        },
        ExprKind::Call { name, args, .. } => {
            let function = find_function(name)?;
            let kept = args.iter().enumerate().filter(|(index, _)| function.keeps_unit_of(*index));
            kept.map(|(_, arg)| arg).find_map(|arg| first_unit(&arg.value))
        }
        ExprKind::List(items) => items.iter().find_map(first_unit),
        _ => None,
    }
}
