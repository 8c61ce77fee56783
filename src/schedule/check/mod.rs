//! The syntax tree becomes a checked film. Nothing stops at the first mistake: what is wrong is left
//! out of the film and the rest is still looked at.

mod block;
mod call;
mod later;
mod scope;
mod setting;
mod typed;
mod unit;

use std::path::Path;

use super::diagnostic::Diagnostic;
use super::expr::{BinaryOp, Expr, ExprKind};
use super::film::{DEFAULT_RATE, Film, NEWEST, Settings};
use super::params::Places;
use super::source::Sources;
use super::span::Span;
use super::syntax::{File, Item, Value};
use super::units::{Rate, Tempo};
use scope::Scope;
pub(super) use setting::EASES;

/// Checks `file` and adds what is wrong to `list`.
pub(super) fn check(folder: &Path, sources: Sources, file: &File, list: &mut Vec<Diagnostic>) -> Film {
    // A film that could not be read to its end would only seem to lack what was not read.
    let is_whole = list.is_empty();
    let film = Film {
        folder: folder.to_owned(),
        version: NEWEST,
        sources,
        tempo: tempo(&file.items),
        settings: Settings::new(),
        controls: Vec::new(),
        scenes: Vec::new(),
    };
    let mut checker = Checker { film, list: Vec::new(), scope: Scope::default() };
    checker.version(file.version);
    checker.bind(&file.items);
    checker.film_items(&file.items);
    checker.clashes();
    if is_whole {
        checker.missing();
    }
    list.append(&mut checker.list);
    checker.film
}

struct Checker {
    film: Film,
    list: Vec<Diagnostic>,
    scope: Scope,
}

impl Checker {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    fn version(&mut self, version: Option<(u32, Span)>) {
        match version {
            Some((NEWEST, _)) => {}
            Some((other, span)) => self.report(
                Diagnostic::error(
                    "E09",
                    format!("expected version {NEWEST} of the language, found {other}"),
                    span,
                )
                .hint("a newer kinora may know it"),
            ),
            None => self.report(
                Diagnostic::warning(
                    "W01",
                    "the film does not say its version of the language",
                    Span::new(0, 0, 0),
                )
                .hint(format!("begin it with `kinora {NEWEST}`, which is what it was read as")),
            ),
        }
    }

    fn bind(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Let(bound) => self.scope.bind(bound, &mut self.list),
                Item::Function(function) => self.scope.define(function, &mut self.list),
                _ => {}
            }
        }
    }

    fn film_items(&mut self, items: &[Item]) {
        let mut settings = Settings::new();
        for item in items {
            match item {
                Item::Setting(setting) => self.film_setting(setting, &mut settings),
                Item::Block(block) => self.film_block(block, &mut settings),
                Item::Use { span, .. } => self.report(later::error("`use`", *span)),
                Item::Let(_) | Item::Function(_) => {}
            }
        }
        self.film.settings = settings;
    }

    /// Settings that each are right but not together.
    fn clashes(&mut self) {
        if let (Some(frames), Some(scene)) = (self.film.setting("frames"), self.film.scenes.first()) {
            let found =
                Diagnostic::error("E24", "`frames` is the length of a film without scenes", frames.name.span)
                    .also(scene.name.span, "this scene has a length of its own");
            self.list.push(found);
        }
        let film = &self.film;
        let controls = film.controls.iter().chain(film.scenes.iter().flat_map(|scene| &scene.controls));
        let found: Vec<Diagnostic> = controls.filter_map(block::control_clash).collect();
        self.list.extend(found);
    }

    /// What a film cannot do without.
    fn missing(&mut self) {
        let has_errors = self.list.iter().any(|found| found.severity == super::diagnostic::Severity::Error);
        let end = self.film.sources.files.first().map_or(0, |(_, text)| text.trim_end().len());
        let end = Span::new(0, end as u32, end as u32);
        if self.film.scenes.is_empty() && self.film.setting("frames").is_none() && !has_errors {
            self.report(
                Diagnostic::error("E25", "the film has no length", end)
                    .hint("write `frames = 120`, or a scene: `scene name 10s { ... }`"),
            );
        }
        let film = &self.film;
        let has_prompt = film.setting("prompt").is_some()
            || (!film.scenes.is_empty()
                && film.scenes.iter().all(|scene| scene.settings.contains_key("prompt")));
        if !has_prompt && !has_errors {
            let at = film.scenes.iter().find(|scene| !scene.settings.contains_key("prompt"));
            let at = at.map_or(end, |scene| scene.name.span);
            self.report(
                Diagnostic::warning("W05", "there is no prompt", at)
                    .hint("say what is to be seen: `prompt = \"...\"`"),
            );
        }
    }
}

/// Frames per second and tempo, wherever in the film they stand; mistakes in them are reported when
/// they are checked as settings.
fn tempo(items: &[Item]) -> Tempo {
    let mut tempo = Tempo { rate: DEFAULT_RATE, bpm: None };
    for item in items {
        match item {
            Item::Setting(setting) => {
                let Value::Expr(value) = &setting.value else { continue };
                match setting.name.text.as_str() {
                    "fps" => tempo.rate = rate(value).unwrap_or(tempo.rate),
                    "bpm" => tempo.bpm = unit::plain_number(value).filter(|bpm| *bpm > 0.0),
                    _ => {}
                }
            }
            Item::Block(block) if block.kind.text == "video" => {
                let inner = self::tempo(&block.items);
                tempo.bpm = inner.bpm.or(tempo.bpm);
                tempo.rate = if inner.rate == DEFAULT_RATE { tempo.rate } else { inner.rate };
            }
            _ => {}
        }
    }
    tempo
}

/// `12`, `23.976`, `24000/1001`.
fn rate(value: &Expr) -> Option<Rate> {
    match &value.kind {
        ExprKind::Int(value) => Rate::new(u64::try_from(*value).ok()?, 1),
        ExprKind::Float(value) => Rate::from_decimal(*value),
        ExprKind::Binary(BinaryOp::Div, num, den) => match (&num.kind, &den.kind) {
            (ExprKind::Int(num), ExprKind::Int(den)) => {
                Rate::new(u64::try_from(*num).ok()?, u64::try_from(*den).ok()?)
            }
            _ => None,
        },
        _ => None,
    }
}

/// A place's name for «stands in ...».
fn place_name(place: Places) -> String {
    match place {
        Places::FILM => "the film".to_owned(),
        other => format!("`{}`", other.names().join("")),
    }
}
