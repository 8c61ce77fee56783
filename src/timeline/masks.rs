//! Masks at a frame: `mask`, `mask_file` and what belongs to them.

use std::path::PathBuf;

use super::compat::Compat;
use super::deforum::masks::{self, Masked, Source};
use super::frame::{FrameSource, MaskFill, MaskJoin, MaskParams, MaskTree};
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::source::{clip, picture};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::masks::{Mask, read};
use crate::schedule::span::Span;

/// Settings that have an effect only with a mask.
const OF_MASKS: [&str; 9] = [
    "invert_mask",
    "mask_overlay_blur",
    "overlay_mask",
    "mask_fill",
    "full_res_mask",
    "full_res_mask_padding",
    "mask_contrast_adjust",
    "mask_brightness_adjust",
    "use_mask",
];

/// Whether a setting of that name has an effect beside these.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    !OF_MASKS.contains(&name) || values.has("mask") || values.has("mask_file")
}

/// Settings of masks without a mask.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    for line in
        OF_MASKS.iter().filter(|name| !has_effect(values, name)).filter_map(|name| values.lines.get(name))
    {
        let message = format!("`{}` has no effect without a mask", line.param.name);
        warnings
            .push(Diagnostic::warning("W32", message, line.span()).hint("give one: `mask = \"mask.png\"`"));
    }
}

/// The mask of the frame that `reader` reads, whose pictures come from `source`.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, source: &FrameSource) -> Option<MaskParams> {
    let values = &stage.values;
    let is_set = values.has("mask") || values.has("mask_file");
    if !is_set || reader.maybe_switch(values, "use_mask") == Some(false) {
        return None;
    }
    let mut tree = match values.has("mask") {
        true => tree(reader, stage, source, "mask")?,
        false => given(reader, values, source, span(values, "mask_file"))?,
    };
    if reader.maybe_switch(values, "invert_mask") == Some(true) {
        tree = MaskTree::Not(Box::new(tree));
    }
    let padding = reader.maybe_count(values, "full_res_mask_padding").unwrap_or(4);
    Some(MaskParams {
        tree,
        contrast: reader.number(values, "mask_contrast_adjust", 1.0),
        brightness: reader.number(values, "mask_brightness_adjust", 1.0),
        fill: match reader.maybe_choice(values, "mask_fill").as_deref() {
            Some("fill") => MaskFill::Fill,
            Some("latent_noise") => MaskFill::LatentNoise,
            Some("latent_nothing") => MaskFill::LatentNothing,
            _ => MaskFill::Original,
        },
        blur: reader.number(values, "mask_overlay_blur", 4.0),
        overlay: reader.maybe_switch(values, "overlay_mask").unwrap_or(true),
        region: reader.maybe_switch(values, "full_res_mask").filter(|on| *on).map(|_| padding),
        black_is_none: stage.compat == Compat::Deforum,
    })
}

/// The mask that the parameter `name` (`mask`, or another one that takes mask expressions) means at this frame.
pub(super) fn tree(
    reader: &mut Reader<'_>,
    stage: &Stage,
    source: &FrameSource,
    name: &str,
) -> Option<MaskTree> {
    let values = &stage.values;
    let text = reader.maybe_text(values, name)?;
    let at = span(values, name);
    if stage.compat == Compat::Deforum && text.contains(['[', '{', '<']) {
        return compat(reader, values, source, &text, at);
    }
    match read(&text) {
        Ok(mask) => build(reader, values, source, &mask, at),
        Err(wrong) => {
            let code = if wrong.is_words { "E59" } else { "E58" };
            reader.wrong(code, &format!("`{name}`: {}", wrong.message), at, wrong.hint);
            None
        }
    }
}

fn span(values: &Values, name: &str) -> Span {
    let call = || values.calls.get(name).map(|(call, _)| call.span);
    values.lines.get(name).map(|line| line.span()).or_else(call).unwrap_or_default()
}

fn build(
    reader: &mut Reader<'_>,
    values: &Values,
    source: &FrameSource,
    mask: &Mask,
    at: Span,
) -> Option<MaskTree> {
    let mut inner = |mask: &Mask| build(reader, values, source, mask, at).map(Box::new);
    Some(match mask {
        Mask::Everywhere => MaskTree::Everywhere,
        Mask::Given => given(reader, values, source, at)?,
        Mask::File(file) => MaskTree::File(reader.path(file)),
        Mask::Box(place) => MaskTree::Box(*place),
        Mask::Ellipse(place) => MaskTree::Ellipse(*place),
        Mask::Not(mask) => MaskTree::Not(inner(mask)?),
        Mask::Join(sign, a, b) => MaskTree::Join(joined_by(*sign), inner(a)?, inner(b)?),
    })
}

fn joined_by(sign: char) -> MaskJoin {
    match sign {
        '&' => MaskJoin::And,
        '|' => MaskJoin::Or,
        '^' => MaskJoin::Xor,
        _ => MaskJoin::Without,
    }
}

/// `{video_mask}`: what `mask_file` is.
fn given(reader: &mut Reader<'_>, values: &Values, source: &FrameSource, at: Span) -> Option<MaskTree> {
    if let Some((call, clock)) = values.calls.get("mask_file") {
        if call.spec.name == "video" {
            return Some(MaskTree::Video(clip(reader, call, clock)?, picture(reader.frame, clock)));
        }
        return match source {
            FrameSource::Init(path) | FrameSource::Still(path) => Some(MaskTree::Holes(path.clone())),
            _ => {
                let hint = "write `source = init(\"picture.png\")` or `still(...)`, or name a mask's file";
                let message = "`mask_file = alpha` needs a picture as the source";
                reader.wrong("E58", message, at, Some(hint.to_owned()));
                None
            }
        };
    }
    match reader.maybe_text(values, "mask_file").filter(|file| !file.is_empty()) {
        Some(file) => Some(MaskTree::File(reader.path(&file))),
        None => {
            let hint = "name one: `mask_file = \"mask.png\"`, or `mask_file = alpha`".to_owned();
            reader.wrong("E58", "`{video_mask}` is `mask_file`, and there is none", at, Some(hint));
            None
        }
    }
}

/// Deforum's own rules: 1-bit masks, and `!` reaches for the last one.
fn compat(
    reader: &mut Reader<'_>,
    values: &Values,
    source: &FrameSource,
    text: &str,
    at: Span,
) -> Option<MaskTree> {
    let folder = reader.folder;
    let given = text.contains("{video_mask}").then(|| given(reader, values, source, at)).flatten();
    let load = |source: Source<'_>| {
        Some(MaskTree::Hard(Box::new(match source {
            Source::Everywhere => MaskTree::Everywhere,
            Source::Video => given.clone()?,
            Source::File(file) => MaskTree::File(PathBuf::from(folder).join(file)),
            Source::Words(_) => return None,
        })))
    };
    match masks::reduce(text, &load) {
        Ok(tree) => Some(tree),
        Err(error) => {
            let code = if text.contains('<') { "E59" } else { "E58" };
            reader.wrong(code, &error.message, at, error.hint);
            None
        }
    }
}

impl Masked for MaskTree {
    fn inverse(&self) -> Self {
        Self::Not(Box::new(self.clone()))
    }

    fn joined(sign: char, a: &Self, b: &Self) -> Option<Self> {
        Some(Self::Join(joined_by(sign), Box::new(a.clone()), Box::new(b.clone())))
    }
}
