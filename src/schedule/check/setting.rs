//! Settings: which parameter, once only, and its value or keys.

use super::call::Found;
use super::typed::Target;
use super::{Checker, later, place_name, scope, unit};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::film::{Ease, Key, Setting, SettingValue, Settings};
use crate::schedule::names::did_you_mean;
use crate::schedule::params::{Kind, Param, Places, all, find, find_in};
use crate::schedule::syntax::{self, Value};
use crate::schedule::units::Context;

/// Names of the easings, for did-you-mean.
pub(in crate::schedule) const EASES: &[&str] =
    &["linear", "cut", "ease", "ease-in", "ease-out", "ease-in-out", "cubic-bezier", "steps"];

impl Checker {
    /// A setting of a block that may stand at `place`, into `settings`.
    pub(super) fn setting(&mut self, place: Places, written: &syntax::Setting, settings: &mut Settings) {
        let Some(param) = find_in(place, &written.name.text) else {
            self.unknown_setting(place, written);
            return;
        };
        let value = self.value(param, &written.value);
        if let Some(first) = settings.get(param.name) {
            let found = Diagnostic::error("E23", format!("`{}` is set twice", param.name), written.name.span)
                .also(first.name.span, "first set here");
            self.report(found);
            return;
        }
        let opposite = match param.name {
            "strength" => settings.get("denoise"),
            "denoise" => settings.get("strength"),
            _ => None,
        };
        if let Some(first) = opposite {
            let found =
                Diagnostic::error("E24", "`denoise` is 1 - `strength`: give one of them", written.name.span)
                    .also(first.name.span, format!("`{}` is set here", first.param.name));
            self.report(found);
            return;
        }
        if let Some(value) = value {
            settings.insert(param.name, Setting { param, name: written.name.clone(), value });
        }
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
            let found = Diagnostic::error("E21", format!("unknown setting `{name}`"), span);
            self.report(found.hint("it has no effect in Deforum either: leave it out"));
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
    fn value(&mut self, param: &'static Param, value: &Value) -> Option<SettingValue> {
        match value {
            Value::Expr(expr) => match self.as_call(param, expr) {
                Found::Call(call) => call.map(SettingValue::Call),
                Found::Other => {
                    let value = self.typed(param.into(), expr)?;
                    self.leftovers(param, &value);
                    let changes = scope::changes(&value);
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
        let ease = key.ease.as_ref().map_or(Some(Ease::Linear), |ease| self.ease(param, ease));
        let value = value?;
        self.leftovers(param, &value);
        let changes = scope::changes(&value);
        Some(Key { time: Some(time?), value, ease: ease?, span: key.span, changes })
    }

    /// The time of a key: a number of frames that does not itself change.
    fn time(&mut self, time: &Expr) -> Option<Expr> {
        let before = self.list.len();
        let value = self.scope.write(time, &[], &mut self.list)?;
        unit::check("", &value, Context::KeyTime, &self.film.tempo, &mut self.list);
        if scope::changes(&value) {
            let found = Diagnostic::error("E35", "the time of a key cannot depend on the time", time.span);
            self.report(found.hint("it may use `max_f`, `s` and `fps`"));
        } else if matches!(value.kind, ExprKind::Text(_) | ExprKind::List(_) | ExprKind::Size(..)) {
            self.report(Diagnostic::error("E35", "expected a time", time.span));
        }
        (self.list.len() == before).then_some(value)
    }

    fn ease(&mut self, param: &Param, ease: &syntax::Ease) -> Option<Ease> {
        let found = match eases(ease) {
            Ok(found) => found,
            Err(wrong) => {
                self.report(wrong);
                return None;
            }
        };
        if param.kind == Kind::Text && !matches!(found, Ease::Cut) {
            self.report(
                later::error("blending from one text to the next", ease.span).hint("`~cut` jumps at the key"),
            );
            return None;
        }
        Some(found)
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

/// The easing that was written.
fn eases(ease: &syntax::Ease) -> Result<Ease, Diagnostic> {
    let name = ease.name.text.as_str();
    let numbers: Vec<Option<f64>> = ease.args.iter().map(|arg| signed(&arg.value)).collect();
    let takes_none = |found: Ease| match ease.args.is_empty() {
        true => Ok(found),
        false => Err(Diagnostic::error("E13", format!("`~{name}` takes no arguments"), ease.span)),
    };
    match name {
        "linear" => takes_none(Ease::Linear),
        "cut" => takes_none(Ease::Cut),
        // CSS Easing Functions Level 1, section 2.2.
        "ease" => takes_none(Ease::Bezier([0.25, 0.1, 0.25, 1.0])),
        "ease-in" => takes_none(Ease::Bezier([0.42, 0.0, 1.0, 1.0])),
        "ease-out" => takes_none(Ease::Bezier([0.0, 0.0, 0.58, 1.0])),
        "ease-in-out" => takes_none(Ease::Bezier([0.42, 0.0, 0.58, 1.0])),
        "cubic-bezier" => bezier(ease, &numbers),
        "steps" => steps(ease, &numbers),
        "blend" | "hold" | "spline" | "smooth" => Err(later::error(&format!("`~{name}`"), ease.span)),
        _ => Err(Diagnostic::error("E14", format!("unknown ease `~{name}`"), ease.name.span)
            .label(did_you_mean(name, EASES.iter().copied()))
            .hint(format!("there are ~{}", EASES.join(", ~")))),
    }
}

fn signed(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Unary(crate::schedule::expr::UnaryOp::Neg, x) => unit::plain_number(x).map(|value| -value),
        _ => unit::plain_number(expr),
    }
}

fn bezier(ease: &syntax::Ease, numbers: &[Option<f64>]) -> Result<Ease, Diagnostic> {
    let wrong = |message: &str| {
        Diagnostic::error("E13", message, ease.span).hint("for example `~cubic-bezier(0.2, 0, 0, 1)`")
    };
    let [Some(x1), Some(y1), Some(x2), Some(y2)] = numbers else {
        return Err(wrong("`~cubic-bezier` takes four numbers: x1, y1, x2, y2"));
    };
    if ![x1, x2].iter().all(|x| (0.0..=1.0).contains(*x)) {
        return Err(wrong("x1 and x2 of `~cubic-bezier` are from 0 to 1, since they are times"));
    }
    Ok(Ease::Bezier([*x1, *y1, *x2, *y2]))
}

fn steps(ease: &syntax::Ease, numbers: &[Option<f64>]) -> Result<Ease, Diagnostic> {
    let wrong = || {
        Diagnostic::error("E13", "`~steps` takes a whole number of steps, at least 1", ease.span)
            .hint("for example `~steps(4)`")
    };
    match numbers {
        [Some(count)] if (1.0..=1e6).contains(count) && count.fract() == 0.0 => {
            Ok(Ease::Steps { count: *count as u32, start: false, end: true })
        }
        _ => Err(wrong()),
    }
}
