//! A film's curves: what moves, grouped by what it measures, as a picture and for the terminal.

mod braille;
mod scale;
mod svg;

pub use braille::sketch;
pub use svg::picture;

use crate::error::Result;
use crate::schedule::params::{Kind, Measure, Param};
use crate::schedule::units::Rate;
use crate::timeline::Timeline;
use crate::timeline::explain::{KeyPlace, unit_of};
use crate::timeline::table::{Cell, Column};

/// Texts of more stretches than this change all the time; none of them could be read.
const MOST_STRETCHES: usize = 60;

/// A parameter over the film.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The parameter.
    pub name: String,
    /// A value for each frame; NaN where there is none.
    pub values: Vec<f64>,
    /// Frames of its keys within the film, in order; not always whole.
    pub keys: Vec<f64>,
    /// Which of them end their scene: the value there is that of the frame before.
    pub ends: Vec<bool>,
    /// Where the value jumps, in frames and in order: the frame before holds until then.
    pub jumps: Vec<f64>,
}

impl Curve {
    /// Where the value jumps on its way from one frame to a later one.
    fn jump(&self, from: usize, to: usize) -> Option<f64> {
        let next = self.jumps.partition_point(|at| *at <= from as f64);
        self.jumps.get(next).copied().filter(|at| *at <= to as f64)
    }
}

/// A column of the table that the film sets, where it has an effect.
struct Shown<'a> {
    column: &'a Column,
    /// For each frame, whether it has.
    counts: Vec<bool>,
}

/// Curves that measure the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The measure and its unit.
    pub title: &'static str,
    /// At least one.
    pub curves: Vec<Curve>,
}

/// Everything that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The film's name.
    pub title: String,
    /// Frames per second.
    pub rate: Rate,
    /// Number of frames.
    pub frames: u32,
    /// Scenes by name (empty without scenes) and first frame.
    pub scenes: Vec<(String, u32)>,
    /// Prompts and the frames from which they hold; nothing when they change all the time.
    pub prompts: Vec<(String, u32)>,
    /// One for each measure.
    pub panels: Vec<Panel>,
    /// What the film sets and what stays: name and value.
    pub still: Vec<(String, f64)>,
}

impl Chart {
    /// The curves of a film. When nothing moves, what the film sets is shown as it stands.
    ///
    /// # Errors
    /// As [`Timeline::table`].
    pub fn new(title: &str, timeline: &Timeline) -> Result<Self> {
        let table = timeline.table()?;
        let keys = timeline.keys();
        let is_deep = timeline.is_deep();
        let jumps = timeline.jumps();
        let set: Vec<Shown<'_>> = table
            .columns
            .iter()
            .filter(|column| column.set)
            .map(|column| Shown::new(column, timeline))
            .filter(Shown::is_number)
            .collect();
        let moving = set.iter().any(Shown::moves);
        let mut panels: Vec<(usize, Panel)> = Vec::new();
        let mut still = Vec::new();
        for shown in &set {
            let Some(param) = shown.column.param else { continue };
            if moving && !shown.moves() {
                let first = |(name, values): (String, Vec<f64>)| {
                    values.into_iter().find(|value| value.is_finite()).map(|value| (name, value))
                };
                still.extend(shown.series().into_iter().filter_map(first));
                continue;
            }
            let (order, title) = measure(param, is_deep);
            let own: Vec<(&KeyPlace, bool)> = keys
                .iter()
                .filter(|(name, _)| *name == shown.column.name)
                .filter_map(|(_, key)| Some((key, shown.ends(key)?)))
                .collect();
            let curves = shown.series().into_iter().map(|(name, values)| Curve {
                name,
                values,
                keys: own.iter().map(|(key, _)| key.frame).collect(),
                ends: own.iter().map(|(_, ends)| *ends).collect(),
                jumps: jumps.get(&shown.column.name).cloned().unwrap_or_default(),
            });
            match panels.iter_mut().find(|(_, panel)| panel.title == title) {
                Some((_, panel)) => panel.curves.extend(curves),
                None => panels.push((order, Panel { title, curves: curves.collect() })),
            }
        }
        panels.sort_by_key(|(order, _)| *order);
        Ok(Self {
            title: title.to_owned(),
            rate: table.rate,
            frames: table.frames,
            scenes: timeline.scenes().map(|(name, start, _)| (name.to_owned(), start)).collect(),
            prompts: prompts(timeline)?,
            panels: panels.into_iter().map(|(_, panel)| panel).collect(),
            still,
        })
    }

    /// Seconds of a number of frames.
    fn seconds(&self, frames: f64) -> f64 {
        frames * f64::from(self.rate.den) / f64::from(self.rate.num)
    }

    /// Whether a scene other than the first begins at the frame.
    fn is_cut(&self, frame: usize) -> bool {
        frame > 0 && self.scenes.iter().any(|(_, start)| *start as usize == frame)
    }

    /// `48 frames at 8 a second, 6.00 s`
    fn subtitle(&self) -> String {
        let fps = (self.rate.as_f64() * 1000.0).round() / 1000.0;
        let plural = if self.frames == 1 { "" } else { "s" };
        format!("{} frame{plural} at {fps} a second, {:.2} s", self.frames, self.seconds(self.frames.into()))
    }

    /// What stays, in one line.
    fn still_line(&self) -> String {
        let value = |v: &f64| crate::schedule::units::Short(*v).to_string();
        let items: Vec<String> = self.still.iter().map(|(name, v)| format!("{name} {}", value(v))).collect();
        items.join("   ")
    }
}

impl<'a> Shown<'a> {
    fn new(column: &'a Column, timeline: &Timeline) -> Self {
        let scenes = timeline.scenes().enumerate();
        let counts = scenes.flat_map(|(scene, (_, _, frames))| {
            std::iter::repeat_n(timeline.has_effect(column, scene), frames as usize)
        });
        Self { column, counts: counts.collect() }
    }

    /// The values where they count.
    fn cells(&self) -> impl Iterator<Item = &'a Cell> {
        self.column.cells.iter().zip(&self.counts).filter(|(_, counts)| **counts).map(|(cell, _)| cell)
    }

    /// Whether it differs from frame to frame.
    fn moves(&self) -> bool {
        self.cells().zip(self.cells().skip(1)).any(|(cell, next)| cell != next)
    }

    fn is_number(&self) -> bool {
        self.cells().any(|cell| matches!(cell, Cell::Number(_) | Cell::Whole(_) | Cell::List(_)))
    }

    /// Whether a key within the film ends its scene; `None` where it does not count.
    fn ends(&self, key: &KeyPlace) -> Option<bool> {
        let end = self.counts.len() as f64;
        if !(0.0..=end).contains(&key.frame) {
            return None;
        }
        let ends = key.at_end || key.frame >= end;
        let frame = if ends { (key.frame - 1.0).max(0.0) } else { key.frame };
        self.counts.get(frame as usize).filter(|counts| **counts).map(|_| ends)
    }

    /// A number for each frame with the name of its curve, NaN where there is none; a vector has a curve for each of
    /// its three numbers.
    fn series(&self) -> Vec<(String, Vec<f64>)> {
        let name = &self.column.name;
        let values = |number: &dyn Fn(&Cell) -> Option<f64>| {
            let cells = self.column.cells.iter().zip(&self.counts);
            cells.map(|(cell, counts)| number(cell).filter(|_| *counts).unwrap_or(f64::NAN)).collect()
        };
        if !self.cells().any(|cell| matches!(cell, Cell::List(_))) {
            return vec![(name.clone(), values(&Cell::as_f64))];
        }
        let axis = |(axis, letter): (usize, &str)| {
            let number = |cell: &Cell| match cell {
                Cell::List(items) => items.get(axis).copied(),
                _ => None,
            };
            (format!("{name} {letter}"), values(&number))
        };
        ["x", "y", "z"].into_iter().enumerate().map(axis).collect()
    }
}

/// What a parameter measures: its panel's place and title.
fn measure(param: &Param, is_deep: bool) -> (usize, &'static str) {
    match param.kind {
        Kind::Number(Measure::Factor) => (0, "factor per frame"),
        Kind::Number(Measure::Turn) => (1, "turn, degrees per frame"),
        Kind::Number(Measure::Shift) if unit_of(param, is_deep).starts_with("units") => {
            (2, "way, units per frame")
        }
        Kind::Number(Measure::Shift) => (2, "way, pixels per frame"),
        Kind::Number(Measure::Angle) => (3, "angle, degrees"),
        Kind::Number(Measure::Time | Measure::Rate) => (6, "time, frames"),
        Kind::Number(Measure::Plain) if param.possible == (0.0, 1.0) => (4, "share, 0 to 1"),
        _ if param.name.contains("seed") && param.possible.0 < 0.0 => (8, "seed"),
        Kind::Vector if unit_of(param, is_deep) == "units" => (2, "place, units"),
        Kind::Vector => (3, "direction"),
        Kind::Integer => (7, "whole number"),
        _ => (5, "number"),
    }
}

/// Stretches of the same prompt; on the way from one to the next, the heavier one.
fn prompts(timeline: &Timeline) -> Result<Vec<(String, u32)>> {
    let mut stretches: Vec<(String, u32)> = Vec::new();
    for frame in 0..timeline.frames() {
        let params = timeline.at(frame)?;
        let text = params.prompt.as_str();
        if stretches.last().is_none_or(|(last, _)| last != text) {
            stretches.push((text.to_owned(), frame));
        }
        if stretches.len() > MOST_STRETCHES {
            return Ok(Vec::new());
        }
    }
    Ok(stretches)
}
