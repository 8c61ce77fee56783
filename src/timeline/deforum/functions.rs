//! numexpr's functions with the kinds they give.

use super::numexpr::{Kind, Node, Num, Operand};

type Called = Result<Node, String>;

/// Calls numexpr's function `name`; `None` when it has none of that name.
pub(super) fn call(name: &str, values: &[Operand]) -> Option<Called> {
    let constant = values.iter().all(Operand::is_constant);
    let arguments = || values.iter().map(Operand::node).collect::<Result<Vec<_>, _>>();
    let result = match name {
        "where" => choose(values),
        "sum" | "prod" | "min" | "max" => reduce(name, values),
        "abs" | "sign" | "round" => arguments().and_then(|a| keeps_integers(name, &a, constant)),
        "floor" | "ceil" | "trunc" => arguments().and_then(|a| rounded(name, &a, constant)),
        "real" | "imag" | "conj" | "copy" | "ones_like" => arguments().and_then(|a| part(name, &a, constant)),
        "isnan" | "isfinite" | "isinf" | "signbit" => arguments().and_then(|a| question(name, &a)),
        _ => {
            if let Some(f) = of_one(name) {
                arguments().and_then(|a| one(name, f, &a, constant))
            } else {
                let f = of_two(name)?;
                arguments().and_then(|a| two(name, f, &a, constant))
            }
        }
    };
    // A constant result is not a literal: dividing by such a zero is not refused.
    Some(result.map(|node| Node { constant: node.constant || constant, literal: false, ..node }))
}

/// The function of doubles behind a function of one number.
pub(super) fn of_one(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "sqrt" => f64::sqrt,
        "sin" => libm::sin,
        "cos" => libm::cos,
        "tan" => libm::tan,
        "arcsin" => libm::asin,
        "arccos" => libm::acos,
        "arctan" => libm::atan,
        "sinh" => libm::sinh,
        "cosh" => libm::cosh,
        "tanh" => libm::tanh,
        "arcsinh" => libm::asinh,
        "arccosh" => libm::acosh,
        "arctanh" => libm::atanh,
        "log" => libm::log,
        "log1p" => libm::log1p,
        "log10" => libm::log10,
        "log2" => libm::log2,
        "exp" => libm::exp,
        "expm1" => libm::expm1,
        _ => return None,
    })
}

/// The function of doubles behind a function of two numbers.
pub(super) fn of_two(name: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match name {
        "arctan2" => libm::atan2,
        "fmod" => libm::fmod,
        "hypot" => libm::hypot,
        "copysign" => f64::copysign,
        "nextafter" => libm::nextafter,
        "maximum" => |a, b| if a.is_nan() || a >= b { a } else { b },
        "minimum" => |a, b| if a.is_nan() || a <= b { a } else { b },
        _ => return None,
    })
}

fn wrong_count(name: &str, expected: usize, found: usize) -> String {
    let plural = if expected == 1 { "" } else { "s" };
    format!("`{name}` expects {expected} argument{plural}, found {found}")
}

fn single<'a>(name: &str, args: &'a [Node]) -> Result<&'a Node, String> {
    match args {
        [x] => Ok(x),
        _ => Err(wrong_count(name, 1, args.len())),
    }
}

/// Truth values become single precision, integers double. Constants go to numpy, which has doubles.
fn float_kind(kind: Kind, constant: bool) -> Kind {
    match kind {
        Kind::Bool if !constant => Kind::Single,
        Kind::Single => Kind::Single,
        _ => Kind::Double,
    }
}

fn one(name: &str, f: fn(f64) -> f64, args: &[Node], constant: bool) -> Called {
    let x = single(name, args)?;
    let v = f(x.num.f64());
    if constant && x.kind == Kind::Bool {
        return Ok(Node::new(Kind::Single, Num::F(half_precision(v))));
    }
    Ok(Node::new(float_kind(x.kind, constant), Num::F(v)))
}

/// Rounded to the 11 bits of half precision: numpy's functions give that for a constant truth value.
fn half_precision(v: f64) -> f64 {
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    let (_, exponent) = libm::frexp(v);
    libm::ldexp(libm::rint(libm::ldexp(v, 11 - exponent)), exponent - 11)
}

fn two(name: &str, f: fn(f64, f64) -> f64, args: &[Node], constant: bool) -> Called {
    let [a, b] = args else {
        return Err(wrong_count(name, 2, args.len()));
    };
    if let (true, Num::I(x), Num::I(y)) = (constant, a.num, b.num)
        && matches!(name, "fmod" | "maximum" | "minimum")
    {
        let value = match name {
            "fmod" => x.checked_rem(y).unwrap_or(0),
            "maximum" => x.max(y),
            _ => x.min(y),
        };
        return Ok(Node::new(Kind::Long, Num::I(value)));
    }
    let single = matches!(name, "arctan2" | "fmod");
    let kind = float_kind(a.kind.max(b.kind), constant || !single);
    let kind = if single { kind } else { Kind::Double };
    Ok(Node::new(kind, Num::F(f(a.num.f64(), b.num.f64()))))
}

fn keeps_integers(name: &str, args: &[Node], constant: bool) -> Called {
    let x = single(name, args)?;
    let f = |v: f64| match name {
        "abs" => v.abs(),
        "round" => libm::rint(v),
        _ if v > 0.0 => 1.0,
        _ if v < 0.0 => -1.0,
        _ => v + 0.0,
    };
    // `abs` of a variable integer is a double, of a constant one an integer; the others keep integers.
    match x.num {
        Num::I(v) if constant && name == "abs" => {
            let kind = if x.kind == Kind::Bool { Kind::Bool } else { Kind::Long };
            Ok(Node::new(kind, Num::I(v.wrapping_abs())))
        }
        Num::I(v) if x.kind != Kind::Bool && name != "abs" => {
            Ok(Node::new(Kind::Long, Num::I(if name == "sign" { v.signum() } else { v })))
        }
        _ if name == "abs" => Ok(Node::new(float_kind(x.kind, constant), Num::F(f(x.num.f64())))),
        _ => Ok(Node::double(f(x.num.f64()))),
    }
}

fn rounded(name: &str, args: &[Node], constant: bool) -> Called {
    let x = single(name, args)?;
    let v = x.num.f64();
    let kind = if name == "trunc" { Kind::Double } else { float_kind(x.kind, constant) };
    Ok(Node::new(
        kind,
        Num::F(match name {
            "floor" => v.floor(),
            "ceil" => v.ceil(),
            _ => v.trunc(),
        }),
    ))
}

fn part(name: &str, args: &[Node], constant: bool) -> Called {
    let x = single(name, args)?;
    match name {
        "copy" => Ok(*x),
        "ones_like" if constant || x.kind == Kind::Bool => {
            Err("`ones_like` expects a number made of names".to_owned())
        }
        "ones_like" => Ok(Node::new(x.kind, Num::I(1))),
        "imag" => Ok(Node::double(0.0)),
        _ if constant => Ok(*x),
        _ => Ok(Node::double(x.num.f64())),
    }
}

fn question(name: &str, args: &[Node]) -> Called {
    let v = single(name, args)?.num.f64();
    Ok(Node::bool(match name {
        "isnan" => v.is_nan(),
        "isfinite" => v.is_finite(),
        "isinf" => v.is_infinite(),
        _ => v.is_sign_negative(),
    }))
}

/// A scalar's sum, product, least and largest are itself, but nothing may be done with the result.
fn reduce(name: &str, values: &[Operand]) -> Called {
    match values {
        [Operand::Node(node)] if node.constant => Ok(*node),
        [Operand::Node(node)] if node.kind != Kind::Bool => Ok(Node { reduced: true, ..*node }),
        [_] => Err(format!("`{name}` expects a number made of names")),
        _ => Err(wrong_count(name, 1, values.len())),
    }
}

fn choose(values: &[Operand]) -> Called {
    let [condition, a, b] = values else {
        return Err(wrong_count("where", 3, values.len()));
    };
    let condition = condition.node()?;
    let (a, b) = (a.node()?, b.node()?);
    let chosen = if condition.num.f64() != 0.0 { a } else { b };
    if condition.constant {
        return Ok(chosen);
    }
    if condition.kind != Kind::Bool {
        return Err(
            "expected a truth value as condition of `where`, found a number; compare it: `x > 0`".into()
        );
    }
    Ok(Node::new(a.kind.max(b.kind), chosen.num))
}
