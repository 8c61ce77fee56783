//! Films as long as their video, and videos that do not go with their film.

use std::path::Path;

use super::clock::Clock;
use super::scene::{Found, Stage};
use super::source::clip_below;
use crate::error::Result;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind};
use crate::schedule::film::{Call, Ease, Film, Key, Setting, SettingValue};
use crate::schedule::params::{Places, find_in};
use crate::schedule::syntax::Name;
use crate::schedule::units::{Rate, Short};

/// What is known of a video without looking at its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its frames.
    pub frames: u64,
    /// Frames per second; a folder of pictures has none.
    pub rate: Option<Rate>,
}

/// Measures a video file or a folder of pictures.
pub type Measure = fn(&Path) -> Result<Measured>;

/// Settings that may be a video, the one that says the film's length first.
const VIDEOS: [&str; 3] = ["source", "hybrid", "mask_file"];

/// A film without scenes and without `frames` is as long as its video: a copy that says so.
pub(super) fn resolved(mut film: Film, clock: &Clock, measure: Option<Measure>, found: &mut Found) -> Film {
    if !film.scenes.is_empty() || film.setting("frames").is_some() {
        return film;
    }
    let call = VIDEOS.iter().find_map(|name| match &film.setting(name)?.value {
        SettingValue::Call(call) if call.spec.name == "video" => Some(call.clone()),
        _ => None,
    });
    let Some(call) = call else { return film };
    let frames = length(&film.folder, &call, clock, measure).unwrap_or_else(|error| {
        found.errors.push(*error);
        1
    });
    if let Some(param) = find_in(Places::FILM, "frames") {
        let value = Expr { kind: ExprKind::Int(frames), span: call.span };
        let key = Key { time: None, value, ease: Ease::Linear, span: call.span, changes: false };
        let name = Name { text: "frames".to_owned(), span: call.span };
        let value = SettingValue::Track(vec![key]);
        film.settings.insert(param.name, Setting { param, name, value, replaced: Vec::new() });
    }
    film
}

/// How many pictures the video of a call has.
fn length(
    folder: &Path,
    call: &Call,
    clock: &Clock,
    measure: Option<Measure>,
) -> Result<i64, Box<Diagnostic>> {
    let wrong =
        |message: String, hint: &str| Box::new(Diagnostic::error("E57", message, call.span).hint(hint));
    let say = "or say how long the film is: `frames = 120`";
    let (Some(clip), Some(measure)) = (clip_below(folder, call, clock), measure) else {
        return Err(wrong(
            "the film is as long as its video, which cannot be looked at here".to_owned(),
            say,
        ));
    };
    // That a file is not there is said where all files are looked for.
    if !clip.path.exists() {
        return Ok(1);
    }
    let measured = measure(&clip.path)
        .map_err(|error| wrong(format!("cannot measure the video: {error}"), error.hint().unwrap_or(say)))?;
    match i64::try_from(clip.pictures(measured.frames)).ok().filter(|frames| *frames > 0) {
        Some(frames) => Ok(frames),
        None => Err(wrong(
            format!("no frame of the video is in the range: it has {}", measured.frames),
            "frames are counted from 0: `from` and `to` lie inside the video",
        )),
    }
}

/// Warns of scenes that are longer than their video, and of videos that are shown at another speed.
pub(super) fn compare(stages: &[Stage], folder: &Path, measure: Option<Measure>, found: &mut Found) {
    let Some(measure) = measure else { return };
    let mut known: std::collections::BTreeMap<std::path::PathBuf, Option<Measured>> = Default::default();
    for stage in stages {
        for (call, clock) in VIDEOS.iter().filter_map(|name| stage.values.calls.get(name)) {
            let Some(clip) = clip_below(folder, call, clock).filter(|_| call.spec.name == "video") else {
                continue;
            };
            let measured = known.entry(clip.path.clone()).or_insert_with(|| {
                // What cannot be read is told as an error elsewhere.
                clip.path.exists().then(|| measure(&clip.path).ok()).flatten()
            });
            let Some(Measured { frames, rate }) = *measured else { continue };
            let end = u64::from(stage.clock.start + stage.clock.length - clock.start);
            let pictures = clip.pictures(frames);
            if pictures < end {
                let message =
                    format!("the video has {pictures} pictures for {end} frames: the last one stays");
                found.warnings.push(
                    Diagnostic::warning("W30", message, call.span).hint(
                        "make the film shorter, or take more of the video with `every`, `from` and `to`",
                    ),
                );
            }
            let shown = clock.tempo.rate.as_f64() * f64::from(clip.every);
            if let Some(own) = rate.map(|rate| rate.as_f64()).filter(|own| (own / shown - 1.0).abs() > 0.01) {
                let pace = shown / own;
                let message = format!(
                    "the video is shown at {} times its own pace",
                    Short((pace * 100.0).round() / 100.0)
                );
                let fps = own / f64::from(clip.every);
                found.warnings.push(
                    Diagnostic::warning("W31", message, call.span)
                        .hint(format!("its own pace is `fps = {}`", Short(fps))),
                );
            }
        }
    }
}
