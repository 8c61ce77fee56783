//! The two text encoders of SDXL.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;

use super::chunk::Chunk;
use super::clip::ClipTextEncoder;
use super::embeddings::{Embeddings, Part};
use super::{Emphasis, Encoded, Layer, TextModel};
use crate::error::{Error, Result};
use crate::models::ModelFolder;

/// SDXL's two text encoders: embeddings of both side by side, the pooled embedding from the second.
///
/// Both give their last layer but one without final norm (Podell et al. 2023; diffusers 0.42.1,
/// `StableDiffusionXLPipeline.encode_prompt`). A clip skip has no meaning here, as in A1111.
#[derive(Clone, Debug)]
pub struct TextPair {
    first: TextModel,
    second: TextModel,
}

impl TextPair {
    /// Loads `text_encoder`, `text_encoder_2`, `tokenizer` and `tokenizer_2` of a model folder.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or do not fit each other.
    pub fn load(model: &ModelFolder, device: &Device) -> Result<Self> {
        let first = TextModel::load(&model.join("text_encoder"), &model.join("tokenizer"), device)?;
        let second = TextModel::load(&model.join("text_encoder_2"), &model.join("tokenizer_2"), device)?;
        Self::new(first, second)
    }

    /// As [`TextPair::load`], with the weights of both encoders from elsewhere (LoRAs merged in).
    ///
    /// # Errors
    /// As [`TextPair::load`].
    pub fn load_from(model: &ModelFolder, [first, second]: [VarBuilder<'static>; 2]) -> Result<Self> {
        let load = |part: &str, weights, tokenizer: &str| {
            TextModel::load_from(&model.join(part), weights, &model.join(tokenizer))
        };
        let first = load("text_encoder", first, "tokenizer")?;
        Self::new(first, load("text_encoder_2", second, "tokenizer_2")?)
    }

    /// Puts together two text models.
    ///
    /// # Errors
    /// [`Error::Model`] when the second has no projection, or their numbers of places differ.
    pub fn new(first: TextModel, second: TextModel) -> Result<Self> {
        if !second.encoder.has_projection() {
            return Err(Error::model(
                &second.place,
                "expected a weight called `text_projection.weight`, there is none",
            )
            .with_hint("the second text encoder of SDXL is a CLIPTextModelWithProjection"));
        }
        let (a, b) = (first.places(), second.places());
        if a != b {
            let message = format!("expected {a} token places as in the first text encoder, found {b}");
            return Err(Error::model(&second.place, message));
        }
        Ok(Self { first, second })
    }

    /// The same pair with another use of weights.
    #[must_use]
    pub fn with_emphasis(self, emphasis: Emphasis) -> Self {
        Self { first: self.first.with_emphasis(emphasis), second: self.second.with_emphasis(emphasis) }
    }

    /// Makes textual inversions known; the pair takes those with `clip_l` and `clip_g`.
    ///
    /// # Errors
    /// Those of [`TextModel::set_embeddings`].
    pub fn set_embeddings(&mut self, embeddings: &Arc<Embeddings>) -> Result<()> {
        self.first.set_embeddings(embeddings, Part::First)?;
        self.second.set_embeddings(embeddings, Part::Second)
    }

    /// Another network in the place of the first (0) or second encoder, of the same sizes.
    pub fn set_encoder(&mut self, index: usize, encoder: ClipTextEncoder) {
        let model = if index == 0 { &mut self.first } else { &mut self.second };
        model.set_encoder(encoder);
    }

    /// The first text model.
    pub fn first(&self) -> &TextModel {
        &self.first
    }

    /// The second text model.
    pub fn second(&self) -> &TextModel {
        &self.second
    }

    /// Encodes a prompt: embeddings `[1, places · chunks, C1 + C2]`, pooled `[1, P]`.
    ///
    /// # Errors
    /// Those of [`TextModel::encode`], and [`Error::Model`] when the two tokenizers disagree so far that
    /// the numbers of chunks differ.
    pub fn encode(&self, prompt: &str) -> Result<Encoded> {
        self.join_one(self.first.chunks(prompt)?, self.second.chunks(prompt)?)
    }

    /// The texts of a prompt that changes, see [`TextModel::encode_many`].
    ///
    /// # Errors
    /// Those of [`TextPair::encode`].
    pub fn encode_many(&self, texts: &[(String, usize)]) -> Result<Vec<Encoded>> {
        self.join(&self.first.chunks_of(texts)?, &self.second.chunks_of(texts)?)
    }

    /// Encodes a prompt and its negative with the same number of chunks, as [`TextModel::encode_both`].
    ///
    /// # Errors
    /// Those of [`TextPair::encode`].
    pub fn encode_both(&self, positive: &str, negative: &str) -> Result<(Encoded, Encoded)> {
        let first = self.first.equal_chunks(positive, negative)?;
        let second = self.second.equal_chunks(positive, negative)?;
        Ok((self.join_one(first.0, second.0)?, self.join_one(first.1, second.1)?))
    }

    fn join_one(&self, first: Vec<Chunk>, second: Vec<Chunk>) -> Result<Encoded> {
        let mut encoded = self.join(&[(first, 1)], &[(second, 1)])?;
        encoded.pop().ok_or_else(|| Error::Bug("a text was encoded and is gone".to_owned()))
    }

    /// Encodes texts by their chunks for both encoders.
    fn join(&self, first: &[(Vec<Chunk>, usize)], second: &[(Vec<Chunk>, usize)]) -> Result<Vec<Encoded>> {
        let a = self.first.encode_layers(first, Layer::Penultimate)?;
        let b = self.second.encode_layers(second, Layer::Penultimate)?;
        let side_by_side = |(a, b): (Encoded, Encoded)| {
            let embeddings = Tensor::cat(&[&a.embeddings, &b.embeddings], 2).map_err(|_| {
                let (a, b) = (a.embeddings.dims()[1], b.embeddings.dims()[1]);
                let message = format!("the tokenizers disagree: {a} tokens in the first, {b} in the second");
                Error::model(&self.second.place, message)
                    .with_hint("copy both tokenizers from the same model")
            })?;
            Ok(Encoded { embeddings, pooled: b.pooled })
        };
        a.into_iter().zip(b).map(side_by_side).collect()
    }
}
