//! The finished frames of a film: a folder of PNG files and the journal that vouches for them.
//!
//! A file under its final name is a whole file: pictures are written beside it, synced and renamed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::canvas::Canvas;
use crate::colour::Measures;
use crate::error::{Error, Result};
use crate::infotext;
use crate::render::journal::{Entry, Expected, JOURNAL, Journal, START, valid_frames};
use crate::render::made::Made;

/// Pictures that may wait for the disk. Four hide a slow moment of the disk; more would only cost
/// memory, since a disk that stays slower than the model stays slower.
const WAITING: usize = 4;

/// The file that is locked while somebody renders.
const LOCK: &str = ".lock";

/// A folder of finished frames.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the folder, and makes it when there is none.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be made or written, or holds numbered pictures that no journal
    /// vouches for: they would be written over.
    pub fn open(folder: &Path) -> Result<Self> {
        let cannot = |e: std::io::Error| {
            Error::output(folder, format!("cannot write frames here: {e}"))
                .with_hint("choose another place with `-o`, or free some space")
        };
        if folder.exists() && !folder.is_dir() {
            return Err(Error::output(folder, "expected a folder for the frames, found a file")
                .with_hint("move it away, or choose another place with `-o`"));
        }
        std::fs::create_dir_all(folder).map_err(cannot)?;
        refuse_foreign(folder)?;
        let probe = folder.join(".probe");
        std::fs::write(&probe, b"kinora").map_err(cannot)?;
        std::fs::remove_file(&probe).map_err(cannot)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folder as it is, to look into: nothing is made or written, and it need not exist.
    pub fn look(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Removes the folder again when nothing was stored in it.
    pub fn discard_if_empty(&self) {
        let others = |entry: &std::fs::DirEntry| entry.file_name() != LOCK;
        let Ok(mut entries) = std::fs::read_dir(&self.folder) else { return };
        if entries.all(|entry| entry.is_ok_and(|entry| !others(&entry))) {
            // Best effort: an empty folder that stays does no harm.
            let _ = std::fs::remove_file(self.folder.join(LOCK));
            let _ = std::fs::remove_dir(&self.folder);
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a frame's picture lies, or will lie.
    pub fn path(&self, frame: u32) -> PathBuf {
        self.folder.join(format!("{frame:06}.png"))
    }

    /// A stored picture.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there or damaged.
    pub fn read(&self, frame: u32) -> Result<Canvas> {
        Canvas::open(&self.path(frame))
    }

    /// Which frames are there already and right for the film as it is now.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read.
    pub fn valid(&self, expected: &[Expected]) -> Result<Vec<bool>> {
        let entries = Journal::read(&self.folder)?;
        Ok(valid_frames(&entries, expected, |entry| {
            let has = |path: PathBuf, hashed: &String| std::fs::read(path).is_ok_and(|b| hash(&b) == *hashed);
            has(self.path(entry.frame), &entry.output)
                && entry.depth.as_ref().is_none_or(|hashed| has(self.depth_path(entry.frame), hashed))
                && entry.painted.as_ref().is_none_or(|hashed| has(self.painted_path(entry.frame), hashed))
                && entry.wide.as_ref().is_none_or(|hashed| has(self.wide_path(entry.frame), hashed))
        }))
    }

    /// The hash in the journal of each stored frame's picture.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read.
    pub fn outputs(&self) -> Result<std::collections::BTreeMap<u32, String>> {
        Ok(Journal::read(&self.folder)?.into_iter().map(|entry| (entry.frame, entry.output)).collect())
    }

    /// What the journal says that each stored frame measures, where it says so.
    ///
    /// # Errors
    /// [`Error::Output`] when the journal cannot be read.
    pub fn measures(&self) -> Result<std::collections::BTreeMap<u32, Measures>> {
        let entries = Journal::read(&self.folder)?;
        Ok(entries.into_iter().filter_map(|entry| Some((entry.frame, entry.measures?))).collect())
    }

    /// Keeps every other kinora out of the folder for as long as the returned lock lives.
    ///
    /// # Errors
    /// [`Error::Output`] when another one is at work there, or the lock cannot be made.
    pub fn lock(&self) -> Result<std::fs::File> {
        let path = self.folder.join(LOCK);
        let file = std::fs::File::create(&path)
            .map_err(|e| Error::output(&path, format!("cannot make a lock: {e}")))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::output(&self.folder, "another kinora is rendering to this folder")
                    .with_hint("wait for it, or choose another place with `-o`"))
            }
            Err(std::fs::TryLockError::Error(e)) => {
                Err(Error::output(&path, format!("cannot lock the folder: {e}")))
            }
        }
    }

    /// Runs `work` beside a thread that stores what is handed to the [`Shelf`]. The first real cause
    /// of a failure wins over the failures that it brings about.
    ///
    /// # Errors
    /// What `work` or the disk says.
    pub fn while_storing<T>(&self, work: impl FnOnce(&Shelf) -> Result<T>) -> Result<T> {
        let (send, receive) = sync_channel(WAITING);
        std::thread::scope(|scope| {
            let writer = std::thread::Builder::new()
                .name("store".to_owned())
                .spawn_scoped(scope, move || self.keep_storing(&receive))
                .map_err(|e| Error::Bug(format!("cannot start the store's thread: {e}")))?;
            let shelf = Shelf { send };
            let result = work(&shelf);
            drop(shelf);
            let stored = writer.join().map_err(|_| Error::Bug("the store's thread panicked".to_owned()))?;
            // When the disk fails, the loop only learns that nobody takes its pictures any more.
            stored.and(result)
        })
    }

    fn keep_storing(&self, receive: &Receiver<Finished>) -> Result<()> {
        let mut journal = Journal::open(&self.folder)?;
        let mut before: Option<(u32, String)> = None;
        for finished in receive {
            let Finished { frame, made, text, expected } = finished;
            let mut bytes = made.canvas.to_png()?;
            if !text.is_empty() {
                bytes = infotext::described(&bytes, &text);
            }
            let depth = self.write_depth(frame, made.depth.as_ref())?;
            let painted = self.write_painted(frame, made.painted.as_ref())?;
            self.write(&self.path(frame), &bytes)?;
            let output = hash(&bytes);
            let input = if expected.independent {
                START.to_owned()
            } else {
                self.output_before(frame, before.take())?
            };
            let Expected { params, models, .. } = expected;
            let measures = made.measures;
            let wide = made.wide.as_ref().map(|wide| self.write_wide(frame, wide)).transpose()?;
            journal.append(&Entry {
                frame,
                params,
                models,
                input,
                output: output.clone(),
                depth,
                measures,
                painted,
                wide,
            })?;
            before = Some((frame, output));
        }
        Ok(())
    }

    /// Hash of the picture before `frame`: just written, or found when a run is resumed.
    fn output_before(&self, frame: u32, written: Option<(u32, String)>) -> Result<String> {
        match written {
            Some((number, output)) if number + 1 == frame => Ok(output),
            _ => {
                let path = self.path(frame.saturating_sub(1));
                let bytes = std::fs::read(&path)
                    .map_err(|e| Error::input(&path, format!("cannot read the frame before: {e}")))?;
                Ok(hash(&bytes))
            }
        }
    }

    /// Writes beside, syncs, renames.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let beside = path.with_extension("part");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|e| {
            // Best effort: the half-written file is of no use, and the disk may need its space.
            let _ = std::fs::remove_file(&beside);
            Error::output(path, format!("cannot store the frame: {e}"))
                .with_hint("free some space and run the same command again: finished frames are kept")
        })
    }
}

/// Numbered pictures without a journal are somebody's own.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let is_frame = |name: &str| {
        name.strip_suffix(".png")
            .is_some_and(|stem| stem.len() == 6 && stem.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut names = std::fs::read_dir(folder)
        .map_err(|e| Error::output(folder, format!("cannot read the folder: {e}")))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    if folder.join(JOURNAL).exists() || !names.any(|name| is_frame(&name)) {
        return Ok(());
    }
    Err(Error::output(folder, "the folder holds pictures that kinora did not paint")
        .with_hint("choose another place with `-o`, or move the pictures away"))
}

/// Where the loop puts finished frames.
#[derive(Debug)]
pub struct Shelf {
    send: SyncSender<Finished>,
}

#[derive(Debug)]
struct Finished {
    frame: u32,
    made: Made,
    text: String,
    expected: Expected,
}

impl Shelf {
    /// Hands a frame over, and what its file says about its making ([`infotext`], nothing when empty). Waits
    /// only when the disk is more than four pictures behind.
    ///
    /// # Errors
    /// When the store has stopped; the reason is what [`Store::while_storing`] returns.
    pub fn put(&self, frame: u32, made: impl Into<Made>, text: &str, expected: Expected) -> Result<()> {
        self.send
            .send(Finished { frame, made: made.into(), text: text.to_owned(), expected })
            .map_err(|_| Error::Bug("the store stopped taking frames".to_owned()))
    }
}

/// Hash of bytes as the journal writes it.
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    fn expected(params: &str, independent: bool) -> Expected {
        Expected { params: params.to_owned(), models: "m".to_owned(), independent }
    }

    fn picture(value: u8) -> Canvas {
        Canvas::filled(Size::new(4, 4), [value; 3])
    }

    #[test]
    fn stored_frames_are_found_again_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let film = [expected("a", true), expected("b", false), expected("c", false)];
        store
            .while_storing(|shelf| {
                (0..3).try_for_each(|i| shelf.put(i, picture(i as u8), "", film[i as usize].clone()))
            })
            .unwrap();
        assert_eq!(store.valid(&film).unwrap(), [true; 3]);
        assert_eq!(store.read(1).unwrap(), picture(1));
        std::fs::write(store.path(1), b"damaged").unwrap();
        assert_eq!(store.valid(&film).unwrap(), [true, false, false]);
    }

    #[test]
    fn a_resumed_run_chains_to_the_frame_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let film = [expected("a", true), expected("b", false)];
        store.while_storing(|shelf| shelf.put(0, picture(0), "", film[0].clone())).unwrap();
        store.while_storing(|shelf| shelf.put(1, picture(1), "", film[1].clone())).unwrap();
        assert_eq!(store.valid(&film).unwrap(), [true; 2]);
    }

    #[test]
    fn pictures_of_others_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("000002.png"), b"mine").unwrap();
        let refused = Store::open(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("did not paint"), "{refused}");
        std::fs::write(folder.path().join(JOURNAL), b"").unwrap();
        assert!(Store::open(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_is_taken_away_only_when_nothing_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("film.frames");
        let store = Store::open(&folder).unwrap();
        drop(store.lock().unwrap());
        store.discard_if_empty();
        assert!(!folder.exists());
        let store = Store::open(&folder).unwrap();
        store.while_storing(|shelf| shelf.put(0, picture(0), "", expected("a", true))).unwrap();
        store.discard_if_empty();
        assert!(store.path(0).exists());
    }

    #[test]
    fn the_disk_s_own_error_wins_over_the_loop_s() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("frames")).unwrap();
        let result = store.while_storing(|shelf| {
            std::fs::remove_dir_all(store.folder()).unwrap();
            (0..20).try_for_each(|i| shelf.put(i, picture(1), "", expected("a", true)))
        });
        assert!(matches!(result, Err(Error::Output { .. })), "{result:?}");
    }
}
