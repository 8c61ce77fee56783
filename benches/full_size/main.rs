//! Full-size models of random weights: that they load and agree, how fast they are beside PyTorch, and what they take.
//!
//! `cargo bench --bench full_size -- COMMAND`, see [`HELP`]. Nothing is done without a command: the files have
//! two to seven gigabytes.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

mod checkpoint;
mod memory;
mod names;
mod quantised;
mod speed;

use std::path::{Path, PathBuf};

use checkpoint::{Model, Precision};

const HELP: &str = "commands:
  write MODEL PRECISION FOLDER   the checkpoint as FOLDER/diffusers and FOLDER/single.safetensors
  memory FOLDER SIDE             one guided step at SIDE pixels: seconds and peak memory beside the files' size
  agree FOLDER SIDE              one step with each layout: the same picture
  speed FOLDER [TASK]            networks beside PyTorch, alternately (KINORA_TORCH=python with torch)
  parts FOLDER [TASK]            seconds of each network alone
  quantised                      q8_0 products beside ours with f16 weights
MODEL is sd15 or sdxl, PRECISION is f16 or f32.";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["write", model, precision, folder] => write(model, precision, Path::new(folder)),
        ["memory", folder, side] => memory::peak(Path::new(folder), side.parse().unwrap()),
        ["agree", folder, side] => memory::agree(Path::new(folder), side.parse().unwrap()),
        ["speed", folder, ref tasks @ ..] => speed::beside_torch(Path::new(folder), tasks),
        ["quantised"] => quantised::measure(),
        ["parts", folder, ref rest @ ..] => speed::parts(Path::new(folder), rest),
        _ => println!("{HELP}"),
    }
}

fn write(model: &str, precision: &str, folder: &Path) {
    let model = if model == "sdxl" { Model::Sdxl } else { Model::Sd15 };
    let precision = if precision == "f32" { Precision::F32 } else { Precision::F16 };
    std::fs::create_dir_all(folder).unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tokenizer = root.join("tests/oracles/diffusion/models/tokenizer_full");
    checkpoint::write_folder(model, precision, &folder.join("diffusers"), &tokenizer).unwrap();
    checkpoint::write_single(model, precision, &folder.join("single.safetensors")).unwrap();
}
