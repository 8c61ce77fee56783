//! `kinora eval`.

use crate::cli::args::{EvalArgs, ReportFormat};
use crate::cli::{print, show};
use crate::error::{Error, Result};
use crate::run::eval::{self, EvalOptions};
use crate::schedule::diagnostic::Diagnostics;
use crate::schedule::report;

/// Prints a schedule's value at every frame.
pub(crate) fn run(args: &EvalArgs) -> Result<()> {
    let options = EvalOptions {
        frames: args.frames,
        seed: args.seed,
        text: args.text,
        compat: args.compat.is_some(),
        rate: args.fps,
        bpm: args.bpm,
    };
    match (eval::eval(&args.schedule, &options), args.format) {
        (Ok((cells, warnings)), format) => {
            show(&warnings);
            match format {
                ReportFormat::Json => print(&eval::json(&cells)?),
                ReportFormat::Text => print(&eval::lines(&cells)),
            }
        }
        (Err(Error::Schedule(found)), ReportFormat::Json) => {
            print(&format!("{}\n", report::json(&found)))?;
            // The data says it all: no second report on stderr, only the exit code.
            Err(Error::Schedule(Diagnostics::default()))
        }
        (Err(error), _) => Err(error),
    }
}
