//! Reads the value part of a setting on its own, as `kinora eval` does.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::film::Film;
use super::params::{Param, alone};
use super::source::Sources;
use super::span::Span;
use super::syntax::{Item, Value};
use super::units::Tempo;
use super::{check, parse};
use crate::error::{Error, Result};

/// Stands in front of the value while it is read: a value alone is no statement.
const BEFORE: &str = "value = ";

/// What the value is called in reports.
pub const SOURCE: &str = "schedule";

/// A film of `frames` frames with the one setting [`alone::NAME`], which has the value `text`. Its
/// measure is that of `param`, or what its units show. Warnings stand beside it.
///
/// # Errors
/// [`Error::Schedule`] with everything that is wrong; places are places in `text`.
pub fn read_value(
    text: &str,
    param: Option<&'static Param>,
    tempo: Tempo,
    frames: u32,
) -> Result<(Film, Diagnostics)> {
    let (file, mut list) = parse::parse(0, &format!("{BEFORE}{text}"));
    // Places are those of the whole text until everything is computed; reports get them shifted back.
    let sources = Sources::one(SOURCE, format!("{BEFORE}{text}"));
    let mut film = None;
    match file.items.as_slice() {
        [Item::Setting(setting)] if setting.name.text == alone::NAME => {
            film = Some(check::check_alone(sources, &setting.value, param, tempo, frames, &mut list));
        }
        [] => {}
        [_, second, ..] if list.is_empty() => list.push(one_value(second.span())),
        [only] if list.is_empty() => list.push(one_value(only.span())),
        _ => {}
    }
    if film.is_none() && list.is_empty() {
        list.push(one_value(Span::default()));
    }
    let mut diagnostics = Diagnostics { list, sources: vec![(SOURCE.to_owned(), format!("{BEFORE}{text}"))] };
    diagnostics.sort();
    shift(&mut diagnostics);
    match film {
        Some(film) if !diagnostics.has_errors() => Ok((film, diagnostics)),
        _ => Err(Error::Schedule(diagnostics)),
    }
}

/// An expression alone, such as a time: its tree.
///
/// # Errors
/// [`Error::Schedule`] when it is none.
pub fn read_expr(text: &str) -> Result<super::expr::Expr> {
    let (file, mut list) = parse::parse(0, &format!("{BEFORE}{text}"));
    if let ([Item::Setting(setting)], true) = (file.items.as_slice(), list.is_empty())
        && let Value::Expr(expr) = &setting.value
    {
        return Ok(expr.clone());
    }
    if list.is_empty() {
        list.push(one_value(Span::default()));
    }
    let mut diagnostics = Diagnostics { list, sources: vec![(SOURCE.to_owned(), format!("{BEFORE}{text}"))] };
    shift(&mut diagnostics);
    Err(Error::Schedule(diagnostics))
}

fn one_value(span: Span) -> Diagnostic {
    Diagnostic::error("E97", "expected one value and nothing else", span)
        .hint("write what stands behind the `=` of a setting, such as `0: 1, 30: 1.02 + 0.01*sin(t)`")
}

/// Takes what stands in front of the value out of all places and texts: the film that [`read_value`] returns
/// still has it.
pub fn shift(diagnostics: &mut Diagnostics) {
    let back = |span: &mut Span| {
        span.start = span.start.saturating_sub(BEFORE.len() as u32);
        span.end = span.end.saturating_sub(BEFORE.len() as u32);
    };
    for (_, text) in &mut diagnostics.sources {
        *text = text.strip_prefix(BEFORE).unwrap_or(text).to_owned();
    }
    for found in &mut diagnostics.list {
        back(&mut found.span);
        found.labels.iter_mut().for_each(|label| back(&mut label.span));
    }
}
