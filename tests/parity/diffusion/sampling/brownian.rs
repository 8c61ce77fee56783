//! torchsde's Brownian tree behind k-diffusion's noise sampler.

use std::sync::Arc;

use candle_core::Device;
use kinora::diffusion::sampler::{BrownianNoise, NoiseSource};
use kinora::noise::NoiseKind;

use super::{Data, case, values};
use crate::Case;

const KIND: &str = "diffusion/samplers_k";
/// Normals within 2e-6 of torch's and some two dozen halvings in f32, on values up to 4.
const LIMIT: f64 = 1e-5;

pub fn discover(data: &Arc<Data>) -> Vec<Case> {
    let keys = data.tensors.keys().filter(|key| key.starts_with("brownian.") && *key != "brownian.sigmas");
    keys.map(|key| one(key, data)).collect()
}

fn one(key: &str, data: &Arc<Data>) -> Case {
    let numbers: Vec<Option<u64>> = key.split('.').skip(1).map(|part| part.parse().ok()).collect();
    let [Some(seed), Some(index)] = numbers[..] else {
        return Case::unsupported(KIND, key, "expected brownian.<seed>.<index>");
    };
    let name = key.to_owned();
    case(KIND, key, data, move |data| increment(data, &name, seed, index as usize), LIMIT)
}

/// Largest absolute difference of a draw.
fn increment(data: &Data, name: &str, seed: u64, index: usize) -> f64 {
    let sigmas = data.list("brownian.sigmas");
    let wanted = data.tensor(name);
    let mut noise =
        BrownianNoise::new(NoiseKind::TorchCpu, seed, &sigmas, wanted.shape().clone(), &Device::Cpu);
    let found = values(&noise.next(sigmas[index], sigmas[index + 1]).unwrap());
    let differences = found.iter().zip(values(wanted)).map(|(a, b)| (a - b).abs());
    differences.fold(
        0.0,
        |worst: f64, difference| if difference.is_nan() { f64::NAN } else { worst.max(difference) },
    )
}
