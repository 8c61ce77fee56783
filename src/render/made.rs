//! What the making of one frame leaves.

use crate::canvas::Canvas;

/// A finished frame on its way into the store: the picture that is shown, and what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The picture that is shown.
    pub canvas: Canvas,
}

impl From<Canvas> for Made {
    fn from(canvas: Canvas) -> Self {
        Self { canvas }
    }
}
