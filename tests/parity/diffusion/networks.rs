//! UNet, ControlNet and autoencoders against diffusers: `golden/{unet,controlnet,vae}.safetensors` with
//! the model folders below `models`.
//!
//! Cases are found by the names of the tensors. The limit is the one that the data asks for: 1e-4 of
//! the largest absolute value (f32 against f64 differs by 1e-6 in these networks).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use kinora::diffusion::controlnet::{ControlNet, ControlResiduals};
use kinora::diffusion::unet::{AddedCond, UNet, UNetConfig};
use kinora::diffusion::vae::{Autoencoder, AutoencoderConfig, AutoencoderKl, AutoencoderTiny};
use kinora::models::ModelFolder;

use crate::{Case, Verdict, within};

const LIMIT: f64 = 1e-4;

/// What a step of a case gives, or why it failed.
type Attempt<T> = Result<T, String>;

/// The tensors of one golden file, by name.
type Tensors = BTreeMap<String, Tensor>;

/// Files of `golden` that other parts of the test know, by the beginning of their names.
const ELSEWHERE: [&str; 8] = ["samplers", "sigmas", "pipelines", "rng", "text", "tokenizer", "depth", "lora"];

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let golden = folder.join("golden");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&golden).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().flat_map(|file| discover_file(folder, file)).collect()
}

/// The cases of one golden file.
fn discover_file(folder: &Path, file: &Path) -> Vec<Case> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
    if ELSEWHERE.iter().any(|known| stem.starts_with(known)) {
        return Vec::new();
    }
    match (stem, extension) {
        // A remark beside the tensors.
        ("vae", "json") => Vec::new(),
        ("unet" | "controlnet" | "vae", "safetensors") => network_cases(folder, file, stem),
        _ => vec![Case::unsupported("diffusion/unknown", name, "a file that this test does not know")],
    }
}

/// One case per tensor that is a network's output.
fn network_cases(folder: &Path, file: &Path, stem: &str) -> Vec<Case> {
    let kind = format!("diffusion/{stem}");
    let tensors = match read(file) {
        Ok(tensors) => tensors,
        Err(why) => return vec![Case::new(kind, "file", move || Verdict::Fail(why.clone()))],
    };
    let find = match stem {
        "unet" => unet_case,
        "controlnet" => control_case,
        _ => vae_case,
    };
    let case = |name: &String, is_one_file: bool| {
        let work = match find(name) {
            Known::Input => return None,
            Known::Unknown => return Some(Case::unsupported(&kind, name, "a tensor of unknown meaning")),
            Known::Output(work) => work,
        };
        let place = Place { folder: folder.to_owned(), is_one_file };
        let (tensors, name) = (tensors.clone(), name.clone());
        let label = if is_one_file { format!("{name} (one file)") } else { name.clone() };
        Some(Case::new(&kind, label, move || {
            match work(&place, &tensors, &name).and_then(|found| compare(&found, &tensors[&name])) {
                Ok(error) => within(error, LIMIT),
                Err(why) => Verdict::Fail(why),
            }
        }))
    };
    let mut cases: Vec<Case> = tensors.keys().filter_map(|name| case(name, false)).collect();
    // The same model as one file with the original code's names; ControlNets in one file are `control_files`.
    let one_file = |name: &&String| {
        let word = name.split('.').next().unwrap_or_default();
        stem != "controlnet" && folder.join(format!("models/{word}_ldm.safetensors")).is_file()
    };
    cases.extend(tensors.keys().filter(one_file).filter_map(|name| case(name, true)));
    cases
}

/// Makes what should equal the golden tensor of that name.
type Work = Box<dyn Fn(&Place, &Tensors, &str) -> Attempt<Tensor> + Send + Sync>;

/// What a tensor's name says.
enum Known {
    Input,
    Output(Work),
    Unknown,
}

/// Where the models are.
struct Place {
    folder: PathBuf,
    /// Whether a model that is there as one file too is read from that.
    is_one_file: bool,
}

impl Place {
    /// The model folder that a golden's first word means: of that name, or ending with it (`inpaint`).
    fn model(&self, word: &str, part: &str) -> Attempt<ModelFolder> {
        let models = self.folder.join("models");
        let file = models.join(format!("{word}_ldm.safetensors"));
        if self.is_one_file && file.is_file() {
            let folder = ModelFolder::open_with_configs(&file, &models.join(word));
            return folder.map(|folder| folder.join(part)).map_err(|e| e.to_string());
        }
        let mut candidates = vec![models.join(word).join(part)];
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(&models).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        names.sort();
        let suffix = format!("_{word}");
        candidates
            .extend(names.iter().filter(|n| n.to_string_lossy().ends_with(&suffix)).map(|n| n.join(part)));
        candidates
            .iter()
            .find(|path| path.is_dir())
            .ok_or_else(|| format!("no model folder for `{word}` ({part})"))
            .and_then(|path| ModelFolder::open(path).map_err(|e| e.to_string()))
    }

    fn unet(&self, word: &str) -> Attempt<(UNetConfig, UNet)> {
        let folder = self.model(word, "unet")?;
        let config = folder.json("config.json").map_err(|e| e.to_string())?;
        Ok((config, UNet::load(&folder, &Device::Cpu).map_err(|e| e.to_string())?))
    }

    fn control(&self, word: &str) -> Attempt<ControlNet> {
        let folder = self.model(&format!("controlnet_{word}_depth"), "")?;
        ControlNet::load(&folder, &Device::Cpu).map_err(|e| e.to_string())
    }

    /// The first of these tensors that is in the file or, SDXL's conditions being there, in the UNet's file.
    fn input(&self, tensors: &Tensors, names: &[String]) -> Attempt<Tensor> {
        let others = read(&self.folder.join("golden/unet.safetensors"))?;
        let found = names.iter().find_map(|name| tensors.get(name).or_else(|| others.get(name))).cloned();
        found.ok_or_else(|| format!("none of the inputs {names:?} is in the data"))
    }
}

fn read(file: &Path) -> Attempt<Tensors> {
    let tensors = candle_core::safetensors::load(file, &Device::Cpu);
    Ok(tensors.map_err(|e| format!("{}: {e}", file.display()))?.into_iter().collect())
}

/// Largest absolute difference over the golden's largest absolute value.
fn compare(found: &Tensor, golden: &Tensor) -> Attempt<f64> {
    if found.dims() != golden.dims() {
        return Err(format!("shape {:?}, expected {:?}", found.dims(), golden.dims()));
    }
    let values = |x: &Tensor| text(x.flatten_all().and_then(|x| x.to_vec1::<f32>()));
    let (found, golden) = (values(found)?, values(golden)?);
    let largest = golden.iter().fold(0f64, |m, x| m.max(f64::from(x.abs())));
    let worst = found.iter().zip(&golden).map(|(a, b)| f64::from((a - b).abs()));
    // f64::max drops NaN; a NaN must fail.
    let worst = worst.fold(0f64, |m, x| if x.is_nan() || m.is_nan() { f64::NAN } else { m.max(x) });
    Ok(worst / largest.max(f64::MIN_POSITIVE))
}

fn text<T>(result: candle_core::Result<T>) -> Attempt<T> {
    result.map_err(|e| e.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The timestep of a word such as `t500` or `t250_5`.
fn timestep(word: &str) -> Option<f64> {
    word.strip_prefix('t')?.replace('_', ".").parse().ok()
}

/// The first `batch` items.
fn items(x: &Tensor, batch: usize) -> Attempt<Tensor> {
    text(x.narrow(0, 0, batch))
}

/// SDXL's condition for a network that wants one.
fn added(
    place: &Place,
    config: &UNetConfig,
    tensors: &Tensors,
    word: &str,
    batch: usize,
) -> Attempt<Option<AddedCond>> {
    if config.addition_embed_type.is_none() {
        return Ok(None);
    }
    let input = |name: &str| place.input(tensors, &[format!("{word}.{name}")]).and_then(|x| items(&x, batch));
    Ok(Some(AddedCond { text_embeds: input("text_embeds")?, time_ids: input("time_ids")? }))
}

/// `<model>[.odd|.ctx…].t<timestep>` is an output, `<model>.vector` SDXL's added vector; the inputs are x, x_odd, x9
/// (by channels), ctx, ctx154, `<model>.ctx`, `<model>.text_embeds`, `<model>.time_ids`.
fn unet_case(name: &str) -> Known {
    let words: Vec<&str> = name.split('.').collect();
    let is_input =
        |w: &str| w.starts_with('x') || w.starts_with("ctx") || w == "text_embeds" || w == "time_ids";
    match words[..] {
        [word] | [_, word] if is_input(word) => Known::Input,
        [_, "vector"] => Known::Output(Box::new(added_vector)),
        [_, t] if timestep(t).is_some() => Known::Output(Box::new(unet_output)),
        [_, variant, t] if timestep(t).is_some() && (variant == "odd" || variant.starts_with("ctx")) => {
            Known::Output(Box::new(unet_output))
        }
        _ => Known::Unknown,
    }
}

fn unet_output(place: &Place, tensors: &Tensors, name: &str) -> Attempt<Tensor> {
    let words: Vec<&str> = name.split('.').collect();
    let (word, variant) = (words[0], words[1]);
    let (config, unet) = place.unet(word)?;
    let t = timestep(words[words.len() - 1]).ok_or("no timestep")?;
    let batch = text(tensors[name].dim(0))?;
    let odd = if variant == "odd" { "_odd" } else { "" };
    let x = place.input(tensors, &[format!("x{}{odd}", config.in_channels), format!("x{odd}")])?;
    let context = place.input(tensors, &[variant.to_owned(), format!("{word}.ctx"), "ctx".to_owned()])?;
    let added = added(place, &config, tensors, word, batch)?;
    text(unet.forward(&items(&x, batch)?, &[t], &items(&context, batch)?, added.as_ref(), None))
}

fn added_vector(place: &Place, tensors: &Tensors, name: &str) -> Attempt<Tensor> {
    let word = name.split('.').next().unwrap_or_default();
    let (config, unet) = place.unet(word)?;
    let added = added(place, &config, tensors, word, text(tensors[name].dim(0))?)?;
    text(unet.encoder().conditioner().added_vector(added.as_ref()))
}

/// `<model>.t<t>.down<i>` and `.mid` are residuals at weight 1; `<model>.t<t>.<weighting>.out` the UNet's output with
/// weighted residuals: `w<weight>`, `soft<weight>`, `more_important` (soft, and off for item 1).
fn control_case(name: &str) -> Known {
    let parts: Vec<&str> = name.splitn(3, '.').collect();
    match parts[..] {
        ["x" | "ctx" | "hint"] | [_, "ctx" | "text_embeds" | "time_ids"] => Known::Input,
        [_, t, what] if timestep(t).is_some() => match what.strip_suffix(".out") {
            Some(weighting) if weigh(weighting).is_some() => Known::Output(Box::new(control_output)),
            None if what == "mid" || residual_index(what).is_some() => {
                Known::Output(Box::new(control_residual))
            }
            _ => Known::Unknown,
        },
        _ => Known::Unknown,
    }
}

fn residual_index(what: &str) -> Option<usize> {
    what.strip_prefix("down")?.parse().ok()
}

/// How residuals are weighted, by the name of the weighting.
type Weigh = Box<dyn Fn(&ControlResiduals) -> candle_core::Result<ControlResiduals>>;

fn weigh(name: &str) -> Option<Weigh> {
    if name == "more_important" {
        return Some(Box::new(|r| r.scale_soft(1.0)?.scale_rows(&[1.0, 0.0])));
    }
    if let Some(weight) = name.strip_prefix("soft").and_then(|w| w.parse::<f64>().ok()) {
        return Some(Box::new(move |r| r.scale_soft(weight)));
    }
    let weight = name.strip_prefix('w')?.parse::<f64>().ok()?;
    Some(Box::new(move |r| r.scale(weight)))
}

/// What the networks of a ControlNet case see.
struct ControlInputs {
    unet: UNet,
    x: Tensor,
    t: f64,
    context: Tensor,
    added: Option<AddedCond>,
    residuals: ControlResiduals,
}

fn control_inputs(place: &Place, tensors: &Tensors, name: &str) -> Attempt<ControlInputs> {
    let words: Vec<&str> = name.splitn(3, '.').collect();
    let (config, unet) = place.unet(words[0])?;
    let t = timestep(words[1]).ok_or("no timestep")?;
    let batch = text(tensors[name].dim(0))?;
    let input = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        place.input(tensors, &names).and_then(|x| items(&x, batch))
    };
    let (x, hint) = (input(&["x"])?, input(&["hint"])?);
    let context = input(&[&format!("{}.ctx", words[0]), "ctx"])?;
    let added = added(place, &config, tensors, words[0], batch)?;
    let control = place.control(words[0])?;
    let residuals = text(control.forward(&x, &[t], &context, added.as_ref(), &hint))?;
    Ok(ControlInputs { unet, x, t, context, added, residuals })
}

fn control_residual(place: &Place, tensors: &Tensors, name: &str) -> Attempt<Tensor> {
    let residuals = control_inputs(place, tensors, name)?.residuals;
    match residual_index(name.rsplit('.').next().unwrap_or_default()) {
        None => Ok(residuals.mid),
        Some(i) => {
            residuals.down.get(i).cloned().ok_or_else(|| format!("only {} residuals", residuals.down.len()))
        }
    }
}

fn control_output(place: &Place, tensors: &Tensors, name: &str) -> Attempt<Tensor> {
    let ControlInputs { unet, x, t, context, added, residuals } = control_inputs(place, tensors, name)?;
    let weighting = name.splitn(3, '.').nth(2).and_then(|n| n.strip_suffix(".out")).unwrap_or_default();
    let weighted = text(weigh(weighting).ok_or("unknown weighting")?(&residuals))?;
    text(unet.forward(&x, &[t], &context, added.as_ref(), Some(&weighted)))
}

/// `<model>[.odd].{mean,std,decode,encode_of_image}` are outputs; the inputs are image, image_odd and z (an odd
/// decoding starts from the odd mean). `<model>.image01` is the picture as the original TAESD wants it.
fn vae_case(name: &str) -> Known {
    let words: Vec<&str> = name.split('.').collect();
    match words[..] {
        ["image" | "image_odd" | "z"] => Known::Input,
        [_, "image01"] => Known::Output(Box::new(image_in_unit_range)),
        [_, "mean" | "std" | "decode" | "encode_of_image"] | [_, "odd", "mean" | "std" | "decode"] => {
            Known::Output(Box::new(vae_output))
        }
        _ => Known::Unknown,
    }
}

fn image_in_unit_range(_: &Place, tensors: &Tensors, _: &str) -> Attempt<Tensor> {
    text(tensors["image"].affine(0.5, 0.5))
}

/// A model of the folder that has the autoencoder in `vae`, or is one.
fn autoencoder(place: &Place, word: &str) -> Attempt<Autoencoder> {
    let folder = place.model(word, "vae").or_else(|_| place.model(word, ""))?;
    let config: AutoencoderConfig = folder.json("config.json").map_err(|e| e.to_string())?;
    let weights = folder.weights(&Device::Cpu).map_err(|e| e.to_string())?;
    text(Autoencoder::new(&config, weights))
}

fn vae_output(place: &Place, tensors: &Tensors, name: &str) -> Attempt<Tensor> {
    let words: Vec<&str> = name.split('.').collect();
    let odd = words.len() == 3;
    let what = words[words.len() - 1];
    let wanted = match (what, odd) {
        ("decode", false) => "z".to_owned(),
        ("decode", true) => format!("{}.odd.mean", words[0]),
        (_, false) => "image".to_owned(),
        (_, true) => "image_odd".to_owned(),
    };
    let input = tensors.get(&wanted).ok_or_else(|| format!("the input `{wanted}` is not in the data"))?;
    match (autoencoder(place, words[0])?, what) {
        (Autoencoder::Kl(kl), _) => kl_output(&kl, what, input),
        (Autoencoder::Tiny(tiny), _) => tiny_output(&tiny, what, input),
    }
}

fn kl_output(kl: &AutoencoderKl, what: &str, input: &Tensor) -> Attempt<Tensor> {
    match what {
        "decode" => text(kl.decode(input)),
        "std" => Ok(text(kl.encode(input))?.std),
        _ => Ok(text(kl.encode(input))?.mean),
    }
}

fn tiny_output(tiny: &AutoencoderTiny, what: &str, input: &Tensor) -> Attempt<Tensor> {
    match what {
        "decode" => text(tiny.decode(input)),
        "mean" | "encode_of_image" => text(tiny.encode(input)),
        _ => Err(format!("a tiny autoencoder has no {what}")),
    }
}
