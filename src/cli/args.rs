//! What can be typed. The doc comments are the help text.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::cli::frame_list::FrameList;
use crate::run::models::DeviceChoice;

/// Diffusion animation in one binary: a keyframe score in, a finished film out.
///
/// Exit codes: 0 done, 1 the film has errors, 2 wrong usage, 3 an input or a model cannot be used,
/// 4 rendering or encoding failed, 130 interrupted (run the same command again to go on).
#[derive(Debug, Parser)]
#[command(name = "kinora", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render a film. Interrupted or edited, the same command goes on where frames are missing
    Render(RenderArgs),
    /// Check a film without rendering it: every mistake in one run
    Check(CheckArgs),
    /// Show a film's motion without a model: the same warp over a grid or the film's own picture
    Preview(PreviewArgs),
    /// Look up the parameters a film can set: types, units, ranges, defaults
    Params(ParamsArgs),
    /// Even out the brightness of a time-lapse: a folder of pictures, or a video
    Deflicker(DeflickerArgs),
    /// Render several films one after the other; one failing never stops the rest
    Batch(BatchArgs),
    /// Lay films out in the one form: aligned, two blanks a level. Comments and spellings stay
    Fmt(FmtArgs),
    /// Explain an error or warning by its code, with an example and its fix
    ExplainError(ExplainErrorArgs),
    /// Serve an editor over stdin and stdout (language server protocol)
    Lsp(LspArgs),
}

/// Where the tensors are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    /// The processor
    #[default]
    Cpu,
    /// The first CUDA device (a build with `--features cuda`)
    Cuda,
    /// The Metal device (a build with `--features metal`)
    Metal,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
            DeviceName::Metal => Self::Metal,
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RenderArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The video to write [default: `video.out` of the film, else the film's name with .mp4]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Only these frames, such as `0-23` or `0,12,40-47`, counted from 0
    #[arg(long, value_name = "LIST")]
    pub(crate) frames: Option<FrameList>,
    /// A quick look at motion and timing: half the size, half the steps, no in-between frames. The picture
    /// itself may differ from the film's: models paint other things at other sizes
    #[arg(long)]
    pub(crate) draft: bool,
    /// Throw away frames that are already there
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceName,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// With carets, to read
    #[default]
    Text,
    /// As data, for editors
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The video to write [default: the film's name with .preview.mp4]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ParamsArgs {
    /// Only parameters whose name, alias or help contains this
    pub(crate) search: Option<String>,
    /// As a Markdown table
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeflickerArgs {
    /// A folder of pictures (PNG, JPEG) or a video
    pub(crate) input: PathBuf,
    /// Where the result goes: a folder for a folder, an MP4 (without sound) or a folder for a video. Originals
    /// are never changed, and pictures that are there already are never replaced
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Even out the whole picture (`curve`), or bands and corners by themselves (`map`)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: DeflickerMode,
    /// How many frames the steadied brightness is smoothed over (standard deviation)
    #[arg(long, value_name = "FRAMES", default_value_t = 6.0)]
    pub(crate) sigma: f64,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What is evened out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeflickerMode {
    /// One gain a channel for the whole picture
    #[default]
    Curve,
    /// A map of gains: for moving bands and local flicker
    Map,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BatchArgs {
    /// The films' scores, rendered in this order
    #[arg(required = true)]
    pub(crate) films: Vec<PathBuf>,
    /// A folder for the videos [default: beside each film]
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// A quick look at each: half the size, half the steps, no in-between frames
    #[arg(long)]
    pub(crate) draft: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceName,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FmtArgs {
    /// The films' scores
    #[arg(required_unless_present = "stdin")]
    pub(crate) films: Vec<PathBuf>,
    /// Change nothing: list the films that would change, and exit with 1 when there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Read one film from stdin and write it to stdout
    #[arg(long, conflicts_with = "films")]
    pub(crate) stdin: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainErrorArgs {
    /// The code, such as `E21`; without it all codes are listed
    pub(crate) code: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LspArgs {
    /// Over stdin and stdout, which is how it always talks; editors add this
    #[arg(long)]
    pub(crate) stdio: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
