//! What is known beyond the edges of stored frames.

use std::path::PathBuf;

use super::{Store, hash};
use crate::error::{Error, Result};
use crate::render::journal::Journal;
use crate::render::wide::Wide;

/// The folder of what is known beyond the edges of frames: beside them it would be taken for frames.
const AHEAD: &str = "ahead";

impl Store {
    /// Where what is known beyond a frame's edges lies, or will lie.
    pub(super) fn wide_path(&self, frame: u32) -> PathBuf {
        self.folder.join(AHEAD).join(format!("{frame:06}.png"))
    }

    /// What is known beyond the edges of a stored frame; `None` when nothing was painted ahead of it.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read, [`Error::Input`] when the picture is damaged.
    pub fn read_wide(&self, frame: u32) -> Result<Option<Wide>> {
        let entries = Journal::read(&self.folder)?;
        // A file of an earlier film may lie there: the journal says whether it counts.
        match entries.iter().any(|entry| entry.frame == frame && entry.wide.is_some()) {
            true => Ok(Some(Wide::open(&self.wide_path(frame), self.read(frame)?.size())?)),
            false => Ok(None),
        }
    }

    /// Stores what is known beyond a frame's edges; its hash.
    pub(super) fn write_wide(&self, frame: u32, wide: &Wide) -> Result<String> {
        let (bytes, folder) = (wide.to_png()?, self.folder.join(AHEAD));
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::output(&folder, format!("cannot make a folder: {e}")))?;
        self.write(&self.wide_path(frame), &bytes)?;
        Ok(hash(&bytes))
    }
}
