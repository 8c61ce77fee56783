//! Models whose output is a formula.

use candle_core::Tensor;
use kinora::diffusion::sampler::{Denoiser, Predictor};
use kinora::diffusion::sigmas::{NoiseSchedule, Prediction};
use kinora::error::Result;

/// D(x, s) = x / (1 + s^2) + 0.1 s / (1 + s) sin(3x).
pub struct Direct;

impl Denoiser for Direct {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        let wave = ((x * 3.0).unwrap().sin().unwrap() * (0.1 * sigma / (1.0 + sigma))).unwrap();
        Ok(((x / (1.0 + sigma * sigma)).unwrap() + wave).unwrap())
    }
}

/// e(x, t) = 0.5 x t / 1000 + 0.3 sin 2x, as a network of the VP scale.
fn output(x: &Tensor, t: f64) -> Tensor {
    let wave = ((x * 2.0).unwrap().sin().unwrap() * 0.3).unwrap();
    ((x * (0.5 * t / 1000.0)).unwrap() + wave).unwrap()
}

/// The same network through the wrapper of the VE scale, with known timesteps for some sigmas.
pub struct Network {
    pub schedule: NoiseSchedule,
    pub known: Vec<(f64, f64)>,
}

impl Denoiser for Network {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        let known = self.known.iter().find(|(s, _)| (s - sigma).abs() <= 1e-12 * sigma);
        let t = known.map_or_else(|| self.schedule.sigma_to_t(sigma), |(_, t)| *t);
        let out = output(&(x / (1.0 + sigma * sigma).sqrt()).unwrap(), t);
        let (of_x, of_out) = self.schedule.prediction().weights(sigma);
        Ok(((x * of_x).unwrap() + (out * of_out).unwrap()).unwrap())
    }
}

/// The same network on the VP scale.
pub struct Timesteps(pub Prediction);

impl Predictor for Timesteps {
    fn split(&mut self, x: &Tensor, t: f64, alpha: f64) -> Result<(Tensor, Tensor)> {
        let out = output(x, t);
        let (a, b) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let mix = |p: f64, q: f64| ((x * p).unwrap() + (&out * q).unwrap()).unwrap();
        Ok(match self.0 {
            Prediction::Epsilon => (mix(1.0 / a, -b / a), out.clone()),
            Prediction::V => (mix(a, -b), mix(b, a)),
            Prediction::Sample => (out.clone(), mix(1.0 / b, -a / b)),
        })
    }
}
