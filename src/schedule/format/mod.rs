//! `kinora fmt`: one layout for every film. What was written stays as it was written (names, aliases,
//! numbers and their units, Deforum's strings, comments); only blanks and line breaks change.
//!
//! A block is indented by two blanks, the `=` of settings that follow each other stand in one column, at
//! most one blank line separates, and a list of keys that does not fit into a line has one key a line.

mod comments;
mod expr;
mod items;
mod layout;
mod places;
mod value;

pub use places::without_places;

use super::diagnostic::Diagnostics;
use super::parse::parse;
use crate::error::{Error, Result};

/// Columns that a line should not go beyond.
pub const WIDTH: usize = 100;
/// Blanks of each level.
const INDENT: usize = 2;

/// The film `text`, called `name` in reports, in its one layout. Line breaks are those of its first line.
///
/// # Errors
/// [`Error::Schedule`] with the syntax errors of a film that cannot be read, [`Error::Bug`] when the
/// result would read as another film.
pub fn format(name: &str, text: &str) -> Result<String> {
    let (file, list) = parse(0, text);
    if !list.is_empty() {
        let mut diagnostics = Diagnostics { list, sources: vec![(name.to_owned(), text.to_owned())] };
        diagnostics.sort();
        return Err(Error::Schedule(diagnostics));
    }
    let formatted = Formatter { text, line_break: line_break(text) }.file(&file);
    let (again, list) = parse(0, &formatted);
    // Nothing that a formatter does is worth a changed film.
    if !list.is_empty() || without_places(&again) != without_places(&file) {
        return Err(Error::Bug(format!("{name}: formatted, this film would mean something else")));
    }
    Ok(formatted)
}

fn line_break(text: &str) -> &'static str {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if first.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// What formatting one text needs to know.
struct Formatter<'a> {
    text: &'a str,
    line_break: &'static str,
}

/// Columns of the widest line.
fn width(text: &str) -> usize {
    text.split('\n').map(|line| line.trim_end_matches('\r').chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
