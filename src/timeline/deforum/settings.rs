//! All schedules of a settings file, expanded, under the names Deforum's program has for them.

use std::collections::BTreeMap;

use super::{Mode, expand, expand_text};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::settings::Settings;
use crate::schedule::span::Span;

/// One value per frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// Of a schedule of numbers.
    Numbers(Vec<f64>),
    /// Of a schedule of texts.
    Texts(Vec<String>),
}

/// Every schedule of a settings file by its name in Deforum's program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expanded {
    /// The 47 of the animation.
    pub anim: BTreeMap<String, Series>,
    /// `cn_N_weight_schedule_series`, `..._guidance_start_...`, `..._guidance_end_...`.
    pub controlnet: BTreeMap<String, Series>,
    /// The 5 of the guided images.
    pub looper: BTreeMap<String, Series>,
}

/// Animation schedules whose setting has the same name.
pub const ANIMATION: &[&str] = &[
    "amount_schedule",
    "ancestral_eta_schedule",
    "angle",
    "cadence_flow_factor_schedule",
    "cfg_scale_schedule",
    "checkpoint_schedule",
    "clipskip_schedule",
    "contrast_schedule",
    "ddim_eta_schedule",
    "hybrid_comp_alpha_schedule",
    "hybrid_comp_mask_auto_contrast_cutoff_high_schedule",
    "hybrid_comp_mask_auto_contrast_cutoff_low_schedule",
    "hybrid_comp_mask_blend_alpha_schedule",
    "hybrid_comp_mask_contrast_schedule",
    "hybrid_flow_factor_schedule",
    "kernel_schedule",
    "mask_schedule",
    "noise_mask_schedule",
    "noise_multiplier_schedule",
    "noise_schedule",
    "perspective_flip_fv",
    "perspective_flip_gamma",
    "perspective_flip_phi",
    "perspective_flip_theta",
    "redo_flow_factor_schedule",
    "rotation_3d_x",
    "rotation_3d_y",
    "rotation_3d_z",
    "sampler_schedule",
    "seed_schedule",
    "sigma_schedule",
    "steps_schedule",
    "strength_schedule",
    "subseed_schedule",
    "subseed_strength_schedule",
    "threshold_schedule",
    "transform_center_x",
    "transform_center_y",
    "translation_x",
    "translation_y",
    "translation_z",
    "zoom",
];

/// Animation schedules whose setting has `_schedule` behind the name.
pub const SHORTENED: &[&str] = &["aspect_ratio", "far", "fov", "near", "pix2pix_img_cfg_scale"];

/// Schedules of the guided images.
pub const LOOPER: &[&str] = &[
    "blendFactorMax",
    "blendFactorSlope",
    "color_correction_factor",
    "image_strength_schedule",
    "tweening_frames_schedule",
];

/// Scheduled settings of a ControlNet unit.
pub const CONTROLNET: &[&str] = &["weight", "guidance_start", "guidance_end"];

/// The animation schedules by program name with the name of their setting.
pub fn animation_settings() -> impl Iterator<Item = (&'static str, String)> {
    let same = ANIMATION.iter().map(|name| (*name, (*name).to_owned()));
    same.chain(SHORTENED.iter().map(|name| (*name, format!("{name}_schedule"))))
}

/// Whether a schedule holds texts.
pub fn is_text(setting: &str) -> bool {
    matches!(setting, "sampler_schedule" | "checkpoint_schedule" | "mask_schedule" | "noise_mask_schedule")
}

/// Expands every schedule of the settings for so many frames. `seed` is the start seed, drawn already if
/// the file says -1.
///
/// # Errors
/// The first schedule that cannot be expanded; the message names it.
pub fn expand_all(
    settings: &Settings,
    max_frames: u32,
    seed: i64,
    mode: Mode,
) -> Result<Expanded, ReadError> {
    let mut expanded = Expanded::default();
    let series = |setting: &str| expand_setting(settings, setting, max_frames, seed, mode);
    for (name, setting) in animation_settings() {
        expanded.anim.insert(name.into(), series(&setting)?);
    }
    for name in LOOPER {
        expanded.looper.insert((*name).into(), series(name)?);
    }
    for unit in 1.. {
        if settings.get(&format!("cn_{unit}_weight")).is_none() {
            break;
        }
        for name in CONTROLNET {
            let values = series(&format!("cn_{unit}_{name}"))?;
            expanded.controlnet.insert(format!("cn_{unit}_{name}_schedule_series"), values);
        }
    }
    Ok(expanded)
}

/// Expands the schedule in one setting.
///
/// # Errors
/// As [`expand_all`].
pub fn expand_setting(
    settings: &Settings,
    setting: &str,
    max_frames: u32,
    seed: i64,
    mode: Mode,
) -> Result<Series, ReadError> {
    let Some(text) = settings.schedule(setting) else {
        return Err(ReadError::new(
            Span::default(),
            format!("expected a schedule as `{setting}`, found none"),
        ));
    };
    let result = if is_text(setting) {
        expand_text(&text, max_frames, seed, mode).map(Series::Texts)
    } else {
        expand(&text, max_frames, seed, mode).map(Series::Numbers)
    };
    result.map_err(|e| ReadError { message: format!("in `{setting}`: {}", e.message), ..e })
}
