//! The language: text becomes a checked tree, or a list of diagnostics.

mod check;
pub mod deforum;
pub mod diagnostic;
pub mod explain;
pub mod expr;
pub mod film;
pub mod format;
pub mod functions;
pub mod names;
pub mod params;
pub mod parse;
pub mod report;
pub mod source;
pub mod span;
pub mod syntax;
pub mod units;

use std::path::Path;

use crate::error::{Error, Result};
use diagnostic::Diagnostics;
use film::Film;

/// Reads and checks the film in the file `path`. The diagnostics beside it are warnings.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or is not UTF-8, [`Error::Schedule`] with everything
/// that is wrong with the film.
pub fn load(path: &Path) -> Result<(Film, Diagnostics)> {
    let bytes = std::fs::read(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "check who may read the file",
            _ => "give the path of a `.kin` file",
        };
        Error::input(path, format!("the film cannot be read: {error}")).with_hint(hint)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(path, format!("expected UTF-8 text, found another byte at position {at}"))
            .with_hint("save the film as UTF-8")
    })?;
    read_in(path.parent().unwrap_or(Path::new("")), &path.display().to_string(), &text)
}

/// Checks the film `text`, called `name` in reports; its paths are relative to the current folder.
///
/// # Errors
/// [`Error::Schedule`] with everything that is wrong with the film.
pub fn read(name: &str, text: &str) -> Result<(Film, Diagnostics)> {
    read_in(Path::new(""), name, text)
}

/// Names of the eases that can stand behind a key, without their `~`.
pub fn ease_names() -> &'static [&'static str] {
    check::EASES
}

fn read_in(folder: &Path, name: &str, text: &str) -> Result<(Film, Diagnostics)> {
    let (film, diagnostics) = read_all(folder, name, text);
    if diagnostics.has_errors() { Err(Error::Schedule(diagnostics)) } else { Ok((film, diagnostics)) }
}

/// As [`read`], with as much of the film as could be understood even when it has errors.
pub fn read_all(folder: &Path, name: &str, text: &str) -> (Film, Diagnostics) {
    let (file, mut list) = parse::parse(0, text);
    let film = check::check(folder, source::Sources::one(name, text), &file, &mut list);
    let mut diagnostics = Diagnostics { list, sources: film.sources.files.clone() };
    diagnostics.sort();
    (film, diagnostics)
}
