//! Values between keys, waves, noise, paths and the camera.

use kinora::schedule::read;
use kinora::schedule::units::Rate;
use kinora::timeline::frame::{Camera, Camera3d, FrameParams};
use kinora::timeline::{Options, Timeline};
use proptest::prelude::*;

fn timeline_at(text: &str, options: &Options) -> Timeline {
    let (film, _) = read("film.kin", text).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    Timeline::new(&film, options).unwrap_or_else(|error| panic!("{error:?}"))
}

fn timeline(text: &str) -> Timeline {
    timeline_at(text, &Options::default())
}

fn angle(film: &Timeline, frame: u32) -> f64 {
    match film.at(frame).unwrap_or_else(|error| panic!("{error:?}")).camera {
        Camera::Flat(camera) => camera.angle,
        Camera::Deep(_) => panic!("expected the flat camera"),
    }
}

fn deep(film: &Timeline, frame: u32) -> Camera3d {
    match film.at(frame).unwrap_or_else(|error| panic!("{error:?}")).camera {
        Camera::Deep(camera) => camera,
        Camera::Flat(_) => panic!("expected the 3D camera"),
    }
}

/// `angle` at some frames of a film of 241 frames at 12 a second.
fn angles<const N: usize>(value: &str, frames: [u32; N]) -> [f64; N] {
    let film = timeline(&format!("frames = 241\nvideo {{ bpm = 120 }}\nangle = {value}"));
    frames.map(|frame| angle(&film, frame))
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() < 1e-9
}

#[test]
fn a_blend_fades_from_one_running_value_to_the_next() {
    let found = angles("0: t, 10: 100 - t ~blend, 20: 5 ~blend", [0, 5, 10, 15, 20, 30]);
    // At 5: half of 5 and half of 95; at 15: half of 85 and half of 5.
    assert_eq!(found, [0.0, 50.0, 90.0, 45.0, 5.0, 5.0]);
}

#[test]
fn monotone_is_pchip() {
    // scipy.interpolate.PchipInterpolator([0, 10, 30, 40], [0, 4, 5, 15])([5, 15, 20, 35])
    let found = angles("0: 0, 10: 4 ~monotone, 30: 5 ~monotone, 40: 15 ~monotone", [5, 15, 20, 35]);
    let wanted = PCHIP;
    for (found, wanted) in found.into_iter().zip(wanted) {
        assert!(close(found, wanted), "{found} {wanted}");
    }
}

const PCHIP: [f64; 4] =
    [2.524_211_711_711_711_5, 4.330_633_942_766_296, 4.478_537_360_890_302, 8.486_519_607_843_135];

#[test]
fn catmull_rom_has_the_chords_slope_at_its_keys() {
    // Evenly spaced keys at 0, 0, 10, 10: in the middle of the step the textbook's 9/16 and -1/16 weights.
    let found = angles("0: 0, 10: 0 ~smooth, 20: 10 ~smooth, 30: 10 ~smooth", [10, 15, 20, 25]);
    assert!(close(found[1], 5.0), "{found:?}");
    // (f(-1) .. f(2)) = (0, 10, 10) with an end: the end's slope is the straight way's, 0.
    assert!(close(found[3], 10.0 + 10.0 * 0.125 * 0.5), "{found:?}");
    assert_eq!([found[0], found[2]], [0.0, 10.0]);
}

#[test]
fn curves_take_over_the_speed_of_their_neighbours() {
    // Beside a straight way the curve begins with its slope, beside an ease that stops it begins at rest, after a
    // jump with its own.
    let slope = |value: &str| {
        let film = timeline(&format!("frames = 9000\nangle = {value}"));
        angle(&film, 3001) - angle(&film, 3000)
    };
    assert!((slope("0: 0, 3000: 3000, 6000: 4500 ~monotone") - 1.0).abs() < 1e-2);
    assert!(slope("0: 0, 3000: 3000 ~sine-out, 6000: 4500 ~monotone").abs() < 1e-2);
    assert!((slope("0: 0, 3000: 3000 ~cut, 6000: 4500 ~monotone") - 0.5).abs() < 1e-2);
    assert!((slope("0: 0, 3000: 3000, 6000: 4500 ~catmull-rom") - 1.0).abs() < 1e-2);
}

#[test]
fn the_motion_stays_when_the_frame_rate_changes() {
    let text = "frames = 4s\nvideo { bpm = 90 }\nangle = osc(\"sin\", 2s, 3) + noise(1b, seed=4) + random(every=0.5s) + osc(\"tri\", 1bar)";
    let slow = timeline(text);
    let options = Options { rate: Rate::new(36, 1), ..Options::default() };
    let fast = timeline_at(text, &options);
    for frame in 0..slow.frames() {
        assert!(close(angle(&slow, frame), angle(&fast, 3 * frame)), "frame {frame}");
    }
}

#[test]
fn noise_follows_the_films_seed_and_its_own() {
    let value = |text: &str| angle(&timeline(&format!("frames = 9\n{text}")), 5);
    assert_eq!(value("angle = noise(9)"), value("angle = noise(9, seed=0)"));
    assert_ne!(value("angle = noise(9)"), value("angle = noise(9, seed=1)"));
    assert_ne!(value("angle = noise(9)"), value("seed = 3\nangle = noise(9)"));
    assert_ne!(value("angle = random()"), value("angle = random(seed=1)"));
    let options = Options { seed: Some(3), ..Options::default() };
    let other = timeline_at("frames = 9\nangle = noise(9)", &options);
    assert_eq!(angle(&other, 5), value("seed = 3\nangle = noise(9)"));
}

#[test]
fn vectors_are_counted_with_and_lists_picked_from() {
    let value = |expr: &str| angles(expr, [7])[0];
    assert_eq!(value("dot([1, 2, 3], [4, 5, 6])"), 32.0);
    assert_eq!(value("length([3, 4] * 2 - [0, 0])"), 10.0);
    assert_eq!(value("pick(cross([1, 0, 0], [0, 1, 0]), 2)"), 1.0);
    assert_eq!(value("pick(normalize([0, 5]), 1)"), 1.0);
    assert_eq!(value("pick(mix([0, 2], [10, 4], 0.25), 0)"), 2.5);
    assert_eq!(value("pick([5, 6, 7], t)"), 6.0);
    assert_eq!(value("pick([5, 6, 7], -1)"), 7.0);
    assert_eq!(value("pick(-[5, 6] / 2, 0)"), -2.5);
    assert_eq!(value("pick([1deg, 2deg], 1)"), 2.0);
    assert_eq!(value("ease(\"cubic-in\", 0.5) + ease(\"linear\", 7)"), 1.125);
}

#[test]
fn a_path_is_walked_at_an_even_speed() {
    let film = timeline(
        "let path = spline([0, 0, 0], [0, 0, 1], [0, 0, 6])\nscene a 100f {\ncamera.position = path.at(t / max_f)\n}",
    );
    // Six units in 99 frames of 200 Deforum units each, and none at the first frame of the scene.
    assert_eq!((deep(&film, 0).translation, deep(&film, 0).rotation), ([0.0; 3], [0.0; 3]));
    for frame in 1..100 {
        let [x, y, z] = deep(&film, frame).translation;
        assert!(x.abs() < 1e-9 && y.abs() < 1e-9 && (z - 1200.0 / 99.0).abs() < 1e-3, "frame {frame}: {z}");
    }
}

#[test]
fn the_camera_moves_in_its_own_directions() {
    // It looks to the right: a step to the right of the world is a step forward.
    let film = timeline("frames = 9\ncamera.look = [1, 0, 0]\ncamera.position = [t * 0.1, 0, 0]");
    let camera = deep(&film, 4);
    for (found, wanted) in camera.translation.into_iter().zip([0.0, 0.0, 20.0]) {
        assert!(close(found, wanted), "{camera:?}");
    }
    let film = timeline("frames = 9\ncamera.look = [sin(t * 5deg), 0, cos(t * 5deg)]");
    let camera = deep(&film, 4);
    for (found, wanted) in camera.rotation.into_iter().zip([0.0, 5.0, 0.0]) {
        assert!(close(found, wanted), "{camera:?}");
    }
}

#[test]
fn a_narrowing_view_enlarges_by_its_whole_ratio() {
    let film = timeline("scene a 49f {\ncamera.fov = 0: 90deg, 48: 60deg ~ease-in-out\n}\nscene b 9f {\n}");
    let grown: f64 = (0..49).map(|frame| deep(&film, frame).zoom).product();
    // tan(45 deg) / tan(30 deg)
    assert!(close(grown, 3.0_f64.sqrt()), "{grown}");
    assert!(close(deep(&film, 48).fov, 60.0));
    assert_eq!(deep(&film, 0).zoom, 1.0);
    assert!(matches!(film.at(50).unwrap().camera, Camera::Flat(_)));
}

#[test]
fn a_shake_stays_round_the_motion_beneath_it() {
    let text = |shake: &str| format!("frames = 200\ntranslation_z = 2\nrotation_3d_y = 0.5\n{shake}");
    let still = timeline(&text(""));
    let shaken = timeline(&text("camera.shake = shake(\"handheld\", amount=0.3, seed=7)"));
    let none = timeline(&text("camera.shake = shake(\"quake\", amount=0)"));
    let mut apart = 0.0_f64;
    let mut sum = [0.0; 3];
    for frame in 1..200 {
        let (plain, found, unshaken) = (deep(&still, frame), deep(&shaken, frame), deep(&none, frame));
        for (axis, sum) in sum.iter_mut().enumerate() {
            assert!(close(plain.translation[axis], unshaken.translation[axis]));
            assert!(close(plain.rotation[axis], unshaken.rotation[axis]));
            apart = apart.max((plain.rotation[axis] - found.rotation[axis]).abs());
            *sum += found.rotation[axis] - plain.rotation[axis];
        }
    }
    // A third of 1.5 degrees and back: it moves, and does not wander off.
    assert!(apart > 0.01 && apart < 0.9, "{apart}");
    assert!(sum.iter().all(|sum| sum.abs() < 2.0), "{sum:?}");
    let again = timeline(&text("camera.shake = shake(\"handheld\", amount=0.3, seed=8)"));
    assert_ne!(deep(&again, 9), deep(&shaken, 9));
}

const EVERYTHING: &str = r#"
seed = 5
video { bpm = 100 }
let path = spline([0, 0, 0], [2, 0, 5], [0, 1, 9], closed=1)
scene a 40f {
  prompt = 0: "a ${noise(1s)}", 20: "b ${osc("saw", 2b)}"
  camera.position = path.at(t / max_f)
  camera.look = path.tangent(u)
  camera.fov = 0: 70deg, 20: 45deg ~monotone, 39: 60 ~monotone
  camera.shake = shake(vehicle)
  strength = 0: 0.5 + 0.1 * random(every=3), 30: 0.6 ~blend
}
scene b 40f {
  angle = 0: 0, 10: 5 ~back-out, 20: 3 ~smooth, 30: 4 ~monotone
  zoom = 1 + 0.01 * noise(1s, octaves=3, seed=s)
  noise = pick([0.01, 0.02, 0.05], t // 3)
}
"#;

proptest! {
    #[test]
    fn any_frame_can_be_computed_alone(order in Just((0..80).collect::<Vec<u32>>()).prop_shuffle()) {
        let film = timeline(EVERYTHING);
        let all: Vec<FrameParams> = (0..80).map(|frame| film.at(frame).unwrap()).collect();
        let other = timeline(EVERYTHING);
        for frame in order {
            prop_assert_eq!(&other.at(frame).unwrap(), &all[frame as usize]);
        }
    }

    #[test]
    fn monotone_stays_between_its_keys(keys in prop::collection::vec((1u32..30, -50i32..50), 2..8), mixed in 0usize..4) {
        let eases = ["~monotone", "~linear", "~cubic-out", "~catmull-rom"];
        let (mut time, mut text) = (0, String::new());
        let mut points = Vec::new();
        for (i, (step, value)) in keys.iter().enumerate() {
            let ease = if i == 0 { "" } else if i % 2 == 1 { eases[0] } else { eases[mixed] };
            text += &format!("{time}: {value} {ease}, ");
            points.push((time, f64::from(*value), ease == "~monotone"));
            time += step;
        }
        let film = timeline(&format!("frames = 241\nangle = {text}"));
        for pair in points.windows(2).filter(|pair| pair[1].2) {
            let ((from, a, _), (to, b, _)) = (pair[0], pair[1]);
            prop_assert_eq!(angle(&film, from), a);
            prop_assert_eq!(angle(&film, to), b);
            let mut last = a;
            for frame in from..=to {
                let value = angle(&film, frame);
                let onwards = if b >= a { value - last } else { last - value };
                prop_assert!(onwards > -1e-9, "{}: {} after {}", frame, value, last);
                last = value;
            }
        }
    }
}
