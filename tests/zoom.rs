//! Zooms composed of key pictures, and scenes that are shown backward, through the program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Desk, picture};
use kinora::canvas::Canvas;

/// A zoom of three doublings in 25 frames: four key pictures.
fn composed(rest: &str) -> String {
    format!(
        "kinora 1\nvideo {{ size = 64x64  fps = 8 }}\nframes = 25\nprompt = \"a tunnel, purple\"\nsteps = 3\n\
         zoom = 2x/s\nmethod = compose(ratio=2, refine=0.25)\n{rest}"
    )
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// Hashes of all pictures in a film's folder, key pictures with them.
fn pictures(desk: &Desk, name: &str) -> Vec<(String, String)> {
    let folders = [format!("{name}.frames"), format!("{name}.frames/keys")];
    let files =
        folders.iter().flat_map(|folder| desk.frames(folder).into_iter().map(move |file| (folder, file)));
    files.map(|(folder, file)| (file.clone(), hash(&desk.read(&format!("{folder}/{file}"))))).collect()
}

fn frame(desk: &Desk, name: &str, frame: u32) -> Canvas {
    Canvas::open(&desk.path(&format!("{name}.frames/{frame:06}.png"))).unwrap()
}

#[test]
fn a_composed_zoom_is_a_few_paintings_and_the_plan_says_so() {
    let desk = Desk::new();
    desk.write("film.kin", composed(""));
    let planned = desk.run(&["plan", "film.kin"]).expect(0);
    for part in ["4 pictures are to be painted, 0 are there already", "4 key pictures", "24, 16, 8, 0"] {
        assert!(planned.stdout.contains(part), "{part}: {}", planned.stdout);
    }
    let json = desk.run(&["plan", "film.kin", "--format", "json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["to_paint"], 4);
    // Four from text, three of them refined by a quarter of 3 steps.
    assert_eq!(json["steps"], 4 * 3 + 3);
    desk.run(&["render", "film.kin"]).expect(0);
    assert_eq!(desk.frames("film.frames").len(), 25);
    assert_eq!(desk.frames("film.frames/keys"), ["00-000.png", "00-001.png", "00-002.png", "00-003.png"]);
    // The last frame is the innermost key.
    assert_eq!(frame(&desk, "film", 24), Canvas::open(&desk.path("film.frames/keys/00-000.png")).unwrap());
    let planned = desk.run(&["plan", "film.kin"]).expect(0);
    assert!(
        planned.stdout.contains("0 pictures are to be painted, 25 are there already"),
        "{}",
        planned.stdout
    );
    desk.run(&["render", "film.kin"]).expect(0).says(&["up to date"]);
}

#[test]
fn a_composed_zoom_that_was_killed_goes_on_to_the_same_bytes() {
    let desk = Desk::new();
    desk.write("whole.kin", composed(""));
    desk.write("killed.kin", composed(""));
    desk.run(&["render", "whole.kin"]).expect(0);
    let mut child = desk.kinora(&["render", "killed.kin"]).spawn().unwrap();
    // Not a timed test: it waits for the second key picture, however long that takes.
    while desk.frames("killed.frames/keys").len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "the render ended before it could be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = pictures(&desk, "killed").len();
    assert!(kept < 29, "{kept}");
    desk.run(&["render", "killed.kin"]).expect(0);
    assert_eq!(pictures(&desk, "whole"), pictures(&desk, "killed"));
    assert_eq!(hash(&desk.read("whole.mp4")), hash(&desk.read("killed.mp4")));
    // A torn picture and a torn line are seen, and put right.
    desk.write("killed.frames/keys/00-002.png", b"torn");
    desk.write("killed.frames/000003.png", b"torn");
    desk.run(&["render", "killed.kin"]).expect(0);
    assert_eq!(pictures(&desk, "whole"), pictures(&desk, "killed"));
}

#[test]
fn an_edit_paints_anew_only_what_lies_around_it() {
    let desk = Desk::new();
    // Outwards: key n fills frame 8 n.
    let film = |late: &str| {
        let text = composed("").replace("2x/s", "0.5x/s");
        text.replace("\"a tunnel, purple\"", &format!("0: \"a tunnel, purple\", 20: \"{late}\" ~cut"))
    };
    desk.write("film.kin", film("a tunnel, blue"));
    desk.run(&["render", "film.kin"]).expect(0);
    let before = pictures(&desk, "film");
    desk.write("film.kin", film("a tunnel, red"));
    let planned = desk.run(&["plan", "film.kin"]).expect(0);
    assert!(planned.stdout.contains("1 pictures are to be painted"), "{}", planned.stdout);
    desk.run(&["render", "film.kin"]).expect(0);
    let changed: Vec<String> = before
        .iter()
        .zip(&pictures(&desk, "film"))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, _), _)| name.clone())
        .collect();
    let is_key = |name: &str| name.contains('-');
    assert!(changed.contains(&"00-003.png".to_owned()), "{changed:?}");
    let first = changed.iter().find(|name| !is_key(name)).unwrap();
    assert!(first.as_str() > "000011.png", "{changed:?}");
    assert_eq!(changed.iter().filter(|name| is_key(name)).count(), 1, "{changed:?}");
}

#[test]
fn some_frames_paint_only_the_keys_that_they_show_and_those_inside_them() {
    let desk = Desk::new();
    desk.write("film.kin", composed(""));
    desk.run(&["render", "film.kin", "--frames", "22-24"]).expect(0);
    let folder = "film.22-24.frames";
    let names = desk.frames(folder);
    assert_eq!(names, ["000022.png", "000023.png", "000024.png"]);
    assert_eq!(desk.frames(&format!("{folder}/keys")), ["00-000.png", "00-001.png"]);
}

#[test]
fn the_picture_that_a_zoom_ends_in_is_the_user_s() {
    let desk = Desk::new();
    picture(&desk.path("end.png"), 64, 64);
    let end = Canvas::open(&desk.path("end.png")).unwrap();
    desk.write("in.kin", composed("source = init(\"end.png\")\ninit_strength = 1\n"));
    desk.run(&["render", "in.kin"]).expect(0);
    assert_eq!(frame(&desk, "in", 24), end);
    let out = composed("source = init(\"end.png\")\ninit_strength = 1\n").replace("2x/s", "0.5x/s");
    // Nothing is painted over, so that what lies around it shows it as it is.
    desk.write("out.kin", out.replace("refine=0.25", "refine=0"));
    desk.run(&["render", "out.kin"]).expect(0);
    assert_eq!(frame(&desk, "out", 0), end);
    // One doubling out it is seen in the middle at half its size.
    let (small, shown) = (end.resized(kinora::canvas::Size::new(32, 32)), frame(&desk, "out", 8));
    for (x, y) in [(8, 8), (16, 16), (20, 12)] {
        let (a, b) = (small.pixel(x, y), shown.pixel(x + 16, y + 16));
        assert!(a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 3), "{a:?} {b:?}");
    }
}

/// How much finer or coarser the grain is in the middle of a key picture than around it: mean steps from pixel to pixel,
/// a sixteenth of the side away from the line between the two.
fn grain(key: &Canvas) -> f64 {
    let (side, mut sums) = (key.width(), [(0.0, 0.0); 2]);
    for (y, x) in (0..side - 1).flat_map(|y| (0..side - 1).map(move |x| (y, x))) {
        let from_edge = |at: usize| side as f64 / 4.0 - (at as f64 + 0.5 - side as f64 / 2.0).abs();
        let depth = from_edge(x).min(from_edge(y));
        if depth.abs() < side as f64 / 16.0 {
            continue;
        }
        let step =
            |b: [u8; 3]| key.pixel(x, y).iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>();
        let sum = &mut sums[usize::from(depth < 0.0)];
        *sum = (sum.0 + step(key.pixel(x + 1, y)) + step(key.pixel(x, y + 1)), sum.1 + 1.0);
    }
    sums[0].0 / sums[0].1 / (sums[1].0 / sums[1].1)
}

/// The model paints the middle of a key picture in the strokes of what lies around it: the grain differs by a third at
/// most. A picture that is put there as it is has a grain two and three times as fine, and is seen as a box.
#[test]
fn a_key_picture_does_not_show_the_one_inside_it_as_a_box() {
    let desk = Desk::new();
    desk.write(
        "film.kin",
        "kinora 1\nvideo { size = 256x256  fps = 24 }\nframes = 25\nprompt = \"forest, autumn, oil painting\"\n\
         steps = 14\nguidance = 5\nseed = 7\nzoom = 0.5x/s\nmethod = compose()\n",
    );
    desk.run(&["render", "film.kin"]).expect(0);
    let key = Canvas::open(&desk.path("film.frames/keys/00-001.png")).unwrap();
    assert!((0.75..1.34).contains(&grain(&key)), "{}", grain(&key));
    // At its level it is a frame, and nothing is laid over it.
    assert_eq!(frame(&desk, "film", 24), key);
}

#[test]
fn backward_is_forward_from_the_end() {
    let desk = Desk::new();
    let film = |label: &str| {
        format!(
            "kinora 1\nvideo {{ size = 64x64  fps = 8 }}\nprompt = \"a tunnel, purple\"\nsteps = 2\n\
             scene a 4f {{ zoom = 1.1 }}\nscene b 9f {label} {{ zoom = 0: 1.02, 8: 1.1  noise = 0.03 }}\n\
             scene c 3f {{ zoom = 0.9 }}\n"
        )
    };
    desk.write("on.kin", film(""));
    desk.write("back.kin", film("reverse"));
    desk.run(&["render", "on.kin"]).expect(0);
    desk.run(&["render", "back.kin"]).expect(0);
    // Frames are kept as they are painted, so that a scene can be turned round without painting it again.
    assert_eq!(pictures(&desk, "on"), pictures(&desk, "back"));
    let shown = |name: &str| decoded(&desk, name);
    let (on, back) = (shown("on"), shown("back"));
    let order: Vec<usize> = (0..4).chain((4..13).rev()).chain(13..16).collect();
    assert_eq!((on.len(), back.len()), (16, 16));
    for (at, from) in order.into_iter().enumerate() {
        let nearest = (0..16).min_by_key(|other| distance(&back[at], &on[*other])).unwrap();
        assert_eq!(nearest, from, "frame {at} of the film shown backward");
    }
    desk.write("on.kin", film("reverse"));
    desk.run(&["render", "on.kin"]).expect(0).says(&["16 of 16 frames were there already"]);
    assert_eq!(hash(&desk.read("on.mp4")), hash(&desk.read("back.mp4")));
}

#[test]
fn some_frames_of_a_scene_shown_backward_are_those_that_are_shown() {
    let desk = Desk::new();
    desk.write(
        "film.kin",
        "kinora 1\nvideo { size = 64x64  fps = 8 }\nprompt = \"a tunnel\"\nsteps = 2\nframes = 6\nzoom = 1.1\n\
         reverse = true\n",
    );
    desk.run(&["render", "film.kin", "--frames", "4-5"]).expect(0);
    // Frame 5 is painted first, and frame 4 over it.
    assert_eq!(desk.frames("film.4-5.frames"), ["000000.png", "000001.png"]);
    let told = desk.run(&["explain", "film.kin", "--frame", "5"]).expect(0).stdout;
    assert!(told.contains("painted as frame 0"), "{told}");
}

/// The frames of a film's video.
fn decoded(desk: &Desk, name: &str) -> Vec<Canvas> {
    let video = kinora::encode::VideoReader::open(&desk.path(&format!("{name}.mp4"))).unwrap();
    video.map(|frame| frame.unwrap()).collect()
}

fn distance(a: &Canvas, b: &Canvas) -> u64 {
    a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
}

/// Mean absolute difference of two frames.
fn apart(a: &Canvas, b: &Canvas) -> f64 {
    let sum: u64 = a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_rgb8().len() as f64
}

#[test]
fn a_composed_zoom_that_loops_leads_into_its_beginning() {
    let desk = Desk::new();
    let film = composed("").replace("frames = 25\n", "").replace("zoom = 2x/s\n", "");
    desk.write("film.kin", format!("{film}scene well 24f loop {{ zoom = 2x/s }}\n"));
    // Three doublings: three keys, twice.
    let planned = desk.run(&["plan", "film.kin"]).expect(0);
    assert!(planned.stdout.contains("6 pictures are to be painted"), "{}", planned.stdout);
    desk.run(&["render", "film.kin"]).expect(0);
    assert_eq!(desk.frames("film.frames/keys").len(), 6);
    let frames: Vec<Canvas> = (0..24).map(|number| frame(&desk, "film", number)).collect();
    let steps: Vec<f64> = (0..24).map(|at| apart(&frames[at], &frames[(at + 1) % 24])).collect();
    let largest = steps[..23].iter().copied().fold(0.0, f64::max);
    // As from any frame to the next, with a tenth for what the laps differ by.
    assert!(steps[23] < 1.1 * largest, "{steps:?}");
}
