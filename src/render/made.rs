//! What the making of one frame leaves.

use crate::canvas::{Canvas, DepthMap};
use crate::colour::Measures;
use crate::render::wide::Wide;

/// A finished frame on its way into the store: the picture that is shown, and what is kept beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The picture that is shown.
    pub canvas: Canvas,
    /// What it measures; `None` when nobody looked.
    pub measures: Option<Measures>,
    /// What is known beyond its edges; `None` when nothing is painted ahead.
    pub wide: Option<Wide>,
    /// Its depth on the film's scale, when the next frame or the user needs it (see [`depth_file`](super::depth_file)).
    pub depth: Option<DepthMap>,
    /// The picture that was painted, when what is shown is a blend with the one before (see `cadence`).
    pub painted: Option<Canvas>,
}

impl From<Canvas> for Made {
    fn from(canvas: Canvas) -> Self {
        Self { canvas, depth: None, measures: None, painted: None, wide: None }
    }
}
