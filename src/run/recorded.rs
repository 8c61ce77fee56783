//! The models that pictures say they were made with.

use std::path::Path;

use crate::error::{Error, Result};
use crate::models::library::Role;
use crate::models::{ModelFolder, digest};
use crate::run::caption::stem;
use crate::run::cast::find;
use crate::run::library::library;
use crate::run::models::identity;

/// A model as a picture says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded<'a> {
    /// What it is for.
    pub(crate) role: Role,
    /// The option that names another one.
    pub(crate) option: &'a str,
    /// Its name.
    pub(crate) name: Option<&'a str>,
    /// The start of its hash.
    pub(crate) hash: Option<&'a str>,
    /// The picture: a model may lie beside it.
    pub(crate) picture: &'a Path,
}

impl Recorded<'_> {
    /// The model's name as a film would write it, and what should be said about it.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none of that hash or name; both are named.
    pub(crate) fn find(&self) -> Result<(String, Option<String>)> {
        let candidates = self.candidates();
        let same = |model: &&String| self.hash.is_some() && self.hash_of(model).as_deref() == self.hash;
        if let Some(same) = candidates.iter().find(same) {
            return Ok((same.clone(), None));
        }
        let called = self.name.and_then(|name| candidates.iter().find(|model| stem(model) == stem(name)));
        let model = called.ok_or_else(|| self.missing())?;
        let other = self.hash.zip(self.hash_of(model)).filter(|(wanted, found)| wanted != found);
        let warning = other.map(|(wanted, found)| {
            format!(
                "the picture was made with {model} of hash {wanted}, the one that is there has {found}: it may look \
                 different"
            )
        });
        Ok((model.clone(), warning))
    }

    /// Models that it may be: those that are compiled in, what has its name here or beside the picture, and what
    /// is known to have its hash.
    fn candidates(&self) -> Vec<String> {
        let Ok(library) = library(Path::new("")) else { return Vec::new() };
        let beside = self.picture.parent().unwrap_or(Path::new(""));
        let is_whole = self.role == Role::Checkpoint;
        let embedded = ModelFolder::embedded_names().into_iter().filter(|_| is_whole).map(str::to_owned);
        let named = self.name.into_iter().flat_map(|name| {
            let away = beside.join(name).display().to_string();
            [name.to_owned(), away]
        });
        // Whether it can be used is said when it is loaded.
        let is_there =
            |model: &String| ModelFolder::embedded(model).is_some() || library.find(self.role, model).is_ok();
        let hashed = library.list().iter().filter(|entry| entry.role.is_none_or(|role| role == self.role));
        let hashed = hashed.filter(|entry| entry.path.is_file() && self.is_known(&entry.path));
        let hashed = hashed.map(|entry| entry.path.display().to_string());
        embedded.chain(named).filter(is_there).chain(hashed).collect()
    }

    /// Whether a file has the hash, as far as that is known without reading gigabytes.
    fn is_known(&self, path: &Path) -> bool {
        let Some(hash) = self.hash else { return false };
        let known = if is_old(hash) { digest::old_short(path).ok() } else { digest::known_short(path) };
        known.as_deref() == Some(hash)
    }

    /// The start of a model's hash.
    fn hash_of(&self, model: &str) -> Option<String> {
        let folder = find(self.role, model, Path::new("")).ok()?;
        match folder.label() {
            file if self.hash.is_some_and(is_old) && file.is_file() => digest::old_short(&file).ok(),
            _ => identity(&folder).ok().map(|(_, hash)| hash),
        }
    }

    fn missing(&self) -> Error {
        let name = self.name.unwrap_or("unknown");
        let hash = self.hash.map_or_else(String::new, |hash| format!(" (hash {hash})"));
        let what = self.role.name();
        Error::model(
            Path::new(name),
            format!("the picture was made with {name}{hash}, and there is no {what} of that hash or name"),
        )
        .with_hint(format!(
            "give one with `{}`, or name the folder it lies in with `--models-dir`; `kinora models --hash` learns the hashes of renamed files",
            self.option
        ))
    }
}

/// Whether a hash is of the web UI's first kind, which has eight digits.
fn is_old(hash: &str) -> bool {
    hash.len() == 8
}
