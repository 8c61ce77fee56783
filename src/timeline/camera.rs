//! The camera's absolute pose becomes its motion from the frame before to this one.
//!
//! The world has x to the right, y up and z forward, away from a camera that looks along `[0, 0, 1]`. Its unit is the
//! scene's own: what the depth map calls nearest lies 1 away, the farthest 2. A unit is 200 of `translation_z`.
//! Points are row vectors, `p * turn + shift`. The warp counts y downwards, so a pose is mirrored in y on its
//! way there; section 10 of Deforum's behaviour: `v = p Rx Ry Rz + (-x, y, -z) / 200`.

use libm::{atan2, cos, hypot, sin, tan};

use super::clock::Clock;
use super::eval::random::Stream;
use super::eval::vector::{cross3, norm};
use super::frame::Camera3d;
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::settings::number;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::Call;

/// Deforum's units in one of the world's.
const UNITS: f64 = 200.0;
/// The sine of the smallest angle between the direction of view and straight up or down.
const LEANING: f64 = 1e-6;
/// Layers of a shake's noise: the hand trembles on top of swaying.
const LAYERS: u32 = 3;

type Matrix = [[f64; 3]; 3];

const STILL: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// `p * turn + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rigid {
    turn: Matrix,
    shift: [f64; 3],
}

impl Rigid {
    const NONE: Self = Self { turn: STILL, shift: [0.0; 3] };

    /// From the world's coordinates to those of a camera at `place` whose axes are the rows of `axes`.
    fn view(place: [f64; 3], axes: Matrix) -> Self {
        let turn = transposed(axes);
        Self { turn, shift: turned(place, turn).map(|v| -v) }
    }

    fn then(self, next: Self) -> Self {
        let shift = turned(self.shift, next.turn);
        Self {
            turn: self.turn.map(|row| turned(row, next.turn)),
            shift: std::array::from_fn(|i| shift[i] + next.shift[i]),
        }
    }

    fn inverse(self) -> Self {
        let turn = transposed(self.turn);
        Self { turn, shift: turned(self.shift, turn).map(|v| -v) }
    }

    /// Deforum's translation and angles in degrees as a motion of points.
    fn of_motion(translation: [f64; 3], rotation: [f64; 3]) -> Self {
        let [x, y, z] = rotation;
        Self { turn: mirrored(about(x, y, z)), shift: translation.map(|v| -v / UNITS) }
    }

    /// The translation and the angles in degrees that move points so.
    fn as_motion(self) -> ([f64; 3], [f64; 3]) {
        let r = mirrored(self.turn);
        let level = hypot(r[0][0], r[0][1]);
        let y = atan2(r[0][2], level);
        // Turned by a right angle about y, x and z are the same axis: all of it counts as x.
        let (x, z) = if level > 1e-12 {
            (atan2(-r[1][2], r[2][2]), atan2(-r[0][1], r[0][0]))
        } else {
            (atan2(r[2][1], r[1][1]), 0.0)
        };
        // Adding 0 makes -0 a 0: no motion is no motion.
        (self.shift.map(|v| -v * UNITS + 0.0), [x, y, z].map(|angle| angle.to_degrees() + 0.0))
    }
}

fn turned(p: [f64; 3], m: Matrix) -> [f64; 3] {
    std::array::from_fn(|j| p[0] * m[0][j] + p[1] * m[1][j] + p[2] * m[2][j])
}

fn transposed(m: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}

/// The same turn where y points the other way.
fn mirrored(m: Matrix) -> Matrix {
    let sign = |i: usize| if i == 1 { -1.0 } else { 1.0 };
    std::array::from_fn(|i| std::array::from_fn(|j| sign(i) * sign(j) * m[i][j]))
}

/// `Rx Ry Rz` of degrees, each the standard right-handed matrix.
fn about(x: f64, y: f64, z: f64) -> Matrix {
    let [(sx, cx), (sy, cy), (sz, cz)] =
        [x, y, z].map(|degrees| (sin(degrees.to_radians()), cos(degrees.to_radians())));
    [
        [cy * cz, -cy * sz, sy],
        [cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy],
        [sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy],
    ]
}

/// Whether the scene's 3D camera is given by poses, or shakes.
pub(super) fn is_posed(values: &Values) -> bool {
    is_path(values) || values.has("camera.fov") || shakes(values)
}

/// Whether places or directions are given.
fn is_path(values: &Values) -> bool {
    ["camera.position", "camera.look", "camera.target"].iter().any(|name| values.has(name))
}

/// Whether there is a shake.
pub(super) fn shakes(values: &Values) -> bool {
    values.calls.get("camera.shake").is_some_and(|(call, _)| call.spec.name == "shake")
}

/// Puts the motion since the frame before into `camera`, which holds what the parameters of motion say. At the
/// first frame of a scene there is no frame before, and a path has not moved the camera yet.
pub(super) fn steer(reader: &mut Reader<'_>, stage: &Stage, camera: &mut Camera3d) {
    let values = &stage.values;
    if !is_posed(values) {
        return;
    }
    let is_first = reader.frame == stage.clock.start && !stage.is_next;
    if values.has("camera.fov") {
        camera.fov = reader.number(values, "camera.fov", 70.0);
        let before =
            if is_first { camera.fov } else { before(reader, |r| r.number(values, "camera.fov", 70.0)) };
        camera.zoom = width(before) / width(camera.fov);
    }
    let is_path = is_path(values);
    // It is computed also where it does not count, so that what is wrong with it is found.
    let now = if is_path { view(reader, values) } else { Some(Rigid::NONE) };
    if is_first {
        return;
    }
    let own = if is_path {
        let then = before(reader, |reader| view(reader, values));
        let Some((then, now)) = then.zip(now) else { return };
        then.inverse().then(now)
    } else {
        Rigid::of_motion(camera.translation, camera.rotation)
    };
    let whole = match values.calls.get("camera.shake").filter(|_| shakes(values)) {
        Some((call, clock)) => {
            match shake(call, clock, reader.frame - 1)
                .and_then(|then| Ok((then, shake(call, clock, reader.frame)?)))
            {
                Ok((then, now)) => then.inverse().then(own).then(now),
                Err(wrong) => return reader.found.push(wrong),
            }
        }
        None if is_path => own,
        None => return,
    };
    (camera.translation, camera.rotation) = whole.as_motion();
}

/// The width seen at distance 1, but for a factor.
fn width(fov: f64) -> f64 {
    tan((fov / 2.0).to_radians())
}

/// What `read` gives at the frame before. What is wrong there was said there.
fn before<T>(reader: &mut Reader<'_>, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
    let found = reader.found.len();
    reader.frame -= 1;
    let value = read(reader);
    reader.frame += 1;
    reader.found.truncate(found);
    value
}

/// The view of the camera at the reader's frame.
fn view(reader: &mut Reader<'_>, values: &Values) -> Option<Rigid> {
    let place = match values.has("camera.position") {
        true => reader.maybe_vector(values, "camera.position").map(|(place, _)| place),
        false => Some([0.0; 3]),
    };
    let (name, from) = match (values.has("camera.target"), values.has("camera.look")) {
        (true, _) => ("camera.target", place?),
        (false, true) => ("camera.look", [0.0; 3]),
        (false, false) => return Some(Rigid::view(place?, STILL)),
    };
    let axes = reader.maybe_vector(values, name).and_then(|(to, span)| {
        let axes = looking(std::array::from_fn(|i| to[i] - from[i]));
        match (name, &axes) {
            (_, Ok(_)) => {}
            ("camera.target", Err(_)) => reader.wrong_target(span),
            (_, Err(message)) => reader.wrong_direction(message, span),
        }
        axes.ok()
    });
    Some(Rigid::view(place?, axes?))
}

/// The axes, right, up and forward, of a camera that looks along `direction` and does not roll.
fn looking(direction: [f64; 3]) -> Result<Matrix, &'static str> {
    let length = norm(&direction);
    if length == 0.0 {
        return Err("`camera.look` is a direction, and has a length");
    }
    let forward = direction.map(|v| v / length);
    let aside = cross3([0.0, 1.0, 0.0], forward);
    let lean = norm(&aside);
    if lean < LEANING {
        return Err("`camera.look` straight up or down leaves open which way the picture is turned");
    }
    let right = aside.map(|v| v / lean);
    Ok([right, cross3(forward, right), forward])
}

/// How a shaken camera sees what the still one sees, at a frame of the film.
fn shake(call: &Call, clock: &Clock, frame: u32) -> Result<Rigid, Diagnostic> {
    // Cycles per second, degrees, and units of the world at full strength. A hand sways slowly and turns more than it
    // moves; a vehicle rattles along; the ground throws the camera about.
    let (hertz, degrees, way) = match call.args.get("style").and_then(|style| style.literal_text()) {
        Some("vehicle") => (2.5, 0.6, 0.02),
        Some("quake") => (6.0, 3.0, 0.05),
        _ => (0.7, 1.5, 0.015),
    };
    let amount = number(call, "amount", clock)?;
    let seconds = clock.local(frame) / clock.tempo.rate.as_f64();
    let at = seconds * hertz * number(call, "speed", clock)?;
    let seed = number(call, "seed", clock)?;
    let swing = |axis: u64| 2.0 * Stream::new(clock.seed, seed, 16 + axis).layered(at, LAYERS) - 1.0;
    let angle = degrees * amount;
    let axes = about(angle * swing(0), angle * swing(1), 0.5 * angle * swing(2));
    Ok(Rigid::view([3, 4, 5].map(|axis| way * amount * swing(axis)), axes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: [f64; 3], b: [f64; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn moving_along_the_axes_is_deforums_translation() {
        let ahead =
            |place| Rigid::view([0.0; 3], STILL).inverse().then(Rigid::view(place, STILL)).as_motion();
        assert_eq!(ahead([0.0, 0.0, 0.5]), ([0.0, 0.0, 100.0], [0.0; 3]));
        assert_eq!(ahead([0.5, 0.0, 0.0]), ([100.0, 0.0, 0.0], [0.0; 3]));
        assert_eq!(ahead([0.0, 0.5, 0.0]), ([0.0, 100.0, 0.0], [0.0; 3]));
    }

    #[test]
    fn looking_to_the_right_is_a_turn_to_the_right() {
        let look = |degrees: f64| {
            let (s, c) = (sin(degrees.to_radians()), cos(degrees.to_radians()));
            Rigid::view([0.0; 3], looking([s, 0.0, c]).unwrap())
        };
        let (translation, rotation) = look(30.0).inverse().then(look(32.0)).as_motion();
        // Deforum's positive angle about y moves the picture to the left: the camera turns right.
        assert!(close(translation, [0.0; 3]) && close(rotation, [0.0, 2.0, 0.0]), "{rotation:?}");
        let up = Rigid::view([0.0; 3], looking([0.0, sin(0.1), cos(0.1)]).unwrap());
        let (_, rotation) = Rigid::NONE.then(up).as_motion();
        // And about x down: the camera turns up.
        assert!(close(rotation, [0.1_f64.to_degrees(), 0.0, 0.0]), "{rotation:?}");
    }

    #[test]
    fn a_direction_needs_a_length_and_a_horizon() {
        assert!(looking([0.0; 3]).is_err() && looking([0.0, 2.0, 0.0]).is_err());
        assert_eq!(looking([0.0, 0.0, 3.0]), Ok(STILL));
    }

    fn vector(size: f64) -> impl Strategy<Value = [f64; 3]> {
        prop::array::uniform3(-size..size)
    }

    proptest! {
        #[test]
        fn a_motion_there_and_back_is_the_same(t in vector(50.0), r in vector(89.0)) {
            let (translation, rotation) = Rigid::of_motion(t, r).as_motion();
            prop_assert!(close(translation, t) && close(rotation, r), "{translation:?} {rotation:?}");
        }

        #[test]
        fn the_motion_carries_each_point_from_view_to_view(p in vector(5.0), a in vector(5.0), b in vector(5.0),
            look in vector(1.0), then in vector(1.0)) {
            let (Ok(first), Ok(second)) = (looking(look), looking(then)) else { return Ok(()) };
            let (first, second) = (Rigid::view(a, first), Rigid::view(b, second));
            let (translation, rotation) = first.inverse().then(second).as_motion();
            let see = |view: Rigid, p: [f64; 3]| {
                let seen = turned(p, view.turn);
                std::array::from_fn(|i| seen[i] + view.shift[i])
            };
            let moved = see(Rigid::of_motion(translation, rotation), see(first, p));
            prop_assert!(close(moved, see(second, p)), "{moved:?}");
        }

        #[test]
        fn steps_add_up_to_the_whole_way(places in prop::collection::vec((vector(3.0), vector(1.0)), 2..8)) {
            let views: Vec<Rigid> = places.iter().filter_map(|(place, look)|
                Some(Rigid::view(*place, looking(*look).ok()?))).collect();
            prop_assume!(views.len() > 1);
            let steps = views.windows(2).fold(Rigid::NONE, |all, pair| {
                let (translation, rotation) = pair[0].inverse().then(pair[1]).as_motion();
                all.then(Rigid::of_motion(translation, rotation))
            });
            let whole = views[0].inverse().then(views[views.len() - 1]);
            prop_assert!(close(steps.shift, whole.shift));
            prop_assert!((0..3).all(|i| close(steps.turn[i], whole.turn[i])));
        }
    }
}
