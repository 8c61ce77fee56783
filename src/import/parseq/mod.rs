//! Parseq: editable documents (keyframes with formulas) and rendered manifests (every value of every
//! frame). What reaches Deforum of a field, and so the film, is its difference or ratio from frame to
//! frame for motion, its value for the rest.

mod curves;
mod document;
mod eval;
mod fields;
mod formula;
mod native;
mod prompts;
mod reader;

pub(super) use prompts::write as write_prompts;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::bench::{Bench, Place, near};
use super::deforum::footer;
use super::print::number;
use super::report::{Problem, Report};
use super::score::{Group, Line, Score, Value};
use super::track::{self, Track};
use super::{Imported, header};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::settings::relaxed;
use crate::schedule::params::find;
use document::{Document, as_number};
use fields::{DEEP, FIELDS, FLAT, Field, Motion, moved};
use reader::{MOST_FRAMES, document, names, rendered};

/// How far a computed value may be from the rendered one: Parseq's curves are tables of that precision.
const RENDERED: f64 = 1e-5;

/// A document or manifest on its way into a film.
struct Parseq {
    document: Option<Document>,
    /// The rendered frames by number, each with its fields.
    rendered: Vec<Map<String, Json>>,
    prompts: Option<Json>,
    names: BTreeSet<String>,
    bench: Bench,
    report: Report,
    /// Frames from one painted frame to the next, when that is not every frame.
    cadence: Option<f64>,
}

/// Imports a document or manifest called `name`.
///
/// # Errors
/// Text that is neither.
pub(super) fn import(name: &str, text: &str) -> Result<Imported, ReadError> {
    let wrong = |message: String| ReadError::new(Default::default(), message);
    let root: Map<String, Json> = serde_json::from_str(&relaxed(text)?)
        .map_err(|error| wrong(format!("expected a Parseq document as JSON: {error}")))?;
    let options = root.get("options").and_then(Json::as_object);
    let option = |key: &str| options.and_then(|options| as_number(options.get(key)?)).filter(|v| *v > 0.0);
    let (fps, bpm) = (option("output_fps").filter(|fps| (0.001..=1000.0).contains(fps)), option("bpm"));
    let document = document(&root, fps.unwrap_or(20.0), bpm.unwrap_or(140.0))?;
    let rendered = rendered(&root)?;
    let frames = match (&document, rendered.len()) {
        (Some(document), _) => document.last() - document.first() + 1.0,
        (None, 0) => {
            return Err(wrong("expected `keyframes` or `rendered_frames`, found neither".to_owned())
                .hint("save the document in Parseq again, or render it and save the output"));
        }
        (None, count) => count as f64,
    };
    if !(1.0..=MOST_FRAMES).contains(&frames) {
        return Err(wrong(format!("expected 1 to {MOST_FRAMES} frames, found {frames}")));
    }
    let fps = number(fps.unwrap_or(20.0));
    let possible = find("bpm").map_or((0.0, 0.0), |param| param.possible);
    let bpm = bpm.filter(|bpm| (possible.0..=possible.1).contains(bpm));
    let bench = Bench { frames: frames as u32, fps, bpm, seed: 0 };
    let report = Report { source: name.to_owned(), kind: "parseq".to_owned(), ..Report::default() };
    let names = names(&root, document.as_ref(), &rendered);
    let mut parseq = Parseq {
        document,
        rendered,
        prompts: root.get("prompts").cloned(),
        names,
        bench,
        report,
        cadence: None,
    };
    parseq.rest(&root);
    Ok(parseq.film())
}

impl Parseq {
    /// What of the file is no field.
    fn rest(&mut self, root: &Map<String, Json>) {
        for (key, value) in root {
            match key.as_str() {
                "options" | "keyframes" | "rendered_frames" | "prompts" => {}
                "meta"
                | "managedFields"
                | "displayedFields"
                | "displayFields"
                | "rendered_frames_meta"
                | "keyframeLock"
                | "reverseRender"
                | "versionId"
                | "docId"
                | "docName"
                | "timestamp"
                | "name" => {
                    self.report.idle(key, "", "how Parseq shows and stores the document");
                }
                "timeSeries" => {
                    if value.as_array().is_some_and(|list| !list.is_empty()) {
                        self.report.leave(
                            key,
                            "",
                            "series from files are not carried over; fields that use them have their values",
                        );
                    }
                }
                _ => self.report.unknown.push(super::report::Note {
                    key: key.clone(),
                    value: super::print::in_one_line(&value.to_string(), 72),
                    why: String::new(),
                }),
            }
        }
        for (key, value) in root.get("options").and_then(Json::as_object).into_iter().flatten() {
            match key.as_str() {
                "output_fps" => self.report.carry("options.output_fps", "fps"),
                "bpm" if self.bench.bpm.is_some() => self.report.carry("options.bpm", "bpm"),
                "cadence" if as_number(value).is_some_and(|n| n > 1.0) => {
                    self.cadence = as_number(value).map(f64::trunc);
                    self.report.carry("options.cadence", "cadence");
                }
                _ => self.report.idle(&format!("options.{key}"), value.to_string(), "Parseq's own"),
            }
        }
    }

    fn film(mut self) -> Imported {
        let mut score = Score { header: header(&self.report), ..Score::default() };
        score.video = vec![("fps".to_owned(), self.bench.fps.clone())];
        if let Some(bpm) = self.bench.bpm {
            score.video.push(("bpm".to_owned(), number(bpm)));
        }
        let mut length = Group::default();
        length.one("frames", self.bench.frames.to_string());
        if let Some(cadence) = self.cadence {
            length.one("cadence", number(cadence.min(1000.0)));
        }
        let mut words = Group::default();
        self.prompts(&mut words);
        let is_deep = self.is_deep();
        let mut motion = Group::default();
        if is_deep {
            motion.one("animation_mode", "depth");
        }
        let mut look = Group::default();
        let known: Vec<&Field> = FIELDS.iter().filter(|field| self.names.contains(field.name)).collect();
        for field in known {
            if is_deep && FLAT.contains(&field.name)
                || !is_deep && (DEEP.contains(&field.name) || field.name == "fov")
            {
                let why = if is_deep { "only the 2D camera uses it" } else { "only the 3D camera uses it" };
                self.report.idle(field.name, "", why);
                continue;
            }
            match self.said_by_seed(field) {
                Some(true) => {
                    self.report.idle(field.name, "", "a fraction of `seed` is the same");
                    continue;
                }
                Some(false) => {
                    self.report.leave(field.name, "", "`seed` walks between two seeds of its own");
                    continue;
                }
                None => {}
            }
            let is_motion = find(field.param).is_some_and(|_| field.motion != Motion::Value)
                || FLAT.contains(&field.name)
                || matches!(field.name, "fov" | "perspective_flip_fv");
            self.field(field, if is_motion { &mut motion } else { &mut look });
        }
        let open: Vec<String> =
            self.names.iter().filter(|name| fields::left(name).is_some()).cloned().collect();
        for name in open {
            let is_bound = words
                .lines
                .iter()
                .any(|line| matches!(line, Line::Plain(text) if text.starts_with(&format!("let {name} ="))));
            match fields::left(&name) {
                _ if is_bound => self.report.carry(&name, format!("let {name}")),
                Some(why) if why.contains("no effect") => self.report.idle(&name, "", why),
                Some(why) => self.report.leave(&name, "", why),
                None => {}
            }
        }
        score.groups = vec![length, words, motion, look];
        score.footer = footer(&self.report);
        Imported { film: score.text(), report: self.report }
    }

    /// Parseq does not say which camera Deforum has: it is the 3D one when a field of it moves.
    fn is_deep(&self) -> bool {
        DEEP.iter().filter(|name| self.names.contains(**name)).any(|name| {
            let field = FIELDS.iter().find(|field| field.name == *name);
            field
                .and_then(|field| self.wanted(field).ok())
                .is_some_and(|values| values.iter().any(|v| *v != 0.0))
        })
    }

    /// The values of a field that reach the film: rendered ones, or computed.
    fn wanted(&self, field: &Field) -> Result<Vec<f64>, String> {
        match self.rendered_values(field) {
            Some(values) => Ok(values),
            None => self.computed(field),
        }
    }

    fn rendered_values(&self, field: &Field) -> Option<Vec<f64>> {
        let column = |name: &str| -> Option<Vec<f64>> {
            let values: Option<Vec<f64>> =
                self.rendered.iter().map(|map| as_number(map.get(name)?)).collect();
            values.filter(|values| values.len() == self.bench.frames as usize)
        };
        let delta =
            (field.motion != Motion::Value).then(|| column(&format!("{}_delta", field.name))).flatten();
        delta.or_else(|| Some(moved(&column(field.name)?, field.motion)))
    }

    fn computed(&self, field: &Field) -> Result<Vec<f64>, String> {
        let document = self.document.as_ref().ok_or("not in every rendered frame")?;
        let series =
            document.field(field.name).map_err(|(frame, _, error)| format!("at frame {frame}: {error}"))?;
        Ok(moved(&series.values()?, field.motion))
    }

    fn field(&mut self, field: &Field, lines: &mut Group) {
        if let Some(Err((frame, text, error))) =
            self.document.as_ref().map(|document| document.field(field.name))
        {
            self.problem(field.name, &format!("at frame {frame}: {error}"), &text);
        }
        let wanted = match self.wanted(field) {
            Ok(wanted) => wanted,
            Err(why) => {
                self.report.leave(field.name, "", why.clone());
                lines.comment(&format!("{}: {why}", field.param));
                return;
            }
        };
        self.report.carry(field.name, field.param);
        // A film without `seed` counts them up.
        let is_default = field.name != "seed"
            && find(field.param)
                .and_then(|param| param.default.parse::<f64>().ok())
                .is_some_and(|default| wanted.iter().all(|value| *value == default));
        if is_default {
            return;
        }
        match self.translated(field, &wanted) {
            Some(track) => {
                lines.lines.extend(track.lets.into_iter().map(Line::Plain));
                let stays = matches!(&track.value, Value::One(text) if text.parse::<f64>().is_ok());
                match track.changes.first() {
                    Some(note) => lines.noted(field.param, track.value, note.clone()),
                    None => lines.set(field.param, track.value),
                }
                if field.name == "seed" && stays {
                    lines.one("seed_behavior", "schedule");
                }
            }
            None => {
                self.report.carried.retain(|carried| carried.key != field.name);
                self.report.leave(field.name, "", format!("`{}` cannot take these values", field.param));
            }
        }
    }

    /// Whether a field of the variation seed is what `seed` says anyway: Parseq makes both from its fraction,
    /// 10.5 being seed 10 half on the way to 11. `None` when it needs a line of its own.
    fn said_by_seed(&self, field: &Field) -> Option<bool> {
        if !matches!(field.name, "subseed" | "subseed_strength") {
            return None;
        }
        let of = |name: &str| {
            let field = FIELDS.iter().find(|field| field.name == name && self.names.contains(name))?;
            self.wanted(field).ok()
        };
        let strength = of("subseed_strength").unwrap_or_default();
        let walk: Vec<f64> =
            of("seed").unwrap_or_default().iter().map(|seed| seed.max(0.0).fract()).collect();
        if walk.iter().all(|share| *share == 0.0) {
            return strength.iter().all(|share| *share == 0.0).then_some(true);
        }
        Some(strength.iter().zip(&walk).all(|(strength, share)| (strength - share).abs() <= RENDERED))
    }

    /// A formula of the film where one says the same, else keys made from the values.
    fn translated(&mut self, field: &Field, wanted: &[f64]) -> Option<Track> {
        let series = self.document.as_ref().and_then(|document| document.field(field.name).ok());
        let computed = series.as_ref().and_then(|series| series.values().ok());
        let computed = computed.map(|values| moved(&values, field.motion));
        let agrees = computed.as_ref().is_some_and(|values| {
            values.len() == wanted.len()
                && values
                    .iter()
                    .zip(wanted)
                    .all(|(a, b)| (a - b).abs() <= RENDERED * b.abs().max(1.0) || near(*a, *b))
        });
        // What the document's own formula gives is exact; rendered values are rounded.
        let exact = if agrees { computed.as_deref().unwrap_or(wanted) } else { wanted };
        let mut track = track::series(&self.bench, Place::Film, field.param, exact)?;
        let keys = match &track.value {
            Value::One(_) => 1,
            Value::Keys(keys) => keys.len(),
        };
        let candidates = if agrees { series.map(|s| s.candidates(field.param, field.motion)) } else { None };
        let found = candidates
            .into_iter()
            .flatten()
            .find(|(lets, text)| self.bench.says(Place::Film, lets, field.param, text, exact));
        match found {
            // A few keys are easier to read than a path and its steps.
            Some((lets, text)) if field.motion == Motion::Value || keys > 8 => {
                let value = if text.contains(", ") && lets.is_empty() && is_keyed(&text) {
                    Value::Keys(split_keys(&text))
                } else {
                    Value::One(text)
                };
                Some(Track { value, lets, ..track })
            }
            Some(_) => Some(track),
            None if self.document.is_none() || keys <= 8 => Some(track),
            None => {
                let why = if computed.is_some() && !agrees {
                    "the rendered values, which the formula does not give"
                } else {
                    "the formula's values; the language has no counterpart for it"
                };
                self.report.change(field.name, "", why);
                track.changes.insert(0, why.to_owned());
                Some(track)
            }
        }
    }

    fn prompts(&mut self, group: &mut Group) {
        let rendered: Option<Vec<String>> = self
            .rendered
            .iter()
            .map(|map| map.get("deforum_prompt").and_then(Json::as_str).map(str::to_owned))
            .collect();
        let rendered = rendered.filter(|texts| texts.len() == self.bench.frames as usize);
        match (rendered, &self.prompts) {
            (Some(texts), _) if !texts.is_empty() => {
                write_prompts(&texts, &self.bench, &mut self.report, group);
                self.report.carry("deforum_prompt", "prompt");
            }
            (_, Some(json)) => {
                prompts::document(json, self.document.as_ref(), &self.bench, &mut self.report, group)
            }
            _ => {
                group.comment("The file has no prompts.");
                group.one("prompt", "\"\"");
            }
        }
    }

    fn problem(&mut self, key: &str, message: &str, text: &str) {
        self.report.errors.push(Problem {
            code: "E91",
            key: key.to_owned(),
            message: message.to_owned(),
            text: text.to_owned(),
            columns: None,
            hint: None,
        });
    }
}

/// Whether a line has keys.
fn is_keyed(text: &str) -> bool {
    text.split(':').next().is_some_and(|time| time.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// The keys of a line: cut at commas outside of brackets.
fn split_keys(text: &str) -> Vec<String> {
    let (mut keys, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                keys.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    keys.push(text[start..].trim().to_owned());
    keys
}
