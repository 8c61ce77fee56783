//! Time as a scene or the whole film sees it, and what names are worth at a moment of it.

use super::eval::{Names, Value};
use crate::schedule::expr::{Expr, ExprKind, TextPart, Unit};
use crate::schedule::functions::find_function;
use crate::schedule::params::{Kind, Measure};
use crate::schedule::series::SeriesCall;
use crate::schedule::units::{Context, Tempo, amount, sides};

/// A stretch of the film with a time of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    /// The film's frame at which it stands at 0.
    pub start: u32,
    /// Its length in frames, at least 1.
    pub length: u32,
    /// Frames per second, beats per minute.
    pub tempo: Tempo,
    /// The start seed, `s`.
    pub seed: i64,
}

impl Clock {
    /// Its own time at a frame of the film.
    pub fn local(&self, frame: u32) -> f64 {
        f64::from(frame) - f64::from(self.start)
    }

    /// The names at its own time `t`, in frames.
    pub fn at(&self, t: f64) -> Moment<'_> {
        Moment { clock: self, t }
    }
}

/// A moment of a clock.
pub(super) struct Moment<'a> {
    clock: &'a Clock,
    t: f64,
}

/// A name of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Frame,
    Last,
    Seed,
    Seconds,
    Beat,
    Share,
    Rate,
}

impl Variable {
    /// The variable called `name`.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "t" => Self::Frame,
            "max_f" => Self::Last,
            "s" => Self::Seed,
            "sec" => Self::Seconds,
            "beat" => Self::Beat,
            "u" => Self::Share,
            "fps" => Self::Rate,
            _ => return None,
        })
    }

    /// Whether it differs from frame to frame.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Last | Self::Seed | Self::Rate)
    }
}

impl Clock {
    /// What a name is worth at its own time `t`, in frames; `None` is `beat` in a film without `bpm`.
    pub fn variable(&self, variable: Variable, t: f64) -> Option<Value> {
        let rate = self.tempo.rate;
        let seconds = || t * f64::from(rate.den) / f64::from(rate.num);
        Some(match variable {
            // A whole frame is an integer, as in Deforum: `t/2` and `t%3` follow its rules.
            Variable::Frame if t.fract() == 0.0 => Value::Int(t as i64),
            Variable::Frame => Value::Float(t),
            Variable::Last => Value::Int(i64::from(self.length) - 1),
            Variable::Seed => Value::Int(self.seed),
            Variable::Seconds => Value::Float(seconds()),
            Variable::Beat => Value::Float(seconds() * self.tempo.bpm? / 60.0),
            Variable::Share => Value::Float(t / f64::from(self.length)),
            Variable::Rate => Value::Float(rate.as_f64()),
        })
    }
}

impl Names for Moment<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.clock.variable(Variable::of(name)?, self.t)
    }

    fn call(&self, _: &str, _: &[(Option<&str>, Value)]) -> Option<Result<Value, String>> {
        None
    }

    fn film_frame(&self) -> Option<f64> {
        Some(f64::from(self.clock.start) + self.t)
    }

    fn quantity(&self, value: f64, unit: Unit) -> Result<Value, String> {
        amount(value, unit, Context::Inner, &self.clock.tempo, f64::from(self.clock.length)).map(Value::Float)
    }
}

/// `expr` with every number that has a unit replaced by what it is worth there.
///
/// # Errors
/// A unit without a meaning at its place, with the place.
pub(super) fn lower(expr: &Expr, context: Context, clock: &Clock) -> Result<Expr, (Expr, String)> {
    let inner = |expr: &Expr, context| lower(expr, context, clock);
    let kind = match &expr.kind {
        ExprKind::Quantity { value, unit } => {
            amount(*value, *unit, context, &clock.tempo, f64::from(clock.length))
                .map(ExprKind::Float)
                .map_err(|message| (expr.clone(), message))?
        }
        ExprKind::Unary(op, x) => ExprKind::Unary(*op, Box::new(inner(x, context)?)),
        ExprKind::Binary(op, a, b) => {
            let (left, right) = sides(*op, context);
            ExprKind::Binary(*op, Box::new(inner(a, left)?), Box::new(inner(b, right)?))
        }
        ExprKind::List(items) => {
            ExprKind::List(items.iter().map(|item| inner(item, context)).collect::<Result<_, _>>()?)
        }
        ExprKind::Series(call) => {
            let at = call.at.as_ref().map(|at| inner(at, Context::Inner)).transpose()?;
            ExprKind::Series(Box::new(SeriesCall { series: call.series.clone(), at }))
        }
        ExprKind::Text(parts) => ExprKind::Text(
            parts
                .iter()
                .map(|part| match part {
                    TextPart::Literal(text) => Ok(TextPart::Literal(text.clone())),
                    TextPart::Hole(hole) => inner(hole, Context::Inner).map(TextPart::Hole),
                })
                .collect::<Result<_, _>>()?,
        ),
        ExprKind::Call { name, name_span, args, method } => {
            let function = find_function(name);
            let mut lowered = args.clone();
            for (index, arg) in lowered.iter_mut().enumerate() {
                let context = function.map_or(Context::Inner, |function| function.context_of(index, context));
                arg.value = inner(&arg.value, context)?;
            }
            ExprKind::Call { name: name.clone(), name_span: *name_span, args: lowered, method: *method }
        }
        other => other.clone(),
    };
    Ok(Expr { kind, span: expr.span })
}

/// Where numbers in a value of that kind stand.
pub(super) fn context_of(kind: Kind) -> Context {
    match kind {
        Kind::Number(measure) => Context::Value(measure),
        Kind::Integer | Kind::Vector => Context::Value(Measure::Plain),
        _ => Context::Inner,
    }
}
