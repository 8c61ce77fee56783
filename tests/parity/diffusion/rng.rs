//! Random numbers of PyTorch's CPU generator and of the web UI's Philox generator.
//!
//! `golden/rng.safetensors`: the key is `<kind>.<parameters>`, see `discover`. The limit is 2e-6 absolute: draws
//! are exact, but logarithm and sine come from different libraries.

use std::collections::BTreeMap;
use std::path::Path;

use kinora::noise::{TorchRng, philox_randn, slerp};
use safetensors::{Dtype, SafeTensors};

use crate::{Case, Verdict, within};

const LIMIT: f64 = 2e-6;

/// A golden tensor, widened to f64.
struct Golden {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let path = folder.join("golden/rng.safetensors");
    if !path.is_file() {
        return Vec::new();
    }
    let bytes = std::fs::read(&path).expect("golden file");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut goldens: BTreeMap<String, Golden> =
        tensors.tensors().into_iter().map(|(name, view)| (name, golden(&view))).collect();
    let sequences = take_sequences(&mut goldens, "cpu_seq.");
    let mut cases: Vec<Case> =
        sequences.into_iter().map(|(seed, parts)| sequence_case(seed, parts)).collect();
    cases.extend(goldens.into_iter().map(|(name, golden)| single_case(name, golden)));
    cases
}

fn golden(view: &safetensors::tensor::TensorView<'_>) -> Golden {
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        _ => Vec::new(),
    };
    Golden { shape: view.shape().to_vec(), values }
}

/// Removes `<prefix><seed>.<k>` and gathers the draws of each seed in the order of `k`.
fn take_sequences(goldens: &mut BTreeMap<String, Golden>, prefix: &str) -> BTreeMap<u64, Vec<Golden>> {
    let mut keys: Vec<(u64, usize, String)> = Vec::new();
    for name in goldens.keys() {
        let Some((seed, k)) = name.strip_prefix(prefix).and_then(|rest| rest.split_once('.')) else {
            continue;
        };
        if let (Ok(seed), Ok(k)) = (seed.parse(), k.parse()) {
            keys.push((seed, k, name.clone()));
        }
    }
    keys.sort();
    let mut sequences: BTreeMap<u64, Vec<Golden>> = BTreeMap::new();
    for (seed, _, name) in keys {
        sequences.entry(seed).or_default().extend(goldens.remove(&name));
    }
    sequences
}

/// Successive draws of one generator.
fn sequence_case(seed: u64, parts: Vec<Golden>) -> Case {
    Case::new("diffusion/rng-cpu_seq", seed.to_string(), move || {
        let mut rng = TorchRng::new(seed);
        let error = parts.iter().map(|part| error(&rng.randn(part.values.len()), part)).fold(0.0, worst);
        within(error, LIMIT)
    })
}

/// Every other key stands alone.
fn single_case(name: String, golden: Golden) -> Case {
    let kind = format!("diffusion/rng-{}", name.split('.').next().unwrap_or_default());
    Case::new(kind, name.clone(), move || {
        draw(&name, &golden).map_or_else(
            || Verdict::Unsupported(format!("unknown key or malformed name `{name}`")),
            |values| within(error_f64(&values, &golden), LIMIT),
        )
    })
}

/// What we draw for a key.
fn draw(name: &str, golden: &Golden) -> Option<Vec<f64>> {
    let (kind, rest) = name.split_once('.')?;
    let n = golden.values.len();
    if kind == "subseed" {
        return subseed(rest, golden);
    }
    let (seed, tail) = rest.split_once('.').unwrap_or((rest, ""));
    let seed: u64 = seed.parse().ok()?;
    match kind {
        "cpu" => Some(widen(&TorchRng::new(seed).randn(n))),
        "cpu_rand" => Some(widen(&TorchRng::new(seed).rand(n))),
        "cpu_f64" => Some(TorchRng::new(seed).randn_f64(n)),
        "philox" => Some(widen(&philox_randn(seed, 0, n))),
        "philox_seq" => Some(widen(&philox_randn(seed, tail.parse().ok()?, n))),
        _ => None,
    }
}

/// `<seed>.<subseed>.<strength>`, the strength itself with a point.
fn subseed(rest: &str, golden: &Golden) -> Option<Vec<f64>> {
    let mut parts = rest.splitn(3, '.');
    let mut seed = || parts.next()?.parse::<u64>().ok();
    let (main, sub) = (seed()?, seed()?);
    let strength = parts.next()?.parse().ok()?;
    let shape = <[usize; 3]>::try_from(golden.shape.as_slice()).ok()?;
    let n = golden.values.len();
    // The noise of a whole golden file comes from one kind of generator; it is torch's for subseeds.
    Some(widen(&slerp(strength, &TorchRng::new(main).randn(n), &TorchRng::new(sub).randn(n), shape)))
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn error(ours: &[f32], golden: &Golden) -> f64 {
    error_f64(&widen(ours), golden)
}

/// Largest absolute difference; NaN when lengths differ or a value is NaN.
fn error_f64(ours: &[f64], golden: &Golden) -> f64 {
    if ours.len() != golden.values.len() || ours.is_empty() {
        return f64::NAN;
    }
    let differences = ours.iter().zip(&golden.values).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, worst)
}

/// The larger of two errors; NaN, once seen, stays.
fn worst(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
