//! Sources of noise.

use std::collections::VecDeque;

use candle_core::{Device, Shape, Tensor};

use super::{NoiseSource, bug};
use crate::error::{Error, Result};
use crate::noise::{BrownianTree, Generator, NoiseKind, slerp};

/// Independent draws of a seed's generator in sd-webui's order (`modules/rng.py`, 1.10): the first is the start
/// noise, later ones feed ancestral steps.
///
/// With a [`Variation`] a draw is mixed with that of a second generator.
#[derive(Debug)]
pub struct SeededNoise {
    seed: u64,
    kind: NoiseKind,
    /// Added to the seeds once the start noise is drawn.
    delta: u32,
    rng: Generator,
    second: Option<(Generator, Variation)>,
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
    /// Noise of `shape` on `device`, from PyTorch's CPU generator: only the low 32 bits of `seed` count.
    pub fn new(seed: u64, shape: impl Into<Shape>, device: &Device) -> Self {
        Self::of(NoiseKind::TorchCpu, seed, shape, device)
    }

    /// The same from another generator.
    pub fn of(kind: NoiseKind, seed: u64, shape: impl Into<Shape>, device: &Device) -> Self {
        let (rng, shape) = (kind.generator(seed), shape.into());
        Self { seed, kind, delta: 0, rng, second: None, shape, device: device.clone() }
    }

    /// The same with a second noise mixed in; strength 0 changes nothing.
    #[must_use]
    pub fn varied(self, variation: Option<Variation>) -> Self {
        let second = variation.filter(|variation| variation.strength != 0.0);
        let kind = self.kind;
        Self { second: second.map(|variation| (kind.generator(variation.seed), variation)), ..self }
    }

    /// The same with sd-webui's «eta noise seed delta»: the draws behind the start noise are those of the seed
    /// `delta` further on. 0 changes nothing; NovelAI's pictures were made with 31337.
    #[must_use]
    pub fn with_seed_delta(self, delta: u32) -> Self {
        Self { delta, ..self }
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
            values = vary(variation.strength, &values, &rng.randn(count), &self.shape)?;
            if !variation.every_draw {
                self.second = None;
            }
        }
        let delta = u64::from(std::mem::take(&mut self.delta));
        if delta != 0 {
            self.rng = self.kind.generator(self.seed.wrapping_add(delta));
            if let Some((rng, variation)) = &mut self.second {
                *rng = self.kind.generator(variation.seed.wrapping_add(delta));
            }
        }
        Tensor::from_vec(values, self.shape.clone(), &self.device).map_err(bug)
    }
}

/// The mix of two noises of `shape`, which is one picture's.
fn vary(strength: f64, low: &[f32], high: &[f32], shape: &Shape) -> Result<Vec<f32>> {
    let (batch, channels, rows, columns) = shape.dims4().map_err(bug)?;
    Ok(slerp(strength, low, high, [batch * channels, rows, columns]))
}

impl NoiseSource for SeededNoise {
    fn next(&mut self, _sigma: f64, _sigma_next: f64) -> Result<Tensor> {
        self.draw()
    }
}

/// The noise of samplers of the stochastic differential equation: increments of one Brownian motion over the
/// levels, so that a run with more steps goes a similar way (k-diffusion 0.1.1 `BrownianTreeNoiseSampler`; the
/// motion is [`BrownianTree`]). sd-webui gives it the picture's seed, without variation or seed delta, and the
/// levels of the *whole* schedule, also where a picture is painted over and only its tail is run.
#[derive(Debug)]
pub struct BrownianNoise {
    tree: BrownianTree,
    second: Option<(BrownianTree, f64)>,
    shape: Shape,
    device: Device,
}

impl BrownianNoise {
    /// Noise of `shape` (`[1, C, h, w]`) between the lowest of `levels` above 0 and the highest.
    pub fn new(kind: NoiseKind, seed: u64, levels: &[f64], shape: impl Into<Shape>, device: &Device) -> Self {
        let shape = shape.into();
        let tree = tree(kind, seed, levels, shape.elem_count());
        Self { tree, second: None, shape, device: device.clone() }
    }

    /// The same with the motion of a second seed mixed into each draw, where the variation says so.
    #[must_use]
    pub fn varied(self, kind: NoiseKind, levels: &[f64], variation: Option<Variation>) -> Self {
        let second = variation.filter(|variation| variation.every_draw && variation.strength != 0.0).map(
            |variation| (tree(kind, variation.seed, levels, self.shape.elem_count()), variation.strength),
        );
        Self { second, ..self }
    }
}

fn tree(kind: NoiseKind, seed: u64, levels: &[f64], n: usize) -> BrownianTree {
    let single = |sigma: &f64| f64::from(*sigma as f32);
    let low = levels.iter().map(single).filter(|sigma| *sigma > 0.0).fold(f64::INFINITY, f64::min);
    let high = levels.iter().map(single).fold(0.0, f64::max);
    BrownianTree::new(kind, seed, low.min(high), high, n)
}

/// The increment on the way from `sigma` to `next` with variance 1. Levels are `f32` in the peers.
fn increment(tree: &BrownianTree, sigma: f64, next: f64) -> Vec<f32> {
    let (from, to) = (sigma as f32, next as f32);
    let length = (to - from).abs().sqrt();
    let mut values = tree.increment(f64::from(from.min(to)), f64::from(from.max(to)));
    if length > 0.0 {
        let sign = if from < to { 1.0 } else { -1.0 };
        values.iter_mut().for_each(|value| *value = *value * sign / length);
    }
    values
}

impl NoiseSource for BrownianNoise {
    fn next(&mut self, sigma: f64, sigma_next: f64) -> Result<Tensor> {
        let mut values = increment(&self.tree, sigma, sigma_next);
        if let Some((tree, strength)) = &self.second {
            values = vary(*strength, &values, &increment(tree, sigma, sigma_next), &self.shape)?;
        }
        Tensor::from_vec(values, self.shape.clone(), &self.device).map_err(bug)
    }
}

/// A source whose draws are multiplied: sd-webui's «sigma noise» (`s_noise`).
pub(super) struct Scaled<'a> {
    pub source: &'a mut dyn NoiseSource,
    pub factor: f64,
}

impl NoiseSource for Scaled<'_> {
    fn next(&mut self, sigma: f64, sigma_next: f64) -> Result<Tensor> {
        super::mix([(self.factor, &self.source.next(sigma, sigma_next)?)])
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
