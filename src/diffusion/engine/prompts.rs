//! Prompts become conditions, once: a film says the same for many frames.

use candle_core::{DType, Device, Tensor};

use crate::canvas::Size;
use crate::diffusion::guidance::Conditioning;
use crate::diffusion::sampler::bug;
use crate::diffusion::text::{Encoded, TextModel, TextPair};
use crate::diffusion::unet::AddedCond;
use crate::error::{Error, Result};

/// How many pairs of prompts are remembered: those of a few scenes that alternate.
const REMEMBERED: usize = 16;

/// The text half of a model.
#[derive(Debug)]
pub(super) enum TextStack {
    /// Stable Diffusion 1.x and 2.x.
    Single(Box<TextModel>),
    /// SDXL.
    Pair {
        models: Box<TextPair>,
        /// An empty negative prompt becomes zeros (diffusers and sd-webui agree).
        zero_empty_negative: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    prompt: String,
    negative: String,
    clip_skip: u32,
}

/// A text half that remembers what it has encoded.
#[derive(Debug)]
pub(super) struct PromptCache {
    stack: TextStack,
    /// Least recently used first.
    known: Vec<(Key, (Encoded, Encoded))>,
}

impl PromptCache {
    pub(super) fn new(stack: TextStack) -> Self {
        Self { stack, known: Vec::new() }
    }

    /// What the networks are told. Without guidance (scale 1) the negative prompt is left out.
    pub(super) fn conditioning(
        &mut self,
        (prompt, negative): (&str, &str),
        clip_skip: u32,
        guidance: f64,
        size: Size,
        device: &Device,
    ) -> Result<Conditioning> {
        let guided = guidance != 1.0;
        let negative = if guided { negative } else { "" };
        let key = Key { prompt: prompt.to_owned(), negative: negative.to_owned(), clip_skip };
        let (positive, negative) = self.encode(key)?;
        let rows = |a: &Tensor, b: &Tensor| if guided { Tensor::cat(&[a, b], 0) } else { Ok(a.clone()) };
        let context = rows(&positive.embeddings, &negative.embeddings).map_err(bug)?;
        let added = match (&self.stack, &positive.pooled, &negative.pooled) {
            (TextStack::Pair { .. }, Some(a), Some(b)) => {
                let text_embeds = rows(a, b).map_err(bug)?;
                let time_ids = time_ids(size, text_embeds.dims()[0], device).map_err(bug)?;
                Some(AddedCond { text_embeds, time_ids })
            }
            _ => None,
        };
        Ok(Conditioning { context, added, guidance })
    }

    fn encode(&mut self, key: Key) -> Result<(Encoded, Encoded)> {
        let found = match self.known.iter().position(|(known, _)| *known == key) {
            Some(at) => self.known.remove(at).1,
            None => self.stack.encode(&key)?,
        };
        if self.known.len() == REMEMBERED {
            self.known.remove(0);
        }
        self.known.push((key, found.clone()));
        Ok(found)
    }
}

impl TextStack {
    fn encode(&self, key: &Key) -> Result<(Encoded, Encoded)> {
        match self {
            Self::Single(model) => model.encode_both(&key.prompt, &key.negative, key.clip_skip),
            Self::Pair { models, zero_empty_negative } => {
                let (positive, mut negative) = models.encode_both(&key.prompt, &key.negative)?;
                if *zero_empty_negative && key.negative.trim().is_empty() {
                    negative = zeros(&negative).map_err(bug)?;
                }
                if positive.pooled.is_none() {
                    return Err(Error::Bug("the second text encoder gave no pooled embedding".to_owned()));
                }
                Ok((positive, negative))
            }
        }
    }
}

fn zeros(encoded: &Encoded) -> candle_core::Result<Encoded> {
    Ok(Encoded {
        embeddings: encoded.embeddings.zeros_like()?,
        pooled: encoded.pooled.as_ref().map(Tensor::zeros_like).transpose()?,
    })
}

/// SDXL's size condition: the picture was made at this size, not cropped, and wanted at this size
/// (height before width).
fn time_ids(size: Size, rows: usize, device: &Device) -> candle_core::Result<Tensor> {
    let (height, width) = (size.height as f32, size.width as f32);
    Tensor::new(&[height, width, 0.0, 0.0, height, width], device)?
        .to_dtype(DType::F32)?
        .unsqueeze(0)?
        .repeat((rows, 1))
}
