//! ControlNets in single files: `models/controlnet_<word>_depth_ldm.safetensors` and the forms that can be made of it
//! and of the folder beside it give the residuals of `golden/controlnet.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use kinora::diffusion::controlnet::{ControlBase, ControlModel, ControlNet, ControlPlace};
use kinora::diffusion::unet::{AddedCond, UNet, UNetConfig};
use kinora::models::ModelFolder;

use crate::{Case, Verdict, within};

const KIND: &str = "diffusion/controlnet_files";
/// That of the networks in folders.
const LIMIT: f64 = 1e-4;

/// What a file is made of.
#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Marked,
    /// Without `control_model.` in front.
    Bare,
    /// The folder's weights in one file.
    Diffusers,
    /// Widened to f32.
    Wide,
}

pub fn discover(folder: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(folder.join("models")).into_iter().flatten().flatten();
    let mut words: Vec<String> = files
        .filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            Some(name.strip_prefix("controlnet_")?.strip_suffix("_depth_ldm.safetensors")?.to_owned())
        })
        .collect();
    words.sort();
    let forms =
        [("marked", Form::Marked), ("bare", Form::Bare), ("diffusers", Form::Diffusers), ("f32", Form::Wide)];
    let case = |word: &String, (name, form): (&str, Form)| {
        let (folder, word) = (folder.to_owned(), word.clone());
        Case::new(KIND, format!("{word}.{name}"), move || match run(&folder, &word, form) {
            Ok(error) => within(error, LIMIT),
            Err(why) => Verdict::Fail(why),
        })
    };
    words.iter().flat_map(|word| forms.map(|form| case(word, form))).collect()
}

fn run(folder: &Path, word: &str, form: Form) -> Result<f64, String> {
    let text = |e: candle_core::Error| e.to_string();
    let own = |e: kinora::error::Error| format!("{e} ({})", e.hint().unwrap_or_default());
    let models = folder.join("models");
    let unet_folder = ModelFolder::open(&models.join(word).join("unet")).map_err(own)?;
    let config: UNetConfig = unet_folder.json("config.json").map_err(own)?;
    let unet = UNet::load(&unet_folder, &Device::Cpu).map_err(own)?;
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = made(&models, word, form, scratch.path()).map_err(text)?;
    let base = ControlBase { unet: &unet, config: &config, folder: &unet_folder };
    let model = ControlPlace::open(&file).and_then(|place| place.load(&base, &Device::Cpu)).map_err(own)?;
    let ControlModel::Net(net) = model else { return Err("expected a ControlNet".to_owned()) };
    compare(folder, word, &config, &net).map_err(text)
}

fn made(models: &Path, word: &str, form: Form, scratch: &Path) -> candle_core::Result<PathBuf> {
    let marked = models.join(format!("controlnet_{word}_depth_ldm.safetensors"));
    let read = |path: &Path| candle_core::safetensors::load(path, &Device::Cpu);
    let tensors: HashMap<String, Tensor> = match form {
        Form::Marked => return Ok(marked),
        Form::Bare => {
            let bare = |(name, tensor): (String, Tensor)| (name.replace("control_model.", ""), tensor);
            read(&marked)?.into_iter().map(bare).collect()
        }
        Form::Diffusers => {
            read(&models.join(format!("controlnet_{word}_depth/diffusion_pytorch_model.safetensors")))?
        }
        Form::Wide => {
            let wide = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_dtype(DType::F32)?));
            read(&marked)?.into_iter().map(wide).collect::<candle_core::Result<_>>()?
        }
    };
    let path = scratch.join("control.safetensors");
    candle_core::safetensors::save(&tensors, &path)?;
    Ok(path)
}

/// The worst error of all residuals that the data has for this network.
fn compare(folder: &Path, word: &str, config: &UNetConfig, net: &ControlNet) -> candle_core::Result<f64> {
    let read = |name: &str| -> candle_core::Result<BTreeMap<String, Tensor>> {
        let path = folder.join("golden").join(name);
        Ok(candle_core::safetensors::load(path, &Device::Cpu)?.into_iter().collect())
    };
    let (golden, others) = (read("controlnet.safetensors")?, read("unet.safetensors")?);
    let find = |names: &[String]| -> candle_core::Result<Tensor> {
        let found = names.iter().find_map(|name| golden.get(name).or_else(|| others.get(name)));
        found.cloned().ok_or_else(|| candle_core::Error::Msg(format!("none of {names:?} is in the data")))
    };
    let mut worst: f64 = 0.0;
    let mut seen = 0;
    for (name, wanted) in golden.iter().filter(|(name, _)| name.starts_with(&format!("{word}.t"))) {
        let Some((_, what)) =
            name.rsplit_once('.').filter(|(_, what)| *what == "mid" || what.starts_with("down"))
        else {
            continue;
        };
        let t: f64 = name[word.len() + 2..]
            .split('.')
            .next()
            .unwrap_or_default()
            .replace('_', ".")
            .parse()
            .map_err(candle_core::Error::wrap)?;
        let batch = wanted.dim(0)?;
        let input = |names: &[&str]| {
            find(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())?.narrow(0, 0, batch)
        };
        let own = |part: &str| input(&[format!("{word}.{part}").as_str(), part]);
        let added = match &config.addition_embed_type {
            None => None,
            Some(_) => Some(AddedCond { text_embeds: own("text_embeds")?, time_ids: own("time_ids")? }),
        };
        let residuals =
            net.forward(&input(&["x"])?, &[t], &own("ctx")?, added.as_ref(), &input(&["hint"])?)?;
        let found = match what.strip_prefix("down").and_then(|i| i.parse::<usize>().ok()) {
            Some(i) => &residuals.down[i],
            None => &residuals.mid,
        };
        let largest = wanted.abs()?.max_all()?.to_scalar::<f32>()?;
        let error = (found - wanted)?.abs()?.max_all()?.to_scalar::<f32>()?;
        worst = if error.is_nan() { f64::NAN } else { worst.max(f64::from(error / largest)) };
        seen += 1;
    }
    Ok(if seen == 0 { f64::NAN } else { worst })
}
