//! `kinora batch`: each film in a process of its own, so that nothing one does can harm another.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use crate::cli::args::BatchArgs;
use crate::cli::jobs::{self, Job};
use crate::error::{Error, Result};
use crate::progress::StopFlag;
use crate::run::project::Project;

/// Renders the films in turn and reports at the end.
pub(crate) fn run(args: &BatchArgs, stop: &StopFlag) -> Result<()> {
    let program = jobs::program()?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::output(folder, format!("cannot make the folder: {e}")))?;
    }
    refuse_clashes(args)?;
    let jobs = args.films.iter().map(|film| job(&program, film, args)).collect();
    jobs::run(jobs, stop)
}

/// One film in a process of its own. Its messages go to our stderr.
fn job(program: &Path, film: &Path, args: &BatchArgs) -> Job {
    let mut command = jobs::again(program);
    command.arg("render");
    if let Some(out) = video(film, args) {
        command.arg("-o").arg(out);
    }
    if args.draft {
        command.arg("--draft");
    }
    if args.quiet {
        command.arg("--quiet");
    }
    if let Some(device) = args.device.to_possible_value() {
        command.arg("--device").arg(device.get_name());
    }
    // A film may be called `-loop.kin`.
    command.arg("--").arg(film);
    Job { name: film.display().to_string(), command }
}

/// The video of a film when the batch has a folder for them.
fn video(film: &Path, args: &BatchArgs) -> Option<PathBuf> {
    let folder = args.out.as_ref()?;
    // A draft has a name of its own, so that it never takes the place of finished frames.
    let mark = if args.draft { ".draft" } else { "" };
    let stem = film.file_stem().unwrap_or_default().to_string_lossy();
    Some(folder.join(format!("{stem}{mark}.mp4")))
}

/// Two films must not write the same video. A film that does not check writes none.
fn refuse_clashes(args: &BatchArgs) -> Result<()> {
    let mut seen = std::collections::BTreeMap::new();
    for film in &args.films {
        let target = video(film, args).or_else(|| Some(Project::open(film).ok()?.video_path()));
        let Some(target) = target.map(|target| real(&target)) else { continue };
        if let Some(first) = seen.insert(target.clone(), film) {
            return Err(Error::Usage {
                message: format!(
                    "{} and {} would both be rendered to {}",
                    first.display(),
                    film.display(),
                    target.display()
                ),
                hint: Some("rename one of them, or render them in two batches".to_owned()),
            });
        }
    }
    Ok(())
}

/// The path with its folder resolved, so that two spellings of one place are equal.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
