//! Prompts: A1111's reading of them, transformers' tokenizer and text encoders.

#![allow(clippy::unwrap_used, reason = "a panic is a failed case, and its message is shown")]

use std::path::{Path, PathBuf};

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};
use kinora::diffusion::text::clip::ClipTextEncoder;
use kinora::diffusion::text::tokenizer::Tokenizer;
use kinora::diffusion::text::{Emphasis, TextModel, TextPair, emphasis::fragments};
use kinora::models::ModelFolder;
use serde::Deserialize;

use crate::{Case, Verdict, within};

/// Relative error of embeddings: f32 against f32 with other orders of summation was measured at 5e-7; the
/// limit is the one that the data's README suggests for networks.
const LIMIT: f64 = 1e-4;

#[derive(Clone, Deserialize)]
struct Golden {
    bos: u32,
    eos: u32,
    comma: u32,
    prompts: Vec<Prompt>,
}

#[derive(Clone, Deserialize)]
struct Prompt {
    prompt: String,
    parsed: Vec<(String, f64)>,
    tokens_plain: Vec<u32>,
    chunks: Vec<GoldenChunk>,
}

#[derive(Clone, Deserialize)]
struct GoldenChunk {
    tokens: Vec<u32>,
    multipliers: Vec<f64>,
}

#[derive(Clone, Deserialize)]
struct Tokenized {
    text: String,
    ids: Vec<u32>,
}

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = readings(folder);
    cases.extend(embeddings(folder));
    cases.extend(plain(folder));
    cases.extend(tokenizer(folder));
    cases
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// Names in a safetensors file; none when there is no such file.
pub(super) fn names(path: &Path) -> Vec<String> {
    if !path.is_file() {
        return Vec::new();
    }
    let mut names: Vec<String> = open(path).tensors().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

pub(super) fn open(path: &Path) -> MmapedSafetensors {
    // SAFETY: nobody writes to the data while the tests run.
    unsafe { MmapedSafetensors::new(path) }.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Largest difference over largest expected value, within `limit`.
pub(super) fn relative(found: &Tensor, expected: &Tensor, limit: f64) -> Verdict {
    if found.dims() != expected.dims() {
        return Verdict::Fail(format!("shape {:?}, expected {:?}", found.dims(), expected.dims()));
    }
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (found, expected) = (values(found), values(expected));
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
    let mut error = 0.0_f64;
    for (a, b) in found.iter().zip(&expected) {
        let difference = (f64::from(*a) - f64::from(*b)).abs();
        if difference.is_nan() {
            return Verdict::Fail("the result holds NaN".to_owned());
        }
        error = error.max(difference);
    }
    within(error / largest.max(1e-12), limit)
}

fn exact<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Verdict> {
    if found == expected {
        return Ok(());
    }
    Err(Verdict::Fail(format!("{what}: {found:?}, expected {expected:?}")))
}

fn verdict(result: Result<(), Verdict>) -> Verdict {
    result.map_or_else(|failure| failure, |()| within(0.0, 0.0))
}

/// Parses, tokens and chunks of each prompt, which must be equal.
fn readings(folder: &Path) -> Vec<Case> {
    let Some(golden) = json::<Golden>(&folder.join("golden/text.json")) else { return Vec::new() };
    let model = folder.join("models/sd15");
    let mut cases = Vec::new();
    let special = golden.clone();
    let tokenizer = model.join("tokenizer");
    cases.push(Case::new("diffusion/text", "special tokens", move || {
        let tokenizer = load_tokenizer(&tokenizer);
        let found = (tokenizer.start(), tokenizer.end(), tokenizer.comma());
        verdict(exact("start, end, comma", &found, &(special.bos, special.eos, Some(special.comma))))
    }));
    for (i, prompt) in golden.prompts.into_iter().enumerate() {
        let model = model.clone();
        cases.push(Case::new("diffusion/text", format!("{i}.reading"), move || {
            verdict(reading(&model, &prompt))
        }));
    }
    cases
}

fn reading(model: &Path, prompt: &Prompt) -> Result<(), Verdict> {
    let parsed: Vec<(String, f64)> =
        fragments(&prompt.prompt).into_iter().map(|f| (f.text, f.weight)).collect();
    weighted("parsed", &parsed, &prompt.parsed)?;
    let model = text_model(model);
    exact("tokens", &model.tokenizer().ids(&prompt.prompt).unwrap(), &prompt.tokens_plain)?;
    let chunks = model.chunks(&prompt.prompt).unwrap();
    let found: Vec<_> = chunks.into_iter().map(|c| (c.tokens, c.weights)).collect();
    let expected: Vec<_> = prompt.chunks.iter().cloned().map(|c| (c.tokens, c.multipliers)).collect();
    exact("number of chunks", &found.len(), &expected.len())?;
    found.iter().zip(&expected).try_for_each(|(found, expected)| {
        exact("chunk", &found.0, &expected.0)?;
        let pairs =
            |c: &(Vec<u32>, Vec<f64>)| c.0.iter().copied().zip(c.1.iter().copied()).collect::<Vec<_>>();
        weighted("chunk", &pairs(found), &pairs(expected))
    })
}

/// Compares items exactly and their weights to the last bit but one: serde_json reads some decimals one
/// unit in the last place beside the nearest number.
fn weighted<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &[(T, f64)],
    expected: &[(T, f64)],
) -> Result<(), Verdict> {
    let close = |a: f64, b: f64| (a - b).abs() <= f64::EPSILON * b.abs();
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
    if same { Ok(()) } else { Err(Verdict::Fail(format!("{what}: {found:?}, expected {expected:?}"))) }
}

fn load_tokenizer(folder: &Path) -> Tokenizer {
    Tokenizer::load(&ModelFolder::open(folder).unwrap()).unwrap()
}

/// A model folder, or the same model as one file with the configs of the folder.
fn opened(model: &Path) -> ModelFolder {
    let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.strip_suffix("_ldm.safetensors") {
        Some(folder) => ModelFolder::open_with_configs(model, &model.with_file_name(folder)).unwrap(),
        None => ModelFolder::open(model).unwrap(),
    }
}

/// The model whose folder or file this is, with one text encoder.
fn text_model(model: &Path) -> TextModel {
    let folder = opened(model);
    TextModel::load(&folder.join("text_encoder"), &folder.join("tokenizer"), &Device::Cpu).unwrap()
}

/// Every tensor of `text.safetensors`.
fn embeddings(folder: &Path) -> Vec<Case> {
    let path = folder.join("golden/text.safetensors");
    let golden = json::<Golden>(&folder.join("golden/text.json"));
    let all = names(&path);
    let mut cases: Vec<Case> =
        all.iter().map(|name| embedding(folder, &path, golden.as_ref(), name.clone(), "")).collect();
    let file =
        |name: &str| Some(folder.join("models").join(format!("{}_ldm.safetensors", asked(name)?.model)));
    let there = all.iter().filter(|name| file(name).is_some_and(|file| file.is_file()));
    cases.extend(
        there.map(|name| embedding(folder, &path, golden.as_ref(), name.clone(), "_ldm.safetensors")),
    );
    cases
}

/// What a name such as `sd15.3.skip2.original` asks for.
struct Asked {
    model: &'static str,
    prompt: usize,
    skip: u32,
    emphasis: Emphasis,
    pooled: bool,
}

fn asked(name: &str) -> Option<Asked> {
    let parts: Vec<&str> = name.split('.').collect();
    let (skip, mode) = match parts[..] {
        [_, _, skip, mode] => (skip.strip_prefix("skip")?.parse().ok()?, mode),
        [_, _, mode] => (1, mode),
        _ => return None,
    };
    let model = match parts[0] {
        "sd15" => "sd15",
        "sd2" => "sd2v",
        "sdxl" => "sdxl",
        _ => return None,
    };
    let (emphasis, pooled) = match mode {
        "original" => (Emphasis::Original, false),
        "no_norm" => (Emphasis::NoNorm, false),
        "ignore" => (Emphasis::Ignore, false),
        "pooled" => (Emphasis::Original, true),
        _ => return None,
    };
    Some(Asked { model, prompt: parts[1].parse().ok()?, skip, emphasis, pooled })
}

/// A case of the model whose folder, with `ending` behind it, is read.
fn embedding(folder: &Path, path: &Path, golden: Option<&Golden>, name: String, ending: &str) -> Case {
    let asked = asked(&name);
    let prompt = asked.as_ref().and_then(|a| golden?.prompts.get(a.prompt)).map(|p| p.prompt.clone());
    let (Some(asked), Some(prompt)) = (asked, prompt) else {
        return Case::unsupported("diffusion/text", name, "no such family, mode or prompt is known");
    };
    let model = folder.join("models").join(format!("{}{ending}", asked.model));
    let path = path.to_owned();
    let label = if ending.is_empty() { name.clone() } else { format!("{name} (one file)") };
    Case::new("diffusion/text", label, move || {
        let expected = open(&path).load(&name, &Device::Cpu).unwrap();
        let encoded = if asked.model == "sdxl" {
            let pair = TextPair::load(&opened(&model), &Device::Cpu).unwrap();
            pair.with_emphasis(asked.emphasis).encode(&prompt).unwrap()
        } else {
            text_model(&model).with_emphasis(asked.emphasis).encode(&prompt, asked.skip).unwrap()
        };
        let found = if asked.pooled { encoded.pooled.unwrap() } else { encoded.embeddings };
        relative(&found, &expected, LIMIT)
    })
}

/// The networks alone, fed with transformers' ids: every hidden state, pooled and projected.
fn plain(folder: &Path) -> Vec<Case> {
    let path = folder.join("golden/text_plain.safetensors");
    let all = names(&path);
    let outputs = all.iter().filter(|name| !name.ends_with(".ids"));
    outputs.map(|name| plain_case(folder, &path, &all, name)).collect()
}

/// Folder of the encoder that a name's first part stands for.
fn plain_encoder(folder: &Path, family: &str) -> Option<PathBuf> {
    let encoder = match family {
        "sd15" => "sd15/text_encoder",
        "sd2" | "sd2v" => "sd2v/text_encoder",
        "sdxl" | "sdxl1" => "sdxl/text_encoder",
        "sdxl2" => "sdxl/text_encoder_2",
        _ => return None,
    };
    Some(folder.join("models").join(encoder))
}

fn plain_case(folder: &Path, path: &Path, all: &[String], name: &str) -> Case {
    let kind = "diffusion/text_plain";
    let mut parts = name.splitn(3, '.');
    let (family, index, what) = (parts.next(), parts.next(), parts.next());
    let encoder = plain_encoder(folder, family.unwrap_or_default());
    // The second encoder of SDXL was given the ids of the first model's prompts.
    let ids = index.and_then(|i| {
        let own = format!("{}.{i}.ids", family.unwrap_or_default());
        [own, format!("sd15.{i}.ids")].into_iter().find(|n| all.contains(n))
    });
    let (Some(encoder), Some(ids), Some(what)) = (encoder, ids, what.map(str::to_owned)) else {
        return Case::unsupported(kind, name, "no such family is known, or its ids are not there");
    };
    let (path, name) = (path.to_owned(), name.to_owned());
    Case::new(kind, name.clone(), move || {
        let data = open(&path);
        let expected = data.load(&name, &Device::Cpu).unwrap();
        let ids = data.load(&ids, &Device::Cpu).unwrap().to_dtype(DType::U32).unwrap();
        let encoder = ClipTextEncoder::load(&ModelFolder::open(&encoder).unwrap(), &Device::Cpu).unwrap();
        let output = encoder.forward(&ids.to_vec2::<u32>().unwrap()).unwrap();
        let found = match what.as_str() {
            "last" => Some(output.last),
            "pooled" => Some(output.pooled),
            "text_embeds" => output.projected,
            hidden => hidden_state(hidden, &output.hidden).cloned(),
        };
        match found {
            Some(found) => relative(&found, &expected, LIMIT),
            None => Verdict::Unsupported(format!("`{what}` is not known")),
        }
    })
}

/// `hidden3` counts from the front, `hidden-2` from the back.
fn hidden_state<'a>(name: &str, states: &'a [Tensor]) -> Option<&'a Tensor> {
    let index: isize = name.strip_prefix("hidden")?.parse().ok()?;
    let index = if index < 0 { index + states.len() as isize } else { index };
    states.get(usize::try_from(index).ok()?)
}

/// The whole vocabulary.
fn tokenizer(folder: &Path) -> Vec<Case> {
    let Some(texts) = json::<Vec<Tokenized>>(&folder.join("golden/tokenizer_full.json")) else {
        return Vec::new();
    };
    let model = folder.join("models/tokenizer_full");
    let tokenizer = std::sync::Arc::new(std::sync::LazyLock::new(move || load_tokenizer(&model)));
    // The one that is compiled in is the same.
    let embedded = Tokenizer::load(&ModelFolder::clip_tokenizer()).unwrap();
    let case = |(i, Tokenized { text, ids }): (usize, Tokenized)| {
        let (tokenizer, embedded) = (std::sync::Arc::clone(&tokenizer), embedded.clone());
        Case::new("diffusion/tokenizer_full", i.to_string(), move || {
            let own = exact(&format!("{text:?}"), &tokenizer.ids(&text).unwrap(), &ids);
            verdict(own.and_then(|()| exact("compiled in", &embedded.ids(&text).unwrap(), &ids)))
        })
    };
    texts.into_iter().enumerate().map(case).collect()
}
