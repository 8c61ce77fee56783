//! A picture that the film is led to.

use std::path::PathBuf;

/// Guided images («looper») at a frame, as sd-webui-deforum 32242685 knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct GuideParams {
    /// The picture.
    pub picture: PathBuf,
    /// Share of it that is mixed into what is painted over, 0 to 1.
    pub blend: f64,
    /// Share of it in the picture whose colours the painted frame gets, 0 to 1.
    pub colour: f64,
}
