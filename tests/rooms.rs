//! Which room may know which: reads every `crate::` path in `src` and fails on anything that the table in
//! `src/lib.rs` does not allow.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Room → rooms it may use, out of the table in `src/lib.rs`. `error` is free to all.
fn allowed() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let table: BTreeMap<String, Vec<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            let may = cells.last().unwrap().split(", ").map(str::to_owned).collect();
            (cells[0].trim_end_matches('`').to_owned(), may)
        })
        .collect();
    assert!(table.len() > 10, "the table in src/lib.rs was not understood");
    table
}

/// Rooms that wire the others together and hold no algorithm.
const WIRING: [&str; 4] = ["cli", "run", "lib", "main"];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The room a file belongs to: the first part of its path below `src`.
fn room(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Rooms of pixels and models, which know nothing of time but a frame's plain numbers.
const OUTSIDE_TIME: [&str; 3] = ["camera", "colour", "noise"];

/// Rooms named in `crate::room` paths, groups such as `crate::{canvas, error}` included.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = &group[..group.find("};").unwrap_or(group.len())];
            let mut depth = 0;
            for part in group.split_inclusive([',', '{', '}']) {
                let word = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
                if depth == 0 && !word.is_empty() {
                    used.insert(word.split("::").next().unwrap().to_owned());
                }
                depth += part.matches('{').count() as i32 - part.matches('}').count() as i32;
            }
        } else {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.insert(name);
        }
    }
    used
}

#[test]
fn rooms_know_only_what_the_architecture_allows() {
    let allowed = allowed();
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let rooms: BTreeSet<String> = files.iter().map(|f| room(f)).collect();
    let mut wrong = Vec::new();
    for file in &files {
        let own = room(file);
        if WIRING.contains(&own.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(own.as_str()) else {
            wrong.push(format!("{}: room `{own}` is not in the table", file.display()));
            continue;
        };
        for used in rooms_used(&std::fs::read_to_string(file).unwrap()) {
            let free = used == own || used == "error" || !rooms.contains(&used);
            if !free && !may.contains(&used) {
                wrong.push(format!("{}: room `{own}` must not know `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_of_pixels_know_only_the_numbers_of_a_frame() {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files.iter().filter(|file| OUTSIDE_TIME.contains(&room(file).as_str())) {
        let text = std::fs::read_to_string(file).unwrap();
        let uses = text.matches("crate::timeline::").count();
        assert_eq!(uses, text.matches("crate::timeline::frame::").count(), "{}", file.display());
    }
}

#[test]
fn only_their_rooms_know_the_big_libraries() {
    // Library → rooms in which its name may stand.
    let homes: [(&str, &[&str]); 4] = [
        ("ffmpeg_next", &["encode"]),
        ("clap", &["cli", "main"]),
        ("indicatif", &["progress"]),
        ("candle_core", &["models", "kernels", "depth", "diffusion", "run"]),
    ];
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (library, rooms) in homes {
            let home = rooms.contains(&room(&file).as_str());
            assert!(home || !text.contains(&format!("{library}::")), "{} knows {library}", file.display());
        }
    }
}

#[test]
fn the_picture_in_lib_names_every_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let picture: String = std::fs::read_to_string(root.join("src/lib.rs"))
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("//!"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    for name in files.iter().map(|f| room(f)).filter(|r| r != "lib" && r != "main") {
        assert!(picture.contains(&format!("`{name}`")), "src/lib.rs does not say what `{name}` is");
    }
}
