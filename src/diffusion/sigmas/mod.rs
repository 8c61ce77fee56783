//! Noise levels: how noisy a latent is at each training timestep, and which levels a run visits.
//!
//! Two scales are used. *Variance preserving* (VP, the networks' own): `x = sqrt(a) x0 + sqrt(1-a) n` with
//! `a` the cumulated alpha of a timestep. *Variance exploding* (VE, the samplers'): `x = x0 + sigma n`.
//! They are one another's multiples: `sigma^2 = (1-a)/a`, `x_vp = x_ve / sqrt(1 + sigma^2)`.

mod incomplete_beta;
mod spacing;
mod timesteps;

use serde::Deserialize;

pub use incomplete_beta::beta_quantile;
pub use spacing::Spacing;
pub use timesteps::{TimestepSpacing, consistency_timesteps};

use crate::error::{Error, Result};

/// What the network's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise `n` (Ho et al. 2020, arXiv:2006.11239).
    Epsilon,
    /// `v = sqrt(a) n - sqrt(1-a) x0` (Salimans & Ho 2022, arXiv:2202.00512).
    V,
    /// The clean latent `x0`.
    Sample,
}

impl Prediction {
    /// The clean latent is `.0` times the latent (VE scale, at level `sigma`) plus `.1` times the output.
    pub fn weights(self, sigma: f64) -> (f64, f64) {
        let square = 1.0 + sigma * sigma;
        match self {
            Self::Epsilon => (1.0, -sigma),
            Self::V => (1.0 / square, -sigma / square.sqrt()),
            Self::Sample => (0.0, 1.0),
        }
    }
}

/// The keys of a diffusers `scheduler_config.json` that say how the model was trained. Which sampler the
/// file names is ignored: every sampler runs on every model.
#[derive(Clone, Debug, Deserialize)]
pub struct SchedulerConfig {
    /// First beta.
    #[serde(default = "default_beta_start")]
    pub beta_start: f64,
    /// Last beta.
    #[serde(default = "default_beta_end")]
    pub beta_end: f64,
    /// `linear`, `scaled_linear` or `squaredcos_cap_v2`.
    #[serde(default = "default_beta_schedule")]
    pub beta_schedule: String,
    /// Betas given one by one instead.
    #[serde(default)]
    pub trained_betas: Option<Vec<f64>>,
    /// How many timesteps the model was trained with.
    #[serde(default = "default_train_timesteps")]
    pub num_train_timesteps: usize,
    /// `epsilon`, `v_prediction` or `sample`.
    #[serde(default = "default_prediction")]
    pub prediction_type: String,
    /// Whether the last timestep is pure noise (Lin et al. 2023, arXiv:2305.08891).
    #[serde(default)]
    pub rescale_betas_zero_snr: bool,
}

fn default_beta_start() -> f64 {
    0.0001
}
fn default_beta_end() -> f64 {
    0.02
}
fn default_beta_schedule() -> String {
    "linear".to_owned()
}
fn default_train_timesteps() -> usize {
    1000
}
fn default_prediction() -> String {
    "epsilon".to_owned()
}

/// In which precision betas are computed before they are cumulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetaPrecision {
    /// As LDM and sd-webui do; the better one, and the default.
    F64,
    /// As diffusers 0.42.1 does; the cumulated alphas differ by up to 5e-7.
    F32,
}

/// The noise a model was trained with, one level a timestep.
#[derive(Clone, Debug)]
pub struct NoiseSchedule {
    alphas_cumprod: Vec<f64>,
    log_sigmas: Vec<f64>,
    sigmas: Vec<f64>,
    prediction: Prediction,
}

impl NoiseSchedule {
    /// The schedule that `config` describes, betas in `f64`.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the key and the value that kinora does not know.
    pub fn new(config: &SchedulerConfig) -> Result<Self> {
        Self::with_precision(config, BetaPrecision::F64)
    }

    /// The same with betas in the precision of one of the peers.
    ///
    /// # Errors
    /// As [`NoiseSchedule::new`].
    pub fn with_precision(config: &SchedulerConfig, precision: BetaPrecision) -> Result<Self> {
        let prediction = prediction_type(&config.prediction_type)?;
        let mut alphas = cumulate(&betas(config, precision)?, precision);
        if config.rescale_betas_zero_snr {
            rescale_zero_snr(&mut alphas, precision);
        }
        // Peers keep them as f32; at the clean end 1 - alpha has lost three digits by that, and the
        // published sigma_min is the one with the loss.
        let alphas_cumprod: Vec<f64> = alphas.iter().map(|a| f64::from(*a as f32)).collect();
        let sigmas: Vec<f64> = alphas_cumprod
            .iter()
            // diffusers and sd-webui: a last alpha of zero becomes 2^-24, sigma 4096.
            .map(|a| a.max(f64::from(2f32.powi(-24))))
            .map(|a| f64::from(((1.0 - a as f32) / a as f32).sqrt()))
            .collect();
        let log_sigmas = sigmas.iter().map(|s| libm::log(*s)).collect();
        Ok(Self { alphas_cumprod, log_sigmas, sigmas, prediction })
    }

    /// What the network's output means.
    pub fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// Cumulated alpha of each timestep, falling from nearly 1. May be 0 at the end (zero terminal SNR).
    pub fn alphas_cumprod(&self) -> &[f64] {
        &self.alphas_cumprod
    }

    /// Cumulated alpha at a fractional timestep; the trained one where it is whole.
    pub fn alpha_at(&self, t: f64) -> f64 {
        let t = t.clamp(0.0, self.last_timestep());
        if t.fract() == 0.0 {
            return self.alphas_cumprod[t as usize];
        }
        let sigma = self.t_to_sigma(t);
        1.0 / (1.0 + sigma * sigma)
    }

    /// Sigma of each timestep, rising; never infinite (4096 stands for it).
    pub fn sigmas(&self) -> &[f64] {
        &self.sigmas
    }

    /// Sigma of the first timestep.
    pub fn sigma_min(&self) -> f64 {
        self.sigmas[0]
    }

    /// Sigma of the last timestep.
    pub fn sigma_max(&self) -> f64 {
        self.sigmas[self.sigmas.len() - 1]
    }

    /// The last timestep, `num_train_timesteps - 1`.
    pub fn last_timestep(&self) -> f64 {
        (self.sigmas.len() - 1) as f64
    }

    /// The fractional timestep of a noise level, linear in the logarithm of sigma between the trained
    /// ones and clamped to them (k-diffusion 0.1.1 `DiscreteSchedule.sigma_to_t`).
    pub fn sigma_to_t(&self, sigma: f64) -> f64 {
        let wanted = libm::log(sigma);
        let at_or_below = self.log_sigmas.partition_point(|s| *s <= wanted);
        let low = at_or_below.saturating_sub(1).min(self.log_sigmas.len() - 2);
        let (a, b) = (self.log_sigmas[low], self.log_sigmas[low + 1]);
        low as f64 + ((wanted - a) / (b - a)).clamp(0.0, 1.0)
    }

    /// The noise level of a fractional timestep, the inverse of [`NoiseSchedule::sigma_to_t`].
    pub fn t_to_sigma(&self, t: f64) -> f64 {
        let t = t.clamp(0.0, self.last_timestep());
        let low = (t.floor() as usize).min(self.log_sigmas.len() - 2);
        let share = t - low as f64;
        libm::exp((1.0 - share) * self.log_sigmas[low] + share * self.log_sigmas[low + 1])
    }
}

/// The prediction type of a config file.
fn prediction_type(name: &str) -> Result<Prediction> {
    match name {
        "epsilon" => Ok(Prediction::Epsilon),
        "v_prediction" => Ok(Prediction::V),
        "sample" => Ok(Prediction::Sample),
        other => Err(unknown("prediction_type", other, "epsilon, v_prediction, sample")),
    }
}

/// Betas by timestep (diffusers 0.42.1; `scaled_linear` is LDM's).
fn betas(config: &SchedulerConfig, precision: BetaPrecision) -> Result<Vec<f64>> {
    let n = config.num_train_timesteps;
    if let Some(betas) = &config.trained_betas {
        return check_betas(betas.clone());
    }
    let (start, end) = (config.beta_start, config.beta_end);
    check_betas(match config.beta_schedule.as_str() {
        "linear" => linspace(start, end, n, precision),
        "scaled_linear" => {
            let roots = linspace(start.max(0.0).sqrt(), end.max(0.0).sqrt(), n, precision);
            roots.iter().map(|r| round(r * r, precision)).collect()
        }
        "squaredcos_cap_v2" => (0..n).map(|i| cosine_beta(i, n)).collect(),
        other => return Err(unknown("beta_schedule", other, "linear, scaled_linear, squaredcos_cap_v2")),
    })
}

/// Everything below divides by what betas leave over, so they must lie strictly between 0 and 1.
fn check_betas(betas: Vec<f64>) -> Result<Vec<f64>> {
    let bad = betas.iter().position(|b| !(*b > 0.0 && *b < 1.0));
    match bad {
        None if betas.len() >= 2 => Ok(betas),
        None => Err(usage(format!("expected at least 2 training timesteps, found {}", betas.len()))),
        Some(i) => Err(usage(format!("expected betas between 0 and 1, found {} at timestep {i}", betas[i]))),
    }
}

/// Beta `i` of `n` of the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672), at most 0.999.
fn cosine_beta(i: usize, n: usize) -> f64 {
    let alpha_bar = |t: f64| {
        let c = libm::cos((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2);
        c * c
    };
    let (from, to) = (i as f64 / n as f64, (i + 1) as f64 / n as f64);
    (1.0 - alpha_bar(to) / alpha_bar(from)).min(0.999)
}

/// `n` values from `start` to `end`. The `f32` form counts from the nearer end, as `torch.linspace` does.
fn linspace(start: f64, end: f64, n: usize, precision: BetaPrecision) -> Vec<f64> {
    let gaps = n.saturating_sub(1).max(1);
    match precision {
        BetaPrecision::F64 => (0..n).map(|i| start + (end - start) / gaps as f64 * i as f64).collect(),
        BetaPrecision::F32 => {
            let (start, end) = (start as f32, end as f32);
            let step = (end - start) / gaps as f32;
            let at = |i: usize| {
                if i < n / 2 {
                    step.mul_add(i as f32, start)
                } else {
                    (-step).mul_add((n - 1 - i) as f32, end)
                }
            };
            (0..n).map(|i| f64::from(at(i))).collect()
        }
    }
}

/// Running product of `1 - beta`; the product itself is kept in `f64`, as torch keeps it.
fn cumulate(betas: &[f64], precision: BetaPrecision) -> Vec<f64> {
    let mut product = 1.0;
    betas
        .iter()
        .map(|b| {
            product *= round(1.0 - b, precision);
            product
        })
        .collect()
}

/// Shifts and scales the square roots so that the last is 0 and the first stays (algorithm 1 of Lin et
/// al. 2023, arXiv:2305.08891).
fn rescale_zero_snr(alphas: &mut [f64], precision: BetaPrecision) {
    let root = |a: f64| round(round(a, precision).sqrt(), precision);
    let (first, last) = (root(alphas[0]), root(alphas[alphas.len() - 1]));
    let scale = round(first / round(first - last, precision), precision);
    for alpha in alphas {
        let shifted = round(round(root(*alpha) - last, precision) * scale, precision);
        *alpha = round(shifted * shifted, precision);
    }
}

fn round(value: f64, precision: BetaPrecision) -> f64 {
    match precision {
        BetaPrecision::F64 => value,
        BetaPrecision::F32 => f64::from(value as f32),
    }
}

fn unknown(key: &str, found: &str, known: &str) -> Error {
    usage(format!("scheduler_config.json: expected `{key}` to be one of {known}, found `{found}`"))
}

fn usage(message: String) -> Error {
    Error::Usage { message, hint: Some("this model cannot be sampled; take another one".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn stable_diffusion() -> NoiseSchedule {
        let config = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}"#;
        NoiseSchedule::new(&serde_json::from_str(config).unwrap()).unwrap()
    }

    #[test]
    fn timestep_and_sigma_are_inverse_and_clamped() {
        let schedule = stable_diffusion();
        for t in [0.0, 0.25, 1.0, 17.5, 500.0, 998.75, 999.0] {
            // log and exp lose two digits of 16 at the flat end.
            assert!((schedule.sigma_to_t(schedule.t_to_sigma(t)) - t).abs() < 1e-9, "{t}");
        }
        assert_eq!(schedule.sigma_to_t(1e-4), 0.0);
        assert_eq!(schedule.sigma_to_t(1e6), 999.0);
    }

    #[test]
    fn zero_terminal_snr_ends_in_pure_noise_and_keeps_the_first_level() {
        let text = r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
                       "rescale_betas_zero_snr": true}"#;
        let schedule = NoiseSchedule::new(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(*schedule.alphas_cumprod().last().unwrap(), 0.0);
        assert!((schedule.sigma_max() - 4096.0).abs() < 1e-2);
        assert!((schedule.alphas_cumprod()[0] - stable_diffusion().alphas_cumprod()[0]).abs() < 1e-7);
    }

    #[test]
    fn unknown_values_are_refused_by_name() {
        for (key, value) in [("beta_schedule", "laplace"), ("prediction_type", "flow_prediction")] {
            let config = serde_json::from_value(serde_json::json!({ key: value })).unwrap();
            let error = NoiseSchedule::new(&config).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
        let one = serde_json::from_str(r#"{"num_train_timesteps": 1}"#).unwrap();
        assert!(NoiseSchedule::new(&one).is_err());
        let negative = serde_json::from_str(r#"{"trained_betas": [0.1, -0.1]}"#).unwrap();
        assert!(NoiseSchedule::new(&negative).is_err());
    }
}
