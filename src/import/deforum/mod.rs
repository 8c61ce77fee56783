//! Deforum's settings files. What a setting means is in `rules` and here; how a schedule becomes a line
//! is `track`'s work.

mod blend;
mod cadence;
mod clip;
mod controls;
mod left;
mod pictures;
mod plain;
mod prompts;
mod rules;
mod seeds;

pub(super) use left::footer;
pub(super) use prompts::spelled_out;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use super::bench::{Bench, Place};
use super::print::in_one_line;
use super::report::{Problem, Report};
use super::score::{Group as Lines, Line, Score, Value};
use super::{Imported, header, track};
use crate::schedule::deforum::settings::{Settings, relaxed};
use crate::schedule::deforum::{Mode, ReadError};
use crate::schedule::params::{Kind, find};
use crate::timeline::deforum::parseq;
use crate::timeline::deforum::settings::{
    CONTROLNET, LOOPER, Series, animation_settings, expand_setting, is_text,
};
use rules::{Group, Need, RULES, Rule};

/// A settings file on its way into a film.
pub(super) struct Deforum<'a> {
    /// After loading: defaults, the file, renames.
    settings: &'a Settings,
    /// As the file has it.
    raw: &'a BTreeMap<String, Json>,
    /// The Parseq manifest in the file, expanded.
    manifest: Option<parseq::Film>,
    bench: Bench,
    report: Report,
    /// Keys of the file that the report has.
    done: BTreeSet<String>,
    /// Schedules that the film gives exactly, by setting.
    exact: BTreeSet<String>,
    /// Keys outside of the film, by parameter.
    beyond: Vec<(String, Vec<i64>)>,
    /// Where the film will be: paths are relative to it.
    folder: &'a Path,
}

/// Imports the settings file `text`, called `name`, into a film in `folder`.
///
/// # Errors
/// Text that is no JSON object of settings.
pub(super) fn import(name: &str, text: &str, folder: &Path) -> Result<Imported, ReadError> {
    let settings = Settings::read(text)?;
    let raw: BTreeMap<String, Json> = serde_json::from_str(&relaxed(text)?).map_err(|e| {
        ReadError::new(Default::default(), format!("expected a JSON object of settings: {e}"))
    })?;
    let report = Report { source: name.to_owned(), kind: "deforum".to_owned(), ..Report::default() };
    let bench = Bench { frames: 1, fps: "15".to_owned(), bpm: None, seed: 0 };
    let deforum = Deforum {
        settings: &settings,
        raw: &raw,
        manifest: None,
        bench,
        report,
        done: BTreeSet::new(),
        exact: BTreeSet::new(),
        beyond: Vec::new(),
        folder,
    };
    Ok(deforum.film())
}

impl Deforum<'_> {
    fn film(mut self) -> Imported {
        let mut score = Score { header: header(&self.report), ..Score::default() };
        self.renamed();
        self.clip(&mut score);
        self.refuse_schedules();
        let mut length = Lines::default();
        length.one("frames", self.bench.frames.to_string());
        score.groups.push(length);
        let mut words = Lines::default();
        self.write_prompts(&mut words);
        score.groups.push(words);
        for group in Group::ALL {
            let mut lines = Lines::default();
            self.plain_before(group, &mut lines);
            for rule in RULES.iter().filter(|rule| rule.group == group) {
                self.schedule(rule, &mut lines);
            }
            self.plain_after(group, &mut lines);
            score.groups.push(lines);
        }
        self.controls(&mut score);
        self.post(&mut score);
        self.leftovers();
        self.kept(&mut score);
        score.footer = self.outside().into_iter().chain(footer(&self.report)).collect();
        Imported { film: score.text(), report: self.report }
    }

    /// Deforum expands every schedule before the first frame, also those without effect.
    fn refuse_schedules(&mut self) {
        let known: Vec<&str> = RULES.iter().map(|rule| rule.key).collect();
        let units = (1..).take_while(|n| self.settings.get(&format!("cn_{n}_weight")).is_some());
        let controls = units.flat_map(|n| CONTROLNET.iter().map(move |name| format!("cn_{n}_{name}")));
        let all: Vec<String> = animation_settings()
            .map(|(_, setting)| setting)
            .chain(LOOPER.iter().map(|name| (*name).to_owned()))
            .chain(controls)
            .filter(|key| {
                !known.contains(&key.as_str()) && *key != "sampler_schedule" && !key.starts_with("cn_")
            })
            .collect();
        for key in all {
            if let Err(error) = self.expand(&key) {
                let text = self.settings.schedule(&key).unwrap_or_default();
                self.refused(&key, &text, &error);
            }
        }
    }

    fn expand(&self, key: &str) -> Result<Series, ReadError> {
        if let Some(film) = &self.manifest {
            let name = animation_settings().find(|(_, setting)| setting == key).map(|(name, _)| name);
            let series = name.and_then(|name| film.anim.get(name));
            let control = film.controlnet.get(&format!("{key}_schedule_series"));
            if let Some(series) = series.or(control) {
                return Ok(series.clone());
            }
        }
        expand_setting(self.settings, key, self.bench.frames, self.bench.seed, Mode::Compat)
    }

    fn write_prompts(&mut self, group: &mut Lines) {
        let texts = self.manifest.as_ref().and_then(|film| film.prompts.clone());
        self.done.extend(
            ["prompts", "animation_prompts", "animation_prompts_positive", "animation_prompts_negative"]
                .map(str::to_owned),
        );
        match texts {
            None => prompts::write(self, group),
            Some(texts) => {
                super::parseq::write_prompts(&texts, &self.bench, &mut self.report, group);
                self.report.carry("parseq_manifest", "prompt");
            }
        }
    }

    /// One schedule of numbers.
    fn schedule(&mut self, rule: &Rule, lines: &mut Lines) {
        let text = self.settings.schedule(rule.key).unwrap_or_default();
        let wanted = match self.expand(rule.key) {
            Ok(Series::Numbers(wanted)) => wanted,
            Ok(Series::Texts(_)) => return,
            Err(error) => {
                self.refused(rule.key, &text, &error);
                lines.comment(&format!(
                    "{} = {}: Deforum refuses it: {}",
                    rule.param,
                    in_one_line(&text, 300),
                    own_words(&error, rule.key)
                ));
                return;
            }
        };
        if let Some(why) = self.without_effect(rule) {
            self.idle(rule.key, why);
            return;
        }
        if rule.param == "aspect_ratio" && self.is("aspect_ratio_use_old_formula") {
            return;
        }
        self.write_track(Place::Film, rule.key, rule.param, &text, &wanted, lines);
    }

    /// Writes a line for `wanted`, unless kinora does that anyway.
    fn write_track(
        &mut self,
        place: Place,
        key: &str,
        param: &str,
        text: &str,
        wanted: &[f64],
        lines: &mut Lines,
    ) {
        self.carried(key, param);
        self.exact.insert(key.to_owned());
        if is_default(param, wanted) {
            return;
        }
        let from_manifest = self.manifest.is_some();
        let track = if from_manifest {
            track::series(&self.bench, place, param, wanted)
        } else {
            track::schedule(&self.bench, place, param, text, wanted)
        };
        let Some(track) = track else {
            self.report.carried.retain(|carried| carried.key != key);
            self.exact.remove(key);
            self.report.leave(key, self.shown(key), format!("`{param}` cannot take these values"));
            return;
        };
        if !track.beyond.is_empty() {
            self.beyond.push((param.to_owned(), track.beyond.clone()));
            let frames: Vec<String> = track.beyond.iter().map(i64::to_string).collect();
            let why = format!("keys outside of the film ({}) are left out, as in Deforum", frames.join(", "));
            self.report.change(key, self.shown(key), why);
        }
        for change in &track.changes {
            if change.contains("cut off") {
                self.exact.remove(key);
            }
            self.report.change(key, self.shown(key), change.clone());
        }
        lines.lines.extend(track.lets.into_iter().map(Line::Plain));
        match track.changes.first() {
            Some(change) => lines.noted(param, track.value, change),
            None => lines.set(param, track.value),
        }
    }

    /// Why a setting has no effect in Deforum.
    fn without_effect(&self, rule: &Rule) -> Option<&'static str> {
        let need = rule.need;
        let mode = self.word("animation_mode");
        if mode == "Interpolation" && matches!(rule.group, Group::Motion | Group::Kept | Group::Colour) {
            return Some("Interpolation mode keeps nothing of the frame before");
        }
        if mode == "Video Input" && rule.group == Group::Motion {
            return Some("video input has no motion of its own");
        }
        let works = match need {
            Need::Always => true,
            Need::Flat => !self.deep(),
            Need::Deep => self.deep(),
            Need::Flip => self.is("enable_perspective_flip"),
            Need::Sharpen => !self.never_sharpens(),
            Need::SeedSchedule => self.scheduled_seed(),
            Need::Variation => self.varies(),
            Need::CadenceFlow => self.flows(),
            Need::RedoFlow => self.redoes_flow(),
            Need::Switch(key) => self.is(key),
        };
        (!works).then_some(match need {
            Need::Flat => "only the 2D camera uses it",
            Need::Deep => "only the 3D camera uses it",
            Need::Flip => "the perspective flip is off",
            Need::Sharpen => "sharpening is off",
            Need::SeedSchedule => "seed_behavior is not `schedule`",
            Need::Variation if self.has_subseeds() => "the strength of the variation is 0",
            Need::CadenceFlow | Need::RedoFlow => "there is no such flow",
            Need::Switch(_) | Need::Variation | Need::Always => "its switch is off",
        })
    }

    fn never_sharpens(&self) -> bool {
        matches!(self.expand("amount_schedule"), Ok(Series::Numbers(values)) if values.iter().all(|v| *v <= 0.0))
    }

    fn scheduled_seed(&self) -> bool {
        self.word("seed_behavior") == "schedule"
            || self.manifest.as_ref().is_some_and(|film| film.manages_seed)
    }

    /// Whether Deforum hands on variation seeds; a Parseq manifest that has seeds turns them on.
    fn has_subseeds(&self) -> bool {
        self.is("enable_subseed_scheduling") || self.manifest.as_ref().is_some_and(|film| film.manages_seed)
    }

    /// Whether they change anything. A strength that is refused is told where it is written.
    fn varies(&self) -> bool {
        self.has_subseeds()
            && !matches!(self.expand("subseed_strength_schedule"),
                Ok(Series::Numbers(values)) if values.iter().all(|v| *v == 0.0))
    }

    /// Whether the film has the 3D camera.
    pub(super) fn deep(&self) -> bool {
        self.word("animation_mode") == "3D"
    }

    pub(super) fn is(&self, key: &str) -> bool {
        match self.settings.get(key) {
            Some(Json::Bool(value)) => *value,
            Some(Json::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    pub(super) fn word(&self, key: &str) -> String {
        match self.settings.get(key) {
            Some(Json::String(text)) => text.clone(),
            None | Some(Json::Null) => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// A number, also where the file has it in quotes.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        as_number(self.settings.get(key)?)
    }

    /// A number of the file under a name that Deforum itself does not have.
    fn raw_number(&self, key: &str) -> Option<f64> {
        as_number(self.raw.get(key)?)
    }

    /// The value as the report shows it.
    fn shown(&self, key: &str) -> String {
        self.settings.get(key).map(rules::shown).unwrap_or_default()
    }

    fn carried(&mut self, key: &str, to: &str) {
        self.done.insert(key.to_owned());
        if self.raw.contains_key(key) {
            self.report.carry(key, to);
        }
    }

    /// Notes a setting of the file that Deforum does not use.
    fn idle(&mut self, key: &str, why: &str) {
        self.done.insert(key.to_owned());
        if self.raw.contains_key(key) {
            self.report.idle(key, self.shown(key), why);
        }
    }

    fn refused(&mut self, key: &str, text: &str, error: &ReadError) {
        self.done.insert(key.to_owned());
        let column = |byte: u32| text.get(..byte as usize).map(|before| before.chars().count());
        let columns = column(error.span.start).zip(column(error.span.end)).filter(|(start, end)| start < end);
        self.report.errors.push(Problem {
            code: "E91",
            key: key.to_owned(),
            message: own_words(error, key),
            text: text.to_owned(),
            columns,
            hint: error.hint.clone(),
        });
    }
}

fn as_number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(value) => value.as_f64(),
        Json::String(text) => text.trim().parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    }
}

/// What is wrong with a schedule, without the name of the setting.
fn own_words(error: &ReadError, key: &str) -> String {
    error.message.replace(&format!("in `{key}`: "), "")
}

/// Whether all values are what the parameter is when the film does not set it.
fn is_default(param: &str, wanted: &[f64]) -> bool {
    let default = find(param).and_then(|param| match param.kind {
        Kind::Number(_) | Kind::Integer => param.default.parse::<f64>().ok(),
        _ => None,
    });
    default.is_some_and(|default| wanted.iter().all(|value| *value == default))
}

/// A schedule of texts, expanded.
fn texts(deforum: &Deforum<'_>, key: &str) -> Result<Vec<String>, ReadError> {
    debug_assert!(is_text(key), "{key} has numbers");
    match deforum.expand(key)? {
        Series::Texts(texts) => Ok(texts),
        Series::Numbers(_) => Err(ReadError::new(Default::default(), "expected texts, found numbers")),
    }
}

/// The words of a setting as the film writes them, or its numbers.
fn one(text: impl Into<String>) -> Value {
    Value::One(text.into())
}
