//! Files of other programs become films: Deforum's settings, Parseq's documents and manifests, the
//! parameters that the A1111 web UI writes into its pictures.
//!
//! Every line is tried before it is written (`bench`): it is in the film only when the film gives the
//! same values with it, at every frame. What cannot be said is left out by name.

mod a1111;
mod bench;
mod deforum;
mod fade;
mod parseq;
mod print;
mod reduce;
pub mod report;
mod sampler;
mod score;
mod sniff;
mod tidy;
mod track;

use std::path::Path;

use crate::error::{Error, Result};
use crate::schedule::deforum::ReadError;
use report::{Problem, Report};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Deforum's settings, `.txt` or `.json`.
    Deforum,
    /// A Parseq document or rendered manifest.
    Parseq,
    /// The parameters of one picture of the A1111 web UI, as text or inside a PNG.
    A1111,
}

/// A film that came out of a file of another program.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The film's text.
    pub film: String,
    /// What was done.
    pub report: Report,
}

/// Imports `bytes`, the content of `path`, into a film that will be in `folder`. The kind is recognised
/// unless it is given.
///
/// # Errors
/// [`Error::Input`] when the content is of no known kind or cannot be read as the one it is of.
/// Schedules that are wrong are no error here but in the report.
pub fn import(path: &Path, bytes: &[u8], kind: Option<Kind>, folder: &Path) -> Result<Imported> {
    let name =
        path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let (kind, text) = sniff::open(path, bytes, kind)?;
    let imported = match kind {
        Kind::Deforum => deforum::import(&name, &text, folder),
        Kind::Parseq => parseq::import(&name, &text),
        Kind::A1111 => a1111::import(&name, &text),
    };
    let mut imported = imported.map_err(|error| input(path, &error))?;
    tried(&mut imported);
    Ok(imported)
}

fn input(path: &Path, error: &ReadError) -> Error {
    let found = Error::input(path, error.message.clone());
    match &error.hint {
        Some(hint) => found.with_hint(hint.clone()),
        None => found,
    }
}

/// Reads the whole film once more. What is wrong with it is our mistake and goes into the report, so that
/// nobody learns of it only when the film is rendered.
fn tried(imported: &mut Imported) {
    use crate::schedule::diagnostic::Severity;
    let (film, mut found) = crate::schedule::read_all(Path::new(""), "film.kin", &imported.film);
    if !found.has_errors() {
        match crate::timeline::Timeline::new(&film, &Default::default()) {
            Ok(timeline) => found.list.extend(timeline.check_all_frames().list),
            Err(Error::Schedule(errors)) => found.list.extend(errors.list),
            Err(_) => {}
        }
    }
    for wrong in found.of(Severity::Error) {
        let text = imported.film.get(wrong.span.start as usize..wrong.span.end as usize).unwrap_or_default();
        imported.report.errors.push(Problem {
            code: "E92",
            key: "the film".to_owned(),
            message: wrong.message.clone(),
            text: text.to_owned(),
            columns: None,
            hint: wrong.hints.first().cloned(),
        });
    }
}

/// The first comment lines of a film.
fn header(report: &Report) -> Vec<String> {
    let source = print::in_one_line(&report.source, 80);
    let (kind, version) = (report::title(&report.kind), env!("CARGO_PKG_VERSION"));
    vec![format!("Imported from {source} ({kind}) by kinora {version}.")]
}
