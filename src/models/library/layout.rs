//! Which folders hold what, and which files are models.

use std::path::Path;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A diffusion model.
    Checkpoint,
    /// An autoencoder by itself.
    Vae,
    /// A LoRA of any kind.
    Lora,
    /// A textual inversion.
    Embedding,
    /// A ControlNet, ControlLLLite or Control-LoRA.
    Control,
    /// A depth network.
    Depth,
    /// A network that enlarges pictures.
    Upscaler,
}

impl Role {
    /// All of them, in the order of lists.
    pub const ALL: [Self; 7] = [
        Self::Checkpoint,
        Self::Vae,
        Self::Lora,
        Self::Embedding,
        Self::Control,
        Self::Depth,
        Self::Upscaler,
    ];

    /// Its name in messages and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "model",
            Self::Vae => "VAE",
            Self::Lora => "LoRA",
            Self::Embedding => "embedding",
            Self::Control => "ControlNet",
            Self::Depth => "depth network",
            Self::Upscaler => "upscaler",
        }
    }

    /// One of them: `a LoRA`, `an embedding`.
    pub fn one(self) -> String {
        let article = if matches!(self, Self::Embedding | Self::Upscaler) { "an" } else { "a" };
        format!("{article} {}", self.name())
    }

    /// Where a film names one, for hints.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Checkpoint => "stands behind `model`",
            Self::Vae => "stands behind `vae`",
            Self::Lora => "stands in a prompt: `<lora:name:1>`",
            Self::Embedding => "stands in a prompt by its name",
            Self::Control => "stands behind `model` of a `control`",
            Self::Depth => "stands in `depth = network(model=...)`",
            Self::Upscaler => "kinora has no use for yet",
        }
    }
}

/// Folders of a model folder, in small letters, and what lies in them. The A1111 web UI and ComfyUI give
/// most of them other names; both count wherever they are found.
pub(super) const FOLDERS: [(&str, Role); 29] = [
    ("stable-diffusion", Role::Checkpoint),
    ("checkpoints", Role::Checkpoint),
    ("diffusers", Role::Checkpoint),
    ("unet", Role::Checkpoint),
    ("diffusion_models", Role::Checkpoint),
    ("vae", Role::Vae),
    ("vae-approx", Role::Vae),
    ("vae_approx", Role::Vae),
    ("lora", Role::Lora),
    ("loras", Role::Lora),
    ("lycoris", Role::Lora),
    ("embeddings", Role::Embedding),
    ("embedding", Role::Embedding),
    ("textual_inversion", Role::Embedding),
    ("controlnet", Role::Control),
    ("controlnets", Role::Control),
    ("control", Role::Control),
    ("control_lora", Role::Control),
    ("control-lora", Role::Control),
    ("extensions/sd-webui-controlnet/models", Role::Control),
    ("depth", Role::Depth),
    ("depth_anything", Role::Depth),
    ("depthanything", Role::Depth),
    ("midas", Role::Depth),
    ("esrgan", Role::Upscaler),
    ("realesrgan", Role::Upscaler),
    ("upscale_models", Role::Upscaler),
    ("swinir", Role::Upscaler),
    ("upscalers", Role::Upscaler),
];

/// Endings of model files, best first: of two files that differ in it alone, the first is meant.
pub(super) const ENDINGS: [&str; 5] = ["safetensors", "ckpt", "pt", "pth", "bin"];

/// The place of the file's ending among [`ENDINGS`]; `None` when it is no model file.
pub(super) fn ending(path: &Path) -> Option<usize> {
    let ending = path.extension()?.to_str()?;
    ENDINGS.iter().position(|known| ending.eq_ignore_ascii_case(known))
}

/// Whether a folder is one model, as diffusers and transformers save them.
pub(super) fn is_model(folder: &Path) -> bool {
    ["model_index.json", "config.json"].iter().any(|file| folder.join(file).is_file())
}

/// A file's name without the ending of a model file; a folder's whole name.
pub(super) fn stem(path: &Path) -> String {
    let name = if ending(path).is_some() { path.file_stem() } else { path.file_name() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
