//! LoRA files against a merge by formula and diffusers' own loader: `golden/lora.safetensors` with the files of
//! `models/lora`, `golden/lora.json` (the strength) and `lora_crosscheck.json`.
//!
//! `<file>.unet` is the UNet's output at t = 500 for x and ctx, `<file>.text` the text encoder's normed output for
//! ids, `<file>.te<n>.hidden-<k>` the k-th hidden state from the end of encoder n. Files that begin with the name of a
//! model folder (`sdxl_kohya`) are for that one, others for `sd15`. The limit is that of all networks, 1e-4 of the
//! largest value. The cross-check holds how far diffusers' loader is from the golden: the distance between kinora and
//! that loader is at most the sum of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use kinora::canvas::Size;
use kinora::diffusion::engine::{Engine, LoraUse, PaintJob};
use kinora::diffusion::lora::{Lora, LoraFile, Networks, PatchedWeights, patch_text, patch_unet};
use kinora::diffusion::sampler::Sampler;
use kinora::diffusion::sigmas::Spacing;
use kinora::diffusion::text::clip::{ClipConfig, ClipTextEncoder};
use kinora::diffusion::unet::{AddedCond, UNet, UNetConfig};
use kinora::models::ModelFolder;

use crate::{Case, Verdict, within};

const KIND: &str = "diffusion/lora";
const LIMIT: f64 = 1e-4;
/// The timestep of the goldens.
const TIMESTEP: f64 = 500.0;

type Attempt<T> = Result<T, String>;
type Tensors = BTreeMap<String, Tensor>;

fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> Attempt<T> {
    result.map_err(|e| e.to_string())
}

/// All cases of the folder.
pub fn discover(folder: &Path) -> Vec<Case> {
    let golden = folder.join("golden/lora.safetensors");
    if !golden.is_file() {
        return Vec::new();
    }
    match read(&golden) {
        Ok(tensors) => cases(folder, &tensors),
        Err(why) => vec![Case::new(KIND, "file", move || Verdict::Fail(why.clone()))],
    }
}

fn read(golden: &Path) -> Attempt<Arc<Tensors>> {
    Ok(Arc::new(said(candle_core::safetensors::load(golden, &Device::Cpu))?.into_iter().collect()))
}

fn cases(folder: &Path, tensors: &Arc<Tensors>) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in tensors.keys() {
        let words: Vec<&str> = name.split('.').collect();
        let is_input = |w: &str| {
            matches!(w, "x" | "ctx" | "ids" | "text_embeds" | "time_ids")
                || w.starts_with("t") && w.len() == 1
        };
        let known = match words[..] {
            [word] | [_, word] if is_input(word) => continue,
            [_, "unet" | "text"] => true,
            [_, encoder, state] => encoder.starts_with("te") && state.starts_with("hidden-"),
            _ => false,
        };
        if !known {
            cases.push(Case::unsupported(KIND, name, "a tensor of unknown meaning"));
            continue;
        }
        let (folder, tensors, case) = (folder.to_owned(), tensors.clone(), name.clone());
        cases.push(Case::new(KIND, name.clone(), move || match error(&folder, &tensors, &case) {
            Ok(error) => within(error, LIMIT),
            Err(why) => Verdict::Fail(why),
        }));
    }
    cases.extend(cross_checks(folder, tensors));
    cases.extend(engines(folder));
    cases
}

/// Whole models with each file: it changes the picture, and without it the model's own picture is back to the bit.
fn engines(folder: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(folder.join("models/lora")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    let case = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = folder.to_owned();
        Case::new(KIND, format!("engine.{name}"), move || match engine(&folder, &file, &name) {
            Ok(()) => within(0.0, 0.0),
            Err(why) => Verdict::Fail(why),
        })
    };
    files.into_iter().map(case).collect()
}

fn engine(folder: &Path, file: &Path, name: &str) -> Attempt<()> {
    let mut engine = said(Engine::load(&model_folder(folder, name)?, &[], &Device::Cpu))?;
    let defaults = engine.defaults();
    let job = |unet: f64, text: f64| PaintJob {
        steps: 2,
        guidance: 5.0,
        sampler: Sampler::Euler,
        spacing: Spacing::Karras,
        seed: 1,
        loras: vec![LoraUse { file, unet, text }],
        ..PaintJob::new(Size::new(64, 64), "a (red:1.2) fox".into(), "".into(), &defaults)
    };
    let mut paint = |unet, text| {
        said(engine.paint(&job(unet, text), &mut |_, _| true))?.ok_or_else(|| "stopped".to_owned())
    };
    let (base, full) = (paint(0.0, 0.0)?, paint(0.8, 0.8)?);
    let unet_alone = paint(0.8, 0.0)?;
    let tells = [
        (base != unet_alone, "the UNet is not changed"),
        (paint(0.0, 0.0)? == base, "strength 0 is not the model's own picture"),
        (paint(0.8, 0.8)? == full, "the same strengths give another picture"),
    ];
    tells.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
}

/// The model that a file is for.
fn model_folder(folder: &Path, lora: &str) -> Attempt<ModelFolder> {
    let models = folder.join("models");
    let own = models.join(lora.split('_').next().unwrap_or_default());
    said(ModelFolder::open(&if own.is_dir() { own } else { models.join("sd15") }))
}

/// The distance to diffusers' own loader, for each entry of the cross-check.
fn cross_checks(folder: &Path, tensors: &Arc<Tensors>) -> Vec<Case> {
    let file = folder.join("lora_crosscheck.json");
    let Ok(text) = std::fs::read_to_string(&file) else { return Vec::new() };
    let table: BTreeMap<String, BTreeMap<String, f64>> = match serde_json::from_str(&text) {
        Ok(table) => table,
        Err(e) => {
            let why = e.to_string();
            return vec![Case::new(KIND, "crosscheck", move || Verdict::Fail(why.clone()))];
        }
    };
    let mut cases = Vec::new();
    for (name, parts) in table {
        for (part, distance) in parts {
            let case = format!("{name}.{part}");
            let (folder, tensors, label) = (folder.to_owned(), tensors.clone(), format!("crosscheck.{case}"));
            cases.push(Case::new(KIND, label, move || match error(&folder, &tensors, &case) {
                // Theirs is absolute: at most that much of the largest value, which is above 1.
                Ok(error) => within(error + distance, LIMIT),
                Err(why) => Verdict::Fail(why),
            }));
        }
    }
    cases
}

/// Largest difference to the golden over its largest value.
fn error(folder: &Path, tensors: &Tensors, name: &str) -> Attempt<f64> {
    let golden = tensors.get(name).ok_or_else(|| format!("no tensor `{name}`"))?;
    let strength = strength(folder)?;
    let words: Vec<&str> = name.split('.').collect();
    let file = Arc::new(said(LoraFile::open(&folder.join(format!("models/lora/{}.safetensors", words[0]))))?);
    let model = Model::load(folder, words[0])?;
    let lora = said(Lora::new(file, &model.networks()))?;
    if let Some(warning) = lora.warning() {
        return Err(warning);
    }
    let found = match words[1..] {
        ["unet"] => model.unet_output(tensors, words[0], &lora, strength)?,
        ["text"] => said(model.text_output(tensors, 0, &lora, strength))?.0,
        [encoder, state] => {
            let number = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse::<usize>().ok();
            let encoder = number(encoder, "te").ok_or("no encoder")? - 1;
            let back = number(state, "hidden-").ok_or("no hidden state")?;
            let states = said(model.text_output(tensors, encoder, &lora, strength))?.1;
            states[states.len() - back].clone()
        }
        _ => return Err("a tensor of unknown meaning".to_owned()),
    };
    compare(&found, golden)
}

fn strength(folder: &Path) -> Attempt<f64> {
    let text = said(std::fs::read_to_string(folder.join("golden/lora.json")))?;
    let json: serde_json::Value = said(serde_json::from_str(&text))?;
    json["scale"].as_f64().ok_or_else(|| "golden/lora.json: no number `scale`".to_owned())
}

/// A model with LoRAs in its weights.
struct Model {
    config: UNetConfig,
    unet: PatchedWeights,
    text: Vec<(ClipConfig, PatchedWeights)>,
}

impl Model {
    fn load(folder: &Path, lora: &str) -> Attempt<Self> {
        let root = model_folder(folder, lora)?;
        let weights = |part: &str| said(root.join(part).weights(&Device::Cpu)).map(PatchedWeights::new);
        let unet = weights("unet")?;
        let config: UNetConfig = said(root.join("unet").json("config.json"))?;
        // Built once, the weights know their names.
        said(UNet::new(&config, unet.builder()))?;
        let mut text = Vec::new();
        for part in ["text_encoder", "text_encoder_2"].map(|part| root.join(part)) {
            if part.exists() {
                let config = said(ClipConfig::load(&part))?;
                let weights = PatchedWeights::new(said(part.weights(&Device::Cpu))?);
                said(ClipTextEncoder::new(config.clone(), weights.builder()))?;
                text.push((config, weights));
            }
        }
        Ok(Self { config, unet, text })
    }

    fn networks(&self) -> Networks {
        let text: Vec<PatchedWeights> = self.text.iter().map(|(_, weights)| weights.clone()).collect();
        Networks::new(&self.unet, &text)
    }

    fn unet_output(&self, tensors: &Tensors, word: &str, lora: &Lora, strength: f64) -> Attempt<Tensor> {
        patch_unet(&self.unet, &[(lora, strength)]);
        let unet = said(UNet::new(&self.config, self.unet.builder()))?;
        let prefix = word.split('_').next().unwrap_or_default();
        let input = |name: &str| {
            let found = tensors.get(&format!("{prefix}.{name}")).or_else(|| tensors.get(name));
            found.cloned().ok_or_else(|| format!("the input `{name}` is not in the data"))
        };
        let added = match self.config.addition_embed_type {
            None => None,
            Some(_) => Some(AddedCond { text_embeds: input("text_embeds")?, time_ids: input("time_ids")? }),
        };
        said(unet.forward(&input("x")?, &[TIMESTEP], &input("ctx")?, added.as_ref(), None))
    }

    fn text_output(
        &self,
        tensors: &Tensors,
        encoder: usize,
        lora: &Lora,
        strength: f64,
    ) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
        let (config, weights) = &self.text[encoder];
        patch_text(weights, encoder, &[(lora, strength)]);
        let network = ClipTextEncoder::new(config.clone(), weights.builder())?;
        let ids: Vec<Vec<u32>> = tensors["ids"].to_dtype(DType::U32)?.to_vec2()?;
        let output = network.forward(&ids)?;
        Ok((output.last, output.hidden))
    }
}

fn compare(found: &Tensor, golden: &Tensor) -> Attempt<f64> {
    if found.dims() != golden.dims() {
        return Err(format!("shape {:?}, expected {:?}", found.dims(), golden.dims()));
    }
    let values = |x: &Tensor| said(x.flatten_all().and_then(|x| x.to_vec1::<f32>()));
    let (found, golden) = (values(found)?, values(golden)?);
    let largest = golden.iter().fold(0f64, |m, x| m.max(f64::from(x.abs())));
    let worst = found.iter().zip(&golden).map(|(a, b)| f64::from((a - b).abs()));
    // f64::max drops NaN; a NaN must fail.
    let worst = worst.fold(0f64, |m, x| if x.is_nan() || m.is_nan() { f64::NAN } else { m.max(x) });
    Ok(worst / largest.max(f64::MIN_POSITIVE))
}
