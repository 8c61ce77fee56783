//! A parameter over time: keys, and the value at any moment.

mod origin;

pub(super) use origin::{KeyAt, Origin};

use std::sync::Arc;

use super::clock::{Clock, context_of, lower};
use super::ease::progress;
use super::eval::{EvalError, Value, evaluate};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BinaryOp, Expr, ExprKind, TextPart};
use crate::schedule::film::{Ease, Key};
use crate::schedule::params::{Kind, Param};
use crate::schedule::span::Span;
use crate::schedule::units::{Context, Short};

/// A parameter's values on a clock.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub param: &'static Param,
    pub clock: Clock,
    /// By time; at least one.
    points: Vec<Point>,
    /// The value at each frame of the clock, where Deforum's reading of the keys counts.
    series: Option<Arc<[f64]>>,
}

#[derive(Clone, Debug)]
struct Point {
    /// Frames on the clock; not always whole.
    time: f64,
    value: Expr,
    /// The value differs from frame to frame and runs until the next point.
    runs: bool,
    ease: Ease,
}

impl Line {
    /// The keys of `param` on `clock`; what is odd about them goes to `warnings`.
    ///
    /// # Errors
    /// A key whose time cannot be computed.
    pub fn new(
        param: &'static Param,
        keys: &[Key],
        clock: Clock,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Self, Diagnostic> {
        let mut points = Vec::with_capacity(keys.len());
        for key in keys {
            let time = key.time.as_ref().map_or(Ok(0.0), |time| key_time(time, &clock))?;
            let value = lower(&key.value, context_of(param.kind), &clock).map_err(unit_error)?;
            points.push((key.span, Point { time, value, runs: key.changes, ease: key.ease }));
        }
        points.sort_by(|a, b| a.1.time.total_cmp(&b.1.time));
        warn(param, &points, &clock, warnings);
        Ok(Self { param, clock, points: points.into_iter().map(|(_, point)| point).collect(), series: None })
    }

    /// The same with values computed elsewhere, one a frame of the clock.
    pub fn with_series(self, series: Option<Arc<[f64]>>) -> Self {
        Self { series, ..self }
    }

    /// Whether the value is the same at all times.
    pub fn is_constant(&self) -> bool {
        matches!(self.points.as_slice(), [point] if !point.runs)
    }

    /// Where its first value stands.
    pub fn span(&self) -> Span {
        self.points.first().map_or(Span::default(), |point| point.value.span)
    }

    /// The value at a frame of the film, and where it comes from.
    pub fn at(&self, frame: u32) -> Result<(Value, Span), EvalError> {
        let t = self.clock.local(frame);
        let after = self.points.partition_point(|point| point.time <= t);
        let Some(at) = after.checked_sub(1) else {
            let first = &self.points[0];
            if let Some(series) = &self.series {
                return self.in_series(series, t).map(|value| (value, first.value.span));
            }
            return Ok((self.compute(first, first.time)?, first.value.span));
        };
        let point = &self.points[at];
        if let Some(series) = &self.series {
            return self.in_series(series, t).map(|value| (value, point.value.span));
        }
        if point.runs {
            return Ok((self.compute(point, t)?, point.value.span));
        }
        let value = self.compute(point, point.time)?;
        let Some(next) = self.points.get(after).filter(|_| self.is_number()) else {
            return Ok((value, point.value.span));
        };
        let way = progress(next.ease, (t - point.time) / (next.time - point.time));
        if way == 0.0 {
            return Ok((value, point.value.span));
        }
        let target = self.compute(next, next.time)?;
        let mixed = value.as_f64().zip(target.as_f64()).map(|(a, b)| Value::Float(a + (b - a) * way));
        Ok((mixed.unwrap_or(value), next.value.span))
    }

    fn in_series(&self, series: &[f64], t: f64) -> Result<Value, EvalError> {
        let index = (t.max(0.0) as usize).min(series.len().saturating_sub(1));
        match series.get(index) {
            Some(value) if value.is_finite() => Ok(Value::Float(*value)),
            found => {
                let after = self.points.partition_point(|point| point.time <= t);
                let point = &self.points[after.saturating_sub(1)];
                Err(self.not_finite(&point.value, t, found.copied().unwrap_or(f64::NAN)))
            }
        }
    }

    /// Where a text is at a frame of the film on its way to the next key: that key's text and the share of the
    /// way; `None` while one text holds. Holes are filled with what they are worth at the frame.
    pub fn ahead(&self, frame: u32) -> Result<Option<(Value, f64)>, EvalError> {
        let t = self.clock.local(frame);
        let after = self.points.partition_point(|point| point.time <= t);
        let (Some(point), Some(next)) =
            (after.checked_sub(1).map(|at| &self.points[at]), self.points.get(after))
        else {
            return Ok(None);
        };
        let way = progress(next.ease, (t - point.time) / (next.time - point.time));
        if way == 0.0 {
            return Ok(None);
        }
        let moment = if next.runs { t } else { next.time };
        self.compute(next, moment).map(|value| Some((value, way)))
    }

    fn is_number(&self) -> bool {
        matches!(self.param.kind, Kind::Number(_) | Kind::Integer)
    }

    fn compute(&self, point: &Point, t: f64) -> Result<Value, EvalError> {
        let value = evaluate(&point.value, &self.clock.at(t))?;
        if let ExprKind::Text(parts) = &point.value.kind {
            self.check_holes(parts, t)?;
        }
        match value.as_f64() {
            Some(number) if !number.is_finite() => Err(self.not_finite(&point.value, t, number)),
            _ => Ok(value),
        }
    }

    /// «inf» in a prompt is never meant.
    fn check_holes(&self, parts: &[TextPart], t: f64) -> Result<(), EvalError> {
        for part in parts {
            let TextPart::Hole(hole) = part else { continue };
            let number = evaluate(hole, &self.clock.at(t))?.as_f64();
            if let Some(number) = number.filter(|number| !number.is_finite()) {
                return Err(self.not_finite(hole, t, number));
            }
        }
        Ok(())
    }

    /// Why a value is infinite or not a number: the division whose divisor is 0, when there is one.
    fn not_finite(&self, expr: &Expr, t: f64, number: f64) -> EvalError {
        let zero = division_by_zero(expr, &|divisor| {
            evaluate(divisor, &self.clock.at(t)).ok().and_then(|value| value.as_f64()) == Some(0.0)
        });
        let message = match zero {
            Some(_) => "division by zero".to_owned(),
            None if number.is_nan() => "the value is not a number".to_owned(),
            None => "the value is infinite".to_owned(),
        };
        let hint = zero.map_or(
            "keep every value finite, for example with `where`",
            |_| "add something to the divisor, or choose with `where` what the value is there",
        );
        EvalError { span: zero.unwrap_or(expr.span), message, hint: Some(hint.to_owned()) }
    }
}

/// The first divisor for which `is_zero` holds.
fn division_by_zero(expr: &Expr, is_zero: &dyn Fn(&Expr) -> bool) -> Option<Span> {
    let inner = |expr: &Expr| division_by_zero(expr, is_zero);
    match &expr.kind {
        ExprKind::Unary(_, x) => inner(x),
        ExprKind::Binary(op, a, b) => {
            let divides = matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Rem);
            inner(a).or_else(|| inner(b)).or_else(|| (divides && is_zero(b)).then_some(expr.span))
        }
        ExprKind::Call { args, .. } => args.iter().find_map(|arg| inner(&arg.value)),
        ExprKind::List(items) => items.iter().find_map(inner),
        ExprKind::Series(call) => call.at.as_ref().and_then(inner),
        _ => None,
    }
}

/// The frame of a key. A time without a unit is a whole frame, cut off towards zero as Deforum does.
pub(super) fn key_time(time: &Expr, clock: &Clock) -> Result<f64, Diagnostic> {
    let lowered = lower(time, Context::KeyTime, clock).map_err(unit_error)?;
    let wrong = |message: String, span| Diagnostic::error("E35", message, span);
    let value = evaluate(&lowered, &clock.at(0.0)).map_err(|error| wrong(error.message, error.span))?;
    let frames = value.as_f64().filter(|frames| frames.abs() <= 1e9);
    let frames = frames.ok_or_else(|| wrong(format!("expected a time, found {value}"), time.span))?;
    Ok(if has_unit(time) { frames } else { frames.trunc() })
}

pub(super) fn has_unit(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Quantity { .. } => true,
        ExprKind::Unary(_, x) => has_unit(x),
        ExprKind::Binary(_, a, b) => has_unit(a) || has_unit(b),
        ExprKind::Call { args, .. } => args.iter().any(|arg| has_unit(&arg.value)),
        _ => false,
    }
}

pub(super) fn unit_error((expr, message): (Expr, String)) -> Diagnostic {
    Diagnostic::error("E35", message, expr.span)
}

fn warn(param: &Param, points: &[(Span, Point)], clock: &Clock, warnings: &mut Vec<Diagnostic>) {
    let end = f64::from(clock.length);
    let seconds = |frames: f64| frames / clock.tempo.rate.as_f64();
    for (span, point) in points.iter().filter(|(_, point)| point.time > end) {
        let message = format!(
            "this key of `{}` is at frame {} ({:.1} s), after the end at frame {end} ({:.1} s)",
            param.name,
            Short(point.time),
            seconds(point.time),
            seconds(end)
        );
        warnings.push(
            Diagnostic::warning("W03", message, *span).hint("the value only goes part of the way to it"),
        );
    }
    for pair in points.windows(2).filter(|pair| pair[0].1.time == pair[1].1.time) {
        let message = format!(
            "two keys of `{}` are at frame {}, the later one holds",
            param.name,
            Short(pair[1].1.time)
        );
        warnings.push(Diagnostic::warning("W06", message, pair[1].0).also(pair[0].0, "the other one"));
    }
    for pair in points.windows(2) {
        let eased = !matches!(pair[1].1.ease, Ease::Linear | Ease::Cut);
        // A text with holes is filled frame by frame on its way to the next one.
        if pair[0].1.runs && eased && param.kind != Kind::Text {
            let message = "this ease has no effect: the value before it runs until this key";
            warnings.push(Diagnostic::warning("W05", message, pair[1].0));
        }
    }
}
