//! What is not in the film: named in the report and in comments at the film's end.

use super::Deforum;
use super::rules::{FEATURES, Group, RULES, feature, shown};
use crate::import::bench::near;
use crate::import::print::{in_one_line, string};
use crate::import::reduce;
use crate::import::report::{Note, Report};
use crate::import::score::{Block, Group as Lines, Line, Score};
use crate::schedule::deforum::Mode;
use crate::schedule::deforum::settings::Settings;
use crate::timeline::deforum::settings::{Series, animation_settings, expand_setting};

impl Deforum<'_> {
    /// Sorts every key of the file that nothing was said about yet.
    pub(super) fn leftovers(&mut self) {
        let defaults = Settings::defaults();
        let on: Vec<_> = FEATURES.iter().filter(|feature| (feature.is_on)(self)).collect();
        for feature in on {
            self.feature_on(feature, &defaults);
        }
        let open: Vec<String> = self.raw.keys().filter(|key| !self.done.contains(*key)).cloned().collect();
        for key in open {
            let value = self.raw.get(&key).map(shown).unwrap_or_default();
            if let Some(feature) = feature(&key) {
                self.report.idle(&key, value, format!("{}: off, or without effect", feature.name));
            } else if self.settings.unknown.contains(&key) {
                self.report.unknown.push(Note { key: key.clone(), value, why: String::new() });
            } else if self.settings.get(&key) == defaults.get(&key) {
                self.report.idle(&key, value, "Deforum's own value");
            } else {
                self.report.leave(&key, value, "kinora has nothing like it");
            }
            self.done.insert(key);
        }
    }

    /// Names what a feature that is on would do; settings at Deforum's values are named together.
    fn feature_on(&mut self, feature: &super::rules::Feature, defaults: &Settings) {
        let keys: Vec<String> = self
            .settings
            .groups
            .values()
            .flat_map(|group| group.keys())
            .filter(|key| feature.has(key) && !self.done.contains(*key))
            .cloned()
            .collect();
        let is_usual = |key: &String| self.settings.get(key) == defaults.get(key);
        let (usual, own): (Vec<String>, Vec<String>) = keys.into_iter().partition(is_usual);
        // A feature that is on by Deforum's own values is named by its first setting.
        let (named, rest) = if own.is_empty() && !feature.why.is_empty() {
            let split = usual.len().min(if usual.len() > 1 { 2 } else { 1 });
            (usual[..split].to_vec(), usual[split..].to_vec())
        } else {
            (own, usual)
        };
        for key in &named {
            if !feature.why.is_empty() {
                self.report.leave(key, self.shown(key), feature.why);
            }
            self.done.insert(key.clone());
        }
        let rest: Vec<String> = rest.into_iter().filter(|key| self.raw.contains_key(key)).collect();
        if !rest.is_empty() {
            for key in rest {
                let value = self.shown(&key);
                self.report.idle(&key, value, format!("{}, at Deforum's own value", feature.name));
                self.done.insert(key);
            }
        }
    }
}

impl Deforum<'_> {
    /// Keys that are not in the film because Deforum does not look at them.
    pub(super) fn outside(&self) -> Option<String> {
        let one = |(param, frames): &(String, Vec<i64>)| {
            let frames: Vec<String> = frames.iter().map(i64::to_string).collect();
            format!("{param} at {}", frames.join(", "))
        };
        let all: Vec<String> = self.beyond.iter().map(one).collect();
        (!all.is_empty())
            .then(|| format!("Keys outside of the film, left out as Deforum does: {}.", all.join("; ")))
    }

    /// Schedules that the film has no use for go into its `deforum` block, so that nothing of them is lost.
    pub(super) fn kept(&self, score: &mut Score) {
        if self.manifest.is_some() {
            return;
        }
        let defaults = Settings::defaults();
        let mut lines = Lines::default();
        for (_, setting) in animation_settings().filter(|(_, setting)| !self.exact.contains(setting)) {
            let usual = expand_setting(&defaults, &setting, self.bench.frames, self.bench.seed, Mode::Compat);
            let (Ok(own), Ok(usual)) = (self.expand(&setting), usual) else { continue };
            if (own != usual || self.is_spoken_for(&setting))
                && let Some(text) = self.settings.schedule(&setting)
            {
                lines.one(&setting, string(&self.shortest(&setting, text, &own)));
            }
        }
        if !lines.lines.is_empty() {
            let about =
                "Schedules that have no effect here. `kinora timeline --names deforum` gives them back.";
            lines.lines.insert(0, Line::Comment(about.to_owned()));
            score.blocks.push(Block { head: "deforum".to_owned(), lines: lines.lines });
        }
    }

    /// A schedule in one line that Deforum expands to the same values: in the fewest keys when it is a long
    /// list, else as it is, without line breaks where they mean nothing.
    fn shortest(&self, setting: &str, text: String, own: &Series) -> String {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let few = match own {
            Series::Numbers(values) if flat.len() > LONG && values.iter().all(|v| v.is_finite()) => {
                reduce::for_deforum(values)
            }
            _ => flat.clone(),
        };
        let is_same = |text: &String| {
            let settings = Settings::over_defaults(&[(setting.to_owned(), text.clone())]);
            let found = expand_setting(&settings, setting, self.bench.frames, self.bench.seed, Mode::Compat);
            match (found, own) {
                (Ok(Series::Numbers(found)), Series::Numbers(own)) => {
                    found.iter().zip(own).all(|(a, b)| near(*a, *b) || (a.is_nan() && b.is_nan()))
                }
                (Ok(found), own) => found == *own,
                (Err(_), _) => false,
            }
        };
        [few, flat].into_iter().find(is_same).unwrap_or(text)
    }

    /// Whether the film says something else of the parameter of a schedule that is off: by a setting of
    /// its own, or by what holds in kinora when nothing is said.
    fn is_spoken_for(&self, setting: &str) -> bool {
        let mode = self.word("animation_mode");
        let stands_still = mode == "Interpolation" || mode == "Video Input";
        match setting {
            "steps_schedule" | "sampler_schedule" => true,
            "aspect_ratio_schedule" => self.deep() && self.is("aspect_ratio_use_old_formula"),
            "seed_schedule" => self.number("seed_iter_N").is_some_and(|every| every > 1.0),
            _ => stands_still && RULES.iter().any(|rule| rule.key == setting && rule.group != Group::Model),
        }
    }
}

/// A schedule that is longer is written in fewer keys, where that is possible.
const LONG: usize = 160;

/// Settings that the film speaks of where they would stand.
const SPOKEN_OF: &[&str] = &["sd_model_name", "Model", "init_image", "strength"];

/// The comment lines at the end of the film.
pub(in crate::import) fn footer(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    // What is left for the same reason is said together.
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for note in report.not_carried.iter().filter(|note| !SPOKEN_OF.contains(&note.key.as_str())) {
        let value = in_one_line(&note.value, 60);
        let text = if value.is_empty() { note.key.clone() } else { format!("{} = {value}", note.key) };
        match reasons.iter_mut().find(|(why, _)| *why == note.why) {
            Some((_, texts)) => texts.push(text),
            None => reasons.push((&note.why, vec![text])),
        }
    }
    if !reasons.is_empty() {
        lines.push("Not carried over:".to_owned());
        lines.extend(reasons.iter().map(|(why, texts)| format!("  {} ({why})", texts.join(", "))));
    }
    if !report.without_effect.is_empty() {
        lines.push(format!(
            "Left out: {} that have no effect there; `kinora import --format json` names each.",
            settings(report.without_effect.len())
        ));
    }
    if !report.unknown.is_empty() {
        let names: Vec<&str> = report.unknown.iter().map(|note| note.key.as_str()).collect();
        lines.push(format!("Unknown there, left out: {}.", names.join(", ")));
    }
    lines
}

fn settings(count: usize) -> String {
    format!("{count} setting{}", if count == 1 { "" } else { "s" })
}
