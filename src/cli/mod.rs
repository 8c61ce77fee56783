//! Arguments, and one file per command. No algorithm lives here.

mod args;
mod batch;
mod check;
mod control;
mod deflicker;
mod depth;
mod drift;
mod eval;
mod explain;
mod explain_error;
mod fmt;
mod frame_list;
mod import;
mod inspect;
mod jobs;
mod lsp;
mod models;
mod params;
mod plan;
mod plot;
mod presets;
mod preview;
mod render;
mod still;
mod timeline;
mod warp;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::args::{Args, Command};
use crate::error::{Error, Result};
use crate::progress::{StopFlag, say};
use crate::run::library::look_into;
use crate::run::project::{Project, Purpose};
use crate::schedule::diagnostic::Diagnostics;
use crate::schedule::report;

/// Runs the program: parses the command line, does what it says, prints what went wrong.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A closed pipe behind `--help` is no error.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match std::panic::catch_unwind(|| dispatch(args)).unwrap_or_else(|panic| Err(bug(&*panic))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// A panic as the error that it is. Where it happened has been printed already.
fn bug(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    Error::Bug(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned())
}

fn dispatch(args: Args) -> Result<()> {
    let stop = StopFlag::default();
    look_into(&args.models_dirs)?;
    match args.command {
        Command::Render(command) => render::run(&command, stop),
        Command::Still(command) => still::run(&command, stop),
        Command::Inspect(command) => inspect::run(&command),
        Command::Check(command) => check::run(&command),
        Command::Depth(command) => depth::run(&command),
        Command::Preview(command) => preview::run(&command, &listening(stop, announce_work)?),
        Command::Warp(command) => warp::run(&command),
        Command::Params(command) => params::run(&command),
        Command::Presets(command) => presets::run(&command),
        Command::Timeline(command) => timeline::run(&command),
        Command::Eval(command) => eval::run(&command),
        Command::Explain(command) => explain::run(&command),
        Command::Plot(command) => plot::run(&command),
        Command::Drift(command) => drift::run(&command),
        Command::Plan(command) => plan::run(&command),
        Command::Deflicker(command) => deflicker::run(&command, &listening(stop, announce_work)?),
        // The job at hand is told, and says itself what it does about it.
        Command::Batch(command) => batch::run(&command, &listening(stop, |_| {})?),
        Command::Import(command) => import::run(&command),
        Command::Fmt(command) => fmt::run(&command),
        Command::ExplainError(command) => explain_error::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Lsp(_) => lsp::run(),
    }
}

/// Lets Ctrl-C set the flag. `announce` is told how often it came before.
fn listening(stop: StopFlag, announce: fn(u8)) -> Result<StopFlag> {
    let flag = stop.clone();
    ctrlc::set_handler(move || announce(flag.ask()))
        .map_err(|e| Error::Bug(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

/// The first Ctrl-C ends after the frame at hand, the second at the next step, the third at once.
fn announce_frames(before: u8) {
    match before {
        0 => say("\nstopping after this frame; press Ctrl-C again to stop at the next step"),
        1 => say("\nstopping at the next step"),
        _ => leave(),
    }
}

/// The first Ctrl-C ends at the next frame, the third at once.
fn announce_work(before: u8) {
    match before {
        0 => say("\nstopping"),
        1 => {}
        _ => leave(),
    }
}

/// Nothing half-written is ever under a final name, so leaving here loses nothing.
#[allow(clippy::exit, reason = "the user insists")]
fn leave() {
    std::process::exit(130);
}

/// A film, or the one of its variants that was asked for.
pub(crate) fn opened(purpose: Purpose, film: &Path, wanted: Option<&str>) -> Result<Project> {
    let project = Project::open_for(purpose, film)?;
    let Some(wanted) = wanted else { return Ok(project) };
    match project.select(wanted)?.as_slice() {
        [variant] => Project::open_variant(purpose, film, variant),
        several => Err(Error::Usage {
            message: format!("--variant {wanted} is {} variants, expected one", several.len()),
            hint: several.first().map(|first| format!("for example --variant {}", first.text)),
        }),
    }
}

/// Prints an error and its hint to stderr.
pub(crate) fn complain(error: &Error) {
    match error {
        Error::Schedule(diagnostics) => {
            show(diagnostics);
        }
        error => {
            say(&format!("error: {error}"));
            if let Some(hint) = error.hint() {
                say(&format!("hint: {hint}"));
            }
        }
    }
}

/// Prints diagnostics with carets to stderr.
pub(crate) fn show(diagnostics: &Diagnostics) {
    if diagnostics.list.is_empty() {
        return;
    }
    // Without a terminal nobody cuts lines at its edge.
    let style = match terminal_width() {
        Some(width) => report::Style { colour: true, width },
        None => report::Style::default(),
    };
    let text = report::render(diagnostics, style);
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Columns of the terminal that stderr is, if it is one.
fn terminal_width() -> Option<usize> {
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    terminal
        .then(|| terminal_size::terminal_size_of(std::io::stderr()).map_or(100, |(width, _)| width.0.into()))
}

/// Writes to stdout; a reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::output(Path::new("standard output"), e.to_string()))
        }
        _ => Ok(()),
    }
}
