//! The options as the numbers of one frame, so that stills are painted by what paints films.

use std::path::Path;

use super::{ControlFrom, ControlOption, SeedChoice, StillOptions, random_seed};
use crate::error::{Error, Result};
use crate::schedule;
use crate::timeline::frame::{ControlInput, ControlParams, FrameParams, FrameSource, PromptMix};
use crate::timeline::{Options, Timeline};

/// How much of a picture is made new when nothing is said, as in the web UI.
pub(super) const DENOISE: f64 = 0.75;

/// The numbers of the first picture.
pub(super) fn params(options: &StillOptions) -> Result<FrameParams> {
    let Some(prompt) = &options.prompt else {
        return Err(Error::Usage {
            message: "expected a prompt, or a picture to repeat".to_owned(),
            hint: Some("for example: kinora still \"a lighthouse at dusk\"".to_owned()),
        });
    };
    check(options)?;
    let mut params = blank()?;
    params.prompt = PromptMix::plain(prompt);
    params.negative = PromptMix::plain(options.negative.clone().unwrap_or_default());
    if let Some(init) = &options.init {
        params.source = FrameSource::Still(init.clone());
    }
    let set = &mut params.sampling;
    set.model.clone_from(&options.model);
    set.vae.clone_from(&options.vae);
    set.sampler.clone_from(&options.sampler);
    set.spacing.clone_from(&options.spacing);
    set.steps = options.steps;
    set.guidance = options.guidance;
    set.strength = 1.0 - options.denoise.unwrap_or(DENOISE);
    set.seed = number(options.seed.unwrap_or(SeedChoice::Number(0)));
    set.subseed = number(options.subseed.unwrap_or(SeedChoice::Number(1)));
    set.subseed_strength = options.subseed_strength.unwrap_or(0.0);
    set.seed_walk = options.seed_walk;
    set.rng = options.rng.unwrap_or_default();
    set.eta = options.eta;
    set.ddim_eta = options.eta;
    set.s_noise = options.s_noise.unwrap_or(1.0);
    set.eta_noise_seed_delta = options.ensd.unwrap_or(0);
    set.clip_skip = options.clip_skip.unwrap_or(1);
    params.controls = options.controls.iter().map(control).collect();
    Ok(params)
}

/// Goes on to the next picture: as in the web UI the next seed, or the next variation of the same one.
pub(super) fn advance(params: &mut FrameParams) {
    let set = &mut params.sampling;
    let seed = if set.subseed_strength > 0.0 { &mut set.subseed } else { &mut set.seed };
    *seed = seed.wrapping_add(1);
}

/// The frame of a film that says nothing.
fn blank() -> Result<FrameParams> {
    let (film, _) = schedule::read("still", "kinora 1\nframes = 1\nprompt = \"a\"\n")?;
    Timeline::new(&film, &Options::default())?.at(0)
}

fn number(seed: SeedChoice) -> i64 {
    match seed {
        SeedChoice::Number(number) => number,
        SeedChoice::Random => random_seed(),
    }
}

fn control(option: &ControlOption) -> ControlParams {
    ControlParams {
        name: option.name.clone(),
        model: option.model.clone(),
        input: match (option.from, option.picture.clone()) {
            (ControlFrom::AsIs, Some(path)) => ControlInput::Picture(path),
            (ControlFrom::AsIs, None) => ControlInput::Depth,
            (ControlFrom::Canny { low, high }, image) => ControlInput::Canny { image, low, high },
            (ControlFrom::Reference(fidelity), image) => ControlInput::Reference { image, fidelity },
        },
        weight: option.weight,
        start: option.start,
        end: option.end,
        mode: option.mode,
        fit: option.fit,
        invert: option.invert,
    }
}

/// Refuses options that make no sense without each other.
fn check(options: &StillOptions) -> Result<()> {
    let refuse = |message: String, hint: &str| Err(Error::Usage { message, hint: Some(hint.to_owned()) });
    let masking = &options.masking;
    let over = "name the picture to paint over: `--init picture.png`";
    if options.init.is_none() {
        let lonely = [
            ("--denoise", options.denoise.is_some()),
            ("--mask", masking.mask.is_some()),
            ("--region", masking.region.is_some()),
            ("--fill", masking.fill.is_some()),
            ("--only-masked", masking.only_masked.is_some()),
            ("--invert-mask", masking.invert),
            ("--soft-mask", masking.soft),
            ("--mask-blur", masking.blur.is_some()),
        ];
        if let Some((name, _)) = lonely.iter().find(|(_, is_set)| *is_set) {
            return refuse(format!("{name} needs --init: there is nothing to paint over"), over);
        }
    }
    for (number, control) in options.controls.iter().enumerate() {
        if options.controls[..number].iter().any(|other| other.name == control.name) {
            let message = format!("two controls are called `{}`", control.name);
            return refuse(message, "give each a name of its own, such as `depth2=far.png`");
        }
        if control.picture.is_none() && options.init.is_none() {
            let message = format!(
                "control `{}` has nothing to see: there is no picture whose depth it could be shown",
                control.name
            );
            return refuse(
                message,
                "give it a picture (`--control \"depth=depth.png\"`), or one to paint over (`--init`)",
            );
        }
    }
    for path in pictures(options) {
        if !path.is_file() {
            let found = if path.exists() { "this is a folder" } else { "there is no such file" };
            let near = path.parent().zip(path.file_name()).and_then(|(folder, name)| {
                crate::run::nearest_name(folder, &name.to_string_lossy(), Path::is_file)
            });
            let error = Error::input(path, format!("expected a picture, {found}"));
            return Err(match near {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint("names are relative to the folder that kinora is started in"),
            });
        }
    }
    Ok(())
}

/// All pictures that are named.
fn pictures(options: &StillOptions) -> impl Iterator<Item = &Path> {
    let controls = options.controls.iter().filter_map(|control| control.picture.as_deref());
    options.init.as_deref().into_iter().chain(options.masking.mask.as_deref()).chain(controls)
}
