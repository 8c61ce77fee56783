//! What comes after the store: deflicker and interpolation, alone or one after the other ([`chain`]).
//! Streams of pictures become streams of pictures; nothing here knows films, models or schedules.

pub mod chain;
pub mod deflicker;
pub mod interpolate;
mod picture;
