//! Hashes of whole files, remembered: a checkpoint of seven gigabytes takes a while.
//!
//! They are kept in `kinora/hashes.json` of the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`; `%LOCALAPPDATA%` on Windows), by the file's
//! path, size and time of change. Without that folder, or when it cannot be written, they are computed each time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::error::{Error, Result};

/// Smaller files are hashed as fast as a cache is read.
const SMALL: u64 = 64 << 20;

/// Hex digits of the hash that the web UI shows for a checkpoint.
const SHORT: usize = 10;

/// What is known of a file as it was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    size: u64,
    /// Nanoseconds since 1970.
    changed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Of the tensors alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tensors: Option<String>,
}

type Cache = BTreeMap<PathBuf, Known>;

/// The BLAKE3 hash of a file's content, in hex digits.
///
/// # Errors
/// [`Error::Model`] when it cannot be read.
pub fn content(path: &Path) -> Result<String> {
    remembered(
        path,
        |known| &mut known.blake3,
        |file| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file)?;
            Ok(hasher.finalize().to_hex().to_string())
        },
    )
}

/// The SHA-256 of a file's content, in hex digits: the web UI's «model hash» is its first ten.
///
/// # Errors
/// [`Error::Model`] when it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    remembered(path, |known| &mut known.sha256, rest)
}

/// The SHA-256 of a safetensors file's tensors, without its head, in hex digits: what the web UI calls a LoRA's hash, and
/// shows the first twelve digits of. A change of notes leaves it as it is.
///
/// # Errors
/// [`Error::Model`] when the file cannot be read.
pub fn of_tensors(path: &Path) -> Result<String> {
    remembered(
        path,
        |known| &mut known.tensors,
        |mut file| {
            let mut length = [0; 8];
            file.read_exact(&mut length)?;
            file.seek(SeekFrom::Start(u64::from_le_bytes(length).saturating_add(8)))?;
            rest(file)
        },
    )
}

/// The SHA-256 of a file from here on.
fn rest(mut file: File) -> std::io::Result<String> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..read]);
    }
}

/// The first digits of [`sha256`], as the web UI shows them behind a checkpoint's name.
///
/// # Errors
/// As [`sha256`].
pub fn short(path: &Path) -> Result<String> {
    let mut hash = sha256(path)?;
    hash.truncate(SHORT);
    Ok(hash)
}

/// The short hash when it is known already.
pub fn known_short(path: &Path) -> Option<String> {
    let (path, now) = current(path).ok()?;
    let cache = load(&cache_file()?);
    let known = cache.get(&path).filter(|known| (known.size, known.changed) == (now.size, now.changed))?;
    known.sha256.as_ref().and_then(|hash| hash.get(..SHORT)).map(str::to_owned)
}

fn remembered(
    path: &Path,
    field: impl Fn(&mut Known) -> &mut Option<String>,
    compute: impl FnOnce(File) -> std::io::Result<String>,
) -> Result<String> {
    let cannot = |e: std::io::Error| Error::model(path, format!("cannot read this file: {e}"));
    let (real, mut now) = current(path).map_err(cannot)?;
    let cache_file = cache_file().filter(|_| now.size >= SMALL);
    if let Some(known) = cache_file.as_deref().map(load).and_then(|mut cache| cache.remove(&real))
        && (known.size, known.changed) == (now.size, now.changed)
    {
        now = known;
        if let Some(hash) = field(&mut now) {
            return Ok(hash.clone());
        }
    }
    let hash = compute(File::open(path).map_err(cannot)?).map_err(cannot)?;
    *field(&mut now) = Some(hash.clone());
    if let Some(file) = cache_file {
        let mut cache = load(&file);
        cache.insert(real, now);
        // A cache that cannot be written costs time and nothing else.
        let _ = save(&file, &cache);
    }
    Ok(hash)
}

/// Where a file really is, its size and time of change.
fn current(path: &Path) -> std::io::Result<(PathBuf, Known)> {
    let real = path.canonicalize()?;
    let about = std::fs::metadata(&real)?;
    let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = u64::try_from(changed.as_nanos()).unwrap_or(0);
    Ok((real, Known { size: about.len(), changed, ..Known::default() }))
}

fn cache_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else {
        set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("kinora/hashes.json"))
}

/// What is remembered; nothing when the file is not there or is damaged.
fn load(file: &Path) -> Cache {
    std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Writes the whole cache beside the old one and puts it in its place, so that no reader sees half of it.
fn save(file: &Path, cache: &Cache) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&fresh, serde_json::to_vec_pretty(cache)?)?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        // The example of FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), known);
        assert_eq!(short(&path).unwrap(), known[..10]);
        assert_eq!(content(&path).unwrap(), blake3::hash(b"abc").to_hex().to_string());
        assert!(sha256(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn the_hash_of_tensors_leaves_the_head_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes = [&2_u64.to_le_bytes()[..], b"{}abc"].concat();
        std::fs::write(&path, bytes).unwrap();
        assert!(of_tensors(&path).unwrap().starts_with("ba7816bf"));
        std::fs::write(&path, "short").unwrap();
        assert!(of_tensors(&path).is_err());
    }

    #[test]
    fn a_cache_is_read_back_and_a_damaged_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/hashes.json");
        let known = Known { size: 3, changed: 5, sha256: Some("ab".to_owned()), ..Known::default() };
        save(&file, &Cache::from([(PathBuf::from("/x"), known)])).unwrap();
        assert_eq!(load(&file)[Path::new("/x")].sha256.as_deref(), Some("ab"));
        std::fs::write(&file, "{").unwrap();
        assert!(load(&file).is_empty());
    }
}
