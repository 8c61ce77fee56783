//! What is not in the film: named in the report and in comments at the film's end.

use std::collections::BTreeSet;

use super::Deforum;
use super::rules::{FEATURES, feature, shown};
use crate::import::report::{Note, Report};
use crate::schedule::deforum::settings::Settings;

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
            self.report.idle(&rest.join(", "), "", format!("{}, at Deforum's own values", feature.name));
            self.done.extend(rest);
        }
    }
}

/// The comment lines at the end of the film.
pub(in crate::import) fn footer(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if !report.not_carried.is_empty() {
        lines.push("Not carried over:".to_owned());
        lines.extend(report.not_carried.iter().map(|note| format!("  {}", note.line())));
    }
    let off: BTreeSet<&str> = report.without_effect.iter().map(|note| reason(&note.why)).collect();
    if !off.is_empty() {
        let names: Vec<&str> = off.into_iter().collect();
        lines.push(format!(
            "Left out because it has no effect there ({} settings): {}.",
            report.without_effect.len(),
            names.join("; ")
        ));
    }
    if !report.unknown.is_empty() {
        let names: Vec<&str> = report.unknown.iter().map(|note| note.key.as_str()).collect();
        lines.push(format!("Unknown to Deforum, left out: {}.", names.join(", ")));
    }
    lines
}

/// The feature in a reason, without what is said about it.
fn reason(why: &str) -> &str {
    why.split(':').next().unwrap_or(why)
}
