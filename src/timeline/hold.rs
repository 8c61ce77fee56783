//! Reads what holds a scene's look. Defaults are those of the table in `schedule::params` (a test compares them).

use super::frame::{ColourReference, DriftMeasures, DriftParams, FrameSource, HoldParams};
use super::masks;
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::source::{clip, picture};
use crate::schedule::diagnostic::Diagnostic;

/// How the look is held at the frame that `reader` reads.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, source: &FrameSource) -> HoldParams {
    let values = &stage.values;
    let uses_mask = reader.maybe_switch(values, "use_noise_mask") != Some(false);
    let mut mask = |name: &str| {
        let set = reader.maybe_text(values, name).is_some_and(|text| !text.trim().is_empty());
        set.then(|| masks::tree(reader, stage, source, name)).flatten()
    };
    let (noise_mask, sharpen_mask) = (mask("noise_mask").filter(|_| uses_mask), mask("sharpen.mask"));
    HoldParams {
        reference: reference(reader, values),
        strength: reader.number(values, "coherence.strength", 1.0),
        drift: DriftParams {
            measures: match reader.maybe_choice(values, "drift.measures").as_deref() {
                Some("colour") => DriftMeasures::Colour,
                Some("sharpness") => DriftMeasures::Sharpness,
                _ => DriftMeasures::All,
            },
            warn: reader.number(values, "drift.warn", 0.3),
            correct: reader.number(values, "drift.correct", 0.1),
            stop: reader.number(values, "drift.stop", 0.0),
        },
        noise_multiplier: reader.number(values, "noise_multiplier", 1.0),
        noise_mask,
        sharpen_mask,
    }
}

fn reference(reader: &mut Reader<'_>, values: &Values) -> ColourReference {
    if let Some((call, clock)) = values.calls.get("coherence.image")
        && let Some(clip) = clip(reader, call, clock)
    {
        let every = reader.maybe_count(values, "coherence.every").unwrap_or(1).max(1);
        return ColourReference::Video(clip, picture(reader.frame, clock) / every * every);
    }
    if let Some(path) = file(reader, values, "coherence.image") {
        return ColourReference::Picture(path);
    }
    if reader.maybe_choice(values, "coherence").as_deref() == Some("image") {
        let span = values.lines.get("coherence").map_or_else(Default::default, |line| line.span());
        let hint =
            "name it: `coherence.image = \"look.png\"`, or a video's: `video(\"clip.mp4\")`".to_owned();
        reader.wrong("E48", "`coherence = image` needs a picture", span, Some(hint));
    }
    ColourReference::First
}

fn file(reader: &mut Reader<'_>, values: &Values, name: &str) -> Option<std::path::PathBuf> {
    let file = reader.maybe_text(values, name).filter(|file| !file.is_empty())?;
    Some(reader.path(&file))
}

/// Settings that have no effect beside the others.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    let mut warn = |name: &str, why: &str, hint: &str| {
        if let Some(line) = values.lines.get(name) {
            let message = format!("`{name}` has no effect {why}");
            warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
        }
    };
    if values.constant_choice("coherence").as_deref() == Some("none") {
        for name in ["coherence.image", "coherence.strength", "coherence.every"] {
            warn(name, "with `coherence = none`", "write `coherence = lab`, or leave it out");
        }
    }
    if !values.calls.contains_key("coherence.image") {
        warn(
            "coherence.every",
            "without a video",
            "write `coherence.image = video(\"clip.mp4\")`, or leave it out",
        );
    }
    if !values.has("noise_mask") {
        warn("use_noise_mask", "without a mask", "give one: `noise_mask = \"mask.png\"`");
    }
    if values.constant_choice("noise_type").as_deref() == Some("latent") {
        for name in ["noise_mask", "perlin_octaves", "perlin_persistence", "perlin_w", "perlin_h"] {
            warn(name, "with `noise_type = latent`", "write `noise_type = perlin`, or leave it out");
        }
    }
    let is_off = |name: &str, default: f64| {
        values.lines.get(name).map_or(default == 0.0, |line| {
            line.is_constant()
                && line.at(line.clock.start).is_ok_and(|(value, _)| value.as_f64() == Some(0.0))
        })
    };
    if is_off("drift.warn", 1.0) && is_off("drift.correct", 1.0) && is_off("drift.stop", 0.0) {
        warn(
            "drift.measures",
            "without a threshold",
            "set `drift.warn`, `drift.correct` or `drift.stop`, or leave it out",
        );
    }
}
