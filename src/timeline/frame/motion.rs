//! How the previous frame is moved, and over which depth.

use super::Clip;

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
    /// How the picture is sampled.
    pub sampling: Sampling,
    /// The perspective flip, when it is on.
    pub flip: Option<PerspectiveFlip>,
}

impl Camera2d {
    /// A camera that does not move.
    pub const STILL: Self = Self {
        zoom: 1.0,
        angle: 0.0,
        translation_x: 0.0,
        translation_y: 0.0,
        center_x: 0.5,
        center_y: 0.5,
        sampling: Sampling::Lagrange,
        flip: None,
    };
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
    /// Deforum's old formula: the picture's width over its height stands in place of `aspect_ratio`.
    pub old_aspect: bool,
    /// What the values of the depth map mean.
    pub meaning: DepthMeaning,
    /// How the picture is sampled.
    pub sampling: Sampling,
    /// The perspective flip, when it is on.
    pub flip: Option<PerspectiveFlip>,
}

impl Camera3d {
    /// A camera that does not move.
    pub const STILL: Self = Self {
        translation: [0.0; 3],
        rotation: [0.0; 3],
        fov: 70.0,
        zoom: 1.0,
        aspect_ratio: 1.0,
        old_aspect: false,
        meaning: DepthMeaning::Inverse,
        sampling: Sampling::Lagrange,
        flip: None,
    };
}

/// What the values of a depth map mean (Deforum's `depth_algorithm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthMeaning {
    /// Large is near: MiDaS, Depth Anything. Equalised to e in 0..1, distance 2 - e.
    Inverse,
    /// Large is far: Zoe, AdaBins, LeReS. Equalised to e in 0..1, distance 1 + e.
    Metric,
    /// The values are distances: Deforum's old MiDaS+AdaBins and Zoe+AdaBins blends, which also lift the
    /// picture by 1/512 - 0.0001 grey levels before it is sampled.
    Blended,
}

/// Interpolation between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// The nearest pixel.
    Nearest,
    /// Between two pixels each way: what Deforum does in 2D.
    Bilinear,
    /// Keys' cubic with -0.75, as PyTorch has it: Deforum's default in 3D.
    Bicubic,
    /// Lanczos' kernel over three lobes: sharp in one warp; over many, fine detail grows too strong.
    Lanczos,
    /// The polynomial of fifth degree through six pixels: keeps detail over many warps and never adds any.
    Lagrange,
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
    /// Picture n of a sequence, whose brightness is nearness: the depth of the frame. Black is farthest and white
    /// nearest throughout.
    Sequence(Sequence, u32),
}

impl DepthSource {
    /// The same for the frame before, which is the one that is moved.
    #[must_use]
    pub fn before(&self) -> Self {
        match self {
            Self::Sequence(sequence, number) => Self::Sequence(sequence.clone(), number.saturating_sub(1)),
            other => other.clone(),
        }
    }
}

/// Pictures one after another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sequence {
    /// Files that differ in a number.
    Numbered {
        /// What stands before the number.
        before: String,
        /// Digits that the number has at least.
        digits: usize,
        /// What stands behind it.
        after: String,
    },
    /// A folder of pictures, or a video.
    Clip(Clip),
}

impl Sequence {
    /// The file of picture `number`, where it is one of its own; `None` in a folder or video.
    pub fn file(&self, number: u32) -> Option<std::path::PathBuf> {
        match self {
            Self::Numbered { before, digits, after } => {
                Some(format!("{before}{number:0digits$}{after}").into())
            }
            Self::Clip(_) => None,
        }
    }
}
