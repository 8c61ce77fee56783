//! Models by name: model folders of the web UI and of ComfyUI, on the command line, in the environment and in
//! the config file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{Desk, root};

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A desk with a film that names `model`, and the embedded model as `webui/models/Stable-diffusion/Tiny One`.
fn desk(model: &str) -> Desk {
    let desk = Desk::new();
    desk.write("film.kin", format!("kinora 1\nframes = 1\nprompt = \"a lamp\"\nmodel = \"{model}\"\n"));
    copy(
        &root().join("presets/models/kinora-tiny"),
        &desk.path("webui/models/Stable-diffusion/sets/Tiny One"),
    );
    desk
}

#[test]
fn a_model_folder_is_named_on_the_command_line_in_the_environment_and_in_the_config_file() {
    let desk = desk("tiny one");
    let refused = desk.run(&["check", "film.kin"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("E67"), "{refused:?}");
    assert_eq!(desk.run(&["check", "film.kin", "--models-dir", "webui"]).code, Some(0));
    assert_eq!(desk.run(&["--models-dir", "webui", "check", "film.kin"]).code, Some(0));
    let listed = std::env::join_paths(["elsewhere", "webui"]).unwrap();
    let mut command = desk.kinora(&["check", "film.kin"]);
    assert!(command.env("KINORA_MODELS", listed).status().unwrap().success());
    desk.write("home/kinora/config.json", r#"{ "models": ["../../webui"] }"#);
    let mut command = desk.kinora(&["check", "film.kin"]);
    assert!(command.env("XDG_CONFIG_HOME", desk.path("home")).status().unwrap().success());
}

#[test]
fn a_film_is_rendered_with_a_model_of_the_library() {
    let desk = desk("sets/Tiny One");
    let ran = desk.run(&["render", "film.kin", "--draft", "--models-dir", "webui"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let plan = desk.run(&["plan", "film.kin", "--models-dir", "webui"]);
    assert!(plan.stdout.contains("Tiny One"), "{plan:?}");
}

#[test]
fn a_near_name_is_offered_and_two_models_of_one_name_are_named() {
    let desk = desk("tiny ono");
    let near = desk.run(&["check", "film.kin", "--models-dir", "webui"]);
    assert!(near.stderr.contains("did you mean `sets/Tiny One`?"), "{near:?}");
    let desk = self::desk("tiny one");
    copy(&desk.path("webui/models/Stable-diffusion/sets"), &desk.path("comfy/models/checkpoints/more"));
    let both = desk.run(&["check", "film.kin", "--models-dir", "webui", "--models-dir", "comfy"]);
    assert_eq!(both.code, Some(1), "{both:?}");
    for place in ["sets/Tiny One", "more/Tiny One"] {
        assert!(both.stderr.contains(place), "{both:?}");
    }
}

#[test]
fn what_is_no_folder_is_refused() {
    let desk = desk("kinora-tiny");
    let missing = desk.run(&["check", "film.kin", "--models-dir", "nowhere"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("nowhere"), "{missing:?}");
    desk.write("home/kinora/config.json", "models = []");
    let mut command = desk.kinora(&["check", "film.kin"]);
    let broken = command.env("XDG_CONFIG_HOME", desk.path("home")).output().unwrap();
    assert_eq!(broken.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("config.json"));
}
