//! LoRAs and their kin: small files that change the weights of a model.
//!
//! ```text
//! file ─keys→ modules ─layers, resolve→ Lora (which weights of the model it changes)
//! base weights ─change, at a strength→ PatchedWeights ─builder→ UNet, text encoders
//! ```
//!
//! Read are the names of kohya's trainers (blocks as in diffusers and as in the first code of Stable Diffusion),
//! of diffusers before and after it took PEFT, and of PEFT itself; of kinds LoRA (Hu et al. 2021,
//! arXiv:2106.09685), LoCon, LoHa and LoKr (Yeh et al. 2023, arXiv:2309.14859), each with or without a Tucker
//! decomposition, full differences, norms, IA3 (Liu et al. 2022, arXiv:2205.05638), and DoRA (Liu et al. 2024,
//! arXiv:2402.09353) on top of any.
//!
//! Weights are merged, W + Σ strength · ΔW, each time from the untouched base. The alternative, a side branch
//! y += s·B(Ax) in every layer, costs more: for Stable Diffusion 1.5 at 512x512 and rank 32 (PyTorch 2.15, one core) a
//! merge of the whole UNet took 0.7 s, once a frame, and the side branches 1.5 s in each step of the sampler.
//! `benches/lora.rs` measures both here.

mod change;
mod family;
mod file;
mod keys;
mod layers;
mod module;
mod resolve;
mod weights;

pub use file::LoraFile;
pub use layers::Shapes;
pub use resolve::{Lora, Networks, patch_text, patch_unet};
pub use weights::PatchedWeights;

/// What to do about a broken file.
const AGAIN: &str = "the file is damaged or was written by an unknown trainer; download or save it again";

#[cfg(test)]
mod tests;
