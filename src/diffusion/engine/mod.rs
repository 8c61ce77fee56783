//! The engine: a model folder in diffusers layout that paints pictures over pictures.
//!
//! This is the only part of the room that other rooms use. Text, networks and sampler meet here and
//! nowhere else.

mod blend;
mod controls;
mod guard;
mod inpaint;
mod job;
mod load;
mod loras;
mod memory;
mod paint;
mod picture;
mod prompts;
mod rebuild;
mod script;
mod usual;

use std::path::PathBuf;

use candle_core::Device;

pub use job::{
    Blend, ControlSource, LoraUse, MaskFill, Mix, PaintControl, PaintFill, PaintJob, PaintMask,
    PaintReference,
};
pub use load::check_vae;
pub use memory::Memory;
pub use picture::{canvas_from_tensor, hint_from_canvas, tensor_from_canvas};
pub(super) use rebuild::SAME_LEVEL;

use self::loras::LoraShelf;
use self::prompts::PromptCache;
use super::controlnet::{ControlModel, ControlNet};
use super::sampler::Sampler;
use super::sigmas::{NoiseSchedule, Spacing};
use super::unet::UNet;
use super::vae::Autoencoder;
use crate::canvas::Size;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

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
    /// `None` only while it is built anew.
    unet: Option<UNet>,
    loras: LoraShelf,
    vae: Autoencoder,
    prompts: PromptCache,
    schedule: NoiseSchedule,
    own_controlnet: Option<ControlNet>,
    controls: Vec<(String, ControlModel)>,
    defaults: ModelDefaults,
    is_xl: bool,
    /// Whether the UNet looks at a mask and the picture under it.
    inpaints: bool,
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

    /// Makes textual inversions known by their names, for prompts that name them. Their files are read when one
    /// does. The same list again changes nothing.
    ///
    /// # Errors
    /// [`Error::Bug`] when a name cannot be read, which none is known for.
    pub fn set_embeddings(&mut self, embeddings: Vec<(String, PathBuf)>) -> Result<()> {
        self.prompts.set_embeddings(embeddings)
    }

    /// The noise that the model was trained with.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// Whether the model was made for inpainting: its UNet is shown the mask and what it leaves of the picture.
    /// Jobs without a mask count as masked throughout.
    pub fn is_inpainting_model(&self) -> bool {
        self.inpaints
    }

    /// Pixels per latent pixel: sides of pictures must be multiples of it.
    pub fn size_unit(&self) -> usize {
        self.vae.downscale()
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod mask_tests;
#[cfg(test)]
mod noise_tests;
#[cfg(test)]
mod tests;
