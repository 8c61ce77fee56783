//! Text encoders, UNet, ControlNet, autoencoders, samplers: a picture is painted over.

pub mod conditions;
pub mod controlnet;
pub mod engine;
pub mod guidance;
pub mod img2img;
pub mod lora;
pub mod nn;
pub mod reference;
pub mod sampler;
pub mod sigmas;
pub mod steering;
pub mod text;
pub mod unet;
pub mod vae;
