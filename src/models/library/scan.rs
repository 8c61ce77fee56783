//! Looks through model folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Entry;
use super::layout::{ENDINGS, FOLDERS, Role, ending, is_model, stem};

/// Folders in folders that are looked into. People sort their files by kind, artist and version.
const DEEPEST: u32 = 8;

/// Models beside a film: those in the folder itself, and those in its folders that are laid out as a model
/// folder. No more than that is looked at, because a film may lie in somebody's home.
pub(super) fn beside(films: &Path) -> Vec<Entry> {
    let mut walk = Walk::default();
    walk.laid_out(films);
    walk.below(films, films, None, 0);
    walk.found
}

/// Models in a folder that somebody named: in its known folders, or anywhere when it has none of them.
pub(super) fn folder(dir: &Path) -> Vec<Entry> {
    let mut walk = Walk::default();
    if walk.laid_out(dir) {
        walk.below(dir, dir, None, 0);
    } else {
        walk.below(dir, dir, role_of(dir), DEEPEST);
    }
    walk.found
}

/// The role of a folder that is itself one of the known ones, such as `…/models/Lora`.
fn role_of(dir: &Path) -> Option<Role> {
    let name = dir.canonicalize().ok()?.file_name()?.to_string_lossy().to_lowercase();
    FOLDERS.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

#[derive(Default)]
struct Walk {
    found: Vec<Entry>,
    /// Real paths of the folders that were looked into: a link to a folder above it never ends otherwise.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    /// Looks into the known folders of `dir` and `dir/models`; whether there were any.
    fn laid_out(&mut self, dir: &Path) -> bool {
        let mut is_laid_out = false;
        for base in std::iter::once(dir.to_owned()).chain(inside(dir, "models")) {
            for (known, role) in FOLDERS {
                let mut places = vec![base.clone()];
                for part in known.split('/') {
                    places = places.iter().flat_map(|place| inside(place, part)).collect();
                }
                // A model's own folder `unet` or `vae` holds no models; nor is the model a layout.
                for place in places.iter().filter(|place| !is_model(place)) {
                    is_laid_out = true;
                    self.below(place, place, Some(role), DEEPEST);
                }
            }
        }
        is_laid_out
    }

    /// Collects the models in `folder` and at most `levels` folders below it, named relative to `root`.
    fn below(&mut self, root: &Path, folder: &Path, role: Option<Role>, levels: u32) {
        if !folder.canonicalize().is_ok_and(|real| self.seen.insert(real)) {
            return;
        }
        for path in sorted(folder) {
            let is_folder = path.is_dir();
            if hidden(&path) || (is_folder && is_said_of_a_file(&path)) {
                continue;
            }
            if if is_folder { is_model(&path) } else { ending(&path).is_some() && path.is_file() } {
                self.found.push(Entry { role, name: name(root, &path), path });
            } else if is_folder && levels > 0 {
                self.below(root, &path, role, levels - 1);
            }
        }
    }
}

/// Folders in `folder` that are called `name`, in whatever letters.
fn inside(folder: &Path, name: &str) -> Vec<PathBuf> {
    let is_it = |path: &PathBuf| {
        path.file_name().is_some_and(|found| found.to_string_lossy().to_lowercase() == name) && path.is_dir()
    };
    sorted(folder).into_iter().filter(is_it).collect()
}

/// What lies in a folder, in the order of names; nothing when it cannot be read.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Whether a folder holds the configs of the file beside it (`pony.config` of `pony.safetensors`): it is no model.
fn is_said_of_a_file(folder: &Path) -> bool {
    folder.extension().is_some_and(|ending| ending == "config")
        && ENDINGS.iter().any(|ending| folder.with_extension(ending).is_file())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// `styles/ink` for `<root>/styles/ink.safetensors`.
fn name(root: &Path, path: &Path) -> String {
    let mut parts: Vec<String> = path
        .parent()
        .and_then(|parent| parent.strip_prefix(root).ok())
        .into_iter()
        .flat_map(Path::iter)
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    parts.push(stem(path));
    parts.join("/")
}
