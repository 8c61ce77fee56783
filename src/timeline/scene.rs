//! A scene ready to be read: its stretch of the film, and a line for every setting in force.

use std::collections::BTreeMap;

use super::by_name::ByName;
use super::cadence::Grid;
use super::clock::{Clock, lower};
use super::closing::{self, Round};
use super::compat::{self, Compat};
use super::deforum::prompts::PromptSeries;
use super::eval::evaluate;
use super::line::{Line, unit_error};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::Expr;
use crate::schedule::film::{Call, Control, Film, Key, Setting, SettingValue, Settings};
use crate::schedule::params::Measure;
use crate::schedule::source::Sources;
use crate::schedule::span::Span;
use crate::schedule::units::{Context, Tempo};

/// Longest film in frames.
const MAX_FRAMES: f64 = 100_000_000.0;

/// A scene of the film.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub name: String,
    pub clock: Clock,
    pub values: Values,
    pub controls: Vec<(String, Values)>,
    /// Prompts in Deforum's notation, with the clock they go by, when they are read its way.
    pub prompts: Option<(PromptSeries, Clock)>,
    /// The frames that the model paints.
    pub grid: Grid,
    /// How Deforum's notations are read.
    pub compat: Compat,
    /// How its end leads back to its beginning, when it loops.
    pub round: Option<Box<Round>>,
    /// It is the round after of a scene that loops.
    pub is_next: bool,
}

impl Stage {
    /// Frames of the scene; when nothing is wrong at them, nothing is wrong at any of its frames. `None` when it
    /// takes all frames to know.
    pub fn telling_frames(&self) -> Option<Vec<u32>> {
        let lines = || {
            let values = std::iter::once(&self.values).chain(self.controls.iter().map(|(_, values)| values));
            values.flat_map(|values| values.lines.values())
        };
        // A seed on its way to the next one leaves no place for `subseed_strength`, which may have none at a key.
        let seed_moves = ["seed", "seed_schedule"]
            .iter()
            .any(|name| self.values.lines.get(name).is_some_and(|line| !line.is_constant()));
        // What the model is told is read at painted frames alone, which are anywhere between keys.
        if self.prompts.is_some()
            || !self.grid.is_full()
            || (seed_moves && self.values.has("subseed_strength"))
        {
            return None;
        }
        let (first, last) = (self.clock.start, self.clock.start + self.clock.length - 1);
        // The first frame has none before it.
        let mut frames = vec![first, last.min(first + 1), last];
        for line in lines() {
            // Both sides of each key.
            let sides = line.telling()?.flat_map(|at| [at.ceil() - 1.0, at.ceil()]);
            let inside = sides.filter(|at| (f64::from(first)..=f64::from(last)).contains(at));
            frames.extend(inside.map(|at| at as u32));
        }
        frames.sort_unstable();
        frames.dedup();
        Some(frames)
    }
}

/// What settings are read with.
#[derive(Clone, Copy)]
struct Way<'a> {
    sources: &'a Sources,
    compat: Compat,
}

/// Settings in force, by the name of the parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub lines: ByName<Line>,
    pub calls: ByName<(Call, Clock)>,
}

impl Values {
    /// The word that a choice is set to, when it is one word.
    pub fn constant_choice(&self, name: &str) -> Option<String> {
        let line = self.lines.get(name).filter(|line| line.is_constant())?;
        line.at(line.clock.start).ok()?.0.as_text().map(str::to_owned)
    }

    /// What a switch is set to, when that is the same at every frame.
    pub fn constant_switch(&self, name: &str) -> Option<bool> {
        let line = self.lines.get(name).filter(|line| line.is_constant())?;
        line.at(line.clock.start).ok()?.0.as_bool()
    }

    /// Forgets start seeds, so that the clock's own counts; keys and values that use the time stay.
    fn drop_start_seed(&mut self) {
        self.calls.remove("seed");
        if self.lines.get("seed").is_some_and(Line::is_constant) {
            self.lines.remove("seed");
        }
    }

    /// Whether something in force stands at `span`.
    fn stands_at(&self, span: Span) -> bool {
        self.lines.values().any(|line| line.span() == span)
            || self.calls.values().any(|(call, _)| call.span == span)
    }

    pub fn has(&self, name: &str) -> bool {
        self.lines.contains_key(name) || self.calls.contains_key(name)
    }

    /// Adds settings on their clock; what is there already of the same name gives way.
    fn add(&mut self, settings: &Settings, clock: Clock, way: Way<'_>, found: &mut Found) {
        for setting in settings.values() {
            self.add_one(setting, clock, way, found);
        }
    }

    fn add_one(&mut self, setting: &Setting, clock: Clock, way: Way<'_>, found: &mut Found) {
        let name = setting.param.name;
        // `denoise` in a scene replaces the film's `strength`, and the other way round.
        let twin = match name {
            "denoise" => "strength",
            "strength" => "denoise",
            other => other,
        };
        for name in [name, twin] {
            self.lines.remove(name);
            self.calls.remove(name);
        }
        match &setting.value {
            SettingValue::Call(call) => {
                self.calls.insert(name, (call.clone(), clock));
            }
            SettingValue::Track(keys) => match line(setting, keys, clock, way, &mut found.warnings) {
                Ok(line) => {
                    self.lines.insert(name, line);
                }
                Err(error) => found.errors.push(error),
            },
        }
    }
}

fn line(
    setting: &Setting,
    keys: &[Key],
    clock: Clock,
    way: Way<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Line, Diagnostic> {
    let line = Line::new(setting.param, keys, clock, warnings)?;
    let series = compat::series(&line, keys, way.sources, way.compat, warnings)?;
    Ok(line.with_series(series))
}

/// What is wrong or odd, collected while stages are built.
#[derive(Default)]
pub(super) struct Found {
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

/// The stages of `film` and its length in frames. `seed` replaces every start seed of the film.
pub(super) fn stages(
    film: &Film,
    tempo: Tempo,
    (seed, compat): (Option<i64>, Compat),
    found: &mut Found,
) -> (Vec<Stage>, Clock) {
    let lengths: Vec<&Expr> = match film.scenes.as_slice() {
        [] => frames(film).into_iter().collect(),
        scenes => scenes.iter().map(|scene| &scene.length).collect(),
    };
    let mut exact = 0.0;
    let mut bounds = vec![0];
    let start = Clock { start: 0, length: 1, tempo, seed: seed.unwrap_or_else(|| super::seed::start(film)) };
    for length in lengths {
        exact += frame_count(length, &start, exact, found);
        // Ends are rounded, not lengths, so that the scenes of a film do not drift from its seconds.
        bounds.push(exact.round() as u32);
        if bounds[bounds.len() - 2] == bounds[bounds.len() - 1] {
            found.errors.push(Diagnostic::error("E33", "this is less than one frame", length.span));
        }
    }
    let end = bounds.last().copied().unwrap_or(0).max(1);
    let whole = Clock { length: end, ..start };
    let clocks =
        bounds.windows(2).map(|pair| Clock { start: pair[0], length: (pair[1] - pair[0]).max(1), ..start });
    let way = Way { sources: &film.sources, compat };
    let top = top(film, whole, way, found);
    let mut stages: Vec<Stage> = clocks
        .enumerate()
        .map(|(index, clock)| stage(film, index, (clock, whole), way, top.clone(), found))
        .collect();
    let mut painted = 0;
    for stage in &mut stages {
        stage.grid.before = painted;
        painted += stage.grid.count();
    }
    warn_unused(&stages, found);
    if seed.is_some() {
        stages.iter_mut().for_each(|stage| stage.values.drop_start_seed());
    }
    (stages, whole)
}

/// Warns of settings that no scene in which they are in force uses.
fn warn_unused(stages: &[Stage], found: &mut Found) {
    let mut unused: BTreeMap<Span, (usize, Diagnostic)> = BTreeMap::new();
    for stage in stages {
        let mut here = Vec::new();
        super::params::unused(&stage.values, &mut here);
        stage.controls.iter().for_each(|(_, values)| super::controls::unused(values, &mut here));
        super::seed::unused(&stage.values, &mut here);
        super::cadence::unused(&stage.values, &mut here);
        super::masks::unused(&stage.values, &mut here);
        super::fill::unused(&stage.values, &mut here);
        super::guide::unused(&stage.values, &mut here);
        super::hybrid::unused(&stage.values, &mut here);
        for warning in here {
            unused.entry(warning.span).or_insert((0, warning)).0 += 1;
        }
    }
    for (span, (times, warning)) in unused {
        let everywhere = |stage: &&Stage| {
            stage.values.stands_at(span) || stage.controls.iter().any(|(_, values)| values.stands_at(span))
        };
        let in_force = stages.iter().filter(everywhere);
        if in_force.count() == times {
            found.warnings.push(warning);
        }
    }
}

/// `frames`
fn frames(film: &Film) -> Option<&Expr> {
    match &film.setting("frames")?.value {
        SettingValue::Track(keys) => keys.first().map(|key| &key.value),
        SettingValue::Call(_) => None,
    }
}

/// A length in frames, with its fraction; 1 when it is wrong.
fn frame_count(length: &Expr, clock: &Clock, before: f64, found: &mut Found) -> f64 {
    let value = lower(length, Context::Value(Measure::Time), clock).map_err(unit_error).and_then(|lowered| {
        evaluate(&lowered, &clock.at(0.0))
            .map_err(|error| Diagnostic::error("E36", error.message, error.span))
    });
    let wrong = |message: String| Diagnostic::error("E33", message, length.span);
    let frames = value.and_then(|value| match value.as_f64() {
        Some(frames) if frames > 0.0 && frames + before <= MAX_FRAMES => Ok(frames),
        Some(frames) if frames > 0.0 => Err(wrong(format!("the film is longer than {MAX_FRAMES} frames"))),
        _ => Err(wrong(format!("expected a length above 0, found {value}"))),
    });
    frames.unwrap_or_else(|error| {
        found.errors.push(error);
        1.0
    })
}

/// What the film says at its top; scenes begin with it.
#[derive(Clone, Default)]
struct Top {
    values: Values,
    controls: Vec<(String, Values)>,
}

fn top(film: &Film, whole: Clock, way: Way<'_>, found: &mut Found) -> Top {
    let mut top = Top::default();
    top.values.add(&film.settings, whole, way, found);
    add_controls(&mut top.controls, &film.controls, whole, way, found);
    top
}

fn stage(
    film: &Film,
    index: usize,
    (clock, whole): (Clock, Clock),
    way: Way<'_>,
    top: Top,
    found: &mut Found,
) -> Stage {
    let Top { mut values, mut controls } = top;
    let mut name = String::new();
    if let Some(scene) = film.scenes.get(index) {
        values.add(&scene.settings, clock, way, found);
        add_controls(&mut controls, &scene.controls, clock, way, found);
        name.clone_from(&scene.name.text);
    }
    let prompts = match way.compat {
        Compat::Native => None,
        Compat::Deforum => compat::prompts(film, Some(index), clock, whole).unwrap_or_else(|error| {
            found.errors.push(error);
            None
        }),
    };
    let grid = Grid::new(&values, (clock.start, clock.start + clock.length), way.compat);
    let mut stage = Stage {
        name,
        clock,
        values,
        controls,
        prompts,
        grid,
        compat: way.compat,
        round: None,
        is_next: false,
    };
    stage.round = closing::round(&stage, &mut found.warnings);
    stage
}

fn add_controls(
    into: &mut Vec<(String, Values)>,
    controls: &[Control],
    clock: Clock,
    way: Way<'_>,
    found: &mut Found,
) {
    for control in controls {
        let at = into.iter().position(|(name, _)| *name == control.name.text).unwrap_or(into.len());
        if at == into.len() {
            into.push((control.name.text.clone(), Values::default()));
        }
        into[at].1.add(&control.settings, clock, way, found);
    }
}
