//! Functions of vectors: lists of numbers.

use super::{Problem, Value};

/// The numbers of a vector, for the function `name`.
pub(super) fn numbers(name: &str, value: &Value) -> Result<Vec<f64>, Problem> {
    let wrong = |found: &str| {
        Problem::new(format!("expected a vector in `{name}`, found {found}"))
            .hint("a vector is a list of numbers: `[0, 1, 2]`")
    };
    let items = value.as_list().ok_or_else(|| wrong(value.kind()))?;
    items
        .iter()
        .map(|item| item.as_f64().ok_or_else(|| wrong(&format!("a list with {} in it", item.kind()))))
        .collect()
}

/// A vector from its numbers.
pub(super) fn vector(numbers: impl IntoIterator<Item = f64>) -> Value {
    Value::List(numbers.into_iter().map(Value::Float).collect())
}

/// Euclidean length.
pub(in crate::timeline) fn norm(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |length, x| libm::hypot(length, *x))
}

fn of_one_length(name: &str, a: &Value, b: &Value) -> Result<(Vec<f64>, Vec<f64>), Problem> {
    let (a, b) = (numbers(name, a)?, numbers(name, b)?);
    if a.len() == b.len() {
        return Ok((a, b));
    }
    let (m, n) = (a.len(), b.len());
    Err(Problem::new(format!("expected vectors of one length in `{name}`, found {m} and {n} numbers")))
}

pub(super) fn length(values: &[Value]) -> Result<Value, Problem> {
    Ok(Value::Float(norm(&numbers("length", &values[0])?)))
}

pub(super) fn dot(values: &[Value]) -> Result<Value, Problem> {
    let (a, b) = of_one_length("dot", &values[0], &values[1])?;
    Ok(Value::Float(a.iter().zip(&b).map(|(a, b)| a * b).sum()))
}

pub(super) fn cross(values: &[Value]) -> Result<Value, Problem> {
    let three = |value| match numbers("cross", value)?.as_slice() {
        [x, y, z] => Ok([*x, *y, *z]),
        other => {
            Err(Problem::new(format!("expected vectors of 3 numbers in `cross`, found {}", other.len())))
        }
    };
    Ok(vector(cross3(three(&values[0])?, three(&values[1])?)))
}

/// The right-handed product: x × y = z.
pub(in crate::timeline) fn cross3(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn normalize(values: &[Value]) -> Result<Value, Problem> {
    let v = numbers("normalize", &values[0])?;
    let length = norm(&v);
    if length > 0.0 && length.is_finite() {
        return Ok(vector(v.iter().map(|x| x / length)));
    }
    Err(Problem::new(format!("expected a direction in `normalize`, found a vector of length {length}")))
}

/// `a + (b - a) x` of numbers or vectors of one length.
pub(super) fn mix(values: &[Value]) -> Result<Value, Problem> {
    let [a, b, x] = values else { return Err(Problem::new("expected 3 arguments")) };
    let Some(x) = x.as_f64() else {
        return Err(Problem::new(format!("expected a number as share, found {}", x.kind())));
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => Ok(Value::Float(a * (1.0 - x) + b * x)),
        (None, None) => {
            let (a, b) = of_one_length("mix", a, b)?;
            Ok(vector(a.iter().zip(&b).map(|(a, b)| a * (1.0 - x) + b * x)))
        }
        _ => Err(Problem::new(format!(
            "expected two numbers or two vectors to mix, found {} and {}",
            a.kind(),
            b.kind()
        ))),
    }
}

/// Item number `floor(i)`; the list is thought of as going on from its start again, in both directions.
pub(super) fn pick(values: &[Value]) -> Result<Value, Problem> {
    let Some(items) = values[0].as_list() else {
        return Err(Problem::new(format!("expected a list to pick from, found {}", values[0].kind()))
            .hint("write `pick([1, 2, 3], i)`"));
    };
    let index = values[1].as_f64().filter(|i| i.is_finite()).ok_or_else(|| {
        Problem::new(format!("expected a finite number as place in the list, found {}", values[1].kind()))
    })?;
    let length = items.len();
    if length == 0 {
        return Err(Problem::new("expected a list to pick from, found an empty one"));
    }
    let index = index.floor();
    // The remainder of a double by a length up to 2^20 is exact and below the length.
    let place = index - (index / length as f64).floor() * length as f64;
    Ok(items[(place.max(0.0) as usize).min(length - 1)].clone())
}
