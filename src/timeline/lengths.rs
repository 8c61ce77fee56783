//! Films as long as their video, and videos that do not go with their film.

use std::path::Path;

use super::clock::Clock;
use super::scene::{Found, Stage};
use super::source::clip_below;
use crate::error::{Error, Result};
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

/// Where a video's colours are looked at, which has neither length nor pace.
const COLOURS: &str = "coherence.image";

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
    let (Some(clip), Some(measure)) = (clip_below(folder, call, clock), measure) else {
        let message = "the film is as long as its video, which cannot be looked at here";
        return Err(wrong(call, message.to_owned(), "or say how long the film is: `frames = 120`"));
    };
    // That a file is not there is said where all files are looked for.
    if !clip.path.exists() {
        return Ok(1);
    }
    let measured = measure(&clip.path).map_err(|error| unreadable(call, &error))?;
    match i64::try_from(clip.pictures(measured.frames)).ok().filter(|frames| *frames > 0) {
        Some(frames) => Ok(frames),
        None => Err(no_frame(call, measured.frames)),
    }
}

fn wrong(call: &Call, message: String, hint: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("E57", message, call.span).hint(hint))
}

fn unreadable(call: &Call, error: &Error) -> Box<Diagnostic> {
    let hint = error.hint().unwrap_or("is it a video file, or a folder of pictures?");
    wrong(call, format!("the video cannot be used: {error}"), hint)
}

fn no_frame(call: &Call, frames: u64) -> Box<Diagnostic> {
    let message = format!("no frame of the video is in the range: it has {frames}");
    wrong(call, message, "frames are counted from 0: `from` and `to` lie inside the video")
}

/// Refuses videos that cannot be read or have no frame in their range; warns of scenes that are longer than their video,
/// and of videos that are shown at another speed.
pub(super) fn compare(stages: &[Stage], folder: &Path, measure: Option<Measure>, found: &mut Found) {
    let Some(measure) = measure else { return };
    let mut known: std::collections::BTreeMap<std::path::PathBuf, Option<Measured>> = Default::default();
    for stage in stages {
        let named = VIDEOS.into_iter().chain([COLOURS]);
        for (name, (call, clock)) in named.filter_map(|name| Some((name, stage.values.calls.get(name)?))) {
            let Some(clip) = clip_below(folder, call, clock).filter(|_| call.spec.name == "video") else {
                continue;
            };
            let measured = match known.get(&clip.path) {
                Some(known) => *known,
                // That a file is not there is said where all files are looked for.
                None if !clip.path.exists() => None,
                None => measure(&clip.path).map_err(|error| tell(found, *unreadable(call, &error))).ok(),
            };
            known.insert(clip.path.clone(), measured);
            let Some(Measured { frames, rate }) = measured else { continue };
            let end = u64::from(stage.clock.start + stage.clock.length - clock.start);
            let pictures = clip.pictures(frames);
            if pictures == 0 {
                tell(found, *no_frame(call, frames));
            }
            if pictures == 0 || name == COLOURS {
                continue;
            }
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

/// Several scenes may show one video, and a film may be as long as it: what is wrong with it is said once.
fn tell(found: &mut Found, wrong: Diagnostic) {
    if !found.errors.iter().any(|known| (known.code, known.span) == (wrong.code, wrong.span)) {
        found.errors.push(wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Options, Timeline};

    fn errors(film: &str, measure: Measure) -> Vec<String> {
        let text = format!("kinora 1\nprompt = \"a\"\n{film}\n");
        // A folder that is there stands for the video.
        let (film, _) = crate::schedule::read("film.kin", &text).unwrap();
        match Timeline::new(&film, &Options { measure: Some(measure), ..Options::default() }) {
            Err(Error::Schedule(wrong)) => wrong.list.iter().map(|found| found.message.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_video_that_cannot_be_read_or_has_no_frame_is_said_once() {
        let broken: Measure = |path| Err(Error::input(path, "no video"));
        let scenes = "source = video(\"src\")\nscene a 4f {}\nscene b 4f {}";
        assert_eq!(errors(scenes, broken), ["the video cannot be used: src: no video"]);
        assert_eq!(errors("source = video(\"src\")", broken).len(), 1);
        let short: Measure = |_| Ok(Measured { frames: 5, rate: None });
        let none = ["no frame of the video is in the range: it has 5"];
        assert_eq!(errors("frames = 4\nsource = video(\"src\", from = 9)", short), none);
        assert_eq!(errors("frames = 4\nsource = video(\"src\", from = 3, to = 2)", short), none);
    }
}
