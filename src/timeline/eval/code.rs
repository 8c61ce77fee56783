//! Expressions made ready to be computed for every frame: names are looked up once, and what does not change is
//! computed once. The values are those of [`evaluate`]; a test compares them.

use std::fmt::Write as _;

use super::functions::{self, Function};
use super::{EvalError, MAX_LENGTH, Value, arith, as_float, evaluate, is_negative_literal};
use crate::schedule::expr::{BinaryOp, Expr, ExprKind, TextPart, UnaryOp};
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
    Text(Box<[Piece]>, Span),
    /// Computed as it stands: what cannot be computed at all, and what other functions than the built-in ones compute.
    Tree(Box<Expr>),
}

/// A piece of a text.
#[derive(Clone, Debug)]
pub(in crate::timeline) enum Piece {
    Literal(String),
    Hole(Code),
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
                    None => Self::tree(expr),
                }
            }
            ExprKind::Unary(op, x) => Self::Unary(*op, Box::new(inner(x)), expr.span),
            ExprKind::Binary(op, a, b) => {
                let mut left = inner(a);
                // The rule of `a ** -1`; see `is_negative_literal`.
                if *op == BinaryOp::Pow && is_negative_literal(b) {
                    left = match left {
                        Self::Fixed(value) => Self::Fixed(as_float(value)),
                        _ => return Self::tree(expr),
                    };
                }
                Self::Binary(*op, Box::new((left, inner(b))), expr.span)
            }
            ExprKind::Call { name, args, .. } => match functions::find(name) {
                Some(function) if args.iter().all(|arg| arg.name.is_none()) => {
                    Self::Call(function, args.iter().map(|arg| inner(&arg.value)).collect(), expr.span)
                }
                _ => Self::tree(expr),
            },
            ExprKind::List(items) => Self::List(items.iter().map(inner).collect()),
            ExprKind::Text(parts) => {
                let piece = |part: &TextPart| match part {
                    TextPart::Literal(text) => Piece::Literal(text.clone()),
                    TextPart::Hole(hole) => Piece::Hole(inner(hole)),
                };
                Self::Text(parts.iter().map(piece).collect(), expr.span)
            }
            _ => Self::tree(expr),
        }
    }

    /// The expression as it is, or its value when it is the name of a constant.
    fn tree(expr: &Expr) -> Self {
        match &expr.kind {
            ExprKind::Name(name) => functions::constant(name).map(Self::Fixed),
            _ => None,
        }
        .unwrap_or_else(|| Self::Tree(Box::new(expr.clone())))
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
            Self::Text(pieces, _) => pieces.iter().all(|piece| match piece {
                Piece::Literal(_) => true,
                Piece::Hole(hole) => hole.is_fixed(),
            }),
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
            Self::Text(pieces, span) => text(pieces, clock, t, *span),
            Self::Tree(expr) => evaluate(expr, &clock.at(t)),
        }
    }
}

fn text(pieces: &[Piece], clock: &Clock, t: f64, span: Span) -> Result<Value, EvalError> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            // Writing to a text cannot fail.
            Piece::Hole(hole) => drop(write!(text, "{}", hole.at(clock, t)?)),
        }
        if text.len() > MAX_LENGTH {
            return Err(EvalError::new(span, format!("expected a text of at most {MAX_LENGTH} bytes")));
        }
    }
    Ok(Value::Text(text))
}

/// Arguments that a call keeps without a list.
const FEW: usize = 8;

/// Most functions have few arguments; those need no list of their own.
fn call(function: &Function, args: &[Code], clock: &Clock, t: f64, span: Span) -> Result<Value, EvalError> {
    let result = match args {
        [x] => function.apply(&[x.at(clock, t)?]),
        [x, y] => function.apply(&[x.at(clock, t)?, y.at(clock, t)?]),
        [x, y, z] => function.apply(&[x.at(clock, t)?, y.at(clock, t)?, z.at(clock, t)?]),
        _ if args.len() <= FEW => {
            let mut values: [Value; FEW] = std::array::from_fn(|_| Value::Bool(false));
            for (value, arg) in values.iter_mut().zip(args) {
                *value = arg.at(clock, t)?;
            }
            function.apply(&values[..args.len()])
        }
        _ => {
            let values = args.iter().map(|x| x.at(clock, t)).collect::<Result<Vec<_>, _>>()?;
            function.apply(&values)
        }
    };
    result.map_err(|p| p.at(span))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schedule::expr::Arg;
    use crate::schedule::units::{Rate, Tempo};

    const CLOCK: Clock =
        Clock { start: 0, length: 50, tempo: Tempo { rate: Rate { num: 12, den: 1 }, bpm: None }, seed: 7 };

    fn at(kind: ExprKind) -> Expr {
        Expr { kind, span: Span::new(0, 3, 8) }
    }

    fn call(name: &str, args: Vec<Expr>) -> Expr {
        let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
        at(ExprKind::Call { name: name.to_owned(), name_span: Span::new(0, 3, 4), args, method: false })
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        let names = ["t", "max_f", "s", "sec", "u", "fps", "beat", "pi", "true", "nothing"];
        prop_oneof![
            (-9i64..9).prop_map(|v| at(ExprKind::Int(v))),
            (-3.0..3.0f64).prop_map(|v| at(ExprKind::Float(v))),
            prop::sample::select(names.to_vec()).prop_map(|name| at(ExprKind::Name(name.to_owned()))),
            Just(Expr::text_at(Span::new(0, 3, 8), "a")),
        ]
    }

    fn tree() -> impl Strategy<Value = Expr> {
        use BinaryOp::{Add, Div, FloorDiv, Lt, Mul, Pow, Rem, Sub};
        leaf().prop_recursive(4, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                (prop::sample::select(vec![Add, Sub, Mul, Div, FloorDiv, Rem, Pow, Lt]), two.clone())
                    .prop_map(|(op, (a, b))| at(ExprKind::Binary(op, Box::new(a), Box::new(b)))),
                inner.clone().prop_map(|x| at(ExprKind::Unary(UnaryOp::Neg, Box::new(x)))),
                inner.clone().prop_map(|x| call("sin", vec![x])),
                inner.clone().prop_map(|x| call("unknown", vec![x])),
                two.clone().prop_map(|(a, b)| call("min", vec![a, b])),
                two.clone().prop_map(|(a, b)| call("where", vec![call("isfinite", vec![a.clone()]), a, b])),
                two.clone().prop_map(|(a, b)| at(ExprKind::List(vec![a, b]))),
                two.prop_map(|(a, b)| at(ExprKind::Text(vec![TextPart::Hole(a), TextPart::Hole(b)]))),
            ]
        })
    }

    proptest! {
        /// Printed, so that NaN is like NaN and 1 not like 1.0.
        #[test]
        fn ready_expressions_are_worth_what_the_tree_is(expr in tree(), t in 0..50i32, half: bool) {
            let t = f64::from(t) + if half { 0.5 } else { 0.0 };
            let found = Code::new(&expr, &CLOCK).at(&CLOCK, t);
            let wanted = evaluate(&expr, &CLOCK.at(t));
            prop_assert_eq!(format!("{found:?}"), format!("{wanted:?}"));
        }
    }
}
