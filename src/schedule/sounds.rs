//! The functions and methods of sounds: one table for the checker, did-you-mean and the manual.
//!
//! `audio("song.flac")` is a sound. Its methods filter it (`band`), measure it (`envelope`, `rms`, `onset`
//! ...) and shape what was measured (`norm`). A sound runs with the film's time, in scenes too; its
//! arguments are the same for the whole film.

use super::expr::{Expr, ExprKind};
use super::params::Measure;

/// The function that every sound begins with.
pub const AUDIO: &str = "audio";

/// What a function or method gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A sound; where a number is needed, its level from 0 to 1.
    Sound,
    /// A number per frame.
    Curve,
    /// A truth value per frame: 1 where something happens.
    Pulses,
    /// One number for the whole sound.
    Number,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A file, relative to the film.
    File,
    /// The name of one of [`NAMED_BANDS`].
    BandName,
    /// A number.
    Number(Measure),
}

/// An argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument {
    /// As it is written.
    pub name: &'static str,
    /// Its type.
    pub takes: Takes,
    /// What it is when it is left out: a number, for times in milliseconds; no band name is the whole
    /// sound. `None` makes it required.
    pub default: Option<f64>,
    /// Values outside are impossible; times in seconds, frequencies in Hz.
    pub possible: (f64, f64),
}

/// A function or method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoundFunction {
    /// As it is written.
    pub name: &'static str,
    /// Its arguments in order, without the sound.
    pub args: &'static [Argument],
    /// What it gives.
    pub gives: Gives,
    /// A curve may stand before the point too, not only a sound.
    pub shapes_curves: bool,
    /// One line.
    pub help: &'static str,
}

impl SoundFunction {
    /// How it is written: `.envelope(attack=5ms, release=150ms)`.
    pub fn signature(&self) -> String {
        let args: Vec<String> = self.args.iter().map(Argument::signature).collect();
        let point = if self.name == AUDIO { "" } else { "." };
        format!("{point}{}({})", self.name, args.join(", "))
    }
}

impl Argument {
    fn signature(&self) -> String {
        match (self.default, self.takes) {
            (None, _) => self.name.to_owned(),
            (Some(_), Takes::BandName) => format!("{}=\"\"", self.name),
            (Some(value), Takes::Number(Measure::Time)) => format!("{}={value}ms", self.name),
            (Some(value), _) => format!("{}={value}", self.name),
        }
    }
}

/// Bands with a name, low and high edge in Hz: where kick drums have their body, snares their rattle above
/// the tone of every drum, and cymbals nearly all of their energy.
pub const NAMED_BANDS: [(&str, f64, f64); 3] =
    [("kick", 30.0, 120.0), ("snare", 1000.0, 5000.0), ("hat", 6000.0, 16_000.0)];

const fn number(name: &'static str, measure: Measure, default: Option<f64>, most: f64) -> Argument {
    Argument { name, takes: Takes::Number(measure), default, possible: (0.0, most) }
}

const fn anything(name: &'static str, default: f64) -> Argument {
    let takes = Takes::Number(Measure::Plain);
    Argument { name, takes, default: Some(default), possible: (-1e9, 1e9) }
}

const fn method(
    name: &'static str,
    args: &'static [Argument],
    gives: Gives,
    help: &'static str,
) -> SoundFunction {
    SoundFunction { name, args, gives, shapes_curves: false, help }
}

const FILE: Argument = Argument { name: "file", takes: Takes::File, default: None, possible: (0.0, 0.0) };
const OFFSET: Argument =
    Argument { possible: (-1e6, 1e6), ..number("offset", Measure::Time, Some(0.0), 0.0) };
const BAND: Argument =
    Argument { name: "band", takes: Takes::BandName, default: Some(0.0), possible: (0.0, 0.0) };
const THRESHOLD: Argument = number("threshold", Measure::Plain, Some(0.2), 1.0);
/// Half of the largest sampling rate that is read.
const HIGHEST: f64 = 192_000.0;

/// Every function and method of sounds.
pub static SOUND_FUNCTIONS: &[SoundFunction] = &[
    method(
        AUDIO,
        &[FILE, OFFSET],
        Gives::Sound,
        "the sound in a file, all channels mixed; as a number its level, 0 to 1. `offset` is when in the film it starts",
    ),
    method(
        "band",
        &[
            number("low", Measure::Frequency, None, HIGHEST),
            number("high", Measure::Frequency, None, HIGHEST),
        ],
        Gives::Sound,
        "what lies between two frequencies; 24 dB less per octave outside",
    ),
    SoundFunction {
        shapes_curves: true,
        ..method(
            "envelope",
            &[
                number("attack", Measure::Time, Some(5.0), 60.0),
                number("release", Measure::Time, Some(150.0), 60.0),
            ],
            Gives::Curve,
            "how loud it is, smoothed: time constants upwards and downwards; the largest value within the frame",
        )
    },
    method(
        "onset",
        &[BAND, THRESHOLD],
        Gives::Pulses,
        "true in the frame in which something begins, in all of the sound or in its \"kick\", \"snare\" or \"hat\"",
    ),
    method("beat", &[], Gives::Pulses, "true in the frame in which a beat falls"),
    SoundFunction {
        shapes_curves: true,
        ..method(
            "norm",
            &[anything("low", 0.0), anything("high", 1.0)],
            Gives::Curve,
            "stretched so that the least value of the whole sound is `low` and the largest `high`",
        )
    },
    method("rms", &[], Gives::Curve, "the root of the mean square within the frame"),
    method(
        "centroid",
        &[],
        Gives::Curve,
        "the centre of the spectrum within the frame, in Hz: how bright it is",
    ),
    method("tempo", &[], Gives::Number, "beats per minute of the whole sound"),
];

/// The function or method called `name`.
pub fn find(name: &str) -> Option<&'static SoundFunction> {
    SOUND_FUNCTIONS.iter().find(|function| function.name == name)
}

/// The function or method of sounds that a checked expression is a call of.
pub fn of(expr: &Expr) -> Option<&'static SoundFunction> {
    let mut inner = expr;
    while let ExprKind::Call { args, method: true, .. } = &inner.kind {
        inner = &args.first()?.value;
    }
    match (&inner.kind, &expr.kind) {
        (ExprKind::Call { name: first, .. }, ExprKind::Call { name, .. }) if first == AUDIO => find(name),
        _ => None,
    }
}
