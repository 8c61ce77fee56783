//! A prompt becomes embeddings: emphasis, chunks, tokens, CLIP, weights.
//!
//! ```text
//! prompt ─compose→ sub-prompts ─editing→ the text at a call
//! text ─emphasis→ fragments ─tokenizer, chunk→ chunks of 77 ─clip→ hidden states ─weights→ Encoded
//! ```
//!
//! The reading of prompts is A1111's, so that films written for Deforum keep their meaning. Any text is a prompt:
//! control characters, other scripts and brackets that nobody closes are read as A1111 reads them. Reading takes time
//! linear in the length (weights of brackets in brackets: times their depth), and the encoders take a batch of chunks
//! at a time: a prompt of 100 000 characters is slow, since its hundreds of chunks all go through the text encoder
//! and the UNet looks at each of their tokens, but takes little more memory than its embeddings have.

pub mod chunk;
pub mod clip;
pub mod compose;
pub mod editing;
pub mod embeddings;
pub mod emphasis;
mod pair;
pub mod reading;
pub mod tags;
pub mod tokenizer;
mod weigh;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

use self::chunk::{Chunk, Insertion, chunks, empty_chunk};
use self::clip::{Activation, ClipConfig, ClipOutput, ClipTextEncoder};
use self::embeddings::{Embeddings, Part, Words};
use self::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::models::{ModelFolder, model_error};

pub use self::pair::TextPair;

/// What a prompt's weights do to its embeddings (names and rules of A1111's emphasis modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// Times the weights, then each chunk scaled back to the mean it had.
    #[default]
    Original,
    /// Times the weights.
    NoNorm,
    /// Brackets are read, their weights are not used.
    Ignore,
    /// Brackets are text.
    Literal,
}

/// A prompt as the networks take it.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// One embedding a token, `[1, places · chunks, C]`.
    pub embeddings: Tensor,
    /// The projected embedding of the first chunk, `[1, P]`, where the text model has a projection.
    pub pooled: Option<Tensor>,
}

/// Chunks that go through the text encoder at a time.
const BATCH: usize = 8;

/// A token with the weight that is in force on it.
#[derive(Clone, Debug, PartialEq)]
pub struct WeighedToken {
    /// The token as the vocabulary writes it: `cat</w>` for a whole word, `ca` for its beginning; or the name of a
    /// textual inversion.
    pub text: String,
    /// How many vectors the textual inversion of this name has; 0 for a token.
    pub vectors: usize,
    /// What its embedding is multiplied by; 1 is neutral.
    pub weight: f64,
}

/// Which hidden state becomes the embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// `clip_skip` from the end (1 = last), through the final layer norm.
    Normed(u32),
    /// The last but one, as it is: SDXL.
    Penultimate,
}

impl Layer {
    /// Its place from the end, 1 for the last.
    fn back(self) -> usize {
        match self {
            Self::Normed(skip) => skip.max(1) as usize,
            Self::Penultimate => 2,
        }
    }
}

/// A text encoder with its tokenizer.
#[derive(Clone, Debug)]
pub struct TextModel {
    encoder: ClipTextEncoder,
    tokenizer: Tokenizer,
    emphasis: Emphasis,
    words: Option<Words>,
    place: std::path::PathBuf,
}

impl TextModel {
    /// Loads a text encoder and its tokenizer from their folders.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or do not fit each other.
    pub fn load(encoder: &ModelFolder, tokenizer: &ModelFolder, device: &Device) -> Result<Self> {
        Self::load_from(encoder, encoder.weights(device)?, tokenizer)
    }

    /// As [`TextModel::load`], with the weights of the encoder from elsewhere (LoRAs merged in).
    ///
    /// # Errors
    /// As [`TextModel::load`].
    pub fn load_from(
        encoder: &ModelFolder,
        weights: VarBuilder<'static>,
        tokenizer: &ModelFolder,
    ) -> Result<Self> {
        let config = ClipConfig::load(encoder)?;
        let build = |weights| ClipTextEncoder::new(config.clone(), weights);
        let network = build(weights).map_err(|e| encoder.explain("text encoder", &e, build))?;
        let model = Self::new(network, Tokenizer::of_encoder(tokenizer, &config)?);
        Ok(Self { place: encoder.label(), ..model })
    }

    /// Puts together what was loaded elsewhere (a single-file checkpoint, weights with LoRAs merged in).
    pub fn new(encoder: ClipTextEncoder, tokenizer: Tokenizer) -> Self {
        Self { encoder, tokenizer, emphasis: Emphasis::default(), words: None, place: "text encoder".into() }
    }

    /// Makes textual inversions known. `part` says which of their vectors are for this encoder.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn set_embeddings(&mut self, embeddings: &Arc<Embeddings>, part: Part) -> Result<()> {
        let size = (self.encoder.config().hidden_size, self.places().saturating_sub(2).max(1));
        let words = || Words::new(embeddings, part, &self.tokenizer, size);
        self.words = if embeddings.is_empty() { None } else { Some(words()?) };
        Ok(())
    }

    /// Whether the encoder is one of OpenCLIP's (Stable Diffusion 2, SDXL's second): its layer is fixed.
    pub fn is_open_clip(&self) -> bool {
        self.encoder.config().hidden_act == Activation::Gelu
    }

    /// The same model with another use of weights.
    #[must_use]
    pub fn with_emphasis(self, emphasis: Emphasis) -> Self {
        Self { emphasis, ..self }
    }

    /// Another network in the place of this one, of the same sizes.
    pub fn set_encoder(&mut self, encoder: ClipTextEncoder) {
        self.encoder = encoder;
    }

    /// The network alone.
    pub fn encoder(&self) -> &ClipTextEncoder {
        &self.encoder
    }

    /// The tokenizer alone.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The prompt's chunks, before padding.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`] and [`Words::find`].
    pub fn chunks(&self, prompt: &str) -> Result<Vec<Chunk>> {
        let emphasis = self.emphasis != Emphasis::Literal;
        chunks(prompt, &self.tokenizer, self.places(), emphasis, self.words.as_ref())
    }

    /// The prompt's tokens chunk by chunk, with the weights in force, without start, end and filling.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn weighed_tokens(&self, prompt: &str) -> Result<Vec<Vec<WeighedToken>>> {
        let mut chunks = self.chunks(prompt)?;
        if self.emphasis == Emphasis::Ignore {
            chunks.iter_mut().for_each(|chunk| chunk.weights.fill(1.0));
        }
        let text = |chunk: &Chunk| reading::weighed(chunk, &self.tokenizer, self.words.as_ref());
        Ok(chunks.iter().map(text).collect())
    }

    /// Encodes a prompt. `clip_skip` counts layers from the end: 1 (or 0) is the last, 2 the last but one;
    /// the final layer norm is applied to whichever it is.
    ///
    /// # Errors
    /// [`Error::Model`] when the text encoder has fewer layers than `clip_skip` asks for, or its
    /// vocabulary is smaller than the tokenizer's.
    pub fn encode(&self, prompt: &str, clip_skip: u32) -> Result<Encoded> {
        self.encode_layer(self.chunks(prompt)?, Layer::Normed(clip_skip))
    }

    /// Encodes a prompt and its negative with the same number of chunks: the shorter one is filled up
    /// with empty chunks, so that both can go through the UNet in one batch.
    ///
    /// # Errors
    /// Those of [`TextModel::encode`].
    pub fn encode_both(&self, positive: &str, negative: &str, clip_skip: u32) -> Result<(Encoded, Encoded)> {
        let (positive, negative) = self.equal_chunks(positive, negative)?;
        let layer = Layer::Normed(clip_skip);
        Ok((self.encode_layer(positive, layer)?, self.encode_layer(negative, layer)?))
    }

    /// Chunks of two prompts, filled up with empty ones to the same number.
    fn equal_chunks(&self, a: &str, b: &str) -> Result<(Vec<Chunk>, Vec<Chunk>)> {
        let (mut a, mut b) = (self.chunks(a)?, self.chunks(b)?);
        let count = a.len().max(b.len());
        let empty = empty_chunk(&self.tokenizer, self.places());
        a.resize(count, empty.clone());
        b.resize(count, empty);
        Ok((a, b))
    }

    fn places(&self) -> usize {
        self.encoder.config().max_position_embeddings
    }

    /// The texts of a prompt that changes, each with how often it comes up: filled up with empty chunks to the
    /// longest, and weighed together as A1111 does it: emphasis in one of them has an effect on the others.
    ///
    /// # Errors
    /// Those of [`TextModel::encode`].
    pub fn encode_many(&self, texts: &[(String, usize)], clip_skip: u32) -> Result<Vec<Encoded>> {
        self.encode_layers(&self.chunks_of(texts)?, Layer::Normed(clip_skip))
    }

    /// Chunks of texts, filled up with empty ones to the same number.
    fn chunks_of(&self, texts: &[(String, usize)]) -> Result<Vec<(Vec<Chunk>, usize)>> {
        let chunks = |(text, times): &(String, usize)| Ok((self.chunks(text)?, *times));
        let mut found = texts.iter().map(chunks).collect::<Result<Vec<_>>>()?;
        let longest = found.iter().map(|(chunks, _)| chunks.len()).max().unwrap_or(0);
        let empty = empty_chunk(&self.tokenizer, self.places());
        found.iter_mut().for_each(|(chunks, _)| chunks.resize(longest, empty.clone()));
        Ok(found)
    }

    fn encode_layer(&self, chunks: Vec<Chunk>, layer: Layer) -> Result<Encoded> {
        let mut encoded = self.encode_layers(&[(chunks, 1)], layer)?;
        encoded.pop().ok_or_else(|| Error::Bug("a text was encoded and is gone".to_owned()))
    }

    fn encode_layers(&self, texts: &[(Vec<Chunk>, usize)], layer: Layer) -> Result<Vec<Encoded>> {
        let named = |e: candle_core::Error| model_error(&self.place, &e);
        let (mut unweighed, mut pooled) = (Vec::with_capacity(texts.len()), Vec::new());
        for (chunks, times) in texts {
            let (hidden, first) = self.states(chunks, layer)?;
            unweighed.push((hidden, chunks.as_slice(), *times));
            pooled.push(first);
        }
        let weighed = weigh::weigh(&unweighed, self.emphasis).map_err(named)?;
        let flat = |x: Tensor| x.flatten(0, 1)?.unsqueeze(0);
        let encoded = |(x, pooled)| Ok(Encoded { embeddings: flat(x).map_err(named)?, pooled });
        weighed.into_iter().zip(pooled).map(encoded).collect()
    }

    /// The hidden states that `layer` names, `[n, places, C]`, and the projected embedding of the first chunk.
    fn states(&self, chunks: &[Chunk], layer: Layer) -> Result<(Tensor, Option<Tensor>)> {
        let named = |e: candle_core::Error| model_error(&self.place, &e);
        let (mut rows, mut pooled) = (Vec::with_capacity(chunks.len().div_ceil(BATCH)), None);
        for chunks in chunks.chunks(BATCH) {
            let output = self.run(chunks, layer)?;
            rows.push(self.pick(&output, layer)?);
            if pooled.is_none() {
                pooled = output.projected.map(|rows| rows.narrow(0, 0, 1)).transpose().map_err(named)?;
            }
        }
        Ok((Tensor::cat(&rows, 0).map_err(named)?, pooled))
    }

    /// Sends a batch of chunks through the encoder; of the hidden states only that of `layer` is kept.
    fn run(&self, chunks: &[Chunk], layer: Layer) -> Result<ClipOutput> {
        let (end, pad) = (self.tokenizer.end(), self.tokenizer.pad());
        let tokens: Vec<Vec<u32>> = chunks.iter().map(|chunk| chunk.padded(end, pad)).collect();
        let vectors = chunks.iter().map(|chunk| self.vectors(chunk)).collect::<Result<Vec<_>>>()?;
        let wanted = (self.encoder.config().num_hidden_layers + 1).checked_sub(layer.back());
        let output = self.encoder.forward_with(&tokens, &vectors, &|i| Some(i) == wanted);
        output.map_err(|e| model_error(&self.place, &e))
    }

    /// Places and vectors of a chunk's textual inversions.
    fn vectors(&self, chunk: &Chunk) -> Result<Vec<(usize, Tensor)>> {
        let Some(words) = &self.words else { return Ok(Vec::new()) };
        let one = |i: &Insertion| Ok((i.at, words.vectors_on(i.embedding, self.encoder.device())?));
        chunk.insertions.iter().map(one).collect()
    }

    /// The hidden state that `layer` names.
    fn pick(&self, output: &ClipOutput, layer: Layer) -> Result<Tensor> {
        let (back, states) = (layer.back(), output.hidden.len());
        let hidden = states.checked_sub(back).and_then(|i| output.hidden.get(i)).ok_or_else(|| {
            let message = format!("expected a clip skip of at most {states}, found {back}");
            Error::model(&self.place, message).with_hint("most models want 1, some anime models 2")
        })?;
        match layer {
            Layer::Normed(_) if back == 1 => Ok(output.last.clone()),
            Layer::Normed(_) => self.encoder.normed(hidden).map_err(|e| model_error(&self.place, &e)),
            Layer::Penultimate => Ok(hidden.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> TextModel {
        let folder = ModelFolder::embedded("kinora-tiny").unwrap();
        TextModel::load(&folder.join("text_encoder"), &folder.join("tokenizer"), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Mean of all values, summed in `f64`.
    fn mean(x: &Tensor) -> f64 {
        let values = values(x);
        values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn texts_of_a_changing_prompt_are_weighed_together() {
        let model = tiny();
        let texts = [("a (red:1.7) castle".to_owned(), 3), ("a castle".to_owned(), 1)];
        let both = model.encode_many(&texts, 1).unwrap();
        let (alone, plain) = (model.encode(&texts[0].0, 1).unwrap(), model.encode(&texts[1].0, 1).unwrap());
        let without = tiny().with_emphasis(Emphasis::Ignore).encode(&texts[0].0, 1).unwrap();
        assert_ne!(values(&both[0].embeddings), values(&alone.embeddings));
        // The mean of the four is what it was without emphasis, three of them being the first text.
        let found = (3.0 * mean(&both[0].embeddings) + mean(&both[1].embeddings)) / 4.0;
        let expected = (3.0 * mean(&without.embeddings) + mean(&plain.embeddings)) / 4.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        // Without emphasis nothing changes, and the shorter one is filled up.
        let texts = [("sea BREAK snow".to_owned(), 1), ("a castle".to_owned(), 1)];
        let both = model.encode_many(&texts, 1).unwrap();
        assert_eq!(both[1].embeddings.dims(), [1, 154, 96]);
        assert_eq!(values(&both[1].embeddings)[..77 * 96], values(&plain.embeddings)[..]);
    }

    #[test]
    fn a_pair_of_prompts_has_as_many_chunks_as_the_longer_one() {
        let model = tiny();
        let (positive, negative) = model.encode_both("sea BREAK snow BREAK city", "fog", 1).unwrap();
        assert_eq!(positive.embeddings.dims(), [1, 231, 96]);
        assert_eq!(negative.embeddings.dims(), [1, 231, 96]);
        let alone = model.encode("fog", 1).unwrap().embeddings;
        let empty = model.encode("", 1).unwrap().embeddings;
        let joined = Tensor::cat(&[&alone, &empty, &empty], 1).unwrap();
        let (a, b) = (values(&joined), values(&negative.embeddings));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn emphasis_keeps_the_mean_or_not_as_its_mode_says() {
        let mean_of =
            |emphasis, prompt| mean(&tiny().with_emphasis(emphasis).encode(prompt, 1).unwrap().embeddings);
        let plain = mean_of(Emphasis::Original, "a red castle");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(mean_of(Emphasis::Original, "a (red:1.7) castle"), plain));
        assert!(!close(mean_of(Emphasis::NoNorm, "a (red:1.7) castle"), plain));
        assert!(close(mean_of(Emphasis::Ignore, "a (red:1.7) castle"), plain));
        assert!(!close(mean_of(Emphasis::Literal, "a (red:1.7) castle"), plain));
    }

    #[test]
    fn too_large_a_clip_skip_names_the_limit() {
        let error = tiny().encode("sea", 9).unwrap_err();
        assert!(error.to_string().contains("at most 3, found 9"), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn weighed_tokens_are_those_of_the_text() {
        let tokens = tiny().weighed_tokens("sea (snow:1.5) BREAK").unwrap();
        assert_eq!(tokens.len(), 1);
        let last = tokens[0].last().unwrap();
        assert!(last.text.ends_with("</w>"));
        assert_eq!(last.weight, 1.5);
        assert_eq!(tokens[0][0].weight, 1.0);
    }
}
