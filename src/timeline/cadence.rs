//! Which frames of a scene the model paints.
//!
//! The first one, and from there every n-th. A key of what the model is told begins anew: it falls on a painted frame,
//! so that a cut in the prompt or a burst of strength comes when the film says, not when the count gets there. A
//! setting with more keys than the count has frames is a curve, as Parseq's and sound's are, and does not count.

use super::compat::Compat;
use super::frame::{CadenceParams, FlowMethod, ToneParams};
use super::reader::Reader;
use super::scene::{Stage, Values};
use crate::schedule::diagnostic::Diagnostic;

/// Settings whose keys fall on painted frames.
const TOLD: [&str; 9] =
    ["prompt", "negative", "strength", "denoise", "seed", "seed_schedule", "steps", "guidance", "sampler"];

/// The painted frames of a scene.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    every: u32,
    /// Frames at which the count begins, and how many of the scene are painted before each.
    starts: Vec<(u32, u32)>,
    /// The frame behind the scene.
    end: u32,
    /// Painted frames of the film before the scene.
    pub before: u32,
}

/// Where a frame stands between painted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The last painted frame up to it.
    pub painted: u32,
    /// The next one, or the end of the scene.
    pub next: u32,
    /// How many of the scene are painted before `painted`.
    pub index: u32,
}

impl Grid {
    /// The painted frames of a scene that lasts from `start` to before `end`.
    pub fn new(values: &Values, (start, end): (u32, u32), compat: Compat) -> Self {
        let alone = stands_alone(values);
        let cadence = values.lines.get("cadence").and_then(|line| line.at(start).ok());
        let every = cadence.and_then(|(value, _)| value.as_f64()).map_or(1, |n| n.clamp(1.0, 1e6) as u32);
        let every = if alone { 1 } else { every };
        let mut frames = vec![start];
        if every > 1 && compat == Compat::Native {
            frames.extend(key_frames(values, start, end, every));
            frames.sort_unstable();
            frames.dedup();
        }
        let mut starts = Vec::with_capacity(frames.len());
        let mut index = 0;
        for (i, frame) in frames.iter().enumerate() {
            starts.push((*frame, index));
            index += (frames.get(i + 1).unwrap_or(&end) - frame).div_ceil(every);
        }
        Self { every, starts, end, before: 0 }
    }

    /// Whether every frame is painted.
    pub fn is_full(&self) -> bool {
        self.every == 1
    }

    /// Painted frames of the scene.
    pub fn count(&self) -> u32 {
        self.at(self.end - 1).index + 1
    }

    /// Where a frame of the scene stands.
    pub fn at(&self, frame: u32) -> Place {
        let after = self.starts.partition_point(|(start, _)| *start <= frame);
        let (start, index) = self.starts[after.saturating_sub(1)];
        let limit = self.starts.get(after).map_or(self.end, |(start, _)| *start);
        let count = frame.saturating_sub(start) / self.every;
        let painted = start + count * self.every;
        Place { painted, next: painted.saturating_add(self.every).min(limit), index: index + count }
    }
}

/// Whether each frame is painted by itself, composed of others, has its edges painted as they come into sight, or is
/// led back to a scene's beginning: all of that happens frame by frame.
fn stands_alone(values: &Values) -> bool {
    let source = values.calls.get("source").map(|(call, _)| call.spec.name);
    let mode = values.constant_choice("animation_mode");
    matches!(source, Some("still" | "video"))
        || mode.as_deref() == Some("interpolation")
        || super::fill::may_outpaint(values)
        || is_loop(values)
        || super::making::composed(values).is_some()
}

/// Whether the scene's end leads into its beginning.
fn is_loop(values: &Values) -> bool {
    let line = values.lines.get("loop");
    line.and_then(|line| line.at(line.clock.start).ok())
        .and_then(|(value, _)| value.as_bool())
        .unwrap_or(false)
}

/// Keys behind the first frame of settings that are no curves.
fn key_frames(values: &Values, start: u32, end: u32, every: u32) -> Vec<u32> {
    let most = ((end - start) / every) as usize;
    let inside = |time: f64| (time > f64::from(start) && time < f64::from(end)).then(|| time.ceil() as u32);
    let lines = TOLD.iter().filter_map(|name| values.lines.get(name));
    lines
        .map(|line| line.key_times().filter_map(inside).filter(|frame| *frame < end).collect::<Vec<_>>())
        .filter(|keys| keys.len() <= most)
        .flatten()
        .collect()
}

/// Cadence and redo at the frame that `reader` reads.
pub(super) fn at(reader: &mut Reader<'_>, stage: &Stage, place: Place) -> CadenceParams {
    let values = &stage.values;
    let shown = reader.frame;
    let length = place.next - place.painted;
    let flow = if length > 1 { method(reader, values, "optical_flow_cadence") } else { None };
    let flow_factor = if flow.is_some() { reader.number(values, "cadence_flow_factor", 1.0) } else { 1.0 };
    let mut found = CadenceParams {
        step: shown - place.painted,
        length,
        opens: place.painted == stage.clock.start,
        flow,
        flow_factor,
        ..CadenceParams::default()
    };
    if found.is_painted() {
        found.redo = reader.maybe_count(values, "diffusion_redo").unwrap_or(0);
        found.redo_flow = method(reader, values, "optical_flow_redo_generation");
        if found.redo_flow.is_some() {
            found.redo_flow_factor = reader.number(values, "redo_flow_factor", 1.0);
        }
    }
    found
}

fn method(reader: &mut Reader<'_>, values: &Values, name: &str) -> Option<FlowMethod> {
    match reader.maybe_choice(values, name).as_deref() {
        Some("dis_medium") => Some(FlowMethod::DisMedium),
        Some("dis_fine") => Some(FlowMethod::DisFine),
        Some("farneback") => Some(FlowMethod::Farneback),
        _ => None,
    }
}

/// Grey and matching.
pub(super) fn tone(reader: &mut Reader<'_>, values: &Values) -> ToneParams {
    ToneParams {
        grayscale: reader.maybe_switch(values, "grayscale").unwrap_or(false),
        legacy_match: reader.maybe_switch(values, "legacy_colormatch").unwrap_or(false),
        renews_reference: false,
    }
}

/// Settings that do nothing in the scene.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    // Composed scenes say so of all of it.
    if super::making::composed(values).is_some() {
        return;
    }
    let alone = stands_alone(values);
    let cadence = values.lines.get("cadence");
    let blends = cadence.is_some_and(|line| {
        line.at(line.clock.start).ok().and_then(|(n, _)| n.as_f64()).is_some_and(|n| n > 1.0)
    });
    let flows = values.constant_choice("optical_flow_cadence").is_some_and(|word| word != "none");
    let redoes = values.constant_choice("optical_flow_redo_generation").is_some_and(|word| word != "none");
    for (name, is_used, why, hint) in [
        (
            "cadence",
            !(alone && blends),
            "where frames stand alone, their edges are painted (`border = outpaint`) or the scene loops",
            "leave one of the two out",
        ),
        ("optical_flow_cadence", blends || !flows, "without `cadence`", "say `cadence = 3`"),
        (
            "cadence_flow_factor",
            blends && flows,
            "without `optical_flow_cadence`",
            "say `optical_flow_cadence = dis_fine`",
        ),
        (
            "redo_flow_factor",
            redoes,
            "without `optical_flow_redo_generation`",
            "say `optical_flow_redo_generation = dis_fine`",
        ),
    ] {
        if let Some(line) = values.lines.get(name).filter(|_| !is_used) {
            let message = format!("`{name}` has no effect {why}");
            warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::timeline::{Options, Timeline};

    fn painted(film: &str) -> Vec<u32> {
        let text = format!("kinora 1\nframes = 13\nprompt = \"a\"\n{film}\n");
        let (film, _) = crate::schedule::read("film.kin", &text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        (0..timeline.frames()).filter(|f| timeline.at(*f).unwrap().cadence.is_painted()).collect()
    }

    #[test]
    fn every_nth_frame_is_painted_and_keys_begin_anew() {
        assert_eq!(painted(""), (0..13).collect::<Vec<_>>());
        assert_eq!(painted("cadence = 4"), [0, 4, 8, 12]);
        assert_eq!(painted("cadence = 4\nstrength = 0: 0.6, 5: 0.2 ~cut"), [0, 4, 5, 9]);
        assert_eq!(painted("cadence = 4\nnoise = 0: 0.1, 5: 0.2 ~cut"), [0, 4, 8, 12]);
        // Four keys behind the first are more than the count has frames: a curve.
        assert_eq!(painted("cadence = 4\nstrength = 0: 0.6, 2: 0.5, 5: 0.2, 7: 0.3, 9: 0.4"), [0, 4, 8, 12]);
        assert_eq!(painted("cadence = 4\nsource = still(\"a.png\")"), (0..13).collect::<Vec<_>>());
        // Edges that are painted at some time are painted frame by frame, whenever the border changes.
        let border = "cadence = 4\nborder = 0: wrap, 6: outpaint ~cut";
        assert_eq!(painted(border), (0..13).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_gap_ends_with_the_scene_and_seeds_count_painted_frames() {
        let text =
            "kinora 1\nfps = 1\nprompt = \"a\"\ncadence = 3\nseed = 10\nscene a 4s {}\nscene b 5s {}\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let frames: Vec<_> = (0..9).map(|f| timeline.at(f).unwrap()).collect();
        let of = |f: usize| (frames[f].cadence.step, frames[f].cadence.length, frames[f].sampling.seed);
        let all: Vec<_> = (0..9).map(of).collect();
        let expected = [
            (0, 3, 10),
            (1, 3, 10),
            (2, 3, 10),
            (0, 1, 11),
            (0, 3, 12),
            (1, 3, 12),
            (2, 3, 12),
            (0, 2, 13),
            (1, 2, 13),
        ];
        assert_eq!(all, expected);
        assert_eq!(frames[8].cadence.tween(), 1.0);
    }
}
