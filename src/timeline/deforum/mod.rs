//! Deforum's schedules, expanded to one value per frame exactly as sd-webui-deforum 32242685 does it,
//! before anything is rendered.

pub mod arithmetic;
mod columns;
mod compiled;
mod functions;
pub mod interpolate;
pub mod masks;
pub mod notebook;
pub mod numexpr;
pub mod parseq;
pub mod prompts;
pub mod settings;
pub mod studio;
pub mod subtitles;
mod table;

use std::collections::BTreeMap;

pub use crate::schedule::deforum::Mode;
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::keys::{self, Key, is_plain_number, sanitise, unquote};
use crate::schedule::deforum::python::{expression, looks_like_attribute};
use crate::schedule::expr::Expr;
use crate::schedule::span::Span;
use crate::timeline::eval::{EvalError, Value};
use interpolate::Method;

/// Most frames a film can have.
pub const MAX_FRAMES: u32 = 1_000_000;

/// Most work one schedule may cause: bytes of expressions, counted at every frame they are evaluated at.
/// A schedule of 3,000 bytes can run for 100,000 frames; that takes a few seconds.
const MAX_WORK: u64 = 300_000_000;

/// Compiling takes about as long as walking the expression at so many frames.
const WORTH_COMPILING: usize = 8;

/// What a schedule is expanded for.
#[derive(Clone, Copy)]
pub struct Clip<'a> {
    /// Number of frames; `max_f` is one less.
    pub max_frames: u32,
    /// The start seed, `s`.
    pub seed: i64,
    /// How closely Deforum is followed.
    pub mode: Mode,
    /// Further names and their values at a frame.
    pub names: &'a dyn Fn(&str, u32) -> Option<Value>,
    /// Whether the local names of Deforum's own function (`i`) are there too, by accident.
    pub accidents: bool,
}

impl Clip<'_> {
    /// A clip without further names.
    pub fn new(max_frames: u32, seed: i64, mode: Mode) -> Clip<'static> {
        Clip { max_frames, seed, mode, names: &|_, _| None, accidents: true }
    }

    fn last(&self) -> i64 {
        i64::from(self.max_frames) - 1
    }

    /// numexpr sees the local names of the function that calls it, so these few are there by accident.
    fn variable(&self, name: &str, frame: Option<u32>) -> Option<Value> {
        match (name, frame) {
            ("max_f", _) => Some(Value::Int(self.last())),
            ("s", _) => Some(Value::Int(self.seed)),
            ("t", Some(frame)) => Some(Value::Int(frame.into())),
            ("i", Some(frame)) if self.accidents => Some(Value::Int(frame.into())),
            ("integer" | "is_single_string" | "value_is_number", Some(_)) if self.accidents => {
                Some(Value::Bool(false))
            }
            (_, Some(frame)) => (self.names)(name, frame),
            (_, None) => None,
        }
    }

    fn evaluate(&self, expr: &Expr, frame: Option<u32>) -> Result<Value, ReadError> {
        let result = numexpr::evaluate(expr, &|name| self.variable(name, frame), self.mode);
        result.map_err(|e| at_frame(e, frame))
    }
}

fn at_frame(error: EvalError, frame: Option<u32>) -> ReadError {
    let message = match frame {
        Some(frame) => format!("at frame {frame}: {}", error.message),
        None => error.message,
    };
    ReadError { span: error.span, message, hint: error.hint }
}

/// The values of a schedule of numbers at frames 0 to `max_frames - 1`. Infinities are possible; NaN
/// only where the schedule interpolates between infinities.
///
/// # Errors
/// Whatever stops Deforum, with the place in `text`.
pub fn expand(text: &str, max_frames: u32, seed: i64, mode: Mode) -> Result<Vec<f64>, ReadError> {
    expand_with(text, Span::default(), &Clip::new(max_frames, seed, mode), Method::Linear)
}

/// As [`expand`], for a text that stands at `base` of its source, and with any interpolation.
///
/// # Errors
/// As [`expand`]; also splines through infinite values.
pub fn expand_with(text: &str, base: Span, clip: &Clip<'_>, method: Method) -> Result<Vec<f64>, ReadError> {
    let keys = Keys::read(text, base, clip)?;
    let mut series = keys.numbers(clip)?;
    let place = Span::new(base.source, base.start, base.start.saturating_add(text.len() as u32));
    fill_ends(&mut series)
        .ok_or_else(|| ReadError::new(place, "expected a number at one frame at least, found none"))?;
    let method = method.for_keys(keys.by_frame.len());
    interpolate::fill(&mut series, method).map_err(|m| ReadError::new(place, m))?;
    Ok(series)
}

/// As [`expand`], truncated to integers as Deforum does for its integer uses.
///
/// # Errors
/// As [`expand`]; also values that are not finite.
pub fn expand_integers(text: &str, max_frames: u32, seed: i64, mode: Mode) -> Result<Vec<i64>, ReadError> {
    let values = expand(text, max_frames, seed, mode)?;
    values
        .iter()
        .enumerate()
        .map(|(frame, v)| {
            if v.is_finite() {
                Ok(*v as i64)
            } else {
                let message = format!("at frame {frame}: expected a finite number, found {v}");
                Err(ReadError::new(Span::new(0, 0, text.len() as u32), message))
            }
        })
        .collect()
}

/// The values of a schedule of texts (samplers, checkpoints, masks) at frames 0 to `max_frames - 1`:
/// each key's text without `' " ( )`, held until the next key. A text that looks like a number is lost:
/// the frame before is copied.
///
/// # Errors
/// As [`expand`]; also a number at frame 0.
pub fn expand_text(text: &str, max_frames: u32, seed: i64, mode: Mode) -> Result<Vec<String>, ReadError> {
    let clip = Clip::new(max_frames, seed, mode);
    let keys = Keys::read(text, Span::default(), &clip)?;
    let mut held: Option<String> = None;
    let mut values = Vec::with_capacity(max_frames as usize);
    let first = keys.first_value(mode).map(|key| sanitise(key.value));
    for frame in 0..max_frames {
        if let Some(key) = keys.at(frame) {
            let value = sanitise(key.value);
            if !is_plain_number(&value) {
                held = Some(value);
            } else if held.is_none() {
                let message = format!("expected a text at frame {frame}, found the number {value}");
                return Err(ReadError::new(key.value_span, message));
            }
        }
        let value = held.clone().or_else(|| first.clone()).ok_or_else(|| keys.no_first_key())?;
        values.push(value);
    }
    Ok(values)
}

/// The keys of one schedule, by frame. A repeated frame keeps its last value.
struct Keys<'a> {
    by_frame: BTreeMap<i64, Key<'a>>,
    place: Span,
}

impl<'a> Keys<'a> {
    fn read(text: &'a str, base: Span, clip: &Clip<'_>) -> Result<Self, ReadError> {
        let place = Span::new(base.source, base.start, base.start.saturating_add(text.len() as u32));
        if clip.max_frames == 0 || clip.max_frames > MAX_FRAMES {
            let found = clip.max_frames;
            return Err(ReadError::new(place, format!("expected 1 to {MAX_FRAMES} frames, found {found}")));
        }
        let mut by_frame = BTreeMap::new();
        for key in keys::split(text, base, clip.mode)? {
            by_frame.insert(frame_of(&key, clip)?, key);
        }
        Ok(Self { by_frame, place })
    }

    fn at(&self, frame: u32) -> Option<&Key<'a>> {
        self.by_frame.get(&i64::from(frame))
    }

    /// With a late first key, lenient reading holds the first value before it.
    fn first_value(&self, mode: Mode) -> Option<&Key<'a>> {
        if mode == Mode::Compat { None } else { self.by_frame.range(0..).next().map(|(_, key)| key) }
    }

    fn no_first_key(&self) -> ReadError {
        ReadError::new(self.place, "expected a key for frame 0, found none").hint("begin with `0:(...)`")
    }

    /// The frames' values before interpolation; NaN where there is none.
    fn numbers(&self, clip: &Clip<'_>) -> Result<Vec<f64>, ReadError> {
        let end = i64::from(clip.max_frames);
        let mut series = vec![f64::NAN; clip.max_frames as usize];
        let mut keys = self.by_frame.range(0..end).peekable();
        if clip.mode != Mode::Lenient && keys.peek().is_none_or(|(first, _)| **first > 0) {
            return Err(self.no_first_key());
        }
        let mut work = 0;
        while let Some((&frame, key)) = keys.next() {
            let next = keys.peek().map_or(end, |(next, _)| **next);
            let stretch = &mut series[frame as usize..next as usize];
            match Running::start(key, clip)? {
                Running::Number(v) => stretch[0] = v,
                Running::Expression(expr) => {
                    work += stretch.len() as u64 * key.value.len() as u64;
                    if work > MAX_WORK {
                        let message =
                            format!("at frame {frame}: expected a shorter expression for so many frames");
                        return Err(ReadError::new(key.value_span, message));
                    }
                    run(clip, &expr, frame as u32, stretch)?;
                }
            }
        }
        Ok(series)
    }
}

/// The most recent key's value.
enum Running {
    Number(f64),
    Expression(Expr),
}

impl Running {
    fn start(key: &Key<'_>, clip: &Clip<'_>) -> Result<Self, ReadError> {
        let plain = sanitise(key.value);
        if !is_plain_number(&plain) {
            if clip.mode == Mode::Compat && looks_like_attribute(key.value) {
                let message = "expected no `.` before a word: numexpr takes it for an attribute";
                return Err(ReadError::new(key.value_span, message).hint("put the number in brackets"));
            }
            return expression(key.value, key.value_span)
                .map(Self::Expression)
                .map_err(|e| with_comma_hint(e, clip));
        }
        // `+` alone passes Deforum's test and then is no number.
        plain.trim().parse().map(Self::Number).map_err(|_| {
            ReadError::new(
                key.value_span,
                format!("expected a number or an expression, found `{}`", key.value),
            )
        })
    }
}

fn with_comma_hint(error: ReadError, clip: &Clip<'_>) -> ReadError {
    if clip.mode == Mode::Compat && error.hint.is_none() && error.message.ends_with("the end") {
        return error.hint("deforum cuts schedules at every comma, also inside brackets");
    }
    error
}

/// Evaluates `expr` at frame `first` and those after it.
fn run(clip: &Clip<'_>, expr: &Expr, first: u32, stretch: &mut [f64]) -> Result<(), ReadError> {
    if stretch.len() >= WORTH_COMPILING
        && let Some(program) = compiled::Program::new(expr, first, clip)
    {
        program.fill(first, stretch);
        return Ok(());
    }
    for (frame, slot) in (first..).zip(stretch) {
        *slot = number(clip, expr, frame)?;
    }
    Ok(())
}

fn number(clip: &Clip<'_>, expr: &Expr, frame: u32) -> Result<f64, ReadError> {
    let value = clip.evaluate(expr, Some(frame))?;
    value
        .as_f64()
        .ok_or_else(|| ReadError::new(expr.span, format!("expected a number, found {}", value.kind())))
}

/// The frame a key stands at: a plain integer, or an expression of `max_f` and `s` truncated.
fn frame_of(key: &Key<'_>, clip: &Clip<'_>) -> Result<i64, ReadError> {
    let wrong =
        |what: String| ReadError::new(key.frame_span, format!("expected a frame number, found {what}"));
    let plain = sanitise(key.frame);
    if is_plain_number(plain.trim()) {
        if let Ok(frame) = plain.trim().parse::<i64>() {
            return Ok(frame);
        }
        return match plain.trim().parse::<f64>() {
            Ok(v) if clip.mode == Mode::Lenient => Ok(v as i64),
            _ => Err(wrong(format!("`{}`", key.frame))),
        };
    }
    let text = unquote(key.frame);
    let text = if clip.mode == Mode::Lenient { text.trim() } else { &text };
    let whole = |e: ReadError| ReadError { span: key.frame_span, ..e };
    let expr = expression(text, key.frame_span).map_err(whole)?;
    let value = clip.evaluate(&expr, None).map_err(whole)?;
    match value.as_f64() {
        Some(v) if v.is_finite() => Ok(value.as_i64().unwrap_or(v.trunc() as i64)),
        _ => Err(wrong(value.to_string())),
    }
}

/// Frame 0 takes the first number there is, the last frame the last; `None` when there is none.
fn fill_ends(series: &mut [f64]) -> Option<()> {
    let first = *series.iter().find(|v| !v.is_nan())?;
    *series.first_mut()? = first;
    let last = *series.iter().rev().find(|v| !v.is_nan())?;
    *series.last_mut()? = last;
    Some(())
}

#[cfg(test)]
mod tests;
