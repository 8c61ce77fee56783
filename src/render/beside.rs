//! What is stored beside a frame: its depth, what was painted where it shows a blend, and what is known beyond its
//! edges. A file counts only when the journal names it: one of an earlier film may lie in its place.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::canvas::{Canvas, DepthMap};
use crate::error::{Error, Result};
use crate::render::depth_file;
use crate::render::journal::{Entry, Journal};
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

    /// What the journal says that lies beside frames by now. It is read once: a film may have thousands of frames, and
    /// as many resumptions as scenes.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read.
    pub fn beside(&self) -> Result<Beside<'_>> {
        let entries = Journal::read(self.folder())?;
        let of = |named: fn(&Entry) -> bool| entries.iter().filter(|e| named(e)).map(|e| e.frame).collect();
        Ok(Beside {
            store: self,
            painted: of(|entry| entry.painted.is_some()),
            depth: of(|entry| entry.depth.is_some()),
            wide: of(|entry| entry.wide.is_some()),
        })
    }

    /// Where what is known beyond a frame's edges lies, or will lie.
    pub(super) fn wide_path(&self, frame: u32) -> PathBuf {
        self.folder().join(AHEAD).join(format!("{frame:06}.png"))
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

/// What lies beside the stored frames, as the journal said when it was read.
#[derive(Clone, Debug)]
pub struct Beside<'a> {
    store: &'a Store,
    painted: BTreeSet<u32>,
    depth: BTreeSet<u32>,
    wide: BTreeSet<u32>,
}

impl Beside<'_> {
    /// What was painted at a frame: the picture beside it when there is one, else the frame.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged.
    pub fn painted(&self, frame: u32) -> Result<Canvas> {
        let is_beside = self.painted.contains(&frame);
        Canvas::open(&if is_beside { self.store.painted_path(frame) } else { self.store.path(frame) })
    }

    /// The depth that is stored beside a frame; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged.
    pub fn depth(&self, frame: u32) -> Result<Option<DepthMap>> {
        let is_beside = self.depth.contains(&frame);
        is_beside.then(|| depth_file::read(&self.store.depth_path(frame))).transpose()
    }

    /// What is known beyond the edges of a stored frame; `None` when nothing was painted ahead of it.
    ///
    /// # Errors
    /// [`Error::Input`] when a picture is not there or damaged.
    pub fn wide(&self, frame: u32) -> Result<Option<Wide>> {
        if !self.wide.contains(&frame) {
            return Ok(None);
        }
        Wide::open(&self.store.wide_path(frame), self.store.read(frame)?.size()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use crate::render::journal::Expected;
    use crate::render::made::Made;

    #[test]
    fn a_file_counts_only_when_the_journal_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let picture = |value: u8| Canvas::filled(Size::new(4, 4), [value; 3]);
        let expected = Expected { params: String::new(), models: String::new(), independent: true };
        let blended = Made { painted: Some(picture(9)), ..Made::from(picture(1)) };
        store
            .while_storing(|shelf| {
                shelf.put(0, blended, "", expected.clone())?;
                shelf.put(1, picture(2), "", expected.clone())
            })
            .unwrap();
        std::fs::copy(store.painted_path(0), store.painted_path(1)).unwrap();
        let beside = store.beside().unwrap();
        assert_eq!((beside.painted(0).unwrap(), beside.painted(1).unwrap()), (picture(9), picture(2)));
        assert!(beside.depth(0).unwrap().is_none() && beside.wide(0).unwrap().is_none());
    }
}
