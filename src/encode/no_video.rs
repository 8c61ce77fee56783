//! The API of videos and sounds of a program that was built without FFmpeg: every call says so.

use std::convert::Infallible;
use std::path::Path;

use super::{Fps, FrameSink, VideoSettings};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// Cannot be made in this build.
pub struct VideoWriter {
    never: Infallible,
}

/// Cannot be made in this build.
pub struct VideoReader {
    never: Infallible,
}

/// The error of every call.
fn absent() -> Error {
    Error::video("this kinora was built without video").with_hint(
        "the frames folder holds every frame as PNG; build with the cargo feature `ffmpeg` for videos",
    )
}

/// Says that there is no encoder in this build.
///
/// # Errors
/// Always [`Error::Video`].
pub fn probe(_settings: &VideoSettings, _size: Size, _fps: Fps, _out: &Path) -> Result<()> {
    Err(absent())
}

impl VideoWriter {
    /// Says that there is no encoder in this build.
    ///
    /// # Errors
    /// Always [`Error::Video`].
    pub fn open(_path: &Path, _size: Size, _fps: Fps, _settings: &VideoSettings) -> Result<Self> {
        Err(absent())
    }

    /// Size of the frames that are pushed.
    pub fn size(&self) -> Size {
        match self.never {}
    }

    /// Size of the frames in the file.
    pub fn coded_size(&self) -> Size {
        match self.never {}
    }

    /// Encodes the next frame.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn push(&mut self, _frame: &Canvas) -> Result<()> {
        match self.never {}
    }

    /// Ends the file.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn finish(self) -> Result<()> {
        match self.never {}
    }
}

impl FrameSink for VideoWriter {
    fn push(&mut self, _frame: &Canvas) -> Result<()> {
        match self.never {}
    }

    fn finish(self: Box<Self>) -> Result<()> {
        match self.never {}
    }
}

impl VideoReader {
    /// Says that there is no decoder in this build.
    ///
    /// # Errors
    /// Always [`Error::Video`].
    pub fn open(_path: &Path) -> Result<Self> {
        Err(absent())
    }

    /// Whether the file has sound beside its pictures.
    pub fn has_sound(&self) -> bool {
        match self.never {}
    }

    /// Width and height as displayed.
    pub fn size(&self) -> Size {
        match self.never {}
    }

    /// Average frames a second.
    pub fn fps(&self) -> Fps {
        match self.never {}
    }

    /// Passes over the next frame.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn pass_over(&mut self) -> Result<bool> {
        match self.never {}
    }

    /// Counts the frames.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn count_frames(&mut self) -> Result<u64> {
        match self.never {}
    }
}

/// Cannot be made in this build.
pub struct SoundReader {
    never: Infallible,
}

impl SoundReader {
    /// Says that there is no decoder in this build.
    ///
    /// # Errors
    /// Always [`Error::Input`].
    pub fn open(path: &Path) -> Result<Self> {
        Err(Error::input(path, "this kinora was built without FFmpeg and cannot hear `audio(...)`")
            .with_hint("build it with the cargo feature `ffmpeg`"))
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        match self.never {}
    }

    /// The next samples.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn read(&mut self) -> Result<Option<Vec<f64>>> {
        match self.never {}
    }
}

impl Iterator for VideoReader {
    type Item = Result<Canvas>;

    fn next(&mut self) -> Option<Result<Canvas>> {
        match self.never {}
    }
}

/// Puts a sound to a video.
pub mod soundtrack {
    use std::path::Path;

    use crate::error::Result;

    /// Says that there is no encoder in this build.
    ///
    /// # Errors
    /// Always [`crate::error::Error::Video`].
    pub fn add(_video: &Path, _sound: &Path, _start: f64, _round: Option<f64>, _out: &Path) -> Result<()> {
        Err(super::absent())
    }
}
