//! Parseq's fields and the parameters of the film they drive.

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub name: &'static str,
    pub param: &'static str,
    /// How Parseq hands it to Deforum.
    pub motion: Motion,
}

/// What of a field reaches the film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    /// Its value.
    Value,
    /// Its difference to the frame before.
    Difference,
    /// Its ratio to the frame before.
    Ratio,
}

const fn field(name: &'static str, param: &'static str, motion: Motion) -> Field {
    Field { name, param, motion }
}

/// In the order in which the film has them.
pub(super) const FIELDS: &[Field] = &[
    field("zoom", "zoom", Motion::Ratio),
    field("angle", "angle", Motion::Difference),
    field("translation_x", "translation_x", Motion::Difference),
    field("translation_y", "translation_y", Motion::Difference),
    field("translation_z", "translation_z", Motion::Difference),
    field("rotation_3d_x", "rotation_3d_x", Motion::Difference),
    field("rotation_3d_y", "rotation_3d_y", Motion::Difference),
    field("rotation_3d_z", "rotation_3d_z", Motion::Difference),
    field("transform_center_x", "transform_center_x", Motion::Value),
    field("transform_center_y", "transform_center_y", Motion::Value),
    field("fov", "fov", Motion::Value),
    field("perspective_flip_theta", "perspective_flip_theta", Motion::Difference),
    field("perspective_flip_phi", "perspective_flip_phi", Motion::Difference),
    field("perspective_flip_gamma", "perspective_flip_gamma", Motion::Difference),
    field("perspective_flip_fv", "perspective_flip_fv", Motion::Value),
    field("strength", "strength", Motion::Value),
    field("noise", "noise", Motion::Value),
    field("contrast", "contrast", Motion::Value),
    field("antiblur_amount", "sharpen.amount", Motion::Value),
    field("antiblur_kernel", "sharpen.kernel", Motion::Value),
    field("antiblur_sigma", "sharpen.sigma", Motion::Value),
    field("antiblur_threshold", "sharpen.threshold", Motion::Value),
    field("steps_schedule", "steps", Motion::Value),
    field("scale", "guidance", Motion::Value),
    field("seed", "seed", Motion::Value),
    field("subseed", "subseed", Motion::Value),
    field("subseed_strength", "subseed_strength", Motion::Value),
];

/// Fields of the flat camera.
pub(super) const FLAT: &[&str] = &["zoom", "angle", "transform_center_x", "transform_center_y"];

/// Fields of the 3D camera that make a film 3D when they move.
pub(super) const DEEP: &[&str] = &["translation_z", "rotation_3d_x", "rotation_3d_y", "rotation_3d_z"];

/// What a field's values are in a document that does not set it, as Parseq renders it.
pub(super) fn default(name: &str) -> f64 {
    match name {
        "seed" => -1.0,
        "scale" => 7.0,
        "noise" => 0.08,
        "strength" => 0.6,
        "contrast" | "zoom" | "prompt_weight_1" | "prompt_weight_8" => 1.0,
        "transform_center_x" | "transform_center_y" => 0.5,
        "perspective_flip_fv" => 50.0,
        "fov" => 40.0,
        "antiblur_kernel" => 5.0,
        "antiblur_sigma" => 1.0,
        "antiblur_amount" => 0.2,
        _ => 0.0,
    }
}

/// Why a field is not in the film; `None` for those that are.
pub(super) fn left(name: &str) -> Option<&'static str> {
    if FIELDS.iter().any(|field| field.name == name) {
        return None;
    }
    Some(match name {
        "near" | "far" => "it has no effect in Deforum either",
        "sampler_schedule" => "the film has one sampler: write `sampler`",
        _ if name.starts_with("cn_") => "write it into the `control` block it belongs to",
        _ if name.starts_with("hybrid_") => "video input is not there yet",
        _ if name.starts_with("guided") => "guided images are not there yet",
        _ if name.starts_with("prompt_weight_") => "weights between prompts are not there yet",
        _ => "kinora has nothing like it",
    })
}

/// The values that reach the film.
pub(super) fn moved(values: &[f64], motion: Motion) -> Vec<f64> {
    let step = |pair: &[f64]| match motion {
        Motion::Difference => pair[1] - pair[0],
        _ => pair[1] / pair[0],
    };
    match motion {
        Motion::Value => values.to_vec(),
        _ => values.first().copied().into_iter().chain(values.windows(2).map(step)).collect(),
    }
}
