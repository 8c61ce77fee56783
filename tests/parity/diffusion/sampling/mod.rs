//! Noise levels, samplers and whole runs.
#![allow(clippy::unwrap_used, reason = "a panic is a failed case, and its message is shown")]

mod brownian;
mod closed_form;
mod diffusers;
mod kdiffusion;
mod pipelines;
mod reference;
mod sigmas;
mod timesteps;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use kinora::diffusion::sampler::{ReplayedNoise, Run, Step};
use kinora::diffusion::sigmas::{BetaPrecision, NoiseSchedule, SchedulerConfig};

use crate::{Case, Verdict, within};

/// Closed-form runs: f32 rounding of at most a few dozen steps.
const CLOSED_FORM: f64 = 1e-5;

/// The tensors of a file, and its json beside it.
pub struct Data {
    pub tensors: BTreeMap<String, Tensor>,
    pub json: serde_json::Value,
}

impl Data {
    fn read(folder: &Path, stem: &str) -> Option<Arc<Self>> {
        let path = folder.join("golden").join(format!("{stem}.safetensors"));
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).ok()?.into_iter().collect();
        let json = std::fs::read(folder.join("golden").join(format!("{stem}.json"))).unwrap_or_default();
        Some(Arc::new(Self { tensors, json: serde_json::from_slice(&json).unwrap_or_default() }))
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("the file has no `{name}`"))
    }

    fn list(&self, name: &str) -> Vec<f64> {
        values(self.tensor(name))
    }

    /// The names `p` for which there is a tensor `p` + `suffix`.
    fn stems(&self, suffix: &str) -> Vec<String> {
        self.tensors.keys().filter_map(|key| key.strip_suffix(suffix)).map(str::to_owned).collect()
    }

    /// The slices along the first dimension of a tensor that need not be there.
    fn rows(&self, name: &str) -> Vec<Tensor> {
        let Some(all) = self.tensors.get(name) else { return Vec::new() };
        (0..all.dims()[0]).map(|i| all.get(i).unwrap()).collect()
    }

    fn noise(&self, name: &str) -> ReplayedNoise {
        ReplayedNoise::new(self.rows(name))
    }
}

/// All cases of the folder that these files know.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |stem: &str, discover: fn(&Path, &Arc<Data>) -> Vec<Case>| {
        if let Some(data) = Data::read(folder, stem) {
            cases.extend(discover(folder, &data));
        }
    };
    add("sigmas", sigmas::discover);
    add("samplers_k", kdiffusion::discover);
    add("samplers_timesteps", timesteps::discover);
    add("samplers_diffusers", diffusers::discover);
    add("pipelines", pipelines::discover);
    add("pipelines", reference::discover);
    cases
}

/// All values, whatever their type.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(candle_core::DType::F64).unwrap().to_vec1().unwrap()
}

/// Largest difference as a share of the largest value that was wanted. Another size or NaN gives NaN.
pub fn relative(found: &[f64], wanted: &[f64]) -> f64 {
    if found.len() != wanted.len() || found.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let largest = wanted.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let error = found.iter().zip(wanted).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
    if largest > 0.0 { error / largest } else { error }
}

/// The worse of two errors; NaN is the worst.
pub fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The states that a sampler shows and its result, on the scale of the sampler.
pub fn states<M: ?Sized>(
    model: &mut M,
    mut noise: ReplayedNoise,
    sample: impl FnOnce(&mut Run<'_, M>) -> kinora::error::Result<Tensor>,
) -> Vec<Tensor> {
    let mut states = Vec::new();
    let mut watch = |step: &Step| {
        states.push(step.x.clone());
        ControlFlow::Continue(())
    };
    let mut run = Run { model, noise: &mut noise, watch: &mut watch };
    let result = sample(&mut run).unwrap();
    states.push(result);
    states
}

/// The worst error of states against the rows of a tensor; `row` says which belongs to which.
pub fn compare(states: &[Tensor], wanted: &[Tensor], row: impl Fn(usize) -> usize) -> f64 {
    let mut worst = 0.0;
    for (i, state) in states.iter().enumerate() {
        let Some(wanted) = wanted.get(row(i)) else { return f64::NAN };
        worst = worse(worst, relative(&values(state), &values(wanted)));
    }
    worst
}

/// The noise of Stable Diffusion, changed by the keys of `more`.
pub fn schedule(more: &serde_json::Value, precision: BetaPrecision) -> NoiseSchedule {
    let mut config = serde_json::json!({
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    });
    if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
        config.extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    let config: SchedulerConfig = serde_json::from_value(config).unwrap();
    NoiseSchedule::with_precision(&config, precision).unwrap()
}

/// A case over shared data.
pub fn case(
    kind: &str,
    name: &str,
    data: &Arc<Data>,
    run: impl Fn(&Data) -> f64 + Send + Sync + 'static,
    limit: f64,
) -> Case {
    let data = Arc::clone(data);
    Case::new(kind, name, move || -> Verdict { within(run(&data), limit) })
}
