//! What keeps a film's look over hundreds of frames: where its colours are held, and how far its measures may drift.

use std::path::PathBuf;

use super::{Clip, MaskTree};

/// How a scene's look is held.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldParams {
    /// The picture whose colours the scene is held to.
    pub reference: ColourReference,
    /// Share of the way to those colours, 0 to 1.
    pub strength: f64,
    /// How far measures may drift.
    pub drift: DriftParams,
    /// Multiplier of the noise that painting over a picture begins with, 1 by theory: the web UI's «noise multiplier for
    /// img2img».
    pub noise_multiplier: f64,
    /// Where noise is added: from a half on.
    pub noise_mask: Option<MaskTree>,
    /// Where the picture is sharpened, in the same way.
    pub sharpen_mask: Option<MaskTree>,
}

impl Default for HoldParams {
    /// As Deforum: held to the scene's first frame, entirely, and drift is left to itself.
    fn default() -> Self {
        Self {
            reference: ColourReference::First,
            strength: 1.0,
            drift: DriftParams::default(),
            noise_multiplier: 1.0,
            noise_mask: None,
            sharpen_mask: None,
        }
    }
}

/// Whose colours a scene has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColourReference {
    /// Those of its own first painted frame.
    First,
    /// Those of a picture file.
    Picture(PathBuf),
    /// Those of a picture of a video.
    Video(Clip, u32),
}

/// Thresholds of the drift meter: shares of what a measure was at the scene's first frames. 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DriftParams {
    /// Which measures count.
    pub measures: DriftMeasures,
    /// Beyond it the run says so, once.
    pub warn: f64,
    /// On the way to it the loop pulls the measure back, at it with full strength.
    pub correct: f64,
    /// Beyond it the run ends.
    pub stop: f64,
}

/// Groups of measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftMeasures {
    /// Luma, contrast, saturation and sharpness.
    #[default]
    All,
    /// Luma, contrast and saturation.
    Colour,
    /// Sharpness.
    Sharpness,
}

impl DriftMeasures {
    /// Whether the measure of that number in luma, contrast, saturation, sharpness counts.
    pub fn has(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Colour => index < 3,
            Self::Sharpness => index == 3,
        }
    }
}
