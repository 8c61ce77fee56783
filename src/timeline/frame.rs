//! What one frame of a film is made with: plain numbers, no text to parse and no pixels.
//!
//! Every section is handed by value to the room that uses it. Numbers are in the unit that the
//! field's line says; rates of the language have already become amounts per frame here.

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
    /// Where the depth of the picture comes from, for the 3D warp and for controls alike.
    pub depth: DepthSource,
    /// Colour, contrast and sharpness.
    pub colour: ColourParams,
    /// Noise added to the picture before it is painted over.
    pub noise: NoiseParams,
    /// The diffusion model's settings.
    pub sampling: SamplingParams,
    /// The positive prompt.
    pub prompt: PromptMix,
    /// The negative prompt.
    pub negative: PromptMix,
    /// ControlNets in force, in the order of the film.
    pub controls: Vec<ControlParams>,
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
    /// The same picture file under every frame: frames do not depend on each other.
    Still(std::path::PathBuf),
}

/// How the previous frame is moved. Conventions are Deforum's (sd-webui-deforum 32242685).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Camera {
    /// A flat picture is moved in its plane.
    Flat(Camera2d),
    /// The picture is a relief: a depth map gives each pixel its distance.
    Deep(Camera3d),
}

/// The 2D camera, per frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera2d {
    /// Factor; above 1 enlarges.
    pub zoom: f64,
    /// Degrees, counter-clockwise positive on screen.
    pub angle: f64,
    /// Pixels, to the right positive.
    pub translation_x: f64,
    /// Pixels, down positive.
    pub translation_y: f64,
    /// Centre of zoom and rotation as a share of the width, 0.5 is the middle.
    pub center_x: f64,
    /// Centre of zoom and rotation as a share of the height.
    pub center_y: f64,
    /// The perspective flip, when it is on.
    pub flip: Option<PerspectiveFlip>,
}

/// The perspective flip of both camera modes. Degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerspectiveFlip {
    /// About z.
    pub theta: f64,
    /// About x.
    pub phi: f64,
    /// About y.
    pub gamma: f64,
    /// Field of view.
    pub fv: f64,
}

/// The 3D camera, per frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera3d {
    /// x, y, z in Deforum's units (1/200 of the world's); x positive moves the picture left, y
    /// positive down, z positive forward.
    pub translation: [f64; 3],
    /// Degrees about x, y, z.
    pub rotation: [f64; 3],
    /// Degrees, horizontal and vertical alike.
    pub fov: f64,
    /// Factor by which the picture grows about its middle before it is moved, 1 is none: the field of view of
    /// the frame before, as a width at distance 1, over that of this one.
    pub zoom: f64,
    /// Divides the horizontal offsets.
    pub aspect_ratio: f64,
    /// How the picture is sampled.
    pub sampling: Sampling,
    /// The perspective flip, when it is on.
    pub flip: Option<PerspectiveFlip>,
}

/// Interpolation between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "standard names")]
pub enum Sampling {
    Nearest,
    Bilinear,
    Bicubic,
}

/// What stands beyond the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// The edge's own colour goes on (Deforum: `replicate`, `border`).
    Replicate,
    /// The opposite edge follows (Deforum: `wrap`).
    Wrap,
    /// Mirrored (Deforum 3D: `reflection`).
    Reflect,
    /// Black (Deforum 3D: `zeros`).
    Zeros,
}

/// Where depth comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DepthSource {
    /// Everything at distance 1.
    Flat,
    /// A picture whose brightness is nearness (white is near), the same for every frame.
    Picture(std::path::PathBuf),
    /// A depth network looks at the picture that is being moved: `None` is the embedded one.
    Network(Option<std::path::PathBuf>),
}

/// Colour, contrast and sharpness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourParams {
    /// What colours are held to.
    pub coherence: Coherence,
    /// Multiplier of the warped picture's values, 1 changes nothing.
    pub contrast: f64,
    /// Unsharp mask.
    pub sharpen: SharpenParams,
}

/// Colour space in which histograms are matched to the anchor picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "standard names")]
pub enum Coherence {
    None,
    Rgb,
    Hsv,
    Lab,
}

/// Unsharp mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpenParams {
    /// Share of the difference to the blurred picture that is added, 0 is off.
    pub amount: f64,
    /// Pixels, odd.
    pub kernel: u32,
    /// Pixels; 0 derives it from the kernel as OpenCV does.
    pub sigma: f64,
    /// Grey levels below which a difference is left alone.
    pub threshold: f64,
}

/// Noise added before the picture is painted over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseParams {
    /// Share of noise mixed in, 0 to 1.
    pub amount: f64,
    /// Which noise.
    pub kind: NoiseKind,
}

/// Kinds of noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseKind {
    /// Independent normal values.
    Uniform,
    /// Normal values shaped by Perlin noise.
    Perlin {
        /// Cells along the rows.
        width: u32,
        /// Cells along the columns.
        height: u32,
        /// Layers, each twice as fine as the one before.
        octaves: u32,
        /// Weight of each layer relative to the one before.
        persistence: f64,
    },
}

/// The diffusion model's settings for a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Model folder; `None` is the embedded model.
    pub model: Option<String>,
    /// Autoencoder in place of the model's own.
    pub vae: Option<String>,
    /// Sampler's name as the language writes it (`euler_a`, `dpmpp_2m`); `None` is what suits the model.
    pub sampler: Option<String>,
    /// Spacing of the noise levels (`karras`, `uniform`); `None` is what suits the model.
    pub spacing: Option<String>,
    /// Steps from pure noise, of which img2img runs its share; `None` is what suits the model.
    pub steps: Option<u32>,
    /// Classifier-free guidance scale; `None` is what suits the model.
    pub guidance: Option<f64>,
    /// Share of the picture underneath that is kept, 0 to 1 (denoise = 1 - strength). At a cut with an
    /// init picture this is `init_strength`.
    pub strength: f64,
    /// Seed of this frame's noise.
    pub seed: i64,
    /// Seed of a second noise, of which `subseed_strength` is mixed in.
    pub subseed: i64,
    /// Share of the way from the noise of `seed` to that of `subseed`, 0 to 1, along the arc between them; 0 is
    /// the noise of `seed` alone.
    pub subseed_strength: f64,
    /// Whether the frame is on its way from one seed to the next (a fractional `seed`): then every draw of noise
    /// is mixed, so that arriving at the next seed is no jump. Else, as in the web UI, only the start noise is.
    pub seed_walk: bool,
    /// Whose noise a seed stands for.
    pub rng: Rng,
    /// Share of fresh noise of samplers that add some; `None` is what each of them takes.
    pub eta: Option<f64>,
    /// The same of DDIM.
    pub ddim_eta: Option<f64>,
    /// Multiplier of all fresh noise, 1 by theory.
    pub s_noise: f64,
    /// Added to the seed of the fresh noise.
    pub eta_noise_seed_delta: u32,
    /// Layers of the text encoder left out, counted as the web UI does: 1 is none.
    pub clip_skip: u32,
}

/// Generators of random numbers that pictures are known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rng {
    /// PyTorch's on the CPU.
    #[default]
    Cpu,
    /// CUDA's, as Nvidia cards draw.
    Nv,
}

/// One ControlNet at a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlParams {
    /// The block's name (`depth`).
    pub name: String,
    /// Model folder; `None` is the one that belongs to the film's model.
    pub model: Option<String>,
    /// What the network is shown.
    pub input: ControlInput,
    /// How a picture of another shape than the frame's is brought to it.
    pub fit: Fit,
    /// Whether what is shown is turned into its negative: some networks for line art want white on black.
    pub invert: bool,
    /// Multiplier of the network's influence, usually 0 to 2; of a reference the share of the blocks that look.
    pub weight: f64,
    /// Share of the steps after which it begins, 0 to 1.
    pub start: f64,
    /// Share of the steps after which it ends, 0 to 1.
    pub end: f64,
    /// Whose word counts more.
    pub mode: ControlMode,
}

/// What a ControlNet is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlInput {
    /// The frame's depth, from the same estimate as the warp.
    Depth,
    /// A picture, used as it is.
    Picture(std::path::PathBuf),
    /// The edges (Canny) of a picture, or of the one that is painted over.
    Canny {
        /// The picture; `None` is the previous frame as it was moved.
        image: Option<std::path::PathBuf>,
        /// Edges go on above this gradient.
        low: f64,
        /// Edges begin above this gradient.
        high: f64,
    },
    /// Nothing: the film's model itself looks at a second picture («reference-only»).
    Reference {
        /// The picture; `None` is the scene's first frame, from the second one on.
        image: Option<std::path::PathBuf>,
        /// How far the negative prompt is kept from seeing it, 0 to 1.
        fidelity: f64,
    },
}

/// How a picture is brought to the shape of the frame (sd-webui-controlnet's resize modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It covers the frame, and what stands over is cut off («Crop and Resize»).
    #[default]
    Crop,
    /// It is drawn to the shape («Just Resize»).
    Stretch,
    /// All of it is inside the frame, and the rest is filled («Resize and Fill»).
    Inside,
}

impl Fit {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Crop, Self::Stretch, Self::Inside];
}

/// The web UI's three control modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlMode {
    /// Both alike.
    Balanced,
    /// «My prompt is more important».
    Prompt,
    /// «ControlNet is more important».
    Control,
}
