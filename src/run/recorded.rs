//! The models that pictures say they were made with.

use std::path::Path;

use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::models::library::Role;
use crate::run::caption::stem;
use crate::run::library::library;
use crate::run::models::{find, identity};

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

    /// Models that it may be: those that are compiled in, and what has its name here or beside the picture.
    fn candidates(&self) -> Vec<String> {
        let beside = self.picture.parent().unwrap_or(Path::new(""));
        let is_whole = self.role == Role::Checkpoint;
        let embedded = ModelFolder::embedded_names().into_iter().filter(|_| is_whole).map(str::to_owned);
        let named = self.name.into_iter().flat_map(|name| {
            let away = beside.join(name).display().to_string();
            [name.to_owned(), away]
        });
        // Whether it can be used is said when it is loaded.
        let is_there = |model: &String| {
            ModelFolder::embedded(model).is_some()
                || library(Path::new("")).is_ok_and(|library| library.find(self.role, model).is_ok())
        };
        embedded.chain(named).filter(is_there).collect()
    }

    /// The start of a model's hash.
    fn hash_of(&self, model: &str) -> Option<String> {
        identity(&find(self.role, model, Path::new("")).ok()?).ok().map(|(_, hash)| hash)
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
            "give one with `{}`, or name the folder it lies in with `--models-dir`",
            self.option
        ))
    }
}
