//! k-diffusion's samplers on a closed form.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use kinora::diffusion::sampler::{Churn, Denoiser, Sampler, VeRun, euler, euler_a, resolve};
use kinora::diffusion::sigmas::{BetaPrecision, Spacing};

use super::closed_form::Direct;
use super::{CLOSED_FORM, Data, brownian, case, compare, relative, schedule, states, values, worse};
use crate::Case;

const KIND: &str = "diffusion/samplers_k";

pub fn discover(_folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    data.stems(".out").iter().map(|stem| one(stem, data)).chain(brownian::discover(data)).collect()
}

fn one(stem: &str, data: &Arc<Data>) -> Case {
    let name = stem.to_owned();
    let (head, tail) = stem.split_once('.').unwrap_or((stem, ""));
    let number = |prefix: &str| tail.strip_prefix(prefix).and_then(|v| v.parse::<f64>().ok());
    if let ("euler", Some(churn)) = (head, number("churn")) {
        return case(KIND, stem, data, move |data| churned(data, &name, churn), CLOSED_FORM);
    }
    if let ("euler_a", Some(eta)) = (head, number("eta")) {
        return case(KIND, stem, data, move |data| part_ancestral(data, &name, eta), CLOSED_FORM);
    }
    let spacing = tail.split_once('.').and_then(|(s, n)| Some((Spacing::from_name(s)?, n.parse().ok()?)));
    match (resolve(head), spacing) {
        (Some((sampler, None)), Some((spacing, n))) => {
            case(KIND, stem, data, move |data| plain(data, &name, sampler, spacing, n), CLOSED_FORM)
        }
        _ => Case::unsupported(KIND, stem, "expected <sampler>.<spacing>.<n>, .churn or .eta"),
    }
}

fn plain(data: &Data, name: &str, sampler: Sampler, spacing: Spacing, n: usize) -> f64 {
    let schedule = schedule(&serde_json::Value::Null, BetaPrecision::F64);
    let sigmas = data.list(&format!("{name}.sigmas"));
    let own = relative(&sampler.sigmas(n, spacing, &schedule), &sigmas);
    let noise = data.noise(&format!("{name}.noise"));
    let found = states(&mut Direct as &mut dyn Denoiser, noise, |run| {
        sampler.sample(run, start(data, sigmas[0]), &sigmas, &schedule)
    });
    let wanted = data.rows(&format!("{name}.x"));
    let (result, shown) = found.split_last().unwrap();
    // The adaptive sampler decides by itself how many states there are.
    let same_number = if shown.len() == wanted.len() { 0.0 } else { f64::NAN };
    let out = relative(&values(result), &data.list(&format!("{name}.out")));
    worse(worse(own, same_number), worse(out, compare(shown, &wanted, |i| i)))
}

fn start(data: &Data, sigma: f64) -> Tensor {
    (data.tensor("x_init") * sigma).unwrap()
}

/// The longest Karras schedule of the file: single settings were tried on that one.
fn longest_karras(data: &Data, sampler: &str) -> String {
    let prefix = format!("{sampler}.karras.");
    let stems = data.stems(".sigmas");
    let lengths = stems.iter().filter_map(|s| s.strip_prefix(&prefix)?.parse::<usize>().ok());
    format!("{prefix}{}", lengths.max().unwrap())
}

fn result(
    data: &Data,
    name: &str,
    base: &str,
    noise: &str,
    sample: impl Fn(&mut VeRun, Tensor, &[f64]) -> kinora::error::Result<Tensor>,
) -> f64 {
    let sigmas = data.list(&format!("{base}.sigmas"));
    let found = states(&mut Direct as &mut dyn Denoiser, data.noise(noise), |run| {
        sample(run, start(data, sigmas[0]), &sigmas)
    });
    relative(&values(found.last().unwrap()), &data.list(&format!("{name}.out")))
}

fn churned(data: &Data, name: &str, amount: f64) -> f64 {
    let base = longest_karras(data, "euler");
    let churn = Churn { amount, ..Churn::default() };
    result(data, name, &base, "churn.noise", |run, x, sigmas| euler(run, x, sigmas, churn))
}

fn part_ancestral(data: &Data, name: &str, eta: f64) -> f64 {
    let base = longest_karras(data, "euler_a");
    let noise = format!("{base}.noise");
    result(data, name, &base, &noise, |run, x, sigmas| euler_a(run, x, sigmas, eta))
}
