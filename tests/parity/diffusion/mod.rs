//! Data made by running diffusers, transformers, k-diffusion and PyTorch.

mod control_files;
mod depth;
mod lora;
mod networks;
mod rng;
mod sampling;
mod text;

use std::path::Path;

use crate::Case;

/// All cases of the folder.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = networks::discover(folder);
    cases.extend(rng::discover(folder));
    cases.extend(sampling::discover(folder));
    cases.extend(text::discover(folder));
    cases.extend(depth::discover(folder));
    cases.extend(lora::discover(folder));
    cases.extend(control_files::discover(folder));
    cases
}
