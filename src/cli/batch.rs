//! `kinora batch`: each film in a process of its own, so that nothing one does can harm another.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum as _;

use crate::cli::args::BatchArgs;
use crate::cli::print;
use crate::error::{Error, Result};
use crate::progress::{Stop, StopFlag, say};
use crate::run::project::Project;

/// How often a running job is looked at.
#[cfg(unix)]
const POLL: std::time::Duration = std::time::Duration::from_millis(50);

/// What came of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed(Option<i32>),
    NotStarted,
}

impl Outcome {
    fn describe(self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::NotStarted => "not started".to_owned(),
            Self::Failed(Some(1)) => "failed: the film has errors".to_owned(),
            Self::Failed(Some(2)) => "failed: wrong usage".to_owned(),
            Self::Failed(Some(3)) => "failed: an input or a model cannot be used".to_owned(),
            Self::Failed(Some(130)) => "interrupted; run the batch again to go on".to_owned(),
            Self::Failed(Some(code)) => format!("failed with exit code {code}"),
            Self::Failed(None) => "was killed".to_owned(),
        }
    }
}

/// Renders the films in turn and reports at the end.
pub(crate) fn run(args: &BatchArgs, stop: &StopFlag) -> Result<()> {
    let program = std::env::current_exe()
        .map_err(|e| Error::Bug(format!("cannot find the program's own file: {e}")))?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::output(folder, format!("cannot make the folder: {e}")))?;
    }
    refuse_clashes(args)?;
    let total = args.films.len();
    let mut outcomes = Vec::with_capacity(total);
    for (number, film) in (1..).zip(&args.films) {
        if stop.get() != Stop::No {
            outcomes.push(Outcome::NotStarted);
            continue;
        }
        say(&format!("[{number}/{total}] {}", film.display()));
        outcomes.push(job(&program, film, args, stop));
    }
    for (film, outcome) in args.films.iter().zip(&outcomes) {
        print(&format!("{}: {}\n", film.display(), outcome.describe()))?;
    }
    let failed = outcomes.iter().filter(|o| matches!(o, Outcome::Failed(_))).count();
    match failed {
        _ if stop.get() != Stop::No => Err(Error::Interrupted),
        0 => Ok(()),
        _ => Err(Error::Batch { failed, total }),
    }
}

/// One film in a process of its own. Its messages go to our stderr.
fn job(program: &Path, film: &Path, args: &BatchArgs, stop: &StopFlag) -> Outcome {
    let mut command = Command::new(program);
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
    match finished(&mut command, stop) {
        Ok(status) if status.success() => Outcome::Done,
        Ok(status) => Outcome::Failed(status.code()),
        Err(error) => {
            say(&format!("error: cannot start the job: {error}"));
            Outcome::Failed(Some(4))
        }
    }
}

/// Runs the job to its end. What the user asks of the batch is passed on to it, once each time.
#[cfg(unix)]
fn finished(command: &mut Command, stop: &StopFlag) -> std::io::Result<std::process::ExitStatus> {
    use std::os::unix::process::CommandExt as _;
    // In a group of its own the job hears nothing from the terminal, so that nothing reaches it twice.
    let mut child = command.process_group(0).spawn()?;
    let mut told = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        while told < stop.asked() {
            told += 1;
            interrupt(&child);
        }
        std::thread::sleep(POLL);
    }
}

/// Sends the job what Ctrl-C sends.
#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    if let Ok(pid) = libc::pid_t::try_from(child.id()) {
        // SAFETY: the call has no memory in it, and a child that was not waited for keeps its number.
        unsafe { libc::kill(pid, libc::SIGINT) };
    }
}

/// Runs the job to its end; it hears the terminal itself.
#[cfg(not(unix))]
fn finished(command: &mut Command, _: &StopFlag) -> std::io::Result<std::process::ExitStatus> {
    command.status()
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
