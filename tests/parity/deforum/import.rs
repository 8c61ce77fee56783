//! Settings files of other people, imported: every schedule that the film gives back is Deforum's own
//! expansion, within 1e-9 relative (1e-9 absolute near 0), the limit of the schedules themselves.

use std::path::Path;

use kinora::import::import;
use kinora::timeline::deforum::settings::Series;
use serde_json::Value;

use crate::round_trip::{difference, series};
use crate::{Case, Verdict, within};

const LIMIT: f64 = 1e-9;

/// Every settings file with expectations beside it.
pub fn discover(folder: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(folder.join("third-party/settings")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let Some(name) = file.strip_suffix(".expected.json") else { continue };
        cases.push(Case::new("deforum/import", name, move || run(&path)));
    }
    cases
}

fn run(path: &Path) -> Verdict {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("a readable file")).expect("JSON");
    let file = path.with_file_name(expected["file"].as_str().expect("a file"));
    let imported = match import(
        &file,
        &std::fs::read(&file).expect("the settings file beside it"),
        None,
        Path::new("/nowhere"),
    ) {
        Ok(imported) => imported,
        Err(error) => return Verdict::Fail(error.to_string()),
    };
    if let Some(wrong) = imported.report.errors.first() {
        return Verdict::Fail(format!("{}: {}", wrong.key, wrong.message));
    }
    let seed = expected["seed_used"].as_i64().expect("a seed");
    let found = match series(&imported.film, seed) {
        Ok(found) => found,
        Err(error) => return Verdict::Fail(format!("the film that was written: {error}")),
    };
    let mut worst = 0.0_f64;
    for (name, found) in found {
        let wanted = &expected["anim_keys"][name];
        let (error, place) = difference(&found, &wanted_series(wanted, &found));
        if error > LIMIT {
            return Verdict::Fail(format!("{name}: {place}"));
        }
        worst = worst.max(error);
    }
    within(worst, LIMIT)
}

/// `{"constant": v, "frames": n}` or `{"values": [...]}`, as long as what was found.
fn wanted_series(wanted: &Value, found: &Series) -> Series {
    let number = |value: &Value| match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().expect("a number"),
    };
    let values: Vec<Value> = match &wanted["values"] {
        Value::Array(values) => values.clone(),
        _ => vec![wanted["constant"].clone(); wanted["frames"].as_u64().expect("a count") as usize],
    };
    match found {
        Series::Numbers(_) => Series::Numbers(values.iter().map(number).collect()),
        Series::Texts(_) => {
            Series::Texts(values.iter().map(|v| v.as_str().expect("a text").to_owned()).collect())
        }
    }
}
