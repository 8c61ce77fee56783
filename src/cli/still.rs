//! `kinora still`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::canvas::Size;
use crate::cli::args::DeviceName;
use crate::cli::control::control;
use crate::cli::{announce_work, listening, print};
use crate::diffusion::engine::MaskFill;
use crate::error::{Error, Result};
use crate::progress::{self, StopFlag, say};
use crate::run::still::{ControlOption, Listener, Masking, SeedChoice, StillOptions, still};
use crate::timeline::frame::Rng;

/// What can be typed. The doc comments are the help text.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples: kinora still \"a lighthouse at dusk\" --size 512x512 --count 4
          kinora still \"a lighthouse in snow\" --init photo.png --denoise 0.5 -o snow.png
          kinora still \"a red door\" --init house.png --mask door.png --only-masked
          kinora still --from still.png --seed random")]
pub(crate) struct StillArgs {
    /// The prompt, or `@file.txt` for the text of a file; `@@` for a prompt that begins with @
    pub(crate) prompt: Option<String>,
    /// What should not be in the picture, or `@file.txt`
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) negative: Option<String>,
    /// The model's name, folder or file [default: the one that is compiled in]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The autoencoder's name, folder or file; of a whole model its autoencoder [default: the model's own]
    #[arg(long, value_name = "NAME")]
    pub(crate) vae: Option<String>,
    /// Width and height in pixels [default: that of --init, else what suits the model]
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<Size>,
    /// Steps from pure noise; over a picture their share is run [default: what suits the model]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,
    /// Scale of classifier-free guidance [default: what suits the model]
    #[arg(long, value_name = "SCALE", visible_alias = "cfg-scale", value_parser = number::<0, 1000>,
          allow_negative_numbers = true)]
    pub(crate) guidance: Option<f64>,
    /// The sampler, as kinora or the A1111 web UI calls it: `dpmpp_2m`, "DPM++ 2M Karras" [default: what suits
    /// the model]
    #[arg(long, value_name = "NAME")]
    pub(crate) sampler: Option<String>,
    /// Spacing of the noise levels («schedule type»): `karras`, `exponential`, `sgm_uniform` …
    #[arg(long, value_name = "NAME", visible_alias = "scheduler")]
    pub(crate) spacing: Option<String>,
    /// Seed of the first picture, or `random` [default: 0]
    #[arg(long, value_name = "SEED", value_parser = seed, allow_negative_numbers = true)]
    pub(crate) seed: Option<SeedChoice>,
    /// How many pictures, each with the next seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), allow_negative_numbers = true)]
    pub(crate) count: Option<u32>,
    /// Seed of a second noise that is mixed in (variation seed), or `random`; with --count this one goes on
    #[arg(long, value_name = "SEED", value_parser = seed, allow_negative_numbers = true)]
    pub(crate) subseed: Option<SeedChoice>,
    /// How much of it is mixed in, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = number::<0, 1>, allow_negative_numbers = true)]
    pub(crate) subseed_strength: Option<f64>,
    /// Layers of the text encoder left out, counted as the web UI does: 1 is none
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=24), allow_negative_numbers = true)]
    pub(crate) clip_skip: Option<u32>,
    /// Whose noise a seed stands for: PyTorch's on the processor, or that of Nvidia cards, as the web UI draws it
    /// [default: cpu]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) rng: Option<RngName>,
    /// Share of fresh noise of samplers that add some, 0 adds none [default: the sampler's own]
    #[arg(long, value_name = "SHARE", value_parser = number::<0, 10>, allow_negative_numbers = true)]
    pub(crate) eta: Option<f64>,
    /// Multiplier of all fresh noise [default: 1]
    #[arg(long, value_name = "FACTOR", value_parser = number::<0, 10>, allow_negative_numbers = true)]
    pub(crate) s_noise: Option<f64>,
    /// Added to the seed of the fresh noise (eta noise seed delta) [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) ensd: Option<u32>,
    /// A picture to paint over. Where it is transparent, only that is repainted; the result has its size
    #[arg(long, value_name = "PICTURE")]
    pub(crate) init: Option<PathBuf>,
    /// How much of --init is made new, 0 to 1 [default: 0.75]
    #[arg(long, value_name = "SHARE", value_parser = number::<0, 1>, allow_negative_numbers = true)]
    pub(crate) denoise: Option<f64>,
    /// A picture that is white where --init is repainted; of one with transparent parts, what is opaque counts
    #[arg(long, value_name = "PICTURE")]
    pub(crate) mask: Option<PathBuf>,
    /// Repaint what is black in the mask
    #[arg(long)]
    pub(crate) invert_mask: bool,
    /// What lies under the mask at the start [default: original, under transparent parts: fill]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) fill: Option<FillName>,
    /// How far the mask's edge is softened, in pixels [default: 4]
    #[arg(long, value_name = "PIXELS", value_parser = number::<0, 256>, allow_negative_numbers = true)]
    pub(crate) mask_blur: Option<f64>,
    /// Paint a box about the mask at full size and put it back, with so many pixels around it [default: 32]
    #[arg(long, value_name = "PIXELS", num_args = 0..=1, default_missing_value = "32",
          value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub(crate) only_masked: Option<u32>,
    /// Let grey in the mask mean partly
    #[arg(long)]
    pub(crate) soft_mask: bool,
    /// Repaint one box of --init, as --only-masked does: left, top, width, height in pixels
    #[arg(long, value_name = "X,Y,W,H", value_parser = region)]
    pub(crate) region: Option<[u32; 4]>,
    /// A ControlNet and the picture it is shown, `depth=depth.png`, with `,model=NAME`, `,weight=1`, `,start=0`,
    /// `,end=1`, `,mode=balanced|prompt|control` behind it; `depth=auto` shows it the depth of --init.
    /// `,from=canny` shows it the edges (`,low=100,high=200`), and with `,from=reference` the model itself looks at
    /// the picture (`,fidelity=0.5`); `,resize=crop|stretch|fit` and `,invert=true` as in films. May be given
    /// several times
    #[arg(long, value_name = "NAME=PICTURE", value_parser = control)]
    pub(crate) control: Vec<ControlOption>,
    /// Repeat a picture that says how it was made; other options change what they name
    #[arg(long, value_name = "PICTURE")]
    pub(crate) from: Option<PathBuf>,
    /// A PNG, a folder (ending with `/`), or a name with `####` for a number or `{seed}` in it. Names that are
    /// taken are numbered on [default: still.png]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace pictures that are there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceName,
    /// Only say what must be read
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What lies under a mask at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FillName {
    /// The picture itself
    Original,
    /// The colours around the mask
    Fill,
    /// Noise
    LatentNoise,
    /// Nothing
    LatentNothing,
}

impl From<FillName> for MaskFill {
    fn from(name: FillName) -> Self {
        match name {
            FillName::Original => Self::Original,
            FillName::Fill => Self::Fill,
            FillName::LatentNoise => Self::LatentNoise,
            FillName::LatentNothing => Self::LatentNothing,
        }
    }
}

/// Whose noise a seed stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RngName {
    /// PyTorch's generator on the processor
    Cpu,
    /// The generator of Nvidia cards, computed on the processor
    #[value(alias = "gpu")]
    Nv,
}

impl From<RngName> for Rng {
    fn from(name: RngName) -> Self {
        match name {
            RngName::Cpu => Self::Cpu,
            RngName::Nv => Self::Nv,
        }
    }
}

/// Paints pictures.
pub(crate) fn run(args: &StillArgs, stop: StopFlag) -> Result<()> {
    let options = options(args)?;
    let several = options.count.is_some_and(|count| count > 1);
    let stop = listening(stop, if several { announce_pictures } else { announce_work })?;
    let progress = progress::counting("picture", args.quiet);
    let mut listener = Listener {
        progress: &*progress,
        stop: &stop,
        warn: &mut |warning| say(&format!("warning: {warning}")),
        done: &mut |path| print(&format!("{}\n", path.display())),
    };
    still(&options, &mut listener).inspect_err(|error| {
        if several && matches!(error, Error::Interrupted) {
            say("finished pictures are kept");
        }
    })
}

/// The first Ctrl-C ends after the picture at hand, the second at the next step, the third at once.
fn announce_pictures(before: u8) {
    match before {
        0 => say("\nstopping after this picture; press Ctrl-C again to stop at the next step"),
        before => announce_work(before - 1),
    }
}

fn options(args: &StillArgs) -> Result<StillOptions> {
    let text = |given: &Option<String>| given.as_deref().map(words).transpose();
    Ok(StillOptions {
        prompt: text(&args.prompt)?,
        negative: text(&args.negative)?,
        model: args.model.clone(),
        vae: args.vae.clone(),
        size: args.size,
        steps: args.steps,
        guidance: args.guidance,
        sampler: args.sampler.clone(),
        spacing: args.spacing.clone(),
        seed: args.seed,
        count: args.count,
        subseed: args.subseed,
        subseed_strength: args.subseed_strength,
        seed_walk: false,
        clip_skip: args.clip_skip,
        rng: args.rng.map(Rng::from),
        eta: args.eta,
        s_noise: args.s_noise,
        ensd: args.ensd,
        init: args.init.clone(),
        denoise: args.denoise,
        masking: Masking {
            mask: args.mask.clone(),
            invert: args.invert_mask,
            fill: args.fill.map(MaskFill::from),
            blur: args.mask_blur,
            only_masked: args.only_masked,
            region: args.region,
            soft: args.soft_mask,
        },
        controls: args.control.clone(),
        out: args.out.clone(),
        force: args.force,
        from: args.from.clone(),
        device: args.device.into(),
    })
}

/// A text, or the text of the file behind an `@`.
fn words(given: &str) -> Result<String> {
    match given.strip_prefix('@') {
        None => Ok(given.to_owned()),
        Some(text) if text.starts_with('@') => Ok(text.to_owned()),
        Some(file) => {
            let path = Path::new(file);
            let bytes = std::fs::read(path).map_err(|e| {
                Error::input(path, format!("cannot read the prompt: {e}"))
                    .with_hint("a prompt that begins with @ is written with two: `@@…`")
            })?;
            let text = String::from_utf8(bytes).map_err(|e| {
                let at = e.utf8_error().valid_up_to();
                Error::input(path, format!("expected a prompt in UTF-8, byte {at} is something else"))
                    .with_hint("save the file as UTF-8 text")
            })?;
            Ok(text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']).to_owned())
        }
    }
}

/// `512x768`.
fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once(['x', 'X', '×']);
    let sides = sides.and_then(|(w, h)| Some(Size::new(w.trim().parse().ok()?, h.trim().parse().ok()?)));
    let fits = |size: &Size| (8..=16384).contains(&size.width) && (8..=16384).contains(&size.height);
    sides.filter(fits).ok_or_else(|| "expected a size such as 512x512, sides of 8 to 16384 pixels".to_owned())
}

/// A number from `LOW` to `HIGH`.
pub(crate) fn number<const LOW: u32, const HIGH: u32>(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|n| (f64::from(LOW)..=f64::from(HIGH)).contains(n));
    number.ok_or_else(|| format!("expected a number from {LOW} to {HIGH}"))
}

/// A seed; the web UI's -1 is a random one.
fn seed(text: &str) -> Result<SeedChoice, String> {
    match text.trim() {
        "random" | "-1" => Ok(SeedChoice::Random),
        text => {
            let number = text.parse().ok().filter(|n: &i64| *n >= 0).map(SeedChoice::Number);
            number.ok_or_else(|| "expected a whole number from 0, or `random`".to_owned())
        }
    }
}

/// Left, top, width, height.
fn region(text: &str) -> Result<[u32; 4], String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|side| side.trim().parse().ok()).collect();
    let sides: Option<[u32; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
    let fits = |[x, y, w, h]: &[u32; 4]| {
        *x <= 16384 && *y <= 16384 && (1..=16384).contains(w) && (1..=16384).contains(h)
    };
    sides.filter(fits).ok_or_else(|| "expected left, top, width and height such as 0,0,256,256".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_are_numbers_out_of_range() {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            _still: StillArgs,
        }
        for option in [
            "steps",
            "guidance",
            "count",
            "subseed-strength",
            "clip-skip",
            "eta",
            "s-noise",
            "ensd",
            "denoise",
            "mask-blur",
        ] {
            let line = ["still", "x", &format!("--{option}"), "-1"];
            let error = Line::try_parse_from(line).err().expect("refused").to_string();
            assert!(error.contains(&format!("invalid value '-1' for '--{option}")), "{error}");
        }
    }

    #[test]
    fn a_prompt_out_of_a_file_is_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prompt.txt");
        std::fs::write(&file, "\u{feff}a tunnel\n").unwrap();
        let given = format!("@{}", file.display());
        assert_eq!(words(&given).unwrap(), "a tunnel");
        std::fs::write(&file, b"a \xff").unwrap();
        let error = words(&given).unwrap_err();
        assert!(error.to_string().contains("byte 2 is something else"), "{error}");
        assert_eq!(error.hint(), Some("save the file as UTF-8 text"));
    }

    #[test]
    fn numbers_and_seeds_are_in_range() {
        assert_eq!(seed("-1"), Ok(SeedChoice::Random));
        assert_eq!(seed("4294967296"), Ok(SeedChoice::Number(1 << 32)));
        for wrong in ["", "-2", "1.5", "x"] {
            assert!(seed(wrong).is_err(), "{wrong}");
        }
        assert!(
            number::<0, 1>("nan").is_err() && number::<0, 1>("inf").is_err() && number::<0, 1>("1").is_ok()
        );
        assert!(size("0x8").is_err() && size("8").is_err() && size("99999999999999999999x8").is_err());
        assert!(region("1,2,3").is_err() && region("0,0,0,1").is_err() && region("0, 0, 8, 8").is_ok());
    }
}
