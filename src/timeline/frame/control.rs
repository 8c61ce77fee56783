//! What ControlNets are shown.

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
