//! Reads what holds a scene's look. Defaults are those of the table in `schedule::params` (a test compares them).

use super::frame::{ColourReference, DriftMeasures, DriftParams, HoldParams};
use super::reader::Reader;
use super::scene::Values;
use crate::schedule::diagnostic::Diagnostic;

/// How the look is held at the frame that `reader` reads.
pub(super) fn at(reader: &mut Reader<'_>, values: &Values) -> HoldParams {
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
        noise_mask: file(reader, values, "noise_mask"),
        sharpen_mask: file(reader, values, "sharpen.mask"),
    }
}

fn reference(reader: &mut Reader<'_>, values: &Values) -> ColourReference {
    if let Some(path) = file(reader, values, "coherence.image") {
        return ColourReference::Picture(path);
    }
    if reader.maybe_choice(values, "coherence").as_deref() == Some("image") {
        let span = values.lines.get("coherence").map_or_else(Default::default, |line| line.span());
        let hint = "name it: `coherence.image = \"look.png\"`".to_owned();
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
        for name in ["coherence.image", "coherence.strength"] {
            warn(name, "with `coherence = none`", "write `coherence = lab`, or leave it out");
        }
    }
}
