//! `kinora fmt`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::args::FmtArgs;
use crate::cli::{complain, print};
use crate::error::{Error, Result};
use crate::schedule::diagnostic::Diagnostics;
use crate::schedule::format::format;

/// Formats films, or says which would change. One that cannot be read is left alone and reported, and the
/// others are still looked at.
pub(crate) fn run(args: &FmtArgs) -> Result<()> {
    if args.stdin {
        return stdin(args.check);
    }
    let mut failed = None;
    let mut would_change = false;
    for film in &args.films {
        match one(film, args.check) {
            Ok(changed) if args.check && changed => {
                would_change = true;
                print(&format!("{}\n", film.display()))?;
            }
            Ok(_) => {}
            Err(error) => failed = Some(told(failed, error)),
        }
    }
    match failed {
        Some(error) => Err(error),
        None if would_change => Err(silent()),
        None => Ok(()),
    }
}

/// Tells of an error at once, and returns the one that the command ends with: the first file that cannot be
/// used at all, which is told at the end, else a film's own mistakes, which were told already.
fn told(before: Option<Error>, now: Error) -> Error {
    match (before, now) {
        (before, now @ Error::Schedule(_)) => {
            complain(&now);
            before.unwrap_or_else(silent)
        }
        (None | Some(Error::Schedule(_)), now) => now,
        (Some(before), now) => {
            complain(&now);
            before
        }
    }
}

/// Exit code 1 without a word.
fn silent() -> Error {
    Error::Schedule(Diagnostics::default())
}

fn stdin(check: bool) -> Result<()> {
    let mut bytes = Vec::new();
    let name = Path::new("standard input");
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| Error::input(name, e.to_string()))?;
    let text = text(name, bytes)?;
    let formatted = format("standard input", &text)?;
    match check {
        false => print(&formatted),
        true if formatted == text => Ok(()),
        true => print("standard input\n").and(Err(silent())),
    }
}

/// Formats one file; whether that changes it.
fn one(film: &Path, check: bool) -> Result<bool> {
    let bytes = std::fs::read(film).map_err(|e| {
        Error::input(film, format!("the film cannot be read: {e}"))
            .with_hint("give the path of a `.kin` file")
    })?;
    let text = text(film, bytes)?;
    let formatted = format(&film.display().to_string(), &text)?;
    let changed = formatted != text;
    if changed && !check {
        replace(film, &formatted)?;
    }
    Ok(changed)
}

fn text(film: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::input(film, format!("expected UTF-8 text, found another byte at position {at}"))
            .with_hint("save the film as UTF-8")
    })
}

/// Writes beside the film and renames, so that there is always a whole film under its name. A link stays
/// one: what it points to is replaced.
fn replace(film: &Path, formatted: &str) -> Result<()> {
    let failed = |e: std::io::Error| Error::output(film, format!("the film cannot be written: {e}"));
    let target = std::fs::canonicalize(film).map_err(failed)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = target.with_file_name(format!(".{name}.{}.fmt", std::process::id()));
    let written = write(&target, &beside, formatted).and_then(|()| std::fs::rename(&beside, &target));
    if written.is_err() {
        // The film is as it was; a file that could not be made need not be removed.
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(failed)
}

fn write(target: &PathBuf, beside: &PathBuf, formatted: &str) -> std::io::Result<()> {
    let permissions = std::fs::metadata(target)?.permissions();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(beside)?;
    file.write_all(formatted.as_bytes())?;
    file.sync_all()?;
    std::fs::set_permissions(beside, permissions)
}
