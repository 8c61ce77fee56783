//! The rooms wired together: one file a command, no algorithm.

mod backward;
mod caption;
mod cast;
mod clips;
mod controls;
pub mod depth;
mod depth_files;
pub mod drift;
mod embeddings;
pub mod eval;
pub mod explain;
mod fading;
mod finish;
mod fit;
mod hashes;
pub mod inspect;
pub mod inventory;
mod keys;
mod letters;
pub mod library;
pub mod loras;
mod memory;
pub mod models;
pub mod plan;
pub mod plot;
pub mod preview;
mod preview_keys;
pub mod project;
mod recorded;
pub mod render;
pub mod report;
mod sheet;
pub mod sound;
mod sources;
pub mod still;
pub mod strip;
pub mod table;
pub mod tokens;
pub mod warp;

use std::path::Path;

use crate::error::Result;
use crate::schedule::diagnostic::Diagnostics;
use crate::schedule::film::Film;
use crate::schedule::names::nearest;
use crate::timeline::{self, Options, Timeline};

/// Reads and checks a film to look into it: pictures and models that it names need not be there.
fn look(path: &Path, options: &Options) -> Result<(Film, Timeline, Diagnostics)> {
    timeline::check(path, &sound::hearing(options.clone()))
}

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
    let names: Vec<String> = names.collect();
    nearest(wanted, names.iter().map(String::as_str)).first().map(|name| (*name).to_owned())
}
