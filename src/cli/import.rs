//! `kinora import`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::{ImportArgs, ImportKind, ReportFormat};
use crate::cli::print;
use crate::error::{Error, Result};
use crate::import::report::Report;
use crate::import::{Kind, import};
use crate::progress::say;
use crate::schedule::diagnostic::Diagnostics;

/// Makes a film of a file of another program.
pub(crate) fn run(args: &ImportArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("kin"));
    let is_stdout = out.as_os_str() == "-";
    if is_stdout && args.format == ReportFormat::Json {
        return Err(Error::Usage {
            message: "the film and the JSON report cannot both go to standard output".to_owned(),
            hint: Some("give the film a file: `-o film.kin`".to_owned()),
        });
    }
    let bytes = std::fs::read(&args.file).map_err(|error| {
        Error::input(&args.file, format!("the file cannot be read: {error}"))
            .with_hint("give the path of a settings file, a Parseq document or a picture")
    })?;
    refuse_to_replace(&args.file, &out, args.force || is_stdout)?;
    let folder = if is_stdout { Path::new("") } else { out.parent().unwrap_or(Path::new("")) };
    let kind = args.from.map(|kind| match kind {
        ImportKind::Deforum => Kind::Deforum,
        ImportKind::Parseq => Kind::Parseq,
        ImportKind::A1111 => Kind::A1111,
    });
    let imported = import(&args.file, &bytes, kind, folder)?;
    if is_stdout {
        print(&imported.film)?;
    } else {
        write(&out, &imported.film)?;
    }
    let written = (!is_stdout).then(|| out.clone());
    tell(args.format, &imported.report, written)?;
    // What is wrong has been printed; only the exit code is left to say.
    if imported.report.errors.is_empty() { Ok(()) } else { Err(Error::Schedule(Diagnostics::default())) }
}

fn refuse_to_replace(file: &Path, out: &Path, force: bool) -> Result<()> {
    let is_input = file.canonicalize().ok().zip(out.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if is_input {
        return Err(Error::Usage {
            message: format!("the film cannot take the place of the file it is made of, {}", file.display()),
            hint: Some("give it another name: `-o film.kin`".to_owned()),
        });
    }
    if !force && out.exists() {
        return Err(Error::Usage {
            message: format!("{} is there already", out.display()),
            hint: Some("replace it with `--force`, or give another name with `-o`".to_owned()),
        });
    }
    Ok(())
}

/// Writes beside the final name first, so that a film is never there in part.
fn write(out: &Path, film: &str) -> Result<()> {
    let mut name = out.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    name.push(".part");
    let part = out.with_file_name(name);
    let written = std::fs::File::create(&part).and_then(|mut file| {
        file.write_all(film.as_bytes())?;
        file.sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&part, out));
    written.map_err(|error| {
        // What could not be finished is not worth keeping.
        let _ = std::fs::remove_file(&part);
        Error::output(out, format!("the film cannot be written: {error}"))
    })
}

fn tell(format: ReportFormat, report: &Report, written: Option<PathBuf>) -> Result<()> {
    if format == ReportFormat::Json {
        let mut data = serde_json::to_value(report).map_err(|error| Error::Bug(error.to_string()))?;
        if let Some(object) = data.as_object_mut() {
            object.insert("film".to_owned(), written.map(|path| path.display().to_string()).into());
        }
        return print(&format!("{data:#}\n"));
    }
    say(report.text().trim_end());
    if let Some(path) = written {
        say(&format!("\nwrote {}", path.display()));
    }
    Ok(())
}
