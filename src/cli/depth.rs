//! `kinora depth`.

use std::path::PathBuf;

use crate::cli::args::DeviceName;
use crate::error::Result;
use crate::progress::say;
use crate::run::depth::depth;

/// What can be typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kinora depth photo.jpg --model depth_anything_v2_vits -o photo.depth.png")]
pub(crate) struct DepthArgs {
    /// The picture: PNG or JPEG
    pub(crate) picture: PathBuf,
    /// The PNG to write, near is bright [default: the picture's name with .depth.png]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A depth network by name: Depth Anything or MiDaS (DPT) [default: the one that is built in]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceName,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Writes a picture's depth.
pub(crate) fn run(args: &DepthArgs) -> Result<()> {
    let report = depth(&args.picture, args.out.as_deref(), args.model.as_deref(), args.device.into())?;
    if !args.quiet {
        say(report.to_string().trim_end());
    }
    Ok(())
}
