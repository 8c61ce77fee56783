//! `plot`: a film's curves, as a picture in a file or as a sketch for the terminal.

use std::path::Path;

use crate::error::{Error, Result};
use crate::plot::{Chart, picture, sketch};
use crate::schedule::diagnostic::Diagnostics;
use crate::timeline::Options;

/// Columns of a sketch when there is no terminal.
pub const COLUMNS: usize = 80;

/// The curves of the film in the file `path`, and what is odd about the film.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read, [`Error::Schedule`] with everything that is wrong.
pub fn chart(path: &Path) -> Result<(Chart, Diagnostics)> {
    let (_, timeline, warnings) = super::look(path, &Options::default())?;
    let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((Chart::new(&title, &timeline)?, warnings))
}

/// Writes the chart as SVG.
///
/// # Errors
/// [`Error::Usage`] for a name that does not end in `.svg`, [`Error::Output`] when it cannot be written.
pub fn write(chart: &Chart, out: &Path) -> Result<()> {
    if !out.extension().is_some_and(|e| e.eq_ignore_ascii_case("svg")) {
        return Err(Error::Usage {
            message: format!("expected a name that ends in .svg for the picture, found {}", out.display()),
            hint: Some("browsers and most picture programs open SVG".to_owned()),
        });
    }
    std::fs::write(out, picture(chart))
        .map_err(|e| Error::output(out, format!("cannot write the picture: {e}")))
        .map_err(|e| e.with_hint("check the folder and its permissions, or choose another place with `-o`"))
}

/// The chart for a terminal of `width` columns.
pub fn text(chart: &Chart, width: Option<usize>) -> String {
    sketch(chart, width.unwrap_or(COLUMNS))
}
