//! Diagnostics for people, with the lines they are about, and for editors, as data.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Level, Message, Renderer, Snippet};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::source::Lines;
use super::span::Span;

/// How reports look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Columns of the terminal; longer lines of the film are cut round the place.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// All diagnostics, each with its lines, and a line that counts them.
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let mut out = String::new();
    let files = files(diagnostics);
    for diagnostic in &diagnostics.list {
        out.push_str(&one(diagnostic, &files, style));
        out.push('\n');
    }
    let warnings = diagnostics.of(Severity::Warning).count();
    let _ = match (diagnostics.has_errors(), warnings) {
        (true, _) => writeln!(out, "{}; nothing was loaded", diagnostics.summary()),
        (false, 0) => Ok(()),
        (false, 1) => writeln!(out, "1 warning"),
        (false, _) => writeln!(out, "{warnings} warnings"),
    };
    out
}

/// Name, text and lines of each file.
type Files<'a> = Vec<(&'a str, &'a str, Lines<'a>)>;

fn files(diagnostics: &Diagnostics) -> Files<'_> {
    diagnostics.sources.iter().map(|(name, text)| (name.as_str(), text.as_str(), Lines::new(text))).collect()
}

fn one(diagnostic: &Diagnostic, files: &Files<'_>, style: Style) -> String {
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(style.width);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
        .elements(snippets(diagnostic, files));
    for hint in &diagnostic.hints {
        group = group.element(hint_line(hint));
    }
    renderer.render(&[group])
}

fn hint_line(hint: &str) -> Message<'_> {
    Level::HELP.message(hint)
}

/// One snippet for each file that is pointed into.
fn snippets<'a>(diagnostic: &'a Diagnostic, files: &Files<'a>) -> Vec<Snippet<'a, Annotation<'a>>> {
    let mut pointed: Vec<u32> = vec![diagnostic.span.source];
    for label in &diagnostic.labels {
        if !pointed.contains(&label.span.source) {
            pointed.push(label.span.source);
        }
    }
    pointed.into_iter().filter_map(|file| snippet(diagnostic, files, file)).collect()
}

/// The lines of one file from the first place to the last, so that the length of the file does not matter.
fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    files: &Files<'a>,
    file: u32,
) -> Option<Snippet<'a, Annotation<'a>>> {
    let (name, text, lines) = files.get(file as usize)?;
    let own = (diagnostic.span.source == file).then(|| range(diagnostic.span, text));
    let labels: Vec<(Range<usize>, &str)> = diagnostic
        .labels
        .iter()
        .filter(|label| label.span.source == file)
        .map(|label| (range(label.span, text), label.text.as_str()))
        .collect();
    let ranges = || own.iter().chain(labels.iter().map(|(range, _)| range));
    let first = ranges().map(|range| range.start).min()?;
    let last = ranges().map(|range| range.end).max()?;
    let (line, from, shown) = lines.around(first, last);
    let shift =
        |range: Range<usize>| (range.start - from).min(shown.len())..(range.end - from).min(shown.len());
    let mut snippet = Snippet::source(shown).line_start(line).path(*name);
    if let Some(own) = own.clone() {
        snippet =
            snippet.annotation(AnnotationKind::Primary.span(shift(own)).label(diagnostic.label.as_deref()));
    }
    for (range, label) in labels {
        snippet = snippet.annotation(AnnotationKind::Context.span(shift(range)).label(label));
    }
    Some(snippet)
}

/// The bytes of a span, within the text and on character boundaries.
fn range(span: Span, text: &str) -> Range<usize> {
    let fit = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = fit(span.start);
    start..fit(span.end).max(start)
}

/// A place for editors. Lines and columns count from 1, columns in characters; the end is exclusive.
#[derive(Debug, Serialize)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// A diagnostic for editors.
#[derive(Debug, Serialize)]
struct Record<'a> {
    severity: &'static str,
    code: &'a str,
    message: &'a str,
    place: Place<'a>,
    also: Vec<Place<'a>>,
    hints: &'a [String],
}

/// The same as data: one JSON array.
pub fn json(diagnostics: &Diagnostics) -> String {
    let files = files(diagnostics);
    let records: Vec<Record<'_>> = diagnostics.list.iter().map(|found| record(found, &files)).collect();
    serde_json::to_string_pretty(&records).unwrap_or_else(|_| "[]".to_owned())
}

fn record<'a>(found: &'a Diagnostic, files: &Files<'a>) -> Record<'a> {
    Record {
        severity: match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: found.code,
        message: &found.message,
        place: place(found.span, found.label.as_deref(), files),
        also: found.labels.iter().map(|label| place(label.span, Some(&label.text), files)).collect(),
        hints: &found.hints,
    }
}

fn place<'a>(span: Span, text: Option<&'a str>, files: &Files<'a>) -> Place<'a> {
    let Some((file, _, lines)) = files.get(span.source as usize) else {
        return Place { file: "", line: 1, column: 1, end_line: 1, end_column: 1, text };
    };
    let (line, column) = lines.place(span.start as usize);
    let (end_line, end_column) = lines.place(span.end as usize);
    Place { file, line, column, end_line, end_column, text }
}
