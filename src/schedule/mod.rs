//! The language: text becomes a checked tree, or a list of diagnostics.

pub mod deforum;
pub mod diagnostic;
pub mod expr;
pub mod span;
