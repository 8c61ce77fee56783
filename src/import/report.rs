//! What an import tells: what was carried over, what means something else now, what was left behind.

use std::fmt::Write as _;

use serde::Serialize;

/// Everything there is to tell.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The name of the file that was read.
    pub source: String,
    /// What it is: `deforum`, `parseq`, `a1111`.
    pub kind: String,
    /// What is in the film with the same meaning.
    pub carried: Vec<Carried>,
    /// What is in the film with a meaning that differs, or was brought up to date.
    pub changed: Vec<Note>,
    /// What has no counterpart yet.
    pub not_carried: Vec<Note>,
    /// What has no effect where it comes from: settings of features that are off.
    pub without_effect: Vec<Note>,
    /// Names that mean nothing where they come from.
    pub unknown: Vec<Note>,
    /// What is wrong in the file.
    pub errors: Vec<Problem>,
}

/// A setting that is in the film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Its name in the file.
    pub key: String,
    /// The film's name for it.
    pub to: String,
}

/// A setting and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its name in the file.
    pub key: String,
    /// Its value in the file, as JSON.
    pub value: String,
    /// One sentence without a full stop.
    pub why: String,
}

/// Something wrong in the file. The film has it as a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `E91`: a schedule cannot be computed. `E92`: the film that was written has an error.
    pub code: &'static str,
    /// The setting.
    pub key: String,
    /// Lower case, what was expected and found.
    pub message: String,
    /// The text that is wrong, as the file has it.
    pub text: String,
    /// Where in that text, in characters from 0, the end exclusive.
    pub columns: Option<(usize, usize)>,
    /// What to do.
    pub hint: Option<String>,
}

impl Report {
    pub(super) fn carry(&mut self, key: impl Into<String>, to: impl Into<String>) {
        self.carried.push(Carried { key: key.into(), to: to.into() });
    }

    pub(super) fn change(&mut self, key: &str, value: impl Into<String>, why: impl Into<String>) {
        self.changed.push(Note { key: key.to_owned(), value: value.into(), why: why.into() });
    }

    pub(super) fn leave(&mut self, key: &str, value: impl Into<String>, why: impl Into<String>) {
        self.not_carried.push(Note { key: key.to_owned(), value: value.into(), why: why.into() });
    }

    pub(super) fn idle(&mut self, key: &str, value: impl Into<String>, why: impl Into<String>) {
        self.without_effect.push(Note { key: key.to_owned(), value: value.into(), why: why.into() });
    }

    /// `1 error`, `3 errors`.
    pub fn summary(&self) -> String {
        let count = self.errors.len();
        format!("{count} error{}", if count == 1 { "" } else { "s" })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out =
            format!("{} ({}): {} carried over\n", self.source, title(&self.kind), self.carried.len());
        section(&mut out, "changed", &self.changed);
        section(&mut out, "not carried over", &self.not_carried);
        if !self.without_effect.is_empty() {
            let _ = writeln!(out, "\nwithout effect there, left out ({})", self.without_effect.len());
            wrapped(&mut out, &families(&self.without_effect).join(", "));
        }
        section(&mut out, "unknown, left out", &self.unknown);
        for problem in &self.errors {
            out.push('\n');
            out.push_str(&problem.render());
        }
        out
    }
}

/// What the kind is called in sentences.
pub(super) fn title(kind: &str) -> &'static str {
    match kind {
        "deforum" => "Deforum settings",
        "parseq" => "Parseq",
        _ => "A1111 parameters",
    }
}

fn section(out: &mut String, name: &str, notes: &[Note]) {
    if notes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{name} ({})", notes.len());
    for note in notes {
        let _ = writeln!(out, "  {}", note.line());
    }
}

/// Names of settings; those of one feature, which begin alike, as one: `cn_1_*`.
fn families(notes: &[Note]) -> Vec<String> {
    const FAMILIES: &[&str] =
        &["cn_", "hybrid_", "perspective_flip_", "frame_interpolation_", "r_upscale_", "extract_", "mask_"];
    let mut names: Vec<String> = Vec::new();
    for note in notes {
        let family = FAMILIES.iter().find(|family| note.key.starts_with(**family));
        let name = family.map_or(note.key.clone(), |family| format!("{family}*"));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn wrapped(out: &mut String, words: &str) {
    let mut line = String::new();
    for word in words.split(' ') {
        if line.len() + word.len() > 96 {
            let _ = writeln!(out, "  {}", line.trim_end());
            line.clear();
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "  {}", line.trim_end());
}

impl Note {
    /// `name = value: why`, in one line that can be read.
    pub(super) fn line(&self) -> String {
        let value = super::print::in_one_line(&self.value, 72);
        match (value.is_empty(), self.why.is_empty()) {
            (true, true) => self.key.clone(),
            (true, false) => format!("{}: {}", self.key, self.why),
            (false, true) => format!("{} = {value}", self.key),
            (false, false) => format!("{} = {value}: {}", self.key, self.why),
        }
    }
}

impl Problem {
    /// With the text and a caret below the place.
    fn render(&self) -> String {
        let mut out = format!("error[{}]: `{}`: {}\n", self.code, self.key, self.message);
        let flat: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !flat.trim().is_empty() {
            let (start, end) = self.columns.unwrap_or((0, 0));
            // Long schedules are cut round the place.
            let from = start.saturating_sub(40);
            let shown: String = flat.chars().skip(from).take(90).collect();
            let _ = writeln!(out, "  | {shown}");
            if self.columns.is_some() {
                let width =
                    (end.saturating_sub(start)).clamp(1, 90_usize.saturating_sub(start - from).max(1));
                let _ = writeln!(out, "  | {}{}", " ".repeat(start - from), "^".repeat(width));
            }
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  = hint: {hint}");
        }
        out
    }
}
