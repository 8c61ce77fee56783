//! The rooms wired together: one file a command, no algorithm.

mod finish;
pub mod models;
pub mod preview;
pub mod project;
pub mod render;
pub mod report;
mod sources;
