//! `kinora preview`.

use crate::cli::args::PreviewArgs;
use crate::cli::{opened, show};
use crate::error::Result;
use crate::progress::{self, StopFlag, say};
use crate::run::preview::preview;
use crate::run::project::Purpose;

/// Shows a film's motion.
pub(crate) fn run(args: &PreviewArgs, stop: &StopFlag) -> Result<()> {
    let project = opened(Purpose::Preview, &args.film, args.variant.as_deref())?;
    show(&project.warnings);
    let progress = progress::for_stderr(args.quiet);
    let report = preview(&project, args.out.as_deref(), args.sheet, &*progress, stop)?;
    if !args.quiet {
        say(report.to_string().trim_end());
    }
    Ok(())
}
