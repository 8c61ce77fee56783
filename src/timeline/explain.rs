//! Where each value of a frame comes from: the key, its line in the film, and the way from it to the next.

use serde::Serialize;

use super::clock::{Clock, lower};
use super::eval::evaluate;
use super::line::{KeyAt, Origin};
use super::scene::{Stage, Values};
use super::table::{Cell, Place as Entry, cell, default, is_per_frame};
use super::{Timeline, params, sorted};
use crate::error::{Error, Result};
use crate::schedule::params::{Kind, Measure, Param, Places, all};
use crate::schedule::source::Lines;
use crate::schedule::span::Span;
use crate::schedule::units::{Context, Tempo};
use crate::schedule::value::read_expr;

/// A place in the film's files. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is written there.
    pub text: String,
}

/// A key of the film.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyPlace {
    /// Frames from the film's start; not always whole.
    pub frame: f64,
    /// Seconds from the film's start.
    pub seconds: f64,
    /// Where its value stands.
    pub place: Place,
    /// It stands at the end of its scene, where the next one begins: the frames before it lead there.
    #[serde(skip)]
    pub at_end: bool,
}

/// How a value comes about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "how")]
pub enum How {
    /// The film does not say: the default holds, or what suits the model.
    Default,
    /// It is the same at all times.
    Constant {
        /// Where it stands.
        place: Place,
    },
    /// It is computed anew at every frame, from this key on.
    Expression {
        /// The key.
        key: KeyPlace,
    },
    /// The first key has not been reached, its value holds already.
    Before {
        /// The first key.
        key: KeyPlace,
    },
    /// A key's value holds.
    Held {
        /// The key.
        key: KeyPlace,
        /// The next one.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<KeyPlace>,
    },
    /// It is on its way from one key to the next.
    Between {
        /// The key behind.
        from: KeyPlace,
        /// The key ahead.
        to: KeyPlace,
        /// The ease as it is written, `linear` without one.
        ease: String,
        /// Share of the time that has gone by, 0 to 1.
        time: f64,
        /// Share of the way that has been gone; some eases overshoot 0 to 1. `None` when both keys have the
        /// same value.
        #[serde(skip_serializing_if = "Option::is_none")]
        way: Option<f64>,
    },
    /// Counted on from frame to frame.
    Counted {
        /// `seed_behavior`.
        behavior: String,
        /// Where the start stands; `None` is the default.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The parameter: `zoom`, `control.depth.weight`.
    pub name: String,
    /// Its value at the frame.
    pub value: Cell,
    /// Its unit in words; empty for texts and plain numbers.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub unit: &'static str,
    /// For amounts per frame: the same per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Where it comes from.
    #[serde(flatten)]
    pub how: How,
}

/// A frame of a film, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The frame, from 0.
    pub frame: u32,
    /// Frames of the film.
    pub frames: u32,
    /// Seconds from the film's start.
    pub seconds: f64,
    /// In a scene that is shown backward: the frame's number as it is painted. Values, and the times of keys, are
    /// those of the painting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub painted_as: Option<u32>,
    /// The scene's name; empty for a film without scenes.
    pub scene: String,
    /// The frame's number in the scene, from 0.
    pub scene_frame: u32,
    /// Frames of the scene.
    pub scene_frames: u32,
    /// Seconds from the scene's start.
    pub scene_seconds: f64,
    /// Whether the picture starts anew here.
    pub cut: bool,
    /// Near the end of a looping scene: how far it has come back to its beginning, 0 to 1. The values are those
    /// before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<f64>,
    /// Every value, in the order of the manual; texts with their holes filled.
    pub values: Vec<Explained>,
}

impl Timeline {
    /// Explains frame `frame`.
    ///
    /// # Errors
    /// As [`Timeline::at`].
    pub fn explain(&self, frame: u32) -> Result<Explanation> {
        let shown = frame;
        let frame = self.painted_at(shown);
        // Without the film's own word for it there is no such frame.
        let params = self.at(if shown < self.frames { frame } else { shown })?;
        let stage = &self.stages[params.scene];
        let explainer = Explainer {
            timeline: self,
            stage,
            lines: self.sources.iter().map(|(_, text)| Lines::new(text)).collect(),
            frame,
            deep: matches!(params.camera, super::frame::Camera::Deep(_)),
        };
        let mut reader = self.reader(frame);
        let mut values: Vec<Explained> = Vec::new();
        for entry in self.explained(stage) {
            let value = cell(&mut reader, stage, &entry);
            values.push(explainer.value(&entry, value));
        }
        values.extend(explainer.calls());
        if !reader.found.is_empty() {
            return Err(Error::Schedule(sorted(reader.found, self.sources.clone())));
        }
        let local = shown - stage.clock.start;
        let reversed = super::making::is_reversed(&stage.values);
        Ok(Explanation {
            frame: shown,
            frames: self.frames,
            seconds: self.seconds(shown.into()),
            painted_as: Some(frame).filter(|_| reversed),
            scene: stage.name.clone(),
            scene_frame: local,
            scene_frames: stage.clock.length,
            scene_seconds: self.seconds(local.into()),
            cut: params.cut,
            closing: stage.closing(frame),
            values,
        })
    }

    /// Seconds of a number of frames.
    pub fn seconds(&self, frames: f64) -> f64 {
        frames * f64::from(self.video.rate.den) / f64::from(self.video.rate.num)
    }

    /// The parameters that the scene sets or that have an effect by their defaults.
    fn explained(&self, stage: &Stage) -> Vec<Entry> {
        let listed = |entry: &Entry| {
            let param = entry.param();
            let is_set = entry.values(stage).is_some_and(|values| values.has(param.name));
            match entry {
                Entry::Scene(_) => {
                    let effect = params::has_effect(&stage.values, param.name) && param.name != "denoise";
                    is_set || (effect && param.keyed && param.name != "seed_schedule")
                }
                Entry::Control(name, _) => stage.controls.iter().any(|(own, _)| own == name),
            }
        };
        let scene = all().iter().filter(|param| param.places.has(Places::SCENE) && is_per_frame(param));
        let own = scene.map(Entry::Scene).filter(listed);
        let controls = self.places().into_iter().filter(|entry| matches!(entry, Entry::Control(..)));
        own.chain(controls.filter(listed)).collect()
    }
}

struct Explainer<'a> {
    timeline: &'a Timeline,
    stage: &'a Stage,
    lines: Vec<Lines<'a>>,
    frame: u32,
    deep: bool,
}

impl Explainer<'_> {
    fn value(&self, entry: &Entry, value: Cell) -> Explained {
        let param = entry.param();
        let rate = self.timeline.video.rate.as_f64();
        let per_second =
            value.as_f64().filter(|number| number.is_finite()).and_then(|number| match param.kind {
                Kind::Number(Measure::Factor) => Some(libm::pow(number, rate)),
                Kind::Number(measure) if measure.is_per_frame() => Some(number * rate),
                _ => None,
            });
        let how = match entry.values(self.stage) {
            Some(values) if param.name == "seed" => self.seed(values),
            Some(values) => self.how(values, param, &value),
            None => How::Default,
        };
        Explained { name: entry.name(), value, unit: unit_of(param, self.deep), per_second, how }
    }

    fn how(&self, values: &Values, param: &'static Param, value: &Cell) -> How {
        // Each of the two is the other's opposite, and one of them is written.
        let line = values.lines.get(param.name).or_else(|| match param.name {
            "strength" => values.lines.get("denoise"),
            _ => None,
        });
        match line {
            None => {
                debug_assert!(param.name == "strength" || *value == default(param));
                How::Default
            }
            Some(line) => self.origin(line.origin(self.frame)),
        }
    }

    fn origin(&self, origin: Origin) -> How {
        match origin {
            Origin::Constant(span) => How::Constant { place: self.place(span) },
            Origin::Running(key) => How::Expression { key: self.key(key) },
            Origin::Before(key) => How::Before { key: self.key(key) },
            Origin::After(key) => How::Held { key: self.key(key), until: None },
            Origin::Held { key, until } => How::Held { key: self.key(key), until: Some(self.key(until)) },
            Origin::Between { from, to, time, way } => {
                let text = self.timeline.sources.get(to.span.source as usize).map_or("", |(_, text)| text);
                let ease = ease_behind(text, to.span);
                How::Between { from: self.key(from), to: self.key(to), ease, time, way }
            }
        }
    }

    /// A seed is scheduled or counted.
    fn seed(&self, values: &Values) -> How {
        let line = values.lines.get("seed");
        let scheduled = values.lines.get("seed_schedule").or(line.filter(|line| !line.is_constant()));
        let behavior = values.constant_choice("seed_behavior");
        let is_scheduled = behavior.as_deref().map_or(scheduled.is_some(), |b| b == "schedule");
        if let Some(line) = scheduled.filter(|_| is_scheduled) {
            return self.origin(line.origin(self.frame));
        }
        let called = values.calls.get("seed").map(|(call, _)| call.span);
        let place = line.map(|line| line.span()).or(called).map(|span| self.place(span));
        How::Counted { behavior: behavior.unwrap_or_else(|| "iter".to_owned()), place }
    }

    /// What is set by calls (`depth`, `source`), as it is written.
    fn calls(&self) -> impl Iterator<Item = Explained> {
        let calls = self.stage.values.calls.iter().filter(|(name, _)| *name != "seed");
        calls.map(|(name, (call, _))| {
            let place = self.place(call.span);
            let value = Cell::Text(place.text.clone());
            let how = How::Constant { place };
            Explained { name: (*name).to_owned(), value, unit: "", per_second: None, how }
        })
    }

    fn key(&self, key: KeyAt) -> KeyPlace {
        KeyPlace {
            frame: key.frame,
            seconds: self.timeline.seconds(key.frame),
            place: self.place(key.span),
            at_end: false,
        }
    }

    fn place(&self, span: Span) -> Place {
        self.timeline.place_in(span, self.lines.get(span.source as usize))
    }
}

impl Timeline {
    fn place_in(&self, span: Span, lines: Option<&Lines<'_>>) -> Place {
        let source = self.sources.get(span.source as usize);
        let (line, column) = lines.map_or((1, 1), |lines| lines.place(span.start as usize));
        let text = source.and_then(|(_, text)| text.get(span.start as usize..span.end as usize));
        Place {
            file: source.map(|(name, _)| name.clone()).unwrap_or_default(),
            line,
            column,
            text: text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// Every key of the film on its own clock: the parameter, and where the key stands. Sorted by time.
    pub fn keys(&self) -> Vec<(String, KeyPlace)> {
        let lines: Vec<Lines<'_>> = self.sources.iter().map(|(_, text)| Lines::new(text)).collect();
        let mut keys: Vec<(String, KeyPlace)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for stage in &self.stages {
            let own = stage.values.lines.values().map(|line| (line.param.name.to_owned(), line));
            let controls = stage.controls.iter().flat_map(|(name, values)| {
                values.lines.values().map(move |line| (format!("control.{name}.{}", line.param.name), line))
            });
            for (name, line) in own.chain(controls) {
                for key in line.keys() {
                    // The film's own keys are in force in every scene; they are listed once.
                    if seen.insert((key.span, key.frame.to_bits(), name.clone())) {
                        let place = self.place_in(key.span, lines.get(key.span.source as usize));
                        let at_end = key.frame == f64::from(line.clock.start) + f64::from(line.clock.length);
                        let inside = !at_end && (0.0..f64::from(self.frames)).contains(&key.frame);
                        let within = &self.stages[self.stage_of(key.frame.max(0.0) as u32)];
                        let frame = if inside { Self::shown_time(within, key.frame) } else { key.frame };
                        let seconds = self.seconds(frame);
                        keys.push((name.clone(), KeyPlace { frame, seconds, place, at_end }));
                    }
                }
            }
        }
        keys.sort_by(|(a, x), (b, y)| x.frame.total_cmp(&y.frame).then_with(|| a.cmp(b)));
        keys
    }
}

/// The unit of a parameter's numbers, in words. `deep` is the 3D camera.
pub fn unit_of(param: &Param, deep: bool) -> &'static str {
    match param.kind {
        Kind::Number(Measure::Factor) => "x per frame",
        Kind::Number(Measure::Turn) => "degrees per frame",
        Kind::Number(Measure::Angle) => "degrees",
        Kind::Number(Measure::Shift) if deep || param.name == "translation_z" => "units per frame",
        Kind::Number(Measure::Shift) => "pixels per frame",
        Kind::Number(Measure::Time) => "frames",
        Kind::Number(Measure::Rate) => "per second",
        // The other vector is a direction, of any length.
        Kind::Vector if param.name == "camera.position" => "units",
        _ => "",
    }
}

/// The ease behind a key's value, as it is written there; `linear` when there is none.
fn ease_behind(text: &str, value: Span) -> String {
    let rest = text.get(value.end as usize..).unwrap_or_default();
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ')');
    let Some(rest) = rest.strip_prefix('~') else { return "linear".to_owned() };
    let end =
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).unwrap_or(rest.len());
    let call = rest[end..].starts_with('(').then(|| rest[end..].find(')')).flatten();
    rest[..call.map_or(end, |close| end + close + 1)].to_owned()
}

impl Timeline {
    /// The frame that `text` says on the film's clock, as a key's time would: `48`, `4.0s`, `8b`, `50%`.
    ///
    /// # Errors
    /// Why it is no time.
    pub fn time_of(&self, text: &str, bpm: Option<f64>) -> Result<f64, String> {
        let expr = read_expr(text).map_err(|error| match error {
            Error::Schedule(found) => found.list.first().map_or_else(String::new, |d| d.message.clone()),
            other => other.to_string(),
        })?;
        let tempo = Tempo { rate: self.fps(), bpm };
        let clock = Clock { start: 0, length: self.frames, tempo, seed: 0 };
        let lowered = lower(&expr, Context::KeyTime, &clock).map_err(|(_, message)| message)?;
        let value = evaluate(&lowered, &clock.at(0.0)).map_err(|error| error.message)?;
        value.as_f64().filter(|frames| frames.is_finite()).ok_or_else(|| "expected a time".to_owned())
    }
}
