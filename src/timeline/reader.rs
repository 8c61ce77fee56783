//! Values at one frame, of the type that is needed, with everything that is wrong collected.

use std::path::{Path, PathBuf};

use super::eval::Value;
use super::frame::{PromptBlend, PromptMix};
use super::scene::Values;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::Call;
use crate::schedule::params::{Kind, Param, find_choice, range};
use crate::schedule::span::Span;
use crate::schedule::units::Short;

/// Reads one frame.
pub(super) struct Reader<'a> {
    pub frame: u32,
    /// Frames per second, for messages.
    pub rate: f64,
    pub folder: &'a Path,
    pub found: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Notes what is wrong at this frame.
    pub fn wrong(&mut self, code: &'static str, message: &str, span: Span, hint: Option<String>) {
        let seconds = f64::from(self.frame) / self.rate;
        let message = format!("at frame {} ({seconds:.1} s): {message}", self.frame);
        let mut found = Diagnostic::error(code, message, span);
        found.hints.extend(hint);
        self.found.push(found);
    }

    fn value(&mut self, values: &Values, name: &str) -> Option<(Value, Span, &'static Param)> {
        let line = values.lines.get(name)?;
        match line.at(self.frame) {
            Ok((value, span)) => Some((value, span, line.param)),
            Err(error) => {
                self.wrong("E36", &error.message, error.span, error.hint);
                None
            }
        }
    }

    /// A number in its range, or nothing when the film does not set it.
    pub fn maybe_number(&mut self, values: &Values, name: &str) -> Option<f64> {
        let (value, span, param) = self.value(values, name)?;
        let Some(number) = value.as_f64() else {
            self.wrong("E32", &format!("`{name}` takes a number, this is {}", value.kind()), span, None);
            return None;
        };
        let number = if param.kind == Kind::Integer { number.trunc() } else { number };
        let (least, most) = param.possible;
        if (least..=most).contains(&number) {
            return Some(number);
        }
        // Deforum cuts these off, and schedules that swing beyond 0 and 1 count on it.
        if matches!(name, "strength" | "denoise") {
            return Some(number.clamp(least, most));
        }
        self.wrong(
            "E33",
            &format!("`{name}` is {}, {} is not", range(param.possible), Short(number)),
            span,
            None,
        );
        None
    }

    /// A number as it was computed: not held to its range, not rounded.
    pub fn unlimited(&mut self, values: &Values, name: &str) -> Option<f64> {
        let (value, span, _) = self.value(values, name)?;
        let number = value.as_f64();
        if number.is_none() {
            self.wrong("E32", &format!("`{name}` takes a number, this is {}", value.kind()), span, None);
        }
        number
    }

    /// A number, or `default` when the film does not set it.
    pub fn number(&mut self, values: &Values, name: &str, default: f64) -> f64 {
        self.maybe_number(values, name).unwrap_or(default)
    }

    /// Three numbers, and where they stand.
    pub fn maybe_vector(&mut self, values: &Values, name: &str) -> Option<([f64; 3], Span)> {
        let (value, span, _) = self.value(values, name)?;
        let items =
            value.as_list().and_then(|items| items.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
        if let Some([x, y, z]) = items.as_deref() {
            return Some(([*x, *y, *z], span));
        }
        let found =
            value.as_list().map_or(value.kind().to_owned(), |items| format!("a list of {}", items.len()));
        let hint = "write `[0, 0, 5]`: right, up, forward".to_owned();
        self.wrong("E52", &format!("`{name}` takes three numbers, this is {found}"), span, Some(hint));
        None
    }

    /// Says that the direction at `span` cannot be used at this frame.
    pub fn wrong_direction(&mut self, message: &str, span: Span) {
        let hint = "look a little to the front as well: `[0, 1, 0.001]`".to_owned();
        self.wrong("E53", message, span, Some(hint));
    }

    /// Says that the camera cannot look at the point at `span` at this frame.
    pub fn wrong_target(&mut self, span: Span) {
        let message = "`camera.target` is where the camera is, or straight above or below it";
        let hint = "a point in front of it: `[0, 0, 1.5]`; the scene lies 1 to 2 away".to_owned();
        self.wrong("E83", message, span, Some(hint));
    }

    /// A whole number that is not negative.
    pub fn maybe_count(&mut self, values: &Values, name: &str) -> Option<u32> {
        self.maybe_number(values, name).map(|number| number as u32)
    }

    /// A truth value.
    pub fn maybe_switch(&mut self, values: &Values, name: &str) -> Option<bool> {
        self.value(values, name).and_then(|(value, ..)| value.as_bool())
    }

    /// Text, with its holes filled.
    pub fn maybe_text(&mut self, values: &Values, name: &str) -> Option<String> {
        let (value, span, _) = self.value(values, name)?;
        match value {
            Value::Text(text) => Some(text),
            other => {
                self.wrong("E32", &format!("`{name}` takes text, this is {}", other.kind()), span, None);
                None
            }
        }
    }

    /// A prompt with its holes filled, mixed with the next one on the way to it; empty when the film says
    /// nothing.
    pub fn prompt(&mut self, values: &Values, name: &str, blend: PromptBlend) -> PromptMix {
        let Some(text) = self.maybe_text(values, name) else { return PromptMix::plain("") };
        match values.lines.get(name).map(|line| line.ahead(self.frame)) {
            Some(Ok(Some((Value::Text(next), way)))) => PromptMix::between(text, next, way, blend),
            Some(Err(error)) => {
                self.wrong("E36", &error.message, error.span, error.hint);
                PromptMix::plain(text)
            }
            _ => PromptMix::plain(text),
        }
    }

    /// The language's name of a choice.
    pub fn maybe_choice(&mut self, values: &Values, name: &str) -> Option<String> {
        let (value, span, param) = self.value(values, name)?;
        let text = value.as_text().map(str::to_owned).unwrap_or_else(|| value.to_string());
        // The checker has already spelled out literals; `dpmpp_2m karras` is one of those.
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        if let Some(choice) = find_choice(param.choices(), &text) {
            return Some(choice.name.to_owned());
        }
        if rest == "karras" && find_choice(param.choices(), word).is_some() {
            return Some(text);
        }
        self.wrong("E15", &format!("`{name}` cannot be `{text}`"), span, None);
        None
    }

    /// A path relative to the film's folder.
    pub fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// The path in a call's argument; empty text is no path.
    pub fn call_path(&self, call: &Call, name: &str) -> Option<PathBuf> {
        let text = call.args.get(name)?.literal_text()?;
        (!text.is_empty()).then(|| self.path(text))
    }
}
