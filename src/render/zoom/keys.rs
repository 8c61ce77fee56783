//! Key pictures on the disk: a folder of their own beside the frames (among them they would be taken for frames), and a
//! journal that vouches for them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Key;
use crate::canvas::Canvas;
use crate::error::{Error, Result};
use crate::infotext;
use crate::render::frame_loop::Planned;
use crate::render::store::{Store, hash};

/// The folder of key pictures in a store's.
const FOLDER: &str = "keys";
/// Their journal: one line of JSON for each, only ever appended.
const JOURNAL: &str = "journal.jsonl";

/// One stored key picture.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Its file.
    key: String,
    /// Hash of everything that it was made of, the keys inside it included.
    made_of: String,
    /// Hash of the file's bytes.
    output: String,
}

/// A key picture that a run needs.
#[derive(Clone, Debug)]
pub struct PlannedKey {
    /// The picture.
    pub key: Key,
    /// Its numbers, the hash of what it is made of ([`Expected::params`](crate::render::journal::Expected)), what its
    /// file says, and whether it is there.
    pub planned: Planned,
}

/// The key pictures of a store.
#[derive(Debug)]
pub struct KeyShelf<'a> {
    store: &'a Store,
    entries: BTreeMap<String, Entry>,
}

fn name(scene: usize, key: usize) -> String {
    format!("{scene:02}-{key:03}.png")
}

impl<'a> KeyShelf<'a> {
    /// What is there.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read.
    pub fn open(store: &'a Store) -> Result<Self> {
        let path = store.folder().join(FOLDER).join(JOURNAL);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::output(&path, format!("cannot read the journal: {e}"))),
        };
        // A torn last line, of a machine that died, says nothing.
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
        Ok(Self { store, entries: entries.map(|entry| (entry.key.clone(), entry)).collect() })
    }

    /// Where a key picture lies, or will lie.
    pub fn path(&self, scene: usize, key: usize) -> PathBuf {
        self.store.folder().join(FOLDER).join(name(scene, key))
    }

    /// Whether the key picture is there and made of that.
    pub fn has(&self, scene: usize, key: usize, made_of: &str) -> bool {
        let entry = self.entries.get(&name(scene, key)).filter(|entry| entry.made_of == made_of);
        let same =
            |entry: &Entry| std::fs::read(self.path(scene, key)).is_ok_and(|b| hash(&b) == entry.output);
        entry.is_some_and(same)
    }

    /// A stored key picture.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged.
    pub fn read(&self, scene: usize, key: usize) -> Result<Canvas> {
        Canvas::open(&self.path(scene, key))
    }

    /// Stores a key picture and waits until it is on the disk; `text` is what its file says about its making.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be written.
    pub fn put(
        &mut self,
        scene: usize,
        key: usize,
        picture: &Canvas,
        text: &str,
        made_of: &str,
    ) -> Result<()> {
        let mut bytes = picture.to_png()?;
        if !text.is_empty() {
            bytes = infotext::described(&bytes, text);
        }
        let folder = self.store.folder().join(FOLDER);
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::output(&folder, format!("cannot make a folder: {e}")))?;
        self.store.write(&self.path(scene, key), &bytes)?;
        let entry = Entry { key: name(scene, key), made_of: made_of.to_owned(), output: hash(&bytes) };
        self.append(&entry)?;
        self.entries.insert(entry.key.clone(), entry);
        Ok(())
    }

    fn append(&self, entry: &Entry) -> Result<()> {
        let path = self.store.folder().join(FOLDER).join(JOURNAL);
        let torn = std::fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|b| *b != b'\n'));
        let line = serde_json::to_string(entry).map_err(|e| Error::Bug(format!("journal entry: {e}")))?;
        let line = format!("{}{line}\n", if torn { "\n" } else { "" });
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(|e| Error::output(&path, format!("cannot write the journal: {e}")))
    }
}
