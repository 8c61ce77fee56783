//! Where the texts of a film come from: the disk, or memory for editors and tests. Nothing else in this
//! room opens a file.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// A place that files are read from.
pub trait Library {
    /// The bytes of a file, but never more than `limit` + 1 of them: one more than `limit` says that there
    /// is more.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is no such file, others when it cannot be read.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Names of the files in a folder, sorted; empty when there is no such folder.
    fn names(&self, folder: &Path) -> Vec<String>;

    /// The same path for all spellings of one file.
    fn identity(&self, path: &Path) -> PathBuf {
        normal(path)
    }
}

/// The files of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Library for Disk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // A pipe or a device would be waited for, and may have no end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        let mut names: Vec<String> =
            files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| normal(path))
    }
}

/// Files that are only in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(normal(path.as_ref()), content.into());
        self
    }
}

impl Library for Memory {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.files.get(&normal(path)).ok_or(io::ErrorKind::NotFound)?;
        let end = usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[..end].to_vec())
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let folder = normal(folder);
        let inside = self.files.keys().filter(|path| path.parent() == Some(&folder));
        inside.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect()
    }
}

/// `path` without `.` and without `x/..`, looking at the words only.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => drop(out.pop()),
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => out.push(".."),
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_detours() {
        for (written, short) in
            [("a/../b", "b"), ("./a/./b", "a/b"), ("../a", "../a"), ("a/../../b", "../b"), ("/../a", "/a")]
        {
            assert_eq!(normal(Path::new(written)), Path::new(short), "{written}");
        }
    }

    #[test]
    fn reading_stops_one_byte_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.kin");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(Disk.read(&path, 3).unwrap(), b"1234");
        assert_eq!(Disk.read(&path, 5).unwrap(), b"12345");
        assert_eq!(Disk.read(folder.path(), 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let memory = Memory::default().with("x/a.kin", "12345");
        assert_eq!(memory.read(Path::new("x/../x/a.kin"), 3).unwrap(), b"1234");
        assert_eq!(memory.names(Path::new("x")), ["a.kin"]);
        assert_eq!(memory.read(Path::new("a.kin"), 3).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
