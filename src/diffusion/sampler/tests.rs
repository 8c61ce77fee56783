use candle_core::Device;

use super::*;

/// All pictures are this one.
struct Only(Tensor);

impl Denoiser for Only {
    fn denoise(&mut self, _x: &Tensor, _sigma: f64) -> Result<Tensor> {
        Ok(self.0.clone())
    }
}

/// Pictures are normally distributed with mean 0 and variance 1: D(x) = x / (1 + s^2).
struct Normal;

impl Denoiser for Normal {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        mix([(1.0 / (1.0 + sigma * sigma), x)])
    }
}

fn schedule() -> NoiseSchedule {
    let config = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}"#;
    NoiseSchedule::new(&serde_json::from_str(config).unwrap()).unwrap()
}

fn all() -> impl Iterator<Item = Sampler> {
    sampler_names().iter().map(|name| resolve(name).unwrap().0)
}

fn sample(sampler: Sampler, model: &mut dyn Denoiser, sigmas: &[f64], x: &Tensor) -> Result<Tensor> {
    let mut noise = SeededNoise::new(3, x.shape().clone(), &Device::Cpu);
    let mut watch = |_: &Step| ControlFlow::Continue(());
    let mut run = Run { model, noise: &mut noise, watch: &mut watch };
    sampler.sample(&mut run, x.clone(), sigmas, &schedule())
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_sampler_ends_at_the_only_picture_there_is() {
    let picture = Tensor::new(&[[[[0.5f32, -1.0], [2.0, 0.0]]]], &Device::Cpu).unwrap();
    for sampler in all() {
        for n in [1, 2, 3, 7] {
            let sigmas = sampler.sigmas(n, Spacing::Karras, &schedule());
            let x = (&picture + 9.0).unwrap();
            let found = sample(sampler, &mut Only(picture.clone()), &sigmas, &x).unwrap();
            let to_last_level = matches!(sampler, Sampler::DpmFast | Sampler::DpmAdaptive);
            if to_last_level && n == 1 {
                continue;
            }
            // These two stop at the last level above 0, and LCM trusts the latent it finds at timestep 0:
            // the noise of the last level, 0.03, is left.
            let limit = if to_last_level || sampler == Sampler::Lcm { 0.2 } else { 1e-3 };
            for (a, b) in values(&found).iter().zip(values(&picture)) {
                assert!((a - b).abs() < limit, "{} {n}: {a} {b}", sampler.name());
            }
        }
    }
}

#[test]
fn deterministic_samplers_solve_the_flow_of_a_normal_distribution() {
    let x = Tensor::new(&[[[[14.0f32, -3.0]]]], &Device::Cpu).unwrap();
    for (sampler, limit) in [
        (Sampler::Euler, 6e-2),
        (Sampler::Ddim, 6e-2),
        (Sampler::Heun, 5e-3),
        (Sampler::Dpm2, 5e-3),
        (Sampler::Lms, 2e-2),
        (Sampler::Plms, 2e-2),
        (Sampler::Dpmpp2m, 5e-3),
        (Sampler::DpmppS, 5e-3),
        (Sampler::UniPc, 5e-3),
    ] {
        let sigmas = Spacing::Karras.sigmas(60, &schedule());
        let found = sample(sampler, &mut Normal, &sigmas, &x).unwrap();
        // The exact solution is x0 = x / sqrt(1 + s^2).
        let exact = 1.0 / (1.0 + sigmas[0] * sigmas[0]).sqrt();
        for (a, b) in values(&found).iter().zip(values(&x)) {
            let b = f64::from(b) * exact;
            assert!((f64::from(*a) - b).abs() <= limit * b.abs(), "{}: {a} {b}", sampler.name());
        }
    }
}

#[test]
fn ddim_is_eulers_method_on_the_other_scale() {
    let x = Tensor::new(&[[[[10.0f32, -7.0]]]], &Device::Cpu).unwrap();
    let sigmas = Spacing::Karras.sigmas(9, &schedule());
    let a = sample(Sampler::Euler, &mut Normal, &sigmas, &x).unwrap();
    let b = sample(Sampler::Ddim, &mut Normal, &sigmas, &x).unwrap();
    assert!(values(&a).iter().zip(values(&b)).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn every_sampler_stops_when_told_and_leaves_an_empty_schedule_alone() {
    let x = Tensor::new(&[[[[1.0f32]]]], &Device::Cpu).unwrap();
    for sampler in all() {
        let sigmas = sampler.sigmas(5, Spacing::Karras, &schedule());
        let mut noise = SeededNoise::new(3, x.shape().clone(), &Device::Cpu);
        let mut calls = 0;
        let mut watch = |_: &Step| {
            calls += 1;
            if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut run = Run { model: &mut Normal as &mut dyn Denoiser, noise: &mut noise, watch: &mut watch };
        let stopped = sampler.sample(&mut run, x.clone(), &sigmas, &schedule());
        assert!(matches!(stopped, Err(Error::Interrupted)), "{}", sampler.name());
        assert_eq!(calls, 2);
        for none in [&[][..], &[3.0]] {
            assert_eq!(values(&sample(sampler, &mut Normal, none, &x).unwrap()), [1.0]);
        }
    }
}

/// Error of a deterministic sampler on the flow of a normal distribution after `n` steps, down to the smallest level
/// above 0, relative to the exact solution `x sqrt((1 + s'^2) / (1 + s^2))`.
fn flow_error(sampler: Sampler, n: usize) -> f64 {
    let mut sigmas = Spacing::Karras.sigmas(n + 1, &schedule());
    sigmas.pop();
    let x = Tensor::new(&[[[[14.0f32, -3.0, 0.5]]]], &Device::Cpu).unwrap();
    let found = values(&sample(sampler, &mut Normal, &sigmas, &x).unwrap());
    let variance = |sigma: f64| 1.0 + sigma * sigma;
    let exact = (variance(sigmas[n]) / variance(sigmas[0])).sqrt();
    let errors =
        found.iter().zip(values(&x)).map(|(a, b)| (f64::from(*a) / (f64::from(b) * exact) - 1.0).abs());
    errors.fold(0.0, f64::max)
}

#[test]
fn errors_fall_as_the_order_says() {
    for (sampler, order) in [
        (Sampler::Euler, 1.0),
        (Sampler::Ddim, 1.0),
        (Sampler::Heun, 2.0),
        (Sampler::Dpm2, 2.0),
        (Sampler::Dpmpp2m, 2.0),
        (Sampler::DpmppS, 2.0),
        (Sampler::UniPc, 2.0),
        (Sampler::Lms, 2.0),
    ] {
        let (coarse, fine) = (flow_error(sampler, 16), flow_error(sampler, 64));
        // Twice two halvings; a third of an order is left for steps that are not small yet.
        let found = (coarse / fine).log2() / 2.0;
        assert!(found > order - 0.34, "{}: {coarse} {fine}, order {found}", sampler.name());
    }
}

#[test]
fn every_sampler_is_finite_with_every_spacing_and_number_of_steps() {
    let x = Tensor::new(&[[[[14.0f32, -3.0], [0.0, 7.5]]]], &Device::Cpu).unwrap();
    let schedules = [schedule(), zero_snr()];
    for (sampler, spacing) in all().flat_map(|sampler| Spacing::ALL.map(|spacing| (sampler, spacing))) {
        for (n, schedule) in (1..=5).flat_map(|n| schedules.iter().map(move |schedule| (n, schedule))) {
            for denoise in [1.0, 0.37] {
                let sigmas =
                    crate::diffusion::img2img::continuous_tail(sampler, spacing, n, denoise, schedule);
                let mut noise = SeededNoise::new(3, x.shape().clone(), &Device::Cpu);
                let mut watch = |_: &Step| ControlFlow::Continue(());
                let mut run =
                    Run { model: &mut Normal as &mut dyn Denoiser, noise: &mut noise, watch: &mut watch };
                let start = mix([(sigmas[0], &x)]).unwrap();
                let found = sampler.sample(&mut run, start, &sigmas, schedule).unwrap();
                assert!(
                    values(&found).iter().all(|v| v.is_finite()),
                    "{} {} {n} {denoise}: {found}",
                    sampler.name(),
                    spacing.name()
                );
            }
        }
    }
}

fn zero_snr() -> NoiseSchedule {
    let config = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                     "rescale_betas_zero_snr": true, "prediction_type": "v_prediction"}"#;
    NoiseSchedule::new(&serde_json::from_str(config).unwrap()).unwrap()
}

#[test]
fn the_first_level_is_the_one_asked_for_with_every_sampler() {
    let x = Tensor::new(&[[[[1.0f32]]]], &Device::Cpu).unwrap();
    /// Notes the levels that it is asked at.
    struct Noting(Vec<f64>);
    impl Denoiser for Noting {
        fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
            self.0.push(sigma);
            Normal.denoise(x, sigma)
        }
    }
    for (sampler, spacing) in all().flat_map(|sampler| Spacing::ALL.map(|spacing| (sampler, spacing))) {
        let mut before = 0.0;
        for denoise in [0.41, 0.44, 0.47] {
            let sigmas =
                crate::diffusion::img2img::continuous_tail(sampler, spacing, 4, denoise, &schedule());
            let mut model = Noting(Vec::new());
            sample(sampler, &mut model, &sigmas, &x).unwrap();
            let first = model.0[0];
            // The samplers of the VP scale and of log sigma get there by a square root or an exponential and back.
            assert!((first / sigmas[0] - 1.0).abs() < 1e-12, "{} {}", sampler.name(), spacing.name());
            assert!(first > before, "{} {} {denoise}", sampler.name(), spacing.name());
            before = first;
        }
    }
}

#[test]
fn fresh_noise_is_as_strong_as_asked() {
    let x = Tensor::new(&[[[[14.0f32, -3.0], [0.0, 7.5]]]], &Device::Cpu).unwrap();
    let sigmas = Spacing::Karras.sigmas(6, &schedule());
    let with = |sampler: Sampler, settings: SamplerSettings| {
        let mut noise = SeededNoise::new(3, x.shape().clone(), &Device::Cpu);
        let mut watch = |_: &Step| ControlFlow::Continue(());
        let mut run = Run { model: &mut Normal as &mut dyn Denoiser, noise: &mut noise, watch: &mut watch };
        values(&sampler.sample_with(settings, &mut run, x.clone(), &sigmas, &schedule()).unwrap())
    };
    let usual = SamplerSettings::default();
    for sampler in all() {
        let plain = with(sampler, usual);
        let eta = |eta| with(sampler, SamplerSettings { eta: Some(eta), ..usual });
        let Some(own) = sampler.usual_eta() else {
            assert_eq!(eta(0.7), plain, "{}", sampler.name());
            continue;
        };
        assert_eq!(eta(own), plain, "{}", sampler.name());
        assert_ne!(eta(own + 0.5), plain, "{}", sampler.name());
        let quiet = with(sampler, SamplerSettings { s_noise: 0.5, ..usual });
        assert_eq!(quiet == plain, own == 0.0, "{}", sampler.name());
    }
    for sampler in [Sampler::Euler, Sampler::Heun, Sampler::Dpm2] {
        let churn = Churn { amount: 3.0, ..Churn::default() };
        assert_ne!(with(sampler, SamplerSettings { churn, ..usual }), with(sampler, usual));
    }
}
