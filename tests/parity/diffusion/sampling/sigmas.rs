//! Noise schedules and spacings.

use std::path::Path;
use std::sync::Arc;

use kinora::diffusion::sigmas::{BetaPrecision, NoiseSchedule, Spacing};

use super::{Data, case, relative, schedule};
use crate::Case;

const KIND: &str = "diffusion/sigmas";
/// The peers compute in f32.
const LIMIT: f64 = 1e-6;

pub fn discover(_folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    data.tensors.keys().filter(|key| *key != "sigma_to_t.out").map(|key| one(key, data)).collect()
}

fn one(key: &str, data: &Arc<Data>) -> Case {
    let plain = |list: fn(&NoiseSchedule) -> &[f64]| {
        let name = key.to_owned();
        case(
            KIND,
            key,
            data,
            move |data| {
                relative(list(&schedule(&serde_json::Value::Null, BetaPrecision::F64)), &data.list(&name))
            },
            LIMIT,
        )
    };
    match key {
        "alphas_cumprod" => plain(NoiseSchedule::alphas_cumprod),
        "k_sigmas" => plain(NoiseSchedule::sigmas),
        "sigma_to_t.in" => case(KIND, "sigma_to_t", data, timesteps, LIMIT),
        _ => spacing(key, data),
    }
}

fn timesteps(data: &Data) -> f64 {
    let schedule = schedule(&serde_json::Value::Null, BetaPrecision::F64);
    let found: Vec<f64> = data.list("sigma_to_t.in").iter().map(|s| schedule.sigma_to_t(*s)).collect();
    relative(&found, &data.list("sigma_to_t.out"))
}

fn spacing(key: &str, data: &Arc<Data>) -> Case {
    let parts: Vec<&str> = key.split('.').collect();
    let parsed = match parts[..] {
        ["sigmas", name, n] => Spacing::from_name(name).zip(n.parse::<usize>().ok()),
        _ => None,
    };
    let Some((spacing, n)) = parsed else {
        return Case::unsupported(KIND, key, "expected sigmas.<spacing>.<n> of a known spacing");
    };
    let name = key.to_owned();
    let run = move |data: &Data| {
        let schedule = schedule(&serde_json::Value::Null, BetaPrecision::F64);
        relative(&spacing.sigmas(n, &schedule), &data.list(&name))
    };
    case(KIND, key, data, run, LIMIT)
}
