//! Data made by running diffusers, transformers, k-diffusion and PyTorch.

mod networks;
mod rng;
mod sampling;

use std::path::Path;

use crate::Case;

/// All cases of the folder.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = networks::discover(folder);
    cases.extend(rng::discover(folder));
    cases.extend(sampling::discover(folder));
    cases
}
