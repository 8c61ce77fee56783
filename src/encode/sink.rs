//! Where finished frames go.

use crate::canvas::Canvas;
use crate::error::Result;

/// Takes the frames of a film in order. [`VideoWriter`](super::VideoWriter) makes a video of them,
/// [`StillsWriter`](super::stills::StillsWriter) numbered pictures, [`MemorySink`] keeps them.
pub trait FrameSink {
    /// Takes the next frame.
    ///
    /// # Errors
    /// Whatever the sink cannot do: another size than the first frame's, a full disk.
    fn push(&mut self, frame: &Canvas) -> Result<()>;

    /// Ends the film. Without it the result is incomplete and, for a video, is not kept.
    ///
    /// # Errors
    /// As [`FrameSink::push`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Keeps every frame, for tests and small films.
#[derive(Debug, Default)]
pub struct MemorySink {
    /// What was pushed, in order; shared, so that it outlives the sink.
    pub frames: std::sync::Arc<std::sync::Mutex<Vec<Canvas>>>,
}

impl FrameSink for MemorySink {
    fn push(&mut self, frame: &Canvas) -> Result<()> {
        self.frames.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(frame.clone());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
