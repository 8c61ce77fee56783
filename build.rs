//! Writes the lists of files that are compiled into the program: everything below `presets/models` that a
//! model is loaded from, so a better model is a matter of copying its folder, and the `.kin` files of
//! `presets`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Files that lie beside a model for people and tests.
const NOT_EMBEDDED: [&str; 3] = ["README.md", "LICENSE", "oracle.safetensors"];

fn main() {
    let presets = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("presets");
    models(&presets.join("models"));
    films(&presets);
}

fn models(root: &Path) {
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(root, &mut files);
    files.sort();
    let mut list = String::from("/// Path below `presets/models` and content of every embedded file.\n");
    list.push_str("static EMBEDDED: &[(&str, &[u8])] = &[\n");
    for file in &files {
        let name =
            file.strip_prefix(root).expect("found below the root").to_string_lossy().replace('\\', "/");
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())
            .expect("a string");
    }
    write("embedded.rs", list);
}

fn films(root: &Path) {
    println!("cargo::rerun-if-changed={}", root.display());
    let entries = std::fs::read_dir(root).expect("the folder of presets");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "kin"));
    files.sort();
    let mut list = String::from("/// Name and text of every preset.\n");
    list.push_str("static PRESETS: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writeln!(list, "    (\"presets/{name}\", include_str!({:?})),", file.display().to_string())
            .expect("a string");
    }
    write("presets.rs", list);
}

fn write(name: &str, mut list: String) {
    list.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join(name);
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
