//! Parseq's prompts: texts of rendered frames, or the prompts of a document with their ranges.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{Document, as_number};
use super::formula::parse;
use super::native::{KnownNames, OF_THE_KEYS, Writer};
use crate::import::bench::Bench;
use crate::import::deforum::spelled_out;
use crate::import::fade::{self, FadeKey, Mix};
use crate::import::print::{escaped, expression, string};
use crate::import::report::Report;
use crate::import::score::{Group, Line, Value};

/// Parseq writes weights with four digits.
const WEIGHTS: f64 = 5e-5;

/// `positive --neg negative` for each frame, as the lines `prompt` and `negative`.
pub(in crate::import) fn write(texts: &[String], bench: &Bench, report: &mut Report, group: &mut Group) {
    let side = |text: &String, negative: bool| {
        let (a, b) = text.split_once("--neg").unwrap_or((text, ""));
        (if negative { b } else { a }).trim().to_owned()
    };
    let mut is_faded = false;
    for (name, is_negative) in [("prompt", false), ("negative", true)] {
        let texts: Vec<String> = texts.iter().map(|text| side(text, is_negative)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        if name == "prompt" || texts.iter().any(|text| !text.is_empty()) {
            let value = rendered(&texts, name, bench, report);
            is_faded |= fade::is_faded(&value);
            group.set(name, value);
        }
    }
    blended(is_faded, group);
}

/// The texts of the frames; those that Parseq mixed of two by weight as fades, where they are straight.
fn rendered(texts: &[&str], name: &str, bench: &Bench, report: &mut Report) -> Value {
    let mixes: Vec<Mix> = texts.iter().map(|text| fade::parseq(text)).collect();
    if mixes.iter().all(|mix| mix.len() == 1) {
        return spelled_out(texts);
    }
    let value = fade::keys(&mixes, string).map(|keys| fade::value(&keys));
    let exact = value.filter(|value| fade::difference(bench, &[], value, &mixes, WEIGHTS) == Ok(None));
    exact.unwrap_or_else(|| {
        let why = format!("weights of prompts that overlap: `{name}` has them as text, with AND between");
        report.leave("deforum_prompt", "", why);
        spelled_out(texts)
    })
}

fn blended(is_faded: bool, group: &mut Group) {
    if is_faded {
        group.noted("prompt.blend", Value::One("composed".to_owned()), "the web UI's AND, with weights");
    }
}

/// A prompt and the frames it is there for.
struct Part {
    positive: String,
    negative: String,
    from: f64,
    to: f64,
    /// Frames over which its weight goes up, and down again; `None` when it has no linear fades.
    fades: Option<(f64, f64)>,
}

impl Part {
    /// Whether it overlaps the next one, and is not the one that both come from.
    fn overlaps(&self, next: &Self) -> bool {
        self.to >= next.from
    }

    /// Whether it passes straight into the next one where they overlap: the one's weight goes down by as much
    /// as the other's goes up, from the first frame of the overlap to the last.
    fn passes_into(&self, next: &Self) -> bool {
        let (Some((up, down)), Some((next_up, next_down))) = (self.fades, next.fades) else { return false };
        let length = self.to - next.from;
        length > 0.0
            && down == length
            && next_up == length
            && self.from + up <= next.from
            && next.to - next_down >= self.to
    }
}

/// The prompts of a document. Each stays until the next begins, or passes straight into it; other weights
/// where they overlap have no counterpart.
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
    let is_open = |pair: &[Part]| pair[0].overlaps(&pair[1]) && !pair[0].passes_into(&pair[1]);
    let more_than_two = parts.windows(3).any(|three| three[0].overlaps(&three[2]));
    let is_faded = !more_than_two && !parts.windows(2).any(is_open);
    if !is_faded {
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
    let mut any_fade = false;
    for (side, name) in ["prompt", "negative"].into_iter().enumerate() {
        let own = |index: usize| match are_read[side] {
            true => texts[index][side].0.clone(),
            false => string(if side == 0 { &parts[index].positive } else { &parts[index].negative }),
        };
        if side == 1 && parts.iter().all(|part| part.negative.is_empty()) {
            continue;
        }
        let mut keys: Vec<FadeKey> = Vec::new();
        let mut add = |time: f64, text, fades| keys.push(FadeKey { time: time.to_string(), text, fades });
        for (index, part) in parts.iter().enumerate() {
            match index.checked_sub(1).filter(|before| is_faded && parts[*before].overlaps(part)) {
                None => add(part.from, own(index), false),
                Some(before) => {
                    add(part.from, own(before), false);
                    add(parts[before].to, own(index), true);
                }
            }
        }
        let value = fade::value(&keys);
        any_fade |= fade::is_faded(&value);
        group.set(name, value);
        report.carry("prompts", name);
    }
    blended(any_fade, group);
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
        return vec![Part { positive, negative, from: 0.0, to: last, fades: None }];
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
                fades: fades(part).filter(|_| !is_always),
            }
        })
        .collect()
}

/// How long the linear fades of a prompt are; a length that is absent is 0.
fn fades(part: &Json) -> Option<(f64, f64)> {
    let overlap = part.get("overlap")?;
    let frames = |key: &str| overlap.get(key).and_then(as_number).unwrap_or(0.0);
    let is_linear = overlap.get("type").and_then(Json::as_str) == Some("linear");
    is_linear.then(|| (frames("inFrames"), frames("outFrames")))
}

/// Parseq makes blanks of line breaks.
fn flat(text: &str) -> String {
    text.replace('\n', " ").trim().to_owned()
}
