//! Schedules, seeds, prompts and settings. Numbers agree to 1e-9 relative (1e-9 absolute near 0): the
//! peers' mathematics library rounds differently in the last bits. Splines agree to 1e-6.

use std::path::Path;

use kinora::schedule::deforum::Mode;
use kinora::schedule::span::Span;
use kinora::timeline::deforum::interpolate::Method;
use kinora::timeline::deforum::{Clip, expand, expand_integers, expand_text, expand_with};
use kinora::timeline::seeds::{SeedBehaviour, SeedSequence};
use serde_json::Value;

use crate::{Case, Verdict, within};

const RELATIVE: f64 = 1e-9;

/// All cases of the folder that this file knows.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in ["schedules.json", "third-party/schedules.json"] {
        cases.extend(list(folder, file, "cases").into_iter().map(schedule_case));
    }
    cases.extend(list(folder, "seeds.json", "cases").into_iter().enumerate().map(|(i, c)| seed_case(i, c)));
    cases
}

/// The array `key` of a JSON file; nothing when there is no such file, one case that fails when it
/// cannot be read.
fn list(folder: &Path, file: &str, key: &str) -> Vec<Value> {
    let Some(data) = read(&folder.join(file)) else {
        return Vec::new();
    };
    data[key].as_array().unwrap_or_else(|| panic!("{file} has no list {key}")).clone()
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

fn name_of(case: &Value) -> String {
    case["name"].as_str().unwrap_or("unnamed").to_owned()
}

/// A number, or the name of one that JSON does not have.
fn number(v: &Value) -> f64 {
    match v.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => v.as_f64().unwrap_or_else(|| panic!("no number: {v}")),
    }
}

/// The difference in units of `1e-9 max(|expected|, 1)`, or of the limit of the method.
fn difference(found: f64, expected: f64) -> f64 {
    if found == expected || (found.is_nan() && expected.is_nan()) {
        return 0.0;
    }
    let error = (found - expected).abs() / expected.abs().max(1.0);
    if error.is_nan() { f64::INFINITY } else { error }
}

fn compare(found: &[f64], expected: &[f64], limit: f64) -> Verdict {
    if found.len() != expected.len() {
        return Verdict::Fail(format!("{} values, expected {}", found.len(), expected.len()));
    }
    let worst = found
        .iter()
        .zip(expected)
        .enumerate()
        .map(|(i, (f, e))| (difference(*f, *e), i))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((0.0, 0));
    match within(worst.0, limit) {
        Verdict::Fail(why) => {
            let i = worst.1;
            Verdict::Fail(format!("{why} at frame {i}: {} instead of {}", found[i], expected[i]))
        }
        verdict => verdict,
    }
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().expect("a list of values").iter().map(number).collect()
}

fn texts(values: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    values.as_array().expect("a list of values").iter().map(text).collect()
}

/// The part of a text that fits a line of the report.
fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

fn schedule_case(case: Value) -> Case {
    let kind = format!("deforum/schedules-{}", case["kind"].as_str().unwrap_or("unknown"));
    let known = [
        "name",
        "kind",
        "text",
        "max_frames",
        "seed",
        "values",
        "error",
        "note",
        "method",
        "integer",
        "key",
        "source",
        "string_schedule",
        "accepted_by_numexpr_2_14",
    ];
    if let Some(key) = unknown_key(&case, &known) {
        return Case::unsupported(kind, name_of(&case), format!("unknown key {key}"));
    }
    Case::new(kind, name_of(&case), move || run_schedule(&case))
}

fn unknown_key(case: &Value, known: &[&str]) -> Option<String> {
    case.as_object()?.keys().find(|k| !known.contains(&k.as_str())).cloned()
}

fn run_schedule(case: &Value) -> Verdict {
    let text = case["text"].as_str().expect("a text");
    let frames = u32::try_from(case["max_frames"].as_u64().expect("a count")).expect("32 bits");
    let seed = case["seed"].as_i64().expect("a seed");
    if case["string_schedule"] == Value::Bool(true) {
        return run_texts(case, expand_text(text, frames, seed, Mode::Compat).map_err(|e| e.to_string()));
    }
    let (method, limit) = match case["method"].as_str() {
        None => (Method::Linear, RELATIVE),
        Some("Linear") => (Method::Linear, RELATIVE),
        Some("Quadratic") => (Method::Quadratic, 1e-6),
        Some("Cubic") => (Method::Cubic, 1e-6),
        Some(other) => return Verdict::Unsupported(format!("method {other}")),
    };
    let result = if case["integer"] == Value::Bool(true) {
        expand_integers(text, frames, seed, Mode::Compat).map(|v| v.into_iter().map(|v| v as f64).collect())
    } else {
        expand_with(text, Span::default(), &Clip::new(frames, seed, Mode::Compat), method)
    };
    let result = result.map_err(|e| e.to_string());
    match labelled(run_numbers(case, &result, limit), text) {
        // Accepting what Deforum refuses must not change what it accepts.
        Verdict::Pass { error, limit } if result.is_ok() && case["method"].is_null() => {
            match expand(text, frames, seed, Mode::Lenient) {
                _ if case["integer"] == Value::Bool(true) => Verdict::Pass { error, limit },
                Ok(lenient) => labelled(compare(&lenient, &result.unwrap_or_default(), 0.0), text),
                Err(e) => Verdict::Fail(format!("refused by the lenient reading: {e}")),
            }
        }
        verdict => verdict,
    }
}

fn labelled(verdict: Verdict, text: &str) -> Verdict {
    match verdict {
        Verdict::Fail(why) => Verdict::Fail(format!("{why}; {}", short(text))),
        other => other,
    }
}

/// Values where the peer has values, any error where it has one. Where only the newer numexpr has values,
/// those are expected.
fn run_numbers(case: &Value, result: &Result<Vec<f64>, String>, limit: f64) -> Verdict {
    let values = if case["values"].is_array() { &case["values"] } else { &case["accepted_by_numexpr_2_14"] };
    match (result, values.is_array()) {
        (Ok(found), true) => compare(found, &numbers(values), limit),
        (Err(_), false) => Verdict::Pass { error: 0.0, limit },
        (Ok(found), false) => Verdict::Fail(format!("no error but {:?}", &found[..found.len().min(4)])),
        (Err(why), true) => Verdict::Fail(format!("error: {why}")),
    }
}

fn run_texts(case: &Value, result: Result<Vec<String>, String>) -> Verdict {
    match (result, case["values"].is_array()) {
        (Ok(found), true) if found == texts(&case["values"]) => Verdict::Pass { error: 0.0, limit: 0.0 },
        (Err(_), false) => Verdict::Pass { error: 0.0, limit: 0.0 },
        (found, _) => Verdict::Fail(format!("{found:?} instead of {}", short(&case["values"].to_string()))),
    }
}

fn seed_case(index: usize, case: Value) -> Case {
    let behaviour = case["behavior"].as_str().unwrap_or("unknown").to_owned();
    let every = u32::try_from(case["iter_N"].as_u64().unwrap_or(1)).expect("32 bits");
    let name = format!("{index:02}-{behaviour}-{}-{every}", case["start"]);
    let Some(kind) = SeedBehaviour::from_deforum(&behaviour, every) else {
        return Case::unsupported("deforum/seeds", name, format!("behaviour {behaviour}"));
    };
    Case::new("deforum/seeds", name, move || {
        let start = case["start"].as_i64().expect("a start seed");
        let expected: Vec<i64> =
            case["seeds"].as_array().expect("seeds").iter().map(|v| v.as_i64().expect("a seed")).collect();
        let sequence = SeedSequence::new(start, kind);
        let found: Vec<i64> = (0..expected.len() as u64).map(|i| sequence.seed(i)).collect();
        // The peer's random seeds come from an unseeded generator; determined are the first seed and
        // the range.
        let same = if kind == SeedBehaviour::Random {
            found.first() == expected.first() && found[1..].iter().all(|s| (0..1_i64 << 32).contains(s))
        } else {
            found == expected
        };
        if same {
            Verdict::Pass { error: 0.0, limit: 0.0 }
        } else {
            Verdict::Fail(format!("{found:?} instead of {expected:?}"))
        }
    })
}
