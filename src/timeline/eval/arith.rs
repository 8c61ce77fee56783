//! Operators on values, with numexpr's typing: truth value < integer < double, the result has the
//! wider kind of the two.

use std::cmp::Ordering;

use super::{Problem, Value};
use crate::schedule::expr::{BinaryOp, UnaryOp};

/// The operator as it is written.
pub(crate) fn text(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::FloorDiv => "//",
        BinaryOp::Rem => "%",
        BinaryOp::Pow => "**",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
        BinaryOp::Xor => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
    }
}

/// `op x`.
pub(crate) fn unary(op: UnaryOp, x: &Value) -> Result<Value, Problem> {
    match (op, x) {
        (UnaryOp::Neg | UnaryOp::Pos, Value::List(items)) => {
            items.iter().map(|item| unary(op, item)).collect::<Result<_, _>>().map(Value::List)
        }
        (UnaryOp::Neg, Value::Int(v)) => Ok(Value::Int(v.wrapping_neg())),
        (UnaryOp::Neg, Value::Float(v)) => Ok(Value::Float(-v)),
        (UnaryOp::Neg, Value::Bool(_)) => {
            Err(Problem::new("expected a number after `-`, found a truth value")
                .hint("write `1 - x`, or `not x` for the opposite"))
        }
        (UnaryOp::Pos, Value::Bool(_) | Value::Int(_) | Value::Float(_)) => Ok(x.clone()),
        (UnaryOp::Not | UnaryOp::BitNot, Value::Bool(v)) => Ok(Value::Bool(!v)),
        (UnaryOp::BitNot, Value::Int(v)) => Ok(Value::Int(!v)),
        (UnaryOp::Not, Value::Int(_) | Value::Float(_)) => {
            Err(Problem::new(format!("expected a truth value after `not`, found {}", x.kind()))
                .hint("compare it: `x == 0`"))
        }
        (UnaryOp::BitNot, _) => {
            Err(Problem::new(format!("expected an integer after `~`, found {}", x.kind())))
        }
        _ => Err(Problem::new(format!("expected a number, found {}", x.kind()))),
    }
}

/// `a op b`.
pub(crate) fn binary(op: BinaryOp, a: &Value, b: &Value) -> Result<Value, Problem> {
    if let Some(equal) = text_equality(op, a, b) {
        return equal;
    }
    if let Some(vector) = vectors(op, a, b) {
        return vector;
    }
    for side in [a, b] {
        if matches!(side, Value::Text(_) | Value::List(_) | Value::Spline(_)) {
            return Err(Problem::new(format!(
                "expected numbers around `{}`, found {}",
                text(op),
                side.kind()
            )));
        }
    }
    match op {
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
            Ok(Value::Bool(compare(op, a, b)))
        }
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => logic(op, a, b),
        BinaryOp::Shl | BinaryOp::Shr => shift(op, a, b),
        _ => arithmetic(op, a, b),
    }
}

/// Sums, differences, products and quotients of vectors, item by item; a number goes with every item.
fn vectors(op: BinaryOp, a: &Value, b: &Value) -> Option<Result<Value, Problem>> {
    if !matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div) {
        return None;
    }
    let pairs: Vec<(&Value, &Value)> = match (a, b) {
        (Value::List(a), Value::List(b)) if a.len() == b.len() => a.iter().zip(b).collect(),
        (Value::List(a), Value::List(b)) => {
            return Some(Err(Problem::new(format!(
                "expected vectors of one length around `{}`, found {} and {} numbers",
                text(op),
                a.len(),
                b.len()
            ))));
        }
        (Value::List(a), b) if b.as_f64().is_some() => a.iter().map(|a| (a, b)).collect(),
        (a, Value::List(b)) if a.as_f64().is_some() => b.iter().map(|b| (a, b)).collect(),
        _ => return None,
    };
    let items = pairs.into_iter().map(|(a, b)| match (a, b) {
        // A matrix is no vector, and lists in lists could grow without end.
        (Value::List(_), _) | (_, Value::List(_)) => Err(Problem::new(format!(
            "expected vectors of numbers around `{}`, found lists in a list",
            text(op)
        ))),
        _ => binary(op, a, b),
    });
    Some(items.collect::<Result<_, _>>().map(Value::List))
}

fn text_equality(op: BinaryOp, a: &Value, b: &Value) -> Option<Result<Value, Problem>> {
    let same = match (a, b) {
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => a == b,
        _ => return None,
    };
    match op {
        BinaryOp::Eq => Some(Ok(Value::Bool(same))),
        BinaryOp::Ne => Some(Ok(Value::Bool(!same))),
        _ => None,
    }
}

fn float(v: &Value) -> f64 {
    v.as_f64().unwrap_or(f64::NAN)
}

fn integers(a: &Value, b: &Value) -> Option<(i64, i64)> {
    let one = |v: &Value| match v {
        Value::Bool(v) => Some(i64::from(*v)),
        Value::Int(v) => Some(*v),
        _ => None,
    };
    Some((one(a)?, one(b)?))
}

fn compare(op: BinaryOp, a: &Value, b: &Value) -> bool {
    let order = match integers(a, b) {
        Some((a, b)) => Some(a.cmp(&b)),
        None => float(a).partial_cmp(&float(b)),
    };
    match op {
        BinaryOp::Lt => order == Some(Ordering::Less),
        BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        BinaryOp::Gt => order == Some(Ordering::Greater),
        BinaryOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        BinaryOp::Eq => order == Some(Ordering::Equal),
        _ => order != Some(Ordering::Equal),
    }
}

fn logic(op: BinaryOp, a: &Value, b: &Value) -> Result<Value, Problem> {
    if let (Value::Bool(a), Value::Bool(b)) = (a, b) {
        return Ok(Value::Bool(match op {
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            _ => a ^ b,
        }));
    }
    let Some((a, b)) = integers(a, b) else {
        return Err(Problem::new(format!("expected truth values around `{}`, found a number", text(op)))
            .hint("compare each side: `x > 0`"));
    };
    Ok(Value::Int(match op {
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        _ => a ^ b,
    }))
}

/// Shifts of 64 and more, and by negative counts, leave nothing (numexpr: `t << 70` is 0); to the right
/// the sign stays.
fn shift(op: BinaryOp, a: &Value, b: &Value) -> Result<Value, Problem> {
    let Some((a, b)) = integers(a, b) else {
        return Err(Problem::new(format!("expected integers around `{}`, found a number", text(op))));
    };
    let count = u32::try_from(b).ok().filter(|&n| n < 64);
    Ok(Value::Int(match (op, count) {
        (BinaryOp::Shl, Some(n)) => a << n,
        (BinaryOp::Shr, Some(n)) => a >> n,
        (BinaryOp::Shr, None) if a < 0 => -1,
        _ => 0,
    }))
}

fn arithmetic(op: BinaryOp, a: &Value, b: &Value) -> Result<Value, Problem> {
    if op == BinaryOp::Div {
        return Ok(Value::Float(float(a) / float(b)));
    }
    if let (Value::Bool(a), Value::Bool(b)) = (a, b) {
        match op {
            // numexpr 2.14: the sum of truth values is their `or`, the product their `and`.
            BinaryOp::Add => return Ok(Value::Bool(a | b)),
            BinaryOp::Mul => return Ok(Value::Bool(a & b)),
            BinaryOp::Sub => {
                return Err(Problem::new("expected a number beside `-`, found two truth values")
                    .hint("multiply one by 1 to count with it"));
            }
            _ => {}
        }
    }
    Ok(match integers(a, b) {
        Some((a, b)) => Value::Int(of_integers(op, a, b)),
        None => Value::Float(of_floats(op, float(a), float(b))),
    })
}

fn of_integers(op: BinaryOp, a: i64, b: i64) -> i64 {
    match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::FloorDiv => floor_div(a, b),
        BinaryOp::Rem => floor_rem(a, b),
        _ => int_pow(a, b),
    }
}

fn of_floats(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::FloorDiv => (a / b).floor(),
        // numexpr's own formula; differs from fmod in the last bits for large quotients.
        BinaryOp::Rem => a - (a / b).floor() * b,
        _ => libm::pow(a, b),
    }
}

/// The quotient rounded down; 0 when `b` is 0.
pub(crate) fn floor_div(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
    if r != 0 && (r < 0) != (b < 0) { q - 1 } else { q }
}

/// The remainder with the sign of `b`; 0 when `b` is 0.
pub(crate) fn floor_rem(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let r = a.wrapping_rem(b);
    if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
}

/// An integer to the power of an integer, wrapping. With a negative exponent it is the whole part of
/// the quotient: 1 or -1 for bases 1 and -1, else 0 (also for base 0).
pub(crate) fn int_pow(base: i64, exponent: i64) -> i64 {
    if exponent < 0 {
        return match base {
            1 => 1,
            -1 => {
                if exponent % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            _ => 0,
        };
    }
    let (mut result, mut square, mut left) = (1_i64, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left >>= 1;
    }
    result
}
