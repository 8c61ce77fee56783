//! What is asked of the engine.

use std::path::Path;

use crate::canvas::{Canvas, Size};
use crate::diffusion::guidance::ControlMode;
use crate::diffusion::sampler::{Sampler, Variation};
use crate::diffusion::sigmas::Spacing;

/// One picture to be painted.
#[derive(Clone, Debug)]
pub struct PaintJob<'a> {
    /// Size of the picture; both sides multiples of [`size_unit`](super::Engine::size_unit).
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
    /// Seed of all noise; PyTorch's CPU generator with sd-webui's order of draws. Its low 32 bits count.
    pub seed: u64,
    /// A second noise that is mixed into that of `seed`.
    pub variation: Option<Variation>,
    /// Which layer of the text encoder from the end: 1 (or 0) is the last. SDXL always takes the last but one.
    pub clip_skip: u32,
    /// ControlNets; their effects add up.
    pub controls: Vec<PaintControl<'a>>,
    /// LoRAs in force, applied in this order; none is the model as it is, to the last bit.
    pub loras: Vec<LoraUse<'a>>,
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
