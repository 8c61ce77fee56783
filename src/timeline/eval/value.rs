//! What an expression can be worth, and how it is printed into a text.

use std::fmt;
use std::sync::Arc;

use super::spline::Spline;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth value; counts as 1 or 0 in arithmetic.
    Bool(bool),
    /// A 64-bit integer; arithmetic wraps.
    Int(i64),
    /// An IEEE double; may be infinite or NaN.
    Float(f64),
    /// A text or a choice.
    Text(String),
    /// A list, also of mixed kinds.
    List(Vec<Value>),
    /// A path through points.
    Spline(Arc<Spline>),
}

impl Value {
    /// The number, with `true` as 1 and `false` as 0; `None` for text and lists.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(v) => Some(f64::from(u8::from(*v))),
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            Self::Text(_) | Self::List(_) | Self::Spline(_) => None,
        }
    }

    /// The integer: of integers, truth values, and doubles that are whole and fit; else `None`.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Bool(v) => Some(i64::from(*v)),
            Self::Int(v) => Some(*v),
            // The bounds are exact doubles: -2^63 fits, 2^63 does not.
            Self::Float(v) => (v.trunc() == *v
                && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(v))
            .then_some(*v as i64),
            Self::Text(_) | Self::List(_) | Self::Spline(_) => None,
        }
    }

    /// The truth value, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(v) => Some(*v),
            _ => None,
        }
    }

    /// The text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(v) => Some(v),
            _ => None,
        }
    }

    /// The items, when it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(v) => Some(v),
            _ => None,
        }
    }

    /// What it is, for messages: `a number`, `a text`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Spline(_) => "a spline",
        }
    }
}

impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}

/// As Python's `str`, which is what Deforum prints into prompts: `0.5`, `0.0`, `2`, `True`, `1e-05`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => f.write_str(&print_float(*v)),
            Self::Text(v) => f.write_str(v),
            Self::Spline(_) => f.write_str("spline"),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The shortest decimal that reads back as `v`, laid out as Python's `repr` does it: always with a
/// point or an exponent; an exponent below 1e-4 and from 1e16 on, with a sign and two digits.
pub fn print_float(v: f64) -> String {
    if v.is_nan() {
        return "nan".into();
    }
    if v.is_infinite() {
        return if v > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{v:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if v == 0.0 || (-4..16).contains(&exponent) {
        return format!("{v:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
