//! What a formula is worth at a frame, as sd-parseq computes it (JavaScript's arithmetic).

use super::curves::{bezier, named_curve};
use super::formula::{Node, Op};

/// Where a formula is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    pub frame: f64,
    pub fps: f64,
    pub bpm: f64,
    /// The key in force.
    pub active: f64,
    /// Frames and values of the field's keys.
    pub keys: &'a [(f64, f64)],
    /// The document's last frame.
    pub last: f64,
}

impl Moment<'_> {
    pub fn active_value(&self) -> f64 {
        self.keys
            .iter()
            .rev()
            .find(|(frame, _)| *frame <= self.active)
            .or(self.keys.first())
            .map_or(0.0, |k| k.1)
    }

    pub fn next(&self) -> (f64, f64) {
        let after = self.keys.iter().find(|(frame, _)| *frame > self.frame).or(self.keys.last());
        after.copied().unwrap_or((self.frame, 0.0))
    }

    pub fn linear(&self) -> f64 {
        let after = self.keys.partition_point(|(frame, _)| *frame <= self.frame);
        match (after.checked_sub(1).and_then(|i| self.keys.get(i)), self.keys.get(after)) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (self.frame - a.0) / (b.0 - a.0),
            (Some(only), None) | (None, Some(only)) => only.1,
            (None, None) => 0.0,
        }
    }

    /// Neville's scheme through all keys.
    fn polynomial(&self) -> f64 {
        let mut values: Vec<f64> = self.keys.iter().map(|key| key.1).collect();
        for step in 1..values.len() {
            for i in 0..values.len() - step {
                let (a, b) = (self.keys[i].0, self.keys[i + step].0);
                values[i] = ((self.frame - b) * values[i] + (a - self.frame) * values[i + 1]) / (a - b);
            }
        }
        values.first().copied().unwrap_or(0.0)
    }

    /// The natural cubic spline through all keys: its second derivative is 0 at both ends.
    fn spline(&self) -> f64 {
        let keys = self.keys;
        let n = keys.len();
        if n < 3 {
            return self.linear();
        }
        let bends = bends(keys);
        let i = keys.partition_point(|(frame, _)| *frame <= self.frame).clamp(1, n - 1) - 1;
        let width = keys[i + 1].0 - keys[i].0;
        let (a, b) = ((keys[i + 1].0 - self.frame) / width, (self.frame - keys[i].0) / width);
        let curve = (a * a * a - a) * bends[i] + (b * b * b - b) * bends[i + 1];
        a * keys[i].1 + b * keys[i + 1].1 + curve * width * width / 6.0
    }
}

/// Second derivatives of the natural spline, by elimination of its three diagonals.
fn bends(keys: &[(f64, f64)]) -> Vec<f64> {
    let n = keys.len();
    let (mut upper, mut right) = (vec![0.0; n], vec![0.0; n]);
    for i in 1..n - 1 {
        let (before, after) = (keys[i].0 - keys[i - 1].0, keys[i + 1].0 - keys[i].0);
        let slope = (keys[i + 1].1 - keys[i].1) / after - (keys[i].1 - keys[i - 1].1) / before;
        let middle = 2.0 * (before + after) - before * upper[i - 1];
        upper[i] = after / middle;
        right[i] = (6.0 * slope - before * right[i - 1]) / middle;
    }
    let mut bends = vec![0.0; n];
    for i in (1..n - 1).rev() {
        bends[i] = right[i] - upper[i] * bends[i + 1];
    }
    bends
}

/// The value of a formula.
///
/// # Errors
/// What cannot be computed: names and functions without a counterpart, divisions by 0.
pub(super) fn evaluate(node: &Node, at: &Moment<'_>) -> Result<f64, String> {
    match node {
        Node::Number(value) => Ok(*value),
        Node::Quantity(value, unit) => Ok(quantity(*value, *unit, at)),
        Node::Text(text) => Err(format!("expected a number, found the text `{text}`")),
        Node::Name(name) => variable(name, at),
        Node::Minus(x) => Ok(-evaluate(x, at)?),
        Node::Binary(op, a, b) => binary(*op, evaluate(a, at)?, evaluate(b, at)?),
        Node::If(condition, then, otherwise) => {
            if evaluate(condition, at)? > 0.0 {
                evaluate(then, at)
            } else {
                otherwise.as_ref().map_or(Ok(0.0), |node| evaluate(node, at))
            }
        }
        Node::Call(name, args) => call(name, args, at),
    }
}

/// A number with a unit, in frames.
pub(super) fn quantity(value: f64, unit: char, at: &Moment<'_>) -> f64 {
    match unit {
        's' => value * at.fps,
        'b' => value * (at.fps * 60.0) / at.bpm,
        _ => value,
    }
}

pub(super) fn named_constant(name: &str) -> Option<f64> {
    use std::f64::consts::*;
    Some(match name {
        "PI" => PI,
        "E" => E,
        "SQRT2" => SQRT_2,
        "SQRT1_2" => FRAC_1_SQRT_2,
        "LN2" => LN_2,
        "LN10" => LN_10,
        "LOG2E" => LOG2_E,
        "LOG10E" => LOG10_E,
        _ => return None,
    })
}

fn variable(name: &str, at: &Moment<'_>) -> Result<f64, String> {
    Ok(match name {
        "L" => at.linear(),
        "S" => at.active_value(),
        "C" => at.spline(),
        "P" => at.polynomial(),
        "f" => at.frame,
        "k" => at.frame - at.active,
        "s" => at.frame / at.fps,
        "b" => at.frame * at.bpm / (at.fps * 60.0),
        "wb" => (at.frame * at.bpm / (at.fps * 60.0)).floor(),
        "fps" => at.fps,
        "bpm" => at.bpm,
        "active_keyframe" | "prev_keyframe" => at.active,
        "active_keyframe_value" | "prev_keyframe_value" => at.active_value(),
        "next_keyframe" => at.next().0,
        "next_keyframe_value" => at.next().1,
        "last_frame" | "final_frame" => at.last,
        _ => return named_constant(name).ok_or_else(|| format!("`{name}` has no counterpart")),
    })
}

fn binary(op: Op, a: f64, b: f64) -> Result<f64, String> {
    let truth = |is: bool| f64::from(u8::from(is));
    Ok(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div if b == 0.0 => return Err("division by zero".to_owned()),
        Op::Div => a / b,
        Op::Rem => libm::fmod(a, b),
        Op::Pow => libm::pow(a, b),
        Op::Weight => return Err("`:` makes text, not a number".to_owned()),
        Op::Lt => truth(a < b),
        Op::Le => truth(a <= b),
        Op::Gt => truth(a > b),
        Op::Ge => truth(a >= b),
        Op::Eq => truth(a == b),
        Op::Ne => truth(a != b),
        Op::And => truth(a > 0.0 && b > 0.0),
        Op::Or => truth(a > 0.0 || b > 0.0),
    })
}

/// The argument called one of `names`, or the one at `index` when arguments have no names.
pub(super) fn argument<'a>(
    args: &'a [(Option<String>, Node)],
    index: usize,
    names: &[&str],
) -> Option<&'a Node> {
    if args.iter().any(|(name, _)| name.is_some()) {
        let named = args.iter().find(|(name, _)| name.as_deref().is_some_and(|name| names.contains(&name)));
        return named.map(|(_, node)| node);
    }
    args.get(index).map(|(_, node)| node)
}

fn call(name: &str, args: &[(Option<String>, Node)], at: &Moment<'_>) -> Result<f64, String> {
    let given = |index, names: &[&str], default: f64| {
        argument(args, index, names).map_or(Ok(default), |node| evaluate(node, at))
    };
    let first = || match args {
        [] => Err(format!("`{name}` needs an argument")),
        _ => given(0, &["v", "a"], 0.0),
    };
    if let Some(f) = mathematics(name) {
        return Ok(f(first()?));
    }
    Ok(match name {
        "sin" | "tri" | "saw" | "sq" | "pulse" => return oscillator(name, args, at),
        "min" => first()?.min(given(1, &["b"], 0.0)?),
        "max" => first()?.max(given(1, &["b"], 0.0)?),
        "abs" => first()?.abs(),
        "round" => digits(first()?, given(1, &["p"], 0.0)?, |v| (v + 0.5).floor()),
        "floor" => digits(first()?, given(1, &["p"], 0.0)?, f64::floor),
        "ceil" => digits(first()?, given(1, &["p"], 0.0)?, f64::ceil),
        "f2b" => first()? * at.bpm / (at.fps * 60.0),
        "b2f" => first()? * (at.fps * 60.0) / at.bpm,
        "f2s" => first()? / at.fps,
        "s2f" => first()? * at.fps,
        "slide" | "bez" => return transition(name, args, at),
        _ => return Err(format!("`{name}(...)` has no counterpart")),
    })
}

fn digits(value: f64, count: f64, round: fn(f64) -> f64) -> f64 {
    let scale = libm::pow(10.0, count);
    round(value * scale) / scale
}

/// JavaScript's functions by Parseq's names, which are the language's with `_` in front.
pub(super) fn mathematics(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "_sin" => libm::sin,
        "_cos" => libm::cos,
        "_tan" => libm::tan,
        "_asin" => libm::asin,
        "_acos" => libm::acos,
        "_atan" => libm::atan,
        "_sinh" => libm::sinh,
        "_cosh" => libm::cosh,
        "_tanh" => libm::tanh,
        "_asinh" => libm::asinh,
        "_acosh" => libm::acosh,
        "_atanh" => libm::atanh,
        "_log" => libm::log,
        "_log1p" => libm::log1p,
        "_log10" => libm::log10,
        "_log2" => libm::log2,
        "_exp" => libm::exp,
        "_expm1" => libm::expm1,
        "_sqrt" => f64::sqrt,
        "_cbrt" => libm::cbrt,
        "_sign" => |v| if v == 0.0 { v } else { v.signum() },
        _ => return None,
    })
}

/// The arguments of an oscillator: period, phase, amplitude, centre, limit, width of the pulse.
pub(super) const OSCILLATOR: [(&[&str], f64); 6] = [
    (&["period", "p"], 0.0),
    (&["phase", "ps"], 0.0),
    (&["amp", "a"], 1.0),
    (&["centre", "c"], 0.0),
    (&["limit", "li"], 0.0),
    (&["pulse", "pw"], 5.0),
];

/// After `limit` periods from the active key the result is 0, not the centre (measured).
fn oscillator(name: &str, args: &[(Option<String>, Node)], at: &Moment<'_>) -> Result<f64, String> {
    let mut given = [0.0; 6];
    for (index, (names, default)) in OSCILLATOR.iter().enumerate() {
        given[index] = argument(args, index, names).map_or(Ok(*default), |node| evaluate(node, at))?;
    }
    let [period, phase, amp, centre, limit, width] = given;
    if period == 0.0 {
        return Err(format!("`{name}` needs a period"));
    }
    if limit > 0.0 && at.frame - at.active > limit * period {
        return Ok(0.0);
    }
    let at = at.frame + phase;
    let wave = libm::sin(at * std::f64::consts::PI * 2.0 / period);
    Ok(match name {
        "sin" => centre + wave * amp,
        "tri" => centre + libm::asin(wave) * (2.0 * amp) / std::f64::consts::PI,
        "saw" => centre + libm::fmod(at, period) * amp / period,
        "sq" => centre + if wave >= 0.0 { amp } else { -amp },
        _ => centre + if libm::fmod(at, period) < width { amp } else { 0.0 },
    })
}

/// `slide` and `bez`: from the active key's value to the next one's, unless told otherwise.
fn transition(name: &str, args: &[(Option<String>, Node)], at: &Moment<'_>) -> Result<f64, String> {
    let is_curve = name == "bez";
    let skip = if is_curve { 4 } else { 0 };
    let given = |index: usize, names: &[&str], default: f64| {
        argument(args, index, names).map_or(Ok(default), |node| evaluate(node, at))
    };
    let from = given(skip, &["from", "start", "s"], at.active_value())?;
    let mut to = given(skip + 1, &["to", "end", "t"], at.next().1)?;
    let over = given(skip + 2, &["span", "in", "s"], at.next().0 - at.active)?;
    let offset = given(skip + 3, &["offset", "os"], 2.0)?;
    let delta = if is_curve { given(9, &["d", "delta"], 0.0)? } else { 0.0 };
    if delta != 0.0 {
        to = from + delta;
    }
    let x = at.frame - at.active;
    if over == 0.0 {
        return Ok(from);
    }
    let position = if offset.abs() < 1.0 { offset } else { x / over };
    if !is_curve {
        return Ok(if x >= over { to } else { from + (to - from) * position });
    }
    if position > 1.0 {
        return Ok(to);
    }
    Ok(from + bezier(points(args, at)?, position) * (to - from))
}

/// The control points of a `bez`.
pub(super) fn points(args: &[(Option<String>, Node)], at: &Moment<'_>) -> Result<[f64; 4], String> {
    if let Some(Node::Text(curve)) = argument(args, 8, &["curve", "c"])
        && !curve.is_empty()
    {
        return named_curve(curve).ok_or_else(|| format!("there is no curve `{curve}`"));
    }
    let given = |index: usize, name: &str, default: f64| {
        argument(args, index, &[name]).map_or(Ok(default), |node| evaluate(node, at))
    };
    Ok([given(0, "x1", 0.5)?, given(1, "y1", 0.0)?, given(2, "x2", 0.5)?, given(3, "y2", 1.0)?])
}

#[cfg(test)]
mod tests {
    use super::super::formula::parse;
    use super::*;

    fn at(text: &str, frame: f64) -> Result<f64, String> {
        let keys = [(0.0, 1.0), (10.0, 3.0), (20.0, 2.0)];
        let active = if frame >= 10.0 { 10.0 } else { 0.0 };
        let moment = Moment { frame, fps: 10.0, bpm: 120.0, active, keys: &keys, last: 20.0 };
        evaluate(&parse(text)?, &moment)
    }

    #[test]
    fn operators_group_to_the_right_as_measured() {
        for (text, expected) in [
            ("10-3-2", 9.0),
            ("8/4/2", 4.0),
            ("1 - 2 + 3", -4.0),
            ("7%4*2", 7.0),
            ("0 and 1 or 1", 0.0),
            ("-2^2", 4.0),
            ("2*3+4", 10.0),
            ("if 1 > 2 5 else 6", 6.0),
            ("if 0 5", 0.0),
            ("round(1.456, 2)", 1.46),
            ("-7 % 4", -3.0),
        ] {
            assert_eq!(at(text, 0.0), Ok(expected), "{text}");
        }
    }

    #[test]
    fn keys_and_waves_are_parseqs() {
        assert_eq!(at("L", 5.0), Ok(2.0));
        assert_eq!(at("S", 15.0), Ok(3.0));
        assert_eq!(at("P", 10.0), Ok(3.0));
        assert!((at("C", 5.0).unwrap() - 2.28125).abs() < 1e-12);
        assert_eq!(at("k", 13.0), Ok(3.0));
        assert_eq!(at("b", 5.0), Ok(1.0));
        assert_eq!(at("1b", 0.0), Ok(5.0));
        // Arguments have names all or none.
        assert!(at("saw(4, a=2)", 0.0).is_err());
        assert_eq!(at("saw(p=4, a=2)", 5.0), Ok(0.5));
        // The result is 0 behind the limit, not the centre.
        assert_eq!(at("sin(p=4, c=10, li=0.5)", 3.0), Ok(0.0));
        assert_eq!(at("slide(in=5)", 15.0), Ok(2.0));
        assert!((at("bez(c=\"linear\")", 5.0).unwrap() - 2.0).abs() < 1e-9);
        assert!(at("rand()", 0.0).unwrap_err().contains("rand"));
        assert!(at("1 +", 0.0).unwrap_err().contains("column 4"));
        assert!(at(&"(".repeat(100_000), 0.0).is_err());
        assert!(at(&"1+".repeat(5000), 0.0).is_err());
    }
}
