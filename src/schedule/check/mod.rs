//! The syntax tree becomes a checked film. Nothing stops at the first mistake: what is wrong is left
//! out of the film and the rest is still looked at.

mod alone;
mod arguments;
mod bind;
mod block;
mod call;
mod deforum;
mod ease;
mod later;
mod motion;
mod scope;
mod series;
mod setting;
mod shape;
mod sound;
mod typed;
mod unit;
mod variants;

use std::path::Path;
use std::rc::Rc;

use super::diagnostic::{Diagnostic, Severity};
use super::expr::{BinaryOp, Expr, ExprKind};
use super::film::{DEFAULT_RATE, Film, NEWEST, SettingValue, Settings};
use super::include::Whole;
use super::library::Library;
use super::params::Places;
use super::span::Span;
use super::syntax::{Item, Value};
use super::units::{Rate, Tempo};
use super::variants::Chosen;
pub(super) use alone::check_alone;
use scope::Scope;

/// Checks `whole`, with `chosen` values of its variants, and adds what is wrong to `list`.
pub(super) fn check(
    folder: &Path,
    whole: Whole,
    library: Rc<dyn Library>,
    chosen: &[Chosen],
    list: &mut Vec<Diagnostic>,
) -> Film {
    // A film that could not be read to its end would only seem to lack what was not read.
    let is_whole = list.iter().all(|found| found.severity == Severity::Warning);
    let Whole { items, sources, version, used_versions, .. } = whole;
    let series = series::Loader::new(library, folder, &sources);
    let film = Film {
        folder: folder.to_owned(),
        version: NEWEST,
        sources,
        tempo: tempo(&items, chosen),
        settings: Settings::new(),
        controls: Vec::new(),
        scenes: Vec::new(),
        variants: Vec::new(),
        series: Vec::new(),
        deforum: Vec::new(),
    };
    let scope = Scope::with_series(series);
    let mut checker = Checker { film, list: Vec::new(), scope, is_chosen: false };
    checker.version(version);
    used_versions.into_iter().for_each(|(number, span)| checker.known_version(number, span));
    checker.bind_film(&items, chosen);
    checker.film_items(&items, chosen);
    checker.clashes();
    checker.variants(&items);
    if is_whole {
        checker.missing();
    }
    list.append(&mut checker.list);
    checker.film.series = checker.scope.series_files();
    checker.film
}

struct Checker {
    film: Film,
    list: Vec<Diagnostic>,
    scope: Scope,
    /// What is being set is a value of the film's variants: it takes the place of what the film says.
    is_chosen: bool,
}

impl Checker {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    fn version(&mut self, version: Option<(u32, Span)>) {
        match version {
            Some((number, span)) => self.known_version(number, span),
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

    fn known_version(&mut self, number: u32, span: Span) {
        if number != NEWEST {
            let message = format!("expected version {NEWEST} of the language, found {number}");
            self.report(Diagnostic::error("E09", message, span).hint("a newer kinora may know it"));
        }
    }

    fn film_items(&mut self, items: &[Item], chosen: &[Chosen]) {
        let mut settings = Settings::new();
        for item in items {
            match item {
                Item::Setting(setting) => self.film_setting(setting, &mut settings),
                Item::Block(block) => self.film_block(block, &mut settings),
                // What is used has been put in its place.
                Item::Use { .. } | Item::Let(_) | Item::Function(_) => {}
            }
        }
        self.choose(chosen, &mut settings);
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
        let found = motion::clashes(&self.film);
        self.list.extend(found);
        let film = &self.film;
        let controls = film.controls.iter().chain(film.scenes.iter().flat_map(|scene| &scene.controls));
        let found: Vec<Diagnostic> = controls.filter_map(block::control_clash).collect();
        self.list.extend(found);
    }

    /// What a film cannot do without.
    fn missing(&mut self) {
        let has_errors = self.list.iter().any(|found| found.severity == Severity::Error);
        let end = self.film.sources.files.first().map_or(0, |(_, text)| text.trim_end().len());
        let end = Span::new(0, end as u32, end as u32);
        let has_video = ["source", "hybrid"].iter().any(|name| {
            matches!(self.film.setting(name).map(|setting| &setting.value),
                Some(SettingValue::Call(call)) if call.spec.name == "video")
        });
        let has_length = self.film.setting("frames").is_some() || has_video;
        if self.film.scenes.is_empty() && !has_length && !has_errors {
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
fn tempo(items: &[Item], chosen: &[Chosen]) -> Tempo {
    let mut tempo = Tempo { rate: DEFAULT_RATE, bpm: None };
    for item in items {
        match item {
            Item::Setting(setting) => set_tempo(&mut tempo, &setting.name.text, &setting.value),
            Item::Block(block) if block.kind.text == "video" => {
                for item in &block.items {
                    let Item::Setting(setting) = item else { continue };
                    set_tempo(&mut tempo, &setting.name.text, &setting.value);
                }
            }
            _ => {}
        }
    }
    for Chosen { name, value } in chosen {
        set_tempo(&mut tempo, &name.text, &Value::Expr(value.clone()));
    }
    tempo
}

fn set_tempo(tempo: &mut Tempo, name: &str, value: &Value) {
    let Value::Expr(value) = value else { return };
    match name {
        "fps" => tempo.rate = rate(value).unwrap_or(tempo.rate),
        "bpm" => tempo.bpm = unit::plain_number(value).filter(|bpm| *bpm > 0.0).or(tempo.bpm),
        _ => {}
    }
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
