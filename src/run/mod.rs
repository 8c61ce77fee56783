//! The rooms wired together: one file a command, no algorithm.

mod finish;
pub mod models;
pub mod preview;
pub mod project;
pub mod render;
pub mod report;
mod sources;

use std::path::Path;

/// The entry of a folder that is named most like `wanted`, among those that `fits` accepts.
fn nearest_name(folder: &Path, wanted: &str, fits: impl Fn(&Path) -> bool) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let names = entries
        .filter(|path| fits(path))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    nearest_of(names, wanted)
}

/// The name that is most like `wanted`, when one is like it at all.
fn nearest_of(names: impl Iterator<Item = String>, wanted: &str) -> Option<String> {
    names
        .map(|name| (strsim::damerau_levenshtein(&name, wanted), name))
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(2))
        .min()
        .map(|(_, name)| name)
}
