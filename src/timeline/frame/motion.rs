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
