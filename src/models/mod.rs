//! Model files: a folder on disk or one compiled into the program, read the same way.
//!
//! A model is a folder in the layout that diffusers and transformers write: a `config.json` beside
//! safetensors weights, whole or sharded. What a network does with them is not known here.

mod folder;
mod stored;

pub use folder::{ModelFolder, Weight, model_error};
pub use stored::{mark, stored, stored_shaped};
