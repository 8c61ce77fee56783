//! Parseq's prompts: texts of rendered frames, or the prompts of a document with their ranges.

use serde_json::Value as Json;

use super::document::as_number;
use crate::import::bench::Bench;
use crate::import::deforum::spelled_out;
use crate::import::print::string;
use crate::import::report::Report;
use crate::import::score::{Group, Value};

/// `positive --neg negative` for each frame, as the lines `prompt` and `negative`.
pub(in crate::import) fn write(texts: &[String], group: &mut Group) {
    let side = |text: &String, negative: bool| {
        let (a, b) = text.split_once("--neg").unwrap_or((text, ""));
        (if negative { b } else { a }).trim().to_owned()
    };
    for (name, is_negative) in [("prompt", false), ("negative", true)] {
        let texts: Vec<String> = texts.iter().map(|text| side(text, is_negative)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if name == "prompt" || texts.iter().any(|text| !text.is_empty()) {
            group.set(name, spelled_out(&texts));
        }
    }
}

/// A prompt and the frames it is there for.
struct Part {
    positive: String,
    negative: String,
    from: f64,
    to: f64,
}

/// The prompts of a document. Each stays until the next begins; weights where they overlap have no
/// counterpart.
pub(super) fn document(json: &Json, bench: &Bench, report: &mut Report, group: &mut Group) {
    let last = f64::from(bench.frames) - 1.0;
    let mut parts = parts(json, last);
    parts.sort_by(|a, b| a.from.total_cmp(&b.from));
    if parts.windows(2).any(|pair| pair[0].to > pair[1].from) {
        report.leave(
            "prompts",
            "",
            "weights of prompts that overlap: each prompt stays until the next begins",
        );
    }
    let has_holes = parts.iter().any(|part| part.positive.contains("${") || part.negative.contains("${"));
    if has_holes {
        report.leave(
            "prompts",
            "",
            "formulas in prompts stay as text; render the document in Parseq and import it again to get their values",
        );
    }
    for name in ["prompt", "negative"] {
        let side = |part: &Part| if name == "prompt" { part.positive.clone() } else { part.negative.clone() };
        if name == "negative" && parts.iter().all(|part| side(part).is_empty()) {
            continue;
        }
        let mut keys: Vec<(f64, String)> = Vec::new();
        for part in &parts {
            if keys.last().is_none_or(|(_, text)| *text != side(part)) {
                keys.push((part.from, side(part)));
            }
        }
        let value = match keys.as_slice() {
            [] => Value::One("\"\"".to_owned()),
            [(_, text)] => Value::One(string(text)),
            _ => Value::Keys(keys.iter().map(|(from, text)| format!("{from}: {}", string(text))).collect()),
        };
        group.set(name, value);
        report.carry("prompts", name);
    }
}

/// The three forms that documents have had: one prompt, a list, a list with a common part.
fn parts(json: &Json, last: f64) -> Vec<Part> {
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    if json.get("enabled") == Some(&Json::Bool(false)) {
        return Vec::new();
    }
    let list = json.get("promptList").and_then(Json::as_array).or(json.as_array());
    let Some(list) = list else {
        let (positive, negative) = (flat(&text(json, "positive")), flat(&text(json, "negative")));
        return vec![Part { positive, negative, from: 0.0, to: last }];
    };
    let common = json.get("commonPrompt").cloned().unwrap_or(Json::Null);
    let with_common = |own: String, key: &str| {
        let common = text(&common, key);
        flat(&if common.is_empty() { own } else { format!("{own} {common}") })
    };
    list.iter()
        .map(|part| {
            let is_always = part.get("allFrames") == Some(&Json::Bool(true));
            let at = |key: &str, default| part.get(key).and_then(as_number).unwrap_or(default);
            Part {
                positive: with_common(text(part, "positive"), "positive"),
                negative: with_common(text(part, "negative"), "negative"),
                from: if is_always { 0.0 } else { at("from", 0.0).trunc().clamp(0.0, last) },
                to: if is_always { last } else { at("to", last) },
            }
        })
        .collect()
}

/// Parseq makes blanks of line breaks.
fn flat(text: &str) -> String {
    text.replace('\n', " ").trim().to_owned()
}
