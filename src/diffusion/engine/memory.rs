//! What painting will take in memory, from configs and headers alone.

use std::ops::AddAssign;

use super::Engine;
use crate::canvas::Size;
use crate::diffusion::controlnet::ControlPlace;
use crate::diffusion::unet::UNetConfig;
use crate::diffusion::vae::{AutoencoderConfig, Tiling};
use crate::error::Result;
use crate::models::{ModelFolder, Weight, model_error};

/// Parts of a model that are loaded.
const PARTS: [&str; 5] = ["unet", "vae", "text_encoder", "text_encoder_2", "controlnet"];
/// The program itself, tokens, schedules, and what threads keep between calls.
const FIXED: u64 = 96 << 20;
/// Maps of a level's size that are alive at once where it has attention: in the widest layer eight channels' worth come out
/// and four go on, each beside its packed copy; input, norm and residual.
const ATTENTION_MAPS: u64 = 22;
/// The same for a residual block of the decoder: joined input, its norm, result and shortcut.
const RESIDUAL_MAPS: u64 = 10;
/// Transformed tiles of a 3×3 convolution: 36 points of 256 tiles for every channel.
const TILES: u64 = 36 * 256;
const F32: u64 = 4;

/// Bytes that painting takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights.
    pub weights: u64,
    /// The picture in work: what layers give to each other at the most.
    pub work: u64,
}

impl Memory {
    /// Both together.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.work)
    }
}

impl AddAssign<Weight> for Memory {
    fn add_assign(&mut self, weight: Weight) {
        self.weights = self.weights.saturating_add(weight.memory);
    }
}

impl Engine {
    /// What painting a picture of `size` takes with `controls` beside the model; `guided` is whether the prompt and the negative go
    /// through the network together. An estimate, a third off at the most for published models on a CPU.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when a config or a header cannot be read.
    pub fn memory(
        model: &ModelFolder,
        controls: &[ControlPlace],
        size: Size,
        guided: bool,
    ) -> Result<Memory> {
        let mut memory = Memory::default();
        for part in PARTS.map(|part| model.join(part)).iter().filter(|part| part.exists()) {
            memory += part.weigh()?;
        }
        for control in controls {
            memory += control.weigh()?;
        }
        let vae: AutoencoderConfig = model.join("vae").json("config.json")?;
        let unet: UNetConfig = model.join("unet").json("config.json")?;
        let batch = if guided { 2 } else { 1 };
        let side = |pixels: usize| pixels.div_ceil(vae.downscale().max(1)) as u64;
        let controlled = !controls.is_empty() || model.join("controlnet").exists();
        let painting = network(&unet, side(size.width) * side(size.height), batch, controlled)
            .map_err(|e| model_error(&model.label().join("unet"), &e))?;
        memory.work = FIXED + painting.max(autoencoder(&vae, size.area()));
        Ok(memory)
    }
}

/// The UNet for latents of that many pixels.
fn network(config: &UNetConfig, pixels: u64, batch: u64, controlled: bool) -> candle_core::Result<u64> {
    let (mut skips, mut most) = (0, 0);
    for (index, level) in config.levels()?.iter().enumerate() {
        let here = (pixels >> (2 * index as u32).min(63)).max(1);
        let map = level.channels as u64 * here * batch;
        let attends = config.down_block_types.get(index).is_some_and(|kind| kind.has_attention());
        skips += map * (level.layers as u64 + 1);
        let tiles = TILES.min(36 * (here / 16 + 32) * batch) * 3 * level.channels as u64;
        most = most.max(map * if attends { ATTENTION_MAPS } else { RESIDUAL_MAPS } + tiles);
    }
    // A control's own skips, and their sums beside them.
    let kept = if controlled { 3 * skips } else { skips };
    Ok((kept + most) * F32)
}

/// The autoencoder for pictures of that many pixels; larger ones go in parts, of which a sample of the largest size is taken first.
fn autoencoder(config: &AutoencoderConfig, pixels: usize) -> u64 {
    let each = config.bytes_per_pixel();
    let parts = match config {
        AutoencoderConfig::Kl(_) => pixels.min(Tiling::within_memory(each).largest),
        AutoencoderConfig::Tiny(_) => pixels,
    };
    let widest = each as u64 / 3;
    // What the lowest levels give, which always run whole, is a sixteenth of the pixels at twice the width.
    let whole = pixels as u64 / 16 * widest * 2 * 2;
    (each as u64 * parts as u64).max(whole).saturating_add(TILES * widest)
}
