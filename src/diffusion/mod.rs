//! Text encoders, UNet, ControlNet, autoencoders, samplers: a picture is painted over.

pub mod text;
