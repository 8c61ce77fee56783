//! The type of a value that stands alone, without the parameter it is for: `kinora eval`.

use super::build::{number, param};
use super::{Kind, Measure, Param};

/// What a value on its own is called in messages.
pub const NAME: &str = "value";

const HELP: &str = "a value on its own";

static PLAIN: Param = number(NAME, Measure::Plain, "", HELP);
static FACTOR: Param = number(NAME, Measure::Factor, "", HELP);
static TURN: Param = number(NAME, Measure::Turn, "", HELP);
static SHIFT: Param = number(NAME, Measure::Shift, "", HELP);
static TIME: Param = number(NAME, Measure::Time, "", HELP);
static FREQUENCY: Param = number(NAME, Measure::Frequency, "", HELP);
static TEXT: Param = param(NAME, Kind::Text, "", HELP);

/// A parameter without limits for numbers of that measure.
pub fn number_of(measure: Measure) -> &'static Param {
    match measure {
        Measure::Plain | Measure::Rate => &PLAIN,
        Measure::Factor => &FACTOR,
        // An angle that stays may also be written where a turn per frame may.
        Measure::Turn | Measure::Angle => &TURN,
        Measure::Shift => &SHIFT,
        Measure::Time => &TIME,
        Measure::Frequency => &FREQUENCY,
    }
}

/// A parameter for texts.
pub fn text() -> &'static Param {
    &TEXT
}
