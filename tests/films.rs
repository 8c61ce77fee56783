//! Every example film runs, at a tiny size, and gives the video that it promises.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};

use common::{Desk, root, two_steps};
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
    let small = text.replace("256x256", "64x64").replace("128x128", "64x64").replace("fps = 8", "fps = 2");
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
