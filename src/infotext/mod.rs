//! What a picture says about its own making: the text `parameters` as the A1111 web UI writes it into PNG,
//! JPEG and WebP files, written and read back.
//!
//! The text is the prompt, a line `Negative prompt: …` and one line of `Name: value` pairs (sd-webui 1.10,
//! `create_infotext` and `parse_generation_parameters`):
//!
//! ```text
//! a lighthouse, (dusk:1.2)
//! Negative prompt: blurry
//! Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Version: kinora 0.1.0
//! ```
//!
//! The web UI trims every line and takes a line of the prompt that begins `Negative prompt:` for the negative
//! one. Where that would change a prompt, kinora adds `Exact prompt` and `Exact negative prompt`, so that what
//! it wrote it reads back letter for letter.

mod exif;
mod file;
mod pairs;
mod png_text;

pub use file::{Container, Found, find};
pub use pairs::{quoted, read_pairs, written_pairs};
pub use png_text::described;

/// The keyword of the text in a PNG.
pub const KEYWORD: &str = "parameters";

/// Names of the pairs that hold prompts which the plain form would change.
const EXACT: [&str; 2] = ["Exact prompt", "Exact negative prompt"];

/// What begins the negative prompt's first line.
const NEGATIVE: &str = "Negative prompt:";

/// The parts of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt; empty when there is none.
    pub negative: String,
    /// Names and values in their order. A name without a value has itself as its value, as in the web UI.
    pub pairs: Vec<(String, String)>,
}

impl Parameters {
    /// The value of a name, the last one where it occurs twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Adds a pair. An empty value says nothing and is left out.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        if !value.is_empty() {
            self.pairs.push((name.to_owned(), value));
        }
    }

    /// The text. [`Parameters::read`] gives the same parts again, whatever is in the prompts.
    pub fn text(&self) -> String {
        let plain = self.plain();
        let back = Self::read(&plain).unwrap_or_default();
        let mut exact = self.clone();
        let prompts = [(&self.prompt, &back.prompt), (&self.negative, &back.negative)];
        for (name, _) in EXACT.iter().zip(prompts).filter(|(_, (wrote, read))| wrote != read) {
            let value = if *name == EXACT[0] { &self.prompt } else { &self.negative };
            // An empty prompt can be misread too: from a negative prompt with a line of its own.
            exact.pairs.push(((*name).to_owned(), value.clone()));
        }
        if exact.pairs.len() == self.pairs.len() { plain } else { exact.plain() }
    }

    /// The text in the web UI's own form.
    fn plain(&self) -> String {
        let mut text = self.prompt.replace('\0', "");
        if !self.negative.is_empty() {
            text.push_str(&format!("\n{NEGATIVE} {}", self.negative.replace('\0', "")));
        }
        text.push('\n');
        text.push_str(&written_pairs(&self.pairs));
        text.trim().to_owned()
    }

    /// Takes a text apart. `None` when there is nothing in it.
    ///
    /// The pairs are the last line that begins `Steps:`, else the last line when it holds at least three; what
    /// other programs wrote behind that line is taken as more pairs where it is one.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
        if text.is_empty() {
            return None;
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let at = pairs_line(&lines);
        let mut found = Self::default();
        let mut negative: Option<String> = None;
        for (number, line) in lines[..at].iter().enumerate() {
            let line = line.trim();
            match (line.strip_prefix(NEGATIVE), &mut negative) {
                (Some(rest), None) => negative = Some(rest.trim().to_owned()),
                (Some(rest), Some(text)) => push_line(text, rest.trim()),
                (None, Some(text)) => push_line(text, line),
                (None, None) if number == 0 => found.prompt.push_str(line),
                (None, None) => push_line(&mut found.prompt, line),
            }
        }
        found.negative = negative.unwrap_or_default();
        found.pairs = lines[at..].iter().flat_map(|line| read_pairs(line)).collect();
        found.restore_exact();
        Some(found)
    }

    /// Puts the exact prompts where the plain ones stand.
    fn restore_exact(&mut self) {
        for (name, prompt) in EXACT.iter().zip([&mut self.prompt, &mut self.negative]) {
            if let Some(at) = self.pairs.iter().position(|(known, _)| known == name) {
                *prompt = self.pairs.remove(at).1;
            }
        }
    }
}

/// As the web UI joins lines: nothing stands in front of the first that is not empty.
fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// The number of the line of pairs; the number of lines when there is none.
fn pairs_line(lines: &[&str]) -> usize {
    let pairs = |line: &str| read_pairs(line).iter().filter(|(name, value)| name != value).count();
    let begins = |line: &&str| line.trim_start().starts_with("Steps:") && pairs(line) >= 2;
    if let Some(at) = lines.iter().rposition(begins) {
        return at;
    }
    match lines.last() {
        Some(last) if pairs(last) >= 3 => lines.len() - 1,
        _ => lines.len(),
    }
}

#[cfg(test)]
mod tests;
