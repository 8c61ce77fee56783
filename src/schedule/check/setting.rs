//! Settings: which parameter, once only, and its value or keys.

use super::call::Found;
use super::typed::Target;
use super::{Checker, ease, later, place_name, shape, unit};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::film::{Ease, Key, Setting, SettingValue, Settings};
use crate::schedule::names::did_you_mean;
use crate::schedule::params::{Kind, Param, Places, all, find, find_in};
use crate::schedule::span::Span;
use crate::schedule::syntax::{self, Value};
use crate::schedule::units::Context;

impl Checker {
    /// A setting of a block that may stand at `place`, into `settings`.
    pub(super) fn setting(&mut self, place: Places, written: &syntax::Setting, settings: &mut Settings) {
        let Some(param) = find_in(place, &written.name.text) else {
            self.unknown_setting(place, written);
            return;
        };
        let value = self.value(param, &written.value);
        if let Some(first) = self.same_file(settings.get(param.name), written) {
            let found = Diagnostic::error("E23", format!("`{}` is set twice", param.name), written.name.span)
                .also(first, "first set here");
            self.report(found);
            return;
        }
        let opposite = match param.name {
            "strength" => "denoise",
            "denoise" => "strength",
            _ => "",
        };
        if let Some(first) = self.same_file(settings.get(opposite), written) {
            let found =
                Diagnostic::error("E24", "`denoise` is 1 - `strength`: give one of them", written.name.span)
                    .also(first, format!("`{opposite}` is set here"));
            self.report(found);
            return;
        }
        if let Some(value) = value {
            let before = settings.remove(param.name).into_iter().chain(settings.remove(opposite));
            let replaced =
                before.flat_map(|before| before.replaced.into_iter().chain([before.name])).collect();
            settings.insert(param.name, Setting { param, name: written.name.clone(), value, replaced });
        }
    }

    /// Where `first`, or something that it took the place of, was set in the file of `written`: within one
    /// file nothing is set twice. Between files the later setting wins, and a chosen variant always.
    fn same_file(&self, first: Option<&Setting>, written: &syntax::Setting) -> Option<Span> {
        let first = first.filter(|_| !self.is_chosen)?;
        let names = first.replaced.iter().chain([&first.name]).map(|name| name.span);
        names.into_iter().find(|span| span.source == written.name.span.source)
    }

    fn unknown_setting(&mut self, place: Places, written: &syntax::Setting) {
        let name = &written.name.text;
        let span = written.name.span;
        if later::is_setting(name) {
            self.report(later::error(&format!("`{name}`"), span));
            return;
        }
        if let Some(param) = find(name) {
            let places: Vec<String> = param.places.names().iter().map(|place| stands(place)).collect();
            let message = format!("`{name}` cannot stand in {}", place_name(place));
            let found = Diagnostic::error("E22", message, span);
            self.report(found.hint(format!("it stands {}", places.join(" or "))));
            return;
        }
        if matches!(name.as_str(), "near_schedule" | "far_schedule") {
            let message = format!("`{name}` has no effect: the two planes cancel out of the picture");
            let found = Diagnostic::warning("W40", message, span);
            self.report(found.hint("it has none in Deforum either: leave it out"));
            return;
        }
        if let Some((param, form)) = argument_of(name) {
            let found = Diagnostic::error("E21", format!("unknown setting `{name}`"), span);
            self.report(found.hint(format!("it is an argument: `{param} = {form}`")));
            return;
        }
        let known = all().iter().filter(|param| param.places.has(place));
        let near =
            did_you_mean(name, known.flat_map(|param| param.aliases.iter().chain([&param.name]).copied()));
        let found = Diagnostic::error("E21", format!("unknown setting `{name}`"), span).label(near);
        self.report(found);
    }

    /// The value of a setting, checked.
    pub(super) fn value(&mut self, param: &'static Param, value: &Value) -> Option<SettingValue> {
        match value {
            Value::Expr(expr) => match self.as_call(param, expr) {
                Found::Call(call) => call.map(SettingValue::Call),
                Found::Other => {
                    let value = self.typed(param.into(), expr)?;
                    self.leftovers(param, &value);
                    let changes = shape::changes(&value);
                    let key = Key { time: None, value, ease: Ease::Linear, span: expr.span, changes };
                    Some(SettingValue::Track(vec![key]))
                }
            },
            Value::Keys(keys) if self.is_constant(param, keys) => {
                self.value(param, &Value::Expr(keys[0].value.clone()))
            }
            Value::Keys(_) if !param.keyed => {
                let message = format!("`{}` cannot change over time", param.name);
                self.report(
                    Diagnostic::error("E34", message, value.span()).hint("give one value, without times"),
                );
                None
            }
            Value::Keys(keys) => {
                let keys: Vec<Option<Key>> = keys.iter().map(|key| self.key(param, key)).collect();
                keys.into_iter().collect::<Option<_>>().map(SettingValue::Track)
            }
        }
    }

    /// A single key at frame 0, which is how Deforum writes a value that stays: `0: (1)`.
    fn is_constant(&self, param: &Param, keys: &[syntax::Key]) -> bool {
        !param.keyed && matches!(keys, [key] if key.time.kind == ExprKind::Int(0) && key.ease.is_none())
    }

    fn key(&mut self, param: &'static Param, key: &syntax::Key) -> Option<Key> {
        let target: Target = param.into();
        let time = self.time(&key.time);
        let value = self.typed(target, &key.value);
        // A text or file holds until the next one unless an ease says that it passes into it.
        let unsaid = if matches!(param.kind, Kind::Text | Kind::File) { Ease::Cut } else { Ease::Linear };
        let ease = key.ease.as_ref().map_or(Some(unsaid), |ease| self.ease(ease));
        let value = value?;
        self.leftovers(param, &value);
        let changes = shape::changes(&value);
        Some(Key { time: Some(time?), value, ease: ease?, span: key.span, changes })
    }

    /// The time of a key: a number of frames that does not itself change.
    fn time(&mut self, time: &Expr) -> Option<Expr> {
        let before = self.list.len();
        let value = self.scope.write(time, &[], &mut self.list)?;
        unit::check("", &value, Context::KeyTime, &self.film.tempo, &mut self.list);
        if shape::changes(&value) {
            let found = Diagnostic::error("E35", "the time of a key cannot depend on the time", time.span);
            self.report(found.hint("it may use `max_f`, `s` and `fps`"));
        } else if matches!(value.kind, ExprKind::Text(_) | ExprKind::List(_) | ExprKind::Size(..)) {
            self.report(Diagnostic::error("E35", "expected a time", time.span));
        }
        (self.list.len() == before).then_some(value)
    }

    fn ease(&mut self, written: &syntax::Ease) -> Option<Ease> {
        match ease::read(written) {
            Ok(found) => Some(found),
            Err(wrong) => {
                self.report(wrong);
                None
            }
        }
    }

    /// Deforum's own notations inside prompts, which mean nothing here.
    fn leftovers(&mut self, param: &Param, value: &Expr) {
        let ExprKind::Text(parts) = &value.kind else { return };
        if !matches!(param.name, "prompt" | "negative") {
            return;
        }
        let has = |what: &str| {
            parts.iter().any(|part| matches!(part, TextPart::Literal(text) if text.contains(what)))
        };
        if has("--neg") {
            let found = Diagnostic::warning(
                "W04",
                "`--neg` in a prompt is Deforum's notation, here it is text",
                value.span,
            );
            self.report(found.hint("write the negative prompt as `negative = \"...\"`"));
        }
        if has("`") {
            let message = "backticks in a prompt are Deforum's notation, here they are text";
            self.report(Diagnostic::warning("W04", message, value.span).hint("write `${expr}`"));
        }
    }
}

/// Where a place is, for «it stands ...».
fn stands(place: &str) -> String {
    if place == "film" { "at the top of the film".to_owned() } else { format!("in `{place}`") }
}

/// The parameter that has a call with an argument of this name, and how the call is written.
fn argument_of(name: &str) -> Option<(&'static str, String)> {
    all().iter().find_map(|param| {
        let call = param.calls.iter().find(|call| call.args.iter().any(|arg| arg.name == name))?;
        Some((param.name, call.signature()))
    })
}
