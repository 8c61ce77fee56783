//! How a scene's frames come about, beside being painted one over the other.

/// How a scene's frames are made and shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Making {
    /// The frames are composed of key pictures; `None` paints each over the one before.
    pub compose: Option<ComposeParams>,
    /// The scene is shown backward. Its frames are numbered as they are painted, forward.
    pub reversed: bool,
}

/// Frames composed of key pictures that lie inside each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComposeParams {
    /// How much smaller a key picture is in the one around it, above 1.
    pub ratio: f64,
    /// Width of the bands in which pictures pass into each other, as a share of half the shorter side.
    pub overlap: f64,
    /// Share of a key picture that is made new once it is whole, 0 to 1, so that it hangs together.
    pub refine: f64,
    /// Share of the init picture that is kept, 0 to 1.
    pub init_strength: f64,
    /// The scene loops: its innermost key lies in its outermost one.
    pub closed: bool,
}
