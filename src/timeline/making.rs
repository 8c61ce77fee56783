//! How a scene's frames come about: `method` and `reverse`.

use super::frame::{Camera, Camera2d, ComposeParams, ControlInput, ControlParams, DepthSource, FrameParams};
use super::frame::{FrameSource, Making};
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::settings::number;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::Call;
use crate::schedule::span::Span;

/// What has no effect where frames are composed: it is about a frame's way into the next one.
const OF_THE_LOOP: [&str; 21] = [
    "strength",
    "denoise",
    "contrast",
    "border",
    "sampling_mode",
    "cadence",
    "cadence_flow_factor",
    "optical_flow_cadence",
    "diffusion_redo",
    "optical_flow_redo_generation",
    "redo_flow_factor",
    "grayscale",
    "legacy_colormatch",
    "use_mask",
    "invert_mask",
    "overlay_mask",
    "full_res_mask",
    "full_res_mask_padding",
    "use_noise_mask",
    "depth.save",
    "color_correction_factor",
];

/// The same, as what names begin with.
const GROUPS_OF_THE_LOOP: [&str; 9] =
    ["noise", "fill", "perlin_", "coherence", "sharpen.", "drift.", "mask", "hybrid", "guide."];

/// Whether a setting has no effect where frames are composed.
pub(super) fn is_of_the_loop(name: &str) -> bool {
    OF_THE_LOOP.contains(&name) || GROUPS_OF_THE_LOOP.iter().any(|group| name.starts_with(group))
}

/// The scene's method, when it is to compose.
pub(super) fn composed(values: &Values) -> Option<&Call> {
    values.calls.get("method").map(|(call, _)| call).filter(|call| call.spec.name == "compose")
}

/// Whether the scene is shown backward.
pub(super) fn is_reversed(values: &Values) -> bool {
    let line = values.lines.get("reverse");
    line.and_then(|line| line.at(line.clock.start).ok())
        .and_then(|(value, _)| value.as_bool())
        .unwrap_or(false)
}

/// Settings in force that a composed scene has no use for.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    if composed(values).is_none() {
        return;
    }
    let lines = values.lines.values().map(|line| (line.param.name, line.span()));
    let set = lines.chain(values.calls.iter().map(|(name, (call, _))| (*name, call.span)));
    for (name, span) in set.filter(|(name, _)| is_of_the_loop(name)) {
        let message = format!("`{name}` has no effect where frames are composed");
        let hint = "key pictures are painted around each other, not over each other: leave it out, or say \
                    `method = loop`";
        warnings.push(Diagnostic::warning("W20", message, span).hint(hint));
    }
}

/// How the frame that `reader` reads is made; what cannot be composed is noted.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, frame: &FrameParams) -> Making {
    let values = &stage.values;
    let reversed = is_reversed(values);
    if reversed && frame.source == FrameSource::SceneBefore {
        let span = call_span(values, "source");
        let message =
            "a scene that is shown backward ends where it was begun, so it cannot start from the one before";
        reader.wrong("E42", message, span, Some("leave out `reverse`, or begin with `init`".to_owned()));
    }
    let Some((call, clock)) = values.calls.get("method").filter(|(call, _)| call.spec.name == "compose")
    else {
        return Making { compose: None, reversed };
    };
    only_zooms(reader, values, &frame.camera);
    from_text_or_picture(reader, values, frame);
    frame.controls.iter().for_each(|control| has_its_picture(reader, call.span, control, &frame.depth));
    // Numbers out of range were refused when the film was checked.
    let argument = |name: &str| number(call, name, clock).ok();
    let compose = ComposeParams {
        ratio: argument("ratio").unwrap_or(2.0),
        overlap: argument("overlap").unwrap_or(0.12),
        refine: argument("refine").unwrap_or(0.0),
        init_strength: reader.number(values, "init_strength", 0.8),
        closed: stage.round.is_some(),
    };
    Making { compose: Some(compose), reversed }
}

/// A scene that starts from the one before starts from the last frame that was painted, which must be the last shown.
pub(super) fn follows_forward(reader: &mut Reader<'_>, frame: &FrameParams, stages: &[Stage]) {
    let before = frame.scene.checked_sub(1).and_then(|before| stages.get(before));
    let fades =
        stages[frame.scene].values.calls.get("transition").filter(|(call, _)| call.spec.name != "cut");
    if let (Some((call, _)), true) = (fades, before.is_some_and(|stage| is_reversed(&stage.values))) {
        let message =
            "a crossfade goes on with the motion of the scene before, and that one is shown backward";
        reader.wrong("E42", message, call.span, Some("cut here, or leave out `reverse` there".to_owned()));
    }
    if frame.source == FrameSource::SceneBefore && before.is_some_and(|stage| is_reversed(&stage.values)) {
        let span = call_span(&stages[frame.scene].values, "source");
        let message =
            "the scene before is shown backward, so its last frame is the one that it was begun with";
        reader.wrong(
            "E42",
            message,
            span,
            Some("begin with `init`, or leave out `reverse` there".to_owned()),
        );
    }
}

/// Composed frames are key pictures enlarged and turned about the middle, and nothing else.
fn only_zooms(reader: &mut Reader<'_>, values: &Values, camera: &Camera) {
    let hint = "it zooms and turns about the middle: leave it out, or say `method = loop`";
    let mut refuse = |message: &str, span| reader.wrong("E40", message, span, Some(hint.to_owned()));
    match camera {
        Camera::Deep(_) => {
            let names = super::params::DEEP.iter().chain(["animation_mode"].iter());
            let span = names.copied().find_map(|name| line_span(values, name));
            let span = span.unwrap_or_else(|| call_span(values, "camera.shake"));
            refuse("`method = compose` has no 3D camera", span);
        }
        Camera::Flat(Camera2d { translation_x, translation_y, center_x, center_y, flip, .. }) => {
            let moves = [
                ("translation_x", *translation_x != 0.0),
                ("translation_y", *translation_y != 0.0),
                ("transform_center_x", *center_x != 0.5),
                ("transform_center_y", *center_y != 0.5),
            ];
            for (name, _) in moves.into_iter().filter(|(_, moves)| *moves) {
                let span = line_span(values, name).unwrap_or_default();
                refuse(&format!("`method = compose` cannot follow `{name}`"), span);
            }
            if flip.is_some() {
                let span = values.lines.iter().find(|(name, _)| name.contains("perspective_flip"));
                let span = span.map_or_else(Span::default, |(_, line)| line.span());
                refuse("`method = compose` has no perspective flip", span);
            }
        }
    }
}

/// The innermost key comes from text or from one picture.
fn from_text_or_picture(reader: &mut Reader<'_>, values: &Values, frame: &FrameParams) {
    if matches!(frame.source, FrameSource::Previous | FrameSource::Init(_)) {
        return;
    }
    let span = if values.calls.contains_key("source") {
        call_span(values, "source")
    } else {
        line_span(values, "animation_mode").unwrap_or_default()
    };
    let message =
        "`method = compose` begins with its innermost picture, and this gives a picture to every frame";
    let hint = "write `source = init(\"picture.png\")`, or leave it out";
    reader.wrong("E42", message, span, Some(hint.to_owned()));
}

/// A control of a composed scene is shown a picture of its own: there is no moved frame to look at.
fn has_its_picture(reader: &mut Reader<'_>, method: Span, control: &ControlParams, depth: &DepthSource) {
    let asks = match &control.input {
        ControlInput::Depth => matches!(depth, DepthSource::Network(_)),
        ControlInput::Canny { image, .. } => image.is_none(),
        _ => false,
    };
    if asks {
        let message = format!(
            "the control `{}` looks at the frame before, and composed frames have none",
            control.name
        );
        let hint = "give it a picture: `image = \"depth.png\"`, or leave it out";
        reader.wrong("E42", &message, method, Some(hint.to_owned()));
    }
}

fn line_span(values: &Values, name: &str) -> Option<Span> {
    values.lines.get(name).map(|line| line.span())
}

fn call_span(values: &Values, name: &str) -> Span {
    values.calls.get(name).map_or_else(Span::default, |(call, _)| call.span)
}

impl super::Timeline {
    /// The frame, as frames are painted and stored, that the film shows as its frame `shown`: scenes with `reverse`
    /// are painted forward and shown backward. It is its own opposite.
    pub fn painted_at(&self, shown: u32) -> u32 {
        let Some(stage) = self.stages.get(self.stage_of(shown)) else { return shown };
        let (first, length) = (stage.clock.start, stage.clock.length);
        if is_reversed(&stage.values) && (first..first + length).contains(&shown) {
            first + (length - 1) - (shown - first)
        } else {
            shown
        }
    }

    /// The first frames of the scenes that are shown backward.
    pub fn reversed_starts(&self) -> impl Iterator<Item = u32> {
        self.stages.iter().filter(|stage| is_reversed(&stage.values)).map(|stage| stage.clock.start)
    }

    /// As [`painted_at`](Self::painted_at), for times between frames that lie in the scene beginning at `first`.
    pub(super) fn shown_time(stage: &Stage, at: f64) -> f64 {
        let (first, length) = (f64::from(stage.clock.start), f64::from(stage.clock.length));
        if is_reversed(&stage.values) { 2.0 * first + length - 1.0 - at } else { at }
    }
}
