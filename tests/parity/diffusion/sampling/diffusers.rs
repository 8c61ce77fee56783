//! diffusers' schedulers on a closed form.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use kinora::diffusion::sampler::{
    Denoiser, Hop, Predictor, Sampler, UniPc, UniPcVariant, ddim, ddpm, lcm, plms, tcd, unipc,
};
use kinora::diffusion::sigmas::{BetaPrecision, NoiseSchedule, TimestepSpacing, consistency_timesteps};
use serde_json::Value;

use super::closed_form::{Network, Timesteps};
use super::{CLOSED_FORM, Data, case, compare, schedule, states, worse};
use crate::Case;

const KIND: &str = "diffusion/samplers_diffusers";

/// Keys whose meaning the cases below follow.
const KNOWN: [&str; 13] = [
    "clip_sample",
    "set_alpha_to_one",
    "steps_offset",
    "timestep_spacing",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "algorithm_type",
    "lower_order_final",
    "skip_prk_steps",
    "solver_type",
    "solver_order",
];

pub fn discover(_folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    data.stems(".x").iter().map(|stem| one(stem, data)).collect()
}

fn one(stem: &str, data: &Arc<Data>) -> Case {
    let config = data.json[stem]["config"].clone();
    let unknown = config.as_object().and_then(|c| {
        c.keys().find(|key| !KNOWN.contains(&key.as_str()) && *key != "final_sigmas_type").cloned()
    });
    if let Some(key) = unknown {
        return Case::unsupported(KIND, stem, format!("option `{key}`"));
    }
    if config["clip_sample"] == Value::Bool(true) || config["skip_prk_steps"] == Value::Bool(false) {
        return Case::unsupported(KIND, stem, "clipped samples and Runge-Kutta starts");
    }
    let name = stem.to_owned();
    let class = data.json[stem]["cls"].as_str().unwrap_or_default().to_owned();
    let sde = config["algorithm_type"] == "sde-dpmsolver++";
    let ve = |sampler: Sampler, vp: bool, stride: usize| {
        let name = name.clone();
        case(KIND, stem, data, move |data| on_sigmas(data, &name, sampler, vp, stride), CLOSED_FORM)
    };
    match class.as_str() {
        "EulerDiscreteScheduler" => ve(Sampler::Euler, false, 1),
        "EulerAncestralDiscreteScheduler" => ve(Sampler::EulerA, false, 1),
        "HeunDiscreteScheduler" => ve(Sampler::Heun, false, 2),
        "LMSDiscreteScheduler" => ve(Sampler::Lms, false, 1),
        "KDPM2DiscreteScheduler" => ve(Sampler::Dpm2, false, 2),
        "KDPM2AncestralDiscreteScheduler" => ve(Sampler::Dpm2A, false, 2),
        "DPMSolverMultistepScheduler" if sde => ve(Sampler::Dpmpp2mSde, true, 1),
        "DPMSolverMultistepScheduler" => ve(Sampler::Dpmpp2m, true, 1),
        "DPMSolverSinglestepScheduler" => ve(Sampler::DpmppS, true, 1),
        "UniPCMultistepScheduler" => ve(Sampler::UniPc, true, 1),
        "DDIMScheduler" | "DDPMScheduler" | "PNDMScheduler" | "LCMScheduler" | "TCDScheduler" => {
            case(KIND, stem, data, move |data| on_timesteps(data, &name, &class), CLOSED_FORM)
        }
        other => Case::unsupported(KIND, stem, format!("scheduler `{other}`")),
    }
}

/// A scheduler that steps from sigma to sigma, given its own list. `vp`: its states are on the VP scale.
/// `stride`: states that diffusers shows for one of ours.
fn on_sigmas(data: &Data, name: &str, sampler: Sampler, vp: bool, stride: usize) -> f64 {
    let config = &data.json[name]["config"];
    let schedule = schedule(config, BetaPrecision::F32);
    let mut sigmas = data.list(&format!("{name}.sigmas"));
    sigmas.dedup();
    let timesteps = data.list(&format!("{name}.timesteps"));
    let last = sigmas.len() - 1;
    let known = (0..last).map(|i| (sigmas[i], timesteps[i * stride])).collect();
    let mut model = Network { schedule: schedule.clone(), known };
    let scale = |i: usize| if vp { (1.0 + sigmas[i] * sigmas[i]).sqrt() } else { 1.0 };
    let start = data.json[name]["init_noise_sigma"].as_f64().unwrap() * scale(0);
    let x = (data.tensor("x_init") * start).unwrap();
    let noise = data.noise(&format!("{name}.noise"));
    let variant = if config["solver_type"] == "bh1" { UniPcVariant::Bh1 } else { UniPcVariant::Bh2 };
    let order = config["solver_order"].as_u64().unwrap_or(2) as usize;
    let mut found = states(&mut model as &mut dyn Denoiser, noise, |run| match sampler {
        Sampler::UniPc => unipc(run, x, &sigmas, UniPc { order, variant }),
        other => other.sample(run, x, &sigmas, &schedule),
    });
    for (i, state) in found.iter_mut().enumerate() {
        *state = (&*state / scale(i)).unwrap();
    }
    let wanted = data.rows(&format!("{name}.x"));
    compare(&found, &wanted, |i| if i == last { wanted.len() - 1 } else { i * stride })
}

/// A scheduler that steps from timestep to timestep: its list and its steps.
fn on_timesteps(data: &Data, name: &str, class: &str) -> f64 {
    let config = &data.json[name]["config"];
    let schedule = schedule(config, BetaPrecision::F32);
    let wanted = data.rows(&format!("{name}.x"));
    let shown = data.list(&format!("{name}.timesteps"));
    let n = name.rsplit('.').next().unwrap().parse::<usize>().unwrap();
    let train = schedule.sigmas().len();
    let timesteps: Vec<f64> = grid(config, class, n, train).into_iter().map(|t| t as f64).collect();
    // PNDM lists its second timestep twice.
    let mut listed = timesteps.clone();
    if class == "PNDMScheduler" && n > 1 {
        listed.insert(1, timesteps[1]);
    }
    let same_grid = if listed == shown { 0.0 } else { f64::NAN };
    let hops = hops(config, class, &timesteps, train / n, &schedule);
    let x: Tensor = data.tensor("x_init").clone();
    let mut model = Timesteps(schedule.prediction());
    let noise = data.noise(&format!("{name}.noise"));
    let found = states(&mut model as &mut dyn Predictor, noise, |run| match class {
        "DDPMScheduler" => ddpm(run, x, &hops),
        "PNDMScheduler" => plms(run, x, &hops),
        "LCMScheduler" => lcm(run, x, &hops),
        // The oracle's eta, which the paper calls gamma.
        "TCDScheduler" => tcd(run, x, &hops, 0.3, |t| schedule.alpha_at(t)),
        _ => ddim(run, x, &hops, 0.0),
    });
    let skipped = usize::from(class == "PNDMScheduler");
    worse(same_grid, compare(&found, &wanted, |i| if i == 0 { 0 } else { i + skipped }))
}

fn grid(config: &Value, class: &str, n: usize, train: usize) -> Vec<usize> {
    if matches!(class, "LCMScheduler" | "TCDScheduler") {
        return consistency_timesteps(n, 50, train);
    }
    let spacing = match config["timestep_spacing"].as_str() {
        Some("linspace") => TimestepSpacing::Linspace,
        Some("trailing") => TimestepSpacing::Trailing,
        _ => TimestepSpacing::Leading { offset: config["steps_offset"].as_u64().unwrap_or(0) as usize },
    };
    spacing.timesteps(n, train)
}

/// Where each class says that a step from a timestep leads.
fn hops(config: &Value, class: &str, timesteps: &[f64], gap: usize, schedule: &NoiseSchedule) -> Vec<Hop> {
    let clean = if config["set_alpha_to_one"] == Value::Bool(false) { schedule.alpha_at(0.0) } else { 1.0 };
    let next = |i: usize| match class {
        "DDIMScheduler" | "PNDMScheduler" => timesteps[i] - gap as f64,
        "DDPMScheduler" => timesteps.get(i + 1).copied().unwrap_or(-1.0),
        _ => timesteps.get(i + 1).copied().unwrap_or(0.0),
    };
    let alpha = |t: f64| if t < 0.0 { clean } else { schedule.alpha_at(t) };
    let hop = |i: usize| Hop {
        t: timesteps[i],
        t_next: next(i),
        alpha: alpha(timesteps[i]),
        alpha_next: alpha(next(i)),
    };
    (0..timesteps.len()).map(hop).collect()
}
