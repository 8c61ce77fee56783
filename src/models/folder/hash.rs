//! What decides a model's pictures, as one number.

use std::path::{Path, PathBuf};

use super::{EMBEDDED, ModelFolder, Place};
use crate::error::{Error, Result};
use crate::models::digest;

/// Folders in folders that a model has at the most. Without a limit a link to its own folder never ends.
const DEEPEST: u32 = 3;

/// Endings of the files that decide what a model paints.
const DECISIVE: [&str; 3] = ["json", "txt", "safetensors"];

impl ModelFolder {
    /// A hash of the model's files (configs, tokenizers, safetensors): two folders with the same hash make
    /// the same picture. Hidden files and other formats decide nothing and do not count.
    ///
    /// # Errors
    /// [`Error::Model`] when a file cannot be read.
    pub fn fingerprint(&self) -> Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        match &self.place {
            Place::Disk(path) => hash_folder(path, DEEPEST, &mut hasher)?,
            Place::Embedded(path) => {
                let inside =
                    |p: &&(&str, &[u8])| p.0.strip_prefix(path.as_str()).is_some_and(|r| r.starts_with('/'));
                for (name, bytes) in EMBEDDED.iter().filter(inside) {
                    hasher.update(name.as_bytes()).update(bytes);
                }
            }
            Place::WithVae(model, vae) => {
                hasher
                    .update(model.fingerprint()?.as_bytes())
                    .update(b"vae")
                    .update(vae.fingerprint()?.as_bytes());
            }
            Place::Single(single, _) => {
                hasher.update(digest::content(single.path())?.as_bytes());
                if let Some(configs) = single.configs() {
                    hash_folder(configs, DEEPEST, &mut hasher)?;
                }
            }
        }
        Ok(hasher.finalize())
    }
}

/// Feeds names and contents of all files at most `levels` folders below `folder`, in name order, to `hasher`.
fn hash_folder(folder: &Path, levels: u32, hasher: &mut blake3::Hasher) -> Result<()> {
    let cannot = |e: std::io::Error| Error::model(folder, format!("cannot read the folder: {e}"));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(cannot)?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if levels > 0 {
                hasher.update(name.as_bytes());
                hash_folder(&path, levels - 1, hasher)?;
            }
        } else if path.extension().is_some_and(|e| DECISIVE.iter().any(|known| e == *known)) {
            hasher.update(name.as_bytes());
            let file = std::fs::File::open(&path).map_err(cannot)?;
            hasher.update_reader(file).map_err(cannot)?;
        }
    }
    Ok(())
}
