//! A formula in the film's language. Brackets are written wherever the left grouping of the film would
//! read it otherwise.

use super::eval::{Moment, OSCILLATOR, argument, named_constant, quantity};
use super::formula::{Node, Op};
use crate::import::print::made;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind};
use crate::schedule::span::Span;

/// What stands for the frame: `t`, or the argument of a function of the film.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer<'a> {
    pub time: &'a str,
    /// A moment of the stretch that the expression is for.
    pub at: Moment<'a>,
    /// Names of the document that the film has as well.
    pub known: &'a dyn KnownNames,
}

/// Whether the film has a name of its own for a field.
pub(super) trait KnownNames: std::fmt::Debug {
    /// The film's name.
    fn name(&self, field: &str) -> Option<String>;
}

/// No names.
#[derive(Debug)]
pub(super) struct Nothing;

impl KnownNames for Nothing {
    fn name(&self, _: &str) -> Option<String> {
        None
    }
}

/// Names that are worth the same at every frame of the stretch between two keys only.
pub(super) const OF_THE_KEYS: &[&str] = &[
    "L",
    "S",
    "C",
    "P",
    "k",
    "active_keyframe",
    "prev_keyframe",
    "active_keyframe_value",
    "prev_keyframe_value",
    "next_keyframe",
    "next_keyframe_value",
    "slide",
    "bez",
];

impl Writer<'_> {
    /// The formula as an expression; `None` for what has no counterpart.
    pub fn write(&self, node: &Node) -> Option<Expr> {
        Some(match node {
            Node::Number(value) => number(*value),
            Node::Quantity(value, unit) => number(quantity(*value, *unit, &self.at)),
            Node::Text(_) => return None,
            Node::Name(name) => self.variable(name)?,
            Node::Minus(x) => minus(self.write(x)?),
            Node::Binary(op, a, b) => self.binary(*op, a, b)?,
            Node::If(condition, then, otherwise) => {
                let otherwise = otherwise.as_ref().map_or(Some(number(0.0)), |node| self.write(node))?;
                call("where", vec![self.condition(condition)?, self.write(then)?, otherwise])
            }
            Node::Call(name, args) => self.call(name, args)?,
        })
    }

    /// A value that counts as true above 0.
    fn condition(&self, node: &Node) -> Option<Expr> {
        let value = self.write(node)?;
        let is_truth = match node {
            Node::Binary(op, ..) => {
                matches!(op, Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Eq | Op::Ne | Op::And | Op::Or)
            }
            _ => false,
        };
        Some(if is_truth { value } else { binary(BinaryOp::Gt, value, number(0.0)) })
    }

    fn time(&self) -> Expr {
        made(ExprKind::Name(self.time.to_owned()))
    }

    fn variable(&self, name: &str) -> Option<Expr> {
        let beats = || binary(BinaryOp::Div, self.time(), number(self.at.fps * 60.0 / self.at.bpm));
        Some(match name {
            "f" => self.time(),
            "s" => binary(BinaryOp::Div, self.time(), number(self.at.fps)),
            "b" => beats(),
            "wb" => call("floor", vec![beats()]),
            "k" => since(self.time(), self.at.active),
            "L" => self.line(),
            "S" | "active_keyframe_value" | "prev_keyframe_value" => number(self.at.active_value()),
            "active_keyframe" | "prev_keyframe" => number(self.at.active),
            "next_keyframe" => number(self.at.next().0),
            "next_keyframe_value" => number(self.at.next().1),
            "last_frame" | "final_frame" => number(self.at.last),
            "fps" => number(self.at.fps),
            "bpm" => number(self.at.bpm),
            "PI" => made(ExprKind::Name("pi".to_owned())),
            "C" | "P" => return None,
            _ => match (named_constant(name), self.known.name(name)) {
                (Some(value), _) => number(value),
                (None, Some(name)) => made(ExprKind::Name(name)),
                (None, None) => return None,
            },
        })
    }

    /// The line from the key in force to the next.
    fn line(&self) -> Expr {
        let (from, (next, to)) = (self.at.active_value(), self.at.next());
        if next <= self.at.active || from == to {
            return number(from);
        }
        let way = binary(BinaryOp::Div, since(self.time(), self.at.active), number(next - self.at.active));
        call("lerp", vec![number(from), number(to), way])
    }

    fn binary(&self, op: Op, a: &Node, b: &Node) -> Option<Expr> {
        let native = match op {
            Op::Add => BinaryOp::Add,
            Op::Sub => BinaryOp::Sub,
            Op::Mul => BinaryOp::Mul,
            Op::Div => BinaryOp::Div,
            Op::Lt => BinaryOp::Lt,
            Op::Le => BinaryOp::Le,
            Op::Gt => BinaryOp::Gt,
            Op::Ge => BinaryOp::Ge,
            Op::Eq => BinaryOp::Eq,
            Op::Ne => BinaryOp::Ne,
            // JavaScript's remainder has the sign of the dividend, the film's that of the divisor.
            Op::Rem => return Some(call("fmod", vec![self.write(a)?, self.write(b)?])),
            // Whole numbers to a negative power are whole in the film.
            Op::Pow => return Some(binary(BinaryOp::Pow, real(self.write(a)?), self.write(b)?)),
            Op::And => return Some(call("and", vec![self.condition(a)?, self.condition(b)?])),
            Op::Or => return Some(call("or", vec![self.condition(a)?, self.condition(b)?])),
            Op::Weight => return None,
        };
        Some(binary(native, self.write(a)?, self.write(b)?))
    }

    fn call(&self, name: &str, args: &[(Option<String>, Node)]) -> Option<Expr> {
        let given = |index: usize, names: &[&str]| argument(args, index, names).map(|node| self.write(node));
        let first = || given(0, &["v", "a"])?;
        let frames_per_beat = self.at.fps * 60.0 / self.at.bpm;
        Some(match name {
            "sin" | "tri" | "saw" | "sq" | "pulse" => self.wave(name, args)?,
            "min" | "max" => call(name, vec![first()?, given(1, &["b"])??]),
            "abs" => call("abs", vec![first()?]),
            "floor" | "ceil" | "round" => {
                let nearest = |value: Expr| match name {
                    // Halves go up in JavaScript.
                    "round" => call("floor", vec![binary(BinaryOp::Add, value, number(0.5))]),
                    _ => call(name, vec![value]),
                };
                match argument(args, 1, &["p"]) {
                    None => nearest(first()?),
                    Some(Node::Number(count)) => {
                        let scale = libm::pow(10.0, *count);
                        let scaled = nearest(binary(BinaryOp::Mul, first()?, number(scale)));
                        binary(BinaryOp::Div, scaled, number(scale))
                    }
                    Some(_) => return None,
                }
            }
            "f2b" => binary(BinaryOp::Div, first()?, number(frames_per_beat)),
            "b2f" => binary(BinaryOp::Mul, first()?, number(frames_per_beat)),
            "f2s" => binary(BinaryOp::Div, first()?, number(self.at.fps)),
            "s2f" => binary(BinaryOp::Mul, first()?, number(self.at.fps)),
            _ => call(mathematics(name)?, vec![first()?]),
        })
    }

    fn wave(&self, name: &str, args: &[(Option<String>, Node)]) -> Option<Expr> {
        let given = |index: usize| {
            let (names, default) = OSCILLATOR[index];
            argument(args, index, names).map_or(Some(number(default)), |node| self.write(node))
        };
        let is_given = |index: usize| argument(args, index, OSCILLATOR[index].0).is_some();
        if is_given(4) {
            return None;
        }
        let (period, amp) = (given(0)?, given(2)?);
        let position = if is_given(1) { binary(BinaryOp::Add, self.time(), given(1)?) } else { self.time() };
        let turn = made(ExprKind::Name("tau".to_owned()));
        let sine = || {
            let angle = binary(BinaryOp::Div, binary(BinaryOp::Mul, turn, position.clone()), period.clone());
            call("sin", vec![angle])
        };
        let wave = match name {
            "sin" => times(amp, sine()),
            "tri" => {
                let half = binary(BinaryOp::Div, number(2.0), made(ExprKind::Name("pi".to_owned())));
                times(amp, binary(BinaryOp::Mul, half, call("arcsin", vec![sine()])))
            }
            "saw" => {
                let share = binary(BinaryOp::Div, call("fmod", vec![position, period.clone()]), period);
                times(amp, share)
            }
            "sq" => {
                let high = binary(BinaryOp::Ge, sine(), number(0.0));
                call("where", vec![high, amp.clone(), minus(amp)])
            }
            _ => {
                let rest = call("fmod", vec![position, period]);
                call("where", vec![binary(BinaryOp::Lt, rest, given(5)?), amp, number(0.0)])
            }
        };
        Some(if is_given(3) { binary(BinaryOp::Add, given(3)?, wave) } else { wave })
    }
}

/// The language's name of a JavaScript function.
fn mathematics(name: &str) -> Option<&'static str> {
    Some(match name {
        "_sin" => "sin",
        "_cos" => "cos",
        "_tan" => "tan",
        "_asin" => "arcsin",
        "_acos" => "arccos",
        "_atan" => "arctan",
        "_sinh" => "sinh",
        "_cosh" => "cosh",
        "_tanh" => "tanh",
        "_asinh" => "arcsinh",
        "_acosh" => "arccosh",
        "_atanh" => "arctanh",
        "_log" => "log",
        "_log1p" => "log1p",
        "_log10" => "log10",
        "_log2" => "log2",
        "_exp" => "exp",
        "_expm1" => "expm1",
        "_sqrt" => "sqrt",
        "_sign" => "sign",
        _ => return None,
    })
}

fn number(value: f64) -> Expr {
    let whole = value.fract() == 0.0 && value.abs() < 1e15;
    if value < 0.0 {
        return minus(number(-value));
    }
    made(if whole { ExprKind::Int(value as i64) } else { ExprKind::Float(value) })
}

/// A whole number as one with a point.
fn real(expr: Expr) -> Expr {
    match expr.kind {
        ExprKind::Int(value) => made(ExprKind::Float(value as f64)),
        _ => expr,
    }
}

fn minus(x: Expr) -> Expr {
    made(ExprKind::Unary(crate::schedule::expr::UnaryOp::Neg, Box::new(x)))
}

fn binary(op: BinaryOp, a: Expr, b: Expr) -> Expr {
    made(ExprKind::Binary(op, Box::new(a), Box::new(b)))
}

/// `factor * x`, without a factor of 1.
fn times(factor: Expr, x: Expr) -> Expr {
    if factor.kind == ExprKind::Int(1) { x } else { binary(BinaryOp::Mul, factor, x) }
}

/// `time - frame`
fn since(time: Expr, frame: f64) -> Expr {
    if frame == 0.0 { time } else { binary(BinaryOp::Sub, time, number(frame)) }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
    made(ExprKind::Call { name: name.to_owned(), name_span: Span::default(), args, method: false })
}
