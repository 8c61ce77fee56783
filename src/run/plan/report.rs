//! A plan to read, and as data.

use std::fmt::Write as _;

use super::{KeyPictures, Plan, Segment};
use crate::error::{Error, Result};
use crate::schedule::units::Short;

/// Key pictures that are listed one by one.
const LISTED: usize = 12;

/// The plan as data.
///
/// # Errors
/// [`Error::Bug`] when it cannot be written as JSON.
pub fn json(plan: &Plan) -> Result<String> {
    let text = serde_json::to_string_pretty(plan)
        .map_err(|e| Error::Bug(format!("the plan cannot be written: {e}")))?;
    Ok(text + "\n")
}

/// The plan to read.
pub fn text(plan: &Plan) -> String {
    let mut out = format!(
        "{}: {} frames of {}x{} at {} a second, {:.2} s\n",
        plan.video.display(),
        plan.frames,
        plan.size.0,
        plan.size.1,
        Short(plan.fps),
        plan.seconds
    );
    if plan.video_fps != plan.fps {
        let _ = writeln!(out, "in-between frames to {} a second", Short(plan.video_fps));
    }
    let _ = writeln!(
        out,
        "{} {} are to be painted, {} are there already, in {}",
        plan.to_paint,
        if plan.segments.iter().any(|segment| segment.key_pictures.is_some()) {
            "pictures"
        } else {
            "frames"
        },
        plan.found,
        plan.frames_folder.display()
    );
    if plan.to_blend > 0 {
        let _ = writeln!(out, "{} frames between are moved and blended of them", plan.to_blend);
    }
    scenes(plan, &mut out);
    models(plan, &mut out);
    waiting(plan, &mut out);
    disk(plan, &mut out);
    time(plan, &mut out);
    keys(plan, &mut out);
    out
}

fn scenes(plan: &Plan, out: &mut String) {
    out.push_str("\nscenes: none depends on another\n");
    let _ = writeln!(
        out,
        "  {:<20} {:>7} {:>7} {:>9} {:>9} {:>9}",
        "", "frames", "first", "at", "length", "to paint"
    );
    for segment in &plan.segments {
        let Segment { scene, start, frames, start_seconds, seconds, to_paint, independent_frames, .. } =
            segment;
        let name = if scene.is_empty() { "(the film)" } else { scene };
        let alone = if *independent_frames { "  each frame by itself" } else { "" };
        let _ = writeln!(
            out,
            "  {name:<20} {frames:>7} {start:>7} {start_seconds:>7.2} s {seconds:>7.2} s {to_paint:>9}{alone}"
        );
        if let Some(keys) = &segment.key_pictures {
            key_pictures(keys, out);
        }
    }
}

/// How many pictures a composed scene is made of, and in which order they are painted.
fn key_pictures(keys: &KeyPictures, out: &mut String) {
    let of = |frames: &[u32]| frames.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let filled = match keys.frames.as_slice() {
        frames if frames.len() <= LISTED => of(frames),
        frames => format!("{}, ... {}", of(&frames[..LISTED - 1]), of(&frames[frames.len() - 1..])),
    };
    let _ = writeln!(
        out,
        "  {:<20} composed of {} key pictures, each {}x wider than the one before; in this order they fill the frames {filled}",
        "",
        keys.frames.len(),
        Short(keys.ratio)
    );
}

fn models(plan: &Plan, out: &mut String) {
    if plan.models.is_empty() {
        out.push_str("\nmodels: none is loaded\n");
        return;
    }
    out.push_str("\nmodels\n");
    for load in &plan.models {
        let _ = writeln!(
            out,
            "  frame {:<6} {:<14} {}: {} on disk, {} in memory",
            load.frame,
            load.role,
            load.folder.display(),
            bytes(load.disk_bytes),
            bytes(load.memory_bytes)
        );
    }
    let _ = writeln!(
        out,
        "  at most {} of weights at once, and about {} for the picture in work",
        bytes(plan.memory_bytes),
        bytes(plan.work_bytes)
    );
    if let Some(warning) = &plan.memory_warning {
        let _ = writeln!(out, "  warning: {warning}");
    }
}

/// Controls that do not count at first frames.
fn waiting(plan: &Plan, out: &mut String) {
    if !plan.waiting.is_empty() {
        out.push_str("\ncontrols that have nothing to show at a scene's first frame\n");
    }
    for waiting in &plan.waiting {
        let _ = writeln!(out, "  frame {:<6} {}", waiting.frame, waiting.control);
    }
}

fn disk(plan: &Plan, out: &mut String) {
    let how = if plan.disk.measured { "as large as those there" } else { "by the number of pixels" };
    let _ = writeln!(
        out,
        "\ndisk: about {} for all frames ({how}), about {} for the video",
        bytes(plan.disk.frames_bytes),
        bytes(plan.disk.video_bytes)
    );
}

fn time(plan: &Plan, out: &mut String) {
    match &plan.time {
        _ if plan.to_paint == 0 => out.push_str("time: nothing is to be painted\n"),
        None => {
            let _ = writeln!(
                out,
                "time: {} steps of the model; no step was measured (`--measure` loads the model and does)",
                plan.steps
            );
        }
        Some(time) => {
            let _ = writeln!(
                out,
                "time: about {} for {} steps: measured {:.3} s a step and {:.3} s a frame besides; depth, \
                 motion, finishing and encoding come on top",
                duration(time.painting),
                plan.steps,
                time.step,
                time.besides
            );
        }
    }
}

fn keys(plan: &Plan, out: &mut String) {
    if plan.keys.is_empty() {
        out.push_str("\nkeys: the film has none\n");
        return;
    }
    let _ = writeln!(out, "\nkeys\n  {:>9} {:>11}  {:<24} place", "frame", "time", "parameter");
    for timed in &plan.keys {
        let place = &timed.key.place;
        let beyond = if timed.key.frame > f64::from(plan.frames) { "  after the end" } else { "" };
        let _ = writeln!(
            out,
            "  {:>9} {:>9.3} s  {:<24} {}:{}{beyond}",
            Short((timed.key.frame * 1000.0).round() / 1000.0).to_string(),
            timed.key.seconds,
            timed.parameter,
            place.file,
            place.line
        );
    }
}

/// `1.4 MB`, in powers of 1000.
fn bytes(count: u64) -> String {
    let (mut size, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            break;
        }
        (size, unit) = (size / 1000.0, larger);
    }
    if unit == "B" { format!("{count} B") } else { format!("{size:.1} {unit}") }
}

/// `4.2 s`, `12 min`, `3.5 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 999, 1000, 1_400_000, 7_000_000_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.4 MB", "7.0 GB"]
        );
        assert_eq!([4.21, 720.0, 12600.0].map(duration), ["4.2 s", "12 min", "3.5 h"]);
    }
}
