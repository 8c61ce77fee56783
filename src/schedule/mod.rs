//! The language: text becomes a checked tree, or a list of diagnostics.

mod check;
pub mod deforum;
pub mod diagnostic;
pub mod ease;
pub mod explain;
pub mod expr;
pub mod film;
pub mod format;
pub mod functions;
mod include;
pub mod library;
pub mod masks;
pub mod names;
pub mod params;
pub mod parse;
pub mod presets;
pub mod report;
pub mod series;
pub mod sounds;
pub mod source;
pub mod span;
pub mod syntax;
pub mod units;
pub mod value;
pub mod variants;

use std::path::Path;
use std::rc::Rc;

use crate::error::{Error, Result};
use diagnostic::Diagnostics;
use film::Film;
use library::{Disk, Library};
use variants::Chosen;

/// Reads and checks the film in the file `path` and the files it uses. The diagnostics beside it are
/// warnings.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or is not UTF-8, [`Error::Schedule`] with everything
/// that is wrong with the film.
pub fn load(path: &Path) -> Result<(Film, Diagnostics)> {
    accepted(load_all(path, &[])?)
}

/// As [`load`], with as much of the film as could be understood even when it has errors. `chosen` are
/// values of the film's variants, which stand instead of its own.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or is not UTF-8.
pub fn load_all(path: &Path, chosen: &[Chosen]) -> Result<(Film, Diagnostics)> {
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
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(read_from(Rc::new(Disk), folder, &path.display().to_string(), &text, chosen))
}

/// Checks the film `text`, called `name` in reports; its paths are relative to the current folder.
///
/// # Errors
/// [`Error::Schedule`] with everything that is wrong with the film.
pub fn read(name: &str, text: &str) -> Result<(Film, Diagnostics)> {
    accepted(read_all(Path::new(""), name, text))
}

fn accepted((film, diagnostics): (Film, Diagnostics)) -> Result<(Film, Diagnostics)> {
    if diagnostics.has_errors() { Err(Error::Schedule(diagnostics)) } else { Ok((film, diagnostics)) }
}

/// As [`read`], with as much of the film as could be understood even when it has errors. What it uses
/// is read from the disk, relative to `folder`.
pub fn read_all(folder: &Path, name: &str, text: &str) -> (Film, Diagnostics) {
    read_from(Rc::new(Disk), folder, name, text, &[])
}

/// As [`read_all`], with the files that the film uses out of `library`, and `chosen` values of its
/// variants instead of its own.
pub fn read_from(
    library: Rc<dyn Library>,
    folder: &Path,
    name: &str,
    text: &str,
    chosen: &[Chosen],
) -> (Film, Diagnostics) {
    let mut whole = include::whole(&*library, folder, name, text);
    let mut list = std::mem::take(&mut whole.list);
    let film = check::check(folder, whole, library, chosen, &mut list);
    let mut diagnostics = Diagnostics { list, sources: film.sources.files.clone() };
    diagnostics.sort();
    (film, diagnostics)
}
