//! Recorded runs that cannot be made again.

use serde_json::{Value, json};

/// What the loop does not do yet.
pub(super) fn unsupported(over: &Value) -> Option<String> {
    const KNOWN: [&str; 64] = [
        "diffusion_cadence",
        "optical_flow_cadence",
        "cadence_flow_factor_schedule",
        "diffusion_redo",
        "optical_flow_redo_generation",
        "redo_flow_factor_schedule",
        "color_force_grayscale",
        "legacy_colormatch",
        "color_coherence_image_path",
        "depth_algorithm",
        "aspect_ratio_schedule",
        "aspect_ratio_use_old_formula",
        "near_schedule",
        "far_schedule",
        "enable_perspective_flip",
        "perspective_flip_theta",
        "perspective_flip_phi",
        "perspective_flip_gamma",
        "perspective_flip_fv",
        "seed_iter_N",
        "init_image",
        "hybrid_composite",
        "hybrid_use_init_image",
        "hybrid_use_first_frame_as_init_image",
        "hybrid_comp_alpha_schedule",
        "hybrid_comp_mask_type",
        "hybrid_comp_mask_inverse",
        "hybrid_comp_mask_equalize",
        "hybrid_comp_mask_blend_alpha_schedule",
        "hybrid_comp_mask_contrast_schedule",
        "hybrid_comp_mask_auto_contrast",
        "hybrid_comp_mask_auto_contrast_cutoff_high_schedule",
        "hybrid_comp_mask_auto_contrast_cutoff_low_schedule",
        "animation_mode",
        "zoom",
        "angle",
        "translation_x",
        "translation_y",
        "translation_z",
        "rotation_3d_x",
        "rotation_3d_y",
        "rotation_3d_z",
        "transform_center_x",
        "transform_center_y",
        "strength_schedule",
        "strength",
        "use_init",
        "color_coherence",
        "noise_schedule",
        "noise_type",
        "amount_schedule",
        "kernel_schedule",
        "sigma_schedule",
        "threshold_schedule",
        "contrast_schedule",
        "seed_behavior",
        "seed_schedule",
        "enable_steps_scheduling",
        "steps_schedule",
        "cfg_scale_schedule",
        "border",
        "sampling_mode",
        "padding_mode",
        "fov_schedule",
    ];
    const LOGGED: [&str; 8] = [
        "enable_sampler_scheduling",
        "sampler_schedule",
        "enable_checkpoint_scheduling",
        "checkpoint_schedule",
        "enable_subseed_scheduling",
        "subseed_schedule",
        "subseed_strength_schedule",
        "use_depth_warping",
    ];
    let over = over.as_object()?;
    if let Some(key) = over.keys().find(|k| !KNOWN.contains(&k.as_str()) && !LOGGED.contains(&k.as_str())) {
        return Some(format!("setting `{key}`"));
    }
    let is = |key: &str, value: &str| over.get(key).is_some_and(|v| v == value);
    if over.get("depth_algorithm").and_then(Value::as_str).is_some_and(|name| name.ends_with("(old)")) {
        return Some("depth that is blended of two networks".to_owned());
    }
    let raft = |key: &str| is(key, "RAFT");
    if raft("optical_flow_cadence") || raft("optical_flow_redo_generation") {
        return Some("RAFT, whose weights are not there".to_owned());
    }
    if is("color_coherence", "Video Input") {
        return Some("a video that is not among the data".to_owned());
    }
    let modes = ["2D", "3D"];
    if over.get("animation_mode").is_some_and(|m| !modes.iter().any(|known| m == known)) {
        return Some(format!("animation mode {}", over["animation_mode"]));
    }
    if is("hybrid_comp_mask_type", "Depth") || is("hybrid_comp_mask_type", "Video Depth") {
        return Some("depth from a stand-in network".to_owned());
    }
    let hybrid = over.get("hybrid_composite").is_some_and(|c| c != "None" && c != false);
    if hybrid && over.get("hybrid_use_init_image") != Some(&json!(true)) {
        return Some("a video that is not among the data".to_owned());
    }
    None
}
