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
//! Weights are merged, W + Σ strength · ΔW, each time from the untouched base. A side branch y += s·B(Ax) was
//! measured too: on the CPU it costs more in one run of the sampler than a merge does.

mod change;
mod family;
mod file;
mod keys;
mod layers;
mod ldm;
mod module;
mod resolve;
mod weights;

pub use file::LoraFile;
pub use layers::Shapes;
pub use resolve::{Lora, Networks, patch_text, patch_unet};
pub use weights::PatchedWeights;

/// What to do about a broken file.
const AGAIN: &str = "the file is damaged or was written by an unknown trainer; download or save it again";

/// The first line of what candle says; the rest are places in its code.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
