//! Units against what a parameter measures, and literals against its range.

use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BaseUnit, Expr, ExprKind, TextPart, TimeUnit, UnaryOp, Unit};
use crate::schedule::functions::find_function;
use crate::schedule::params::Measure;
use crate::schedule::sounds;
use crate::schedule::span::Span;
use crate::schedule::units::{Context, Tempo, amount, describe, fits, sides};

/// Reports every number in `expr` whose unit does not fit. `name` is what the value is for.
pub(super) fn check(name: &str, expr: &Expr, context: Context, tempo: &Tempo, list: &mut Vec<Diagnostic>) {
    match &expr.kind {
        ExprKind::Quantity { unit, .. } => quantity(name, *unit, expr.span, context, tempo, list),
        ExprKind::Unary(_, x) => check(name, x, context, tempo, list),
        ExprKind::Binary(op, a, b) => {
            let (left, right) = sides(*op, context);
            check(name, a, left, tempo, list);
            check(name, b, right, tempo, list);
        }
        // Their arguments have units of their own, which `sound` has checked.
        ExprKind::Call { .. } if sounds::of(expr).is_some() => {}
        ExprKind::Call { name: called, args, .. } => {
            let function = find_function(called);
            for (index, arg) in args.iter().enumerate() {
                let inner = function.map_or(Context::Inner, |function| function.context_of(index, context));
                let of_its_own = matches!(inner, Context::Value(_)) && inner != context;
                let name = function.filter(|_| of_its_own).map_or(name, |function| function.order()[index]);
                check(name, &arg.value, inner, tempo, list);
            }
        }
        ExprKind::List(items) => items.iter().for_each(|item| check(name, item, context, tempo, list)),
        ExprKind::Series(call) => {
            call.at.iter().for_each(|at| check(name, at, Context::Inner, tempo, list));
        }
        ExprKind::Text(parts) => {
            for part in parts {
                if let TextPart::Hole(hole) = part {
                    check(name, hole, Context::Inner, tempo, list);
                }
            }
        }
        _ => {}
    }
}

fn quantity(name: &str, unit: Unit, span: Span, context: Context, tempo: &Tempo, list: &mut Vec<Diagnostic>) {
    if !fits(unit, context) {
        list.push(misfit(name, unit, span, context));
        return;
    }
    let beats = |time| matches!(time, TimeUnit::Beats | TimeUnit::Bars);
    let counts_beats =
        unit.per.is_some_and(beats) || matches!(unit.base, BaseUnit::Time(time) if beats(time));
    if counts_beats && tempo.bpm.is_none() {
        let found = Diagnostic::error("E35", "beats need `bpm`, which the film does not give", span);
        list.push(found.hint("say how fast the music is: `video { bpm = 120 }`"));
    }
}

fn misfit(name: &str, unit: Unit, span: Span, context: Context) -> Diagnostic {
    let found = describe(unit);
    let (message, label) = match context {
        Context::Value(measure) => {
            (format!("`{name}` takes {}, this is {found}", measure.describe()), better(name, measure, unit))
        }
        Context::KeyTime => (
            format!("a key's time is a time, this is {found}"),
            Some("for example `30`, `2.5s`, `50%`".to_owned()),
        ),
        Context::Inner => (format!("{found} has no meaning inside a function or comparison"), None),
    };
    Diagnostic::error("E31", message, span).label(label)
}

/// The parameter or spelling that was probably meant.
fn better(name: &str, measure: Measure, unit: Unit) -> Option<String> {
    let instead = match (unit.base, name) {
        (BaseUnit::Degrees, "translation_z") => "for turning, use `rotation_3d_z`",
        (BaseUnit::Degrees, "translation_x") => "for turning left and right, use `rotation_3d_y`",
        (BaseUnit::Degrees, "translation_y") => "for turning up and down, use `rotation_3d_x`",
        (BaseUnit::Degrees, "zoom") => "for turning, use `angle`",
        (BaseUnit::Pixels, "angle" | "zoom") => "for moving, use `translation_x` or `translation_y`",
        (BaseUnit::Pixels, "rotation_3d_x") => "for moving up and down, use `translation_y`",
        (BaseUnit::Pixels, "rotation_3d_y") => "for moving left and right, use `translation_x`",
        (BaseUnit::Pixels, "rotation_3d_z") => "for moving, use `translation_x` or `translation_y`",
        (BaseUnit::Factor, "translation_z") => "for enlarging a flat picture, use `zoom`",
        _ => return unit_hint(measure, unit),
    };
    Some(instead.to_owned())
}

fn unit_hint(measure: Measure, unit: Unit) -> Option<String> {
    let text = match measure {
        Measure::Angle if unit.base == BaseUnit::Degrees => "it is no speed: write `70deg`",
        Measure::Factor => "write `1.02`, or `1.35x/s` for a factor per second",
        Measure::Turn => "write `2deg` for each frame, or `40deg/s`",
        Measure::Angle => "write `70deg`",
        Measure::Shift => "write `10px` for each frame, or `-40px/s`",
        Measure::Time => "write `120`, `8s` or `4b`",
        Measure::Frequency => "write `440Hz`",
        Measure::Rate | Measure::Plain => "write the number alone",
    };
    Some(text.to_owned())
}

/// The number that a literal, with or without a sign, is worth; `None` for anything else.
pub(super) fn literal(expr: &Expr, context: Context, tempo: &Tempo) -> Option<f64> {
    match &expr.kind {
        ExprKind::Int(value) => Some(*value as f64),
        ExprKind::Float(value) => Some(*value),
        ExprKind::Quantity { value, unit } => amount(*value, *unit, context, tempo, 0.0).ok(),
        ExprKind::Unary(UnaryOp::Neg, x) => literal(x, context, tempo).map(|value| -value),
        ExprKind::Unary(UnaryOp::Pos, x) => literal(x, context, tempo),
        _ => None,
    }
}

/// A number without a unit.
pub(super) fn plain_number(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Int(value) => Some(*value as f64),
        ExprKind::Float(value) => Some(*value),
        _ => None,
    }
}
