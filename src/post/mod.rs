//! What comes after the store: interpolation and deflicker.

pub mod deflicker;
