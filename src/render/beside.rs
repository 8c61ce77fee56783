//! What is stored beside a frame: its depth, what was painted where it shows a blend, and what is known beyond its
//! edges. A file counts only when the journal names it: one of an earlier film may lie in its place.

use std::path::PathBuf;

use crate::canvas::{Canvas, DepthMap};
use crate::error::{Error, Result};
use crate::render::depth_file;
use crate::render::journal::Journal;
use crate::render::store::{Store, hash};
use crate::render::wide::Wide;

/// The folder of what is known beyond the edges of frames: beside them it would be taken for frames.
const AHEAD: &str = "ahead";

impl Store {
    /// Where the depth of a frame lies, or will lie.
    pub fn depth_path(&self, frame: u32) -> PathBuf {
        self.folder().join(format!("{frame:06}.depth.png"))
    }

    /// Where the painted picture of a frame that shows a blend lies, or will lie.
    pub fn painted_path(&self, frame: u32) -> PathBuf {
        self.folder().join(format!("{frame:06}.painted.png"))
    }

    /// What was painted at a frame: the picture beside it when the journal says that there is one, else the frame.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged, [`Error::Output`] when the journal cannot be read.
    pub fn read_painted(&self, frame: u32) -> Result<Canvas> {
        let entries = Journal::read(self.folder())?;
        let beside = entries.iter().any(|entry| entry.frame == frame && entry.painted.is_some());
        Canvas::open(&if beside { self.painted_path(frame) } else { self.path(frame) })
    }

    /// The depth that the journal says is stored beside a frame; `None` when it says nothing.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged, [`Error::Output`] when the journal cannot be read.
    pub fn read_depth(&self, frame: u32) -> Result<Option<DepthMap>> {
        let entries = Journal::read(self.folder())?;
        let stored = entries.iter().any(|entry| entry.frame == frame && entry.depth.is_some());
        stored.then(|| depth_file::read(&self.depth_path(frame))).transpose()
    }

    /// Where what is known beyond a frame's edges lies, or will lie.
    pub(super) fn wide_path(&self, frame: u32) -> PathBuf {
        self.folder().join(AHEAD).join(format!("{frame:06}.png"))
    }

    /// What is known beyond the edges of a stored frame; `None` when nothing was painted ahead of it.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read, [`Error::Input`] when the picture is damaged.
    pub fn read_wide(&self, frame: u32) -> Result<Option<Wide>> {
        let entries = Journal::read(self.folder())?;
        // A file of an earlier film may lie there: the journal says whether it counts.
        match entries.iter().any(|entry| entry.frame == frame && entry.wide.is_some()) {
            true => Ok(Some(Wide::open(&self.wide_path(frame), self.read(frame)?.size())?)),
            false => Ok(None),
        }
    }

    /// Stores what is known beyond a frame's edges; its hash.
    pub(super) fn write_wide(&self, frame: u32, wide: &Wide) -> Result<String> {
        let (bytes, folder) = (wide.to_png()?, self.folder().join(AHEAD));
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::output(&folder, format!("cannot make a folder: {e}")))?;
        self.write(&self.wide_path(frame), &bytes)?;
        Ok(hash(&bytes))
    }

    /// Stores what was painted at a frame that shows a blend, and gives its hash.
    pub(super) fn write_painted(&self, frame: u32, painted: Option<&Canvas>) -> Result<Option<String>> {
        let path = self.painted_path(frame);
        let Some(painted) = painted else {
            // Best effort: nobody reads it, for the journal does not name it.
            let _ = std::fs::remove_file(&path);
            return Ok(None);
        };
        let bytes = painted.to_png()?;
        self.write(&path, &bytes)?;
        Ok(Some(hash(&bytes)))
    }

    /// Stores a frame's depth and gives its hash. One of an earlier run that is not meant any more is taken away.
    pub(super) fn write_depth(&self, frame: u32, depth: Option<&DepthMap>) -> Result<Option<String>> {
        let path = self.depth_path(frame);
        let Some(depth) = depth else {
            // Best effort: nobody reads it, for the journal does not name it.
            let _ = std::fs::remove_file(&path);
            return Ok(None);
        };
        let bytes = depth_file::png(depth)?;
        self.write(&path, &bytes)?;
        Ok(Some(hash(&bytes)))
    }
}
