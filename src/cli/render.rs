//! `kinora render`.

use crate::cli::args::RenderArgs;
use crate::cli::show;
use crate::error::{Error, Result};
use crate::progress::{self, StopFlag, say};
use crate::run::project::Project;
use crate::run::render::{RenderOptions, render};

/// Renders a film.
pub(crate) fn run(args: &RenderArgs, stop: &StopFlag) -> Result<()> {
    let project = Project::open(&args.film)?;
    show(&project.warnings);
    let options = RenderOptions {
        out: args.out.clone(),
        frames: args.frames.as_ref().map(|list| (list.frames().clone(), list.text().to_owned())),
        draft: args.draft,
        fresh: args.fresh,
        device: args.device.into(),
    };
    let progress = progress::for_stderr(args.quiet);
    let report = render(&project, &options, &*progress, stop).inspect_err(|error| {
        if matches!(error, Error::Interrupted) {
            say("finished frames are kept; run the same command again to go on");
        }
    })?;
    if !args.quiet {
        say(report.to_string().trim_end());
    }
    Ok(())
}
