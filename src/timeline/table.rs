//! The film as a table: a value per frame for every parameter.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::reader::Reader;
use super::scene::{Stage, Values};
use super::{Timeline, controls, params, seed, sorted};
use crate::error::{Error, Result};
use crate::schedule::params::{Kind, Param, Places, all};
use crate::schedule::units::Rate;

/// A value at a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// The film leaves it to the model.
    Open,
    /// A number; schedules of Deforum's may be infinite or NaN.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// A truth value.
    Switch(bool),
    /// A text or a choice.
    Text(String),
    /// The numbers of a vector.
    List(Vec<f64>),
}

impl Cell {
    /// The number, when it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }
}

/// `NaN`, `Infinity` and `-Infinity`, which JSON has no numbers for.
fn name_of(number: f64) -> &'static str {
    match number {
        n if n.is_nan() => "NaN",
        n if n > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open => to.serialize_none(),
            Self::Number(number) if number.is_finite() => to.serialize_f64(*number),
            Self::Number(number) => to.serialize_str(name_of(*number)),
            Self::Whole(number) => to.serialize_i64(*number),
            Self::Switch(on) => to.serialize_bool(*on),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => to.collect_seq(items.iter().copied().map(Self::Number)),
        }
    }
}

/// The shortest decimal that reads back as the number; nothing for what the model decides; the numbers of a
/// vector with blanks between them.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => Ok(()),
            Self::Number(number) if number.is_finite() => write!(f, "{number}"),
            Self::Number(number) => f.write_str(name_of(*number)),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => {
                for (index, item) in items.iter().copied().map(Self::Number).enumerate() {
                    let blank = if index > 0 { " " } else { "" };
                    write!(f, "{blank}{item}")?;
                }
                Ok(())
            }
        }
    }
}

/// A parameter's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The parameter: `zoom`, `control.depth.weight`.
    pub name: String,
    /// Its entry in the table of parameters; `None` for schedules that only Deforum has.
    pub param: Option<&'static Param>,
    /// Whether the film sets it; else its default holds.
    pub set: bool,
    /// A value for each frame.
    pub cells: Vec<Cell>,
}

/// A value per frame for a set of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Frames per second.
    pub rate: Rate,
    /// Number of frames.
    pub frames: u32,
    /// The parameters.
    pub columns: Vec<Column>,
}

/// Which parameter a column is of.
pub(super) enum Place {
    /// Of the film or a scene.
    Scene(&'static Param),
    /// Of the control of that name.
    Control(String, &'static Param),
}

impl Place {
    pub fn name(&self) -> String {
        match self {
            Self::Scene(param) => param.name.to_owned(),
            Self::Control(control, param) => format!("control.{control}.{}", param.name),
        }
    }

    pub fn param(&self) -> &'static Param {
        match self {
            Self::Scene(param) | Self::Control(_, param) => param,
        }
    }

    /// The settings that it is among, in that scene.
    pub fn values<'a>(&self, stage: &'a Stage) -> Option<&'a Values> {
        match self {
            Self::Scene(_) => Some(&stage.values),
            Self::Control(name, _) => stage.controls.iter().find(|(own, _)| own == name).map(|(_, v)| v),
        }
    }

    /// Whether any scene sets it.
    pub fn is_set(&self, stages: &[Stage]) -> bool {
        stages.iter().filter_map(|stage| self.values(stage)).any(|values| values.has(self.param().name))
    }
}

impl Timeline {
    /// Every parameter that has a value per frame: what the film sets, and the defaults of what could have
    /// keys. In the order of the manual, controls last.
    ///
    /// # Errors
    /// [`Error::Schedule`] with everything that cannot be computed, each place at its first frame.
    pub fn table(&self) -> Result<Table> {
        let places = self.places();
        let mut columns: Vec<Vec<Cell>> =
            places.iter().map(|_| Vec::with_capacity(self.frames as usize)).collect();
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for frame in 0..self.frames {
            let stage = &self.stages[self.stage_of(frame)];
            let mut reader = self.reader(self.painted_at(frame));
            for (place, cells) in places.iter().zip(&mut columns) {
                cells.push(cell(&mut reader, stage, place));
            }
            wrong.extend(reader.found.into_iter().filter(|found| seen.insert((found.span, found.code))));
        }
        if !wrong.is_empty() {
            return Err(Error::Schedule(sorted(wrong, self.sources.clone())));
        }
        let column = |(place, cells): (&Place, Vec<Cell>)| Column {
            name: place.name(),
            param: Some(place.param()),
            set: place.is_set(&self.stages),
            cells,
        };
        let columns = places.iter().zip(columns).map(column).collect();
        Ok(Table { rate: self.fps(), frames: self.frames, columns })
    }

    /// What the table lists.
    pub(super) fn places(&self) -> Vec<Place> {
        let scene = all().iter().filter(|param| param.places.has(Places::SCENE) && is_per_frame(param));
        let mut places: Vec<Place> = scene.map(Place::Scene).filter(|place| self.lists(place)).collect();
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in self.stages.iter().flat_map(|stage| &stage.controls) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let own = all().iter().filter(|param| param.places.has(Places::CONTROL) && is_per_frame(param));
            let own = own.map(|param| Place::Control(name.clone(), param));
            places.extend(own.filter(|place| self.lists(place)));
        }
        places
    }

    /// Where parameters jump within scenes, at keys and from step to step: by their names, in frames and in order.
    pub fn jumps(&self) -> BTreeMap<String, Vec<f64>> {
        let mut jumps: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for place in self.places() {
            let own = jumps.entry(place.name()).or_default();
            for stage in &self.stages {
                let (start, length) = (f64::from(stage.clock.start), f64::from(stage.clock.length));
                let line = place.values(stage).and_then(|values| values.lines.get(place.param().name));
                let all = line.map(super::line::Line::jumps).unwrap_or_default();
                let all = all.into_iter().filter(|at| start < *at && *at < start + length);
                // Shown backward it jumps behind the frame that it jumps before.
                own.extend(all.map(|at| {
                    let reversed = super::making::is_reversed(&stage.values);
                    if reversed { Self::shown_time(stage, at) + 1.0 } else { at }
                }));
                own.sort_by(f64::total_cmp);
            }
        }
        jumps
    }

    /// Whether the parameter of a column has an effect in the scene with that number; `zoom` has none with the 3D
    /// camera.
    pub fn has_effect(&self, column: &Column, scene: usize) -> bool {
        let Some(stage) = self.stages.get(scene) else { return false };
        // Of a control everything counts where the control is.
        let of_control = column.param.is_none_or(|param| param.name != column.name);
        of_control || params::has_effect(&stage.values, &column.name)
    }

    fn lists(&self, place: &Place) -> bool {
        let param = place.param();
        let by_default = match place {
            Place::Scene(_) => self.stages.iter().any(|stage| params::has_effect(&stage.values, param.name)),
            Place::Control(..) => {
                let values = self.stages.iter().filter_map(|stage| place.values(stage));
                let mut values = values.filter(|values| controls::has_effect(values, param.name));
                values.next().is_some()
            }
        };
        // `strength` says what `denoise` says: without the film's word one of the two is enough.
        (param.keyed && !param.default.is_empty() && by_default && param.name != "denoise")
            || place.is_set(&self.stages)
    }

    /// The number of the scene that holds a frame.
    pub(super) fn stage_of(&self, frame: u32) -> usize {
        self.stages.partition_point(|stage| stage.clock.start <= frame).saturating_sub(1)
    }

    pub(super) fn reader(&self, frame: u32) -> Reader<'_> {
        Reader { frame, rate: self.video.rate.as_f64(), folder: &self.folder, found: Vec::new() }
    }
}

/// Whether values of it can stand in a table; calls, and files without keys, are the same for a whole scene.
pub(super) fn is_per_frame(param: &Param) -> bool {
    matches!(
        param.kind,
        Kind::Number(_) | Kind::Vector | Kind::Integer | Kind::Switch | Kind::Choice(_) | Kind::Text
    ) || (param.kind == Kind::File && param.keyed)
}

/// The value of a parameter at the frame that `reader` reads.
pub(super) fn cell(reader: &mut Reader<'_>, stage: &Stage, place: &Place) -> Cell {
    let Some(values) = place.values(stage) else { return Cell::Open };
    let param = place.param();
    let name = param.name;
    match name {
        "seed" => return seed_cell(&seed::at(reader, stage)),
        "prompt" => return Cell::Text(params::prompts(reader, stage).0.to_string()),
        "negative" => return Cell::Text(params::prompts(reader, stage).1.to_string()),
        "fill_strength" if !values.has(name) => match super::fill::at(reader, values) {
            Some(fill) => return Cell::Number(fill.strength),
            None => return Cell::Open,
        },
        "strength" if values.has("denoise") => return opposite(reader, values, "denoise"),
        "denoise" if !values.has("denoise") => return opposite(reader, values, "strength"),
        _ => {}
    }
    let found = match param.kind {
        Kind::Number(_) => reader.maybe_number(values, name).map(Cell::Number),
        Kind::Vector => reader.maybe_vector(values, name).map(|(items, _)| Cell::List(items.to_vec())),
        Kind::Integer => reader.maybe_number(values, name).map(|number| Cell::Whole(number as i64)),
        Kind::Switch => reader.maybe_switch(values, name).map(Cell::Switch),
        Kind::Choice(_) => reader.maybe_choice(values, name).map(Cell::Text),
        _ => reader.maybe_text(values, name).map(Cell::Text),
    };
    found.unwrap_or_else(|| default(param))
}

/// A seed; one on its way to the next with its fraction.
fn seed_cell(seeds: &seed::Seeds) -> Cell {
    if seeds.walks { Cell::Number(seeds.seed as f64 + seeds.strength) } else { Cell::Whole(seeds.seed) }
}

/// One less the other of `strength` and `denoise`.
fn opposite(reader: &mut Reader<'_>, values: &Values, other: &str) -> Cell {
    Cell::Number(1.0 - reader.number(values, other, 0.5))
}

/// What holds when the film says nothing.
pub(super) fn default(param: &Param) -> Cell {
    let text = param.default;
    if text.is_empty() {
        return Cell::Open;
    }
    match param.kind {
        Kind::Number(_) => text.parse().map_or(Cell::Open, Cell::Number),
        Kind::Vector => {
            let items = text.trim_matches(['[', ']']).split(',').map(|item| item.trim().parse());
            items.collect::<Result<_, _>>().map_or(Cell::Open, Cell::List)
        }
        Kind::Integer => text.parse().map_or(Cell::Open, Cell::Whole),
        Kind::Switch => Cell::Switch(text == "true"),
        _ => Cell::Text(text.trim_matches('"').to_owned()),
    }
}

impl Timeline {
    /// The values of the film's setting called `name` at every frame, as they were computed: neither held
    /// to a range nor rounded.
    ///
    /// # Errors
    /// [`Error::Schedule`] with everything that cannot be computed, each place at its first frame.
    pub fn values_of(&self, name: &str) -> Result<Vec<Cell>> {
        let mut cells = Vec::with_capacity(self.frames as usize);
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for frame in 0..self.frames {
            let mut reader = self.reader(frame);
            let values = &self.stages[self.stage_of(frame)].values;
            let is_text =
                values.lines.get(name).is_some_and(|line| matches!(line.param.kind, Kind::Text | Kind::File));
            cells.push(if is_text {
                reader.maybe_text(values, name).map_or(Cell::Open, Cell::Text)
            } else {
                reader.unlimited(values, name).map_or(Cell::Open, Cell::Number)
            });
            wrong.extend(reader.found.into_iter().filter(|found| seen.insert((found.span, found.code))));
        }
        if wrong.is_empty() { Ok(cells) } else { Err(Error::Schedule(sorted(wrong, self.sources.clone()))) }
    }
}
