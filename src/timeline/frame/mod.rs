//! What one frame of a film is made with: plain numbers, no text to parse and no pixels.
//!
//! Every section is handed by value to the room that uses it. Numbers are in the unit that the
//! field's line says; rates of the language have already become amounts per frame here.

mod cadence;
mod clip;
mod closing;
mod control;
mod depth;
mod fill;
mod guide;
mod hold;
mod hybrid;
mod look;
mod making;
mod mask;
mod motion;
mod sampling;
mod tone;

pub use cadence::{CadenceParams, FlowMethod};
pub use clip::Clip;
pub use closing::Closing;
pub use control::{ControlInput, ControlMode, ControlParams, Fit};
pub use depth::DepthParams;
pub use fill::{FEATHER, FillParams, OUTPAINTED};
pub use guide::GuideParams;
pub use hold::{ColourReference, DriftMeasures, DriftParams, HoldParams};
pub use hybrid::{HybridComposite, HybridMask, HybridMaskKind, HybridMotion, HybridParams, HybridVideo};
pub use look::{Coherence, ColourParams, NoiseKind, NoiseParams, SharpenParams};
pub use making::{ComposeParams, Making};
pub use mask::{MaskFill, MaskJoin, MaskParams, MaskTree};
pub use motion::{
    Border, Camera, Camera2d, Camera3d, DepthMeaning, DepthSource, PerspectiveFlip, Sampling, Sequence,
};
pub use sampling::{Rng, SamplingParams};
pub use tone::ToneParams;

/// Everything the loop needs to know for one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameParams {
    /// Number in the film, from 0.
    pub frame: u32,
    /// Number of the scene, from 0.
    pub scene: usize,
    /// The first frame of its scene: nothing is carried over from the frame before.
    pub cut: bool,
    /// Where the picture that this frame is painted over comes from.
    pub source: FrameSource,
    /// How the previous frame is moved.
    pub camera: Camera,
    /// What stands beyond the edge of a moved picture.
    pub border: Border,
    /// How what the camera uncovers is painted; `None` leaves it to the border and the frame's strength.
    pub fill: Option<FillParams>,
    /// Where the depth of the picture comes from, for the 3D warp and for controls alike.
    pub depth: DepthSource,
    /// What becomes of that depth.
    pub relief: DepthParams,
    /// Colour, contrast and sharpness.
    pub colour: ColourParams,
    /// Noise added to the picture before it is painted over.
    pub noise: NoiseParams,
    /// What keeps the look over many frames.
    pub hold: HoldParams,
    /// The diffusion model's settings.
    pub sampling: SamplingParams,
    /// The positive prompt.
    pub prompt: PromptMix,
    /// The negative prompt.
    pub negative: PromptMix,
    /// A picture that the film is led to.
    pub guide: Option<GuideParams>,
    /// A video that the film follows.
    pub hybrid: Option<HybridParams>,
    /// What of the picture is repainted; `None` is all of it.
    pub mask: Option<MaskParams>,
    /// How the scene's frames come about and are shown.
    pub making: Making,
    /// Near the end of a looping scene: how it leads back into the first frame.
    pub closing: Option<Closing>,
    /// ControlNets in force, in the order of the film.
    pub controls: Vec<ControlParams>,
    /// Whether the model paints here, and what is shown where it does not.
    pub cadence: CadenceParams,
    /// Grey films, and where colours are matched.
    pub tone: ToneParams,
}

/// What a frame is told in words: one text as a rule, two on the way from one key to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptMix {
    /// Texts with their holes filled and their weights, at least one. Weights sum to 1 and are never 0;
    /// an ease that swings beyond its ends takes them below 0 and above 1.
    pub parts: Vec<(String, f64)>,
    /// How the parts come together; the default for a single one.
    pub blend: PromptBlend,
}

/// How several prompts become one condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptBlend {
    /// The weighted mean of the embeddings, token by token.
    #[default]
    Lerp,
    /// Along the arc between the embeddings of each token, which keeps their length.
    Slerp,
    /// One prediction of the noise for each part, summed by weight (the web UI's `AND`; Liu et al.,
    /// *Compositional Visual Generation with Composable Diffusion Models*, 2022).
    Composed,
}

impl PromptMix {
    /// One text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { parts: vec![(text.into(), 1.0)], blend: PromptBlend::default() }
    }

    /// `from` at share 0 of the way, `to` at share 1; equal texts, and either end of the way, are one text.
    pub fn between(from: String, to: String, way: f64, blend: PromptBlend) -> Self {
        if way == 0.0 || from == to {
            Self::plain(from)
        } else if way == 1.0 {
            Self::plain(to)
        } else {
            Self { parts: vec![(from, 1.0 - way), (to, way)], blend }
        }
    }

    /// The text with the largest weight.
    pub fn as_str(&self) -> &str {
        let heavier = |a: &(String, f64), b: &(String, f64)| b.1 > a.1;
        self.parts.iter().reduce(|a, b| if heavier(a, b) { b } else { a }).map_or("", |part| &part.0)
    }
}

/// One text as it is; several as the web UI writes them: `(a meadow):0.75 AND (a field):0.25`.
impl std::fmt::Display for PromptMix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [(text, _)] = self.parts.as_slice() {
            return f.write_str(text);
        }
        for (index, (text, weight)) in self.parts.iter().enumerate() {
            let and = if index == 0 { "" } else { " AND " };
            write!(f, "{and}({text}):{weight}")?;
        }
        Ok(())
    }
}

/// Equal to a text when it is nothing but that text.
impl<T: AsRef<str>> PartialEq<T> for PromptMix {
    fn eq(&self, other: &T) -> bool {
        matches!(self.parts.as_slice(), [(text, _)] if text == other.as_ref())
    }
}

/// Where the picture under a frame comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSource {
    /// From text alone at the first frame of a scene, from the previous frame afterwards.
    Previous,
    /// A picture file at the first frame of a scene (at `init_strength`), the previous frame afterwards.
    Init(std::path::PathBuf),
    /// A picture of a video at the first frame of a scene (at `init_strength`), the previous frame afterwards.
    InitVideo(Clip, u32),
    /// The same picture file under every frame: frames do not depend on each other.
    Still(std::path::PathBuf),
    /// The picture of this number of a video under every frame: frames do not depend on each other.
    Video(Clip, u32),
    /// No picture: every frame comes from text alone, and frames do not depend on each other.
    Text,
    /// The last frame of the scene before at the first frame of a scene (at `init_strength`), the previous frame
    /// afterwards.
    SceneBefore,
}

impl FrameSource {
    /// Whether no frame knows another one.
    pub fn is_independent(&self) -> bool {
        matches!(self, Self::Still(_) | Self::Video(..) | Self::Text)
    }
}
