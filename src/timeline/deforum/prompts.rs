//! Deforum's prompts per frame: key prompts with the fields around them, `` `expressions` `` in the text,
//! and the blending of Interpolation mode.

use super::{Mode, numexpr};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::keys::is_plain_number;
use crate::schedule::deforum::python::expression;
use crate::schedule::span::Span;
use crate::timeline::deforum::MAX_FRAMES;
use crate::timeline::eval::{Value, print_float};

/// Longest prompt of a frame, in bytes.
const MAX_PROMPT: usize = 1 << 20;

/// How prompts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptMode {
    /// Each holds until the next (2D, 3D and Video Input).
    Hold,
    /// Neighbours are blended by weight (Interpolation).
    Blend,
}

/// What a frame is painted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramePrompt {
    /// As Deforum prints it: `positive--neg negative`.
    pub prepared: String,
    /// What to paint; in blends with `AND` and weights.
    pub positive: String,
    /// What to avoid.
    pub negative: String,
}

/// The prompts of a film before the expressions in them are evaluated.
#[derive(Clone, Debug)]
pub struct PromptSeries {
    texts: Vec<String>,
    mode: PromptMode,
    seed: i64,
}

impl PromptSeries {
    /// Spreads the key prompts (`frame text`, `prompt`, in the order of the file) over the frames, with
    /// the positive and negative fields of the settings around each.
    ///
    /// # Errors
    /// A frame that is no number and no expression (with `max_f` only when blending), no prompts at all,
    /// and numbers of frames outside 1 to [`MAX_FRAMES`].
    pub fn new(
        keys: &[(String, String)],
        positive: &str,
        negative: &str,
        mode: PromptMode,
        max_frames: u32,
        seed: i64,
    ) -> Result<Self, ReadError> {
        if max_frames == 0 || max_frames > MAX_FRAMES {
            return Err(wrong(format!("expected 1 to {MAX_FRAMES} frames, found {max_frames}")));
        }
        let mut parsed = Vec::with_capacity(keys.len());
        for (frame, prompt) in keys {
            parsed.push((frame_of(frame, mode, max_frames)?, surround(prompt, positive, negative)));
        }
        let mut series = Spread::new(max_frames);
        if mode == PromptMode::Blend {
            blend(&parsed, &mut series);
        }
        for (frame, text) in parsed {
            series.set(frame, text);
        }
        let texts = series.filled().ok_or_else(|| wrong("expected at least one prompt, found none"))?;
        Ok(Self { texts, mode, seed })
    }

    /// Takes ready texts, one per frame, as a Parseq manifest gives them.
    pub fn from_frames(texts: Vec<String>, seed: i64) -> Self {
        Self { texts, mode: PromptMode::Hold, seed }
    }

    /// The prompt of a frame; the last one beyond the end.
    ///
    /// # Errors
    /// What is wrong with an expression between back-quotes.
    pub fn at(&self, frame: u32) -> Result<FramePrompt, ReadError> {
        let last = self.texts.len().saturating_sub(1);
        let text = self.texts.get((frame as usize).min(last)).map_or("", String::as_str);
        let evaluated = self.evaluate(text, frame)?;
        let mut parts = evaluated.trim().split("--neg");
        let positive = parts.next().unwrap_or_default();
        let negative: String = parts.collect();
        let prepared = match (self.mode, negative.trim()) {
            (PromptMode::Hold, "") => positive.trim().to_owned(),
            (PromptMode::Hold, trimmed) => format!("{}--neg {trimmed}", positive.trim()),
            (PromptMode::Blend, "") => positive.to_owned(),
            (PromptMode::Blend, _) => format!("{positive}--neg{negative}"),
        };
        let (positive, negative) = match prepared.split_once("--neg") {
            Some((positive, negative)) => (positive.to_owned(), negative.to_owned()),
            None => (prepared.clone(), String::new()),
        };
        Ok(FramePrompt { prepared, positive, negative })
    }

    /// Replaces each `` `expression` ``. Every letter `t` in it becomes the frame's number, also in
    /// names, so `sqrt` cannot be used there; then `max_f` its value.
    fn evaluate(&self, text: &str, frame: u32) -> Result<String, ReadError> {
        let mut result = text.to_owned();
        for quoted in quoted(text) {
            let max_f = self.texts.len() - usize::from(self.mode == PromptMode::Hold);
            let source = quoted[1..quoted.len() - 1]
                .replace('t', &frame.to_string())
                .replace("max_f", &max_f.to_string());
            let expr = expression(&source, Span::default()).map_err(|e| in_prompt(e, quoted, frame))?;
            let names = |name: &str| match name {
                "seed" => Some(Value::Int(self.seed)),
                "frame_idx" => Some(Value::Int(frame.into())),
                _ => None,
            };
            let value = numexpr::evaluate(&expr, &names, Mode::Compat).map_err(|e| {
                in_prompt(ReadError { span: e.span, message: e.message, hint: e.hint }, quoted, frame)
            })?;
            result = result.replace(quoted, &value.to_string());
            if result.len() > MAX_PROMPT {
                return Err(wrong(format!("expected a prompt of at most {MAX_PROMPT} bytes")));
            }
        }
        Ok(result)
    }
}

fn wrong(message: impl Into<String>) -> ReadError {
    ReadError::new(Span::default(), message)
}

fn in_prompt(error: ReadError, quoted: &str, frame: u32) -> ReadError {
    let t_in_name = quoted.contains("sqrt") || quoted.contains("tan");
    let result = wrong(format!("in {quoted} at frame {frame}: {}", error.message));
    if t_in_name {
        result.hint("every letter `t` is replaced by the frame; write `x**0.5` for `sqrt(x)`")
    } else {
        result
    }
}

/// The pieces between back-quotes, with them; a piece does not span lines.
fn quoted(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find('`') {
        let body = &rest[start + 1..];
        match body.find(['`', '\n']) {
            Some(end) if body.as_bytes()[end] == b'`' => {
                found.push(&rest[start..start + end + 2]);
                rest = &body[end + 1..];
            }
            Some(end) => rest = &body[end..],
            None => break,
        }
    }
    found
}

fn surround(prompt: &str, positive: &str, negative: &str) -> String {
    let negative = negative.replace("--neg", "");
    let separator = if prompt.contains("--neg") { "" } else { "--neg" };
    format!("{positive} {prompt} {separator} {negative}")
}

/// The frame of a key prompt: a number, or an expression (of `max_f`, the number of frames, when blending).
///
/// # Errors
/// What is neither.
pub fn frame_of(text: &str, mode: PromptMode, max_frames: u32) -> Result<i64, ReadError> {
    let direct = match mode {
        PromptMode::Hold => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
        PromptMode::Blend => is_plain_number(text),
    };
    let unreadable = || wrong(format!("expected a frame number as key of a prompt, found `{text}`"));
    if direct {
        return text.parse().map_err(|_| unreadable());
    }
    let names =
        |name: &str| (name == "max_f" && mode == PromptMode::Blend).then(|| Value::Int(max_frames.into()));
    let expr = expression(text, Span::default())
        .map_err(|e| wrong(format!("in the key `{text}` of a prompt: {}", e.message)))?;
    let value = numexpr::evaluate(&expr, &names, Mode::Compat)
        .map_err(|e| wrong(format!("in the key `{text}` of a prompt: {}", e.message)))?;
    match value.as_f64() {
        Some(v) if v.is_finite() => Ok(v.trunc() as i64),
        _ => Err(unreadable()),
    }
}

/// Texts by frame. What lies outside the film comes after its frames in the order of writing.
struct Spread {
    texts: Vec<Option<String>>,
    beyond: Option<String>,
    beyond_frame: i64,
}

impl Spread {
    fn new(max_frames: u32) -> Self {
        Self { texts: vec![None; max_frames as usize], beyond: None, beyond_frame: 0 }
    }

    fn set(&mut self, frame: i64, text: String) {
        match usize::try_from(frame).ok().and_then(|f| self.texts.get_mut(f)) {
            Some(slot) => *slot = Some(text),
            None if self.beyond.is_none() || self.beyond_frame == frame => {
                self.beyond = Some(text);
                self.beyond_frame = frame;
            }
            None => {}
        }
    }

    /// Each frame takes the last text before it, or else the first there is.
    fn filled(self) -> Option<Vec<String>> {
        let first = self.texts.iter().flatten().next().or(self.beyond.as_ref())?.clone();
        let mut held = first;
        Some(
            self.texts
                .into_iter()
                .map(|text| {
                    if let Some(text) = text {
                        held = text;
                    }
                    held.clone()
                })
                .collect(),
        )
    }
}

fn blend(keys: &[(i64, String)], series: &mut Spread) {
    let mut sorted: Vec<&(i64, String)> = keys.iter().collect();
    sorted.sort_by_key(|(frame, _)| *frame);
    for pair in sorted.windows(2) {
        let [(from, a), (to, b)] = pair else { continue };
        let (a, b) = (halves(a), halves(b));
        let step = 1.0 / (to - from) as f64;
        // Far keys are cut: one frame beyond the film is enough, the first one that is set counts.
        for frame in *from..(*to).min((series.texts.len() as i64 + 1).max(from + 1)) {
            if to > from {
                series.set(frame, mix(a, b, step * (frame - from) as f64));
            }
        }
    }
}

fn halves(text: &str) -> (&str, &str) {
    let mut parts = text.split("--neg");
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A1111's composable diffusion: `(a):0.75 AND (b):0.25`.
fn mix(a: (&str, &str), b: (&str, &str), weight: f64) -> String {
    let weights = (print_float(1.0 - weight), print_float(weight));
    let side = |a: Option<&str>, b: Option<&str>| {
        let a = a.map(|text| format!(" ({text}):{}", weights.0));
        let b = b.map(|text| format!(" ({text}):{}", weights.1));
        a.into_iter().chain(b).collect::<Vec<_>>().join(" AND ")
    };
    let mut text = side(Some(a.0).filter(|t| !t.is_empty()), Some(b.0).filter(|t| !t.is_empty()));
    let negative =
        side(Some(a.1).filter(|t| t.chars().count() > 1), Some(b.1).filter(|t| t.chars().count() > 1));
    if !negative.is_empty() {
        text.push_str(" --neg ");
        text.push_str(&negative);
    }
    text
}
