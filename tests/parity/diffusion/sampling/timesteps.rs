//! sd-webui's DDIM and PLMS on a closed form.

use std::path::Path;
use std::sync::Arc;

use kinora::diffusion::sampler::{Hop, Predictor, ddim, plms};
use kinora::diffusion::sigmas::{BetaPrecision, NoiseSchedule, Prediction, TimestepSpacing};

use super::closed_form::Timesteps;
use super::{CLOSED_FORM, Data, case, compare, schedule, states};
use crate::Case;

const KIND: &str = "diffusion/samplers_timesteps";

pub fn discover(_folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    let mut cases: Vec<Case> = data.stems(".x").iter().map(|stem| one(stem, data)).collect();
    let lists = data.tensors.keys().filter_map(|key| key.strip_prefix("timesteps."));
    let listed = |n: &str| {
        let name = format!("timesteps.{n}");
        let n = n.parse::<usize>();
        let run = move |data: &Data| n.clone().map_or(f64::NAN, |n| grid(data, n));
        case(KIND, &name, data, run, 0.0)
    };
    cases.extend(lists.map(listed));
    cases
}

/// Number of timesteps that differ.
fn grid(data: &Data, n: usize) -> f64 {
    let mut own = TimestepSpacing::Ddim.timesteps(n, 1000);
    own.reverse();
    let wanted = data.list(&format!("timesteps.{n}"));
    let differ = own.iter().zip(&wanted).filter(|(a, b)| **a as f64 != **b).count();
    differ.max(own.len().abs_diff(wanted.len())) as f64
}

fn one(stem: &str, data: &Arc<Data>) -> Case {
    let name = stem.to_owned();
    let mut parts = stem.splitn(3, '.');
    let (sampler, n, rest) = (parts.next(), parts.next().unwrap_or_default().to_owned(), parts.next());
    let eta = rest.and_then(|r| r.strip_prefix("eta")).and_then(|v| v.parse::<f64>().ok());
    match (sampler, eta) {
        (Some("ddim"), Some(eta)) => {
            case(KIND, stem, data, move |data| run(data, &name, &n, Some(eta)), CLOSED_FORM)
        }
        (Some("plms"), None) => case(KIND, stem, data, move |data| run(data, &name, &n, None), CLOSED_FORM),
        _ => Case::unsupported(KIND, stem, "expected ddim.<n>.eta<eta> or plms.<n>"),
    }
}

/// Hops down a list of rising timesteps.
pub fn descend(timesteps: &[f64], schedule: &NoiseSchedule) -> Vec<Hop> {
    let hop = |w: &[f64]| Hop {
        t: w[1],
        t_next: w[0],
        alpha: schedule.alpha_at(w[1]),
        alpha_next: schedule.alpha_at(w[0]),
    };
    timesteps.windows(2).rev().map(hop).collect()
}

fn run(data: &Data, name: &str, n: &str, eta: Option<f64>) -> f64 {
    let schedule = schedule(&serde_json::Value::Null, BetaPrecision::F64);
    let hops = descend(&data.list(&format!("timesteps.{n}")), &schedule);
    let x = data.tensor("x_init").clone();
    let mut model = Timesteps(Prediction::Epsilon);
    let found = states(&mut model as &mut dyn Predictor, data.noise("noise"), |run| match eta {
        Some(eta) => ddim(run, x, &hops, eta),
        None => plms(run, x, &hops),
    });
    compare(&found, &data.rows(&format!("{name}.x")), |i| i)
}
