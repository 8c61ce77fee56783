//! A checked film becomes plain numbers for any frame: no pixels, no tensors.

pub mod deforum;
pub mod eval;
pub mod frame;
pub mod seeds;
