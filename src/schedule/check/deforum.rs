//! The `deforum` block: schedules that an imported file has and the film has no use for, each under
//! Deforum's name as the text that the file has. They change nothing that is seen;
//! `timeline --names deforum` gives them back.

use super::Checker;
use crate::schedule::deforum::settings::Settings;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::names::did_you_mean;
use crate::schedule::syntax::{self, Block, Item, Value};

impl Checker {
    pub(super) fn deforum(&mut self, block: &Block) {
        if let Some(label) = block.labels.first() {
            self.report(Diagnostic::error("E25", "`deforum` takes no name", label.span));
        }
        let defaults = Settings::defaults();
        for item in &block.items {
            match item {
                Item::Setting(setting) => self.kept(&defaults, setting),
                other => self.misplaced(other, &block.kind),
            }
        }
    }

    fn kept(&mut self, defaults: &Settings, setting: &syntax::Setting) {
        let name = &setting.name;
        let known = || defaults.groups.values().flat_map(|group| group.keys()).map(String::as_str);
        if !known().any(|known| known == name.text) {
            let message = format!("Deforum has no setting `{}`", name.text);
            let near = did_you_mean(&name.text, known());
            self.report(Diagnostic::error("E93", message, name.span).label(near));
            return;
        }
        let text = match &setting.value {
            Value::Expr(expr) => expr.literal_text(),
            Value::Keys(_) => None,
        };
        let Some(text) = text else {
            let message = format!("`{}` takes Deforum's schedule as text", name.text);
            let found = Diagnostic::error("E32", message, setting.value.span());
            self.report(found.hint("put it in quotes: `\"0: (1)\"`"));
            return;
        };
        if self.film.deforum.iter().any(|(known, _)| *known == name.text) {
            self.report(Diagnostic::error("E23", format!("`{}` is set twice", name.text), name.span));
            return;
        }
        self.film.deforum.push((name.text.clone(), text.to_owned()));
    }
}
