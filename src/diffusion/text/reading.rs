//! How a prompt is read, to be shown: which text is in force when, cut into which tokens with which weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::WeighedToken;
use super::chunk::{Chunk, chunks};
use super::clip::ClipConfig;
use super::compose::{SubPrompt, sub_prompts};
use super::editing::Edited;
use super::embeddings::{Embeddings, Part, Words};
use super::tokenizer::Tokenizer;
use crate::error::Result;
use crate::models::ModelFolder;

/// Reads prompts as a model does, without its weights.
#[derive(Debug)]
pub struct PromptReader {
    tokenizer: Tokenizer,
    places: usize,
    words: Words,
}

/// One of the prompts that `AND` joins.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPrompt {
    /// Its weight.
    pub weight: f64,
    /// Its texts in the order of their first calls.
    pub texts: Vec<ReadText>,
}

/// A text with the calls of the denoiser at which it is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadText {
    /// First and last call of each stretch, from 0.
    pub calls: Vec<(usize, usize)>,
    /// The text.
    pub text: String,
    /// Its tokens chunk by chunk, without start, end and filling.
    pub chunks: Vec<Vec<WeighedToken>>,
}

impl PromptReader {
    /// Reads tokenizer and config of a model in diffusers layout (of SDXL the first text encoder's).
    ///
    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model) when files are missing or cannot be understood.
    pub fn load(model: &ModelFolder, embeddings: &Arc<Embeddings>) -> Result<Self> {
        let config = ClipConfig::load(&model.join("text_encoder"))?;
        let tokenizer = Tokenizer::of_encoder(&model.join("tokenizer"), &config)?;
        let part = if model.join("text_encoder_2").exists() { Part::First } else { Part::Only };
        let places = config.max_position_embeddings;
        let size = (config.hidden_size, places.saturating_sub(2).max(1));
        let words = Words::new(embeddings, part, &tokenizer, size)?;
        Ok(Self { tokenizer, places, words })
    }

    /// How a prompt is read in a run of `calls` planned calls. A negative prompt is not divided by `AND`.
    ///
    /// # Errors
    /// Those of [`chunks`].
    pub fn read(&self, prompt: &str, negative: bool, calls: usize) -> Result<Vec<ReadPrompt>> {
        let parts =
            if negative { vec![SubPrompt { text: prompt, weight: 1.0 }] } else { sub_prompts(prompt) };
        let one = |part: &SubPrompt<'_>| {
            Ok(ReadPrompt { weight: part.weight, texts: self.texts(part.text, calls)? })
        };
        parts.iter().map(one).collect()
    }

    fn texts(&self, prompt: &str, calls: usize) -> Result<Vec<ReadText>> {
        let edited = Edited::read(prompt);
        let mut found: Vec<ReadText> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut first = 0;
        for end in edited.ends(calls) {
            let last = end.min(calls.saturating_sub(1));
            if first > last {
                break;
            }
            let text = edited.at(end, calls);
            match known.get(&text) {
                Some(at) => extend(&mut found[*at].calls, (first, last)),
                None => {
                    let chunks = self.tokens(&text)?;
                    known.insert(text.clone(), found.len());
                    found.push(ReadText { calls: vec![(first, last)], text, chunks });
                }
            }
            first = last + 1;
        }
        Ok(found)
    }

    fn tokens(&self, text: &str) -> Result<Vec<Vec<WeighedToken>>> {
        let found = chunks(text, &self.tokenizer, self.places, true, Some(&self.words))?;
        Ok(found.iter().map(|chunk| weighed(chunk, &self.tokenizer, Some(&self.words))).collect())
    }
}

/// Adds a stretch of calls, to the last one where it follows that.
fn extend(calls: &mut Vec<(usize, usize)>, (first, last): (usize, usize)) {
    match calls.last_mut() {
        Some(before) if before.1 + 1 == first => before.1 = last,
        _ => calls.push((first, last)),
    }
}

/// The text of a chunk.
pub(super) fn weighed(chunk: &Chunk, tokenizer: &Tokenizer, words: Option<&Words>) -> Vec<WeighedToken> {
    let (mut found, mut at, mut inserted) = (Vec::new(), 1, chunk.insertions.iter().peekable());
    while at < chunk.tokens.len() {
        let weight = chunk.weights[at];
        if let (Some(here), Some(words)) = (inserted.next_if(|i| i.at == at), words) {
            let (text, vectors) = (words.name(here.embedding).to_owned(), here.vectors);
            found.push(WeighedToken { text, vectors, weight });
            at += vectors;
        } else if chunk.tokens[at] == tokenizer.end() {
            break;
        } else {
            let text = tokenizer.token(chunk.tokens[at]).unwrap_or_default();
            found.push(WeighedToken { text, vectors: 0, weight });
            at += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_told_call_by_call() {
        let model = ModelFolder::embedded("kinora-tiny").unwrap();
        let reader = PromptReader::load(&model, &Arc::new(Embeddings::default())).unwrap();
        let read = reader.read("[sea|(fog:1.5)] AND snow :0.5", false, 6).unwrap();
        assert_eq!(read.iter().map(|prompt| prompt.weight).collect::<Vec<_>>(), [1.0, 0.5]);
        let texts: Vec<(&str, &[(usize, usize)])> =
            read[0].texts.iter().map(|text| (text.text.as_str(), text.calls.as_slice())).collect();
        // The first option has one call more.
        assert_eq!(texts[0], ("sea", [(0, 1), (3, 3), (5, 5)].as_slice()));
        assert_eq!(texts[1], ("(fog:1.5)", [(2, 2), (4, 4)].as_slice()));
        assert!(read[0].texts[1].chunks[0].iter().all(|token| token.weight == 1.5));
        assert_eq!(read[1].texts[0].calls, [(0, 5)]);
        assert_eq!(reader.read("a AND b", true, 6).unwrap().len(), 1);
    }
}
