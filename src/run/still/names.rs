//! Where finished pictures go, and that none is ever replaced unasked.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// The name when none is given.
const USUAL: &str = "still.png";

/// The name in a folder.
const IN_FOLDER: &str = "#####.png";

/// Stands for the picture's seed in a name.
const SEED: &str = "{seed}";

/// The names of a run's pictures.
#[derive(Debug)]
pub(super) struct Names {
    folder: PathBuf,
    /// The file's name: with a run of `#` for a number, or numbered in front of its ending when need be.
    pattern: String,
    several: bool,
    force: bool,
    /// No number below this one is free.
    next: AtomicU64,
}

impl Names {
    /// The names that `out` stands for, when `count` pictures are made.
    ///
    /// # Errors
    /// [`Error::Usage`] for names of other formats; [`Error::Output`] when the folder cannot be written.
    pub(super) fn new(out: Option<&Path>, count: u32, force: bool) -> Result<Self> {
        let out = out.unwrap_or(Path::new(USUAL));
        let is_folder = out.is_dir() || out.to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
        let (folder, pattern) = if is_folder {
            std::fs::create_dir_all(out)
                .map_err(|e| Error::output(out, format!("cannot make the folder: {e}")))?;
            (out.to_owned(), IN_FOLDER.to_owned())
        } else {
            let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (out.parent().unwrap_or(Path::new("")).to_owned(), name)
        };
        let ending = Path::new(&pattern).extension().unwrap_or_default().to_string_lossy().into_owned();
        if !ending.eq_ignore_ascii_case("png") {
            return Err(Error::Usage {
                message: format!("expected a picture's name that ends with .png, found `{pattern}`"),
                hint: Some(format!(
                    "for example `-o {}`",
                    Path::new(&pattern).with_extension("png").display()
                )),
            });
        }
        let names = Self { folder, pattern, several: count > 1, force, next: AtomicU64::new(0) };
        names.probe()?;
        Ok(names)
    }

    /// A long wait is a bad moment to learn that nothing can be written.
    fn probe(&self) -> Result<()> {
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        if !folder.is_dir() {
            return Err(Error::output(folder, "expected a folder for the pictures, there is none")
                .with_hint("make it first; a name that ends with `/` is made when it is missing"));
        }
        let part = self.part();
        let probed = std::fs::write(&part, b"").and_then(|()| std::fs::remove_file(&part));
        probed.map_err(|e| {
            Error::output(folder, format!("cannot write pictures here: {e}"))
                .with_hint("choose another place with `-o`, or free some space")
        })
    }

    /// A hidden name that no other run has.
    fn part(&self) -> PathBuf {
        self.folder.join(format!(".kinora-still-{}.part", std::process::id()))
    }

    /// The name of the picture with a number (from 0) and a seed.
    fn path(&self, number: u64, seed: i64) -> PathBuf {
        let name = self.pattern.replace(SEED, &seed.to_string());
        let marks = name.find('#').map(|start| {
            let length = name[start..].bytes().take_while(|b| *b == b'#').count();
            (start, length)
        });
        let name = match marks {
            Some((start, length)) => {
                format!("{}{:0length$}{}", &name[..start], number + 1, &name[start + length..])
            }
            None if number == 0 && (!self.several || self.pattern.contains(SEED)) => name,
            None => {
                // The ending was looked at when the pattern was taken.
                let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, "png"));
                format!("{stem}-{}.{ending}", number + 1)
            }
        };
        self.folder.join(name)
    }

    /// Puts the bytes of picture `number` of the run under the first name that is free, or with `--force` under
    /// the name of that number. A file under its name is a whole file.
    ///
    /// # Errors
    /// [`Error::Output`] when the disk refuses.
    pub(super) fn publish(&self, number: u32, seed: i64, png: &[u8]) -> Result<PathBuf> {
        let part = self.part();
        let written = std::fs::File::create(&part).and_then(|mut file| {
            file.write_all(png)?;
            file.sync_data()
        });
        let placed = written.map_err(|e| (part.clone(), e)).and_then(|()| self.place(&part, number, seed));
        // Best effort: a hidden file that stays does no harm.
        let _ = std::fs::remove_file(&part);
        placed.map_err(|(path, e)| {
            Error::output(&path, format!("cannot write the picture: {e}"))
                .with_hint("check the folder's permissions and the free space")
        })
    }

    fn place(&self, part: &Path, number: u32, seed: i64) -> Result<PathBuf, (PathBuf, std::io::Error)> {
        if self.force {
            // Names with the seed in them differ by it.
            let own = !self.pattern.contains('#') && self.pattern.contains(SEED);
            let path = self.path(if own { 0 } else { number.into() }, seed);
            return std::fs::rename(part, &path).map(|()| path.clone()).map_err(|e| (path, e));
        }
        let own = !self.pattern.contains('#') && self.pattern.contains(SEED);
        let mut free = if own { 0 } else { self.next.load(Ordering::Relaxed) };
        loop {
            let path = self.path(free, seed);
            match claim(part, &path) {
                Ok(()) => {
                    self.next.store(free + 1, Ordering::Relaxed);
                    return Ok(path);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => free += 1,
                Err(e) => return Err((path, e)),
            }
        }
    }
}

/// Gives the file its name, and fails when something has that name already, whoever was quicker.
fn claim(part: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(part, path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            // Not every disk knows links.
            std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
            std::fs::rename(part, path)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(folder: &Path, out: &str, count: u32, force: bool) -> Vec<String> {
        let names = Names::new(Some(&folder.join(out)), count, force).unwrap();
        let name = |i: u32| {
            let path = names.publish(i, i64::from(i) + 7, format!("{out} {i}").as_bytes()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), format!("{out} {i}").as_bytes());
            path.strip_prefix(folder).unwrap().to_string_lossy().into_owned()
        };
        (0..count).map(name).collect()
    }

    #[test]
    fn names_go_on_where_others_are() {
        let desk = tempfile::tempdir().unwrap();
        let desk = desk.path();
        assert_eq!(published(desk, "a.png", 1, false), ["a.png"]);
        assert_eq!(published(desk, "a.png", 1, false), ["a-2.png"]);
        assert_eq!(published(desk, "a.png", 2, false), ["a-1.png", "a-3.png"]);
        assert_eq!(published(desk, "a.png", 2, true), ["a-1.png", "a-2.png"]);
        assert_eq!(published(desk, "a.png", 1, true), ["a.png"]);
        assert_eq!(published(desk, "b-##.PNG", 2, false), ["b-01.PNG", "b-02.PNG"]);
        assert_eq!(published(desk, "b-##.PNG", 1, false), ["b-03.PNG"]);
        assert_eq!(published(desk, "new/", 2, false), ["new/00001.png", "new/00002.png"]);
        assert_eq!(published(desk, "new", 1, false), ["new/00003.png"]);
        assert_eq!(published(desk, "{seed}.png", 2, false), ["7.png", "8.png"]);
        assert_eq!(published(desk, "{seed}.png", 2, false), ["7-2.png", "8-2.png"]);
        assert_eq!(published(desk, "{seed}.png", 2, true), ["7.png", "8.png"]);
        let left: Vec<_> = std::fs::read_dir(desk).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
    }

    #[test]
    fn other_formats_and_missing_folders_are_refused() {
        let desk = tempfile::tempdir().unwrap();
        let refused = |out: &str| Names::new(Some(&desk.path().join(out)), 1, false).unwrap_err();
        assert!(refused("a.jpg").to_string().contains(".png"));
        assert!(refused("a").to_string().contains(".png"));
        assert!(matches!(refused("no/a.png"), Error::Output { .. }));
    }
}
