//! Whole runs with reference-only control: `reference.f<fidelity>[.w<weight>]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use kinora::diffusion::guidance::{Conditioning, ControlMode, GuidedDenoiser};
use kinora::diffusion::reference::ReferenceUnit;
use kinora::diffusion::sampler::{Denoiser, Sampler};
use kinora::diffusion::unet::UNet;
use kinora::models::ModelFolder;

use super::pipelines::schedule;
use super::{Data, case, compare, relative, states, values, worse};
use crate::Case;

const KIND: &str = "diffusion/pipelines";
/// That of the other whole runs.
const LIMIT: f64 = 1e-3;

pub fn discover(folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    let mut stems = data.stems(".x");
    stems.retain(|stem| stem.starts_with("reference."));
    stems.sort();
    let one = |stem: &String| match read_name(stem) {
        None => Case::unsupported(KIND, stem, "a run of an unknown name"),
        Some(settings) => {
            let (folder, name) = (folder.join("models/sd15"), stem.clone());
            case(KIND, stem, data, move |data| run(&folder, data, &name, settings), LIMIT)
        }
    };
    stems.iter().map(one).collect()
}

/// Fidelity and weight.
fn read_name(stem: &str) -> Option<(f64, f64)> {
    let rest = stem.strip_prefix("reference.f")?;
    let (fidelity, weight) = match rest.split_once(".w") {
        Some((fidelity, weight)) => (fidelity, weight.parse().ok()?),
        None => (rest, 1.0),
    };
    Some((fidelity.parse().ok()?, weight))
}

fn run(model: &PathBuf, data: &Data, name: &str, (fidelity, weight): (f64, f64)) -> f64 {
    let schedule = schedule(&model.join("scheduler/scheduler_config.json"));
    let unet = UNet::load(&ModelFolder::open(&model.join("unet")).unwrap(), &Device::Cpu).unwrap();
    let conditioning = Conditioning {
        context: Tensor::cat(&[data.tensor("cond"), data.tensor("uncond")], 0).unwrap(),
        added: None,
        guidance: data.json["cfg"].as_f64().unwrap(),
        parts: None,
    };
    let wanted = data.rows(&format!("{name}.x"));
    let unit = ReferenceUnit {
        latent: data.tensor("reference.latent").clone(),
        weight,
        fidelity,
        start: 0.0,
        end: 1.0,
        mode: ControlMode::Balanced,
        noise: Box::new(data.noise("reference.noise")),
    };
    let mut model = GuidedDenoiser::new(&unet, &schedule, conditioning, wanted.len(), Path::new("oracle"))
        .with_references(vec![unit]);
    let sigmas = data.list(&format!("{name}.sigmas"));
    let noise = data.noise(&format!("{name}.noise"));
    // The names do not say the sampler: it is Euler a where noise is recorded.
    let sampler = if noise.left() == 0 { Sampler::Dpmpp2m } else { Sampler::EulerA };
    let x = wanted[0].clone();
    let mut found =
        states(&mut model as &mut dyn Denoiser, noise, |run| sampler.sample(run, x, &sigmas, &schedule));
    let out = relative(&values(&found.pop().unwrap()), &data.list(&format!("{name}.out")));
    worse(out, compare(&found, &wanted, |i| i))
}
