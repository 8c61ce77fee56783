//! Which family of models a LoRA was made for, and which one a model is of: for messages.

use std::collections::BTreeMap;

use super::layers::Layers;

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

/// What a family is called, by the width of the context its UNet looks at.
fn by_context(width: usize) -> String {
    match width {
        768 => "Stable Diffusion 1.x".to_owned(),
        1024 => "Stable Diffusion 2.x".to_owned(),
        1280 => "the refiner of SDXL".to_owned(),
        2048 => "SDXL".to_owned(),
        other => format!("a family with a context of {other} numbers"),
    }
}

/// The family of a model.
pub(super) fn of_model(unet: &Layers) -> String {
    unet.context().map_or_else(|| "a model without text".to_owned(), by_context)
}

/// The family that a file was made for, as far as its keys, shapes and metadata tell.
pub(super) fn of_file(
    keys: &[&str],
    context: Option<usize>,
    metadata: &BTreeMap<String, String>,
) -> Option<String> {
    for (mark, family) in FOREIGN {
        if keys.iter().any(|key| key.contains(mark)) {
            return Some(family.to_owned());
        }
    }
    if let Some(width) = context {
        return Some(by_context(width));
    }
    let said = metadata.get("modelspec.architecture").or_else(|| metadata.get("ss_base_model_version"));
    match said.map(|name| name.to_lowercase()) {
        Some(name) if name.contains("xl") => Some(by_context(2048)),
        Some(name) if name.contains("v2") => Some(by_context(1024)),
        Some(name) if name.contains("v1") => Some(by_context(768)),
        Some(name) => Some(name),
        None if keys.iter().any(|key| key.starts_with("lora_te2_") || key.starts_with("lora_te1_")) => {
            Some(by_context(2048))
        }
        None => None,
    }
}
