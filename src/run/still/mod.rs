//! `still`: pictures from the engine that paints films.

mod frame;
mod inputs;
mod names;
mod repeat;
mod said;

use std::path::{Path, PathBuf};

use crate::canvas::Canvas;
use crate::canvas::Size;
use crate::diffusion::engine::MaskFill;
use crate::error::{Error, Result};
use crate::infotext::described;
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::seams::PaintRequest;
use crate::run::cast::Cast;
use crate::run::loras::Spoken;
use crate::run::memory;
use crate::run::models::{DeviceChoice, ModelPainter, sampling};
use crate::run::sources::Files;
use crate::timeline::frame::{ControlMode, Fit, FrameParams, Rng};
use inputs::{Inputs, Mask};
use names::Names;
pub(crate) use repeat::is_control;

/// Where `kinora still` looks for models and pictures that are named: the folder it is started in.
const HERE: &str = "";

/// What the user asks for. What is left out is what suits the model, or what the picture of `from` was made with.
#[derive(Clone, Debug, Default)]
pub struct StillOptions {
    /// The prompt.
    pub prompt: Option<String>,
    /// The negative prompt.
    pub negative: Option<String>,
    /// The model's name; the embedded one when left out.
    pub model: Option<String>,
    /// The autoencoder's name; the model's own when left out.
    pub vae: Option<String>,
    /// Width and height.
    pub size: Option<Size>,
    /// Steps from pure noise.
    pub steps: Option<u32>,
    /// Scale of classifier-free guidance.
    pub guidance: Option<f64>,
    /// Sampler, kinora's name or the web UI's, with or without a spacing.
    pub sampler: Option<String>,
    /// Spacing of the noise levels.
    pub spacing: Option<String>,
    /// Seed of the first picture; 0 when left out.
    pub seed: Option<SeedChoice>,
    /// How many pictures, each with the next seed; 1 when left out.
    pub count: Option<u32>,
    /// A second seed whose noise is mixed in.
    pub subseed: Option<SeedChoice>,
    /// How much of it, 0 to 1.
    pub subseed_strength: Option<f64>,
    /// Whether every draw of noise is mixed, as on the way between two seeds of a film.
    pub seed_walk: bool,
    /// Layers of the text encoder left out, 1 is none.
    pub clip_skip: Option<u32>,
    /// Whose noise a seed stands for.
    pub rng: Option<Rng>,
    /// Share of fresh noise of samplers that add some.
    pub eta: Option<f64>,
    /// Factor of all fresh noise.
    pub s_noise: Option<f64>,
    /// Added to the seed of the fresh noise.
    pub ensd: Option<u32>,
    /// A picture to paint over.
    pub init: Option<PathBuf>,
    /// How much of it is made new, 0 to 1; 0.75 when left out.
    pub denoise: Option<f64>,
    /// What of it is repainted.
    pub masking: Masking,
    /// ControlNets.
    pub controls: Vec<ControlOption>,
    /// A file, a folder (it ends with `/` or is there), or a name with `#` or `{seed}` in it.
    pub out: Option<PathBuf>,
    /// Replace pictures that are there already.
    pub force: bool,
    /// Repeat this picture.
    pub from: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// A seed, or the wish for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedChoice {
    /// This one.
    Number(i64),
    /// Another one at every run.
    Random,
}

/// What of a picture is repainted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masking {
    /// A picture that is white where the other one is repainted.
    pub mask: Option<PathBuf>,
    /// Repaint what is black instead.
    pub invert: bool,
    /// What lies under the mask at the start.
    pub fill: Option<MaskFill>,
    /// How far the mask's edge is softened, in pixels; 4 when left out.
    pub blur: Option<f64>,
    /// Paint only a box about the mask, with this many pixels around it, at full size.
    pub only_masked: Option<u32>,
    /// Repaint one box: left, top, width, height. Only it is painted, see `only_masked`.
    pub region: Option<[u32; 4]>,
    /// Whether grey means partly.
    pub soft: bool,
}

/// What lies under a mask at the start, with the web UI's names.
pub const FILLS: [(MaskFill, &str); 4] = [
    (MaskFill::Original, "original"),
    (MaskFill::Fill, "fill"),
    (MaskFill::LatentNoise, "latent noise"),
    (MaskFill::LatentNothing, "latent nothing"),
];

/// A ControlNet.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlOption {
    /// What it is called.
    pub name: String,
    /// What it is shown; `None` is what `from` finds in the picture that is painted over.
    pub picture: Option<PathBuf>,
    /// How the picture is looked at.
    pub from: ControlFrom,
    /// How the picture is brought to the shape of the still.
    pub fit: Fit,
    /// Whether the negative is shown.
    pub invert: bool,
    /// Its model; `None` is the one that the diffusion model brings.
    pub model: Option<String>,
    /// Multiplier of its effect.
    pub weight: f64,
    /// Share of the steps after which it begins.
    pub start: f64,
    /// Share of the steps after which it ends.
    pub end: f64,
    /// Whose word counts more.
    pub mode: ControlMode,
}

/// Thresholds of edges when nothing is said, as in the web UI: where they go on, and where they begin.
pub const CANNY: (f64, f64) = (100.0, 200.0);

/// Fidelity of a reference when nothing is said, as in the web UI.
pub const FIDELITY: f64 = 0.5;

/// How a control looks at its picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlFrom {
    /// At the picture as it is; without one, at the depth of the picture that is painted over.
    AsIs,
    /// At its edges (Canny), which begin above the gradient `high` and go on above `low` (0 to 2040).
    Canny {
        /// The lower threshold.
        low: f64,
        /// The upper threshold.
        high: f64,
    },
    /// The model itself looks at it («reference-only»), with this fidelity, 0 to 1.
    Reference(f64),
}

/// What a run tells while it goes on.
pub struct Listener<'a> {
    /// Told how far it is.
    pub progress: &'a dyn Progress,
    /// The wish to stop.
    pub stop: &'a StopFlag,
    /// Told what the user should know before the first picture.
    pub warn: &'a mut dyn FnMut(&str),
    /// Told of each picture that is there now.
    pub done: &'a mut dyn FnMut(&Path) -> Result<()>,
}

/// Paints one picture or several.
///
/// # Errors
/// See [`Error`]. Pictures that are finished are kept whatever happens.
pub fn still(options: &StillOptions, listener: &mut Listener<'_>) -> Result<()> {
    let device = options.device.open()?;
    let options = match &options.from {
        Some(picture) => repeat::completed(options, picture, listener.warn)?,
        None => options.clone(),
    };
    let mut params = frame::params(&options)?;
    Spoken::of(&params).map_err(|error| match error {
        Error::Render { message, hint, .. } => Error::Usage { message, hint },
        other => other,
    })?;
    let count = options.count.unwrap_or(1).max(1);
    let names = Names::new(options.out.as_deref(), count, options.force)?;
    let mut painter = ModelPainter::new(device.clone(), Path::new(HERE));
    let cast = Cast::of(&params);
    // A sampler that is not known is better learned before gigabytes are read.
    sampling(&painter.defaults(&cast)?, &params.sampling)?;
    let engine = painter.engine(&cast)?;
    let (unit, native) = (engine.size_unit(), engine.defaults().size);
    let inputs = Inputs::read(&options, &params, unit, native, &mut Files::new(device, Path::new(HERE)))?;
    painter.rehearse(std::iter::once(&params))?.iter().for_each(|warning| (listener.warn)(warning));
    if let Some(warning) = memory::warning(memory::work(std::iter::once(&params), inputs.painted, &painter)?)
    {
        (listener.warn)(&warning);
    }
    let mut said = said::said(&params, &options, &inputs, &painter)?;

    listener.progress.begin("still", count.into(), 0);
    let result = (0..count).try_for_each(|number| {
        if number > 0 {
            if listener.stop.get() != Stop::No {
                return Err(Error::Interrupted);
            }
            frame::advance(&mut params);
        }
        let canvas = paint(&mut painter, &params, &inputs, count, listener)?;
        let png = described(&canvas.to_png()?, &said::renewed(&mut said, &params));
        let path = names.publish(number, params.sampling.seed, &png)?;
        listener.progress.frame();
        (listener.done)(&path)
    });
    listener.progress.end();
    result
}

/// One picture.
fn paint(
    painter: &mut ModelPainter,
    params: &FrameParams,
    inputs: &Inputs,
    count: u32,
    listener: &Listener<'_>,
) -> Result<Canvas> {
    // Of one picture, the first wish ends it: there is no other to go on with.
    let urgent = if count == 1 { Stop::AfterFrame } else { Stop::Now };
    let mut watch = |step, steps| {
        listener.progress.step(step, steps);
        listener.stop.get() < urgent
    };
    let request = PaintRequest {
        params,
        size: inputs.painted,
        init: inputs.init.as_ref(),
        hints: inputs.hints.clone(),
        mask: None,
        anew: None,
    };
    let mask = inputs.mask.as_ref().map(Mask::of_job);
    let canvas = painter.paint_masked(&request, mask, &mut watch)?.ok_or(Error::Interrupted)?;
    Ok(if inputs.exact == canvas.size() { canvas } else { canvas.cut(0, 0, inputs.exact) })
}

/// A seed that nobody knows before: 32 bits, as the web UI draws them.
fn random_seed() -> i64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    // The standard library's only source of the system's randomness.
    let drawn = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (drawn & 0xffff_ffff).cast_signed()
}

#[cfg(test)]
mod tests;
