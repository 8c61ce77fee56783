//! What was rendered from what: one line of JSON for each stored frame, only ever appended.
//!
//! Each line's input is the previous line's output, so the lines form a chain: the longest prefix that
//! still agrees with the film as it is *now* is kept, and rendering goes on behind it. A torn last line
//! (the machine died while it was written) is ignored.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::colour::Measures;
use crate::error::{Error, Result};

/// File name of the journal in a store's folder.
pub const JOURNAL: &str = "journal.jsonl";

/// One stored frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number in the film, from 0.
    pub frame: u32,
    /// Hash of the frame's parameters and of the files they name.
    pub params: String,
    /// Hash of the models.
    pub models: String,
    /// Hash of the picture the frame was painted over: the previous frame's `output`, or `start`.
    pub input: String,
    /// Hash of the PNG file's bytes.
    pub output: String,
    /// What the picture measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measures: Option<Measures>,
    /// Hash of the PNG file's bytes of what is known beyond the picture's edges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wide: Option<String>,
    /// Hash of the bytes of the depth that is stored beside it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<String>,
    /// Hash of the PNG file of the painted picture that is stored beside a blended one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub painted: Option<String>,
}

/// What a frame's entry must say for the stored picture to be the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// See [`Entry::params`].
    pub params: String,
    /// See [`Entry::models`].
    pub models: String,
    /// The frame does not depend on the frame before.
    pub independent: bool,
}

/// `input` of a frame that depends on no other.
pub const START: &str = "start";

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: std::fs::File,
}

impl Journal {
    /// The entries in the folder, the last one for each frame counting. Empty when there is no journal.
    ///
    /// # Errors
    /// [`Error::Output`] when the file is there but cannot be read.
    pub fn read(folder: &Path) -> Result<Vec<Entry>> {
        let path = folder.join(JOURNAL);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::output(&path, format!("cannot read the journal: {e}"))),
        };
        let mut latest = std::collections::BTreeMap::new();
        for entry in text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
            latest.insert(entry.frame, entry);
        }
        Ok(latest.into_values().collect())
    }

    /// Opens the journal for appending; it is made when there is none.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let torn = std::fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|b| *b != b'\n'));
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| Error::output(&path, format!("cannot write the journal: {e}")))?;
        if torn {
            // Closes the torn line, so that the next entry begins a line of its own.
            file.write_all(b"\n")
                .map_err(|e| Error::output(&path, format!("cannot write the journal: {e}")))?;
        }
        Ok(Self { path, file })
    }

    /// Appends an entry and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be written, as on a full disk.
    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_string(entry).map_err(|e| Error::Bug(format!("journal entry: {e}")))?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::output(&self.path, format!("cannot write the journal: {e}")))
    }
}

/// Which of the frames `0..expected.len()` the journal vouches for. A frame that depends on the frame
/// before counts only when that one counts and is the one it was painted over.
///
/// `present` says whether the stored picture still has the bytes that its entry promises.
pub fn valid_frames(
    entries: &[Entry],
    expected: &[Expected],
    mut present: impl FnMut(&Entry) -> bool,
) -> Vec<bool> {
    let by_frame: std::collections::BTreeMap<u32, &Entry> = entries.iter().map(|e| (e.frame, e)).collect();
    let mut valid: Vec<bool> = Vec::with_capacity(expected.len());
    for (frame, expected) in (0..).zip(expected) {
        let input = match (expected.independent, frame) {
            (true, _) | (_, 0) => Some(START),
            _ if valid.last() == Some(&true) => by_frame.get(&(frame - 1)).map(|e| e.output.as_str()),
            _ => None,
        };
        let ok = by_frame.get(&frame).is_some_and(|entry| {
            entry.params == expected.params
                && entry.models == expected.models
                && Some(entry.input.as_str()) == input
                && present(entry)
        });
        valid.push(ok);
    }
    valid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(frame: u32, params: &str, input: &str, output: &str) -> Entry {
        let own = |s: &str| s.to_owned();
        Entry {
            frame,
            params: own(params),
            models: own("m"),
            input: own(input),
            output: own(output),
            measures: None,
            depth: None,
            painted: None,
            wide: None,
        }
    }

    fn expected(params: &str, independent: bool) -> Expected {
        Expected { params: params.to_owned(), models: "m".to_owned(), independent }
    }

    fn chain() -> Vec<Entry> {
        vec![entry(0, "a", START, "0"), entry(1, "b", "0", "1"), entry(2, "c", "1", "2")]
    }

    #[test]
    fn an_unchanged_film_is_whole() {
        let film = [expected("a", true), expected("b", false), expected("c", false)];
        assert_eq!(valid_frames(&chain(), &film, |_| true), [true, true, true]);
    }

    #[test]
    fn an_edit_invalidates_everything_behind_it() {
        let film = [expected("a", true), expected("B", false), expected("c", false)];
        assert_eq!(valid_frames(&chain(), &film, |_| true), [true, false, false]);
    }

    #[test]
    fn independent_frames_stand_alone() {
        let entries = [entry(0, "a", START, "0"), entry(2, "c", START, "2")];
        let film = [expected("a", true), expected("b", true), expected("c", true)];
        assert_eq!(valid_frames(&entries, &film, |_| true), [true, false, true]);
    }

    #[test]
    fn a_frame_painted_over_another_picture_is_not_kept() {
        let mut entries = chain();
        entries[1].output = "other".to_owned();
        let film = [expected("a", true), expected("b", false), expected("c", false)];
        assert_eq!(valid_frames(&entries, &film, |_| true), [true, true, false]);
    }

    #[test]
    fn a_torn_last_line_is_ignored_and_closed() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append(&chain()[0]).unwrap();
        let path = folder.path().join(JOURNAL);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"frame\":1,\"par");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Journal::read(folder.path()).unwrap(), [chain()[0].clone()]);
        Journal::open(folder.path()).unwrap().append(&chain()[1]).unwrap();
        assert_eq!(Journal::read(folder.path()).unwrap(), chain()[..2]);
    }
}
