//! Cuts a prompt into chunks of as many tokens as the text encoder has places for.
//!
//! The rules are A1111's (`sd_hijack_clip`): text fills a chunk to its last place; when it overflows and
//! a comma is near the end, what follows the comma moves to the next chunk, so that a phrase is not torn. The
//! vectors of a textual inversion stay together: one that does not fit begins the next chunk.
//!
//! One thing differs: when a textual inversion is moved behind a comma, A1111 forgets to move its vectors.
//!
//! Time and memory are linear in the length of the prompt.

use super::embeddings::{Found, Words};
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
    /// Places that vectors of textual inversions take, in order.
    pub insertions: Vec<Insertion>,
}

/// Where the vectors of a textual inversion go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The first place, counted from the start token.
    pub at: usize,
    /// How many places.
    pub vectors: usize,
    /// Which one, see [`Words`].
    pub embedding: usize,
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
/// `emphasis` false takes brackets for text and `BREAK` for a word. `words` are the textual inversions that the
/// prompt may name.
///
/// # Errors
/// Those of [`Tokenizer::ids`] and [`Words::find`].
pub fn chunks(
    prompt: &str,
    tokenizer: &Tokenizer,
    places: usize,
    emphasis: bool,
    words: Option<&Words>,
) -> Result<Vec<Chunk>> {
    let parts =
        if emphasis { fragments(prompt) } else { vec![Fragment { text: prompt.to_owned(), weight: 1.0 }] };
    let mut builder = Builder::new(tokenizer, places.saturating_sub(2).max(1));
    for part in &parts {
        if part.is_break() {
            builder.finish_chunk();
            continue;
        }
        let tokens = tokenizer.ids(&part.text)?;
        let mut at = 0;
        while at < tokens.len() {
            builder.make_room(tokens[at]);
            at += match words.map(|words| words.find(&tokens, at)).transpose()?.flatten() {
                Some(found) => builder.insert(found, part.weight),
                None => builder.push(tokens[at], part.weight),
            };
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
    /// Textual inversions in the open chunk, counted without its start token.
    inserted: Vec<Insertion>,
    /// Place of the last comma in the open chunk.
    comma: Option<usize>,
    done: Vec<Chunk>,
}

impl<'a> Builder<'a> {
    fn new(tokenizer: &'a Tokenizer, room: usize) -> Self {
        Self { tokenizer, room, open: Vec::new(), inserted: Vec::new(), comma: None, done: Vec::new() }
    }

    /// Begins a new chunk when this one is full. `token` comes next.
    fn make_room(&mut self, token: u32) {
        if Some(token) == self.tokenizer.comma() {
            self.comma = Some(self.open.len());
        } else if self.open.len() == self.room
            && let Some(comma) = self.comma
            && self.room - comma <= COMMA_BACKTRACK
        {
            self.break_behind(comma + 1);
        }
        if self.open.len() == self.room {
            self.finish_chunk();
        }
    }

    /// Ends the chunk before its place `at`; what is there moves to the next one.
    fn break_behind(&mut self, at: usize) {
        let moved = self.open.split_off(at);
        let first = self.inserted.partition_point(|insertion| insertion.at < at);
        let mut inserted = self.inserted.split_off(first);
        inserted.iter_mut().for_each(|insertion| insertion.at -= at);
        self.finish_chunk();
        (self.open, self.inserted) = (moved, inserted);
    }

    /// Adds a token; gives the number of tokens that are done with.
    fn push(&mut self, token: u32, weight: f64) -> usize {
        self.open.push((token, weight));
        1
    }

    /// Adds places for vectors; gives the number of tokens that are done with.
    fn insert(&mut self, found: Found, weight: f64) -> usize {
        let Found { embedding, tokens, vectors } = found;
        if self.open.len() + vectors > self.room {
            self.finish_chunk();
        }
        self.inserted.push(Insertion { at: self.open.len(), vectors, embedding });
        // Whatever the token is: its embedding is replaced.
        self.open.extend(std::iter::repeat_n((0, weight), vectors));
        tokens
    }

    fn finish_chunk(&mut self) {
        let end = (self.tokenizer.end(), 1.0);
        self.open.resize(self.room, end);
        let text = std::mem::take(&mut self.open);
        let all = std::iter::once((self.tokenizer.start(), 1.0)).chain(text).chain([end]);
        let (tokens, weights) = all.unzip();
        let behind_start = |insertion: Insertion| Insertion { at: insertion.at + 1, ..insertion };
        let insertions = std::mem::take(&mut self.inserted).into_iter().map(behind_start).collect();
        self.done.push(Chunk { tokens, weights, insertions });
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
        let chunks = chunks(&prompt, &tokenizer, 77, true, None).unwrap();
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0].tokens[71], comma);
        assert_eq!(chunks[0].tokens[72], tokenizer.end());
        let far = format!("{}, {}", "sea ".repeat(50), "snow ".repeat(30));
        assert_ne!(super::chunks(&far, &tokenizer, 77, true, None).unwrap()[0].tokens[75], tokenizer.end());
    }

    #[test]
    fn a_break_at_the_end_leaves_no_empty_chunk_but_one_at_the_start_does() {
        let tokenizer = tiny();
        assert_eq!(chunks("sea BREAK", &tokenizer, 77, true, None).unwrap().len(), 1);
        let begun = chunks("BREAK sea", &tokenizer, 77, true, None).unwrap();
        assert_eq!(begun.len(), 2);
        assert_eq!(begun[0], empty_chunk(&tokenizer, 77));
    }

    #[test]
    fn padding_begins_behind_the_first_end() {
        let chunk = Chunk { tokens: vec![7, 1, 9, 9, 9], weights: vec![1.0; 5], insertions: Vec::new() };
        assert_eq!(chunk.padded(9, 0), [7, 1, 9, 0, 0]);
        assert_eq!(chunk.padded(9, 9), chunk.tokens);
    }

    #[test]
    fn prompts_of_a_hundred_thousand_characters_are_cut() {
        let tokenizer = tiny();
        let of = |unit: &str| -> String { unit.repeat(100_000 / unit.len()) };
        for unit in [
            "sea ",
            "a",
            ",",
            "(",
            "(a",
            "[a",
            "a)",
            "\\",
            "\u{0}",
            "\u{200d}\u{1f409}",
            "BREAK ",
            "e\u{301}",
            "\n",
        ] {
            let chunks = chunks(&of(unit), &tokenizer, 77, true, None).unwrap();
            assert!(!chunks.is_empty() && chunks.iter().all(|chunk| chunk.tokens.len() == 77), "{unit:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_keep_every_token_in_order(words in prop::collection::vec("sea|snow|[a-z]{1,9}|,|[0-9]{1,4}", 0..120),
                                           places in 3_usize..90) {
            let tokenizer = tiny();
            let prompt = words.join(" ");
            let chunks = chunks(&prompt, &tokenizer, places, true, None).unwrap();
            prop_assert!(chunks.iter().all(|c| c.tokens.len() == places && c.weights.len() == places));
            prop_assert!(chunks.iter().all(|c| c.tokens[0] == tokenizer.start()));
            prop_assert_eq!(text(&chunks, tokenizer.end()), tokenizer.ids(&prompt).unwrap());
        }

        #[test]
        fn any_text_is_chunked(prompt in r"([()\[\]:,.\\ a-z0-9]|BREAK|\PC){0,200}") {
            prop_assert!(!chunks(&prompt, &tiny(), 77, true, None).unwrap().is_empty());
        }
    }
}
