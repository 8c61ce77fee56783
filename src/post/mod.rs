//! What comes after the store: interpolation and deflicker.

pub mod deflicker;
pub mod flow;
pub mod interpolate;
mod picture;
