//! Schedules, seeds, prompts and settings. Numbers agree to 1e-9 relative (1e-9 absolute near 0): the
//! peers' mathematics library rounds differently in the last bits. Splines agree to 1e-6.
//!
//! Long because every kind of data has its own short reader.

use std::collections::BTreeMap;
use std::path::Path;

use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::{Settings, rename_deprecated};
use kinora::schedule::span::Span;
use kinora::timeline::deforum::arithmetic::{Resume, film_pictures_per_gap, interpolated_fps, resume};
use kinora::timeline::deforum::interpolate::Method;
use kinora::timeline::deforum::parseq::Manifest;
use kinora::timeline::deforum::prompts::{PromptMode, PromptSeries};
use kinora::timeline::deforum::settings::{Series, expand_all};
use kinora::timeline::deforum::{Clip, expand, expand_integers, expand_text, expand_with};
use kinora::timeline::deforum::{masks, notebook, studio, subtitles};
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
    cases.extend(list(folder, "prompts.json", "cases").into_iter().map(prompt_case));
    cases.extend(settings_cases(folder));
    cases.extend(variant_cases(folder));
    cases.extend(misc_cases(folder));
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
        let found: Vec<i64> = match scheduled(&case, sequence) {
            Some(found) => found,
            None => (0..expected.len() as u64).map(|i| sequence.seed(i)).collect(),
        };
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

/// The seeds of a seed schedule, one per frame.
fn scheduled(case: &Value, sequence: SeedSequence) -> Option<Vec<i64>> {
    let frames = u32::try_from(case["max_frames"].as_u64()?).ok()?;
    let start = case["start"].as_i64()?;
    let values = expand(case["schedule"].as_str()?, frames, start, Mode::Compat).ok()?;
    Some(values.iter().enumerate().map(|(i, v)| sequence.scheduled(*v, i as u64)).collect())
}

fn prompt_case(case: Value) -> Case {
    let mode = match case["mode"].as_str() {
        Some("2D" | "3D" | "Video Input") => PromptMode::Hold,
        Some("Interpolation") => PromptMode::Blend,
        other => return Case::unsupported("deforum/prompts", name_of(&case), format!("mode {other:?}")),
    };
    let known =
        ["name", "mode", "prompts", "positive", "negative", "max_frames", "seed", "frames", "note", "error"];
    if let Some(key) = unknown_key(&case, &known) {
        return Case::unsupported("deforum/prompts", name_of(&case), format!("unknown key {key}"));
    }
    Case::new("deforum/prompts", name_of(&case), move || run_prompts(&case, mode))
}

fn exact(same: bool, why: impl FnOnce() -> String) -> Verdict {
    if same { Verdict::Pass { error: 0.0, limit: 0.0 } } else { Verdict::Fail(why()) }
}

fn run_prompts(case: &Value, mode: PromptMode) -> Verdict {
    let keys: Vec<(String, String)> = case["prompts"]
        .as_object()
        .expect("prompts")
        .iter()
        .map(|(k, v)| (k.clone(), v.as_str().expect("a prompt").to_owned()))
        .collect();
    let field = |key: &str| case[key].as_str().expect("a text");
    let frames = u32::try_from(case["max_frames"].as_u64().expect("a count")).expect("32 bits");
    let seed = case["seed"].as_i64().unwrap_or(0);
    let series = PromptSeries::new(&keys, field("positive"), field("negative"), mode, frames, seed);
    let series = match (series, case["error"].is_object()) {
        (Err(_), true) => return Verdict::Pass { error: 0.0, limit: 0.0 },
        (Ok(_), true) => return Verdict::Fail("no error".into()),
        (Err(e), false) => return Verdict::Fail(e.to_string()),
        (Ok(series), false) => series,
    };
    for expected in case["frames"].as_array().expect("frames") {
        let frame = u32::try_from(expected["frame"].as_u64().expect("a frame")).expect("32 bits");
        let same = match series.at(frame) {
            Ok(found) => {
                expected["error"].is_null()
                    && expected["prepared"] == found.prepared.as_str()
                    && expected["positive"] == found.positive.as_str()
                    && expected["negative"] == found.negative.as_str()
            }
            Err(_) => expected["error"].is_object(),
        };
        if !same {
            return Verdict::Fail(format!("frame {frame}: {:?} instead of {expected}", series.at(frame)));
        }
    }
    Verdict::Pass { error: 0.0, limit: 0.0 }
}

/// Every settings file with expectations beside it, and the defaults.
fn settings_cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(defaults) = read(&folder.join("default_settings_by_group.json")) {
        cases.push(Case::new("deforum/settings-defaults", "all", move || {
            same_groups(&Settings::defaults(), &defaults, true)
        }));
    }
    let files = std::fs::read_dir(folder.join("third-party/settings")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|f| f.path()).collect();
    paths.sort();
    for path in paths {
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let Some(name) = file.strip_suffix(".expected.json") else { continue };
        cases.push(Case::new("deforum/settings", name, move || run_settings(&path)));
    }
    cases
}

/// Whether the groups of `expected` are there with the same values; with `all`, and no others.
fn same_groups(settings: &Settings, expected: &Value, all: bool) -> Verdict {
    for (group, entries) in expected.as_object().expect("groups") {
        let Some(found) = settings.groups.get(group) else {
            return Verdict::Fail(format!("no group {group}"));
        };
        let entries = entries.as_object().expect("settings");
        if all && found.len() != entries.len() {
            return Verdict::Fail(format!("{group}: {} settings instead of {}", found.len(), entries.len()));
        }
        for (key, value) in entries {
            let same = found.get(key).is_some_and(|f| match (f.as_f64(), value.as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => f == value,
            });
            if !same {
                return Verdict::Fail(format!("{key}: {:?} instead of {value}", found.get(key)));
            }
        }
    }
    Verdict::Pass { error: 0.0, limit: 0.0 }
}

fn run_settings(path: &Path) -> Verdict {
    let expected = read(path).expect("the expectations");
    let file = path.with_file_name(expected["file"].as_str().expect("a file name"));
    let text = std::fs::read_to_string(&file).expect("the settings file");
    let settings = match Settings::read(&text) {
        Ok(settings) => settings,
        Err(_) if expected["loaded"] == false => return Verdict::Pass { error: 0.0, limit: 0.0 },
        Err(e) => return Verdict::Fail(e.to_string()),
    };
    if let fail @ Verdict::Fail(_) = same_groups(&settings, &expected["after_loading"], false) {
        return fail;
    }
    let prompts: serde_json::Map<String, Value> =
        settings.prompts.iter().flatten().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    if expected["prompts"].is_object() && expected["prompts"] != Value::Object(prompts) {
        return Verdict::Fail(format!("prompts {:?}", settings.prompts));
    }
    for (key, found) in [
        ("animation_prompts_positive", &settings.positive),
        ("animation_prompts_negative", &settings.negative),
    ] {
        if expected[key] != found.as_str() {
            return Verdict::Fail(format!("{key}: {found:?} instead of {}", expected[key]));
        }
    }
    let frames = u32::try_from(expected["max_frames"].as_u64().expect("a count")).expect("32 bits");
    let seed = expected["seed_used"].as_i64().expect("a seed");
    match expand_all(&settings, frames, seed, Mode::Compat) {
        Err(e) => Verdict::Fail(e.to_string()),
        Ok(found) => worst([
            same_series(&found.anim, &expected["anim_keys"]),
            same_series(&found.controlnet, &expected["controlnet_keys"]),
            same_series(&found.looper, &expected["looper_keys"]),
        ]),
    }
}

/// The first failure, or else the largest error.
fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let mut largest = 0.0_f64;
    for verdict in verdicts {
        match verdict {
            Verdict::Pass { error, .. } => largest = largest.max(error),
            other => return other,
        }
    }
    within(largest, RELATIVE)
}

fn same_series(found: &BTreeMap<String, Series>, expected: &Value) -> Verdict {
    let expected = expected.as_object().expect("series");
    worst(expected.iter().map(|(name, series)| {
        let Some(found) = found.get(name) else {
            return Verdict::Fail(format!("no series {name}"));
        };
        let verdict = one_series(found, series);
        labelled(verdict, name)
    }))
}

fn one_series(found: &Series, expected: &Value) -> Verdict {
    let values = match expected["frames"].as_u64() {
        Some(frames) => Value::Array(vec![expected["constant"].clone(); frames as usize]),
        None => expected["values"].clone(),
    };
    match found {
        Series::Numbers(found) => compare(found, &numbers(&values), RELATIVE),
        Series::Texts(found) => {
            let expected = texts(&values);
            exact(*found == expected, || format!("{found:?} instead of {expected:?}"))
        }
    }
}

/// The unconnected parts of `misc.json`.
fn misc_cases(folder: &Path) -> Vec<Case> {
    let Some(Value::Object(misc)) = read(&folder.join("misc.json")) else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for (part, data) in misc {
        let kind = format!("deforum/{part}");
        let items = match data {
            Value::Array(items) => items,
            other => vec![other],
        };
        for (i, item) in items.into_iter().enumerate() {
            let name = item["name"].as_str().map_or_else(|| format!("{i:02}"), str::to_owned);
            cases.push(match part.as_str() {
                "deprecated" => Case::new(&kind, name, move || run_deprecated(&item)),
                "parseq" => Case::new(&kind, name, move || run_parseq(&item)),
                "resume" => Case::new(&kind, name, move || run_resume(&item)),
                "masks" => Case::new(&kind, name, move || run_mask(&item)),
                "srt" => Case::new(&kind, name, move || run_subtitles(&item)),
                "post" => {
                    cases.extend(post_cases(&item));
                    continue;
                }
                // Describes the pictures of the masks.
                "mask_inputs" => continue,
                _ => Case::unsupported(&kind, name, "no counterpart yet"),
            });
        }
    }
    cases
}

fn run_deprecated(case: &Value) -> Verdict {
    let mut entries: BTreeMap<String, Value> =
        case["before"].as_object().expect("settings").clone().into_iter().collect();
    rename_deprecated(&mut entries);
    let found = Value::Object(entries.into_iter().collect());
    exact(found == case["after"], || format!("{found} instead of {}", case["after"]))
}

fn run_parseq(case: &Value) -> Verdict {
    let flag = |key: &str| case[key].as_bool().expect("a flag");
    let mut settings = Settings::defaults();
    let group = settings.groups.get_mut("anim_args").expect("the animation");
    group.insert("max_frames".into(), case["ui_max_frames"].clone());
    let overrides = flag("non_schedule_overrides");
    let film = Manifest::read(&case["manifest"].to_string(), flag("use_deltas"), overrides)
        .and_then(|m| m.film(&settings, Mode::Compat));
    let film = match film {
        Ok(film) => film,
        Err(e) => return Verdict::Fail(e.to_string()),
    };
    let decided = |found: Option<f64>, key: &str| found.is_none_or(|v| case[key].as_f64() == Some(v));
    let prompts = film.prompts.clone().map_or(Value::Null, Value::from);
    for (what, same) in [
        ("max_frames", case["max_frames"] == film.max_frames),
        ("fps", decided(film.fps, "fps")),
        ("cadence", decided(film.cadence.map(f64::from), "cadence")),
        ("manages_seed", case["manages_seed"] == film.manages_seed),
        ("manages_prompts", case["manages_prompts"] == film.prompts.is_some()),
        ("prompts", case["prompts"] == prompts),
    ] {
        if !same {
            return Verdict::Fail(format!("{what} instead of {}: {film:?}", case[what]));
        }
    }
    worst([
        same_series(&film.anim, &case["anim_keys"]),
        same_series(&film.looper, &case["looper"]),
        one_series(&film.controlnet["cn_1_weight_schedule_series"], &case["cn_1_weight"]),
    ])
}

fn whole(v: &Value) -> u32 {
    u32::try_from(v.as_u64().expect("a count")).expect("32 bits")
}

fn run_resume(case: &Value) -> Verdict {
    let found = resume(whole(&case["frames_on_disk"]), whole(&case["cadence"]));
    let images = case["prev_image_found"] == true && case["next_image_found"] == true;
    let expected = images.then(|| Resume {
        previous: whole(&case["prev_frame"]),
        next: whole(&case["next_frame"]),
        start: whole(&case["start_frame"]),
    });
    exact(found == expected, || format!("{found:?} instead of {expected:?}"))
}

fn post_cases(data: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    for (part, items) in data.as_object().expect("parts") {
        for (i, item) in items.as_array().expect("items").iter().cloned().enumerate() {
            let name = format!("{part}-{i:02}");
            cases.push(match part.as_str() {
                "film_in_between" => Case::new("deforum/post", name, move || {
                    let found = film_pictures_per_gap(whole(&item["frames"]), whole(&item["x"]));
                    exact(item["in_between"] == found, || format!("{found} for {item}"))
                }),
                "interp_fps" => Case::new("deforum/post", name, move || {
                    let slow = (item["slow"] == true).then(|| whole(&item["slow_x"]));
                    let found = interpolated_fps(number(&item["fps"]), whole(&item["x"]), slow);
                    within(difference(found, number(&item["out"])), RELATIVE)
                }),
                _ => Case::unsupported("deforum/post", name, format!("unknown part {part}")),
            });
        }
    }
    cases
}

/// The notebook's and the studio's parsers, where they differ from the extension's.
fn variant_cases(folder: &Path) -> Vec<Case> {
    let file = "third-party/schedule_variants.json";
    if !folder.join(file).is_file() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for case in list(folder, file, "differing") {
        let name = name_of(&case);
        for peer in ["notebook", "studio"].into_iter().filter(|peer| case[*peer].is_object()) {
            let (case, expected) = (case.clone(), case[peer].clone());
            let run = move || {
                if peer == "notebook" { run_notebook(&case, &expected) } else { run_studio(&case, &expected) }
            };
            cases.push(Case::new(format!("deforum/variants-{peer}"), &name, run));
        }
    }
    for (i, case) in list(folder, file, "studio_only").into_iter().enumerate() {
        let name = format!("studio-only-{i:02}");
        cases.push(Case::new("deforum/variants-studio", name, move || run_studio(&case, &case)));
    }
    cases
}

fn run_notebook(case: &Value, expected: &Value) -> Verdict {
    let text = case["text"].as_str().expect("a text");
    if case["string_schedule"] == Value::Bool(true) {
        return Verdict::Unsupported("a schedule of texts".into());
    }
    let found = notebook::expand(text, whole(&case["max_frames"])).map_err(|e| e.to_string());
    labelled(run_numbers(expected, &found, RELATIVE), text)
}

fn run_studio(case: &Value, expected: &Value) -> Verdict {
    let text = case["text"].as_str().expect("a text");
    let (frames, seed) = (whole(&case["max_frames"]), case["seed"].as_i64().expect("a seed"));
    let (fps, bpm) = (case["fps"].as_f64().unwrap_or(24.0), case["bpm"].as_f64().unwrap_or(120.0));
    let special = |v: &Value| matches!(v.as_str(), Some("NaN" | "Infinity" | "-Infinity"));
    if expected["values"][0].is_string() && !special(&expected["values"][0]) {
        return run_texts(
            expected,
            expand_text(text, frames, seed, Mode::Lenient).map_err(|e| e.to_string()),
        );
    }
    let found = studio::expand(text, frames, seed, fps, bpm).map_err(|e| e.to_string());
    labelled(run_numbers(expected, &found, RELATIVE), text)
}

/// What every eighth pixel of every eighth row is in the oracles' mask pictures of 64 x 64 pixels.
fn mask_picture(source: masks::Source<'_>) -> Option<Vec<bool>> {
    let white: fn(i32, i32) -> bool = match source {
        masks::Source::Everywhere => |_, _| true,
        masks::Source::Video | masks::Source::File("left.png") => |x, _| x < 32,
        masks::Source::File("top.png") => |_, y| y < 32,
        masks::Source::File("disc.png") => |x, y| (x - 32).pow(2) + (y - 32).pow(2) < 400,
        _ => return None,
    };
    Some((0..64 * 64).map(|i| white(i % 64, i / 64)).collect())
}

fn run_mask(case: &Value) -> Verdict {
    let expression = case["expression"].as_str().expect("an expression");
    match (masks::evaluate(expression, &mask_picture), case["error"].is_string()) {
        (Err(_), true) => Verdict::Pass { error: 0.0, limit: 0.0 },
        (Ok(Some(mask)), false) => {
            let sign = |i: usize| if mask[i / 8 * 8 * 64 + i % 8 * 8] { '#' } else { '.' };
            let found: String = (0..64).map(sign).collect();
            let white = mask.iter().filter(|white| **white).count();
            exact(case["result"] == found.as_str() && case["white_pixels"] == white, || {
                format!("{found} with {white} white pixels instead of {case}")
            })
        }
        (found, _) => Verdict::Fail(format!("{expression}: {:?}", found.map(|mask| mask.is_some()))),
    }
}

fn run_subtitles(case: &Value) -> Verdict {
    let length = subtitles::FrameLength::new(number(&case["fps"])).expect("a rate");
    let caption = subtitles::Caption { cadence: false, seed: 5, values: &[] };
    let frames = case["frames"].as_array().expect("frames");
    let found: String = frames.iter().map(|frame| subtitles::entry(whole(frame), length, &caption)).collect();
    exact(case["text"] == found.as_str(), || format!("{found} instead of {}", case["text"]))
}
