//! Models by name: what lies beside a film and in people's model folders.
//!
//! A model folder is laid out as the A1111 web UI does it (`models/Stable-diffusion`, `models/Lora`,
//! `embeddings`, `extensions/sd-webui-controlnet/models` …), as ComfyUI does it (`models/checkpoints`,
//! `models/loras` …), or not at all. Nothing is read but names until somebody asks.

mod find;
mod layout;
mod scan;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use layout::Role;

/// A model of the library: a file, or a folder in diffusers layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is for, by the folder it lies in. `None` in a folder that is not laid out.
    pub role: Option<Role>,
    /// Its path below that folder, with `/` and without the ending: what a film calls it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Where models are looked for.
#[derive(Clone, Debug)]
pub struct Library {
    films: PathBuf,
    dirs: Vec<PathBuf>,
    entries: OnceLock<Vec<Entry>>,
}

impl Library {
    /// The models beside the films in `films` and in the model folders `dirs`. Nothing is read yet.
    pub fn new(films: &Path, dirs: &[PathBuf]) -> Self {
        let films = if films.as_os_str().is_empty() { Path::new(".") } else { films };
        Self { films: films.to_owned(), dirs: dirs.to_vec(), entries: OnceLock::new() }
    }

    /// The model folders, without the films' own.
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Everything that is there, by role and name. The same file is listed once, however many links lead
    /// to it.
    pub fn list(&self) -> &[Entry] {
        self.entries.get_or_init(|| {
            let mut entries = scan::beside(&self.films);
            entries.extend(self.dirs.iter().flat_map(|dir| scan::folder(dir)));
            entries.sort_by(|a, b| (a.role, &a.name, &a.path).cmp(&(b.role, &b.name, &b.path)));
            let mut seen = BTreeSet::new();
            entries.retain(|entry| {
                seen.insert(entry.path.canonicalize().unwrap_or_else(|_| entry.path.clone()))
            });
            entries
        })
    }

    /// The textual inversions, by the word that a prompt calls each with: the file's name without its
    /// ending. Of two with one name the first in [`Library::list`] counts.
    pub fn embeddings(&self) -> Vec<(String, PathBuf)> {
        let own = self.list().iter().filter(|entry| entry.role == Some(Role::Embedding));
        let mut seen = BTreeSet::new();
        own.map(|entry| (layout::stem(&entry.path), entry.path.clone()))
            .filter(|(word, _)| seen.insert(word.to_lowercase()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
