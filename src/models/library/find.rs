//! Finds a model by what a film calls it.

use std::path::{Path, PathBuf};

use super::layout::{ENDINGS, Role, ending, stem};
use super::{Entry, Library};
use crate::error::{Error, Result};

/// How like a name must be to be offered instead (Jaro-Winkler, 0..1).
const ALIKE: f64 = 0.8;

/// At most this many files of one name are listed.
const LISTED: usize = 4;

impl Library {
    /// The model that `name` means: a path, absolute or relative to the film, with or without its ending; or
    /// the name of a file or folder in the model folders, with or without its ending and the folders above
    /// it, in whatever letters. The nearest way of writing it counts, and of two files that differ only in the ending
    /// the `.safetensors` one. A short hash behind the name, as the web UI shows it (`ink [6ce0161689]`), is
    /// passed over.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none, with the nearest name, or when two are called so: both are named.
    pub fn find(&self, role: Role, name: &str) -> Result<PathBuf> {
        let written = without_hash(name.trim());
        if written.is_empty() {
            return Err(Error::model(
                Path::new("\"\""),
                format!("expected the name of {}, found an empty text", role.one()),
            ));
        }
        if let Some(path) = self.by_path(written) {
            return Ok(path);
        }
        match self.matches(role, written).as_slice() {
            [] => Err(self.missing(role, written)),
            [only] => Ok(only.path.clone()),
            several => Err(ambiguous(role, written, several)),
        }
    }

    /// Whether several models are called so.
    pub fn is_ambiguous(&self, role: Role, name: &str) -> bool {
        let written = without_hash(name.trim());
        self.by_path(written).is_none() && self.matches(role, written).len() > 1
    }

    /// What the model of a name is for, when there is one.
    pub fn kind_of(&self, name: &str) -> Option<Role> {
        let written = without_hash(name.trim());
        Role::ALL.into_iter().find(|role| !self.matches(*role, written).is_empty())
    }

    /// The models that `written` names most nearly.
    fn matches(&self, role: Role, written: &str) -> Vec<&Entry> {
        let wanted = written.replace('\\', "/");
        let ranked = |role: Role| -> Vec<(Rank, &Entry)> {
            let own = self.list().iter().filter(|entry| entry.role.is_none_or(|own| own == role));
            own.filter_map(|entry| Some((rank(entry, &wanted)?, entry))).collect()
        };
        let ranked = match ranked(role) {
            // A whole model has an autoencoder too.
            none if none.is_empty() && role == Role::Vae => ranked(Role::Checkpoint),
            some => some,
        };
        let best = ranked.iter().map(|(rank, _)| *rank).min();
        ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, entry)| entry).collect()
    }

    /// The name in the library that is most like `name`, among models of the role.
    pub fn nearest(&self, role: Role, name: &str) -> Option<String> {
        let wanted = without_hash(name.trim()).to_lowercase();
        let last = wanted.rsplit('/').next().unwrap_or_default();
        let own = self.list().iter().filter(|entry| entry.role.is_none_or(|own| own == role));
        let likeness = |entry: &Entry| {
            let whole = strsim::jaro_winkler(&entry.name.to_lowercase(), &wanted);
            whole.max(strsim::jaro_winkler(&stem(&entry.path).to_lowercase(), stem_of(last)))
        };
        own.map(|entry| (likeness(entry), entry))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|(a, one), (b, other)| a.total_cmp(b).then(other.name.cmp(&one.name)))
            .map(|(_, entry)| entry.name.clone())
    }

    /// A path as it stands, or with the ending of a model file.
    fn by_path(&self, written: &str) -> Option<PathBuf> {
        let path = self.films.join(written);
        // The film's own folder is no model.
        if path.is_file() || (path.is_dir() && !written.trim_matches(['.', '/', '\\']).is_empty()) {
            return Some(path);
        }
        let with = |ending: &str| PathBuf::from(format!("{}.{ending}", path.display()));
        ENDINGS.iter().map(|ending| with(ending)).find(|path| path.is_file())
    }

    fn missing(&self, role: Role, written: &str) -> Error {
        let error = Error::model(Path::new(written), format!("there is no {} of this name", role.name()));
        if let Some(other) = self.kind_of(written) {
            return error.with_hint(format!("`{written}` is {}, which {}", other.one(), other.place()));
        }
        if let Some(near) = self.nearest(role, written) {
            return error.with_hint(format!("did you mean `{near}`?"));
        }
        let mut places: Vec<String> = vec!["beside the film".to_owned()];
        places.extend(self.dirs.iter().map(|dir| dir.display().to_string()));
        error.with_hint(format!(
            "looked {}; name other folders with --models-dir or KINORA_MODELS; `kinora models` lists what is found",
            places.join(", ")
        ))
    }
}

/// How a name was understood; the least is the nearest.
type Rank = (u8, usize);

/// How `wanted` names the entry, if it does.
fn rank(entry: &Entry, wanted: &str) -> Option<Rank> {
    let ending = ending(&entry.path).unwrap_or(0);
    let short = stem(&entry.path);
    let extension = entry.path.extension().filter(|_| super::layout::ending(&entry.path).is_some());
    let whole = |name: &str| match extension {
        Some(ending) => format!("{name}.{}", ending.to_string_lossy()),
        None => name.to_owned(),
    };
    let spellings = [whole(&entry.name), entry.name.clone(), whole(&short), short];
    let exact = spellings.iter().position(|spelling| spelling == wanted);
    let wanted = wanted.to_lowercase();
    let way = exact.map(|way| way as u8).or_else(|| {
        let alike = spellings.iter().position(|spelling| spelling.to_lowercase() == wanted);
        alike.map(|way| (way + spellings.len()) as u8)
    })?;
    Some((way, ending))
}

fn ambiguous(role: Role, written: &str, entries: &[&Entry]) -> Error {
    let mut paths: Vec<String> =
        entries.iter().take(LISTED).map(|entry| entry.path.display().to_string()).collect();
    if entries.len() > LISTED {
        paths.push(format!("{} more", entries.len() - LISTED));
    }
    let message = format!("{} {}s are called so: {}", entries.len(), role.name(), paths.join(", "));
    Error::model(Path::new(written), message)
        .with_hint("write more of the path, such as the folder above it, or the whole path")
}

/// `ink` of `ink [6ce0161689]`.
fn without_hash(name: &str) -> &str {
    let hash = name.strip_suffix(']').and_then(|rest| rest.rsplit_once(" ["));
    match hash {
        Some((name, hash)) if hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name.trim_end()
        }
        _ => name,
    }
}

/// A written name without the ending of a model file.
fn stem_of(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending) => stem,
        _ => name,
    }
}
