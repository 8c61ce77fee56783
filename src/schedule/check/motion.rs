//! A camera is moved by a path or by amounts per frame, not by both.

use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::{Film, Setting, Settings};

/// What gives the camera's pose, and what that leaves no room for.
const CLASHES: [(&str, &[&str], &str); 4] = [
    ("camera.position", MOTION, "the path says where the camera is: leave the amount per frame out"),
    ("camera.look", MOTION, "the direction says how the camera is turned: leave the amount per frame out"),
    ("camera.target", TURNS, "the point says how the camera is turned: leave the other out"),
    ("camera.fov", &["fov"], "`camera.fov` zooms, Deforum's `fov` only scales the motion: give one of them"),
];

const TURNS: &[&str] = &[
    "camera.look",
    "translation_x",
    "translation_y",
    "translation_z",
    "rotation_3d_x",
    "rotation_3d_y",
    "rotation_3d_z",
];

const MOTION: &[&str] =
    &["translation_x", "translation_y", "translation_z", "rotation_3d_x", "rotation_3d_y", "rotation_3d_z"];

/// Settings in force together that both say how the camera moves, each pair once.
pub(super) fn clashes(film: &Film) -> Vec<Diagnostic> {
    let none = Settings::new();
    let scenes: Vec<&Settings> = match film.scenes.as_slice() {
        [] => vec![&none],
        scenes => scenes.iter().map(|scene| &scene.settings).collect(),
    };
    let mut found: Vec<Diagnostic> = Vec::new();
    for scene in scenes {
        let set = |name: &str| scene.get(name).or_else(|| film.settings.get(name));
        for (name, others, hint) in CLASHES {
            let Some(pose) = set(name) else { continue };
            for clash in others.iter().filter_map(|other| set(other)).map(|other| clash(pose, other, hint)) {
                if !found.contains(&clash) {
                    found.push(clash);
                }
            }
        }
    }
    found
}

fn clash(pose: &Setting, other: &Setting, hint: &str) -> Diagnostic {
    let message = format!("`{}` and `{}` both move the camera", pose.param.name, other.name.text);
    Diagnostic::error("E54", message, other.name.span)
        .also(pose.name.span, "the camera's pose is given here")
        .hint(hint)
}
