//! Sources of noise.

use std::collections::VecDeque;

use candle_core::{Device, Shape, Tensor};

use super::{NoiseSource, bug};
use crate::error::{Error, Result};
use crate::noise::TorchRng;

/// Independent draws of PyTorch's CPU generator, as sd-webui takes them with «random source: CPU»: the first
/// is the start noise, later ones feed ancestral steps.
#[derive(Debug)]
pub struct SeededNoise {
    rng: TorchRng,
    shape: Shape,
    device: Device,
}

impl SeededNoise {
    /// Noise of `shape` on `device`. Only the low 32 bits of `seed` count, as in PyTorch.
    pub fn new(seed: u64, shape: impl Into<Shape>, device: &Device) -> Self {
        Self { rng: TorchRng::new(seed), shape: shape.into(), device: device.clone() }
    }

    /// The next draw.
    ///
    /// # Errors
    /// [`Error::Bug`] when the device refuses the tensor.
    pub fn draw(&mut self) -> Result<Tensor> {
        let values = self.rng.randn(self.shape.elem_count());
        Tensor::from_vec(values, self.shape.clone(), &self.device).map_err(bug)
    }
}

impl NoiseSource for SeededNoise {
    fn next(&mut self, _sigma: f64, _sigma_next: f64) -> Result<Tensor> {
        self.draw()
    }
}

/// Noise that was drawn elsewhere, in order.
#[derive(Debug)]
pub struct ReplayedNoise(VecDeque<Tensor>);

impl ReplayedNoise {
    /// Takes the draws, first to last.
    pub fn new(draws: impl IntoIterator<Item = Tensor>) -> Self {
        Self(draws.into_iter().collect())
    }

    /// How many draws are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

impl NoiseSource for ReplayedNoise {
    fn next(&mut self, _sigma: f64, _sigma_next: f64) -> Result<Tensor> {
        self.0.pop_front().ok_or_else(|| Error::Bug("the replayed noise has run out".to_owned()))
    }
}
