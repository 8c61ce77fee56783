//! The engine: a model folder in diffusers layout that paints pictures over pictures.
//!
//! This is the only part of the room that other rooms use. Text, networks and sampler meet here and
//! nowhere else.

mod blend;
mod job;
mod load;
mod memory;
mod paint;
mod picture;
mod prompts;

use std::path::PathBuf;

use candle_core::Device;

pub use job::{Blend, ControlSource, Mix, PaintControl, PaintJob};
pub use memory::Memory;
pub use picture::{canvas_from_tensor, hint_from_canvas, tensor_from_canvas};

use self::prompts::PromptCache;
use super::controlnet::ControlNet;
use super::sampler::Sampler;
use super::sigmas::{NoiseSchedule, Spacing};
use super::unet::UNet;
use super::vae::Autoencoder;
use crate::canvas::Size;

/// What a model does best, for films that do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelDefaults {
    /// The size it was trained at.
    pub size: Size,
    /// Number of steps.
    pub steps: u32,
    /// Scale of classifier-free guidance.
    pub guidance: f64,
    /// Sampler.
    pub sampler: Sampler,
    /// Where its steps lie.
    pub spacing: Spacing,
}

/// A loaded model with its ControlNets.
#[derive(Debug)]
pub struct Engine {
    unet: UNet,
    vae: Autoencoder,
    prompts: PromptCache,
    schedule: NoiseSchedule,
    own_controlnet: Option<ControlNet>,
    controls: Vec<(String, ControlNet)>,
    defaults: ModelDefaults,
    device: Device,
    place: PathBuf,
}

impl Engine {
    /// What the model does best: `kinora.json` of its folder where there is one, else what is usual for
    /// its kind.
    pub fn defaults(&self) -> ModelDefaults {
        self.defaults
    }

    /// The depth ControlNet in the model's own folder (`controlnet/`), if it brings one.
    pub fn own_controlnet(&self) -> Option<&ControlNet> {
        self.own_controlnet.as_ref()
    }

    /// Names of the ControlNets that were loaded beside the model.
    pub fn control_names(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().map(|(name, _)| name.as_str())
    }

    /// The noise that the model was trained with.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// Pixels per latent pixel: sides of pictures must be multiples of it.
    pub fn size_unit(&self) -> usize {
        self.vae.downscale()
    }
}

#[cfg(test)]
mod tests;
