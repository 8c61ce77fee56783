//! Parity with the peers: every case of data made by running them (Deforum, diffusers, k-diffusion,
//! transformers, ffmpeg), found by the manifests in a folder.
//!
//! The folder is `tests/oracles`, or what `KINORA_ORACLES` names; it has the subfolders `deforum`,
//! `diffusion` and `post`, of which any may be absent. With `KINORA_ORACLES_STRICT=1` a kind of data
//! that kinora does not know, or does not support yet, is a failure. Arguments that do not begin
//! with `-` select the cases whose `kind/name` contains one of them.

mod deforum;
mod diffusion;
mod post;
#[path = "../import/round_trip.rs"]
mod round_trip;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rayon::prelude::*;

/// One comparison with a peer.
pub struct Case {
    /// Which data it belongs to: `deforum/warp2d`.
    pub kind: String,
    /// The case's own name in its manifest.
    pub name: String,
    /// Does the work. A panic counts as a failure.
    pub run: Box<dyn Fn() -> Verdict + Send + Sync>,
}

impl Case {
    /// A case of `kind` called `name`.
    pub fn new(
        kind: impl Into<String>,
        name: impl Into<String>,
        run: impl Fn() -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { kind: kind.into(), name: name.into(), run: Box::new(run) }
    }

    /// Stands for data of a kind that is known but not supported, or not known at all.
    pub fn unsupported(kind: impl Into<String>, name: impl Into<String>, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(kind, name, move || Verdict::Unsupported(why.clone()))
    }
}

/// What came of a case.
pub enum Verdict {
    /// The largest error, in the unit of the limit. NaN passes nothing: see [`within`].
    Pass {
        /// Largest difference found.
        error: f64,
        /// Largest difference allowed.
        limit: f64,
    },
    /// What differs, with the numbers.
    Fail(String),
    /// The data is of a kind that kinora does not handle yet.
    Unsupported(String),
}

/// Passes when `error <= limit` (a NaN never does).
pub fn within(error: f64, limit: f64) -> Verdict {
    if error <= limit {
        Verdict::Pass { error, limit }
    } else {
        Verdict::Fail(format!("largest error {error:.3e}, allowed {limit:.3e}"))
    }
}

/// The folder with the peers' data.
fn root() -> PathBuf {
    std::env::var_os("KINORA_ORACLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles"), PathBuf::from)
}

/// All cases below `root`; an absent subfolder is reported and skipped.
fn discover(root: &Path) -> Vec<Case> {
    type Discover = fn(&Path) -> Vec<Case>;
    let rooms: [(&str, Discover); 3] =
        [("deforum", deforum::discover), ("diffusion", diffusion::discover), ("post", post::discover)];
    let mut cases = Vec::new();
    for (name, discover) in rooms {
        let folder = root.join(name);
        if folder.is_dir() {
            cases.extend(discover(&folder));
        } else if std::env::var_os("KINORA_ORACLES").is_none() {
            // Our own copy of the data is complete: what is missing there is a mistake.
            let missing = format!("no folder {}", folder.display());
            cases.push(Case::new(name, "folder", move || Verdict::Fail(missing.clone())));
        } else {
            println!("skipped: no folder {}", folder.display());
        }
    }
    cases
}

/// Runs a case; a panic becomes a failure with its message.
fn run(case: &Case) -> Verdict {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)())).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_default();
        Verdict::Fail(format!("panicked: {message}"))
    })
}

#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    unsupported: usize,
}

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let strict = std::env::var_os("KINORA_ORACLES_STRICT").is_some_and(|v| v == "1");
    let root = root();
    println!("parity with the data in {}", root.display());
    let mut cases = discover(&root);
    cases.retain(|case| {
        let full = format!("{}/{}", case.kind, case.name);
        filters.is_empty() || filters.iter().any(|f| full.contains(f.as_str()))
    });
    std::panic::set_hook(Box::new(|_| {}));
    let verdicts: Vec<Verdict> = cases.par_iter().map(run).collect();
    let mut totals: BTreeMap<&str, Totals> = BTreeMap::new();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        let total = totals.entry(&case.kind).or_default();
        let name = format!("{}/{}", case.kind, case.name);
        match verdict {
            Verdict::Pass { error, limit } => {
                total.passed += 1;
                println!("pass         {name}: largest error {error:.3e} of {limit:.3e}");
            }
            Verdict::Fail(why) => {
                total.failed += 1;
                println!("FAIL         {name}: {why}");
            }
            Verdict::Unsupported(why) => {
                total.unsupported += 1;
                println!("unsupported  {name}: {why}");
            }
        }
    }
    println!("\n{:<36} {:>7} {:>7} {:>18}", "kind", "passed", "failed", "not supported yet");
    let mut bad = 0;
    for (kind, total) in &totals {
        println!("{kind:<36} {:>7} {:>7} {:>18}", total.passed, total.failed, total.unsupported);
        bad += total.failed + if strict { total.unsupported } else { 0 };
    }
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
