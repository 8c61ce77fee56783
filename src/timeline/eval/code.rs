//! Expressions made ready to be computed for every frame: names are looked up once, and what does not change is
//! computed once. The values are those of [`evaluate`]; a test compares them.

use super::functions::{self, Function};
use super::{EvalError, Value, arith, as_float, evaluate, is_negative_literal};
use crate::schedule::expr::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::span::Span;
use crate::timeline::clock::{Clock, Variable};

/// An expression on a clock.
#[derive(Clone, Debug)]
pub(in crate::timeline) enum Code {
    /// The same at all times.
    Fixed(Value),
    /// A name of the clock.
    Name(Variable),
    Unary(UnaryOp, Box<Code>, Span),
    Binary(BinaryOp, Box<(Code, Code)>, Span),
    /// A built-in function with all its arguments in order.
    Call(&'static Function, Box<[Code]>, Span),
    List(Box<[Code]>),
    /// Computed as it stands: text with holes, and what cannot be computed at all.
    Tree(Box<Expr>),
}

impl Code {
    /// Makes `expr` ready for `clock`. Units have been resolved. `expr` is no deeper than the checker
    /// allows.
    pub fn new(expr: &Expr, clock: &Clock) -> Self {
        let code = Self::parts(expr, clock);
        if code.is_fixed() && !matches!(code, Self::Fixed(_)) {
            // What fails does so at its frame, with the place.
            return match code.at(clock, 0.0) {
                Ok(value) => Self::Fixed(value),
                Err(_) => Self::Tree(Box::new(expr.clone())),
            };
        }
        code
    }

    fn parts(expr: &Expr, clock: &Clock) -> Self {
        let inner = |expr: &Expr| Self::new(expr, clock);
        match &expr.kind {
            ExprKind::Int(value) => Self::Fixed(Value::Int(*value)),
            ExprKind::Float(value) => Self::Fixed(Value::Float(*value)),
            ExprKind::Name(name) => {
                match Variable::of(name).filter(|variable| clock.variable(*variable, 0.0).is_some()) {
                    Some(variable) => Self::Name(variable),
                    None => Self::tree(expr, clock),
                }
            }
            ExprKind::Unary(op, x) => Self::Unary(*op, Box::new(inner(x)), expr.span),
            ExprKind::Binary(op, a, b) => {
                let mut left = inner(a);
                // The rule of `a ** -1`; see `is_negative_literal`.
                if *op == BinaryOp::Pow && is_negative_literal(b) {
                    left = match left {
                        Self::Fixed(value) => Self::Fixed(as_float(value)),
                        _ => return Self::tree(expr, clock),
                    };
                }
                Self::Binary(*op, Box::new((left, inner(b))), expr.span)
            }
            ExprKind::Call { name, args, .. } => match functions::find(name) {
                Some(function) if args.iter().all(|arg| arg.name.is_none()) => {
                    Self::Call(function, args.iter().map(|arg| inner(&arg.value)).collect(), expr.span)
                }
                _ => Self::tree(expr, clock),
            },
            ExprKind::List(items) => Self::List(items.iter().map(inner).collect()),
            _ => Self::tree(expr, clock),
        }
    }

    /// The expression as it is, or its value when it is text without holes or the name of a constant.
    fn tree(expr: &Expr, clock: &Clock) -> Self {
        let is_fixed = expr.literal_text().is_some()
            || matches!(&expr.kind, ExprKind::Name(name) if functions::constant(name).is_some());
        match evaluate(expr, &clock.at(0.0)) {
            Ok(value) if is_fixed => Self::Fixed(value),
            _ => Self::Tree(Box::new(expr.clone())),
        }
    }

    fn is_fixed(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Name(variable) => !variable.changes(),
            Self::Tree(_) => false,
            Self::Unary(_, x, _) => x.is_fixed(),
            Self::Binary(_, sides, _) => sides.0.is_fixed() && sides.1.is_fixed(),
            Self::Call(_, args, _) => args.iter().all(Self::is_fixed),
            Self::List(items) => items.iter().all(Self::is_fixed),
        }
    }

    /// The value at the clock's own time `t`, in frames.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn at(&self, clock: &Clock, t: f64) -> Result<Value, EvalError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Name(variable) => clock.variable(*variable, t).ok_or_else(|| EvalError {
                span: Span::default(),
                message: "beats need `bpm`".to_owned(),
                hint: Some("say how fast the music is: `video { bpm = 120 }`".to_owned()),
            }),
            Self::Unary(op, x, span) => arith::unary(*op, &x.at(clock, t)?).map_err(|p| p.at(*span)),
            Self::Binary(op, sides, span) => {
                let (a, b) = (sides.0.at(clock, t)?, sides.1.at(clock, t)?);
                arith::binary(*op, &a, &b).map_err(|p| p.at(*span))
            }
            Self::Call(function, args, span) => call(function, args, clock, t, *span),
            Self::List(items) => {
                items.iter().map(|x| x.at(clock, t)).collect::<Result<_, _>>().map(Value::List)
            }
            Self::Tree(expr) => evaluate(expr, &clock.at(t)),
        }
    }
}

/// Most functions have few arguments; those need no list of their own.
fn call(function: &Function, args: &[Code], clock: &Clock, t: f64, span: Span) -> Result<Value, EvalError> {
    let result = match args {
        [x] => function.apply(&[x.at(clock, t)?]),
        [x, y] => function.apply(&[x.at(clock, t)?, y.at(clock, t)?]),
        [x, y, z] => function.apply(&[x.at(clock, t)?, y.at(clock, t)?, z.at(clock, t)?]),
        _ => {
            let values = args.iter().map(|x| x.at(clock, t)).collect::<Result<Vec<_>, _>>()?;
            function.apply(&values)
        }
    };
    result.map_err(|p| p.at(span))
}
