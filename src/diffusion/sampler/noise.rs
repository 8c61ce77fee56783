//! Sources of noise.

use std::collections::VecDeque;

use candle_core::{Device, Shape, Tensor};

use super::{NoiseSource, bug};
use crate::error::{Error, Result};
use crate::noise::{TorchRng, slerp};

/// Independent draws of PyTorch's CPU generator, as sd-webui takes them with «random source: CPU»: the first
/// is the start noise, later ones feed ancestral steps.
///
/// With a [`Variation`] a draw is mixed with that of a second generator.
#[derive(Debug)]
pub struct SeededNoise {
    rng: TorchRng,
    second: Option<(TorchRng, Variation)>,
    shape: Shape,
    device: Device,
}

/// A second noise that is mixed in along the arc between the two, as the web UI's variation seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// Its seed.
    pub seed: u64,
    /// Share of the way from the first noise to this one, 0 to 1.
    pub strength: f64,
    /// Whether all draws are mixed; else only the first, the start noise, as in the web UI.
    pub every_draw: bool,
}

impl SeededNoise {
    /// Noise of `shape` on `device`. Only the low 32 bits of `seed` count, as in PyTorch.
    pub fn new(seed: u64, shape: impl Into<Shape>, device: &Device) -> Self {
        Self { rng: TorchRng::new(seed), second: None, shape: shape.into(), device: device.clone() }
    }

    /// The same with a second noise mixed in; strength 0 changes nothing.
    #[must_use]
    pub fn varied(self, variation: Option<Variation>) -> Self {
        let second = variation.filter(|variation| variation.strength != 0.0);
        Self { second: second.map(|variation| (TorchRng::new(variation.seed), variation)), ..self }
    }

    /// The next draw.
    ///
    /// # Errors
    /// [`Error::Bug`] when the device refuses the tensor, or a varied noise has not the shape of one picture's
    /// latent, `[1, C, h, w]`.
    pub fn draw(&mut self) -> Result<Tensor> {
        let count = self.shape.elem_count();
        let mut values = self.rng.randn(count);
        if let Some((rng, variation)) = &mut self.second {
            let (batch, channels, rows, columns) = self.shape.dims4().map_err(bug)?;
            let shape = [batch * channels, rows, columns];
            values = slerp(variation.strength, &values, &rng.randn(count), shape);
            if !variation.every_draw {
                self.second = None;
            }
        }
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
