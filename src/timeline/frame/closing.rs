//! How the end of a looping scene leads back into its beginning.

use super::{Camera, DepthSource};

/// What a frame near the end of a looping scene needs to lead into the scene's first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// Share of the first frame in the picture underneath, above 0 and below 1, rising; 1 would be the first frame itself.
    pub weight: f64,
    /// The motion still to come: the cameras of all frames behind this one, the last of them leads into the first frame.
    pub ahead: Vec<Camera>,
    /// Where the depth of the scene's first frame comes from: of a sequence another picture than this frame's.
    pub depth: DepthSource,
}
