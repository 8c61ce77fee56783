//! The end of a looping scene: over its closing window every number goes over into what it would be in the round before,
//! so that frame N is frame 0.
//!
//! A value `v(t)` of a scene of N frames becomes `(1 - s) v(t) + s v(t - N)`, s rising from 0 to 1 over the window:
//! what is periodic already stays as it is, and anything else is continuous across the seam. Motion is faded as
//! motion, not as places: a path that flies on for ever need not fly back.

use super::clock::Clock;
use super::depth;
use super::frame::{Camera, Closing, FrameParams, PromptMix};
use super::params;
use super::reader::Reader;
use super::scene::{Stage, Values};
use crate::schedule::diagnostic::Diagnostic;

/// Largest window in frames: each of its frames knows the motion of all that follow.
const LONGEST: f64 = 480.0;
/// Share of the scene that closes when the film does not say.
const SHARE: f64 = 0.25;

/// What a looping scene knows about its end.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// The same scene one round later: at a frame of the scene its own time is that frame's minus the length.
    next: Stage,
    /// Frames that lead back.
    window: u32,
}

/// The round of a scene that loops. What is odd about it goes to `warnings`.
pub(super) fn round(stage: &Stage, warnings: &mut Vec<Diagnostic>) -> Option<Box<Round>> {
    let values = &stage.values;
    let line = values.lines.get("loop")?;
    let on = line.at(stage.clock.start).ok().and_then(|(value, _)| value.as_bool()).unwrap_or(false);
    if !on || stage.clock.length < 2 {
        return None;
    }
    let length = f64::from(stage.clock.length);
    let asked = values.lines.get("loop.window").and_then(|line| line.at(stage.clock.start).ok());
    let share = asked.and_then(|(value, _)| value.as_f64()).unwrap_or(SHARE);
    let window = (share * length).round().clamp(1.0, LONGEST.min(length - 1.0)) as u32;
    warn_walk(stage, warnings);
    Some(Box::new(Round { next: shifted(stage), window }))
}

/// A seed on its way to another one jumps back at the seam: of two noises a frame can be between, not of three.
fn warn_walk(stage: &Stage, warnings: &mut Vec<Diagnostic>) {
    let Some(line) = stage.values.lines.get("seed").filter(|line| !line.is_constant()) else { return };
    let number = |frame: u32| line.at(frame).ok().and_then(|(value, _)| value.as_f64());
    let (first, end) = (stage.clock.start, stage.clock.start + stage.clock.length);
    let (Some(start), Some(last), Some(after)) = (number(first), number(end - 1), number(end)) else {
        return;
    };
    if last.fract() != 0.0 && (after - start).abs() > 1e-9 {
        let message = format!("`seed` walks from {start} to {after}, and jumps back where the loop closes");
        let found = Diagnostic::warning("W41", message, line.span());
        warnings.push(found.hint(format!("end on the seed it began with: add a key `100%: {start}`")));
    }
}

/// The scene one round later.
fn shifted(stage: &Stage) -> Stage {
    let by = stage.clock.length;
    let later = |clock: &mut Clock| clock.start += by;
    let shift = |values: &mut Values| {
        values.lines.values_mut().for_each(|line| later(&mut line.clock));
        values.calls.values_mut().for_each(|(_, clock)| later(clock));
    };
    let mut next = Stage { is_next: true, round: None, ..stage.clone() };
    later(&mut next.clock);
    shift(&mut next.values);
    next.controls.iter_mut().for_each(|(_, values)| shift(values));
    if let Some((_, clock)) = &mut next.prompts {
        later(clock);
    }
    next
}

impl Stage {
    /// How far the closing window has come at a frame of the film, above 0 and below 1; `None` outside.
    pub(super) fn closing(&self, frame: u32) -> Option<f64> {
        let round = self.round.as_ref()?;
        let left = (self.clock.start + self.clock.length).checked_sub(frame)?;
        (left < round.window).then(|| 1.0 - f64::from(left) / f64::from(round.window))
    }
}

/// Brings the frame's numbers back towards those of the scene's beginning.
pub(super) fn close(reader: &mut Reader<'_>, stage: &Stage, scene: usize, params: &mut FrameParams) {
    let (Some(round), Some(way)) = (&stage.round, stage.closing(reader.frame)) else { return };
    let found = reader.found.len();
    let mut there = params::frame(reader, &round.next, scene);
    if reader.found.len() > found {
        // Before its beginning the scene cannot be computed: it is led to its first frame, and holds there.
        let frame = std::mem::replace(&mut reader.frame, stage.clock.start);
        there = params::frame(reader, stage, scene);
        there.camera = params::camera(reader, stage);
        reader.frame = frame;
        reader.found.truncate(found);
    }
    mix(params, &there, smooth(way));
    if params.source.is_independent() {
        return;
    }
    // A frame keeps a weight's share of the first frame, and the shares of all frames add up: a square begins gently.
    let weight = way * way;
    params.sampling.strength = 1.0 - (1.0 - params.sampling.strength) * (1.0 - weight);
    let end = stage.clock.start + stage.clock.length;
    let mut ahead: Vec<Camera> =
        (reader.frame + 1..end).map(|frame| at(reader, frame, |reader| motion(reader, stage))).collect();
    ahead.push(at(reader, end, |reader| params::camera(reader, &round.next)));
    reader.found.truncate(found);
    let depth = at(reader, stage.clock.start, |reader| depth::source(reader, &stage.values));
    params.closing = Some(Closing { weight, ahead, depth });
}

/// The motion of the reader's frame as [`close`] leaves it.
fn motion(reader: &mut Reader<'_>, stage: &Stage) -> Camera {
    let mut camera = params::camera(reader, stage);
    if let (Some(round), Some(way)) = (&stage.round, stage.closing(reader.frame)) {
        let found = reader.found.len();
        let mut there = params::camera(reader, &round.next);
        if reader.found.len() > found {
            reader.found.truncate(found);
            there = at(reader, stage.clock.start, |reader| params::camera(reader, stage));
        }
        mix_cameras(&mut camera, &there, smooth(way));
    }
    camera
}

fn at<T>(reader: &mut Reader<'_>, frame: u32, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
    let before = std::mem::replace(&mut reader.frame, frame);
    let value = read(reader);
    reader.frame = before;
    value
}

/// Without a kink at either end (smoothstep).
fn smooth(way: f64) -> f64 {
    way * way * (3.0 - 2.0 * way)
}

fn mix(params: &mut FrameParams, there: &FrameParams, share: f64) {
    let lerp = |a: &mut f64, b: f64| *a += (b - *a) * share;
    mix_cameras(&mut params.camera, &there.camera, share);
    let (colour, their) = (&mut params.colour, &there.colour);
    lerp(&mut colour.contrast, their.contrast);
    lerp(&mut colour.sharpen.amount, their.sharpen.amount);
    lerp(&mut colour.sharpen.sigma, their.sharpen.sigma);
    lerp(&mut colour.sharpen.threshold, their.sharpen.threshold);
    lerp(&mut params.noise.amount, there.noise.amount);
    let (sampling, their) = (&mut params.sampling, &there.sampling);
    lerp(&mut sampling.strength, their.strength);
    lerp(&mut sampling.s_noise, their.s_noise);
    for (own, their) in [
        (&mut sampling.guidance, their.guidance),
        (&mut sampling.eta, their.eta),
        (&mut sampling.ddim_eta, their.ddim_eta),
    ] {
        if let (Some(own), Some(their)) = (own, their) {
            lerp(own, their);
        }
    }
    if !sampling.seed_walk && !their.seed_walk {
        lerp(&mut sampling.subseed_strength, their.subseed_strength);
    }
    for (own, their) in params.controls.iter_mut().zip(&there.controls) {
        lerp(&mut own.weight, their.weight);
        lerp(&mut own.start, their.start);
        lerp(&mut own.end, their.end);
    }
    params.prompt = mixed(&params.prompt, &there.prompt, share);
    params.negative = mixed(&params.negative, &there.negative, share);
}

fn mix_cameras(camera: &mut Camera, there: &Camera, share: f64) {
    let lerp = |a: &mut f64, b: f64| *a += (b - *a) * share;
    let (own_flip, their_flip) = match (camera, there) {
        (Camera::Flat(own), Camera::Flat(their)) => {
            lerp(&mut own.zoom, their.zoom);
            lerp(&mut own.angle, their.angle);
            lerp(&mut own.translation_x, their.translation_x);
            lerp(&mut own.translation_y, their.translation_y);
            lerp(&mut own.center_x, their.center_x);
            lerp(&mut own.center_y, their.center_y);
            (&mut own.flip, &their.flip)
        }
        (Camera::Deep(own), Camera::Deep(their)) => {
            own.translation.iter_mut().zip(their.translation).for_each(|(a, b)| lerp(a, b));
            own.rotation.iter_mut().zip(their.rotation).for_each(|(a, b)| lerp(a, b));
            lerp(&mut own.fov, their.fov);
            lerp(&mut own.zoom, their.zoom);
            lerp(&mut own.aspect_ratio, their.aspect_ratio);
            (&mut own.flip, &their.flip)
        }
        _ => return,
    };
    if let (Some(own), Some(their)) = (own_flip, their_flip) {
        lerp(&mut own.theta, their.theta);
        lerp(&mut own.phi, their.phi);
        lerp(&mut own.gamma, their.gamma);
        lerp(&mut own.fv, their.fv);
    }
}

/// Both prompts, each with its share of the weight.
fn mixed(own: &PromptMix, their: &PromptMix, share: f64) -> PromptMix {
    if own == their || share == 0.0 {
        return own.clone();
    }
    let mut parts: Vec<(String, f64)> = Vec::new();
    let weighed = own.parts.iter().map(|(text, weight)| (text, weight * (1.0 - share)));
    for (text, weight) in weighed.chain(their.parts.iter().map(|(text, weight)| (text, weight * share))) {
        match parts.iter_mut().find(|(known, _)| known == text) {
            Some((_, sum)) => *sum += weight,
            None => parts.push((text.clone(), weight)),
        }
    }
    parts.retain(|(_, weight)| *weight != 0.0);
    let blend = if own.parts.len() > 1 { own.blend } else { their.blend };
    PromptMix { parts, blend }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Camera, DepthSource, FrameParams};
    use super::super::{Options, Timeline};

    fn film(text: &str) -> Timeline {
        let text = format!("kinora 1\nfps = 10\n{text}");
        let (film, _) = crate::schedule::read("film.kin", &text).unwrap();
        Timeline::new(&film, &Options::default()).unwrap()
    }

    fn zoom(params: &FrameParams) -> f64 {
        let Camera::Flat(camera) = params.camera else { panic!("a flat camera") };
        camera.zoom
    }

    #[test]
    fn what_does_not_close_by_itself_is_led_back() {
        let film = film("prompt = \"a\"\nscene a 40f loop { zoom = 1 + t / 100 }\n");
        let at = |frame| zoom(&film.at(frame).unwrap());
        // Before the window as written, then towards what frame 0 continues: 1 - 1/100 a frame earlier.
        assert_eq!(at(29), 1.29);
        assert!((at(39) - 0.99).abs() < 0.02, "{}", at(39));
        assert!((30..39).all(|frame| (at(frame + 1) - at(frame)).abs() < 0.08));
    }

    #[test]
    fn what_is_periodic_stays() {
        let looping =
            film("prompt = \"a\"\nscene a 40f loop { zoom = 1 + osc(\"sin\", period=20f, amp=0.1) }\n");
        let plain = film("prompt = \"a\"\nscene a 40f { zoom = 1 + osc(\"sin\", period=20f, amp=0.1) }\n");
        for frame in 0..40 {
            let (a, b) = (zoom(&looping.at(frame).unwrap()), zoom(&plain.at(frame).unwrap()));
            assert!((a - b).abs() < 1e-12, "{frame}: {a} {b}");
        }
    }

    #[test]
    fn the_motion_ahead_ends_in_the_first_frame() {
        let film = film("prompt = \"a\"\nscene a 40f loop { zoom = 1 + t / 100 loop.window = 50% }\n");
        assert_eq!(film.at(20).unwrap().closing, None);
        let params = film.at(30).unwrap();
        let closing = params.closing.clone().unwrap();
        assert_eq!((closing.weight, closing.ahead.len()), (0.25, 10));
        let Camera::Flat(next) = closing.ahead[0] else { panic!("a flat camera") };
        assert_eq!(next.zoom, zoom(&film.at(31).unwrap()));
        let Camera::Flat(last) = closing.ahead[9] else { panic!("a flat camera") };
        assert_eq!(last.zoom, 1.0);
        // The nearer the end, the more is kept.
        let strength = |frame| film.at(frame).unwrap().sampling.strength;
        assert!(strength(20) < strength(30) && strength(30) < strength(39) && strength(39) < 1.0);
    }

    #[test]
    fn the_first_frame_s_depth_is_its_own_picture() {
        let film = film(
            "prompt = \"a\"\ntranslation_z = 1\nscene a 40f loop { depth = pictures(\"d/%d.png\", first=3) }\n",
        );
        for frame in [32, 39] {
            let params = film.at(frame).unwrap();
            let number = |depth: &DepthSource| match depth {
                DepthSource::Sequence(_, number) => *number,
                other => panic!("{other:?}"),
            };
            assert_eq!(number(&params.depth), frame + 3);
            assert_eq!(number(&params.closing.unwrap().depth), 3);
        }
    }

    #[test]
    fn prompts_lead_back_and_independent_frames_only_walk() {
        let film = film("prompt = 0: \"a\", 50%: \"b\"\nscene a 40f loop { source = still(\"x.png\") }\n");
        let params = film.at(35).unwrap();
        let parts: Vec<&str> = params.prompt.parts.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!((parts, params.closing), (vec!["b", "a"], None));
        assert!((params.prompt.parts[1].1 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_computed_before_the_beginning_is_led_to_the_first_frame() {
        let film = film("prompt = \"a\"\nscene a 40f loop { zoom = 1 + sqrt(t) / 100 }\n");
        let last = zoom(&film.at(39).unwrap());
        assert!((last - 1.0).abs() < 0.01, "{last}");
    }
}
