//! Masked fill: every place keeps a share of its own of the picture underneath, in one sampling run.
//!
//! Differential diffusion (Levin & Fried 2023, arXiv:2306.00950). The run begins at the level of the places that are
//! rebuilt most. A place whose own level is not yet reached is held to the picture underneath at the level of the
//! moment, with the start noise of the run; from its level on it runs free, as it would in a run of its own.
//!
//! Holding is done to the estimate that the network's output stands for, as inpainting does, and not to the latent:
//! the derivative towards a known estimate is the noise itself, so that every sampler carries a held place along the
//! line `latent + sigma · noise` and arrives at its level with just what a run of its own would begin with. (Samplers
//! that draw fresh noise arrive there with other noise of the same law.)

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::inpaint::distances;
use super::job::PaintJob;
use super::paint::usage;
use super::picture::tensor_from_canvas;
use crate::canvas::{Canvas, Size};
use crate::diffusion::sampler::{NoiseSource, mix};
use crate::error::{Error, Result};

/// Levels closer than this, relatively, are one: samplers that count in timesteps come back with rounding noise.
pub(in crate::diffusion) const SAME_LEVEL: f64 = 1e-3;

/// A job's fill, made ready.
#[derive(Debug)]
pub(super) struct Rebuild {
    size: Size,
    /// How far each pixel is on its way from `weak` to `strong`, 0 to 1.
    shares: Vec<f32>,
    /// Share that is repainted where the picture is known.
    weak: f64,
    /// Share that is repainted where nothing is known.
    strong: f64,
    /// Seed of the noise of all that is repainted more than the rest.
    pub seed: u64,
}

/// The levels of a run of a denoising strength, none for 0.
pub(super) type Tail<'a> = dyn Fn(f64) -> Vec<f64> + 'a;

impl Rebuild {
    /// Makes the fill of a job ready; `None` where it asks for nothing that the job would not do by itself.
    ///
    /// # Errors
    /// [`crate::error::Error::Usage`] when it contradicts itself or the job.
    pub fn of(job: &PaintJob) -> Result<Option<Self>> {
        let Some(fill) = &job.fill else { return Ok(None) };
        check(job)?;
        let is_uncovered: Vec<bool> = fill.uncovered.values().iter().map(|v| *v > 0.5).collect();
        if fill.denoise == job.denoise || !is_uncovered.contains(&true) {
            return Ok(None);
        }
        let share = |squared: &f32| match fill.feather {
            feather if feather > 0.0 => smooth(1.0 - squared.sqrt() / feather as f32),
            _ => f32::from(u8::from(*squared == 0.0)),
        };
        let shares = distances(&is_uncovered, job.size).iter().map(share).collect();
        Ok(Some(Self { size: job.size, shares, weak: job.denoise, strong: fill.denoise, seed: fill.seed }))
    }

    /// The largest share that is repainted anywhere.
    pub fn denoise(&self) -> f64 {
        self.weak.max(self.strong)
    }

    /// The levels of the run in legs: those of the places that are rebuilt most, until the others begin, and then just
    /// those that a run of the others alone would have. Each leg begins with the last level of the one before.
    ///
    /// The second leg is a run of its own because samplers that look back must not see there what a place was held to:
    /// it is a better estimate than any network's, and extrapolating from it overshoots.
    pub fn legs(&self, tail: &Tail<'_>) -> Vec<Vec<f64>> {
        let (long, short) = (tail(self.denoise()), tail(self.weak.min(self.strong)));
        let Some(first) = short.first().copied() else { return vec![long] };
        let before = long.into_iter().filter(|sigma| *sigma > first * (1.0 + SAME_LEVEL));
        let first_leg: Vec<f64> = before.chain([first]).collect();
        if first_leg.len() == 1 { vec![short] } else { vec![first_leg, short] }
    }

    /// The level at which each place of the latent runs free: `[1, 1, h, w]`, 0 never.
    pub fn starts(&self, unit: usize, tail: &Tail<'_>, device: &Device) -> candle_core::Result<Tensor> {
        let mut known: BTreeMap<u8, f32> = BTreeMap::new();
        let (width, height) = (self.size.width / unit, self.size.height / unit);
        let mut starts = Vec::with_capacity(width * height);
        for cell in self.cells(unit) {
            // A strength has fewer steps than this that can be told apart.
            let share = (cell * 255.0).round_ties_even() as u8;
            let level = |share: u8| {
                let denoise = self.weak + (self.strong - self.weak) * f64::from(share) / 255.0;
                tail(denoise).first().map_or(0.0, |sigma| *sigma as f32)
            };
            starts.push(*known.entry(share).or_insert_with(|| level(share)));
        }
        Tensor::from_vec(starts, (1, 1, height, width), device)
    }

    /// Where the latent has the noise of the fill's seed: `[1, 1, h, w]`, 1 there and 0 elsewhere.
    pub fn reseeded(&self, unit: usize, device: &Device) -> candle_core::Result<Tensor> {
        let (width, height) = (self.size.width / unit, self.size.height / unit);
        let cells: Vec<f32> = self.cells(unit).iter().map(|cell| f32::from(u8::from(*cell > 0.0))).collect();
        Tensor::from_vec(cells, (1, 1, height, width), device)
    }

    /// The largest share in each square of the latent: what touches anything new is new.
    fn cells(&self, unit: usize) -> Vec<f32> {
        let (width, height) = (self.size.width / unit, self.size.height / unit);
        let mut cells = vec![0.0_f32; width * height];
        for (y, row) in self.shares.chunks_exact(self.size.width).enumerate() {
            for (x, share) in row.iter().enumerate() {
                let cell = &mut cells[y / unit * width + x / unit];
                *cell = cell.max(*share);
            }
        }
        cells
    }

    /// What a model for inpainting is shown where all but the fill is kept as it is: the picture `[1, 3, H, W]`, grey
    /// where it is rebuilt, and that as a mask `[1, 1, H, W]`. `None` where everything is repainted somewhat: then the
    /// model sees what it sees without a fill.
    pub fn shown(
        &self,
        init: &Canvas,
        unit: usize,
        device: &Device,
    ) -> Option<candle_core::Result<(Tensor, Tensor)>> {
        let cells = self.cells(unit);
        let Size { width, height } = self.size;
        let masked = |i: usize| f32::from(cells[i / width / unit * (width / unit) + i % width / unit] > 0.0);
        let shown = || {
            let mask: Vec<f32> = (0..self.size.area()).map(masked).collect();
            let mask = Tensor::from_vec(mask, (1, 1, height, width), device)?;
            let picture = tensor_from_canvas(init, device)?.broadcast_mul(&mask.affine(-1.0, 1.0)?)?;
            Ok((picture, mask))
        };
        (self.weak == 0.0).then(shown)
    }

    /// The painted picture; where nothing was to be repainted, the original to the byte, and a soft passage between.
    pub fn finish(&self, mut painted: Canvas, original: &Canvas) -> Canvas {
        if self.weak > 0.0 {
            return painted;
        }
        let originals = original.as_rgb8().as_chunks::<3>().0;
        let pixels = painted.as_rgb8_mut().as_chunks_mut::<3>().0;
        for ((pixel, original), share) in pixels.iter_mut().zip(originals).zip(&self.shares) {
            for (value, original) in pixel.iter_mut().zip(original) {
                let mixed = f32::from(*original) + (f32::from(*value) - f32::from(*original)) * share;
                *value = mixed.round_ties_even() as u8;
            }
        }
        painted
    }
}

/// Noise of one seed where a picture is known, and of another where it is new.
pub(super) struct Parted<'a> {
    pub known: Box<dyn NoiseSource + 'a>,
    pub new: Box<dyn NoiseSource + 'a>,
    /// `[1, 1, h, w]`: 1 where it is new, 0 elsewhere.
    pub is_new: Tensor,
}

impl Parted<'_> {
    /// One noise where the picture is known, the other where it is new.
    pub fn joined(&self, known: &Tensor, new: &Tensor) -> Result<Tensor> {
        let part = |noise: &Tensor, share: candle_core::Result<Tensor>| noise.broadcast_mul(&share?);
        let parts = part(known, self.is_new.affine(-1.0, 1.0))
            .and_then(|k| Ok((k, part(new, Ok(self.is_new.clone()))?)));
        let (known, new) = parts.map_err(|e| Error::Bug(format!("noise of two seeds: {e}")))?;
        mix([(1.0, &known), (1.0, &new)])
    }
}

impl NoiseSource for Parted<'_> {
    fn next(&mut self, sigma: f64, sigma_next: f64) -> Result<Tensor> {
        let (known, new) = (self.known.next(sigma, sigma_next)?, self.new.next(sigma, sigma_next)?);
        self.joined(&known, &new)
    }
}

/// 0 to 1 without corners at either end (Hermite's cubic).
fn smooth(way: f32) -> f32 {
    let way = way.clamp(0.0, 1.0);
    way * way * (3.0 - 2.0 * way)
}

/// Refuses fills that nothing can be painted by.
fn check(job: &PaintJob) -> Result<()> {
    let Some(fill) = &job.fill else { return Ok(()) };
    if job.init.is_none() {
        let hint = "give the picture whose parts are kept, or leave the fill out";
        return Err(usage("fill: expected a picture under it, found none".to_owned(), hint));
    }
    if fill.uncovered.size() != job.size {
        let message = format!("fill: expected a plane of {}, found {}", job.size, fill.uncovered.size());
        return Err(usage(message, "bring it to the size of the picture"));
    }
    if !(0.0..=1.0).contains(&fill.denoise) {
        let message = format!("fill: expected a denoise of 0 to 1, found {}", fill.denoise);
        return Err(usage(message, "1 makes it all new"));
    }
    if !(fill.feather.is_finite() && fill.feather >= 0.0) {
        let message = format!("fill: expected a feather of 0 or more pixels, found {}", fill.feather);
        return Err(usage(message, "16 is usual"));
    }
    if job.mask.is_some_and(|mask| mask.region.is_some()) {
        let message = "fill: expected a mask over the whole picture, found one that paints a part of it";
        let hint = "let the mask paint the whole picture, or switch one of them off";
        return Err(usage(message.to_owned(), hint));
    }
    Ok(())
}
