//! One error type, its variants sorted by who must act, and the exit code each one maps to.

use std::path::{Path, PathBuf};

use crate::schedule::diagnostic::Diagnostics;

/// The result of everything in the library that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, sorted by who must act. Messages are lower case, say what was expected and what
/// was found, and end without a full stop; `hint` says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The film has errors: its author acts. Rendered with carets by `schedule::report`.
    #[error("{} in the film", .0.summary())]
    Schedule(Diagnostics),
    /// The command line asks for something that cannot be: its typist acts.
    #[error("{message}")]
    Usage {
        /// What was expected and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A model is missing, damaged or does not fit: whoever put it there acts.
    #[error("model {}: {message}", .path.display())]
    Model {
        /// The folder or file of the model.
        path: PathBuf,
        /// What was expected and found (weight name, expected and found shape).
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A picture, video or folder that was given cannot be used.
    #[error("{}: {message}", .path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something could not be written: disk, permission.
    #[error("{}: {message}", .path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A frame could not be rendered.
    #[error("frame {frame}: {message}")]
    Render {
        /// The frame's number in the film, from 0.
        frame: u32,
        /// What was expected and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A measure of the film drifted beyond its `drift.stop`: its author acts. Finished frames are kept.
    #[error("frame {frame}: {message}")]
    Drift {
        /// The first frame that was not painted any more.
        frame: u32,
        /// What was allowed and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The video encoder or decoder refused.
    #[error("video: {message}")]
    Video {
        /// What was expected and found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Jobs of a batch failed; each was reported when it did.
    #[error("{failed} of {total} jobs failed")]
    Batch {
        /// How many failed.
        failed: usize,
        /// How many there were.
        total: usize,
    },
    /// The user asked to stop. Finished frames are kept.
    #[error("interrupted")]
    Interrupted,
    /// Kinora itself is wrong.
    #[error("this is a bug in kinora: {0}")]
    Bug(String),
}

impl Error {
    /// An [`Error::Input`] without a hint.
    pub fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input { path: path.to_owned(), message: message.into(), hint: None }
    }

    /// An [`Error::Output`] without a hint.
    pub fn output(path: &Path, message: impl Into<String>) -> Self {
        Self::Output { path: path.to_owned(), message: message.into(), hint: None }
    }

    /// An [`Error::Model`] without a hint.
    pub fn model(path: &Path, message: impl Into<String>) -> Self {
        Self::Model { path: path.to_owned(), message: message.into(), hint: None }
    }

    /// An [`Error::Video`] without a hint.
    pub fn video(message: impl Into<String>) -> Self {
        Self::Video { message: message.into(), hint: None }
    }

    /// The same error with the fix beside it. Kinds without a hint are returned as they are.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { hint, .. }
            | Self::Model { hint, .. }
            | Self::Input { hint, .. }
            | Self::Output { hint, .. }
            | Self::Render { hint, .. }
            | Self::Drift { hint, .. }
            | Self::Video { hint, .. } => *hint = Some(text.into()),
            Self::Schedule(_) | Self::Batch { .. } | Self::Interrupted | Self::Bug(_) => {}
        }
        self
    }

    /// What to do about it, when that can be said.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. }
            | Self::Model { hint, .. }
            | Self::Input { hint, .. }
            | Self::Output { hint, .. }
            | Self::Render { hint, .. }
            | Self::Drift { hint, .. }
            | Self::Video { hint, .. } => hint.as_deref(),
            Self::Bug(_) => Some("please report it with the film and the command"),
            Self::Schedule(_) | Self::Batch { .. } | Self::Interrupted => None,
        }
    }

    /// The exit code of the program: 1 schedule, 2 usage, 3 input or model, 4 render or encode,
    /// 5 drifted too far, 130 interrupted and resumable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Schedule(_) => 1,
            Self::Usage { .. } => 2,
            Self::Model { .. } | Self::Input { .. } => 3,
            Self::Output { .. }
            | Self::Render { .. }
            | Self::Video { .. }
            | Self::Batch { .. }
            | Self::Bug(_) => 4,
            Self::Drift { .. } => 5,
            Self::Interrupted => 130,
        }
    }
}
