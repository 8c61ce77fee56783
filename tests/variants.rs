//! Films with variants: every combination a video of its own, none of them in the way of another.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, tiny_film};

/// Four combinations, two frames each.
fn film() -> String {
    format!(
        "{}let bright = 1\ncontrast = bright\nvariants {{ seed = [1, 2]  bright = [0.9, 1.1] }}\n",
        tiny_film(2)
    )
}

const LABELS: [&str; 4] =
    ["seed-1.bright-0.9", "seed-1.bright-1.1", "seed-2.bright-0.9", "seed-2.bright-1.1"];

#[test]
fn every_combination_becomes_a_video() {
    let desk = Desk::new();
    desk.write("film.kin", film());
    let ran = desk.run(&["render", "film.kin", "--quiet"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "film.kin seed=1,bright=0.9: done",
            "film.kin seed=1,bright=1.1: done",
            "film.kin seed=2,bright=0.9: done",
            "film.kin seed=2,bright=1.1: done",
        ]
    );
    let mut pictures = std::collections::BTreeSet::new();
    for label in LABELS {
        assert!(desk.path(&format!("film.{label}.mp4")).exists(), "{label}");
        assert_eq!(desk.frames(&format!("film.{label}.frames")), ["000000.png", "000001.png"]);
        pictures.insert(desk.read(&format!("film.{label}.frames/000001.png")));
    }
    assert_eq!(pictures.len(), 4, "two variants are the same film");
    assert!(!desk.path("film.mp4").exists());
    // A variant is the film with the values written in.
    let plain = film().replace("let bright = 1", "let bright = 1.1  seed = 2");
    desk.write("plain.kin", plain.split("variants").next().unwrap());
    desk.run(&["render", "plain.kin", "--quiet"]).expect(0);
    assert_eq!(desk.read("plain.frames/000001.png"), desk.read("film.seed-2.bright-1.1.frames/000001.png"));
}

#[test]
fn one_is_picked_by_values_or_by_number() {
    let desk = Desk::new();
    desk.write("film.kin", film());
    desk.run(&["render", "film.kin", "--quiet", "--variant", "bright=1.1,seed=1"]).expect(0);
    let videos = || -> Vec<&str> {
        LABELS.into_iter().filter(|label| desk.path(&format!("film.{label}.mp4")).exists()).collect()
    };
    assert_eq!(videos(), [LABELS[1]]);
    desk.run(&["render", "film.kin", "--quiet", "--variant", "4", "-o", "own.mp4"]).expect(0);
    assert!(desk.path("own.mp4").exists());
    assert_eq!(videos(), [LABELS[1]]);
    desk.run(&["render", "film.kin", "--variant", "brihgt=1.1"]).expect(2).says(&["did you mean `bright`?"]);
    desk.run(&["render", "film.kin", "--variant", "5"]).expect(2).says(&["the film has 4"]);
    desk.write("plain.kin", tiny_film(1));
    desk.run(&["render", "plain.kin", "--variant", "1"]).expect(2).says(&["the film has no variants"]);
    desk.run(&["preview", "film.kin", "--variant", "seed=1"]).expect(2).says(&["expected one"]);
    let checked = desk.run(&["check", "film.kin", "--variant", "2"]).expect(0);
    assert!(!checked.stdout.contains("variants"), "{}", checked.stdout);
}

#[test]
fn one_that_fails_does_not_stop_the_rest() {
    let desk = Desk::new();
    common::picture(&desk.path("a.png"), 64, 64);
    desk.write(
        "film.kin",
        format!("{}source = init(\"a.png\")\nlet gone = 1\nnoise = 0.01 / gone\nvariants {{ gone = [1, 0, 2] }}\n", tiny_film(1)),
    );
    let checked = desk.run(&["check", "film.kin"]).expect(1);
    checked.says(&["division by zero", "in variant 2: gone=0"]);
    let ran = desk.run(&["render", "film.kin", "--quiet"]).expect(4);
    assert!(ran.stdout.contains("film.kin gone=0: failed: the film has errors"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 of 3 jobs failed"), "{}", ran.stderr);
    for (label, is_there) in [("gone-1", true), ("gone-0", false), ("gone-2", true)] {
        assert_eq!(desk.path(&format!("film.{label}.mp4")).exists(), is_there, "{label}");
    }
}

#[test]
fn check_lists_them_and_out_gets_their_names() {
    let desk = Desk::new();
    desk.write(
        "film.kin",
        format!("{}video {{ out = \"walk.mp4\" }}\n", film())
            .replace("video { size = 64x64  fps = 4 }\n", "size = 64x64\nfps = 4\n"),
    );
    let checked = desk.run(&["check", "film.kin"]).expect(0);
    for part in ["4 variants", "1: seed=1,bright=0.9", "4: seed=2,bright=1.1"] {
        assert!(checked.stdout.contains(part), "{}", checked.stdout);
    }
    desk.run(&["render", "film.kin", "--quiet", "--draft", "--variant", "1"]).expect(0);
    assert!(desk.path("walk.seed-1.bright-0.9.draft.mp4").exists());
}
