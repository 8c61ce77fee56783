//! What is the same for the whole film: video and post settings as plain values.

use std::path::PathBuf;

use super::clock::{Clock, context_of, lower};
use super::eval::evaluate;
use super::frame::Clip;
use super::source::clip_below;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BinaryOp, Expr, ExprKind};
use crate::schedule::film::{Call, Film, SettingValue};
use crate::schedule::params::ArgSpec;
use crate::schedule::units::Rate;

/// The `video` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Frames per second, exact.
    pub rate: Rate,
    /// Width and height; `None` is what suits the model.
    pub size: Option<(u32, u32)>,
    /// The finished film.
    pub out: Option<PathBuf>,
    /// Its sound.
    pub audio: Option<Audio>,
}

/// `audio`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audio {
    /// The sound of a file, from its start.
    File(PathBuf),
    /// The sound of a video, from the clip's first frame on.
    Clip(Clip),
}

/// The `post` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Pictures between frames.
    pub interpolate: Interpolate,
    /// Evening out of brightness.
    pub deflicker: Deflicker,
    /// Compression.
    pub encode: Encode,
}

/// `interpolate`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolate {
    /// Frames stay as they are.
    None,
    /// Along the motion, to this many frames per second.
    Flow {
        /// Frames per second afterwards.
        rate: Rate,
    },
}

/// `deflicker`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deflicker {
    /// Frames stay as they are.
    None,
    /// One gain per frame and channel.
    GainCurve {
        /// Width of the smoothing over time, frames.
        sigma: f64,
    },
    /// A map of gains per frame.
    GainMap {
        /// Width of the smoothing over time, frames.
        sigma: f64,
    },
}

/// `encode`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encode {
    /// H.264 in yuv420p.
    H264 {
        /// Quality, 0 to 51, lower is better.
        crf: u32,
        /// x264's preset.
        preset: String,
    },
}

/// The `video` block of a film.
pub(super) fn video(film: &Film, clock: &Clock) -> Result<Video, Diagnostic> {
    let rate = clock.tempo.rate;
    let value = |name: &str| match film.setting(name).map(|setting| &setting.value) {
        Some(SettingValue::Track(keys)) => keys.first().map(|key| &key.value),
        _ => None,
    };
    let size = value("size").and_then(|value| match value.kind {
        ExprKind::Size(width, height) => Some((width, height)),
        _ => None,
    });
    let out = value("out").and_then(|value| value.literal_text()).map(|out| film.resolve(out));
    let audio = match film.setting("audio").map(|setting| (&setting.value, setting.name.span)) {
        Some((SettingValue::Call(call), _)) if call.spec.name == "source" => {
            Some(sound_of_source(film, call, clock)?)
        }
        Some((SettingValue::Track(_), _)) => value("audio")
            .and_then(|value| value.literal_text())
            .filter(|file| !file.is_empty())
            .map(|file| Audio::File(film.resolve(file))),
        _ => None,
    };
    Ok(Video { rate, size, out, audio })
}

/// The sound of the first video that the film is made of.
fn sound_of_source(film: &Film, audio: &Call, clock: &Clock) -> Result<Audio, Diagnostic> {
    let groups = std::iter::once(&film.settings).chain(film.scenes.first().map(|scene| &scene.settings));
    let calls = groups.flat_map(|settings| ["source", "hybrid"].map(|name| settings.get(name)));
    let clip = calls.flatten().find_map(|setting| match &setting.value {
        SettingValue::Call(call) if call.spec.name == "video" => clip_below(&film.folder, call, clock),
        _ => None,
    });
    clip.map(Audio::Clip).ok_or_else(|| {
        Diagnostic::error("E55", "`audio = source` needs a film that is made of a video", audio.span)
            .hint("write `source = video(\"clip.mp4\")`, or name a sound file: `audio = \"song.flac\"`")
    })
}

/// The `post` block of a film.
pub(super) fn post(film: &Film, clock: &Clock) -> Result<Post, Diagnostic> {
    let call = |name: &str| match film.setting(name).map(|setting| &setting.value) {
        Some(SettingValue::Call(call)) => Some(call),
        _ => None,
    };
    let interpolate = match call("interpolate") {
        Some(call) if call.spec.name == "flow" => Interpolate::Flow { rate: rate_of(call, "fps", clock)? },
        _ => Interpolate::None,
    };
    let deflicker = match call("deflicker") {
        Some(call) if call.spec.name == "gain_curve" => {
            Deflicker::GainCurve { sigma: number(call, "sigma", clock)? }
        }
        Some(call) if call.spec.name == "gain_map" => {
            Deflicker::GainMap { sigma: number(call, "sigma", clock)? }
        }
        _ => Deflicker::None,
    };
    let encode = match call("encode") {
        Some(call) => {
            let preset = call.args.get("preset").and_then(|preset| preset.literal_text());
            let crf = number(call, "crf", clock)? as u32;
            Encode::H264 { crf, preset: preset.unwrap_or("medium").to_owned() }
        }
        None => Encode::H264 { crf: 17, preset: "medium".to_owned() },
    };
    Ok(Post { interpolate, deflicker, encode })
}

fn spec(call: &Call, name: &str) -> Option<&'static ArgSpec> {
    call.spec.args.iter().find(|arg| arg.name == name)
}

/// A number among the arguments, or its default; in range.
pub(super) fn number(call: &Call, name: &str, clock: &Clock) -> Result<f64, Diagnostic> {
    let Some(spec) = spec(call, name) else { return Ok(0.0) };
    let Some(given) = call.args.get(name) else {
        return Ok(spec.default.and_then(|default| default.parse().ok()).unwrap_or(0.0));
    };
    let lowered = lower(given, context_of(spec.kind), clock).map_err(super::line::unit_error)?;
    let value = evaluate(&lowered, &clock.at(0.0))
        .map_err(|error| Diagnostic::error("E36", error.message, error.span))?;
    let (least, most) = spec.possible;
    match value.as_f64().filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(number),
        None => {
            let range = crate::schedule::params::range(spec.possible);
            Err(Diagnostic::error("E33", format!("`{name}` is {range}, {value} is not"), given.span))
        }
    }
}

/// A number per second among the arguments.
fn rate_of(call: &Call, name: &str, clock: &Clock) -> Result<Rate, Diagnostic> {
    let number = number(call, name, clock)?;
    let exact = call.args.get(name).and_then(fraction);
    let span = call.args.get(name).map_or(call.span, |given| given.span);
    exact
        .or_else(|| Rate::from_decimal(number))
        .ok_or_else(|| Diagnostic::error("E33", format!("expected frames per second, found {number}"), span))
}

/// `24000/1001` exactly.
fn fraction(expr: &Expr) -> Option<Rate> {
    let ExprKind::Binary(BinaryOp::Div, num, den) = &expr.kind else { return None };
    match (&num.kind, &den.kind) {
        (ExprKind::Int(num), ExprKind::Int(den)) => {
            Rate::new(u64::try_from(*num).ok()?, u64::try_from(*den).ok()?)
        }
        _ => None,
    }
}
