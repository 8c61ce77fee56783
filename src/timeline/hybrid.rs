//! Hybrid video at a frame.

use super::frame::{
    FrameSource, HybridComposite, HybridMask, HybridMaskKind, HybridMotion, HybridParams, HybridVideo,
};
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::source::{clip, picture};
use crate::schedule::diagnostic::Diagnostic;

/// Whether a setting of that name has an effect beside these.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    if !name.starts_with("hybrid") {
        return true;
    }
    let is = |name: &str, other: &str| values.constant_choice(name).is_some_and(|choice| choice != other);
    let (mixed, moved) = (is("hybrid_composite", "none"), is("hybrid_motion", "none"));
    let has_flow = values.constant_choice("hybrid_motion").as_deref() == Some("optical_flow");
    has_video(values)
        && match name {
            "hybrid" => mixed || moved || begins_film(values),
            "hybrid_comp_alpha" => mixed,
            "hybrid_motion_use_prev_img" => moved,
            _ if name.starts_with("hybrid_comp_mask") => {
                mixed && (name == "hybrid_comp_mask_type" || is("hybrid_comp_mask_type", "none"))
            }
            _ if name.starts_with("hybrid_flow") || name == "hybrid_consistency_blur" => has_flow,
            _ => true,
        }
}

/// Settings that have no effect where they are.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    let lines = values.lines.values().filter(|line| !has_effect(values, line.param.name));
    for line in lines {
        let message = format!("`{}` has no effect here", line.param.name);
        let hint = if has_video(values) {
            "it takes `hybrid_composite = normal` or `hybrid_motion = optical_flow`, and what it belongs to"
        } else {
            "it takes a video to follow: `hybrid = video(\"clip.mp4\")`"
        };
        warnings.push(Diagnostic::warning("W33", message, line.span()).hint(hint));
    }
    if let Some((call, _)) =
        values.calls.get("hybrid").filter(|_| has_video(values) && !has_effect(values, "hybrid"))
    {
        warnings
            .push(Diagnostic::warning("W33", "`hybrid` has no effect by itself", call.span).hint(
                "mix it in, `hybrid_composite = normal`, or follow it, `hybrid_motion = optical_flow`",
            ));
    }
}

fn has_video(values: &Values) -> bool {
    let is_call = values.calls.get("hybrid").is_some_and(|(call, _)| call.spec.name != "none");
    is_call || values.lines.contains_key("hybrid_use_init_image")
}

/// Whether the video's first picture is what the film begins with, as far as the video is concerned.
fn begins_film(values: &Values) -> bool {
    let source = values.calls.get("source").map(|(call, _)| call.spec.name);
    source.is_none_or(|name| name == "text")
        && values.lines.get("hybrid_use_first_frame_as_init_image").is_none_or(|line| {
            line.at(line.clock.start).is_ok_and(|(value, _)| value.as_bool() != Some(false))
        })
}

/// The source of a scene that follows a video: its first picture, where the scene names none of its own.
pub(super) fn source(reader: &mut Reader<'_>, stage: &Stage, own: FrameSource) -> FrameSource {
    if own != FrameSource::Previous || !has_video(&stage.values) || !begins_film(&stage.values) {
        return own;
    }
    let video = stage.values.calls.get("hybrid").and_then(|(call, clock)| {
        match (call.spec.name, reader.call_path(call, "file")) {
            ("video", _) => {
                Some(FrameSource::InitVideo(clip(reader, call, clock)?, picture(stage.clock.start, clock)))
            }
            ("still", Some(path)) => Some(FrameSource::Init(path)),
            _ => None,
        }
    });
    video.unwrap_or(own)
}

/// Hybrid video at the frame that `reader` reads, whose pictures come from `source`.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, source: &FrameSource) -> Option<HybridParams> {
    let values = &stage.values;
    let video = video(reader, values, source)?;
    let composite = match reader.maybe_choice(values, "hybrid_composite").as_deref() {
        Some("normal") => HybridComposite::Normal,
        Some("before_motion") => HybridComposite::BeforeMotion,
        Some("after_generation") => HybridComposite::AfterGeneration,
        _ => HybridComposite::None,
    };
    let motion = match reader.maybe_choice(values, "hybrid_motion").as_deref() {
        Some("optical_flow") => HybridMotion::Flow {
            fine: reader.maybe_choice(values, "hybrid_flow_method").as_deref() != Some("dis_medium"),
            factor: reader.number(values, "hybrid_flow_factor", 1.0),
            consistency: reader
                .maybe_switch(values, "hybrid_flow_consistency")
                .filter(|on| *on)
                .map(|_| reader.number(values, "hybrid_consistency_blur", 2.0)),
        },
        Some("perspective") => HybridMotion::Perspective,
        Some("affine") => HybridMotion::Affine,
        _ => HybridMotion::None,
    };
    Some(HybridParams {
        video,
        composite,
        alpha: reader.number(values, "hybrid_comp_alpha", 0.5),
        mask: mask(reader, values),
        motion,
        from_generated: reader.maybe_switch(values, "hybrid_motion_use_prev_img").unwrap_or(false),
    })
}

fn video(reader: &mut Reader<'_>, values: &Values, source: &FrameSource) -> Option<HybridVideo> {
    if reader.maybe_switch(values, "hybrid_use_init_image") == Some(true) {
        if let FrameSource::Init(path) = source {
            return Some(HybridVideo::Still(path.clone()));
        }
        let span =
            values.lines.get("hybrid_use_init_image").map_or_else(Default::default, |line| line.span());
        let hint = "write `source = init(\"picture.png\")` beside it".to_owned();
        reader.wrong("E55", "`hybrid_use_init_image` needs an init picture", span, Some(hint));
        return None;
    }
    let (call, clock) = values.calls.get("hybrid")?;
    match (call.spec.name, reader.call_path(call, "file")) {
        ("video", _) => Some(HybridVideo::Clip(clip(reader, call, clock)?, picture(reader.frame, clock))),
        ("still", Some(path)) => Some(HybridVideo::Still(path)),
        _ => None,
    }
}

fn mask(reader: &mut Reader<'_>, values: &Values) -> Option<HybridMask> {
    let kind = match reader.maybe_choice(values, "hybrid_comp_mask_type").as_deref() {
        Some("depth") => HybridMaskKind::Depth,
        Some("video_depth") => HybridMaskKind::VideoDepth,
        Some("blend") => HybridMaskKind::Blend(reader.number(values, "hybrid_comp_mask_blend_alpha", 0.5)),
        Some("difference") => HybridMaskKind::Difference,
        _ => return None,
    };
    let equalize = reader.maybe_choice(values, "hybrid_comp_mask_equalize");
    let equalize = equalize.as_deref().unwrap_or("none");
    let stretched = reader.maybe_switch(values, "hybrid_comp_mask_auto_contrast") == Some(true);
    Some(HybridMask {
        kind,
        inverse: reader.maybe_switch(values, "hybrid_comp_mask_inverse").unwrap_or(false),
        equalize_before: matches!(equalize, "before" | "both"),
        equalize_after: matches!(equalize, "after" | "both"),
        contrast: reader.number(values, "hybrid_comp_mask_contrast", 1.0),
        auto_contrast: stretched.then(|| {
            let mut cutoff = |name: &str, default| reader.number(values, name, default);
            (
                cutoff("hybrid_comp_mask_auto_contrast_cutoff_low", 0.0),
                cutoff("hybrid_comp_mask_auto_contrast_cutoff_high", 100.0),
            )
        }),
    })
}
