//! `timeline`: a film as a table of values per frame, as JSON or CSV.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::schedule::diagnostic::Diagnostics;
use crate::timeline::Options;
use crate::timeline::table::{Cell, Column, Table};

/// Whose names parameters have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// The language's own.
    #[default]
    Kinora,
    /// Deforum's, with every schedule that Deforum has.
    Deforum,
}

/// The table of the film in the file `path`, and what is odd about the film.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read, [`Error::Schedule`] with everything that is wrong.
pub fn table(path: &Path, names: Names, options: &Options) -> Result<(Table, Diagnostics)> {
    let (_, timeline, warnings) = super::look(path, options)?;
    let table = match names {
        Names::Kinora => timeline.table(),
        Names::Deforum => timeline.deforum_table(),
    }?;
    Ok((table, warnings))
}

/// Columns that are no schedules of Deforum's and stand beside `parameters`.
const BESIDE: [&str; 3] = ["prompts", "negative_prompts", "seeds"];

/// `{"fps", "frames", "parameters": {name: [a value per frame]}}`, one parameter a line. NaN and
/// infinities are strings; `null` is what the film leaves to the model.
///
/// # Errors
/// [`Error::Bug`] when a value cannot be written as JSON.
pub fn json(table: &Table) -> Result<String> {
    let (beside, inside): (Vec<&Column>, Vec<&Column>) =
        table.columns.iter().partition(|column| BESIDE.contains(&column.name.as_str()));
    let mut out = format!("{{\n\"fps\": {},\n\"frames\": {},\n", number(table.rate.as_f64())?, table.frames);
    for column in beside {
        let _ = writeln!(out, "{}: {},", number(&column.name)?, number(&column.cells)?);
    }
    out.push_str("\"parameters\": {\n");
    for (index, column) in inside.iter().enumerate() {
        let comma = if index + 1 < inside.len() { "," } else { "" };
        let _ = writeln!(out, "  {}: {}{comma}", number(&column.name)?, number(&column.cells)?);
    }
    out.push_str("}\n}\n");
    Ok(out)
}

/// A value as JSON.
fn number<T: Serialize>(value: T) -> Result<String> {
    serde_json::to_string(&value).map_err(|e| Error::Bug(format!("a value cannot be written: {e}")))
}

/// One line a frame: its number, its seconds, and a column for each parameter (RFC 4180). A vector is one
/// column, its numbers with blanks between them in quotes.
pub fn csv(table: &Table) -> String {
    let mut out = "frame,seconds".to_owned();
    for column in &table.columns {
        out.push(',');
        out.push_str(&quoted(&column.name));
    }
    out.push('\n');
    for frame in 0..table.frames as usize {
        let seconds = frame as f64 * f64::from(table.rate.den) / f64::from(table.rate.num);
        let _ = write!(out, "{frame},{seconds}");
        for column in &table.columns {
            out.push(',');
            match column.cells.get(frame).unwrap_or(&Cell::Open) {
                // Quoted, so that programs which also part fields at blanks see one.
                list @ Cell::List(_) => drop(write!(out, "\"{list}\"")),
                cell => out.push_str(&quoted(&cell.to_string())),
            }
        }
        out.push('\n');
    }
    out
}

/// A field, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
