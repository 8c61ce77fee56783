//! The built-in functions: numexpr's, which Deforum's schedules know, and ours.

use super::{Problem, Value, spline, vector, wave};

/// One built-in function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The names of its arguments in order; each can also be given by name.
    pub params: &'static [&'static str],
    /// Whether any number of further arguments may follow.
    pub variadic: bool,
    /// Whether Deforum (numexpr) has it too.
    pub deforum: bool,
    /// One line of help.
    pub help: &'static str,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Always a double.
    Real(fn(f64) -> f64),
    /// Leaves integers and truth values as integers.
    Whole(fn(f64) -> f64),
    /// A question about a double.
    Test(fn(f64) -> bool),
    Real2(fn(f64, f64) -> f64),
    Real3(fn(f64, f64, f64) -> f64),
    Any(fn(&[Value]) -> Result<Value, Problem>),
    /// As `Any`, for kinds of values beyond numbers, which it looks at itself.
    Mixed(fn(&[Value]) -> Result<Value, Problem>),
}

const X: &[&str] = &["x"];
const XY: &[&str] = &["x", "y"];
const CHOICE: &[&str] = &["condition", "then", "otherwise"];
const AB: &[&str] = &["a", "b"];
const ABX: &[&str] = &["a", "b", "x"];
const PATH: &[&str] = &["path", "x"];
const OSC: &[&str] = &["shape", "period", "amp", "centre", "phase", "width", "at"];
const NOISE: &[&str] = &["period", "low", "high", "octaves", "seed", "at", "s"];
const RANDOM: &[&str] = &["low", "high", "every", "seed", "at", "s"];

const fn peer(
    name: &'static str,
    params: &'static [&'static str],
    help: &'static str,
    body: Body,
) -> Function {
    Function { name, params, variadic: false, deforum: true, help, body }
}

const fn ours(
    name: &'static str,
    params: &'static [&'static str],
    help: &'static str,
    body: Body,
) -> Function {
    Function { name, params, variadic: false, deforum: false, help, body }
}

const fn many(function: Function) -> Function {
    Function { variadic: true, ..function }
}

/// Sorted by name, for the binary search in [`find`].
static FUNCTIONS: &[Function] = &[
    peer("abs", X, "the size without the sign", Body::Any(abs)),
    peer("arccos", X, "the angle, in radians, with this cosine", Body::Real(libm::acos)),
    peer("arccosh", X, "inverse of cosh", Body::Real(libm::acosh)),
    peer("arcsin", X, "the angle, in radians, with this sine", Body::Real(libm::asin)),
    peer("arcsinh", X, "inverse of sinh", Body::Real(libm::asinh)),
    peer("arctan", X, "the angle, in radians, with this tangent", Body::Real(libm::atan)),
    peer("arctan2", &["y", "x"], "the direction, in radians, of the point (x, y)", Body::Real2(libm::atan2)),
    peer("arctanh", X, "inverse of tanh", Body::Real(libm::atanh)),
    ours("at", PATH, "the point of a spline at a share of its length, 0 to 1", Body::Mixed(spline::at)),
    peer("ceil", X, "the next whole number above", Body::Whole(f64::ceil)),
    ours("clamp", &["x", "low", "high"], "x, but not below low and not above high", Body::Any(clamp)),
    peer("cos", X, "cosine of an angle in radians", Body::Real(libm::cos)),
    peer("cosh", X, "hyperbolic cosine", Body::Real(libm::cosh)),
    ours("cross", AB, "the vector at right angles to two of three numbers", Body::Mixed(vector::cross)),
    ours("degrees", X, "radians as degrees", Body::Real(f64::to_degrees)),
    ours("dot", AB, "the sum of the products of two vectors", Body::Mixed(vector::dot)),
    ours(
        "ease",
        &["name", "x"],
        "an ease as a function: 0 at x = 0, 1 at x = 1, held beyond",
        Body::Mixed(wave::ease),
    ),
    peer("exp", X, "e to the power of x", Body::Real(libm::exp)),
    peer("expm1", X, "exp(x) - 1, exact near 0", Body::Real(libm::expm1)),
    peer("floor", X, "the next whole number below", Body::Whole(f64::floor)),
    peer("fmod", XY, "the remainder with the sign of x", Body::Real2(libm::fmod)),
    ours("fract", X, "the part after the point: x - floor(x)", Body::Real(|x| x - x.floor())),
    ours("hypot", XY, "the length of (x, y)", Body::Real2(libm::hypot)),
    ours("if", CHOICE, "the second argument when the first is true, else the third", Body::Any(choose)),
    peer("isfinite", X, "whether it is neither infinite nor NaN", Body::Test(f64::is_finite)),
    peer("isinf", X, "whether it is infinite", Body::Test(f64::is_infinite)),
    peer("isnan", X, "whether it is not a number", Body::Test(f64::is_nan)),
    ours("length", &["v"], "the length of a vector", Body::Mixed(vector::length)),
    ours("lerp", ABX, "a at x = 0, b at x = 1, straight between and beyond", Body::Mixed(vector::mix)),
    peer("log", X, "natural logarithm", Body::Real(libm::log)),
    peer("log10", X, "logarithm to base 10", Body::Real(libm::log10)),
    peer("log1p", X, "log(1 + x), exact near 0", Body::Real(libm::log1p)),
    peer("log2", X, "logarithm to base 2", Body::Real(libm::log2)),
    many(ours("max", XY, "the largest", Body::Any(|v| Ok(extreme(v, |new, best| new > best))))),
    peer("maximum", XY, "the larger of two", Body::Any(|v| Ok(extreme(v, |new, best| new > best)))),
    many(ours("min", XY, "the smallest", Body::Any(|v| Ok(extreme(v, |new, best| new < best))))),
    peer("minimum", XY, "the smaller of two", Body::Any(|v| Ok(extreme(v, |new, best| new < best)))),
    ours(
        "mix",
        ABX,
        "a at x = 0, b at x = 1, straight between and beyond; also vectors",
        Body::Mixed(vector::mix),
    ),
    ours(
        "noise",
        NOISE,
        "a smooth random walk between low and high, with a new goal every period",
        Body::Mixed(wave::noise),
    ),
    ours("normalize", &["v"], "the vector of length 1 in the same direction", Body::Mixed(vector::normalize)),
    ours("osc", OSC, "a wave about centre", Body::Mixed(wave::osc)),
    ours(
        "pick",
        &["list", "i"],
        "item number i of a list, from 0; beyond its ends it starts over",
        Body::Mixed(vector::pick),
    ),
    ours("radians", X, "degrees as radians", Body::Real(f64::to_radians)),
    ours(
        "random",
        RANDOM,
        "a random number from low to high, a new one every frame or so",
        Body::Mixed(wave::random),
    ),
    peer("round", X, "the nearest whole number; halves go to the even one", Body::Whole(libm::rint)),
    peer("sign", X, "-1, 0 or 1", Body::Whole(sign)),
    peer("signbit", X, "whether the sign is negative, also of -0.0", Body::Test(f64::is_sign_negative)),
    peer("sin", X, "sine of an angle in radians", Body::Real(libm::sin)),
    peer("sinh", X, "hyperbolic sine", Body::Real(libm::sinh)),
    ours(
        "smoothstep",
        &["low", "high", "x"],
        "0 up to low, 1 from high on, smooth between",
        Body::Real3(smoothstep),
    ),
    many(ours(
        "spline",
        &["closed", "first", "second"],
        "a smooth path through points; closed=1 leads back to the first",
        Body::Mixed(spline::through),
    )),
    peer("sqrt", X, "square root", Body::Real(f64::sqrt)),
    peer("tan", X, "tangent of an angle in radians", Body::Real(libm::tan)),
    ours(
        "tangent",
        PATH,
        "the direction of a spline at a share of its length, a vector of length 1",
        Body::Mixed(spline::tangent),
    ),
    peer("tanh", X, "hyperbolic tangent", Body::Real(libm::tanh)),
    peer("trunc", X, "the whole part", Body::Whole(f64::trunc)),
    peer("where", CHOICE, "the second argument when the first is true, else the third", Body::Any(choose)),
];

/// All built-in functions, sorted by name.
pub fn function_names() -> &'static [Function] {
    FUNCTIONS
}

/// Names that have a value everywhere unless the film gives them another, sorted.
pub fn constant_names() -> &'static [&'static str] {
    &["False", "True", "false", "pi", "tau", "true"]
}

pub(super) fn constant(name: &str) -> Option<Value> {
    match name {
        "pi" => Some(Value::Float(std::f64::consts::PI)),
        "tau" => Some(Value::Float(std::f64::consts::TAU)),
        "true" | "True" => Some(Value::Bool(true)),
        "false" | "False" => Some(Value::Bool(false)),
        _ => None,
    }
}

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by_key(&name, |f| f.name).ok().map(|i| &FUNCTIONS[i])
}

/// The built-in name that `name` is probably a typing error of.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let limit = (name.chars().count() / 3).max(2);
    FUNCTIONS
        .iter()
        .map(|f| (strsim::damerau_levenshtein(name, f.name), f.name))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, near)| near)
}

impl Function {
    /// How it is called, for messages and help: `clamp(x, low, high)`.
    pub fn signature(&self) -> String {
        let more = if self.variadic { ", ..." } else { "" };
        format!("{}({}{more})", self.name, self.params.join(", "))
    }

    pub(super) fn call(&self, args: &[(Option<&str>, Value)]) -> Result<Value, Problem> {
        self.apply(&self.place(args)?)
    }

    /// As [`call`](Self::call), with all arguments in the order of the parameters.
    pub(super) fn apply(&self, values: &[Value]) -> Result<Value, Problem> {
        if values.len() < self.params.len() || (values.len() > self.params.len() && !self.variadic) {
            return Err(self.wrong_count(values.len()));
        }
        match (&self.body, values) {
            (Body::Mixed(f), _) => f(values),
            (Body::Any(f), _) => {
                self.check_choice(values)?;
                f(values)
            }
            (Body::Real(f), [x]) => Ok(Value::Float(f(self.number(x)?))),
            // Whole numbers stay exact; only `sign` changes them.
            (Body::Whole(_), [x @ (Value::Bool(_) | Value::Int(_))]) => {
                let v = x.as_i64().unwrap_or(0);
                Ok(Value::Int(if self.name == "sign" { v.signum() } else { v }))
            }
            (Body::Whole(f), [x]) => Ok(Value::Float(f(self.number(x)?))),
            (Body::Test(f), [x]) => Ok(Value::Bool(f(self.number(x)?))),
            (Body::Real2(f), [x, y]) => Ok(Value::Float(f(self.number(x)?, self.number(y)?))),
            (Body::Real3(f), [x, y, z]) => {
                Ok(Value::Float(f(self.number(x)?, self.number(y)?, self.number(z)?)))
            }
            _ => Err(self.wrong_count(values.len())),
        }
    }

    fn number(&self, v: &Value) -> Result<f64, Problem> {
        v.as_f64()
            .ok_or_else(|| Problem::new(format!("expected a number in `{}`, found {}", self.name, v.kind())))
    }

    /// `where` and `if` choose between any kinds; everything else takes numbers only.
    fn check_choice(&self, values: &[Value]) -> Result<(), Problem> {
        if self.params != CHOICE {
            for v in values {
                self.number(v)?;
            }
        }
        Ok(())
    }

    fn wrong_count(&self, found: usize) -> Problem {
        let least = if self.variadic { "at least " } else { "" };
        let plural = if self.params.len() == 1 { "" } else { "s" };
        Problem::new(format!(
            "`{}` expects {least}{} argument{plural}, found {found}",
            self.name,
            self.params.len()
        ))
        .hint(format!("write `{}`", self.signature()))
    }

    /// The arguments in the order of the parameters.
    fn place(&self, args: &[(Option<&str>, Value)]) -> Result<Vec<Value>, Problem> {
        if args.len() < self.params.len() || (args.len() > self.params.len() && !self.variadic) {
            return Err(self.wrong_count(args.len()));
        }
        let mut placed: Vec<Option<Value>> = vec![None; args.len()];
        for (i, (name, value)) in args.iter().enumerate() {
            let slot = match name {
                None => i,
                Some(name) => self.params.iter().position(|p| p == name).ok_or_else(|| {
                    Problem::new(format!("`{}` has no argument called `{name}`", self.name))
                        .hint(format!("write `{}`", self.signature()))
                })?,
            };
            if placed[slot].replace(value.clone()).is_some() {
                let name = self.params.get(slot).unwrap_or(&"x");
                return Err(Problem::new(format!("`{}` got its argument `{name}` twice", self.name)));
            }
        }
        placed.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| self.wrong_count(args.len()))
    }
}

fn abs(values: &[Value]) -> Result<Value, Problem> {
    Ok(match values {
        [Value::Int(v)] => Value::Int(v.wrapping_abs()),
        [v] => Value::Float(v.as_f64().unwrap_or(f64::NAN).abs()),
        _ => Value::Float(f64::NAN),
    })
}

/// As numpy's sign: NaN stays NaN, both zeros give 0.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x + 0.0
    }
}

/// The cubic 3x² - 2x³ of the place between `low` and `high`; a step when they are equal.
fn smoothstep(low: f64, high: f64, x: f64) -> f64 {
    if low == high {
        return if x < low { 0.0 } else { 1.0 };
    }
    let x = ((x - low) / (high - low)).clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// The value that `better` prefers over all others; NaN as soon as one of them is NaN. Integers among
/// themselves stay integers and are compared exactly; otherwise the result is a double.
fn extreme(values: &[Value], better: fn(f64, f64) -> bool) -> Value {
    if values.iter().all(|v| matches!(v, Value::Int(_) | Value::Bool(_))) {
        let whole = values.iter().filter_map(Value::as_i64);
        let largest = better(1.0, 0.0);
        return Value::Int(if largest { whole.max() } else { whole.min() }.unwrap_or(0));
    }
    let mut best = f64::NAN;
    for (i, v) in values.iter().filter_map(Value::as_f64).enumerate() {
        if v.is_nan() {
            return Value::Float(v);
        }
        if i == 0 || better(v, best) {
            best = v;
        }
    }
    Value::Float(best)
}

fn clamp(values: &[Value]) -> Result<Value, Problem> {
    if let [_, low, high] = values
        && let (Some(low), Some(high)) = (low.as_f64(), high.as_f64())
        && low > high
    {
        return Err(Problem::new(format!("`clamp` expects low below high, found {low} and {high}")));
    }
    let bounded = extreme(&values[..2], |new, best| new > best);
    Ok(extreme(&[bounded, values[2].clone()], |new, best| new < best))
}

/// The kinds of both branches decide the kind of the result, so that it does not change from frame to
/// frame: one double makes the result a double.
fn choose(values: &[Value]) -> Result<Value, Problem> {
    let [condition, a, b] = values else {
        return Err(Problem::new(format!("expected 3 arguments, found {}", values.len())));
    };
    let Some(condition) = condition.as_bool() else {
        return Err(Problem::new(format!("expected a truth value as condition, found {}", condition.kind()))
            .hint("compare it: `x > 0`"));
    };
    let chosen = if condition { a } else { b };
    let other = if condition { b } else { a };
    match (chosen, other) {
        (Value::Text(_), Value::Text(_))
        | (Value::List(_), Value::List(_))
        | (Value::Spline(_), Value::Spline(_)) => Ok(chosen.clone()),
        (Value::Text(_) | Value::List(_) | Value::Spline(_), _)
        | (_, Value::Text(_) | Value::List(_) | Value::Spline(_)) => Err(Problem::new(format!(
            "expected two values of one kind to choose from, found {} and {}",
            a.kind(),
            b.kind()
        ))),
        (Value::Float(_), _) | (_, Value::Float(_)) => Ok(Value::Float(chosen.as_f64().unwrap_or(f64::NAN))),
        (Value::Bool(v), Value::Int(_)) => Ok(Value::Int(i64::from(*v))),
        _ => Ok(chosen.clone()),
    }
}
