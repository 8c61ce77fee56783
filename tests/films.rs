//! Every example film runs, at a tiny size, and gives the video that it promises.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};

use common::{Desk, picture, root, two_steps};
use kinora::canvas::Canvas;
use kinora::encode::VideoReader;

/// All films below `folder`.
fn films(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(films(&path));
        } else if path.extension().is_some_and(|e| e == "kin") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The film at 64x64, two frames a second and two steps; its files beside it.
fn shrink(desk: &Desk, film: &Path) -> String {
    let text = std::fs::read_to_string(film).unwrap();
    let small = text
        .replace("256x256", "64x64")
        .replace("128x128", "64x64")
        .replace("fps = 8", "fps = 2")
        .replace("fps = 24", "fps = 2");
    assert_ne!(small, text, "{} has another size or rate than this test knows", film.display());
    for entry in std::fs::read_dir(film.parent().unwrap()).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "png" || e == "flac") {
            std::fs::copy(entry.path(), desk.path(&entry.file_name().to_string_lossy())).unwrap();
        }
    }
    let name = film.file_name().unwrap().to_string_lossy().into_owned();
    desk.write(&name, two_steps(&small));
    name
}

#[test]
fn the_examples_render() {
    for film in films(&root().join("examples")) {
        let desk = Desk::new();
        let name = shrink(&desk, &film);
        desk.run(&["check", &name]).expect(0);
        desk.run(&["render", &name, "-o", "film.mp4"]).expect(0);
        let mut video = VideoReader::open(&desk.path("film.mp4")).unwrap();
        assert_eq!((video.size().width, video.size().height), (64, 64));
        let painted = desk.frames("film.frames").len() as u64;
        let rate = video.fps().as_f64() / 2.0;
        assert_eq!(video.count_frames().unwrap(), (painted as f64 * rate).round() as u64, "{name}");
    }
}

#[test]
fn the_examples_check_without_a_warning() {
    let desk = Desk::new();
    for film in films(&root().join("examples")) {
        let ran = desk.run(&["check", &film.to_string_lossy()]).expect(0);
        assert_eq!(ran.stderr, "", "{}", film.display());
    }
}

#[test]
fn independent_frames_do_not_depend_on_each_other() {
    let desk = Desk::new();
    let name = shrink(&desk, &root().join("examples/scribble-fade-in.kin"));
    desk.run(&["render", &name, "-o", "whole.mp4"]).expect(0);
    desk.run(&["render", &name, "-o", "one.mp4", "--frames", "2"]).expect(0);
    assert_eq!(desk.frames("one.frames"), ["000002.png"]);
    assert_eq!(desk.read("whole.frames/000002.png"), desk.read("one.frames/000002.png"));
}

#[test]
fn a_draft_is_half_as_large_and_leaves_the_film_alone() {
    let desk = Desk::new();
    desk.write("film.kin", common::tiny_film(2).replace("64x64", "128x192"));
    desk.run(&["render", "film.kin", "--draft"]).expect(0);
    let video = VideoReader::open(&desk.path("film.draft.mp4")).unwrap();
    assert_eq!((video.size().width, video.size().height), (64, 96));
    assert!(!desk.path("film.mp4").exists());
}

#[test]
fn a_blend_of_prompts_and_a_walk_of_seeds_go_smoothly() {
    let desk = Desk::new();
    picture(&desk.path("base.png"), 64, 64);
    let film = |keys: &str| {
        format!(
            "kinora 1\nvideo {{ size = 64x64  fps = 4 }}\nframes = 9\nsource = still(\"base.png\")\nstrength = 0.2\n\
             noise = 0\ncoherence = none\nsteps = 2\nsampler = euler_a\n{keys}\n"
        )
    };
    let blends = ["lerp", "slerp", "composed"].map(|blend| {
        format!(
            "prompt = 0: \"the sea\", 8: \"a forest\" ~linear\nprompt.blend = {blend}\nseed_behavior = fixed"
        )
    });
    let walk = "prompt = \"the sea\"\nseed = 0: 41, 8: 42".to_owned();
    for (name, keys) in blends.into_iter().chain([walk]).enumerate() {
        desk.write(&format!("{name}.kin"), film(&keys));
        desk.run(&["render", &format!("{name}.kin")]).expect(0);
        let frame = |index: u32| desk.path(&format!("{name}.frames/{index:06}.png"));
        let pictures: Vec<Canvas> =
            (0..9).map(|index| kinora::encode::stills::read(&frame(index)).unwrap()).collect();
        let apart = |a: &Canvas, b: &Canvas| -> u64 {
            a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
        };
        let whole = apart(&pictures[0], &pictures[8]);
        let steps: Vec<u64> = pictures.windows(2).map(|pair| apart(&pair[0], &pair[1])).collect();
        // Eight even steps are an eighth each; a cut would be the whole in one.
        assert!(steps.iter().all(|step| 0 < *step && *step * 2 < whole), "{keys}: {steps:?} of {whole}");
        // A frame alone is the same frame.
        desk.run(&["render", &format!("{name}.kin"), "-o", "one.mp4", "--frames", "5"]).expect(0);
        assert_eq!(desk.read("one.frames/000005.png"), desk.read(&format!("{name}.frames/000005.png")));
        std::fs::remove_dir_all(desk.path("one.frames")).unwrap();
    }
}
