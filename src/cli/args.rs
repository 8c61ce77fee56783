//! What can be typed. The doc comments are the help text.
//!
//! Long because it is the whole command line in one place.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::cli::depth::DepthArgs;
use crate::cli::frame_list::FrameList;
use crate::cli::inspect::InspectArgs;
use crate::cli::still::StillArgs;
use crate::run::models::DeviceChoice;
use crate::run::table::Names;
use crate::schedule::units::Rate;
use crate::timeline::Compat;

/// Diffusion animation in one binary: a keyframe score in, a finished film out.
///
/// Exit codes: 0 done, 1 the film has errors, 2 wrong usage, 3 an input or a model cannot be used,
/// 4 rendering or encoding failed, 5 the film drifted beyond its `drift.stop`, 130 interrupted (run the same command again to go on).
#[derive(Debug, Parser)]
#[command(name = "kinora", version, propagate_version = true)]
pub(crate) struct Args {
    /// A folder of models, such as that of the A1111 web UI or ComfyUI; may be given several times. `KINORA_MODELS`
    /// and kinora's config file name folders too
    #[arg(long = "models-dir", global = true, value_name = "FOLDER")]
    pub(crate) models_dirs: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render a film. Interrupted or edited, the same command goes on where frames are missing
    Render(RenderArgs),
    /// Paint one picture or several, from text or over a picture, or repeat one that says how it was made
    Still(Box<StillArgs>),
    /// Write the depth of a picture as a network sees it: a PNG of 16 bits, near is bright
    Depth(DepthArgs),
    /// Print what a picture says about its making
    Inspect(InspectArgs),
    /// Check a film without rendering it: every mistake in one run
    Check(CheckArgs),
    /// Show a film's motion without a model, fast: boxes ride over a grid or the film's own picture
    Preview(PreviewArgs),
    /// Move one picture as one frame of a film does, and print the matrix or the pose
    Warp(WarpArgs),
    /// Look up the parameters a film can set: types, units, ranges, defaults
    Params(ParamsArgs),
    /// List the presets that a film can `use`, or print one
    Presets(PresetsArgs),
    /// Print a film's values per frame, as JSON or CSV
    Timeline(TimelineArgs),
    /// Compute one schedule: a value per frame
    Eval(EvalArgs),
    /// Say where each value of a frame comes from: key, line, ease, unit
    Explain(ExplainArgs),
    /// Draw what moves in a film: a picture of its curves, or a sketch in the terminal
    Plot(PlotArgs),
    /// Show how a rendered film drifted: brightness, contrast, saturation, sharpness and noise of its frames
    Drift(DriftArgs),
    /// Say what rendering a film will take: frames, models, memory, disk, time
    Plan(PlanArgs),
    /// Even out the brightness of a time-lapse: a folder of pictures, or a video
    Deflicker(DeflickerArgs),
    /// Render several films one after the other; one failing never stops the rest
    Batch(BatchArgs),
    /// Make a film of Deforum settings, a Parseq document or the parameters in an A1111 picture
    Import(ImportArgs),
    /// Lay films out in the one form: aligned, two blanks a level. Comments and spellings stay
    Fmt(FmtArgs),
    /// List the models that films can name: kind, precision, size, hash, and what each can be used for
    Models(ModelsArgs),
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
    /// Of a film with variants only this one: its number, or values such as `seed=1,smiling=0.4`
    #[arg(long, value_name = "WHICH")]
    pub(crate) variant: Option<String>,
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
    /// Of a film with variants only this one: its number, or values such as `seed=1,smiling=0.4`
    #[arg(long, value_name = "WHICH")]
    pub(crate) variant: Option<String>,
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
pub(crate) struct PresetsArgs {
    /// The preset to print, such as `zoom`
    pub(crate) name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// What to write: a video, or a contact sheet when the name ends in .png [default: the film's name with .preview.mp4]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A contact sheet of frames at even distances, with their numbers and keys, in place of the video
    #[arg(long)]
    pub(crate) sheet: bool,
    /// Of a film with variants only this one: its number, or values such as `seed=1,smiling=0.4`
    #[arg(long, value_name = "WHICH")]
    pub(crate) variant: Option<String>,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: kinora warp still.png film.kin --frame 2.5s -o moved.png --coverage mask.png"
)]
pub(crate) struct WarpArgs {
    /// The picture to move
    pub(crate) image: PathBuf,
    /// The film's score
    pub(crate) film: PathBuf,
    /// The frame whose motion moves it, counted from 0, or a time: `48`, `4.0s`, `8b`, `50%`
    #[arg(long, value_name = "FRAME", default_value = "1")]
    pub(crate) frame: String,
    /// The moved picture, PNG [default: the picture's name with .warp-FRAME.png]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A picture of what is covered, PNG: white where the moved picture still shows the given one
    #[arg(long, value_name = "FILE")]
    pub(crate) coverage: Option<PathBuf>,
    /// Of a film with variants only this one: its number, or values such as `seed=1,smiling=0.4`
    #[arg(long, value_name = "WHICH")]
    pub(crate) variant: Option<String>,
    /// Move it exactly as Deforum does: bilinear in 2D, twice with the perspective flip in 3D, truncated
    #[arg(long, value_enum)]
    pub(crate) compat: Option<CompatWith>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ParamsArgs {
    /// Only parameters in whose name, aliases, choices or help these words occur
    pub(crate) search: Vec<String>,
    /// As a Markdown table
    #[arg(long, conflicts_with = "format")]
    pub(crate) markdown: bool,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

/// Another program whose reading is followed to the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompatWith {
    /// Values in Deforum's form are read by Deforum's own rules (sd-webui-deforum)
    Deforum,
}

impl From<CompatWith> for Compat {
    fn from(with: CompatWith) -> Self {
        match with {
            CompatWith::Deforum => Self::Deforum,
        }
    }
}

/// Whose names parameters have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesOf {
    /// The language's own
    #[default]
    Kinora,
    /// Deforum's: every schedule it has, with its defaults where the film says nothing
    Deforum,
}

impl From<NamesOf> for Names {
    fn from(names: NamesOf) -> Self {
        match names {
            NamesOf::Kinora => Self::Kinora,
            NamesOf::Deforum => Self::Deforum,
        }
    }
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// {"fps", "frames", "parameters": {name: [a value per frame]}}
    #[default]
    Json,
    /// One line a frame
    Csv,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kinora timeline film.kin --format csv > film.csv")]
pub(crate) struct TimelineArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// How to print the values
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TableFormat,
    /// Whose names the parameters have
    #[arg(long, value_enum, default_value_t)]
    pub(crate) names: NamesOf,
    /// Read values in Deforum's form exactly as Deforum does
    #[arg(long, value_enum)]
    pub(crate) compat: Option<CompatWith>,
    /// Another start seed than the film's
    #[arg(long, value_name = "SEED", allow_negative_numbers = true)]
    pub(crate) seed: Option<i64>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: kinora eval '0: 1, 30: 1.02 + 0.01*sin(t/5) ~ease-out' --frames 60
          kinora eval '0:(s), 1:(-1), \"max_f-1\":(s)' --frames 30 --seed 7 --compat deforum --format json")]
pub(crate) struct EvalArgs {
    /// The schedule: what stands behind the `=` of a setting
    #[arg(allow_hyphen_values = true)]
    pub(crate) schedule: String,
    /// How many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) frames: u32,
    /// The start seed, `s`
    #[arg(long, value_name = "SEED", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: i64,
    /// It is a schedule of texts
    #[arg(long)]
    pub(crate) text: bool,
    /// Read it exactly as Deforum does
    #[arg(long, value_enum)]
    pub(crate) compat: Option<CompatWith>,
    /// Frames per second, for times in seconds: `24`, `23.976`, `24000/1001`
    #[arg(long, value_name = "RATE", default_value = "12", value_parser = rate)]
    pub(crate) fps: Rate,
    /// Beats per minute, for times in beats
    #[arg(long, value_name = "BPM", value_parser = tempo)]
    pub(crate) bpm: Option<f64>,
    /// How to print values and errors
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: kinora explain film.kin --frame 48
          kinora explain film.kin --frame 4.0s")]
pub(crate) struct ExplainArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The frame, counted from 0, or a time: `48`, `4.0s`, `8b`, `50%`
    #[arg(long, value_name = "FRAME", default_value = "0")]
    pub(crate) frame: String,
    /// Show the prompts as the model reads them: when each text is in force, its tokens, weights and embeddings
    #[arg(long)]
    pub(crate) tokens: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples: kinora plot film.kin
          kinora plot film.kin -o film.svg")]
pub(crate) struct PlotArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The picture to write, SVG [default: a sketch in the terminal]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kinora drift film.kin --plot drift.svg")]
pub(crate) struct DriftArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The video that it was rendered to [default: as `render` chooses it]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The picture to write, SVG [default: a sketch in the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Of a film with variants this one: its number, or values such as `seed=1,smiling=0.4`
    #[arg(long, value_name = "WHICH")]
    pub(crate) variant: Option<String>,
    /// Look at the draft's frames
    #[arg(long)]
    pub(crate) draft: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kinora plan film.kin --measure")]
pub(crate) struct PlanArgs {
    /// The film's score
    pub(crate) film: PathBuf,
    /// The video that would be written [default: as `render` chooses it]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Load the model and measure a step, so that the time can be estimated [done anyway for the embedded model and frames up to 512x512]
    #[arg(long)]
    pub(crate) measure: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
}

/// Frames per second, exact.
fn rate(text: &str) -> Result<Rate, String> {
    let fraction = |(num, den): (&str, &str)| Rate::new(num.trim().parse().ok()?, den.trim().parse().ok()?);
    let found = match text.split_once('/') {
        Some(parts) => fraction(parts),
        None => text.trim().parse().ok().and_then(Rate::from_decimal),
    };
    found.ok_or_else(|| "expected frames per second such as 24, 23.976 or 24000/1001".to_owned())
}

/// Beats per minute.
fn tempo(text: &str) -> Result<f64, String> {
    let bpm = text.parse().ok().filter(|bpm| (0.001..=10_000.0).contains(bpm));
    bpm.ok_or_else(|| "expected beats per minute, 0.001 to 10000".to_owned())
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
pub(crate) struct ImportArgs {
    /// Deforum's `settings.txt` or `.json`, a Parseq document or rendered manifest, or a PNG or text
    /// with the web UI's parameters
    pub(crate) file: PathBuf,
    /// The film to write, `-` for standard output [default: the file's name with .kin]
    #[arg(short, long, value_name = "FILM")]
    pub(crate) out: Option<PathBuf>,
    /// What the file is, when that is not to be recognised from its content
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) from: Option<ImportKind>,
    /// How to print what was and what was not carried over: text on standard error, JSON on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,
    /// Replace the film when it is there already
    #[arg(long)]
    pub(crate) force: bool,
}

/// Kinds of files that become films.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// Settings of sd-webui-deforum
    Deforum,
    /// A Parseq document or rendered manifest
    Parseq,
    /// Parameters of the A1111 web UI, as text or in a PNG
    A1111,
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
#[command(after_help = "Example: kinora models --models-dir ~/stable-diffusion-webui --hash")]
pub(crate) struct ModelsArgs {
    /// The folder of films whose own models are listed too [default: this one]
    pub(crate) folder: Option<PathBuf>,
    /// Compute the hashes that the A1111 web UI prints: every file is read whole, and large ones are remembered
    #[arg(long)]
    pub(crate) hash: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
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
