//! What the camera uncovers: `border = outpaint` and `fill_...`.

use super::frame::{FEATHER, FillParams, OUTPAINTED};
use super::reader::Reader;
use super::scene::Values;
use crate::schedule::diagnostic::Diagnostic;

/// Whether a setting of that name has an effect beside these.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    match name {
        "fill_strength" => values.has(name) || may_outpaint(values),
        "fill_feather" => values.has("fill_strength") || may_outpaint(values),
        "fill_margin" => values.has(name) && may_outpaint(values),
        _ => true,
    }
}

/// Whether the border is `outpaint` at some time, as far as it is known.
pub(super) fn may_outpaint(values: &Values) -> bool {
    values.has("border") && values.constant_choice("border").is_none_or(|border| border == "outpaint")
}

/// Settings of the fill without one.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    for (name, hint) in [
        ("fill_feather", "say `border = outpaint`, or `fill_strength = 0`"),
        ("fill_margin", "it is for `border = outpaint`"),
    ] {
        if let Some(line) = values.lines.get(name).filter(|_| !has_effect(values, name)) {
            let message = format!("`{name}` has no effect: nothing is painted ahead or filled");
            warnings.push(Diagnostic::warning("W15", message, line.span()).hint(hint));
        }
    }
}

/// The fill of the frame that `reader` reads; `None` leaves what is uncovered to the border and the frame's strength.
pub(super) fn at(reader: &mut Reader<'_>, values: &Values) -> Option<FillParams> {
    let outpaint = reader.maybe_choice(values, "border").as_deref() == Some("outpaint");
    if !outpaint && !values.has("fill_strength") {
        return None;
    }
    Some(FillParams {
        strength: reader.number(values, "fill_strength", OUTPAINTED),
        feather: reader.number(values, "fill_feather", FEATHER),
        outpaint,
        margin: reader.maybe_count(values, "fill_margin"),
    })
}
