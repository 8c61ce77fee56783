//! `kinora deflicker`.

use crate::cli::args::{DeflickerArgs, DeflickerMode};
use crate::encode::VideoSettings;
use crate::error::Result;
use crate::post::deflicker::Method;
use crate::post::deflicker::sequence::{Done, Job, deflicker};
use crate::progress::{self, Stop, StopFlag, say};

/// Evens out a folder of pictures or a video.
pub(crate) fn run(args: &DeflickerArgs, stop: &StopFlag) -> Result<()> {
    let sigma = args.sigma;
    let method = match args.mode {
        DeflickerMode::Curve => Method::GainCurve { sigma },
        DeflickerMode::Map => Method::gain_map(sigma),
    };
    let progress = progress::for_stderr(args.quiet);
    let mut pass = 0;
    let mut watch = |at: crate::post::deflicker::sequence::Progress| {
        if at.pass != pass {
            if pass != 0 {
                progress.end();
            }
            pass = at.pass;
            let label = if pass == 1 { "looking" } else { "steadying" };
            progress.begin(label, at.total as u64, 0);
        }
        progress.reach(at.done as u64);
        stop.get() == Stop::No
    };
    let job = Job { method, cuts: &[], video: &VideoSettings::default(), watch: &mut watch };
    let Done { frames, lost_sound } = deflicker(&args.input, &args.out, job)?;
    progress.end();
    if lost_sound {
        say(&format!("warning: the sound of {} is not in the result", args.input.display()));
    }
    if !args.quiet {
        let plural = if frames == 1 { "" } else { "s" };
        say(&format!("{}: {frames} frame{plural}", args.out.display()));
    }
    Ok(())
}
