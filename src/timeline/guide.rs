//! Guided images: which picture the film is led to at a frame, and how much of it is mixed in.

use super::frame::{FrameSource, GuideParams};
use super::reader::Reader;
use super::scene::{Stage, Values};
use crate::schedule::diagnostic::Diagnostic;

/// What belongs to `guide.images`.
const OF_GUIDES: [&str; 5] = [
    "image_strength",
    "blend_factor_max",
    "blend_factor_slope",
    "tweening_frames",
    "color_correction_factor",
];

/// Share of the picture at frames between the times when it comes in.
const BETWEEN: f64 = 0.07;

/// Frames between two pictures where there are no two.
const ALONE: f64 = 25.0;

/// Whether a setting of that name has an effect beside these.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    !OF_GUIDES.contains(&name) || values.has("guide.images")
}

/// Settings of guided images without any.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    let lines =
        OF_GUIDES.iter().filter(|name| !has_effect(values, name)).filter_map(|name| values.lines.get(name));
    for line in lines {
        let message = format!("`{}` has no effect without guided images", line.param.name);
        let hint = "name them: `guide.images = 0: \"a.png\", 40: \"b.png\"`";
        warnings.push(Diagnostic::warning("W35", message, line.span()).hint(hint));
    }
}

/// The guide of the frame that `reader` reads.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage) -> Option<GuideParams> {
    let values = &stage.values;
    let file = reader.maybe_text(values, "guide.images").filter(|file| !file.is_empty())?;
    let line = values.lines.get("guide.images")?;
    let frame = line.clock.local(reader.frame);
    let (most, slope) =
        (reader.number(values, "blend_factor_max", 0.35), reader.number(values, "blend_factor_slope", 0.25));
    let tween = reader.number(values, "tweening_frames", 20.0);
    Some(GuideParams {
        picture: reader.path(&file),
        blend: blend(frame, gap(&line.times(), frame), tween, (most, slope)),
        colour: reader.number(values, "color_correction_factor", 0.075),
    })
}

/// Frames between the keys before and behind a frame.
fn gap(times: &[f64], frame: f64) -> f64 {
    let behind = times.partition_point(|time| *time <= frame);
    match (behind.checked_sub(1).and_then(|before| times.get(before)), times.get(behind)) {
        (Some(before), Some(behind)) => behind - before,
        _ => ALONE,
    }
}

/// The share of the picture at a frame (sd-webui-deforum 32242685, `generate.py`), held to 0 to 1.
fn blend(frame: f64, gap: f64, tween: f64, (most, slope): (f64, f64)) -> f64 {
    if tween <= 0.0 || gap <= 0.0 || frame.rem_euclid(gap) > tween {
        return BETWEEN;
    }
    (most - slope * libm::cos(frame.rem_euclid(tween) / (tween / 2.0))).clamp(0.0, 1.0)
}

/// The source of a scene with guided images: the first of them, where it names none of its own.
pub(super) fn source(stage: &Stage, reader: &mut Reader<'_>, own: FrameSource) -> FrameSource {
    if own != FrameSource::Previous {
        return own;
    }
    let first = stage.values.lines.get("guide.images").and_then(|line| {
        let (value, _) = line.at(stage.clock.start).ok()?;
        value.as_text().filter(|file| !file.is_empty()).map(|file| reader.path(file))
    });
    first.map_or(own, FrameSource::Init)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_follows_deforum_s_formula() {
        let share = |frame| blend(frame, 40.0, 20.0, (0.35, 0.25));
        // cos 0, cos 1, cos 2 (which is frame 20 of 20 again 0).
        assert!((share(0.0) - 0.1).abs() < 1e-12);
        assert!((share(10.0) - (0.35 - 0.25 * 0.540_302_305_868_139_8)).abs() < 1e-12);
        assert!((share(20.0) - 0.1).abs() < 1e-12);
        assert_eq!(share(21.0), BETWEEN);
        assert_eq!(blend(5.0, 0.0, 20.0, (0.35, 0.25)), BETWEEN);
        assert_eq!(blend(5.0, 40.0, 0.0, (0.35, 0.25)), BETWEEN);
        assert_eq!(gap(&[0.0, 30.0, 70.0], 35.0), 40.0);
        assert_eq!(gap(&[0.0, 30.0], 30.0), ALONE);
    }
}
