//! Which family of models a LoRA was made for, and which one a model is of: for messages.

use super::layers::Layers;
use crate::models::Header;
use crate::models::family::{Base, lora_base};

/// Marks in the keys of LoRAs for networks that are no UNet of Stable Diffusion's.
const FOREIGN: [(&str, &str); 9] = [
    ("double_blocks", "Flux"),
    ("single_transformer_blocks", "Flux"),
    ("joint_blocks", "Stable Diffusion 3"),
    ("joint_transformer_blocks", "Stable Diffusion 3"),
    ("lora_prior_unet", "Stable Cascade"),
    ("lora_transformer_", "a transformer model (Flux, Stable Diffusion 3 …)"),
    ("transformer.", "a transformer model (Flux, Stable Diffusion 3 …)"),
    ("motion_modules", "AnimateDiff"),
    ("blocks.0.self_attn", "a video model"),
];

/// The family of a model.
pub(super) fn of_model(unet: &Layers) -> String {
    unet.context().map_or_else(|| "a model without text".to_owned(), Base::called)
}

/// The family that a file was made for, as far as its keys, shapes and metadata tell.
pub(super) fn of_file(keys: &[&str], context: Option<usize>, header: &Header) -> Option<String> {
    for (mark, family) in FOREIGN {
        if keys.iter().any(|key| key.contains(mark)) {
            return Some(family.to_owned());
        }
    }
    if let Some(width) = context {
        return Some(Base::called(width));
    }
    let noted = |key| header.metadata.get(key).map(|name| name.to_lowercase());
    let own = lora_base(header).map(|base| base.name().to_owned());
    own.or_else(|| noted("modelspec.architecture")).or_else(|| noted("ss_base_model_version"))
}
