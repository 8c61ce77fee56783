//! Parseq's prompts: texts of rendered frames, or the prompts of a document with their ranges.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{Document, as_number};
use super::formula::parse;
use super::native::{KnownNames, OF_THE_KEYS, Writer};
use crate::import::bench::Bench;
use crate::import::deforum::spelled_out;
use crate::import::print::{escaped, expression, string};
use crate::import::report::Report;
use crate::import::score::{Group, Line, Value};

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
pub(super) fn document(
    json: &Json,
    document: Option<&Document>,
    bench: &Bench,
    report: &mut Report,
    group: &mut Group,
) {
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
    let mut lets = BTreeMap::new();
    let mut quoted = |text: &String| match document.and_then(|document| with_holes(text, document, &mut lets))
    {
        Some(text) => (format!("\"{text}\""), true),
        None => (string(text), !text.contains("${")),
    };
    let texts: Vec<[(String, bool); 2]> =
        parts.iter().map(|part| [quoted(&part.positive), quoted(&part.negative)]).collect();
    let lets: Vec<String> = lets.into_iter().map(|(name, text)| format!("let {name} = {text}")).collect();
    let is_read =
        |side: usize| texts.iter().all(|sides| bench.texts(&lets, "prompt", &sides[side].0).is_some());
    let are_read = [is_read(0), is_read(1)];
    if texts.iter().flatten().any(|(_, is_said)| !is_said) || are_read.contains(&false) {
        report.leave(
            "prompts",
            "",
            "some formulas in prompts stay as text; render the document in Parseq and import it again to \
             get their values",
        );
    }
    group.lines.extend(lets.into_iter().map(Line::Plain));
    for (side, name) in ["prompt", "negative"].into_iter().enumerate() {
        let own = |index: usize| match are_read[side] {
            true => texts[index][side].0.clone(),
            false => string(if side == 0 { &parts[index].positive } else { &parts[index].negative }),
        };
        if side == 1 && parts.iter().all(|part| part.negative.is_empty()) {
            continue;
        }
        let mut keys: Vec<(f64, String)> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if keys.last().is_none_or(|(_, text)| *text != own(index)) {
                keys.push((part.from, own(index)));
            }
        }
        let value = match keys.as_slice() {
            [] => Value::One("\"\"".to_owned()),
            [(_, text)] => Value::One(text.clone()),
            _ => Value::Keys(keys.iter().map(|(from, text)| format!("{from}: {text}")).collect()),
        };
        group.set(name, value);
        report.carry("prompts", name);
    }
}

/// Fields of a document by the names that `let` gives them in the film.
#[derive(Debug)]
struct Fields<'a>(&'a Document);

impl Fields<'_> {
    fn name_of(field: &str) -> String {
        if field.starts_with("prompt_weight_") { field.to_owned() } else { format!("{field}_value") }
    }
}

impl KnownNames for Fields<'_> {
    fn name(&self, field: &str) -> Option<String> {
        let is_there = self
            .0
            .keyframes
            .iter()
            .any(|(_, map)| map.contains_key(field) || map.contains_key(&format!("{field}_i")));
        (is_there || field.starts_with("prompt_weight_")).then(|| Self::name_of(field))
    }
}

/// The text with the film's holes for Parseq's, escaped; the fields that they name go into `lets`. `None`
/// when a formula has no counterpart.
fn with_holes(text: &str, document: &Document, lets: &mut BTreeMap<String, String>) -> Option<String> {
    let fields = Fields(document);
    let anywhere = document.field("").ok()?;
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}')?;
        out.push_str(&escaped(&rest[..start]));
        let node = parse(&rest[start + 2..end]).ok()?;
        if node.mentions(OF_THE_KEYS) {
            return None;
        }
        let at = anywhere.moment(document.first());
        let native = expression(&Writer { time: "t", at, known: &fields }.write(&node)?)?;
        for field in node.names() {
            if let Some(name) = fields.name(&field).filter(|name| native.contains(name.as_str())) {
                lets.insert(name, document.field(&field).ok()?.as_expression()?);
            }
        }
        out.push_str(&format!("${{{native}}}"));
        rest = &rest[end + 1..];
    }
    out.push_str(&escaped(rest));
    Some(out)
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
