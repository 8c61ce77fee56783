//! Depth Anything V2 as transformers runs it, under both kinds of tensor names.

#![allow(clippy::unwrap_used, reason = "a panic is a failed case, and its message is shown")]

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use kinora::depth::{DepthConfig, DepthNetwork};
use kinora::models::ModelFolder;

use super::text::{names, open, relative};
use crate::Case;

/// Relative error, as the data's README suggests for networks; f32 against f64 was measured below 1e-6.
const LIMIT: f64 = 1e-4;

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let golden = folder.join("golden/depth.safetensors");
    let model = folder.join("models/depth_anything_v2");
    let weights = weight_files(&model);
    let all = names(&golden);
    all.iter()
        .filter(|name| !name.ends_with(".pixels"))
        .flat_map(|name| cases(&golden, &model, &weights, &all, name))
        .chain(names_agree(&golden, &model, &weights, &all))
        .collect()
}

/// Every file of weights in the model's folder.
fn weight_files(model: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(model) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    files
}

/// The case of one picture with each file of weights.
fn cases(golden: &Path, model: &Path, weights: &[PathBuf], all: &[String], name: &str) -> Vec<Case> {
    let kind = "diffusion/depth";
    let pixels = name.strip_suffix(".depth").map(|case| format!("{case}.pixels"));
    let Some(pixels) = pixels.filter(|pixels| all.contains(pixels)) else {
        return vec![Case::unsupported(kind, name, "neither pixels nor their depth")];
    };
    if weights.is_empty() {
        return vec![Case::unsupported(kind, name, "no weights in models/depth_anything_v2")];
    }
    let case = |weights: &PathBuf| {
        let label = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (golden, model, weights) = (golden.to_owned(), model.to_owned(), weights.clone());
        let (name, pixels) = (name.to_owned(), pixels.clone());
        Case::new(kind, format!("{name}.{label}"), move || {
            let data = open(&golden);
            let load = |name: &str| data.load(name, &Device::Cpu).unwrap();
            relative(&network(&model, &weights).forward(&load(&pixels)).unwrap(), &load(&name), LIMIT)
        })
    };
    weights.iter().map(case).collect()
}

fn network(model: &Path, weights: &Path) -> DepthNetwork {
    let config: DepthConfig = ModelFolder::open(model).unwrap().json("config.json").unwrap();
    let bytes = std::fs::read(weights).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap();
    DepthNetwork::new(&config, weights).unwrap()
}

/// Files of the same weights under different names must give the same depth.
///
/// Networks of random weights may give nothing but zeros, since the last step cuts off what is negative;
/// comparing zeros would prove little. So the last layer's sign is turned where that is the case.
fn names_agree(golden: &Path, model: &Path, weights: &[PathBuf], all: &[String]) -> Vec<Case> {
    let Some((first, others)) = weights.split_first() else { return Vec::new() };
    let mut cases = Vec::new();
    for pixels in all.iter().filter(|name| name.ends_with(".pixels")) {
        for other in others {
            let label = other.file_stem().unwrap_or_default().to_string_lossy();
            let (golden, model, pixels) = (golden.to_owned(), model.to_owned(), pixels.clone());
            let (first, other) = (first.clone(), other.clone());
            cases.push(Case::new("diffusion/depth", format!("{pixels}.agree.{label}"), move || {
                let pixels = open(&golden).load(&pixels, &Device::Cpu).unwrap();
                let depth = |weights: &Path| visible(&model, weights, &pixels);
                relative(&depth(&other), &depth(&first), LIMIT)
            }));
        }
    }
    cases
}

/// The network's depth, or that of the network whose last layer is negated if the depth is all zeros.
fn visible(model: &Path, weights: &Path, pixels: &Tensor) -> Tensor {
    let depth = network(model, weights).forward(pixels).unwrap();
    if peak(&depth) > 0.0 {
        return depth;
    }
    let last = ["head.conv3.", "depth_head.scratch.output_conv2.2."];
    let mut tensors = candle_core::safetensors::load(weights, &Device::Cpu).unwrap();
    for (name, tensor) in &mut tensors {
        *tensor = tensor.to_dtype(DType::F32).unwrap();
        if last.iter().any(|last| name.starts_with(last)) {
            *tensor = tensor.neg().unwrap();
        }
    }
    let config: DepthConfig = ModelFolder::open(model).unwrap().json("config.json").unwrap();
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let depth = DepthNetwork::new(&config, weights).unwrap().forward(pixels).unwrap();
    assert!(peak(&depth) > 0.0, "one sign or the other must be seen");
    depth
}

fn peak(x: &Tensor) -> f32 {
    x.flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}
