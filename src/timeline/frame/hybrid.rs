//! A video that a film follows: mixed into the moved picture, or lending it its motion.

use std::path::PathBuf;

use super::Clip;

/// Hybrid video at a frame, as sd-webui-deforum 32242685 knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct HybridParams {
    /// The video's picture at this frame.
    pub video: HybridVideo,
    /// Where in the loop the video is mixed in.
    pub composite: HybridComposite,
    /// Share of the video, or of what the mask makes of it, in the picture: 0 to 1.
    pub alpha: f64,
    /// What of the video is seen; `None` is all of it.
    pub mask: Option<HybridMask>,
    /// How the video moves the picture.
    pub motion: HybridMotion,
    /// The motion leads from the generated frame, not from the video's frame before, to the video's frame.
    pub from_generated: bool,
}

/// The picture that is mixed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HybridVideo {
    /// Picture n of a video.
    Clip(Clip, u32),
    /// A picture that stands still.
    Still(PathBuf),
}

/// Where in the loop the video is mixed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HybridComposite {
    /// Nowhere.
    #[default]
    None,
    /// After the camera and the video's motion.
    Normal,
    /// After the camera, before the video's motion.
    BeforeMotion,
    /// Into the painted frame.
    AfterGeneration,
}

/// A mask between the picture (white) and the video (black).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HybridMask {
    /// What it is made of.
    pub kind: HybridMaskKind,
    /// White for black, before all else.
    pub inverse: bool,
    /// Equal shares of the pixels for all values, before contrast.
    pub equalize_before: bool,
    /// The same after contrast.
    pub equalize_after: bool,
    /// Multiplier of the distance to the mean, 1 changes nothing.
    pub contrast: f64,
    /// Percentiles that become black and white, 0 to 100.
    pub auto_contrast: Option<(f64, f64)>,
}

/// What a hybrid mask is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HybridMaskKind {
    /// The depth of the frame before: near is white.
    Depth,
    /// The depth of the video's picture.
    VideoDepth,
    /// Grey values of picture and video, so much of the video's.
    Blend(f64),
    /// The difference of their grey values.
    Difference,
}

/// How the video moves the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum HybridMotion {
    /// Not at all.
    #[default]
    None,
    /// Each pixel by itself.
    Flow {
        /// Finer and slower: down to single pixels, with more steps.
        fine: bool,
        /// Multiplier of the motion.
        factor: f64,
        /// The motion counts where the way back agrees, softened by a Gaussian of so many pixels.
        consistency: Option<f64>,
    },
    /// As one plane that is seen at an angle: a homography.
    Perspective,
    /// As one plane that is shifted, turned and scaled: a similarity.
    Affine,
}
