//! Deforum's schedules as values of a film: `angle = 0:(1), 30:(sin(t))`. With `--compat deforum` a film has the values
//! that Deforum has; without it too, unless it warns that it reads the value otherwise.

use std::path::Path;

use kinora::schedule::diagnostic::{Diagnostics, Severity};
use kinora::schedule::read_all;
use kinora::timeline::frame::Camera;
use kinora::timeline::{Compat, Options, Timeline};
use serde_json::Value;

use super::schedules::{RELATIVE, difference, list, name_of, numbers, short};
use crate::{Case, Verdict, within};

/// What Deforum reads by accident and a film refuses, with the place: brackets that do not close or stand side by
/// side, numbers in quotes, a missing comma, numexpr's functions of complex numbers and arrays, the local name `i`.
const REFUSED: [&str; 14] = [
    "error-0422",
    "error-0424",
    "error-0430",
    "error-0431",
    "error-0438",
    "error-0439",
    "handwritten-0178",
    "handwritten-0179",
    "handwritten-0180",
    "handwritten-0182",
    "handwritten-0189",
    "handwritten-0190",
    "handwritten-0405",
    "realworld-0699",
];

/// A case for every schedule of numbers that Deforum accepts.
pub fn discover(folder: &Path) -> Vec<Case> {
    let files = ["schedules.json", "third-party/schedules.json"];
    let cases = files.into_iter().flat_map(|file| list(folder, file, "cases"));
    let is_plain = |case: &Value| {
        case["values"].is_array() && case["method"].is_null() && case["integer"].is_null() && !is_text(case)
    };
    cases
        .filter(is_plain)
        .map(|case| {
            let kind = format!("deforum/films-{}", case["kind"].as_str().unwrap_or("unknown"));
            Case::new(kind, name_of(&case), move || run(&case))
        })
        .collect()
}

fn is_text(case: &Value) -> bool {
    case["string_schedule"] == Value::Bool(true)
}

fn run(case: &Value) -> Verdict {
    let text = case["text"].as_str().expect("a text");
    let film = format!(
        "kinora 1\nanimation_mode = flat\nprompt = \"x\"\nframes = {}\nseed = {}\nangle = {text}\n",
        case["max_frames"], case["seed"]
    );
    let (film, found) = read_all(Path::new(""), "film.kin", &film);
    let refused = found.has_errors();
    if refused && REFUSED.contains(&name_of(case).as_str()) {
        return within(0.0, RELATIVE);
    }
    if refused {
        return Verdict::Fail(format!("no value of a film: {}; {}", said(&found), short(text)));
    }
    let expected = numbers(&case["values"]);
    for compat in [Compat::Deforum, Compat::Native] {
        let film = match Timeline::new(&film, &Options { compat, ..Options::default() }) {
            Ok(film) => film,
            Err(error) => return Verdict::Fail(format!("{compat:?}: {error:?}; {}", short(text))),
        };
        let warned = film.warnings().list.iter().any(|found| matches!(found.code, "W81" | "W82"));
        // Without brackets a value is nobody's but kinora's.
        if compat == Compat::Native && (warned || !text.contains('(')) {
            continue;
        }
        for (frame, expected) in (0..).zip(&expected) {
            // A film has no infinite values: it says so.
            let angle = film.at(frame).ok().map(|params| match params.camera {
                Camera::Flat(camera) => camera.angle,
                Camera::Deep(_) => f64::NAN,
            });
            let same = match angle {
                Some(angle) => difference(angle, *expected) <= RELATIVE,
                None => !expected.is_finite(),
            };
            if !same {
                let why =
                    format!("{compat:?} at frame {frame}: {angle:?} instead of {expected}; {}", short(text));
                return Verdict::Fail(why);
            }
        }
    }
    within(0.0, RELATIVE)
}

fn said(found: &Diagnostics) -> String {
    found
        .of(Severity::Error)
        .map(|found| format!("{} {}", found.code, found.message))
        .collect::<Vec<_>>()
        .join(", ")
}
