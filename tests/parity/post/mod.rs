//! Data made by running the peers of post-processing.

#![allow(clippy::disallowed_methods, reason = "figures are compared within tolerances")]
#![allow(clippy::unwrap_used, reason = "a panic is a failed case")]

mod deflicker;
mod interp;
mod sha256;

use std::path::Path;

use crate::Case;

/// All cases of the folder.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in entries(folder) {
        let path = folder.join(&name);
        match name.as_str() {
            // Words, tools that made the data, and times of other programs.
            "README.md" | "tools" | "timings.json" => {}
            "deflicker" => cases.extend(deflicker::discover(&path)),
            "interp" => cases.extend(interp::discover(&path)),
            "upscale" | "tinynets" => cases.extend(later(&name, &path)),
            _ => cases.push(Case::unsupported("post/unknown", name, "kinora does not know this data")),
        }
    }
    cases
}

/// Networks that kinora does not run yet.
fn later(kind: &str, folder: &Path) -> Vec<Case> {
    let names = entries(folder).into_iter().filter(|n| !n.ends_with(".safetensors"));
    names.map(|n| Case::unsupported(format!("post/{kind}"), n, "kinora runs no such network yet")).collect()
}

/// Names in a folder, in byte order.
pub fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The JSON of a file.
pub fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
