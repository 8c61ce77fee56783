//! How a frame's prompts are read, to be shown.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use serde::Serialize;

use crate::diffusion::sampler::resolve;
use crate::diffusion::text::WeighedToken;
use crate::diffusion::text::embeddings::Embeddings;
use crate::diffusion::text::reading::{PromptReader, ReadText};
use crate::error::Result;
use crate::run::cast::Cast;
use crate::run::embeddings;
use crate::run::loras::Spoken;
use crate::run::models::ModelPainter;
use crate::schedule::units::Short;
use crate::timeline::frame::{FrameParams, PromptMix};

/// The texts that a frame's network is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldTokens {
    /// Planned calls of the denoiser, by which shares in prompts are counted.
    pub planned_calls: usize,
    /// The prompts, then the negative prompts.
    pub texts: Vec<ToldText>,
}

/// A text while it is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldText {
    /// Whether it is of the negative prompt.
    pub negative: bool,
    /// Its weight: the share of its prompt between two keys, times the weight that `AND` gives it.
    pub weight: f64,
    /// First and last call of each stretch, from 0.
    pub calls: Vec<(usize, usize)>,
    /// The text.
    pub text: String,
    /// Its tokens chunk by chunk.
    pub chunks: Vec<Vec<ToldToken>>,
}

/// A token, or a textual inversion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldToken {
    /// The token as the vocabulary writes it, or the name of the textual inversion.
    pub text: String,
    /// The weight of its embedding.
    pub weight: f64,
    /// How many vectors the textual inversion of this name has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<usize>,
}

/// Reads the prompts of a frame as its model does. No weights are loaded.
///
/// # Errors
/// [`Error::Model`](crate::error::Error::Model) when the model or a textual inversion that a prompt names cannot be
/// used.
pub(crate) fn told(films: &Path, params: &FrameParams) -> Result<ToldTokens> {
    let cast = Cast::of(params);
    let model = cast.model(films)?;
    let defaults = ModelPainter::new(Device::Cpu, films).defaults(&cast)?;
    let named = params.sampling.sampler.as_deref().and_then(resolve);
    let sampler = named.map_or(defaults.sampler, |(sampler, _)| sampler);
    let planned_calls = sampler.planned_calls(params.sampling.steps.unwrap_or(defaults.steps));
    let reader = PromptReader::load(&model, &Arc::new(Embeddings::new(embeddings::known(films)?)))?;
    let spoken = Spoken::of(params)?;
    let mut texts = Vec::new();
    for (mix, negative) in [(&spoken.prompt, false), (&spoken.negative, true)] {
        texts.extend(told_mix(&reader, mix, negative, planned_calls)?);
    }
    Ok(ToldTokens { planned_calls, texts })
}

fn told_mix(reader: &PromptReader, mix: &PromptMix, negative: bool, calls: usize) -> Result<Vec<ToldText>> {
    let mut told = Vec::new();
    for (text, share) in &mix.parts {
        for prompt in reader.read(text, negative, calls)? {
            let weight = share * prompt.weight;
            told.extend(prompt.texts.into_iter().map(|text| one(text, weight, negative)));
        }
    }
    Ok(told)
}

fn one(read: ReadText, weight: f64, negative: bool) -> ToldText {
    let token = |token: WeighedToken| ToldToken {
        text: token.text,
        weight: token.weight,
        vectors: (token.vectors > 0).then_some(token.vectors),
    };
    let chunks = read.chunks.into_iter().map(|chunk| chunk.into_iter().map(token).collect()).collect();
    ToldText { negative, weight, calls: read.calls, text: read.text, chunks }
}

/// The same to read.
pub(crate) fn text(told: &ToldTokens) -> String {
    let mut out = format!("\nas the model reads it, in {} calls\n", told.planned_calls);
    for text in &told.texts {
        let what = if text.negative { "negative" } else { "prompt" };
        let weight = if text.weight == 1.0 { String::new() } else { format!(" x {}", Short(text.weight)) };
        let stretch = |(first, last): &(usize, usize)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        let calls: Vec<String> = text.calls.iter().map(stretch).collect();
        let _ = writeln!(out, "    {what}{weight}, calls {}", calls.join(", "));
        if text.chunks.iter().all(Vec::is_empty) {
            out.push_str("        nothing\n");
        }
        for chunk in text.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            let places: usize = chunk.iter().map(|token| token.vectors.unwrap_or(1)).sum();
            let tokens: Vec<String> = chunk.iter().map(token).collect();
            let s = if places == 1 { "" } else { "s" };
            let _ = writeln!(out, "        {places} token{s}: {}", tokens.join(" "));
        }
    }
    out
}

/// `red*1.2`; the beginning of a word ends in a hyphen; a textual inversion says how many vectors it has.
fn token(token: &ToldToken) -> String {
    let text = match token.vectors {
        Some(1) => format!("<{}: 1 vector>", token.text),
        Some(vectors) => format!("<{}: {vectors} vectors>", token.text),
        None => match token.text.strip_suffix("</w>") {
            Some(word) => word.to_owned(),
            None => format!("{}-", token.text),
        },
    };
    if token.weight == 1.0 { text } else { format!("{text}*{}", Short(token.weight)) }
}
