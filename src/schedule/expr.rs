//! The expression tree of the language. The parser builds it, the checker gives it meaning, the
//! evaluator (`timeline::eval`) computes it.

use std::sync::Arc;

use super::series::SeriesCall;
use super::span::Span;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, brackets included.
    pub span: Span,
}

/// The forms an expression has.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number without a point or exponent and without a unit.
    Int(i64),
    /// Any other number without a unit.
    Float(f64),
    /// A number with a unit: `2.5s`, `40px/s`, `1.35x/s`, `50%`, `12deg`.
    Quantity {
        /// The number in front of the unit.
        value: f64,
        /// The unit.
        unit: Unit,
    },
    /// A size literal: `1024x576`.
    Size(u32, u32),
    /// A string: literal pieces and `${expr}` holes in order.
    Text(Vec<TextPart>),
    /// A bare word: a variable (`t`, `max_f`, `s`), a name bound by `let`, or a choice (`outpaint`).
    Name(String),
    /// `-x`, `+x`, `not x`, `~x`.
    Unary(UnaryOp, Box<Expr>),
    /// `x op y`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `name(args)`; for `x.name(args)` the receiver is the first argument and `method` is true.
    Call {
        /// The function's name.
        name: String,
        /// Where the name stands.
        name_span: Span,
        /// The arguments in order.
        args: Vec<Arg>,
        /// Written as `receiver.name(...)`.
        method: bool,
    },
    /// `[a, b, c]`.
    List(Vec<Expr>),
    /// Values out of a file, at a moment. Only in checked films: what is written is a call of `series`.
    Series(Box<SeriesCall>),
    /// A number for each frame of the film, which the timeline puts in the place of a sound. The parser
    /// never makes one.
    Frames(Arc<Frames>),
}

/// A number, or a truth value, for each frame of the film.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// The film's frame of the first value; negative when the sound began before the film.
    pub first: i64,
    /// One a frame.
    pub values: Vec<f64>,
    /// The value of all other frames.
    pub outside: f64,
    /// The values are 0 and 1 and mean false and true.
    pub truth: bool,
}

impl Frames {
    /// The value at a frame of the film.
    pub fn at(&self, frame: i64) -> f64 {
        let index = usize::try_from(frame.saturating_sub(self.first)).ok();
        index.and_then(|index| self.values.get(index)).copied().unwrap_or(self.outside)
    }
}

/// A piece of a string.
#[derive(Clone, Debug, PartialEq)]
pub enum TextPart {
    /// Characters as they are, escapes resolved.
    Literal(String),
    /// `${expr}`: the value printed into the text.
    Hole(Expr),
}

/// An argument of a call, `name=value` or just a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name, when it was written.
    pub name: Option<(String, Span)>,
    /// The value.
    pub value: Expr,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-x`
    Neg,
    /// `+x`
    Pos,
    /// `not x`, and `~x` on truth values
    Not,
    /// `~x` on integers (Deforum strings only)
    BitNot,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after its sign")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// True division, also of integers.
    Div,
    /// `//`: division rounded down.
    FloorDiv,
    /// The floored remainder: it has the sign of the divisor.
    Rem,
    /// `**`, right-associative, binds tighter than a minus in front.
    Pow,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    /// `and`, `&`
    And,
    /// `or`, `|`
    Or,
    /// `^` (Deforum strings only)
    Xor,
    /// `<<` (Deforum strings only)
    Shl,
    /// `>>` (Deforum strings only)
    Shr,
}

/// What a number is a number of: a dimension, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The measure.
    pub base: BaseUnit,
    /// For rates, `per`: `/s`, `/f`, `/b`.
    pub per: Option<TimeUnit>,
}

/// Measures a number can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseUnit {
    /// A time.
    Time(TimeUnit),
    /// `%`: hundredths of the range it stands in (of the scene for times, of 1 elsewhere).
    Percent,
    /// `deg`: degrees.
    Degrees,
    /// `px`: pixels.
    Pixels,
    /// `x`: a factor.
    Factor,
    /// `Hz`: cycles per second.
    Hertz,
}

/// Measures of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// `f`: frames of the film.
    Frames,
    /// `s`: seconds.
    Seconds,
    /// `ms`: thousandths of a second.
    Milliseconds,
    /// `b`: beats.
    Beats,
    /// `bar`: bars.
    Bars,
}
