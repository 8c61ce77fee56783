//! Textual inversions: words that bring their own embeddings (Gal et al. 2022, arXiv:2208.01618).
//!
//! As in sd-webui an embedding is named in a prompt by the name of its file, and found among the prompt's tokens:
//! upper and lower case do not matter, the longest name wins, and each of its vectors takes a token's place. Files
//! are read when a prompt names them, and once.

mod archive;
mod file;
mod pickle;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use candle_core::{Device, Tensor};

pub use self::file::{EmbeddingFile, read};

use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::models::family::Base;

/// Embeddings known by name, whichever model they were made for.
#[derive(Debug, Default)]
pub struct Embeddings {
    list: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    path: PathBuf,
    file: OnceLock<EmbeddingFile>,
}

impl Embeddings {
    /// Names and files. Of two of one name (whatever their case) the first counts. Nothing is read yet.
    pub fn new(list: Vec<(String, PathBuf)>) -> Self {
        let mut seen = std::collections::BTreeSet::new();
        let fresh = list.into_iter().filter(|(name, _)| seen.insert(name.to_lowercase()));
        let known = |(name, path)| Known { name, path, file: OnceLock::new() };
        Self { list: fresh.map(known).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The name of an embedding.
    pub fn name(&self, number: usize) -> &str {
        &self.list[number].name
    }

    /// The file of an embedding.
    pub fn path(&self, number: usize) -> &Path {
        &self.list[number].path
    }

    /// Names and files, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.list.iter().map(|known| (known.name.as_str(), known.path.as_path()))
    }

    /// The content of an embedding's file, read when it is first asked for.
    fn file(&self, number: usize) -> Result<&EmbeddingFile> {
        let known = &self.list[number];
        if let Some(file) = known.file.get() {
            return Ok(file);
        }
        let file = read(&known.path)?;
        Ok(known.file.get_or_init(|| file))
    }
}

/// Which text encoder of a model vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The only one.
    Only,
    /// SDXL's first, CLIP-L.
    First,
    /// SDXL's second, OpenCLIP bigG.
    Second,
}

/// The embeddings as one text encoder knows them: by the tokens of their names.
#[derive(Clone, Debug)]
pub struct Words {
    embeddings: Arc<Embeddings>,
    part: Part,
    /// Channels of the encoder.
    width: usize,
    /// Places for text in a chunk.
    room: usize,
    /// Tokens of names and numbers of embeddings by their first token; the longest first.
    by_token: BTreeMap<u32, Vec<(Vec<u32>, usize)>>,
}

/// An embedding that was found among tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number in [`Embeddings`].
    pub embedding: usize,
    /// How many tokens its name takes.
    pub tokens: usize,
    /// How many places its vectors take.
    pub vectors: usize,
}

impl Words {
    /// Looks up the tokens of all names. `width` is the encoder's, `room` the places for text in a chunk.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn new(
        embeddings: &Arc<Embeddings>,
        part: Part,
        tokenizer: &Tokenizer,
        (width, room): (usize, usize),
    ) -> Result<Self> {
        let mut by_token: BTreeMap<u32, Vec<(Vec<u32>, usize)>> = BTreeMap::new();
        for (number, (name, _)) in embeddings.iter().enumerate() {
            let ids = tokenizer.ids(name)?;
            if let Some(first) = ids.first() {
                by_token.entry(*first).or_default().push((ids, number));
            }
        }
        by_token.values_mut().for_each(|list| list.sort_by_key(|(ids, _)| std::cmp::Reverse(ids.len())));
        Ok(Self { embeddings: Arc::clone(embeddings), part, width, room, by_token })
    }

    /// The embedding whose name begins at a place of a text's tokens.
    ///
    /// # Errors
    /// [`Error::Model`] when there is one and its file cannot be read, is made for another model, or has more
    /// vectors than a chunk has places.
    pub fn find(&self, tokens: &[u32], at: usize) -> Result<Option<Found>> {
        let rest = &tokens[at..];
        let named = rest.first().and_then(|first| self.by_token.get(first));
        let found = named.into_iter().flatten().find(|(ids, _)| rest.starts_with(ids));
        let Some((ids, embedding)) = found else { return Ok(None) };
        let vectors = self.vectors(*embedding)?.dims()[0];
        if vectors > self.room {
            let message = format!("expected at most {} vectors, found {vectors}", self.room);
            return Err(Error::model(self.embeddings.path(*embedding), message)
                .with_hint("a chunk of a prompt has no more places for tokens"));
        }
        Ok(Some(Found { embedding: *embedding, tokens: ids.len(), vectors }))
    }

    /// The vectors of an embedding for this encoder, `[n, C]`, on the CPU.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be read or is made for another model.
    pub fn vectors(&self, embedding: usize) -> Result<&Tensor> {
        let file = self.embeddings.file(embedding)?;
        let path = self.embeddings.path(embedding);
        let (vectors, _) = file.part(self.part, path)?;
        let found = vectors.dims()[1];
        if found == self.width {
            return Ok(vectors);
        }
        let (name, made) = (self.embeddings.name(embedding), family(found));
        let wanted = family(self.width);
        let message = format!(
            "embedding `{name}`: expected vectors of {} numbers, for {wanted}, found {found}, for {made}",
            self.width
        );
        Err(Error::model(path, message).with_hint("take an embedding that was made for the film's model"))
    }

    /// As [`Words::vectors`], where the encoder computes.
    ///
    /// # Errors
    /// Those of [`Words::vectors`], and [`Error::Bug`] when the device refuses them.
    pub fn vectors_on(&self, embedding: usize, device: &Device) -> Result<Tensor> {
        let moved = self.vectors(embedding)?.to_device(device);
        moved.map_err(|e| Error::Bug(format!("an embedding cannot be moved to the device: {e}")))
    }

    /// The name of an embedding.
    pub fn name(&self, embedding: usize) -> &str {
        self.embeddings.name(embedding)
    }
}

/// Which models have text encoders of this width.
fn family(width: usize) -> String {
    match Base::of_context(width) {
        Some(Base::XlRefiner) => format!("the second text encoder of {}", Base::Xl.name()),
        Some(base) => base.name().to_owned(),
        None => "another model".to_owned(),
    }
}

#[cfg(test)]
mod tests;
