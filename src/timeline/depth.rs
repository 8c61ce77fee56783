//! Where depth comes from and what becomes of it: `depth` and the settings below it.

use std::path::PathBuf;

use super::frame::{Clip, DepthParams, DepthSource, Sequence};
use super::reader::Reader;
use super::scene::Values;
use super::settings::number;
use super::source::picture;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::Call;
use crate::schedule::span::Span;

/// Settings of distances, which the flat camera does not know.
const OF_DISTANCE: [&str; 2] = ["depth.near", "depth.far"];

/// Settings of a network's depth that others have no use for.
const OF_NETWORKS: [&str; 2] = ["depth.steady", "depth.follow"];

/// Where the depth of the frame that `reader` reads comes from.
pub(super) fn source(reader: &mut Reader<'_>, values: &Values) -> DepthSource {
    let Some((call, clock)) = values.calls.get("depth") else { return DepthSource::Network(None) };
    match (call.spec.name, reader.call_path(call, "file")) {
        ("flat", _) => DepthSource::Flat,
        ("picture", Some(path)) => DepthSource::Picture(path),
        ("pictures", Some(path)) => {
            // Numbers out of range were refused when the film was checked.
            let first = number(call, "first", clock).map_or(0, |first| first.max(0.0) as u32);
            let at = picture(reader.frame, clock).saturating_add(first);
            match sequence(path) {
                Ok(sequence) => DepthSource::Sequence(sequence, at),
                Err(found) => {
                    let message = format!("expected one number in the name of the pictures, found {found}");
                    let hint = "write where it stands: `\"depth/%04d.png\"`; or name a folder, or a video";
                    reader.wrong("E68", &message, call.span, Some(hint.to_owned()));
                    DepthSource::Flat
                }
            }
        }
        _ => DepthSource::Network(reader.call_path(call, "model")),
    }
}

/// What a name stands for; an error says how many numbers it has.
fn sequence(path: PathBuf) -> Result<Sequence, &'static str> {
    let name = path.to_string_lossy().into_owned();
    if !name.contains('%') {
        return Ok(Sequence::Clip(Clip::whole(path)));
    }
    let marks: Vec<(usize, &str)> = name.match_indices('%').collect();
    let [(at, _)] = marks[..] else { return Err("several") };
    let (before, rest) = name.split_at(at);
    let Some((digits, after)) = rest[1..].split_once('d') else { return Err("none") };
    let digits = match digits {
        "" => 0,
        text if text.len() == 2 && text.starts_with('0') => match text[1..].parse::<usize>() {
            Ok(digits) => digits,
            Err(_) => return Err("none"),
        },
        _ => return Err("none"),
    };
    Ok(Sequence::Numbered { before: before.to_owned(), digits, after: after.to_owned() })
}

/// What becomes of the depth.
pub(super) fn params(reader: &mut Reader<'_>, values: &Values) -> DepthParams {
    let near = reader.number(values, "depth.near", 1.0);
    let far = reader.number(values, "depth.far", 2.0);
    if near >= far {
        let place = ["depth.near", "depth.far"].iter().find_map(|name| values.lines.get(name));
        let span = place.map_or_else(Span::default, |line| line.span());
        let message = format!("`depth.near` is {near}, which is not below `depth.far`, {far}");
        let hint = "the nearest point is nearer than the farthest; `depth.invert = true` exchanges them";
        reader.wrong("E69", &message, span, Some(hint.to_owned()));
        return DepthParams { equalise: false, ..DepthParams::default() };
    }
    let is_steady = reader.maybe_switch(values, "depth.steady").unwrap_or(true);
    let follow = reader.number(values, "depth.follow", 0.05);
    DepthParams {
        near,
        far,
        equalise: reader.maybe_switch(values, "depth.equalise").unwrap_or(false),
        steady: is_steady.then_some(follow),
        invert: reader.maybe_switch(values, "depth.invert").unwrap_or(false),
        save: reader.maybe_switch(values, "depth.save").unwrap_or(false),
    }
}

/// Settings in force that the scene's kind of depth, or its camera, does not use.
pub(super) fn unused(values: &Values, is_deep: bool, warnings: &mut Vec<Diagnostic>) {
    for line in OF_DISTANCE.iter().filter(|_| !is_deep).filter_map(|name| values.lines.get(name)) {
        let message = format!("`{}` has no effect with the flat camera", line.param.name);
        let hint = "use `translation_z`, or say `animation_mode = depth`";
        warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
    }
    let kind = values.calls.get("depth").map_or("network", |(call, _): &(Call, _)| call.spec.name);
    let is_equalised = values.constant_switch("depth.equalise").unwrap_or(false);
    let (why, hint) = match (kind, is_equalised) {
        ("network", false) => return,
        ("network", true) => {
            ("with `depth.equalise`", "equalised depth has no scale and shift that could be locked")
        }
        ("flat", _) => ("with `depth = flat`", "it is for `depth = network`"),
        _ => ("with depth that is given", "it is for `depth = network`: pictures say what they mean"),
    };
    for line in OF_NETWORKS.iter().filter_map(|name| values.lines.get(name)) {
        let message = format!("`{}` has no effect {why}", line.param.name);
        warnings.push(Diagnostic::warning("W45", message, line.span()).hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_one_number_are_sequences() {
        let path = |name: &str| match sequence(name.into()) {
            Ok(Sequence::Numbered { before, digits, after }) => format!("{before}|{digits}|{after}"),
            Ok(Sequence::Clip(clip)) => format!("clip {}", clip.path.display()),
            Err(found) => found.to_owned(),
        };
        assert_eq!(path("depth/%04d.png"), "depth/|4|.png");
        assert_eq!(path("depth/d%d.png"), "depth/d|0|.png");
        assert_eq!(path("depth"), "clip depth");
        for wrong in ["%04d/%04d.png", "%s.png", "%4d.png", "%0xd.png", "100%.png", "%012d.png"] {
            assert!(["several", "none"].contains(&path(wrong).as_str()), "{wrong}");
        }
    }
}
