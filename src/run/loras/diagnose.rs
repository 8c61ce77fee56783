//! What is wrong with the LoRAs that a film's prompts name, at the place where they are named.

use std::collections::BTreeSet;
use std::path::Path;

use super::{NEGATIVE, WHERE, entries, find, nearest};
use crate::diffusion::text::tags::{Tag, lora_tags};
use crate::run::project::Purpose;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::film::{Film, SettingValue, Settings};
use crate::schedule::source::Sources;
use crate::schedule::span::Span;

/// Stands for a hole in the name of a LoRA: such a name is known at its frame only.
const HOLE: char = '\u{fffc}';

/// An error for each malformed tag (E44) and each LoRA that is not there (E43).
pub(crate) fn diagnose(film: &Film, purpose: Purpose) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let scenes = film.scenes.iter().map(|scene| &scene.settings);
    for settings in std::iter::once(&film.settings).chain(scenes) {
        for name in ["prompt", "negative"] {
            for text in texts(settings, name) {
                found.extend(of_text(film, text, name == "negative", purpose));
            }
        }
    }
    found.sort_by_key(|diagnostic| diagnostic.span);
    found.dedup_by(|a, b| (a.span, a.code) == (b.span, b.code));
    found
}

/// The strings that a prompt can be.
fn texts<'a>(settings: &'a Settings, name: &str) -> Vec<&'a Expr> {
    let mut texts = Vec::new();
    if let Some(SettingValue::Track(keys)) = settings.get(name).map(|setting| &setting.value) {
        keys.iter().for_each(|key| collect(&key.value, &mut texts));
    }
    texts
}

fn collect<'a>(expr: &'a Expr, texts: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Text(_) => texts.push(expr),
        ExprKind::Binary(_, a, b) => [a, b].into_iter().for_each(|side| collect(side, texts)),
        ExprKind::List(items) => items.iter().for_each(|item| collect(item, texts)),
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| collect(&arg.value, texts)),
        _ => {}
    }
}

fn of_text(film: &Film, text: &Expr, negative: bool, purpose: Purpose) -> Vec<Diagnostic> {
    let ExprKind::Text(parts) = &text.kind else { return Vec::new() };
    let written = written(parts);
    let mut seen = BTreeSet::new();
    let mut places = Places::new(&film.sources, text.span);
    let mut found = Vec::new();
    for (at, tag) in lora_tags(&written) {
        let span = places.next(&written[at.clone()]);
        if negative {
            let message = "a LoRA cannot stand in the negative prompt";
            found.push(Diagnostic::error("E44", message, span).hint(NEGATIVE));
            continue;
        }
        found.extend(of_tag(&film.folder, (at, tag), span, purpose, &mut seen));
    }
    found
}

fn of_tag(
    films: &Path,
    (_, tag): Tag,
    span: Span,
    purpose: Purpose,
    seen: &mut BTreeSet<String>,
) -> Option<Diagnostic> {
    let tag = match tag {
        Ok(tag) => tag,
        Err(error) => return Some(Diagnostic::error("E44", error.message, span).hint(error.hint)),
    };
    let known = purpose != Purpose::Render || tag.name.contains(HOLE) || !seen.insert(tag.name.clone());
    if known || find(films, &tag.name).is_ok() {
        return None;
    }
    let near = nearest(&entries(films), &tag.name).map(|name| format!("did you mean `{name}`?"));
    let found = Diagnostic::error("E43", format!("there is no LoRA `{}`", tag.name), span).label(near);
    Some(found.hint(WHERE))
}

/// The text with its holes stopped: by a number where a weight is written, by [`HOLE`] in names.
fn written(parts: &[TextPart]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            TextPart::Literal(literal) => text.push_str(literal),
            TextPart::Hole(_) => {
                let open = text.rfind('<').map_or("", |at| &text[at..]);
                let weighs = !open.contains('>') && (open.matches(':').count() > 1 || open.contains('='));
                text.push(if weighs { '1' } else { HOLE });
            }
        }
    }
    text
}

/// Finds tags in the source of a string, in order.
struct Places<'a> {
    source: &'a str,
    whole: Span,
    from: usize,
}

impl<'a> Places<'a> {
    fn new(sources: &'a Sources, whole: Span) -> Self {
        Self { source: sources.text(whole), whole, from: 0 }
    }

    /// The place of the next tag, which begins as `tag` does; the whole string when its source is written otherwise
    /// (with escapes).
    fn next(&mut self, tag: &str) -> Span {
        // Behind a hole the source differs from the text.
        let start = tag.split([HOLE, ':']).next().unwrap_or(tag);
        let rest = self.source.get(self.from..).unwrap_or_default();
        let Some(at) = rest.find(start).filter(|_| !start.is_empty()) else { return self.whole };
        let begin = self.from + at;
        let rest = &self.source[begin..];
        let close = rest.find('>').map_or(start.len(), |at| at + 1);
        let end = if tag.ends_with('>') { close } else { tag.len().min(rest.len()) };
        let end = (0..=end).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
        self.from = begin + end;
        let at = |byte: usize| self.whole.start + byte as u32;
        Span::new(self.whole.source, at(begin), at(begin + end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule;

    /// Code, marked text and label of what is wrong with a film.
    fn found(film: &str, files: &[&str]) -> Vec<(&'static str, String, Option<String>)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("loras")).unwrap();
        for file in files {
            std::fs::write(folder.path().join("loras").join(file), "").unwrap();
        }
        let path = folder.path().join("film.kin");
        std::fs::write(&path, format!("kinora 1\nframes = 9\n{film}\n")).unwrap();
        let (film, _) = schedule::load_all(&path, &[]).unwrap();
        let list = diagnose(&film, Purpose::Render);
        assert!(list.iter().all(|found| !found.hints.is_empty()));
        let told = |found: &Diagnostic| {
            let text = film.sources.text(found.span).to_owned();
            (found.code, text, found.label.as_ref().map(ToString::to_string))
        };
        list.iter().map(told).collect()
    }

    #[test]
    fn a_lora_that_is_not_there_is_marked_with_the_nearest_name() {
        let list = found("prompt = \"a (sea:1.2) <lora:neno:0.5> <lora:ink:1>\"", &["neon.safetensors"]);
        assert_eq!(
            list,
            [
                ("E43", "<lora:neno:0.5>".to_owned(), Some("did you mean `neon`?".to_owned())),
                ("E43", "<lora:ink:1>".to_owned(), None),
            ]
        );
        let fine =
            "prompt = \"<lora:neon:${0.5*t}><lora:NEON:${t}:${t}> <lora:n${t}:1> <lora:neon:te=${t}>\"";
        assert_eq!(found(fine, &["neon.safetensors"]), []);
    }

    #[test]
    fn malformed_tags_are_marked_wherever_the_prompt_stands() {
        let film = "prompt = 0f: \"sea <lora:a:b>\", 4f: \"${t} <lora:>\"\n\
                    negative = \"<lora:a:1>\"\n\
                    scene x (3f) { prompt = \"<lora:a\" }";
        let marked: Vec<(&str, String)> =
            found(film, &["a.safetensors"]).into_iter().map(|(code, text, _)| (code, text)).collect();
        let expected =
            ["<lora:a:b>", "<lora:>", "<lora:a:1>", "<lora:a"].map(|text| ("E44", text.to_owned()));
        assert_eq!(marked, expected);
    }
}
