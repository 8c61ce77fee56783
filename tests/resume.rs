//! A render can be stopped at any moment, and what comes out is the film of an unbroken run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Desk, tiny_film};

/// Hashes of a film's frames and of its video: bytes would fill the terminal when they differ.
fn film_hashes(desk: &Desk, name: &str) -> (Vec<String>, String) {
    let folder = format!("{name}.frames");
    let hash = |file: &str| blake3::hash(&desk.read(file)).to_hex().to_string();
    let frames = desk.frames(&folder).iter().map(|f| hash(&format!("{folder}/{f}"))).collect();
    (frames, hash(&format!("{name}.mp4")))
}

#[test]
fn two_runs_give_the_same_bytes() {
    let desk = Desk::new();
    desk.write("a.kin", tiny_film(3));
    desk.write("b.kin", tiny_film(3));
    desk.run(&["render", "a.kin"]).expect(0);
    desk.run(&["render", "b.kin"]).expect(0);
    assert_eq!(film_hashes(&desk, "a"), film_hashes(&desk, "b"));
}

#[test]
fn killed_and_resumed_equals_unbroken() {
    let desk = Desk::new();
    let film = format!("{}coherence = lab\nnoise = 0.03\n", tiny_film(40));
    desk.write("whole.kin", &film);
    desk.write("killed.kin", &film);
    desk.run(&["render", "whole.kin"]).expect(0);
    let mut child = desk.kinora(&["render", "killed.kin"]).spawn().unwrap();
    // Not a timed test: it waits for the first frames, however long they take.
    while desk.frames("killed.frames").len() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "the render ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!desk.path("killed.mp4").exists());
    let kept = desk.frames("killed.frames").len();
    let ran = desk.run(&["render", "killed.kin"]).expect(0);
    assert!(ran.stderr.contains("were there already"), "{kept} frames were kept: {}", ran.stderr);
    assert_eq!(film_hashes(&desk, "whole"), film_hashes(&desk, "killed"));
}

/// Frames of a film with its last `kept` ones there: as after a kill between any two frames.
fn cut_off(desk: &Desk, name: &str, kept: usize) {
    let folder = format!("{name}.frames");
    let journal = String::from_utf8(desk.read(&format!("{folder}/journal.jsonl"))).unwrap();
    let lines: Vec<&str> = journal.lines().take(kept).collect();
    desk.write(&format!("{folder}/journal.jsonl"), lines.join("\n") + "\n");
    for frame in kept..13 {
        for kind in ["", ".painted"] {
            let _ = std::fs::remove_file(desk.path(&format!("{folder}/{frame:06}{kind}.png")));
        }
    }
    let _ = std::fs::remove_file(desk.path(&format!("{name}.mp4")));
}

/// Wherever a run breaks off between painted frames, the pictures that it blended are found again.
#[test]
fn frames_between_painted_ones_are_the_same_after_any_break() {
    let desk = Desk::new();
    let film = format!(
        "{}cadence = 4\noptical_flow_cadence = dis_medium\ncoherence = lab\ndiffusion_redo = 1\n",
        tiny_film(13)
    );
    desk.write("whole.kin", &film);
    desk.write("broken.kin", &film);
    desk.run(&["render", "whole.kin"]).expect(0);
    desk.run(&["render", "broken.kin"]).expect(0);
    assert!(
        desk.path("whole.frames/000004.painted.png").exists(),
        "a blend has its painted picture beside it"
    );
    assert!(!desk.path("whole.frames/000005.painted.png").exists());
    let whole = film_hashes(&desk, "whole");
    for kept in [3, 5, 6, 8, 10] {
        cut_off(&desk, "broken", kept);
        desk.run(&["render", "broken.kin"])
            .expect(0)
            .says(&[&format!("{kept} of 13 frames were there already")]);
        assert_eq!(whole, film_hashes(&desk, "broken"), "broken off behind {kept} frames");
    }
    // A painted picture that was changed is not trusted.
    let other = desk.read("whole.frames/000008.painted.png");
    desk.write("broken.frames/000004.painted.png", other);
    desk.run(&["render", "broken.kin"]).expect(0).says(&["4 of 13 frames were there already"]);
    assert_eq!(whole, film_hashes(&desk, "broken"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_130_and_keeps_what_is_finished() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(40));
    let mut child =
        desk.kinora(&["render", "film.kin"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while desk.frames("film.frames").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "the render ended before it could be interrupted");
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = desk.frames("film.frames").len();
    assert!((1..40).contains(&kept), "{kept}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_batch_interrupts_its_job() {
    let desk = Desk::new();
    desk.write("a.kin", tiny_film(200));
    desk.write("b.kin", tiny_film(1));
    let child = desk
        .kinora(&["batch", "a.kin", "b.kin"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while desk.frames("a.frames").is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ran = common::Ran::from(child.wait_with_output().unwrap()).expect(130);
    assert!(
        ran.stdout.contains("a.kin: interrupted") && ran.stdout.contains("b.kin: not started"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.matches("stopping").count(), 1, "{}", ran.stderr);
    assert!(desk.frames("a.frames").len() < 200);
}

#[test]
fn an_edit_keeps_the_frames_before_it() {
    let desk = Desk::new();
    let film = |late: &str| tiny_film(6).replace("zoom = 1.05", &format!("zoom = 0: 1.05, 4: {late} ~cut"));
    desk.write("film.kin", film("1.1"));
    desk.run(&["render", "film.kin"]).expect(0);
    let first = film_hashes(&desk, "film").0;
    desk.write("film.kin", film("0.9"));
    desk.run(&["render", "film.kin"]).expect(0).says(&["4 of 6 frames were there already"]);
    let second = film_hashes(&desk, "film").0;
    assert_eq!(first[..4], second[..4]);
    assert_ne!(first[4..], second[4..]);
}

#[test]
fn two_renders_of_one_film_do_not_mix() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(40));
    let mut child = desk.kinora(&["render", "film.kin"]).spawn().unwrap();
    while desk.frames("film.frames").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "the first render ended too soon");
        std::thread::sleep(Duration::from_millis(5));
    }
    desk.run(&["render", "film.kin"]).expect(4).says(&["another kinora"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_film_is_the_same_film_from_another_folder() {
    let desk = Desk::new();
    common::picture(&desk.path("start.png"), 64, 64);
    desk.write("film.kin", format!("{}source = init(\"start.png\")\n", tiny_film(2)));
    desk.run(&["render", "film.kin"]).expect(0);
    let whole = desk.path("film.kin");
    desk.run(&["render", &whole.to_string_lossy()]).expect(0).says(&["up to date"]);
}

#[test]
fn a_draft_never_takes_the_place_of_the_film() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(2).replace("64x64", "128x128"));
    desk.run(&["render", "film.kin", "-o", "out.mp4"]).expect(0);
    let before = desk.read("out.frames/000001.png");
    desk.run(&["render", "film.kin", "-o", "out.mp4", "--draft"]).expect(0);
    assert_eq!(before, desk.read("out.frames/000001.png"));
}

#[test]
fn an_unchanged_film_is_not_rendered_twice() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(2));
    desk.run(&["render", "film.kin"]).expect(0);
    let before = film_hashes(&desk, "film");
    desk.run(&["render", "film.kin"]).expect(0).says(&["up to date"]);
    assert_eq!(before, film_hashes(&desk, "film"));
    // A lost video is made again from the frames, without diffusing.
    std::fs::remove_file(desk.path("film.mp4")).unwrap();
    desk.run(&["render", "film.kin"]).expect(0).says(&["2 of 2 frames were there already"]);
    assert_eq!(before, film_hashes(&desk, "film"));
}

#[test]
fn a_listed_frame_is_the_frame_of_the_whole_film() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(4));
    desk.run(&["render", "film.kin"]).expect(0);
    desk.run(&["render", "film.kin", "--frames", "2", "-o", "part.mp4"]).expect(0);
    assert_eq!(desk.frames("part.frames"), ["000000.png", "000001.png", "000002.png"]);
    assert_eq!(desk.read("film.frames/000002.png"), desk.read("part.frames/000002.png"));
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a frame.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let desk = Desk::new();
    let film = tiny_film(4).replace("64x64", "192x192");
    desk.write("film.kin", &film);
    desk.run(&["render", "film.kin", "--frames", "0-1", "-o", "film.mp4"]).expect(0);
    let before: Vec<Vec<u8>> = (0..2).map(|i| desk.read(&format!("film.frames/00000{i}.png"))).collect();
    assert!(before[0].len() > 16_384, "the frames are too small for this test");
    // The signal that the limit sends is ignored, as a full disk sends none.
    let limited = "trap '' XFSZ; ulimit -f 32; exec \"$0\" render film.kin";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_kinora")])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    common::Ran::from(output).expect(4).says(&["000002.png", "hint", "finished frames are kept"]);
    let after: Vec<Vec<u8>> = (0..2).map(|i| desk.read(&format!("film.frames/00000{i}.png"))).collect();
    assert_eq!(before, after);
    assert!(!desk.path("film.frames/000002.part").exists(), "a half-written frame was left behind");
    desk.run(&["render", "film.kin"]).expect(0).says(&["2 of 4 frames were there already"]);
}
