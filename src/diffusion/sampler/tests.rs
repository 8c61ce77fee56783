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
