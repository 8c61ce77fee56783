//! Deforum Studio's schedules: the lenient reading with further names, and without the names that the extension's
//! expressions see by accident.

use super::interpolate::Method;
use super::{Clip, Mode, expand_with};
use crate::schedule::deforum::ReadError;
use crate::schedule::span::Span;
use crate::timeline::eval::Value;

/// The values of a schedule of numbers at frames 0 to `max_frames - 1`.
///
/// # Errors
/// As [`super::expand`] in [`Mode::Lenient`]; also for names that Studio does not know.
pub fn expand(text: &str, max_frames: u32, seed: i64, fps: f64, bpm: f64) -> Result<Vec<f64>, ReadError> {
    let names = move |name: &str, frame| variable(name, frame, max_frames, fps, bpm);
    let clip = Clip { names: &names, accidents: false, ..Clip::new(max_frames, seed, Mode::Lenient) };
    expand_with(text, Span::default(), &clip, Method::Linear)
}

/// The value of Studio's name at a frame of a film of `max_frames` at `fps` frames per second and `bpm`
/// beats per minute; `None` for names that are not Studio's, and for its events.
pub fn variable(name: &str, frame: u32, max_frames: u32, fps: f64, bpm: f64) -> Option<Value> {
    let frames_per_beat = fps * 60.0 / bpm;
    let (now, to_go) = (f64::from(frame), f64::from(max_frames) - 1.0 - f64::from(frame));
    let beat = now / frames_per_beat;
    Some(Value::Float(match name {
        "f" => return Some(Value::Int(frame.into())),
        "frames_to_go" => return Some(Value::Int(i64::from(max_frames) - 1 - i64::from(frame))),
        "fps" => fps,
        "bpm" => bpm,
        "pi" => std::f64::consts::PI,
        "sec" => now / fps,
        "beat" => beat,
        "whole_beat" => beat.floor(),
        "seconds_to_go" => to_go / fps,
        "beats_to_go" => to_go / frames_per_beat,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_counted_from_frame_0() {
        let value = |name| variable(name, 18, 30, 24.0, 120.0);
        assert_eq!(value("beat"), Some(Value::Float(1.5)));
        assert_eq!(value("whole_beat"), Some(Value::Float(1.0)));
        assert_eq!(value("frames_to_go"), Some(Value::Int(11)));
        assert_eq!(value("unique"), None);
    }
}
