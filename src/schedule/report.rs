//! Diagnostics for people, with the lines they are about, and for editors, as data.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Level, Message, Renderer, Snippet};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::source::line_and_column;
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
    for diagnostic in &diagnostics.list {
        out.push_str(&render_one(diagnostic, diagnostics, style));
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

/// One diagnostic with its lines.
pub fn render_one(diagnostic: &Diagnostic, all: &Diagnostics, style: Style) -> String {
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(style.width);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
        .elements(snippets(diagnostic, all));
    for hint in &diagnostic.hints {
        group = group.element(hint_line(hint));
    }
    renderer.render(&[group])
}

fn hint_line(hint: &str) -> Message<'_> {
    Level::HELP.message(hint)
}

/// One snippet for each file that is pointed into.
fn snippets<'a>(diagnostic: &'a Diagnostic, all: &'a Diagnostics) -> Vec<Snippet<'a, Annotation<'a>>> {
    let mut files: Vec<u32> = vec![diagnostic.span.source];
    for label in &diagnostic.labels {
        if !files.contains(&label.span.source) {
            files.push(label.span.source);
        }
    }
    files.into_iter().filter_map(|file| snippet(diagnostic, all, file)).collect()
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    all: &'a Diagnostics,
    file: u32,
) -> Option<Snippet<'a, Annotation<'a>>> {
    let (name, text) = all.sources.get(file as usize)?;
    let mut snippet = Snippet::source(text.as_str()).path(name.as_str());
    if diagnostic.span.source == file {
        let primary = AnnotationKind::Primary.span(range(diagnostic.span, text));
        snippet = snippet.annotation(primary.label(diagnostic.label.as_deref()));
    }
    for label in diagnostic.labels.iter().filter(|label| label.span.source == file) {
        snippet = snippet
            .annotation(AnnotationKind::Context.span(range(label.span, text)).label(label.text.as_str()));
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
    let records: Vec<Record<'_>> = diagnostics.list.iter().map(|found| record(found, diagnostics)).collect();
    serde_json::to_string_pretty(&records).unwrap_or_else(|_| "[]".to_owned())
}

fn record<'a>(found: &'a Diagnostic, all: &'a Diagnostics) -> Record<'a> {
    Record {
        severity: match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: found.code,
        message: &found.message,
        place: place(found.span, found.label.as_deref(), all),
        also: found.labels.iter().map(|label| place(label.span, Some(&label.text), all)).collect(),
        hints: &found.hints,
    }
}

fn place<'a>(span: Span, text: Option<&'a str>, all: &'a Diagnostics) -> Place<'a> {
    let (file, source) = all.sources.get(span.source as usize).map_or(("", ""), |(name, text)| (name, text));
    let (line, column) = line_and_column(source, span.start as usize);
    let (end_line, end_column) = line_and_column(source, span.end as usize);
    Place { file, line, column, end_line, end_column, text }
}
