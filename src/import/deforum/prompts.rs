//! Deforum's prompts as two lines of the film, `prompt` and `negative`.

use super::{Deforum, blend};
use crate::import::print::{escaped, expression, string};
use crate::import::score::{Group, Value};
use crate::schedule::deforum::python;
use crate::schedule::span::Span;
use crate::timeline::deforum::prompts::{FramePrompt, PromptMode, PromptSeries};

/// A key prompt, taken apart.
struct Part {
    time: String,
    frame: i64,
    /// With the film's holes in place of back-quotes, escaped.
    positive: String,
    negative: String,
}

pub(super) fn write(deforum: &mut Deforum<'_>, group: &mut Group) {
    let settings = deforum.settings;
    let Some(prompts) = &settings.prompts else {
        group.comment("The file has no prompts.");
        group.one("prompt", "\"\"");
        return;
    };
    let mode = match deforum.word("animation_mode").as_str() {
        "Interpolation" => PromptMode::Blend,
        _ => PromptMode::Hold,
    };
    let (frames, seed) = (deforum.bench.frames, deforum.bench.seed);
    let series = PromptSeries::new(prompts, &settings.positive, &settings.negative, mode, frames, seed);
    let wanted =
        series.and_then(|series| (0..frames).map(|frame| series.at(frame)).collect::<Result<Vec<_>, _>>());
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => {
            deforum.refused("prompts", "", &error);
            group.comment(&format!("Deforum refuses the prompts: {}", error.message));
            group.one("prompt", string(prompts.first().map_or("", |(_, text)| text)));
            return;
        }
    };
    match mode {
        PromptMode::Blend => blend::write(deforum, &wanted, group),
        PromptMode::Hold => held(deforum, &wanted, group),
    }
    for (key, text, to) in [
        ("animation_prompts_positive", &settings.positive, "prompt"),
        ("animation_prompts_negative", &settings.negative, "negative"),
    ] {
        if !text.trim().is_empty() {
            deforum.report.carry(key, to);
        }
    }
}

/// Prompts that each stay until the next.
fn held(deforum: &mut Deforum<'_>, wanted: &[FramePrompt], group: &mut Group) {
    let sides: [(&str, Vec<&str>); 2] = [
        ("prompt", wanted.iter().map(|frame| frame.positive.trim()).collect()),
        ("negative", wanted.iter().map(|frame| frame.negative.trim()).collect()),
    ];
    let parts = parts(deforum);
    for (name, wanted) in sides {
        if name == "negative" && wanted.iter().all(|text| text.is_empty()) {
            continue;
        }
        let own = parts.as_ref().map(|parts| own(parts, name)).filter(|own| {
            let found = deforum.bench.texts(&[], name, &own.text());
            found.is_some_and(|found| found.iter().map(|text| text.trim()).eq(wanted.iter().copied()))
        });
        if own.is_none() && parts.is_some() {
            deforum.report.change(
                "prompts",
                "",
                format!("`{name}` is written with its numbers worked out, frame by frame"),
            );
        }
        group.set(name, own.unwrap_or_else(|| spelled_out(&wanted)));
        deforum.report.carry("prompts", name);
    }
}

/// The key prompts in the film, by frame; `None` when one cannot be said in its language.
fn parts(deforum: &Deforum<'_>) -> Option<Vec<Part>> {
    let settings = deforum.settings;
    let mut parts: Vec<Part> = Vec::new();
    for (frame, text) in settings.prompts.as_ref()? {
        let full = around(text, &settings.positive, &settings.negative);
        let mut sides = full.split("--neg");
        let positive = with_holes(sides.next().unwrap_or_default().trim())?;
        let negative = with_holes(sides.collect::<String>().trim())?;
        let frame: i64 = frame.parse().ok()?;
        parts.retain(|part| part.frame != frame);
        parts.push(Part { time: frame.to_string(), frame, positive, negative });
    }
    parts.sort_by_key(|part| part.frame);
    let end = i64::from(deforum.bench.frames);
    if parts.iter().any(|part| part.frame < end) {
        parts.retain(|part| part.frame < end);
    } else {
        parts.truncate(1);
    }
    Some(parts)
}

/// A key prompt between the fields that surround all of them.
pub(super) fn around(text: &str, positive: &str, negative: &str) -> String {
    let separator = if text.contains("--neg") { "" } else { "--neg" };
    format!("{positive} {text} {separator} {}", negative.replace("--neg", ""))
}

/// The keys of one side; a text that stays is one.
fn own(parts: &[Part], name: &str) -> Value {
    let side = |part: &Part| if name == "prompt" { part.positive.clone() } else { part.negative.clone() };
    let mut keys: Vec<(String, String)> = Vec::new();
    for part in parts {
        if keys.last().is_none_or(|(_, text)| *text != side(part)) {
            keys.push((part.time.clone(), side(part)));
        }
    }
    keyed(&keys)
}

fn keyed(keys: &[(String, String)]) -> Value {
    match keys {
        [(_, text)] => Value::One(format!("\"{text}\"")),
        _ => Value::Keys(keys.iter().map(|(time, text)| format!("{time}: \"{text}\"")).collect()),
    }
}

/// The texts of the frames, each where it begins.
pub(in crate::import) fn spelled_out(texts: &[&str]) -> Value {
    let mut keys: Vec<(String, String)> = Vec::new();
    let mut held = None;
    for (frame, text) in texts.iter().enumerate() {
        if held != Some(*text) {
            keys.push((frame.to_string(), escaped(text)));
            held = Some(*text);
        }
    }
    if keys.is_empty() {
        keys.push(("0".to_owned(), String::new()));
    }
    keyed(&keys)
}

/// The text with `${expr}` for each `` `expr` ``, escaped. Every letter `t` between back-quotes is the
/// frame there, so a name with a `t` in it means nothing.
pub(super) fn with_holes(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let body = &rest[start + 1..];
        let Some(end) = body.find(['`', '\n']).filter(|end| body.as_bytes()[*end] == b'`') else { break };
        out.push_str(&escaped(&rest[..start]));
        let expr = python::expression(&body[..end], Span::default()).ok()?;
        out.push_str(&format!("${{{}}}", expression(&expr)?));
        rest = &body[end + 1..];
    }
    out.push_str(&escaped(rest));
    Some(out)
}
