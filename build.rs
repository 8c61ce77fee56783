//! Writes the list of model files that are compiled into the program: everything below
//! `presets/models` that a model is loaded from, so a better model is a matter of copying its folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Files that lie beside a model for people and tests.
const NOT_EMBEDDED: [&str; 3] = ["README.md", "LICENSE", "oracle.safetensors"];

fn main() {
    let root =
        PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("presets/models");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut list = String::from("/// Path below `presets/models` and content of every embedded file.\n");
    list.push_str("static EMBEDDED: &[(&str, &[u8])] = &[\n");
    for file in &files {
        let name =
            file.strip_prefix(&root).expect("found below the root").to_string_lossy().replace('\\', "/");
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())
            .expect("a string");
    }
    list.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    std::fs::write(out, list).expect("the build folder is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files);
        } else if !NOT_EMBEDDED.contains(&name.as_str()) && !name.starts_with('.') {
            files.push(path);
        }
    }
}
