//! Cuts a prompt into chunks of as many tokens as the text encoder has places for.
//!
//! The rules are A1111's (`sd_hijack_clip`): text fills a chunk to its last place; when it overflows and
//! a comma is near the end, what follows the comma moves to the next chunk, so that a phrase is not torn.

use super::emphasis::{Fragment, fragments};
use super::tokenizer::Tokenizer;
use crate::error::Result;

/// How many tokens from the end of a full chunk a comma may lie to be broken at (A1111's default).
const COMMA_BACKTRACK: usize = 20;

/// One pass through the text encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Start token, text, and end tokens to the last place.
    pub tokens: Vec<u32>,
    /// One weight a token; 1 on start, end and filling.
    pub weights: Vec<f64>,
}

impl Chunk {
    /// The tokens as the encoder wants them: behind the first end token, `pad` fills the chunk.
    pub fn padded(&self, end: u32, pad: u32) -> Vec<u32> {
        let mut tokens = self.tokens.clone();
        if let Some(first) = tokens.iter().position(|token| *token == end) {
            tokens[first + 1..].fill(pad);
        }
        tokens
    }
}

/// The chunks of a prompt, each of `places` tokens. There is always at least one.
///
/// `emphasis` false takes brackets for text and `BREAK` for a word.
///
/// # Errors
/// Those of [`Tokenizer::ids`].
pub fn chunks(prompt: &str, tokenizer: &Tokenizer, places: usize, emphasis: bool) -> Result<Vec<Chunk>> {
    let parts =
        if emphasis { fragments(prompt) } else { vec![Fragment { text: prompt.to_owned(), weight: 1.0 }] };
    let mut builder = Builder::new(tokenizer, places.saturating_sub(2).max(1));
    for part in &parts {
        if part.is_break() {
            builder.finish_chunk();
            continue;
        }
        for token in tokenizer.ids(&part.text)? {
            builder.push(token, part.weight);
        }
    }
    Ok(builder.finish())
}

/// A chunk that holds no text.
pub fn empty_chunk(tokenizer: &Tokenizer, places: usize) -> Chunk {
    let mut builder = Builder::new(tokenizer, places.saturating_sub(2).max(1));
    builder.finish_chunk();
    builder.done.swap_remove(0)
}

struct Builder<'a> {
    tokenizer: &'a Tokenizer,
    /// Tokens of text in a chunk: its places without start and end.
    room: usize,
    open: Vec<(u32, f64)>,
    /// Place of the last comma in the open chunk.
    comma: Option<usize>,
    done: Vec<Chunk>,
}

impl<'a> Builder<'a> {
    fn new(tokenizer: &'a Tokenizer, room: usize) -> Self {
        Self { tokenizer, room, open: Vec::new(), comma: None, done: Vec::new() }
    }

    fn push(&mut self, token: u32, weight: f64) {
        if Some(token) == self.tokenizer.comma() {
            self.comma = Some(self.open.len());
        } else if self.open.len() == self.room
            && let Some(comma) = self.comma
            && self.room - comma <= COMMA_BACKTRACK
        {
            let moved = self.open.split_off(comma + 1);
            self.finish_chunk();
            self.open = moved;
        }
        if self.open.len() == self.room {
            self.finish_chunk();
        }
        self.open.push((token, weight));
    }

    fn finish_chunk(&mut self) {
        let end = (self.tokenizer.end(), 1.0);
        self.open.resize(self.room, end);
        let text = std::mem::take(&mut self.open);
        let all = std::iter::once((self.tokenizer.start(), 1.0)).chain(text).chain([end]);
        let (tokens, weights) = all.unzip();
        self.done.push(Chunk { tokens, weights });
        self.comma = None;
    }

    fn finish(mut self) -> Vec<Chunk> {
        if !self.open.is_empty() || self.done.is_empty() {
            self.finish_chunk();
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::ModelFolder;

    fn tiny() -> Tokenizer {
        Tokenizer::load(&ModelFolder::embedded("kinora-tiny").unwrap().join("tokenizer")).unwrap()
    }

    /// The text tokens of all chunks, in order.
    fn text(chunks: &[Chunk], end: u32) -> Vec<u32> {
        chunks
            .iter()
            .flat_map(|c| c.tokens[1..c.tokens.len() - 1].iter().copied().filter(move |t| *t != end))
            .collect()
    }

    #[test]
    fn an_overflow_breaks_behind_a_near_comma() {
        let tokenizer = tiny();
        let comma = tokenizer.comma().unwrap();
        let prompt = format!("{}, {}", "sea ".repeat(70), "snow ".repeat(10));
        let chunks = chunks(&prompt, &tokenizer, 77, true).unwrap();
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0].tokens[71], comma);
        assert_eq!(chunks[0].tokens[72], tokenizer.end());
        let far = format!("{}, {}", "sea ".repeat(50), "snow ".repeat(30));
        assert_ne!(super::chunks(&far, &tokenizer, 77, true).unwrap()[0].tokens[75], tokenizer.end());
    }

    #[test]
    fn a_break_at_the_end_leaves_no_empty_chunk_but_one_at_the_start_does() {
        let tokenizer = tiny();
        assert_eq!(chunks("sea BREAK", &tokenizer, 77, true).unwrap().len(), 1);
        let begun = chunks("BREAK sea", &tokenizer, 77, true).unwrap();
        assert_eq!(begun.len(), 2);
        assert_eq!(begun[0], empty_chunk(&tokenizer, 77));
    }

    #[test]
    fn padding_begins_behind_the_first_end() {
        let chunk = Chunk { tokens: vec![7, 1, 9, 9, 9], weights: vec![1.0; 5] };
        assert_eq!(chunk.padded(9, 0), [7, 1, 9, 0, 0]);
        assert_eq!(chunk.padded(9, 9), chunk.tokens);
    }

    proptest! {
        #[test]
        fn chunks_keep_every_token_in_order(words in prop::collection::vec("sea|snow|[a-z]{1,9}|,|[0-9]{1,4}", 0..120),
                                           places in 3_usize..90) {
            let tokenizer = tiny();
            let prompt = words.join(" ");
            let chunks = chunks(&prompt, &tokenizer, places, true).unwrap();
            prop_assert!(chunks.iter().all(|c| c.tokens.len() == places && c.weights.len() == places));
            prop_assert!(chunks.iter().all(|c| c.tokens[0] == tokenizer.start()));
            prop_assert_eq!(text(&chunks, tokenizer.end()), tokenizer.ids(&prompt).unwrap());
        }

        #[test]
        fn any_text_is_chunked(prompt in r"([()\[\]:,.\\ a-z0-9]|BREAK|\PC){0,200}") {
            prop_assert!(!chunks(&prompt, &tiny(), 77, true).unwrap().is_empty());
        }
    }
}
