//! What of a picture is repainted.

use std::path::PathBuf;

use super::Clip;

/// A mask as it is put together from pictures and shapes: 1 is repainted, 0 is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum MaskTree {
    /// Everything.
    Everywhere,
    /// A picture's brightness; of a picture that was painted on an empty layer what is opaque.
    File(PathBuf),
    /// The brightness of picture n of a video.
    Video(Clip, u32),
    /// Where a picture is transparent.
    Holes(PathBuf),
    /// A box: left, top, width, height as shares of the picture.
    Box([f64; 4]),
    /// The ellipse inside that box.
    Ellipse([f64; 4]),
    /// 1 from a half on, else 0.
    Hard(Box<MaskTree>),
    /// What the other leaves out: 1 - a.
    Not(Box<MaskTree>),
    /// Two masks.
    Join(MaskJoin, Box<MaskTree>, Box<MaskTree>),
}

/// How two masks come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskJoin {
    /// In both: the smaller value.
    And,
    /// In one of them: the larger value.
    Or,
    /// In one but not in the other: the difference without its sign.
    Xor,
    /// In the first but not in the second: min(a, 1 - b).
    Without,
}

impl MaskTree {
    /// Pictures that it names.
    pub fn files(&self) -> Vec<&PathBuf> {
        match self {
            Self::File(path) | Self::Holes(path) => vec![path],
            Self::Hard(mask) | Self::Not(mask) => mask.files(),
            Self::Join(_, a, b) => a.files().into_iter().chain(b.files()).collect(),
            _ => Vec::new(),
        }
    }

    /// Pictures of videos that it names.
    pub fn clips(&self) -> Vec<(&Clip, u32)> {
        match self {
            Self::Video(clip, number) => vec![(clip, *number)],
            Self::Hard(mask) | Self::Not(mask) => mask.clips(),
            Self::Join(_, a, b) => a.clips().into_iter().chain(b.clips()).collect(),
            _ => Vec::new(),
        }
    }
}

/// What is under a mask when painting begins.
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

/// What of a frame is repainted, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskParams {
    /// The mask.
    pub tree: MaskTree,
    /// Multiplier of the mask's distance to its mean, 1 changes nothing (PIL's `ImageEnhance.Contrast`).
    pub contrast: f64,
    /// Multiplier of the mask, 1 changes nothing (PIL's `ImageEnhance.Brightness`).
    pub brightness: f64,
    /// What is under it.
    pub fill: MaskFill,
    /// How far its edge is softened: the deviation of a Gaussian in pixels.
    pub blur: f64,
    /// Whether the original (the picture or video of the source) is put back outside of it.
    pub overlay: bool,
    /// Only the part around the mask is painted, at the frame's size, with so many pixels more on each side.
    pub region: Option<u32>,
    /// Whether a mask that is black throughout counts as none, as in Deforum.
    pub black_is_none: bool,
}
