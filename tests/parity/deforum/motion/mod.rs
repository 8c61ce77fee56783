//! Deforum's warps, colours, noise, sharpening and flow.
//!
//! Each folder has an `index.json` with `cases`; every file that a case names is one comparison. A case with a parameter
//! that we do not know is reported as not supported, and so is a folder that nobody reads.

mod data;
mod flow;
mod pictures;
mod warps;

use std::path::Path;

use crate::Case;
use data::Entry;

/// Folders that other files of this test read, or that hold no cases.
const ELSEWHERE: [&str; 3] = ["inputs", "loop", "third-party"];

/// What can be compared for a case of one folder.
type Expand = fn(&Entry) -> Vec<Case>;

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in data::subfolders(folder) {
        let expand: Expand = match name.as_str() {
            "warp2d" => warps::flat,
            "warp3d" => warps::deep,
            "colour" => pictures::colour,
            "noise" => pictures::noise,
            "sharpen" => pictures::sharpen,
            "contrast" => pictures::contrast,
            "flow" => flow::cases,
            other => {
                if !ELSEWHERE.contains(&other) {
                    cases.push(Case::unsupported(
                        format!("deforum/{other}"),
                        other,
                        "no reader for this folder",
                    ));
                }
                continue;
            }
        };
        for entry in data::entries(folder, &name) {
            cases.extend(entry.unknown().unwrap_or_else(|| expand(&entry)));
        }
    }
    cases
}
