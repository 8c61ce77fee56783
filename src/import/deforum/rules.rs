//! Which setting of Deforum's is which parameter of the film.

use serde_json::Value;

use super::Deforum;

/// The groups of the film, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Motion,
    Kept,
    Colour,
    Model,
}

impl Group {
    pub const ALL: [Self; 4] = [Self::Motion, Self::Kept, Self::Colour, Self::Model];
}

/// When a setting has an effect in Deforum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Always,
    /// With the 2D camera.
    Flat,
    /// With the 3D camera.
    Deep,
    /// With the perspective flip.
    Flip,
    /// When pictures are sharpened.
    Sharpen,
    /// With `seed_behavior` `schedule`.
    SeedSchedule,
    /// With variation seeds that vary anything.
    Variation,
    /// With flow between painted frames.
    CadenceFlow,
    /// With a flow before frames are painted.
    RedoFlow,
    /// With this switch on.
    Switch(&'static str),
}

/// A schedule of numbers that the film has a parameter for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub key: &'static str,
    pub param: &'static str,
    pub group: Group,
    pub need: Need,
}

const fn rule(key: &'static str, param: &'static str, group: Group, need: Need) -> Rule {
    Rule { key, param, group, need }
}

/// In the order in which the film has them.
pub(super) const RULES: &[Rule] = &[
    rule("zoom", "zoom", Group::Motion, Need::Flat),
    rule("angle", "angle", Group::Motion, Need::Flat),
    rule("translation_x", "translation_x", Group::Motion, Need::Always),
    rule("translation_y", "translation_y", Group::Motion, Need::Always),
    rule("translation_z", "translation_z", Group::Motion, Need::Deep),
    rule("rotation_3d_x", "rotation_3d_x", Group::Motion, Need::Deep),
    rule("rotation_3d_y", "rotation_3d_y", Group::Motion, Need::Deep),
    rule("rotation_3d_z", "rotation_3d_z", Group::Motion, Need::Deep),
    rule("transform_center_x", "transform_center_x", Group::Motion, Need::Flat),
    rule("transform_center_y", "transform_center_y", Group::Motion, Need::Flat),
    rule("fov_schedule", "fov", Group::Motion, Need::Deep),
    rule("aspect_ratio_schedule", "aspect_ratio", Group::Motion, Need::Deep),
    rule("perspective_flip_theta", "perspective_flip_theta", Group::Motion, Need::Flip),
    rule("perspective_flip_phi", "perspective_flip_phi", Group::Motion, Need::Flip),
    rule("perspective_flip_gamma", "perspective_flip_gamma", Group::Motion, Need::Flip),
    rule("perspective_flip_fv", "perspective_flip_fv", Group::Motion, Need::Flip),
    rule("strength_schedule", "strength", Group::Kept, Need::Always),
    rule("cadence_flow_factor_schedule", "cadence_flow_factor", Group::Kept, Need::CadenceFlow),
    rule("redo_flow_factor_schedule", "redo_flow_factor", Group::Kept, Need::RedoFlow),
    rule("noise_schedule", "noise", Group::Kept, Need::Always),
    rule(
        "noise_multiplier_schedule",
        "noise_multiplier",
        Group::Kept,
        Need::Switch("enable_noise_multiplier_scheduling"),
    ),
    rule("contrast_schedule", "contrast", Group::Colour, Need::Always),
    rule("amount_schedule", "sharpen.amount", Group::Colour, Need::Always),
    rule("kernel_schedule", "sharpen.kernel", Group::Colour, Need::Sharpen),
    rule("sigma_schedule", "sharpen.sigma", Group::Colour, Need::Sharpen),
    rule("threshold_schedule", "sharpen.threshold", Group::Colour, Need::Sharpen),
    rule("steps_schedule", "steps", Group::Model, Need::Switch("enable_steps_scheduling")),
    rule("cfg_scale_schedule", "guidance", Group::Model, Need::Always),
    rule("ddim_eta_schedule", "ddim_eta", Group::Model, Need::Switch("enable_ddim_eta_scheduling")),
    rule("ancestral_eta_schedule", "eta", Group::Model, Need::Switch("enable_ancestral_eta_scheduling")),
    rule("clipskip_schedule", "clip_skip", Group::Model, Need::Switch("enable_clipskip_scheduling")),
    rule("seed_schedule", "seed_schedule", Group::Model, Need::SeedSchedule),
    rule("subseed_schedule", "subseed", Group::Model, Need::Variation),
    rule("subseed_strength_schedule", "subseed_strength", Group::Model, Need::Variation),
];

/// Settings of features that kinora does not have yet: the features' names for sentences, whether one is
/// on, and the settings that belong to it (a name that ends in `*` stands for all that begin so).
pub(super) struct Feature {
    pub name: &'static str,
    pub is_on: fn(&Deforum<'_>) -> bool,
    pub why: &'static str,
    pub keys: &'static [&'static str],
}

pub(super) static FEATURES: &[Feature] = &[
    Feature { name: "hybrid video", is_on: |_| false, why: "", keys: &["hybrid_*"] },
    Feature {
        name: "video input",
        is_on: |_| false,
        why: "",
        keys: &["video_init_path", "extract_*", "overwrite_extracted_frames", "delete_input_frames"],
    },
    Feature {
        name: "guided images",
        is_on: |_| false,
        why: "",
        keys: &[
            "use_looper",
            "init_images",
            "image_strength_schedule",
            "blendFactorMax",
            "blendFactorSlope",
            "tweening_frames_schedule",
            "color_correction_factor",
        ],
    },
    Feature {
        name: "masks",
        is_on: |_| false,
        why: "",
        keys: &[
            "use_mask",
            "use_alpha_as_mask",
            "use_mask_video",
            "mask_*",
            "invert_mask",
            "overlay_mask",
            "fill",
            "full_res_mask",
            "full_res_mask_padding",
            "video_mask_path",
        ],
    },
    Feature {
        name: "noise masks",
        is_on: |d| d.is("use_noise_mask"),
        why: "write it as `noise_mask` yourself",
        keys: &["use_noise_mask", "noise_mask_schedule"],
    },
    Feature {
        name: "seed resize",
        is_on: |d| {
            ["seed_resize_from_w", "seed_resize_from_h"]
                .iter()
                .all(|key| d.number(key).is_some_and(|side| side > 0.0))
        },
        why: "the noise is always drawn at the picture's own size",
        keys: &["seed_resize_from_*"],
    },
    Feature {
        name: "checkpoint schedule",
        is_on: |d| d.is("enable_checkpoint_scheduling"),
        why: "give the models' folders or files with keys: `model = 0: \"a\", 50: \"b\"`",
        keys: &["enable_checkpoint_scheduling", "checkpoint_schedule"],
    },
    Feature { name: "InstructPix2Pix", is_on: |_| false, why: "", keys: &["pix2pix_img_cfg_scale_schedule"] },
    Feature {
        name: "near and far planes",
        is_on: |d| {
            let usual = [("near_schedule", "0: (200)"), ("far_schedule", "0: (10000)")];
            usual.iter().any(|(key, usual)| d.word(key).trim() != *usual)
        },
        why: "they have no effect in Deforum; kinora's distances are `depth.near` and `depth.far`",
        keys: &["near_schedule", "far_schedule"],
    },
    Feature {
        name: "tiling",
        is_on: |d| d.is("tiling"),
        why: "tiling pictures are not there yet",
        keys: &["tiling"],
    },
    Feature {
        name: "face restoration",
        is_on: |d| d.is("restore_faces"),
        why: "face restoration is not there",
        keys: &["restore_faces"],
    },
    Feature {
        name: "blank frame reroll",
        is_on: |d| !matches!(d.word("reroll_blank_frames").as_str(), "ignore" | ""),
        why: "black frames are not painted again",
        keys: &["reroll_blank_frames", "reroll_patience"],
    },
    Feature {
        name: "motion preview",
        is_on: |d| d.is("motion_preview_mode"),
        why: "`kinora preview` does that",
        keys: &["motion_preview_mode"],
    },
    Feature {
        name: "colour reference",
        is_on: |d| d.word("color_coherence") == "Video Input",
        why: "colours can only be held to the first frame or a picture",
        keys: &["color_coherence_video_every_N_frames"],
    },
    Feature {
        name: "old depth blend",
        is_on: |d| d.deep() && d.word("depth_algorithm").ends_with("(old)"),
        why: "AdaBins and Zoe are not read, so nothing is blended",
        keys: &["midas_weight"],
    },
    Feature {
        name: "depth maps on disk",
        is_on: |d| d.is("save_depth_maps") && !d.deep(),
        why: "the flat camera has no depth",
        keys: &["save_depth_maps"],
    },
    Feature {
        name: "resuming",
        is_on: |d| d.is("resume_from_timestring"),
        why: "kinora goes on by itself where frames are missing",
        keys: &["resume_from_timestring", "resume_timestring"],
    },
    Feature { name: "soundtrack", is_on: |_| false, why: "", keys: &["add_soundtrack", "soundtrack_path"] },
    Feature {
        name: "GIF",
        is_on: |d| d.is("make_gif"),
        why: "write another ending behind `-o` to get another kind of file",
        keys: &["make_gif"],
    },
    Feature {
        name: "upscaling",
        is_on: |d| d.is("r_upscale_video"),
        why: "upscaling is not there yet",
        keys: &["r_upscale_*"],
    },
    Feature {
        name: "Parseq",
        is_on: |d| d.manifest.is_some(),
        why: "",
        keys: &["parseq_use_deltas", "parseq_non_schedule_overrides"],
    },
    Feature {
        name: "the web UI's own files and display",
        is_on: |_| false,
        why: "",
        keys: &[
            "show_info_on_ui",
            "batch_name",
            "skip_video_creation",
            "delete_imgs",
            "store_frames_in_ram",
            "frame_interpolation_keep_imgs",
            "frame_interpolation_use_upscaled",
            "strength_0_no_init",
            "init_image_box",
            "init_sample",
            "image_path",
            "outdir",
            "perlin_w",
            "perlin_h",
            "deforum_git_commit_id",
            "sd_model_hash",
            "positive_prompts",
            "negative_prompts",
            "fetched_parseq_manifest_summary",
        ],
    },
];

impl Feature {
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => *known == key,
        })
    }
}

/// The feature that a setting belongs to.
pub(super) fn feature(key: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.has(key))
}

/// A setting's value as the settings file has it.
pub(super) fn shown(value: &Value) -> String {
    value.to_string()
}
