//! The rooms wired together: one file a command, no algorithm.

mod finish;
pub mod models;
pub mod preview;
pub mod project;
pub mod render;
pub mod report;
pub mod sound;
mod sources;

use std::path::{Path, PathBuf};

/// The entry of a folder that is named most like `wanted`, among those that `fits` accepts.
fn nearest_name(folder: &Path, wanted: &str, fits: impl Fn(&Path) -> bool) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    entries.sort();
    entries
        .iter()
        .filter(|path| fits(path))
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .map(|name| (strsim::damerau_levenshtein(&name, wanted), name))
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(2))
        .min()
        .map(|(_, name)| name)
}
