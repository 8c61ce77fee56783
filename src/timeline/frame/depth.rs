//! What becomes of a depth map before a picture is moved over it.

/// How depth becomes distance, and how it is kept steady from frame to frame.
///
/// The default is Deforum's (sd-webui-deforum 32242685): equalised depth at distances of 1 to 2, frame by frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthParams {
    /// Distance of what is nearest, above 0.
    pub near: f64,
    /// Distance of what is farthest, above `near`.
    pub far: f64,
    /// Whether the histogram of each map is equalised, so that distances are spread evenly over the picture.
    pub equalise: bool,
    /// Whether scale and shift of a network's estimates are locked along the camera's motion: the share of each
    /// frame's own scale that is followed nevertheless, 0 to 1. `None` leaves every frame to itself.
    pub steady: Option<f64>,
    /// Whether near and far are exchanged.
    pub invert: bool,
    /// Whether each frame's depth is stored beside it.
    pub save: bool,
}

impl Default for DepthParams {
    fn default() -> Self {
        Self { near: 1.0, far: 2.0, equalise: true, steady: None, invert: false, save: false }
    }
}
