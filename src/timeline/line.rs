//! A parameter over time: keys, and the value at any moment.

mod origin;
mod telling;

pub(super) use origin::{KeyAt, Origin};

use std::sync::Arc;

use super::clock::{Clock, context_of, lower};
use super::ease::progress;
use super::eval::code::Code;
use super::eval::{EvalError, Value, evaluate};
use super::through::{End, Way, hermite, speed};
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
    code: Code,
    /// The value at the key's own time; `None` when it cannot be computed.
    at_key: Option<Value>,
    /// The value differs from frame to frame and runs until the next point.
    runs: bool,
    ease: Ease,
    /// For a way to this point that goes through the keys around it: each number's speed at both ends.
    speeds: Vec<[f64; 2]>,
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
            let code = Code::new(&value, &clock);
            let speeds = Vec::new();
            let point = Point { time, value, code, at_key: None, runs: key.changes, ease: key.ease, speeds };
            points.push((key.span, point));
        }
        points.sort_by(|a, b| a.1.time.total_cmp(&b.1.time));
        warn(param, &points, &clock, warnings);
        let points = points.into_iter().map(|(_, point)| point).collect();
        let mut line = Self { param, clock, points, series: None };
        let at_keys: Vec<_> = line.points.iter().map(|point| line.compute(point, point.time).ok()).collect();
        line.points.iter_mut().zip(at_keys).for_each(|(point, value)| point.at_key = value);
        line.find_speeds();
        Ok(line)
    }

    /// The same with values computed elsewhere, one a frame of the clock.
    pub fn with_series(self, series: Option<Arc<[f64]>>) -> Self {
        Self { series, ..self }
    }

    /// When its keys are, in frames of its clock, ascending.
    pub fn times(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.time).collect()
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
            // Before its beginning, where only a loop's round after looks, a running value has run already.
            let value = match first.runs && first.time <= 0.0 {
                true => self.compute(first, t)?,
                false => self.at_key(first)?,
            };
            return Ok((value, first.value.span));
        };
        let point = &self.points[at];
        if let Some(series) = &self.series {
            return self.in_series(series, t).map(|value| (value, point.value.span));
        }
        let next = self.points.get(after).filter(|_| self.is_number());
        match next {
            Some(next) if next.ease == Ease::Blend => self.blended(point, next, t),
            _ if point.runs => Ok((self.compute(point, t)?, point.value.span)),
            Some(next) => self.between(point, next, t),
            None => Ok((self.at_key(point)?, point.value.span)),
        }
    }

    /// On the way from one key to the next.
    fn between(&self, point: &Point, next: &Point, t: f64) -> Result<(Value, Span), EvalError> {
        let time = next.time - point.time;
        let share = (t - point.time) / time;
        let way = progress(next.ease, share);
        // Nearly all values are numbers, and this is what nearly all the time goes to.
        if let (Some(Value::Float(a)), Some(Value::Float(b)), []) =
            (&point.at_key, &next.at_key, next.speeds.as_slice())
            && way != 0.0
        {
            return Ok((Value::Float(a + (b - a) * way), next.value.span));
        }
        let value = self.at_key(point)?;
        if way == 0.0 {
            return Ok((value, point.value.span));
        }
        let target = self.at_key(next)?;
        let mixed = mixed(&value, &target, |index, a, b| match next.speeds.get(index) {
            Some(speeds) => hermite(a, b, *speeds, time, share),
            None => a + (b - a) * way,
        });
        self.same_length(next, mixed)
    }

    /// Both values go on while one fades into the other.
    fn blended(&self, point: &Point, next: &Point, t: f64) -> Result<(Value, Span), EvalError> {
        let share = (t - point.time) / (next.time - point.time);
        let value = self.compute(point, t)?;
        if share == 0.0 {
            return Ok((value, point.value.span));
        }
        let mixed = mixed(&value, &self.compute(next, t)?, |_, a, b| a + (b - a) * share);
        self.same_length(next, mixed)
    }

    fn same_length(&self, next: &Point, mixed: Option<Value>) -> Result<(Value, Span), EvalError> {
        let span = next.value.span;
        mixed.map(|value| (value, span)).ok_or_else(|| EvalError {
            span,
            message: format!("`{}` cannot get from the value before to this one", self.param.name),
            hint: Some("both are numbers, or vectors of one length".to_owned()),
        })
    }

    fn at_key(&self, point: &Point) -> Result<Value, EvalError> {
        point.at_key.clone().map_or_else(|| self.compute(point, point.time), Ok)
    }

    /// The speeds at both ends of every way that goes through its keys.
    fn find_speeds(&mut self) {
        if !self.points.iter().any(|point| matches!(point.ease, Ease::Monotone | Ease::CatmullRom)) {
            return;
        }
        let numbers: Vec<Vec<f64>> =
            self.points.iter().map(|p| p.at_key.as_ref().and_then(components).unwrap_or_default()).collect();
        // The way that leads to point number `to`, for the number `index`.
        let way = |to: usize, index: usize| -> Option<Way> {
            let (from, to) = (to.checked_sub(1)?, self.points.get(to).map(|_| to)?);
            let time = self.points[to].time - self.points[from].time;
            let (a, b) = (numbers[from].get(index)?, numbers[to].get(index)?);
            let exists = time > 0.0 && !self.points[from].runs && numbers[from].len() == numbers[to].len();
            exists.then_some(Way { time, secant: (b - a) / time, ease: self.points[to].ease })
        };
        let speeds: Vec<Vec<[f64; 2]>> = (0..self.points.len())
            .map(|to| {
                (0..numbers[to].len())
                    .map_while(|index| {
                        let own = way(to, index).filter(|own| own.is_through())?;
                        let (before, after) = (way(to - 1, index), way(to + 1, index));
                        Some([speed(own, before, after, End::Start), speed(own, after, before, End::Finish)])
                    })
                    .collect()
            })
            .collect();
        self.points.iter_mut().zip(speeds).for_each(|(point, speeds)| point.speeds = speeds);
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
        matches!(self.param.kind, Kind::Number(_) | Kind::Integer | Kind::Vector)
    }

    fn compute(&self, point: &Point, t: f64) -> Result<Value, EvalError> {
        let value = point.code.at(&self.clock, t)?;
        if let (ExprKind::Text(parts), Value::Text(text)) = (&point.value.kind, &value)
            && (text.contains("inf") || text.contains("nan"))
        {
            self.check_holes(parts, t)?;
        }
        let wrong = match &value {
            Value::Float(number) => Some(*number).filter(|number| !number.is_finite()),
            Value::List(items) => items.iter().filter_map(Value::as_f64).find(|number| !number.is_finite()),
            _ => None,
        };
        wrong.map_or(Ok(value), |number| Err(self.not_finite(&point.value, t, number)))
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

/// The numbers of a number or vector.
fn components(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::List(items) => items.iter().map(Value::as_f64).collect(),
        other => other.as_f64().map(|number| vec![number]),
    }
}

/// Two numbers, or two vectors item by item; `None` when they do not go together.
fn mixed(a: &Value, b: &Value, mix: impl Fn(usize, f64, f64) -> f64) -> Option<Value> {
    match (a, b) {
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            let items = pairs.map(|(i, (a, b))| Some(Value::Float(mix(i, a.as_f64()?, b.as_f64()?))));
            items.collect::<Option<_>>().map(Value::List)
        }
        (a, b) => Some(Value::Float(mix(0, a.as_f64()?, b.as_f64()?))),
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
        let eased = !matches!(pair[1].1.ease, Ease::Linear | Ease::Cut | Ease::Blend);
        // A text with holes is filled frame by frame on its way to the next one.
        if pair[0].1.runs && eased && param.kind != Kind::Text {
            let message = "this ease has no effect: the value before it runs until this key";
            warnings.push(
                Diagnostic::warning("W05", message, pair[1].0)
                    .hint("`~blend` fades from a running value to the next"),
            );
        }
    }
}
