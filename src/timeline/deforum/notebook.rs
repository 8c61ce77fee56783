//! The schedules of Deforum's notebook (deforum-stable-diffusion 9d2caaa), which finds its keys otherwise than the
//! extension: digits, a colon and the shortest text in brackets with a comma or the end behind it; whatever lies
//! between is passed over. Keys are digits only, and expressions know `t` but neither `max_f` nor `s`.

use std::collections::BTreeMap;

use super::interpolate::{self, Method};
use super::{MAX_FRAMES, Mode, numexpr};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::keys::{MAX_TEXT, is_plain_number, within};
use crate::schedule::deforum::python::{expression, looks_like_attribute};
use crate::schedule::expr::Expr;
use crate::schedule::span::Span;
use crate::timeline::eval::Value;

/// The values of a schedule of numbers at frames 0 to `max_frames - 1`, as the notebook computes them.
///
/// # Errors
/// Whatever stops the notebook, with the place in `text`; numbers of frames outside 1 to [`MAX_FRAMES`], and
/// schedules whose expressions are too much work for them.
pub fn expand(text: &str, max_frames: u32) -> Result<Vec<f64>, ReadError> {
    let whole = within(text, text, Span::default());
    if max_frames == 0 || max_frames > MAX_FRAMES {
        return Err(ReadError::new(whole, format!("expected 1 to {MAX_FRAMES} frames, found {max_frames}")));
    }
    let keys = keys(text)?;
    let mut series = vec![f64::NAN; max_frames as usize];
    let mut running: Option<Running> = None;
    let mut work = 0;
    for (frame, slot) in (0..max_frames).zip(&mut series) {
        if let Some(value) = keys.get(&i64::from(frame)) {
            running = Some(Running::start(text, value)?);
            if let Some(Running::Number(number)) = running {
                *slot = number;
            }
        }
        match &running {
            Some(Running::Expression(expr, length)) => {
                work += length;
                if work > super::MAX_WORK {
                    let message =
                        format!("at frame {frame}: expected a shorter expression for so many frames");
                    return Err(ReadError::new(expr.span, message));
                }
                *slot = at(expr, frame)?;
            }
            Some(Running::Number(_)) => {}
            None => {
                let wrong = ReadError::new(whole, "expected a key for frame 0, found none");
                return Err(wrong.hint("begin with `0:(...)`"));
            }
        }
    }
    super::fill_ends(&mut series)
        .ok_or_else(|| ReadError::new(whole, "expected a number at one frame at least, found none"))?;
    interpolate::fill(&mut series, Method::Linear).map_err(|m| ReadError::new(whole, m))?;
    Ok(series)
}

/// The most recent key's value.
enum Running {
    Number(f64),
    /// With its length, for counting work.
    Expression(Expr, u64),
}

impl Running {
    fn start(text: &str, value: &str) -> Result<Self, ReadError> {
        let place = within(text, value, Span::default());
        if is_plain_number(value) {
            let number = value.trim_end().parse().map(Self::Number);
            return number.map_err(|_| ReadError::new(place, format!("expected a number, found `{value}`")));
        }
        if looks_like_attribute(value) {
            return Err(ReadError::new(
                place,
                "expected no `.` before a word: numexpr takes it for an attribute",
            ));
        }
        Ok(Self::Expression(expression(value, place)?, value.len() as u64))
    }
}

fn at(expr: &Expr, frame: u32) -> Result<f64, ReadError> {
    let names = |name: &str| match name {
        "t" | "i" => Some(Value::Int(frame.into())),
        "integer" | "value_is_number" => Some(Value::Bool(false)),
        _ => None,
    };
    let value = numexpr::evaluate(expr, &names, Mode::Compat).map_err(|e| super::at_frame(e, Some(frame)))?;
    let wrong = || ReadError::new(expr.span, format!("expected a number, found {}", value.kind()));
    value.as_f64().ok_or_else(wrong)
}

/// The keys by frame; a repeated one keeps its last value.
fn keys(text: &str) -> Result<BTreeMap<i64, &str>, ReadError> {
    let whole = within(text, text, Span::default());
    if text.len() > MAX_TEXT {
        let found = text.len();
        return Err(ReadError::new(
            whole,
            format!("expected a schedule of at most {MAX_TEXT} bytes, found {found}"),
        ));
    }
    let (mut keys, mut rest) = (BTreeMap::new(), text);
    // The end of a value is looked for once: without one here there is none further on.
    while let Some((frame, value, after)) = next_key(rest) {
        if let Ok(frame) = frame.parse() {
            keys.insert(frame, value);
        }
        rest = after;
    }
    if keys.is_empty() {
        let wrong = ReadError::new(whole, "expected a key such as `30:(1.02)`, found none");
        return Err(wrong.hint("the notebook wants every value in brackets"));
    }
    Ok(keys)
}

/// The first key of `rest`: its frame, its value without the brackets, and what follows.
fn next_key(rest: &str) -> Option<(&str, &str, &str)> {
    for (colon, _) in rest.match_indices(':') {
        let before = &rest[..colon];
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let Some(inside) = rest[colon + 1..].trim_start().strip_prefix('(') else { continue };
        if digits == 0 {
            continue;
        }
        let end = inside.match_indices(')').find_map(|(at, _)| {
            let after = &inside[at + 1..];
            let end = after.trim_start().is_empty() && after.chars().count() <= 2;
            (end || after.starts_with(',')).then_some(at)
        })?;
        return Some((&before[colon - digits..], &inside[..end], &inside[end + 1..]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_brackets() {
        assert_eq!(expand("0:(fmod(t,2)), x 3:(5),", 5).unwrap(), [0.0, 1.0, 0.0, 5.0, 5.0]);
        // The last digits before the colon count, whatever stands before them.
        assert_eq!(expand("0:(0), max_f/2:(1)", 3).unwrap(), [0.0, 0.5, 1.0]);
        assert_eq!(expand("0:(1), 2:(3)\n", 3).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_notebook_refuses_what_it_refuses() {
        for text in ["0:1, 10:2", "0:(1", "0:( 1 )", "0:(t/max_f)", "0:(1)(2)", "3:(1)", "", "0:(1) # note"] {
            assert!(expand(text, 4).is_err(), "{text}");
        }
        assert!(expand("0:(1)", 0).is_err());
        assert!(expand(&"1:(".repeat(100_000), 4).is_err());
    }
}
