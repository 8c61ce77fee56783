//! Where the picture under a frame comes from: `source`, and the modes that stand for one.

use super::frame::{Clip, FrameSource};
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::settings::number;
use super::{guide, hybrid};
use crate::schedule::film::Call;
use crate::schedule::span::Span;

use super::clock::Clock;

/// The source of the frame that `reader` reads, in the scene with number `scene`.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, scene: usize) -> FrameSource {
    let values = &stage.values;
    let mode = values.constant_choice("animation_mode");
    let mode_at = || values.lines.get("animation_mode").map_or_else(Span::default, |line| line.span());
    let found = set(reader, values);
    match mode.as_deref() {
        Some("interpolation") if found != FrameSource::Previous => {
            let message = "with `animation_mode = interpolation` every frame comes from its prompt alone";
            reader.wrong("E55", message, mode_at(), Some("leave `source` out, or the mode".to_owned()));
            FrameSource::Text
        }
        Some("interpolation") => FrameSource::Text,
        Some("video_input") if !matches!(found, FrameSource::Video(..)) => {
            let hint = "write `source = video(\"clip.mp4\")`, which is all it takes".to_owned();
            reader.wrong("E55", "`animation_mode = video_input` needs a video", mode_at(), Some(hint));
            found
        }
        _ if found == FrameSource::SceneBefore && scene == 0 => {
            let span = values.calls.get("source").map_or_else(Span::default, |(call, _)| call.span);
            let hint =
                "it is for a later scene; the first one begins with `text`, `init` or `video`".to_owned();
            reader.wrong("E56", "there is no scene before the first one", span, Some(hint));
            FrameSource::Previous
        }
        _ => {
            let found = guide::source(stage, reader, found);
            hybrid::source(reader, stage, found)
        }
    }
}

/// What `source` is set to.
fn set(reader: &Reader<'_>, values: &Values) -> FrameSource {
    let Some((call, clock)) = values.calls.get("source") else { return FrameSource::Previous };
    match (call.spec.name, reader.call_path(call, "file")) {
        ("init", Some(path)) => FrameSource::Init(path),
        ("still", Some(path)) => FrameSource::Still(path),
        ("video", Some(_)) => match clip(reader, call, clock) {
            Some(clip) => FrameSource::Video(clip, picture(reader.frame, clock)),
            None => FrameSource::Previous,
        },
        ("previous", _) => FrameSource::SceneBefore,
        _ => FrameSource::Previous,
    }
}

/// The video that a call names.
pub(super) fn clip(reader: &Reader<'_>, call: &Call, clock: &Clock) -> Option<Clip> {
    clip_below(reader.folder, call, clock)
}

/// The same of a call whose file lies below `folder`.
pub(super) fn clip_below(folder: &std::path::Path, call: &Call, clock: &Clock) -> Option<Clip> {
    let path = call.args.get("file")?.literal_text().filter(|path| !path.is_empty())?;
    // Numbers out of range were refused when the film was checked.
    let whole = |name: &str| number(call, name, clock).ok();
    Some(Clip {
        path: folder.join(path),
        every: whole("every").map_or(1, |every| every.max(1.0) as u32),
        from: whole("from").map_or(0, |from| from.max(0.0) as u32),
        to: whole("to").filter(|to| *to >= 0.0).map(|to| to as u32),
    })
}

/// The picture of a video at a frame of the film: it begins where the setting does.
pub(super) fn picture(frame: u32, clock: &Clock) -> u32 {
    frame.saturating_sub(clock.start)
}
