//! `explain`: where each value of a frame comes from, to read or as data.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::run::loras::{FrameLora, Spoken};
use crate::run::tokens::{self, ToldTokens};
use crate::schedule::diagnostic::Diagnostics;
use crate::schedule::units::Short;
use crate::timeline::explain::{Explained, Explanation, How, KeyPlace, Place};
use crate::timeline::table::Cell;
use crate::timeline::{Options, Timeline};

/// Explains the frame of the film in the file `path` that `frame` says: a number (`48`) or a time (`4.0s`,
/// `8b`, `50%`). What is odd about the film stands beside it. With `tokens` its prompts are read as its model does.
///
/// # Errors
/// [`Error::Input`] when the film cannot be read, [`Error::Schedule`] with everything that is wrong with it,
/// [`Error::Usage`] when it has no such frame.
pub fn explain(path: &Path, frame: &str, tokens: bool) -> Result<(Told, Diagnostics)> {
    let (film, timeline, warnings) = super::look(path, &Options::default())?;
    let frame = frame_of(&timeline, film.tempo.bpm, frame)?;
    let params = timeline.at(timeline.painted_at(frame))?;
    let loras = Spoken::of(&params)?.loras;
    let films = path.parent().unwrap_or(Path::new(""));
    let tokens = if tokens { Some(tokens::told(films, &params)?) } else { None };
    Ok((Told { explanation: timeline.explain(frame)?, loras, tokens }, warnings))
}

/// A frame, explained, with the LoRAs in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// Its values.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// LoRAs that its prompts name, with their weights; on the way between two prompts by each one's share.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<FrameLora>,
    /// How its prompts are read, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<ToldTokens>,
}

/// The frame at a time: the one that is shown then.
pub(crate) fn frame_of(timeline: &Timeline, bpm: Option<f64>, text: &str) -> Result<u32> {
    let usage = |why: String| Error::Usage {
        message: format!("`--frame {text}`: {why}"),
        hint: Some("write a frame such as `48`, or a time such as `4.0s`, `8b` or `50%`".to_owned()),
    };
    let frames = timeline.time_of(text, bpm).map_err(usage)?;
    // 2.9999999999999996 frames are 3: a time in seconds is not exact in frames.
    let frame = (frames + 1e-6).floor();
    let last = timeline.frames() - 1;
    if !(0.0..=f64::from(last)).contains(&frame) {
        return Err(Error::Usage {
            message: format!("the film has {} frames, there is no frame {}", timeline.frames(), Short(frame)),
            hint: Some(format!("the last one is {last}, at {:.2} s", timeline.seconds(last.into()))),
        });
    }
    Ok(frame as u32)
}

/// The explanation as data.
///
/// # Errors
/// [`Error::Bug`] when it cannot be written as JSON.
pub fn json(told: &Told) -> Result<String> {
    let text = serde_json::to_string_pretty(told)
        .map_err(|e| Error::Bug(format!("the explanation cannot be written: {e}")))?;
    Ok(text + "\n")
}

/// The explanation to read: what the film sets, each with its place; then the defaults.
pub fn text(film: &Path, Told { explanation, loras, tokens }: &Told) -> String {
    let mut out = heading(film, explanation);
    let (defaults, set): (Vec<&Explained>, Vec<&Explained>) =
        explanation.values.iter().partition(|value| value.how == How::Default);
    for explained in set {
        let _ = write!(out, "\n{} = {}\n", explained.name, value(explained));
        let _ = writeln!(out, "    {}", how(&explained.how));
    }
    if !loras.is_empty() {
        out.push_str("\nLoRAs\n");
    }
    for FrameLora { name, unet, text } in loras {
        let weights = if unet == text {
            format!("{}", Short(*unet))
        } else {
            format!("{} for the UNet, {} for the text", Short(*unet), Short(*text))
        };
        let _ = writeln!(out, "    {name} = {weights}");
    }
    out.push_str(&tokens.as_ref().map(tokens::text).unwrap_or_default());
    if !defaults.is_empty() {
        out.push_str("\nby default\n");
    }
    for explained in defaults {
        let shown = match &explained.value {
            Cell::Open => "what suits the model".to_owned(),
            _ => value(explained),
        };
        let _ = writeln!(out, "    {} = {shown}", explained.name);
    }
    out
}

fn heading(film: &Path, at: &Explanation) -> String {
    let mut out =
        format!("{}, frame {} of {}, at {:.3} s\n", film.display(), at.frame, at.frames, at.seconds);
    if !at.scene.is_empty() {
        let _ = writeln!(
            out,
            "scene {}, its frame {} of {}, at {:.3} s of its own",
            at.scene, at.scene_frame, at.scene_frames, at.scene_seconds
        );
    }
    if let Some(painted) = at.painted_as {
        let _ = writeln!(
            out,
            "the scene is shown backward: this is painted as frame {painted}, and everything below is of then"
        );
    }
    if at.cut {
        out.push_str("the picture starts anew here: nothing is moved over from the frame before\n");
    }
    if let Some(way) = at.closing {
        let _ = writeln!(
            out,
            "the scene loops and is {}% of the way back to its beginning: what follows is before that",
            percent(way)
        );
    }
    out
}

fn value(explained: &Explained) -> String {
    let number = |number: f64| format!("{}", Short(number));
    let plain = match &explained.value {
        Cell::Number(v) => number(*v),
        Cell::List(items) => {
            format!("[{}]", items.iter().copied().map(number).collect::<Vec<_>>().join(", "))
        }
        Cell::Text(text) if text.is_empty() || text.contains(char::is_whitespace) => format!("{text:?}"),
        other => other.to_string(),
    };
    let unit = explained.unit;
    match explained.per_second {
        _ if unit.is_empty() => plain,
        Some(rate) => {
            let base = unit.split(' ').next().unwrap_or_default();
            format!("{plain} {unit} ({} {base} per second)", number(rate))
        }
        None => format!("{plain} {unit}"),
    }
}

fn how(how: &How) -> String {
    match how {
        How::Default => "by default".to_owned(),
        How::Constant { place } => format!("{}: always `{}`", at(place), short(&place.text)),
        How::Expression { key } => {
            let since = if key.frame == 0.0 { String::new() } else { format!(" since {}", moment(key)) };
            format!("{}: computed{since} from `{}`", at(&key.place), short(&key.place.text))
        }
        How::Before { key } => {
            format!("{}: the first key is at {}, its value holds before", at(&key.place), moment(key))
        }
        How::Held { key, until: None } => {
            format!(
                "{}: the last key, at {}, holds: `{}`",
                at(&key.place),
                moment(key),
                short(&key.place.text)
            )
        }
        How::Held { key, until: Some(next) } => format!(
            "{}: held from {} to {}: `{}`",
            at(&key.place),
            moment(key),
            moment(next),
            short(&key.place.text)
        ),
        How::Between { from, to, ease, time, way } => {
            let way = match way {
                Some(way) if ease != "linear" => format!(", {}% of the way", percent(*way)),
                _ => String::new(),
            };
            format!(
                "{ease} from `{}` at {} ({}) to `{}` at {} ({}): {}% of the time{way}",
                short(&from.place.text),
                moment(from),
                at(&from.place),
                short(&to.place.text),
                moment(to),
                at(&to.place),
                percent(*time)
            )
        }
        How::Counted { behavior, place } => {
            let start = match place {
                Some(place) => format!("{}: counted on from `{}`", at(place), short(&place.text)),
                None => "counted on from the default".to_owned(),
            };
            format!("{start}, seed_behavior = {behavior}")
        }
    }
}

fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

fn moment(key: &KeyPlace) -> String {
    format!("frame {} ({:.2} s)", Short(key.frame), key.seconds)
}

/// `film.kin:8:10`, which terminals and editors can open.
fn at(place: &Place) -> String {
    format!("{}:{}:{}", place.file, place.line, place.column)
}

/// The part of a text that fits a line.
fn short(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(59).chain(['…']).collect()
}
