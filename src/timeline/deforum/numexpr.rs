//! Evaluates a Python expression as numexpr does, with the difference between what Python computes
//! itself and what numexpr computes: names stand for numexpr nodes, and whatever contains no name is a
//! Python number, with Python's rules (`2**-1` is 0.5, `1/0` is an error, `1 and 2` is 2). On nodes,
//! kinds are numexpr's (truth value, 32- and 64-bit integers that wrap, single and double precision).
//! Observed by running numexpr 2.14.2; 2.8.7 gives the same values but accepts a little less.
//!
//! Long because each operator has Python's rule and numexpr's, which are read best side by side.

use std::cmp::Ordering;

use super::functions;
use crate::schedule::deforum::Mode;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, TextPart, UnaryOp};
use crate::schedule::span::Span;
use crate::timeline::eval::{EvalError, MAX_DEPTH, Value, arith, operator_text};

/// A name's value, or `None` when there is no such name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<Value>;

/// The value of `expr`: an integer, a truth value or a double.
///
/// # Errors
/// What is an error in Python or numexpr. [`Mode::Lenient`] also computes what our own films can.
pub fn evaluate(expr: &Expr, variables: Variables<'_>, mode: Mode) -> Result<Value, EvalError> {
    let lenient = mode == Mode::Lenient;
    let operand = Evaluator { variables, lenient }.expr(expr, 0)?;
    operand.into_value().map_err(|m| error(expr.span, m))
}

fn error(span: Span, message: impl Into<String>) -> EvalError {
    EvalError { span, message: message.into(), hint: None }
}

/// numexpr's kinds in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Bool,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// Single precision.
    Single,
    Double,
}

/// A number of some kind: `I` for the first three, `F` for the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Num {
    I(i64),
    F(f64),
}

impl Num {
    pub(super) fn f64(self) -> f64 {
        match self {
            Self::I(v) => v as f64,
            Self::F(v) => v,
        }
    }
}

/// A node of numexpr's tree with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) num: Num,
    /// Computed while the tree is built: a function of Python numbers, or a Python number.
    pub(super) constant: bool,
    /// Made of a literal: a double 0 of this sort is refused as divisor.
    pub(super) literal: bool,
    /// A sum or product, which must be the outermost operation.
    pub(super) reduced: bool,
}

impl Node {
    pub(super) fn new(kind: Kind, num: Num) -> Self {
        let num = match (kind, num) {
            (Kind::Int, Num::I(v)) => Num::I(i64::from(v as i32)),
            (Kind::Single, n) => Num::F(f64::from(n.f64() as f32)),
            (Kind::Double, n) => Num::F(n.f64()),
            (_, n) => n,
        };
        Self { kind, num, constant: false, literal: false, reduced: false }
    }

    pub(super) fn bool(v: bool) -> Self {
        Self::new(Kind::Bool, Num::I(i64::from(v)))
    }

    pub(super) fn double(v: f64) -> Self {
        Self::new(Kind::Double, Num::F(v))
    }

    fn as_value(self) -> Value {
        match (self.kind, self.num) {
            (Kind::Bool, n) => Value::Bool(n.f64() != 0.0),
            (_, Num::I(v)) => Value::Int(v),
            (_, Num::F(v)) => Value::Float(v),
        }
    }
}

/// A value of Python.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Py {
    Bool(bool),
    Int(i128),
    /// An integer beyond 127 bits, rounded.
    Huge(f64),
    Float(f64),
    Text(String),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Py(Py),
    Node(Node),
}

type Result2<T> = Result<T, String>;

impl Operand {
    pub(super) fn into_value(self) -> Result2<Value> {
        match self {
            Self::Py(Py::Bool(v)) => Ok(Value::Bool(v)),
            Self::Py(Py::Float(v)) => Ok(Value::Float(v)),
            Self::Py(_) | Self::Node(_) => self.node().map(Node::as_value),
        }
    }

    /// As a node of numexpr; Python numbers become constants.
    pub(super) fn node(&self) -> Result2<Node> {
        let node = match self {
            Self::Node(node) => return Ok(*node),
            Self::Py(Py::Bool(v)) => Node::bool(*v),
            Self::Py(Py::Int(v)) => {
                let v = i64::try_from(*v).map_err(|_| format!("expected a number of 64 bits, found {v}"))?;
                let small = i32::try_from(v).is_ok();
                Node::new(if small { Kind::Int } else { Kind::Long }, Num::I(v))
            }
            Self::Py(Py::Huge(v)) => return Err(format!("expected a number of 64 bits, found about {v:e}")),
            Self::Py(Py::Float(v)) => Node::double(*v),
            Self::Py(Py::Text(_)) => return Err("expected a number, found a text".into()),
        };
        Ok(Node { constant: true, literal: true, ..node })
    }

    pub(super) fn is_constant(&self) -> bool {
        match self {
            Self::Py(_) => true,
            Self::Node(node) => node.constant,
        }
    }
}

pub(super) struct Evaluator<'a> {
    pub(super) variables: Variables<'a>,
    /// Whether what numexpr refuses but our own films can do is computed.
    pub(super) lenient: bool,
}

impl Evaluator<'_> {
    fn expr(&self, expr: &Expr, depth: usize) -> Result<Operand, EvalError> {
        if depth > MAX_DEPTH {
            return Err(error(expr.span, format!("expected at most {MAX_DEPTH} levels of nesting")));
        }
        let depth = depth + 1;
        match &expr.kind {
            ExprKind::Int(v) => Ok(Operand::Py(Py::Int((*v).into()))),
            ExprKind::Float(v) => Ok(Operand::Py(Py::Float(*v))),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Text(parts) => match parts.as_slice() {
                [TextPart::Literal(text)] => Ok(Operand::Py(Py::Text(text.clone()))),
                _ => Err(error(expr.span, "expected a plain text")),
            },
            ExprKind::Unary(op, x) => {
                let x = self.expr(x, depth)?;
                self.unary(*op, &x).map_err(|m| error(expr.span, m))
            }
            ExprKind::Binary(..) => self.chain(expr, depth),
            ExprKind::Call { name, name_span, args, .. } => {
                self.call((name, *name_span), args, expr.span, depth)
            }
            ExprKind::Quantity { .. }
            | ExprKind::Size(..)
            | ExprKind::List(_)
            | ExprKind::Series(_)
            | ExprKind::Frames(_) => Err(error(expr.span, "expected an expression that Python can read")),
        }
    }

    pub(super) fn name(&self, name: &str, span: Span) -> Result<Operand, EvalError> {
        match name {
            "True" => return Ok(Operand::Py(Py::Bool(true))),
            "False" => return Ok(Operand::Py(Py::Bool(false))),
            "pi" if self.lenient => return Ok(Operand::Py(Py::Float(std::f64::consts::PI))),
            "e" if self.lenient => return Ok(Operand::Py(Py::Float(std::f64::consts::E))),
            _ => {}
        }
        let node = match (self.variables)(name) {
            Some(Value::Bool(v)) => Node::bool(v),
            Some(Value::Int(v)) => Node::new(Kind::Long, Num::I(v)),
            Some(Value::Float(v)) => Node::double(v),
            Some(Value::Text(_) | Value::List(_) | Value::Spline(_)) | None => {
                return Err(error(span, format!("unknown name `{name}`")));
            }
        };
        Ok(Operand::Node(node))
    }

    /// Chains lean to the left; their spine is walked with a list instead of the stack.
    fn chain(&self, expr: &Expr, depth: usize) -> Result<Operand, EvalError> {
        let (mut pending, mut left) = (Vec::new(), expr);
        while let ExprKind::Binary(op, a, b) = &left.kind {
            pending.push((*op, b, left.span));
            left = a;
        }
        let mut value = self.expr(left, depth)?;
        while let Some((op, right, span)) = pending.pop() {
            let right = self.expr(right, depth)?;
            value = self.binary(op, &value, &right).map_err(|m| error(span, m))?;
        }
        Ok(value)
    }

    pub(super) fn unary(&self, op: UnaryOp, x: &Operand) -> Result2<Operand> {
        match x {
            Operand::Py(x) => py_unary(op, x).map(Operand::Py),
            Operand::Node(x) => {
                unreduced(x)?;
                if op == UnaryOp::Not && !(self.lenient && x.kind == Kind::Bool) {
                    return Err("expected `~`: `not` works on constants only".into());
                }
                if op == UnaryOp::Neg && x.kind == Kind::Bool && !self.lenient {
                    return Err("expected a number after `-`, found a truth value".into());
                }
                let result = match (op, x.kind, x.num) {
                    (UnaryOp::Not | UnaryOp::BitNot, Kind::Bool, n) => Node::bool(n.f64() == 0.0),
                    (UnaryOp::BitNot, _, Num::I(v)) => Node::new(x.kind, Num::I(!v)),
                    (UnaryOp::Pos, ..) => *x,
                    (UnaryOp::Neg, Kind::Bool, Num::I(v)) => Node::new(Kind::Int, Num::I(-v)),
                    (UnaryOp::Neg, _, Num::I(v)) => Node::new(x.kind, Num::I(v.wrapping_neg())),
                    (UnaryOp::Neg, _, Num::F(v)) => Node::new(x.kind, Num::F(-v)),
                    _ => return Err("expected an integer after `~`, found a number with a fraction".into()),
                };
                Ok(Operand::Node(Node { constant: x.constant, ..result }))
            }
        }
    }

    pub(super) fn binary(&self, op: BinaryOp, a: &Operand, b: &Operand) -> Result2<Operand> {
        if let (Operand::Py(a), Operand::Py(b)) = (a, b) {
            return match py_binary(op, a, b) {
                Err(_)
                    if self.lenient && matches!(op, BinaryOp::Div | BinaryOp::Rem | BinaryOp::FloorDiv) =>
                {
                    divide_by_zero(op, a, b)
                }
                result => result.map(Operand::Py),
            };
        }
        // Python numbers have no `&` with a node, and numexpr adds none from the right.
        let right_only = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::FloorDiv);
        if !self.lenient && right_only && matches!(a, Operand::Py(_)) {
            return Err(format!("expected a name on the left of `{}`, found a constant", operator_text(op)));
        }
        if let (BinaryOp::Div, Operand::Py(Py::Int(_) | Py::Huge(_)), Operand::Node(b)) = (op, a, b) {
            let a = match a {
                Operand::Py(Py::Huge(v)) => *v,
                Operand::Py(Py::Int(v)) => *v as f64,
                _ => 0.0,
            };
            return Ok(Operand::Node(Node::double(a / b.num.f64())));
        }
        let (a, b) = (a.node()?, b.node()?);
        unreduced(&a)?;
        unreduced(&b)?;
        let result = match op {
            BinaryOp::Pow => return self.power(&a, &b).map(Operand::Node),
            BinaryOp::Div => self.divide(&a, &b)?,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
                compare(op, &a, &b)
            }
            _ => node_binary(op, &a, &b)?,
        };
        let constant = a.constant && b.constant && op != BinaryOp::Div;
        Ok(Operand::Node(Node { constant, ..result }))
    }

    /// Division by a double constant is the product with its reciprocal, computed at once, by Python when
    /// the constant is a literal. numexpr first takes every variable for a double.
    fn divide(&self, a: &Node, b: &Node) -> Result2<Node> {
        let kind = a.kind.max(b.kind);
        let kind = if kind <= Kind::Long { Kind::Double } else { kind };
        if b.constant && b.kind == Kind::Double {
            let zero = b.num.f64() == 0.0;
            if zero && b.literal && !self.lenient && matches!(a.kind, Kind::Long | Kind::Double) {
                return Err("expected a divisor other than 0.0".into());
            }
            if a.kind == Kind::Double {
                return Ok(Node::double(a.num.f64() * (1.0 / b.num.f64())));
            }
        }
        Ok(Node::new(kind, Num::F(a.num.f64() / b.num.f64())))
    }

    /// Constant exponents up to 50 in steps of a half become products and a square root, in the kind of
    /// the base; so `t**2.0` is an integer.
    fn power(&self, a: &Node, b: &Node) -> Result2<Node> {
        let whole = |n: &Node| matches!(n.kind, Kind::Int | Kind::Long);
        let x = b.num.f64();
        if b.constant {
            if !x.is_finite() && !self.lenient {
                return Err(format!("expected a finite exponent, found {x}"));
            }
            let negative = whole(a) && (whole(b) || b.kind == Kind::Bool) && x < 0.0;
            if negative && !self.lenient {
                return Err(
                    "expected an exponent of at least 0, found a negative integer for an integer base; \
                            write it with a point: `-1.0`"
                        .into(),
                );
            }
            if (2.0 * x).trunc() == 2.0 * x && x.abs() <= 50.0 {
                return product(a, x);
            }
        }
        let kind = a.kind.max(b.kind);
        match (kind, a.num, b.num) {
            (Kind::Bool, ..) => Err("expected a number around `**`, found two truth values".into()),
            (_, Num::I(base), Num::I(exponent)) => {
                Ok(Node::new(kind, Num::I(int_power(base, exponent, kind))))
            }
            _ => Ok(Node::new(kind, Num::F(libm::pow(a.num.f64(), x)))),
        }
    }

    fn call(
        &self,
        (name, name_span): (&str, Span),
        args: &[Arg],
        span: Span,
        depth: usize,
    ) -> Result<Operand, EvalError> {
        if matches!(name, "and" | "or" | "if") && args.len() >= 2 {
            return self.word(name, args, span, depth);
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            if let Some((key, place)) = &arg.name {
                return Err(error(*place, format!("`{name}` has no argument called `{key}`")));
            }
            let value = self.expr(&arg.value, depth)?;
            if let Operand::Node(node) = &value {
                unreduced(node).map_err(|m| error(arg.value.span, m))?;
            }
            values.push(value);
        }
        match functions::call(name, &values) {
            Some(result) => result.map(Operand::Node).map_err(|m| error(span, m)),
            None if self.lenient => self.native(name, &values).map_err(|e| EvalError { span, ..e }),
            None => Err(error(name_span, format!("unknown function `{name}`"))),
        }
        .or_else(|e| if self.lenient { self.native(name, &values).map_err(|_| e) } else { Err(e) })
        .map(|operand| self.chosen(name, &values, operand))
    }

    /// `where` with a constant condition gives the branch itself, which may be a Python number still.
    fn chosen(&self, name: &str, values: &[Operand], result: Operand) -> Operand {
        match (name, values) {
            ("where", [condition, a, b]) if condition.is_constant() => {
                let first = condition.node().is_ok_and(|n| n.num.f64() != 0.0);
                if first { a.clone() } else { b.clone() }
            }
            _ => result,
        }
    }

    /// A built-in function of our own films.
    fn native(&self, name: &str, values: &[Operand]) -> Result<Operand, EvalError> {
        let none = Span::default();
        let mut args = Vec::with_capacity(values.len());
        for value in values {
            let value = value.clone().into_value().map_err(|m| error(none, m))?;
            args.push((None, value));
        }
        let value = crate::timeline::eval::call_builtin(name, &args)
            .unwrap_or_else(|| Err(error(none, format!("unknown function `{name}`"))))?;
        Ok(Operand::Node(match value {
            Value::Bool(v) => Node::bool(v),
            Value::Int(v) => Node::new(Kind::Long, Num::I(v)),
            other => Node::double(other.as_f64().unwrap_or(f64::NAN)),
        }))
    }

    /// `and`, `or`, `if`: Python's, which look at the truth of the first operand. A node has none.
    fn word(&self, name: &str, args: &[Arg], span: Span, depth: usize) -> Result<Operand, EvalError> {
        let first = self.expr(&args[0].value, depth)?;
        let truth = match &first {
            Operand::Py(Py::Bool(v)) => *v,
            Operand::Py(Py::Int(v)) => *v != 0,
            Operand::Py(Py::Huge(_)) => true,
            Operand::Py(Py::Float(v)) => *v != 0.0,
            Operand::Py(Py::Text(v)) => !v.is_empty(),
            Operand::Node(node) if self.lenient => node.num.f64() != 0.0,
            Operand::Node(_) => {
                let message = "expected `&`, `|`, `~` or `where`: Python's `and`, `or`, `not`, `if` and chained \
                               comparisons do not work with names";
                return Err(error(span, message));
            }
        };
        match (name, truth, args) {
            ("and", false, _) | ("or", true, _) => Ok(first),
            ("if", true, [_, then, _]) => self.expr(&then.value, depth),
            ("if", false, [_, _, otherwise]) => self.expr(&otherwise.value, depth),
            (_, _, [_, second]) => self.expr(&second.value, depth),
            _ => Err(error(span, format!("`{name}` expects a different number of arguments"))),
        }
    }
}

pub(super) fn unreduced(node: &Node) -> Result2<()> {
    if node.reduced {
        return Err("expected `sum`, `prod`, `min` and `max` as the outermost operation only".into());
    }
    Ok(())
}

/// What numexpr would have computed with variables in place of the constants.
fn divide_by_zero(op: BinaryOp, a: &Py, b: &Py) -> Result2<Operand> {
    let (a, b) = (Operand::Py(a.clone()).node()?, Operand::Py(b.clone()).node()?);
    match op {
        BinaryOp::Div => Ok(Operand::Node(Node::double(a.num.f64() / b.num.f64()))),
        _ => node_binary(op, &a, &b).map(Operand::Node),
    }
}

/// numexpr computes integer powers in double precision and casts; what does not fit becomes the
/// smallest integer, as the processor's conversion does.
pub(super) fn int_power(base: i64, exponent: i64, kind: Kind) -> i64 {
    if exponent < 0 {
        return arith::int_pow(base, exponent);
    }
    let exact = libm::pow(base as f64, exponent as f64);
    let limit = if kind == Kind::Long { 9_223_372_036_854_775_808.0 } else { 2_147_483_648.0 };
    if exact.abs() < limit {
        // Exact in integers where the double would be rounded.
        return if exact.abs() < 9.0e15 { exact as i64 } else { arith::int_pow(base, exponent) };
    }
    if kind == Kind::Long { i64::MIN } else { i64::from(i32::MIN) }
}

fn product(a: &Node, x: f64) -> Result2<Node> {
    let (mut left, half) = (x.abs().trunc() as u32, x.abs().fract() != 0.0);
    let (mut result, mut square): (Option<Node>, Node) = (None, *a);
    while left > 0 {
        if left & 1 == 1 {
            result = Some(match result {
                None => square,
                Some(r) => node_binary(BinaryOp::Mul, &r, &square)?,
            });
        }
        left >>= 1;
        if left > 0 {
            square = node_binary(BinaryOp::Mul, &square, &square)?;
        }
    }
    if half {
        if a.kind == Kind::Bool {
            return Err("expected a number around `**`, found a truth value".into());
        }
        let root = Node::new(
            a.kind.max(if a.kind == Kind::Single { Kind::Single } else { Kind::Double }),
            Num::F(a.num.f64().sqrt()),
        );
        result = Some(match result {
            None => root,
            Some(r) => node_binary(BinaryOp::Mul, &r, &root)?,
        });
    }
    let mut result = result.unwrap_or(Node::new(a.kind, Num::I(1)));
    if x < 0.0 {
        let kind = if result.kind <= Kind::Long { Kind::Double } else { result.kind };
        result = Node::new(kind, Num::F(1.0 / result.num.f64()));
    }
    Ok(Node { constant: false, literal: false, ..result })
}

fn compare(op: BinaryOp, a: &Node, b: &Node) -> Node {
    let order = match (a.num, b.num) {
        (Num::I(a), Num::I(b)) => Some(a.cmp(&b)),
        _ => a.num.f64().partial_cmp(&b.num.f64()),
    };
    Node::bool(holds(op, order))
}

fn holds(op: BinaryOp, order: Option<Ordering>) -> bool {
    match op {
        BinaryOp::Lt => order == Some(Ordering::Less),
        BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        BinaryOp::Gt => order == Some(Ordering::Greater),
        BinaryOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        BinaryOp::Eq => order == Some(Ordering::Equal),
        _ => order != Some(Ordering::Equal),
    }
}

fn node_binary(op: BinaryOp, a: &Node, b: &Node) -> Result2<Node> {
    let kind = a.kind.max(b.kind);
    let refuse = |what| Err(format!("expected numbers around `{}`, found {what}", operator_text(op)));
    if kind == Kind::Bool && matches!(op, BinaryOp::Sub | BinaryOp::Rem | BinaryOp::FloorDiv) {
        return refuse("two truth values");
    }
    let shift = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
    let bits = shift || matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
    if bits && kind > Kind::Long {
        return Err(format!(
            "expected integers around `{}`, found a number with a fraction",
            operator_text(op)
        ));
    }
    let (a, b) = (a.as_value(), b.as_value());
    let value = arith::binary(op, &a, &b).map_err(|p| p.message)?;
    let kind = if shift { kind.max(Kind::Int) } else { kind };
    Ok(Node::new(
        kind,
        match value {
            Value::Bool(v) => Num::I(i64::from(v)),
            Value::Int(v) => Num::I(v),
            other => Num::F(other.as_f64().unwrap_or(f64::NAN)),
        },
    ))
}

fn py_unary(op: UnaryOp, x: &Py) -> Result2<Py> {
    Ok(match (op, x) {
        (UnaryOp::Not, Py::Text(v)) => Py::Bool(v.is_empty()),
        (_, Py::Text(_)) => return Err("expected a number, found a text".into()),
        (UnaryOp::Not, x) => Py::Bool(py_f64(x) == 0.0),
        (UnaryOp::BitNot, Py::Bool(v)) => Py::Int(!i128::from(*v)),
        (UnaryOp::BitNot, Py::Int(v)) => Py::Int(!v),
        (UnaryOp::BitNot, _) => return Err("expected an integer after `~`, found a number".into()),
        (UnaryOp::Pos, Py::Bool(v)) => Py::Int(i128::from(*v)),
        (UnaryOp::Pos, x) => x.clone(),
        (UnaryOp::Neg, Py::Bool(v)) => Py::Int(-i128::from(*v)),
        (UnaryOp::Neg, Py::Int(v)) => v.checked_neg().map_or(Py::Huge(-(*v as f64)), Py::Int),
        (UnaryOp::Neg, Py::Huge(v)) => Py::Huge(-v),
        (UnaryOp::Neg, Py::Float(v)) => Py::Float(-v),
    })
}

fn py_f64(x: &Py) -> f64 {
    match x {
        Py::Bool(v) => f64::from(u8::from(*v)),
        Py::Int(v) => *v as f64,
        Py::Huge(v) | Py::Float(v) => *v,
        Py::Text(_) => f64::NAN,
    }
}

fn py_int(x: &Py) -> Option<i128> {
    match x {
        Py::Bool(v) => Some(i128::from(*v)),
        Py::Int(v) => Some(*v),
        _ => None,
    }
}

fn py_binary(op: BinaryOp, a: &Py, b: &Py) -> Result2<Py> {
    let sign = operator_text(op);
    if matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne) {
        let order = match (a, b, py_int(a), py_int(b)) {
            (Py::Text(a), Py::Text(b), ..) => Some(a.cmp(b)),
            (.., Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => py_f64(a).partial_cmp(&py_f64(b)),
        };
        return Ok(Py::Bool(holds(op, order)));
    }
    if matches!(a, Py::Text(_)) || matches!(b, Py::Text(_)) {
        return Err(format!("expected numbers around `{sign}`, found a text"));
    }
    let bits = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
    if let (true, Py::Bool(a), Py::Bool(b)) = (bits, a, b) {
        return Ok(Py::Bool(match op {
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            _ => a ^ b,
        }));
    }
    match (py_int(a), py_int(b)) {
        (Some(a), Some(b)) => py_integers(op, a, b),
        _ if bits || matches!(op, BinaryOp::Shl | BinaryOp::Shr) => {
            Err(format!("expected integers around `{sign}`, found a number"))
        }
        _ => py_floats(op, a, b),
    }
}

fn py_integers(op: BinaryOp, a: i128, b: i128) -> Result2<Py> {
    let zero = || format!("expected a divisor other than 0 after `{}`", operator_text(op));
    let rounded = |v: f64| Ok(Py::Huge(v));
    let (x, y) = (a as f64, b as f64);
    let exact = match op {
        BinaryOp::Add => a.checked_add(b).ok_or(x + y),
        BinaryOp::Sub => a.checked_sub(b).ok_or(x - y),
        BinaryOp::Mul => a.checked_mul(b).ok_or(x * y),
        BinaryOp::Div if b == 0 => return Err(zero()),
        BinaryOp::Div => return Ok(Py::Float(x / y)),
        BinaryOp::FloorDiv | BinaryOp::Rem if b == 0 => return Err(zero()),
        BinaryOp::FloorDiv => {
            a.checked_div(b).map(|q| if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q }).ok_or(x / y)
        }
        BinaryOp::Rem => {
            a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }).ok_or(0.0)
        }
        BinaryOp::Pow if b < 0 && a == 0 => {
            return Err("expected a base other than 0 for a negative power".into());
        }
        BinaryOp::Pow if b < 0 => return Ok(Py::Float(libm::pow(x, y))),
        BinaryOp::Pow => u32::try_from(b).ok().and_then(|n| a.checked_pow(n)).ok_or(libm::pow(x, y)),
        BinaryOp::Shl | BinaryOp::Shr if b < 0 => return Err("expected a shift by at least 0".into()),
        BinaryOp::Shl if a == 0 => Ok(0),
        BinaryOp::Shl => u32::try_from(b)
            .ok()
            .filter(|&n| n < 127)
            .and_then(|n| a.checked_mul(1_i128 << n))
            .ok_or(x * libm::pow(2.0, y)),
        BinaryOp::Shr => Ok(a >> b.min(127)),
        BinaryOp::And => Ok(a & b),
        BinaryOp::Or => Ok(a | b),
        _ => Ok(a ^ b),
    };
    exact.map(Py::Int).or_else(rounded)
}

fn py_floats(op: BinaryOp, a: &Py, b: &Py) -> Result2<Py> {
    let (x, y) = (py_f64(a), py_f64(b));
    for side in [a, b] {
        if matches!(side, Py::Huge(v) if v.is_infinite()) {
            return Err("expected an integer below 1.8e308".into());
        }
    }
    if y == 0.0 && matches!(op, BinaryOp::Div | BinaryOp::Rem | BinaryOp::FloorDiv) {
        return Err(format!("expected a divisor other than 0 after `{}`", operator_text(op)));
    }
    Ok(match (op, a, b) {
        (
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul,
            Py::Huge(_) | Py::Int(_),
            Py::Huge(_) | Py::Int(_),
        ) => Py::Huge(match op {
            BinaryOp::Add => x + y,
            BinaryOp::Sub => x - y,
            _ => x * y,
        }),
        (BinaryOp::Add, ..) => Py::Float(x + y),
        (BinaryOp::Sub, ..) => Py::Float(x - y),
        (BinaryOp::Mul, ..) => Py::Float(x * y),
        (BinaryOp::Div, ..) => Py::Float(x / y),
        (BinaryOp::FloorDiv, ..) => Py::Float(py_floor_div(x, y)),
        (BinaryOp::Rem, ..) => Py::Float(py_rem(x, y)),
        _ => Py::Float(py_pow(x, y)?),
    })
}

/// Python's `//`: from the exact remainder, so `0.25 // 0.01` is 24.
fn py_floor_div(x: f64, y: f64) -> f64 {
    libm::rint((x - py_rem(x, y)) / y)
}

/// Python's `%`: the sign of the divisor, exact.
fn py_rem(x: f64, y: f64) -> f64 {
    let r = libm::fmod(x, y);
    if r == 0.0 {
        return 0.0_f64.copysign(y);
    }
    if (r < 0.0) == (y < 0.0) { r } else { r + y }
}

fn py_pow(x: f64, y: f64) -> Result2<f64> {
    if x == 0.0 && y < 0.0 {
        return Err("expected a base other than 0 for a negative power".into());
    }
    if x < 0.0 && x.is_finite() && y.is_finite() && y.fract() != 0.0 {
        return Err("expected a real number, found a complex one: a negative base to a broken power".into());
    }
    let v = libm::pow(x, y);
    if v.is_infinite() && x.is_finite() && y.is_finite() {
        return Err("expected a number below 1.8e308".into());
    }
    Ok(v)
}
