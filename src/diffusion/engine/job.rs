//! What is asked of the engine.

use std::path::Path;

use super::ModelDefaults;
use crate::canvas::{Canvas, Plane, Size};
use crate::diffusion::guidance::ControlMode;
use crate::diffusion::sampler::{Sampler, Variation};
use crate::diffusion::sigmas::Spacing;
use crate::noise::NoiseKind;

/// One picture to be painted.
#[derive(Clone, Debug)]
pub struct PaintJob<'a> {
    /// Size of the picture; both sides multiples of [`size_unit`](super::Engine::size_unit).
    /// That of `init` too, except for a mask with a region.
    pub size: Size,
    /// What is painted over; absent, the picture is made from noise alone.
    pub init: Option<&'a Canvas>,
    /// How much of `init` is repainted: 0 returns it as it is, 1 keeps next to nothing. Continuous, see
    /// [`continuous_tail`](crate::diffusion::img2img::continuous_tail). Without `init` it counts as 1.
    pub denoise: f64,
    /// The prompt, in A1111's syntax: emphasis, `AND`, `[from:to:when]`, `[a|b]`, names of textual inversions; see
    /// [`text`](crate::diffusion::text). Calls of the denoiser are counted from the first that is run.
    pub prompt: Mix<'a>,
    /// The negative prompt.
    pub negative: Mix<'a>,
    /// Steps of the whole schedule, at least 1; `denoise` says how many of them are run.
    pub steps: u32,
    /// Scale of classifier-free guidance; 1 leaves the negative prompt out and takes half the time.
    pub guidance: f64,
    /// The sampler.
    pub sampler: Sampler,
    /// Where the steps lie.
    pub spacing: Spacing,
    /// Seed of all noise, with sd-webui's order of draws.
    pub seed: u64,
    /// Whose noise the seed stands for. PyTorch's CPU generator looks at its low 32 bits alone.
    pub noise: NoiseKind,
    /// «Eta noise seed delta»: added to the seed for the noise behind the start noise, 0 as a rule. Samplers of
    /// the stochastic differential equation do not look at it.
    pub ensd: u32,
    /// Share of fresh noise of samplers that know one, 0 or more; `None` is what each of them takes, see
    /// [`SamplerSettings`](crate::diffusion::sampler::SamplerSettings).
    pub eta: Option<f64>,
    /// Factor of all fresh noise, 0 or more, 1 by theory.
    pub s_noise: f64,
    /// Multiplier of the start noise over `init`, 0 or more, 1 by theory: sd-webui's «noise multiplier for img2img» (1.10,
    /// `initial_noise_multiplier`). Without `init` it does not count.
    pub noise_multiplier: f64,
    /// Noise added to the latent of `init` before the run begins, as a multiple of independent normals; 0 is none. It is drawn
    /// from a stream of its own, so that it is never the start noise again.
    pub latent_noise: f64,
    /// A second noise that is mixed into that of `seed`.
    pub variation: Option<Variation>,
    /// Which layer of the text encoder from the end: 1 (or 0) is the last. SDXL always takes the last but one.
    pub clip_skip: u32,
    /// ControlNets; their effects add up.
    pub controls: Vec<PaintControl<'a>>,
    /// LoRAs in force, applied in this order; none is the model as it is, to the last bit.
    pub loras: Vec<LoraUse<'a>>,
    /// Pictures that the model looks at while it paints («reference-only»).
    pub references: Vec<PaintReference<'a>>,
    /// What of `init` is repainted; without it everything. Needs an `init`.
    pub mask: Option<PaintMask<'a>>,
    /// What of `init` is rebuilt by a strength of its own. Needs an `init`.
    pub fill: Option<PaintFill<'a>>,
}

impl<'a> PaintJob<'a> {
    /// A picture out of noise alone with what suits the model, seed 0, and nothing out of the ordinary.
    pub fn new(size: Size, prompt: Mix<'a>, negative: Mix<'a>, defaults: &ModelDefaults) -> Self {
        Self {
            size,
            init: None,
            denoise: 1.0,
            prompt,
            negative,
            steps: defaults.steps,
            guidance: defaults.guidance,
            sampler: defaults.sampler,
            spacing: defaults.spacing,
            seed: 0,
            noise: NoiseKind::default(),
            ensd: 0,
            eta: None,
            s_noise: 1.0,
            noise_multiplier: 1.0,
            latent_noise: 0.0,
            variation: None,
            clip_skip: 1,
            controls: Vec::new(),
            loras: Vec::new(),
            references: Vec::new(),
            mask: None,
            fill: None,
        }
    }
}

/// Masked fill: places of which nothing is known, rebuilt in the same run as the rest by a strength of their own.
///
/// Differential diffusion (Levin & Fried 2023, arXiv:2306.00950). Where `denoise` of the job is 0 the picture stays to
/// the byte, but for the feather. Uncovered places are new whatever the job's mask keeps. Windows of controls and
/// references are shares of the run of what is rebuilt most.
#[derive(Clone, Copy, Debug)]
pub struct PaintFill<'a> {
    /// Above 0.5 where nothing is known, of the size of the picture. What lies there in `init` only begins the run.
    pub uncovered: &'a Plane,
    /// How much is repainted there, 0 to 1.
    pub denoise: f64,
    /// Pixels beyond the uncovered place over which its strength passes into the job's, 0 or more.
    pub feather: f64,
    /// Seed of the noise there. The job's own gives what is uncovered again and again at one side the same picture again
    /// and again, if the job has the same seed each time.
    pub seed: u64,
}

/// Inpainting, by sd-webui's rules (1.10).
///
/// Outside of the mask the picture stays to the byte. What is repainted is decided twice: of the latent by the
/// blurred mask at the latent's size, and of the pixels by the blurred mask itself, twice as opaque (as it is with
/// a `region`).
#[derive(Clone, Copy, Debug)]
pub struct PaintMask<'a> {
    /// White is repainted, black is kept. Brought to the size of the picture if it differs. For the opposite see
    /// [`Canvas::negative`].
    pub mask: &'a Canvas,
    /// What is under the mask when the run begins.
    pub fill: MaskFill,
    /// How far the mask's edge is softened, as the deviation of a Gaussian in pixels; 0 leaves it alone.
    pub blur: f64,
    /// «Only masked»: the part of the picture around the mask, with so many pixels more on each side, is painted
    /// at the size of the job and put back. The picture may have any size then, and so has the result.
    pub region: Option<u32>,
    /// Whether grey means partly: else each place of the latent is either kept or repainted, as half of it is.
    /// This is the mask's own softness; sd-webui's «soft inpainting» is an extension with rules of its own.
    pub soft: bool,
}

/// Masked content: what is under a mask when the run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaskFill {
    /// The colours around, blurred into it.
    Fill,
    /// What the picture shows there.
    #[default]
    Original,
    /// The noise of the seed, as if it were a picture's latent.
    LatentNoise,
    /// A latent of zeros.
    LatentNothing,
}

/// A LoRA in a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraUse<'a> {
    /// Its file.
    pub file: &'a Path,
    /// Strength of the change of the UNet: 0 not at all, 1 as trained, below 0 the other way.
    pub unet: f64,
    /// Strength of the change of the text encoders.
    pub text: f64,
}

/// A picture that lends its look, see [`reference`](crate::diffusion::reference).
#[derive(Clone, Debug)]
pub struct PaintReference<'a> {
    /// The picture. Brought to the job's size if it differs.
    pub picture: &'a Canvas,
    /// Share of the model's blocks that look at it, 0..=1: the widest first.
    pub weight: f64,
    /// How far the negative prompt is kept from seeing it, 0..=1.
    pub fidelity: f64,
    /// Share of the run at which it begins, 0..=1.
    pub start: f64,
    /// Share of the run at which it ends, 0..=1.
    pub end: f64,
    /// What matters more.
    pub mode: ControlMode,
}

/// One text or several with weights. `"the sea".into()` is one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix<'a> {
    /// Texts and their weights, which sum to 1. A text of weight 0 is as good as absent.
    pub parts: Vec<(&'a str, f64)>,
    /// How they come together. Texts that have unequally many prompts joined by `AND` are composed.
    pub blend: Blend,
}

impl<'a> From<&'a str> for Mix<'a> {
    fn from(text: &'a str) -> Self {
        Self { parts: vec![(text, 1.0)], blend: Blend::default() }
    }
}

/// How several texts become one condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blend {
    /// The weighted sum of the embeddings.
    #[default]
    Lerp,
    /// Each token's embedding along the arc from one text's to the other's.
    Slerp,
    /// One prediction of the noise for each text, see [`Parts`](crate::diffusion::guidance::Parts).
    Composed,
}

/// Which ControlNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlSource<'a> {
    /// The depth ControlNet in the model's own folder.
    Own,
    /// One of those given to [`Engine::load`](super::Engine::load).
    Named(&'a str),
}

/// A ControlNet in a job.
#[derive(Clone, Debug)]
pub struct PaintControl<'a> {
    /// Which network.
    pub net: ControlSource<'a>,
    /// What it looks at, such as a depth picture (white is near). Brought to the job's size if it differs.
    pub hint: &'a Canvas,
    /// How much it counts: 0 not at all, 1 as trained.
    pub weight: f64,
    /// Share of the run at which it begins, 0..=1.
    pub start: f64,
    /// Share of the run at which it ends, 0..=1.
    pub end: f64,
    /// What matters more.
    pub mode: ControlMode,
}
