//! Films one after the other, each in a process of its own, so that nothing one does can harm another.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::print;
use crate::error::{Error, Result};
use crate::progress::{Stop, StopFlag, say};
use crate::run::library::named;

/// How often a running job is looked at.
#[cfg(unix)]
const POLL: std::time::Duration = std::time::Duration::from_millis(50);

/// A film to be rendered.
pub(crate) struct Job {
    /// What reports call it.
    pub(crate) name: String,
    /// The process that renders it.
    pub(crate) command: Command,
}

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
            Self::Failed(Some(130)) => "interrupted; run the same command again to go on".to_owned(),
            Self::Failed(Some(code)) => format!("failed with exit code {code}"),
            Self::Failed(None) => "was killed".to_owned(),
        }
    }
}

/// The program's own file.
pub(crate) fn program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| Error::Bug(format!("cannot find the program's own file: {e}")))
}

/// This program again, with the model folders that it was given.
pub(crate) fn again(program: &Path) -> Command {
    let mut command = Command::new(program);
    for dir in named() {
        command.arg("--models-dir").arg(dir);
    }
    command
}

/// Runs the jobs in turn and reports at the end.
pub(crate) fn run(jobs: Vec<Job>, stop: &StopFlag) -> Result<()> {
    let total = jobs.len();
    let mut outcomes = Vec::with_capacity(total);
    for (number, job) in (1..).zip(jobs) {
        if stop.get() != Stop::No {
            outcomes.push((job.name, Outcome::NotStarted));
            continue;
        }
        say(&format!("[{number}/{total}] {}", job.name));
        outcomes.push((job.name, start(job.command, stop)));
    }
    for (name, outcome) in &outcomes {
        print(&format!("{name}: {}\n", outcome.describe()))?;
    }
    let failed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).count();
    match failed {
        _ if stop.get() != Stop::No => Err(Error::Interrupted),
        0 => Ok(()),
        _ => Err(Error::Batch { failed, total }),
    }
}

fn start(mut command: Command, stop: &StopFlag) -> Outcome {
    match finished(&mut command, stop) {
        Ok(status) if status.success() => Outcome::Done,
        Ok(status) => Outcome::Failed(status.code()),
        Err(error) => {
            say(&format!("error: cannot start the job: {error}"));
            Outcome::Failed(Some(4))
        }
    }
}

/// Runs the job to its end. What the user asks of us is passed on to it, once each time.
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
