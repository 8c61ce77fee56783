//! Whole runs whose prompts change, are joined by `AND` or name textual inversions, against data made by
//! `tests/golden/prompts/make.py` with torch, diffusers and transformers.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::prompts::Asked;
use super::{Engine, Mix};
use crate::canvas::Size;
use crate::diffusion::guidance::GuidedDenoiser;
use crate::diffusion::sampler::{Run, SeededNoise, mix, resolve};
use crate::diffusion::sigmas::Spacing;
use crate::models::ModelFolder;

/// Largest difference over largest value. The oracles' README suggests it for whole runs; runs in f32 and f64
/// differ by 7e-6.
const LIMIT: f64 = 1e-3;

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    prompt: String,
    negative: String,
    sampler: String,
    steps: u32,
    guidance: f64,
    seed: u64,
    size: (usize, usize),
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

fn engine(model: &str) -> Engine {
    let folder = ModelFolder::open(&here("oracles/diffusion/models").join(model)).unwrap();
    let mut engine = Engine::load(&folder, &[], &Device::Cpu).unwrap();
    let named = ["weird place", "badthing"]
        .map(|name| (name.to_owned(), here("golden/prompts").join(format!("{model}.{name}.safetensors"))));
    engine.set_embeddings(named.to_vec()).unwrap();
    engine
}

/// The latent at the end of a run from noise.
fn run(engine: &mut Engine, case: &Case) -> Tensor {
    let (sampler, _) = resolve(&case.sampler).unwrap();
    let (prompt, negative): (Mix<'_>, Mix<'_>) = (case.prompt.as_str().into(), case.negative.as_str().into());
    let (width, height) = case.size;
    let asked = Asked {
        prompt: &prompt,
        negative: &negative,
        clip_skip: 1,
        guidance: case.guidance,
        size: Size::new(width, height),
        calls: sampler.planned_calls(case.steps),
    };
    let conditions = engine.prompts.conditions(&asked, &Device::Cpu).unwrap();
    let sigmas = sampler.sigmas(case.steps as usize, Spacing::Karras, &engine.schedule);
    let mut noise = SeededNoise::new(case.seed, (1, 4, height / 8, width / 8), &Device::Cpu);
    let x = mix([(sigmas[0], &noise.draw().unwrap())]).unwrap();
    let steps = case.steps as usize;
    let mut model =
        GuidedDenoiser::new(engine.unet().unwrap(), &engine.schedule, conditions, steps, Path::new("golden"));
    let mut watch = |_: &crate::diffusion::sampler::Step| ControlFlow::Continue(());
    let mut run = Run { model: &mut model as _, noise: &mut noise, watch: &mut watch };
    sampler.sample(&mut run, x, &sigmas, &engine.schedule).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn whole_runs_are_those_of_the_rules() {
    let cases: Vec<Case> =
        serde_json::from_slice(&std::fs::read(here("golden/prompts/golden.json")).unwrap()).unwrap();
    let golden =
        candle_core::safetensors::load(here("golden/prompts/golden.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(cases.len(), golden.len());
    let mut failed = Vec::new();
    for model in ["sd15", "sdxl"] {
        let mut engine = engine(model);
        for case in cases.iter().filter(|case| case.model == model) {
            let (found, expected) = (values(&run(&mut engine, case)), values(&golden[&case.name]));
            assert_eq!(found.len(), expected.len());
            let largest = expected.iter().fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
            let differences = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
            let error = differences.fold(0.0, f64::max) / largest;
            if error.is_nan() || error > LIMIT {
                failed.push(format!("{}: {error:.2e}", case.name));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
