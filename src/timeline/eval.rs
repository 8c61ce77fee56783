//! Computes an expression. Values are typed as in numexpr, the evaluator behind Deforum's schedules:
//! truth values, 64-bit integers that wrap, and IEEE doubles (numexpr 2.14.2, observed by running it).
//! Films of our own have a few more functions, lists and text. There is no state and no clock: the
//! same names give the same value, in any order of frames.

pub(super) mod arith;
pub(super) mod code;
mod functions;
pub(super) mod random;
pub(super) mod spline;
mod value;
pub(super) mod vector;
mod wave;

pub use functions::{Function, constant_names, function_names};
pub use spline::Spline;
pub use value::{Value, print_float};

use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, Frames, TextPart, UnaryOp, Unit};
use crate::schedule::series::SeriesCall;
use crate::schedule::span::Span;

/// Deepest nesting that is evaluated: brackets in brackets, calls in calls. Chains such as
/// `a + b + c` are not deep, however long.
pub const MAX_DEPTH: usize = 256;

/// Largest text or list that an expression may build, in bytes or items.
pub const MAX_LENGTH: usize = 1 << 20;

/// What the names of an expression mean at one moment of the film.
pub trait Names {
    /// The value of a variable, or `None` when there is no such name.
    fn value(&self, name: &str) -> Option<Value>;

    /// Calls a function that is not built in; `None` when there is no such function. A method's
    /// receiver is the first argument. The message of an error is lower case, without a full stop.
    fn call(&self, name: &str, args: &[(Option<&str>, Value)]) -> Option<Result<Value, String>>;

    /// What a number with a unit is worth here, in the unit the surroundings count in.
    fn quantity(&self, value: f64, unit: Unit) -> Result<Value, String>;

    /// The film's own frame at this moment, with fractions; `None` where there is no film.
    fn film_frame(&self) -> Option<f64> {
        None
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// The part of the expression that is wrong.
    pub span: Span,
    /// Lower case, what was expected and found, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl EvalError {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A message and perhaps a hint, before it is known where it belongs.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn at(self, span: Span) -> EvalError {
        EvalError { span, message: self.message, hint: self.hint }
    }
}

/// The value of `expr` with the given names.
///
/// # Errors
/// Unknown names and functions, wrong number or kind of operands and arguments, whatever `names`
/// refuses, and nesting beyond [`MAX_DEPTH`].
pub fn evaluate(expr: &Expr, names: &dyn Names) -> Result<Value, EvalError> {
    Evaluator { names }.expr(expr, 0)
}

/// The operator as it is written.
pub fn operator_text(op: BinaryOp) -> &'static str {
    arith::text(op)
}

/// Calls the built-in function `name` with values, or `None` when there is none of that name. Spans in
/// errors are empty.
pub(super) fn call_builtin(name: &str, args: &[(Option<&str>, Value)]) -> Option<Result<Value, EvalError>> {
    functions::find(name).map(|f| f.call(args).map_err(|p| p.at(Span::default())))
}

struct Evaluator<'a> {
    names: &'a dyn Names,
}

impl Evaluator<'_> {
    fn expr(&self, expr: &Expr, depth: usize) -> Result<Value, EvalError> {
        if depth > MAX_DEPTH {
            return Err(EvalError::new(expr.span, format!("expected at most {MAX_DEPTH} levels of nesting"))
                .hint("give a part of it a name with `let`"));
        }
        let depth = depth + 1;
        match &expr.kind {
            ExprKind::Int(v) => Ok(Value::Int(*v)),
            ExprKind::Float(v) => Ok(Value::Float(*v)),
            ExprKind::Quantity { value, unit } => {
                self.names.quantity(*value, *unit).map_err(|m| EvalError::new(expr.span, m))
            }
            ExprKind::Size(w, h) => Ok(Value::List(vec![Value::Int((*w).into()), Value::Int((*h).into())])),
            ExprKind::Text(parts) => self.text(parts, expr.span, depth),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Unary(op, x) => self.unary(*op, x, expr.span, depth),
            ExprKind::Binary(..) => self.chain(expr, depth),
            ExprKind::Call { name, name_span, args, .. } => {
                self.call(name, *name_span, args, expr.span, depth)
            }
            ExprKind::List(items) => {
                items.iter().map(|x| self.expr(x, depth)).collect::<Result<_, _>>().map(Value::List)
            }
            ExprKind::Series(call) => self.series(call, expr.span, depth),
            ExprKind::Frames(frames) => self.frames(frames, expr.span),
        }
    }

    /// The value of a series at a moment, which is given in frames.
    fn series(&self, call: &SeriesCall, span: Span, depth: usize) -> Result<Value, EvalError> {
        let (at, at_span) = match &call.at {
            Some(at) => (self.expr(at, depth)?, at.span),
            None => (self.name("t", span)?, span),
        };
        let frame = at.as_f64().filter(|frame| frame.is_finite());
        let frame = frame.ok_or_else(|| EvalError::new(at_span, format!("expected a time, found {at}")))?;
        let fps = self.name("fps", span)?.as_f64().unwrap_or(1.0);
        Ok(Value::Float(call.series.at(frame, fps)))
    }

    /// Left-grouped chains lean to the left in the tree; walking down their spine with a list instead
    /// of the stack lets `a + b + c ...` have any length.
    fn chain(&self, expr: &Expr, depth: usize) -> Result<Value, EvalError> {
        let mut pending: Vec<(BinaryOp, &Expr, Span)> = Vec::new();
        let mut left = expr;
        while let ExprKind::Binary(op, a, b) = &left.kind {
            pending.push((*op, b, left.span));
            left = a;
        }
        let mut value = self.expr(left, depth)?;
        while let Some((op, right, span)) = pending.pop() {
            if op == BinaryOp::Pow && is_negative_literal(right) {
                value = as_float(value);
            }
            let right = self.expr(right, depth)?;
            value = arith::binary(op, &value, &right).map_err(|p| p.at(span))?;
        }
        Ok(value)
    }

    fn unary(&self, op: UnaryOp, x: &Expr, span: Span, depth: usize) -> Result<Value, EvalError> {
        arith::unary(op, &self.expr(x, depth)?).map_err(|p| p.at(span))
    }

    fn name(&self, name: &str, span: Span) -> Result<Value, EvalError> {
        self.names
            .value(name)
            .or_else(|| functions::constant(name))
            .ok_or_else(|| EvalError::new(span, format!("unknown name `{name}`")))
    }

    /// A moment between two frames has the value of the frame in which it lies.
    fn frames(&self, frames: &Frames, span: Span) -> Result<Value, EvalError> {
        let Some(frame) = self.names.film_frame() else {
            return Err(EvalError::new(span, "a sound has values only in a film"));
        };
        let value = frames.at(frame.floor() as i64);
        Ok(if frames.truth { Value::Bool(value != 0.0) } else { Value::Float(value) })
    }

    fn text(&self, parts: &[TextPart], span: Span, depth: usize) -> Result<Value, EvalError> {
        let mut text = String::new();
        for part in parts {
            match part {
                TextPart::Literal(s) => text.push_str(s),
                TextPart::Hole(x) => text.push_str(&self.expr(x, depth)?.to_string()),
            }
            if text.len() > MAX_LENGTH {
                return Err(EvalError::new(span, format!("expected a text of at most {MAX_LENGTH} bytes")));
            }
        }
        Ok(Value::Text(text))
    }

    fn call(
        &self,
        name: &str,
        name_span: Span,
        args: &[Arg],
        span: Span,
        depth: usize,
    ) -> Result<Value, EvalError> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let key = arg.name.as_ref().map(|(n, _)| n.as_str());
            values.push((key, self.expr(&arg.value, depth)?));
        }
        if let Some(function) = functions::find(name) {
            return function.call(&values).map_err(|p| p.at(span));
        }
        match self.names.call(name, &values) {
            Some(result) => result.map_err(|m| EvalError::new(span, m)),
            None => {
                let error = EvalError::new(name_span, format!("unknown function `{name}`"));
                Err(match functions::nearest(name) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error,
                })
            }
        }
    }
}

/// numexpr refuses a written negative integer as exponent of an integer; here `t**-1` is `1 / t`. Only
/// computed exponents follow its integer rule, where `2**-t` is 0.
fn is_negative_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(v) => *v < 0,
        ExprKind::Unary(UnaryOp::Neg, x) => matches!(x.kind, ExprKind::Int(v) if v > 0),
        _ => false,
    }
}

fn as_float(value: Value) -> Value {
    match value {
        Value::Int(v) => Value::Float(v as f64),
        other => other,
    }
}

#[cfg(test)]
mod tests;
