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
    /// The positive prompt, holes filled.
    pub prompt: String,
    /// The negative prompt, holes filled.
    pub negative: String,
    /// ControlNets in force, in the order of the film.
    pub controls: Vec<ControlParams>,
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
    /// Layers of the text encoder left out, counted as the web UI does: 1 is none.
    pub clip_skip: u32,
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
    /// Multiplier of the residuals, usually 0 to 2.
    pub weight: f64,
    /// Share of the steps after which it begins, 0 to 1.
    pub start: f64,
    /// Share of the steps after which it ends, 0 to 1.
    pub end: f64,
    /// Whose word counts more.
    pub mode: ControlMode,
}

/// What a ControlNet is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlInput {
    /// The frame's depth, from the same estimate as the warp.
    Depth,
    /// A picture, used as it is.
    Picture(std::path::PathBuf),
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
