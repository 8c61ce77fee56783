//! Prompts become conditions, once: a film says the same for many frames.

use candle_core::{DType, Device, Tensor};

use super::blend::blend;
use super::job::{Blend, Mix};
use crate::canvas::Size;
use crate::diffusion::guidance::{Conditioning, Parts};
use crate::diffusion::sampler::bug;
use crate::diffusion::text::clip::ClipTextEncoder;
use crate::diffusion::text::{Encoded, TextModel, TextPair};
use crate::diffusion::unet::AddedCond;
use crate::error::{Error, Result};

/// How many texts are remembered: those of a few scenes that alternate. SDXL's take about 600 KB each.
const REMEMBERED: usize = 32;

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

/// A text half that remembers what it has encoded: text by text, so that the mix of two texts costs nothing
/// from the second frame on.
#[derive(Debug)]
pub(super) struct PromptCache {
    stack: TextStack,
    /// Text and clip skip; least recently used first.
    known: Vec<((String, u32), Encoded)>,
}

/// Encoded texts with their weights.
type Weighed = Vec<(Encoded, f64)>;

impl PromptCache {
    pub(super) fn new(stack: TextStack) -> Self {
        Self { stack, known: Vec::new() }
    }

    /// The text half, to be changed: what was encoded before is forgotten.
    pub(super) fn stack_mut(&mut self) -> &mut TextStack {
        self.known.clear();
        &mut self.stack
    }

    /// What the networks are told. Without guidance (scale 1) the negative prompt is left out.
    pub(super) fn conditioning(
        &mut self,
        (prompt, negative): (&Mix<'_>, &Mix<'_>),
        clip_skip: u32,
        guidance: f64,
        size: Size,
        device: &Device,
    ) -> Result<Conditioning> {
        let mut positive = self.encode_all(prompt, clip_skip, false)?;
        let mut negative_parts =
            if guidance == 1.0 { Vec::new() } else { self.encode_all(negative, clip_skip, true)? };
        self.pad(&mut positive, &mut negative_parts, clip_skip)?;
        let composed = [(&positive, prompt), (&negative_parts, negative)]
            .iter()
            .any(|(parts, mix)| parts.len() > 1 && mix.blend == Blend::Composed);
        let parts =
            composed.then(|| Parts { positive: weights(&positive), negative: weights(&negative_parts) });
        let rows: Vec<Encoded> = if composed {
            positive.into_iter().chain(negative_parts).map(|part| part.0).collect()
        } else {
            let mut rows = vec![mixed(&positive, prompt.blend)?];
            if !negative_parts.is_empty() {
                rows.push(mixed(&negative_parts, negative.blend)?);
            }
            rows
        };
        let stack = |tensors: Vec<&Tensor>| Tensor::cat(&tensors, 0).map_err(bug);
        let context = stack(rows.iter().map(|row| &row.embeddings).collect())?;
        let pooled: Option<Vec<&Tensor>> = rows.iter().map(|row| row.pooled.as_ref()).collect();
        let added = match (&self.stack, pooled) {
            (TextStack::Pair { .. }, Some(pooled)) => {
                let text_embeds = stack(pooled)?;
                let time_ids = time_ids(size, text_embeds.dims()[0], device).map_err(bug)?;
                Some(AddedCond { text_embeds, time_ids })
            }
            _ => None,
        };
        Ok(Conditioning { context, added, guidance, parts })
    }

    /// The texts of a mix that have a weight.
    fn encode_all(&mut self, mix: &Mix<'_>, clip_skip: u32, negative: bool) -> Result<Weighed> {
        let heard = mix.parts.iter().filter(|part| part.1 != 0.0);
        heard
            .map(|(text, weight)| {
                let encoded = self.encode(text, clip_skip)?;
                let silent = negative && self.stack.is_silent(text);
                let encoded = if silent { zeros(&encoded).map_err(bug)? } else { encoded };
                Ok((encoded, *weight))
            })
            .collect()
    }

    fn encode(&mut self, text: &str, clip_skip: u32) -> Result<Encoded> {
        let is_it = |known: &(String, u32)| known.0 == text && known.1 == clip_skip;
        let (key, encoded) = match self.known.iter().position(|(known, _)| is_it(known)) {
            Some(at) => self.known.remove(at),
            None => ((text.to_owned(), clip_skip), self.stack.encode(text, clip_skip)?),
        };
        if self.known.len() == REMEMBERED {
            self.known.remove(0);
        }
        self.known.push((key, encoded.clone()));
        Ok(encoded)
    }

    /// Fills all texts up to the chunks of the longest one, so that they go through the network in one batch:
    /// with empty chunks, or with zeros where the text itself is zeros.
    fn pad(&mut self, positive: &mut Weighed, negative: &mut Weighed, clip_skip: u32) -> Result<()> {
        let tokens = |encoded: &Encoded| encoded.embeddings.dims()[1];
        let longest = positive.iter().chain(negative.iter()).map(|part| tokens(&part.0)).max().unwrap_or(0);
        for (encoded, _) in positive.iter_mut().chain(negative.iter_mut()) {
            while tokens(encoded) < longest {
                let empty = self.encode("", clip_skip)?;
                let is_zeros = || -> candle_core::Result<bool> {
                    Ok(encoded.embeddings.abs()?.max_all()?.to_scalar::<f32>()? == 0.0)
                };
                let empty = if is_zeros().map_err(bug)? { zeros(&empty).map_err(bug)? } else { empty };
                encoded.embeddings =
                    Tensor::cat(&[&encoded.embeddings, &empty.embeddings], 1).map_err(bug)?;
            }
        }
        Ok(())
    }
}

fn weights(parts: &Weighed) -> Vec<f64> {
    parts.iter().map(|part| part.1).collect()
}

fn mixed(parts: &Weighed, how: Blend) -> Result<Encoded> {
    let parts: Vec<(&Encoded, f64)> = parts.iter().map(|(encoded, weight)| (encoded, *weight)).collect();
    blend(&parts, how).map_err(bug)
}

impl TextStack {
    /// Another network in the place of encoder `index`.
    pub(super) fn set_encoder(&mut self, index: usize, encoder: ClipTextEncoder) {
        match self {
            Self::Single(model) => model.set_encoder(encoder),
            Self::Pair { models, .. } => models.set_encoder(index, encoder),
        }
    }

    fn encode(&self, text: &str, clip_skip: u32) -> Result<Encoded> {
        match self {
            Self::Single(model) => model.encode(text, clip_skip),
            Self::Pair { models, .. } => {
                let encoded = models.encode(text)?;
                if encoded.pooled.is_none() {
                    return Err(Error::Bug("the second text encoder gave no pooled embedding".to_owned()));
                }
                Ok(encoded)
            }
        }
    }

    /// Whether a negative prompt says nothing at all to this model.
    fn is_silent(&self, text: &str) -> bool {
        matches!(self, Self::Pair { zero_empty_negative: true, .. }) && text.trim().is_empty()
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
