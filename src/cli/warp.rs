//! `kinora warp`.

use crate::camera::Manner;
use crate::cli::args::WarpArgs;
use crate::cli::{opened, print, show};
use crate::error::Result;
use crate::run::explain::frame_of;
use crate::run::project::Purpose;
use crate::run::warp::{WarpOptions, warp};

/// Moves one picture as one frame of a film does.
pub(crate) fn run(args: &WarpArgs) -> Result<()> {
    let project = opened(Purpose::Preview, &args.film, args.variant.as_deref())?;
    show(&project.warnings);
    let options = WarpOptions {
        image: args.image.clone(),
        frame: frame_of(&project.timeline, project.bpm(), &args.frame)?,
        out: args.out.clone(),
        coverage: args.coverage.clone(),
        manner: if args.compat.is_some() { Manner::Deforum } else { Manner::Native },
    };
    print(&warp(&project, &options)?)
}
