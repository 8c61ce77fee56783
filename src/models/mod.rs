//! Model files: a folder on disk, one compiled into the program, or a single file, all read the same way.
//!
//! A model is a folder in the layout that diffusers and transformers write: a `config.json` beside
//! safetensors weights, whole or sharded. A checkpoint in one file, as the A1111 web UI and ComfyUI have
//! them, stands for such a folder: its configs are inferred from names and shapes. What a network does with
//! the weights is not known here.

pub mod depth_names;
pub mod digest;
pub mod family;
mod folder;
mod ldm;
pub mod library;
mod single;
mod tensors;

/// Reads `bytes` as a file of weights as far as that goes: its head, what it is, its parts and all of their
/// tensors. For fuzzing: it returns, whatever the bytes.
pub fn probe(bytes: Vec<u8>) {
    let Ok(file) = WeightFile::in_memory(std::path::Path::new("probe"), bytes) else { return };
    let _ = family::family_of(file.header()).to_string();
    let Ok(single) = single::SingleFile::of(file, None) else { return };
    for weights in single.parts() {
        let vb = weights.clone().builder(&candle_core::Device::Cpu);
        for name in weights.names() {
            let _ = (vb.get_unchecked(name), stored(&vb, name));
        }
    }
}

/// What people call a depth network by its weights, `Depth Anything vits` or `MiDaS DPT-Hybrid`; `None` when it is of no
/// kind that is known.
pub fn called_depth(weights: &Weights) -> Option<String> {
    single::called_depth(weights)
}

pub use folder::{ModelFolder, Weight, model_error};
pub use ldm::{LdmBlocks, UNetNames};
pub use tensors::{Cut, Header, Source, TensorInfo, WeightFile, Weights, mark, stored, stored_shaped};
