//! `kinora render`.

use std::process::Command;

use clap::ValueEnum as _;

use crate::cli::args::RenderArgs;
use crate::cli::jobs::{self, Job};
use crate::cli::{announce_frames, listening, show};
use crate::error::{Error, Result};
use crate::progress::{self, StopFlag, say};
use crate::run::project::{Project, Purpose, labelled};
use crate::run::render::{RenderOptions, render};
use crate::schedule::variants::Variant;

/// Renders a film, or each of its variants.
pub(crate) fn run(args: &RenderArgs, stop: StopFlag) -> Result<()> {
    let project = Project::open(&args.film)?;
    let variants = match &args.variant {
        Some(wanted) => project.select(wanted)?,
        None => project.variants(),
    };
    match variants.as_slice() {
        [] => one(&project, args, stop),
        [variant] => one(&Project::open_variant(Purpose::Render, &args.film, variant)?, args, stop),
        variants => {
            show(&project.warnings);
            let program = jobs::program()?;
            let job = |variant| job(jobs::again(&program), variant, args);
            let jobs = variants.iter().map(job).collect();
            // The job at hand is told, and says itself what it does about it.
            jobs::run(jobs, &listening(stop, |_| {})?)
        }
    }
}

fn one(project: &Project, args: &RenderArgs, stop: StopFlag) -> Result<()> {
    let stop = listening(stop, announce_frames)?;
    show(&project.warnings);
    let options = RenderOptions {
        out: args.out.clone(),
        frames: args.frames.as_ref().map(|list| (list.frames().clone(), list.text().to_owned())),
        draft: args.draft,
        fresh: args.fresh,
        device: args.device.into(),
    };
    let progress = progress::for_stderr(args.quiet);
    let report = render(project, &options, &*progress, &stop).inspect_err(|error| {
        if matches!(error, Error::Interrupted) {
            say("finished frames are kept; run the same command again to go on");
        }
    })?;
    if !args.quiet {
        say(report.to_string().trim_end());
    }
    Ok(())
}

/// The same command for one variant.
fn job(mut command: Command, variant: &Variant, args: &RenderArgs) -> Job {
    command.arg("render").arg("--variant").arg(variant.number.to_string());
    if let Some(out) = &args.out {
        command.arg("-o").arg(labelled(out, &variant.label));
    }
    if let Some(frames) = &args.frames {
        command.arg("--frames").arg(frames.text());
    }
    for (flag, is_set) in [("--draft", args.draft), ("--fresh", args.fresh), ("--quiet", args.quiet)] {
        if is_set {
            command.arg(flag);
        }
    }
    if let Some(device) = args.device.to_possible_value() {
        command.arg("--device").arg(device.get_name());
    }
    // A film may be called `-loop.kin`.
    command.arg("--").arg(&args.film);
    Job { name: format!("{} {}", args.film.display(), variant.text), command }
}
