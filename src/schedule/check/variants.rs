//! The `variants` block: names that the film has, and values that fit them.

use super::Checker;
use super::block::control_unit;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind};
use crate::schedule::film::Settings;
use crate::schedule::names::did_you_mean;
use crate::schedule::params::{Param, Places, all, find_in};
use crate::schedule::syntax::{self, Block, Item, Value};
use crate::schedule::variants::{Axis, AxisValue, Chosen, MAX_VARIANTS, count, labels};

/// Where a parameter that is the same for all scenes may stand.
const PLACES: [Places; 3] = [Places::FILM, Places::VIDEO, Places::POST];

impl Checker {
    /// Sets parameters to the values that were chosen of the film's variants.
    pub(super) fn choose(&mut self, chosen: &[Chosen], settings: &mut Settings) {
        for Chosen { name, value } in chosen {
            if !self.scope.has(&name.text) {
                self.set_chosen(name, value, settings);
            }
        }
    }

    fn set_chosen(&mut self, name: &syntax::Name, value: &Expr, settings: &mut Settings) {
        let setting = syntax::Setting { name: name.clone(), value: Value::Expr(value.clone()) };
        self.is_chosen = true;
        match PLACES.into_iter().find(|place| find_in(*place, &name.text).is_some()) {
            Some(place) => self.setting(place, &setting, settings),
            None => self.film_setting(&setting, settings),
        }
        self.is_chosen = false;
    }

    /// The film's variants.
    pub(super) fn variants(&mut self, items: &[Item]) {
        let mut axes = Vec::new();
        for item in items {
            match item {
                Item::Block(block) if block.kind.text == "variants" => self.axes(block, &mut axes),
                _ => {}
            }
        }
        let total = count(&axes);
        if let Some(last) = axes.last().filter(|_| total > MAX_VARIANTS) {
            let message = format!("a film has at most {MAX_VARIANTS} variants, these are {total}");
            let found = Diagnostic::error("E66", message, last.name.span);
            self.report(found.hint("every value is combined with every other: leave some out"));
            axes.clear();
        }
        axes.iter().for_each(|axis| self.without_effect(axis));
        self.film.variants = axes;
    }

    fn axes(&mut self, block: &Block, axes: &mut Vec<Axis>) {
        if let Some(label) = block.labels.first() {
            self.report(Diagnostic::error("E25", "`variants` takes no name", label.span));
        }
        for item in &block.items {
            match item {
                Item::Setting(setting) => self.axis(setting, axes),
                other => self.misplaced(other, &block.kind),
            }
        }
    }

    fn axis(&mut self, setting: &syntax::Setting, axes: &mut Vec<Axis>) {
        let name = &setting.name;
        let earlier = axes.iter().position(|axis| axis.name.text == name.text);
        if let Some(first) = earlier.filter(|at| axes[*at].name.span.source == name.span.source) {
            let found = Diagnostic::error("E23", format!("`{}` is varied twice", name.text), name.span);
            self.report(found.also(axes[first].name.span, "first here"));
            return;
        }
        let values = match &setting.value {
            Value::Expr(Expr { kind: ExprKind::List(values), .. }) if !values.is_empty() => values,
            value => {
                let message = format!("a variant takes a list of values: `{} = [...]`", name.text);
                let found = Diagnostic::error("E65", message, value.span());
                self.report(found.hint("for example `seed = [1, 2, 3]`"));
                return;
            }
        };
        if !self.can_vary(name) {
            return;
        }
        self.fit(name, values);
        let axis = Axis { name: name.clone(), values: self.axis_values(values) };
        match earlier {
            Some(at) => axes[at] = axis,
            None => axes.push(axis),
        }
    }

    /// Whether the film has something of this name that can be set; reports it when not.
    fn can_vary(&mut self, name: &syntax::Name) -> bool {
        let known = || all().iter().filter(|param| PLACES.iter().any(|place| param.places.has(*place)));
        let is_param = is_param(name);
        let is_bound = self.scope.has(&name.text);
        if is_bound && is_param {
            let message = format!("`{}` is both a parameter and a name of this film", name.text);
            let found = Diagnostic::error("E65", message, name.span);
            self.report(found.hint("bind another name with `let`"));
            return false;
        }
        if !is_bound && !is_param {
            let names = known().flat_map(|param| param.aliases.iter().chain([&param.name]).copied());
            let near = did_you_mean(&name.text, self.scope.names().chain(names));
            let message = format!("the film has no `{}` that could vary", name.text);
            let found = Diagnostic::error("E65", message, name.span).label(near);
            self.report(
                found.hint("a variant is a parameter, or a name bound by `let` at the top of the film"),
            );
        }
        is_bound || is_param
    }

    /// Reports values that do not fit what they are for.
    fn fit(&mut self, name: &syntax::Name, values: &[Expr]) {
        for value in values {
            if self.scope.has(&name.text) {
                drop(self.scope.write(value, &[], &mut self.list));
            } else {
                let controls = self.film.controls.clone();
                let mut scratch = Settings::new();
                self.set_chosen(name, value, &mut scratch);
                self.film.controls = controls;
            }
        }
    }

    fn axis_values(&mut self, values: &[Expr]) -> Vec<AxisValue> {
        let text = |value: &Expr| match value.literal_text() {
            Some(text) => text.to_owned(),
            None => self.film.sources.text(value.span).to_owned(),
        };
        let texts: Vec<String> = values.iter().map(text).collect();
        for (at, value) in values.iter().enumerate() {
            if let Some(first) = texts[..at].iter().position(|text| *text == texts[at]) {
                let found = Diagnostic::error("E65", "this value is given twice", value.span);
                self.report(found.also(values[first].span, "first here"));
            }
        }
        let labels = labels(&texts);
        let parts = values.iter().zip(texts).zip(labels);
        parts.map(|((value, text), label)| AxisValue { expr: value.clone(), text, label }).collect()
    }

    /// Warns when a scene sets the parameter itself, so that the variants change nothing there.
    fn without_effect(&mut self, axis: &Axis) {
        let name = &axis.name;
        if self.scope.has(&name.text) {
            return;
        }
        let Some(param) = param_of(name) else { return };
        let setting = self.film.scenes.iter().find_map(|scene| {
            let setting = match control_unit(name) {
                None => scene.settings.get(param.name),
                Some((control, _)) => {
                    let control = scene.controls.iter().find(|known| known.name.text == control.text);
                    control.and_then(|control| control.settings.get(param.name))
                }
            };
            Some((scene.name.text.clone(), setting?.name.span))
        });
        if let Some((scene, span)) = setting {
            let message = format!(
                "the scene `{scene}` sets `{}` itself: the variants do not change it there",
                param.name
            );
            let found = Diagnostic::warning("W61", message, name.span).also(span, "set here");
            self.report(found.hint(format!(
                "in the scene write a name, and bind it at the top: `let x = ...`, `{} = x`",
                param.name
            )));
        }
    }
}

fn is_param(name: &syntax::Name) -> bool {
    param_of(name).is_some()
}

/// The parameter that the name means at the top of a film.
fn param_of(name: &syntax::Name) -> Option<&'static Param> {
    let at_top = PLACES.into_iter().find_map(|place| find_in(place, &name.text));
    at_top.or_else(|| find_in(Places::CONTROL, &control_unit(name)?.1.text))
}
