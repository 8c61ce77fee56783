//! Model files: a folder on disk, one compiled into the program, or a single file, all read the same way.
//!
//! A model is a folder in the layout that diffusers and transformers write: a `config.json` beside
//! safetensors weights, whole or sharded. A checkpoint in one file, as the A1111 web UI and ComfyUI have
//! them, stands for such a folder: its configs are inferred from names and shapes. What a network does with
//! the weights is not known here.

pub mod digest;
pub mod family;
mod folder;
pub mod library;
mod single;
mod tensors;

pub use folder::{ModelFolder, Weight, model_error};
pub use tensors::{Cut, Header, Source, TensorInfo, WeightFile, Weights, mark, stored, stored_shaped};
