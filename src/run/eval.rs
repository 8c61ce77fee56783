//! `eval`: one schedule on its own, a value per frame.

use crate::error::{Error, Result};
use crate::schedule::deforum::{Mode, ReadError};
use crate::schedule::diagnostic::{Diagnostic, Diagnostics};
use crate::schedule::film::DEFAULT_RATE;
use crate::schedule::params::{Param, alone};
use crate::schedule::units::{Rate, Tempo};
use crate::schedule::value::{self, read_value};
use crate::timeline::deforum::{expand, expand_text};
use crate::timeline::table::Cell;
use crate::timeline::{Options, Timeline};

/// What a schedule is read and computed for.
#[derive(Clone, Copy, Debug)]
pub struct EvalOptions {
    /// How many frames.
    pub frames: u32,
    /// The start seed, `s`.
    pub seed: i64,
    /// It is a schedule of texts.
    pub text: bool,
    /// Exactly as Deforum reads it.
    pub compat: bool,
    /// Frames per second, for times in seconds.
    pub rate: Rate,
    /// Beats per minute, for times in beats.
    pub bpm: Option<f64>,
}

impl EvalOptions {
    /// A schedule of numbers as the language reads it, at the usual rate.
    pub fn new(frames: u32) -> Self {
        Self { frames, seed: 0, text: false, compat: false, rate: DEFAULT_RATE, bpm: None }
    }
}

/// The values of `schedule` at frames 0 to `frames - 1`, and what is odd about it.
///
/// # Errors
/// [`Error::Schedule`] with everything that is wrong; its source is the schedule.
pub fn eval(schedule: &str, options: &EvalOptions) -> Result<(Vec<Cell>, Diagnostics)> {
    if options.compat {
        return Ok((as_deforum(schedule, options)?, Diagnostics::default()));
    }
    let tempo = Tempo { rate: options.rate, bpm: options.bpm };
    let param: Option<&'static Param> = options.text.then(alone::text);
    let (film, mut warnings) = read_value(schedule, param, tempo, options.frames)?;
    let settings = Options { seed: Some(options.seed), ..Options::default() };
    let timeline = Timeline::new(&film, &settings).map_err(moved)?;
    let mut later = timeline.warnings();
    value::shift(&mut later);
    warnings.list.append(&mut later.list);
    warnings.sort();
    let cells = timeline.values_of(alone::NAME).map_err(moved)?;
    Ok((cells, warnings))
}

/// Places as the schedule's own text counts them.
fn moved(error: Error) -> Error {
    match error {
        Error::Schedule(mut found) => {
            value::shift(&mut found);
            Error::Schedule(found)
        }
        other => other,
    }
}

fn as_deforum(schedule: &str, options: &EvalOptions) -> Result<Vec<Cell>> {
    let EvalOptions { frames, seed, .. } = *options;
    let cells = if options.text {
        expand_text(schedule, frames, seed, Mode::Compat)
            .map(|texts| texts.into_iter().map(Cell::Text).collect())
    } else {
        expand(schedule, frames, seed, Mode::Compat)
            .map(|numbers| numbers.into_iter().map(Cell::Number).collect())
    };
    cells.map_err(|error| refused(schedule, error))
}

/// What stops Deforum, as a diagnostic.
fn refused(schedule: &str, error: ReadError) -> Error {
    let mut found = Diagnostic::error("E96", error.message, error.span);
    found.hints.extend(error.hint);
    let sources = vec![(value::SOURCE.to_owned(), schedule.to_owned())];
    Error::Schedule(Diagnostics { list: vec![found], sources })
}

/// One JSON array. NaN and infinities are strings.
///
/// # Errors
/// [`Error::Bug`] when a value cannot be written as JSON.
pub fn json(cells: &[Cell]) -> Result<String> {
    let text =
        serde_json::to_string(cells).map_err(|e| Error::Bug(format!("the values cannot be written: {e}")))?;
    Ok(text + "\n")
}

/// One value a line.
pub fn lines(cells: &[Cell]) -> String {
    cells.iter().map(|cell| format!("{cell}\n")).collect()
}
