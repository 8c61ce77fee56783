//! Control blocks: what one is shown at a frame, and which of its settings count.

use super::frame::{ControlInput, ControlMode, ControlParams, Fit, FrameSource};
use super::reader::Reader;
use super::scene::Values;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::span::Span;
use crate::schedule::units::Short;

/// Where a control's picture comes from, in the language's words; what the block does not say follows from
/// whether it names an `image`.
fn origin(values: &Values) -> String {
    let implied = if values.has("image") { "as_is" } else { "depth" };
    values.constant_choice("from").unwrap_or_else(|| implied.to_owned())
}

/// Whether a setting of that name has an effect in a control block with these settings.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    let from = origin(values);
    match name {
        "canny.low" | "canny.high" => from == "canny",
        "fidelity" => from == "reference",
        "invert" | "model" => from != "reference",
        "resize" => values.has("image"),
        _ => true,
    }
}

/// Settings that have no effect where they are.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    for line in values.lines.values().filter(|line| !has_effect(values, line.param.name)) {
        let name = line.param.name;
        let message = format!("`{name}` has no effect with `from = {}`", origin(values));
        let hint = match name {
            "canny.low" | "canny.high" => "write `from = canny`, or leave it out",
            "fidelity" => "write `from = reference`, or leave it out",
            "resize" => "it fits a picture to the frame: name one with `image`",
            "model" => "the film's own model looks at the reference: leave it out",
            _ => "leave it out",
        };
        warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
    }
}

/// A control at the frame that `reader` reads, in a scene whose pictures come from `source`.
pub(super) fn at(
    reader: &mut Reader<'_>,
    source: &FrameSource,
    name: &str,
    values: &Values,
) -> ControlParams {
    let window = (reader.number(values, "start", 0.0), reader.number(values, "end", 1.0));
    if window.0 > window.1 {
        let message = format!("`start` {} is behind `end` {}", Short(window.0), Short(window.1));
        let hint = "the control would never count; to switch it off write `weight = 0`";
        reader.wrong("E46", &message, span(values, ["start", "end"]), Some(hint.to_owned()));
    }
    ControlParams {
        name: name.to_owned(),
        model: reader.maybe_text(values, "model"),
        input: input(reader, source, values),
        fit: match reader.maybe_choice(values, "resize").as_deref() {
            Some("stretch") => Fit::Stretch,
            Some("fit") => Fit::Inside,
            _ => Fit::Crop,
        },
        invert: reader.maybe_switch(values, "invert").unwrap_or(false),
        weight: reader.number(values, "weight", 1.0),
        start: window.0,
        end: window.1,
        mode: match reader.maybe_choice(values, "mode").as_deref() {
            Some("prompt") => ControlMode::Prompt,
            Some("control") => ControlMode::Control,
            _ => ControlMode::Balanced,
        },
    }
}

fn input(reader: &mut Reader<'_>, source: &FrameSource, values: &Values) -> ControlInput {
    let image = reader.maybe_text(values, "image").filter(|image| !image.is_empty());
    let image = image.map(|image| reader.path(&image));
    match (origin(values).as_str(), image) {
        ("canny", image) => {
            let (low, high) =
                (reader.number(values, "canny.low", 100.0), reader.number(values, "canny.high", 200.0));
            if low > high {
                let message = format!("`canny.low` {} is above `canny.high` {}", Short(low), Short(high));
                let hint = "edges begin above `high` and go on above `low`: exchange the two";
                let place = span(values, ["canny.low", "canny.high"]);
                reader.wrong("E47", &message, place, Some(hint.to_owned()));
            }
            ControlInput::Canny { image, low, high }
        }
        ("reference", image) => {
            if image.is_none() && source.is_independent() {
                let message = "this control has no picture to look at: frames that are painted each by itself do not know \
                               each other";
                let hint = "name one: `image = \"style.png\"`";
                reader.wrong("E45", message, span(values, ["from", "from"]), Some(hint.to_owned()));
            }
            ControlInput::Reference { image, fidelity: reader.number(values, "fidelity", 0.5) }
        }
        ("as_is", Some(image)) => ControlInput::Picture(image),
        ("as_is", None) if values.has("from") => {
            let hint = "name it: `image = \"pose.png\"`".to_owned();
            reader.wrong("E45", "`from = as_is` needs a picture", span(values, ["from", "from"]), Some(hint));
            ControlInput::Depth
        }
        _ => ControlInput::Depth,
    }
}

/// Where the first of two settings stands that the film sets.
fn span(values: &Values, names: [&str; 2]) -> Span {
    names.iter().find_map(|name| values.lines.get(name)).map_or_else(Default::default, |line| line.span())
}
