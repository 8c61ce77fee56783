//! Prompts become conditions, once: a film says the same for many frames.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::blend::blend;
use super::job::{Blend, Mix};
use super::script::{self, Part, Voice};
use crate::canvas::Size;
use crate::diffusion::conditions::{Conditions, Row, Stage};
use crate::diffusion::sampler::bug;
use crate::diffusion::text::clip::ClipTextEncoder;
use crate::diffusion::text::embeddings::{self, Embeddings};
use crate::diffusion::text::{Encoded, TextModel, TextPair};
use crate::error::{Error, Result};

/// How many bytes of encoded texts are remembered: a hundred of SDXL's, which take about 600 KB each. The texts of
/// the run at hand are kept whatever they take.
const REMEMBERED: usize = 64 << 20;

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

/// What is asked of a run's prompts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) prompt: &'a Mix<'a>,
    pub(super) negative: &'a Mix<'a>,
    pub(super) clip_skip: u32,
    pub(super) guidance: f64,
    pub(super) size: Size,
    /// Planned calls of the denoiser, see [`Sampler::planned_calls`](crate::diffusion::sampler::Sampler).
    pub(super) calls: usize,
}

/// A text half that remembers what it has encoded: text by text, so that the mix of two texts costs nothing
/// from the second frame on, nor does a text that comes back in every other step.
#[derive(Debug)]
pub(super) struct PromptCache {
    stack: TextStack,
    /// Least recently used first.
    known: Vec<(Key, Vec<Encoded>)>,
    embeddings: Arc<Embeddings>,
}

/// Texts that were encoded together, each with how often it counted, and the clip skip.
type Key = (Vec<(String, usize)>, u32);

/// The encoded texts of a voice by text, all equally long.
type Encodings = BTreeMap<String, Encoded>;

/// A part of a mix with the encodings of its voices.
struct Heard {
    part: Part,
    encodings: Vec<Encodings>,
}

impl PromptCache {
    pub(super) fn new(stack: TextStack) -> Self {
        Self { stack, known: Vec::new(), embeddings: Arc::new(Embeddings::default()) }
    }

    /// Makes textual inversions known by name; the same list again changes nothing.
    pub(super) fn set_embeddings(&mut self, list: Vec<(String, PathBuf)>) -> Result<()> {
        let embeddings = Embeddings::new(list);
        if embeddings.iter().eq(self.embeddings.iter()) {
            return Ok(());
        }
        self.embeddings = Arc::new(embeddings);
        self.known.clear();
        match &mut self.stack {
            TextStack::Single(model) => model.set_embeddings(&self.embeddings, embeddings::Part::Only),
            TextStack::Pair { models, .. } => models.set_embeddings(&self.embeddings),
        }
    }

    /// The text half, to be changed: what was encoded before is forgotten.
    pub(super) fn stack_mut(&mut self) -> &mut TextStack {
        self.known.clear();
        &mut self.stack
    }

    /// What the networks are told, call by call. Where the guidance leaves the negative prompt without effect
    /// (scale 1), it is left out.
    pub(super) fn conditions(&mut self, asked: &Asked<'_>, device: &Device) -> Result<Conditions> {
        let positive = script::parts(asked.prompt, false, asked.calls)?;
        let guided = asked.guidance != 1.0 || !script::sums_to_one(&positive);
        let negative = if guided { script::parts(asked.negative, true, asked.calls)? } else { Vec::new() };
        let changes = script::changes(positive.iter().chain(&negative));
        let positive = self.hear(positive, asked.prompt.blend, asked.clip_skip, false)?;
        let negative = self.hear(negative, asked.negative.blend, asked.clip_skip, true)?;
        self.forget();
        let time_ids = |rows| time_ids(asked.size, rows, device);
        let mut stages: BTreeMap<Vec<String>, Arc<Stage>> = BTreeMap::new();
        let mut all: Vec<(usize, Arc<Stage>)> = Vec::new();
        for call in changes {
            let voices = positive.iter().chain(&negative).flat_map(|heard| &heard.part.voices);
            let texts: Vec<String> = voices.map(|voice| voice.at(call)).collect();
            let stage = match stages.get(&texts) {
                Some(stage) => Arc::clone(stage),
                None => {
                    let positive = rows(&positive, asked.prompt.blend, call).map_err(bug)?;
                    let negative = rows(&negative, asked.negative.blend, call).map_err(bug)?;
                    let stage = Stage::new(&positive, &negative, asked.guidance, &time_ids).map_err(bug)?;
                    Arc::clone(stages.entry(texts).or_insert(Arc::new(stage)))
                }
            };
            if all.last().is_none_or(|(_, last)| !Arc::ptr_eq(last, &stage)) {
                all.push((call, stage));
            }
        }
        Ok(Conditions::new(all))
    }

    /// Encodes every text that the parts ever say.
    fn hear(&mut self, parts: Vec<Part>, how: Blend, clip_skip: u32, negative: bool) -> Result<Vec<Heard>> {
        let mut heard = Vec::with_capacity(parts.len());
        for part in parts {
            let voices = part.voices.iter();
            let encodings =
                voices.map(|v| self.encode_voice(v, clip_skip, negative)).collect::<Result<_>>()?;
            heard.push(Heard { part, encodings });
        }
        if blended(&heard, how) {
            for voice in 0..heard[0].encodings.len() {
                let texts = || heard.iter().flat_map(|heard| heard.encodings[voice].values());
                let longest = texts().map(tokens).max().unwrap_or(0);
                for text in heard.iter_mut().flat_map(|heard| heard.encodings[voice].values_mut()) {
                    self.fill(text, longest, clip_skip)?;
                }
            }
        }
        heard.iter_mut().try_for_each(|heard| level(&mut heard.encodings)).map_err(bug)?;
        Ok(heard)
    }

    /// The texts of a voice, filled up with empty chunks to the longest of them.
    fn encode_voice(&mut self, voice: &Voice, clip_skip: u32, negative: bool) -> Result<Encodings> {
        let texts = voice.texts();
        let silent = negative && self.stack.is_silent(&texts);
        let encoded = self.encode(&texts, clip_skip)?;
        let one = |((text, _), encoded): ((String, usize), Encoded)| {
            Ok((text, if silent { zeros(&encoded).map_err(bug)? } else { encoded }))
        };
        texts.into_iter().zip(encoded).map(one).collect()
    }

    /// Fills a text up with empty chunks; one that is zeros, with zeros.
    fn fill(&mut self, encoded: &mut Encoded, longest: usize, clip_skip: u32) -> Result<()> {
        if tokens(encoded) >= longest {
            return Ok(());
        }
        let empty = self.encode(&[(String::new(), 1)], clip_skip)?.swap_remove(0).embeddings;
        let is_zeros =
            |x: &Tensor| -> candle_core::Result<bool> { Ok(x.abs()?.max_all()?.to_scalar::<f32>()? == 0.0) };
        let filled = || -> candle_core::Result<Tensor> {
            let empty = if is_zeros(&encoded.embeddings)? { empty.zeros_like()? } else { empty };
            let missing = (longest - tokens(encoded)).div_ceil(tokens_of(&empty).max(1));
            let pieces = std::iter::once(&encoded.embeddings).chain(std::iter::repeat_n(&empty, missing));
            Tensor::cat(&pieces.collect::<Vec<_>>(), 1)
        };
        encoded.embeddings = filled().map_err(bug)?;
        Ok(())
    }

    /// Texts that are encoded together; as many are given back.
    fn encode(&mut self, texts: &[(String, usize)], clip_skip: u32) -> Result<Vec<Encoded>> {
        let is_it = |known: &Key| known.0 == texts && known.1 == clip_skip;
        let (key, encoded) = match self.known.iter().position(|(known, _)| is_it(known)) {
            Some(at) => self.known.remove(at),
            None => ((texts.to_owned(), clip_skip), self.stack.encode(texts, clip_skip)?),
        };
        self.known.push((key, encoded.clone()));
        Ok(encoded)
    }

    /// Forgets the texts that were not used for longest, as far as there are too many.
    fn forget(&mut self) {
        let mut bytes = 0;
        let fitting = self.known.iter().rev().take_while(|((texts, _), encoded)| {
            bytes += texts.iter().map(|(text, _)| text.len()).sum::<usize>();
            bytes += encoded.iter().map(|encoded| 4 * encoded.embeddings.elem_count()).sum::<usize>();
            bytes <= REMEMBERED
        });
        let kept = fitting.count();
        self.known.drain(..self.known.len() - kept);
    }
}

/// Whether embeddings are blended prompt by prompt: where texts have equally many prompts. Else the network looks
/// at each of them.
fn blended(heard: &[Heard], how: Blend) -> bool {
    let count = |heard: &Heard| heard.part.voices.len();
    heard.len() > 1 && how != Blend::Composed && heard.windows(2).all(|two| count(&two[0]) == count(&two[1]))
}

/// The rows that the network looks at, at a call, with their weights.
fn rows(heard: &[Heard], how: Blend, call: usize) -> candle_core::Result<Vec<Row>> {
    let at = |heard: &Heard, i: usize| heard.encodings[i][&heard.part.voices[i].at(call)].clone();
    let weight = |heard: &Heard, i: usize| heard.part.weight * heard.part.voices[i].weight;
    let mut rows: Vec<Row> = Vec::new();
    if blended(heard, how) {
        for i in 0..heard[0].encodings.len() {
            let parts: Vec<(Encoded, f64)> = heard.iter().map(|h| (at(h, i), h.part.weight)).collect();
            let parts: Vec<(&Encoded, f64)> = parts.iter().map(|(text, weight)| (text, *weight)).collect();
            // (1 - w) + w is 1 to the last bits; what no prompt weighs is to be exactly 1.
            let plain = heard.iter().all(|heard| heard.part.voices[i].weight == 1.0);
            let sum = if plain { 1.0 } else { heard.iter().map(|h| weight(h, i)).sum() };
            rows.push((blend(&parts, how)?, sum));
        }
    } else {
        for heard in heard {
            rows.extend((0..heard.encodings.len()).map(|i| (at(heard, i), weight(heard, i))));
        }
    }
    // What has no weight need not be looked at, unless there is nothing else.
    if rows.iter().any(|row| row.1 != 0.0) {
        rows.retain(|row| row.1 != 0.0);
    }
    Ok(rows)
}

/// Brings the prompts that `AND` joins to one length: like sd-webui (`stack_conds`) by repeating the embedding of
/// the last token.
fn level(voices: &mut [Encodings]) -> candle_core::Result<()> {
    let longest = voices.iter().flat_map(Encodings::values).map(tokens).max().unwrap_or(0);
    for encoded in voices.iter_mut().flat_map(Encodings::values_mut) {
        let length = tokens(encoded);
        if length < longest {
            let last = encoded.embeddings.narrow(1, length - 1, 1)?.repeat((1, longest - length, 1))?;
            encoded.embeddings = Tensor::cat(&[&encoded.embeddings, &last], 1)?;
        }
    }
    Ok(())
}

fn tokens(encoded: &Encoded) -> usize {
    tokens_of(&encoded.embeddings)
}

fn tokens_of(embeddings: &Tensor) -> usize {
    embeddings.dims()[1]
}

impl TextStack {
    /// Another network in the place of encoder `index`.
    pub(super) fn set_encoder(&mut self, index: usize, encoder: ClipTextEncoder) {
        match self {
            Self::Single(model) => model.set_encoder(encoder),
            Self::Pair { models, .. } => models.set_encoder(index, encoder),
        }
    }

    /// A clip skip counts in Stable Diffusion 1.x alone: OpenCLIP's layer is fixed (by the number of layers in
    /// `config.json` for Stable Diffusion 2.x, the last but one for SDXL), as in sd-webui.
    fn encode(&self, texts: &[(String, usize)], clip_skip: u32) -> Result<Vec<Encoded>> {
        match self {
            Self::Single(model) => model.encode_many(texts, if model.is_open_clip() { 1 } else { clip_skip }),
            Self::Pair { models, .. } => {
                let encoded = models.encode_many(texts)?;
                if encoded.iter().any(|encoded| encoded.pooled.is_none()) {
                    return Err(Error::Bug("the second text encoder gave no pooled embedding".to_owned()));
                }
                Ok(encoded)
            }
        }
    }

    /// Whether a negative prompt says nothing at all to this model: it is empty from beginning to end.
    fn is_silent(&self, texts: &[(String, usize)]) -> bool {
        matches!(self, Self::Pair { zero_empty_negative: true, .. })
            && texts.iter().all(|(text, _)| text.is_empty())
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
