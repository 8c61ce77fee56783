//! What the making of one frame leaves.

use crate::canvas::Canvas;
use crate::colour::Measures;

/// A finished frame on its way into the store: the picture that is shown, and what is kept beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The picture that is shown.
    pub canvas: Canvas,
    /// What it measures; `None` when nobody looked.
    pub measures: Option<Measures>,
}

impl From<Canvas> for Made {
    fn from(canvas: Canvas) -> Self {
        Self { canvas, measures: None }
    }
}
