//! Calls that make and measure sounds: who may follow whom, and their arguments.

use super::shape::changes;
use super::typed::{Form, describe, form};
use super::unit;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, BaseUnit, Expr, ExprKind, TimeUnit, Unit};
use crate::schedule::functions::find_variable;
use crate::schedule::names::did_you_mean;
use crate::schedule::params::Measure;
use crate::schedule::sounds::{
    self, AUDIO, Argument, Gives, NAMED_BANDS, SOUND_FUNCTIONS, SoundFunction, Takes,
};
use crate::schedule::span::Span;
use crate::schedule::units::{Context, Rate, Tempo};

/// A call as it was written.
pub(super) struct Called<'a> {
    pub name: &'a str,
    /// Where the name stands.
    pub at: Span,
    /// Written behind a point; the first argument stands before it.
    pub method: bool,
    /// The whole call.
    pub span: Span,
    /// The film or the language has a function of this name.
    pub is_own: bool,
}

/// Units are checked where they are written, in whatever film: beats are left to the timeline.
const ANY_TEMPO: Tempo = Tempo { rate: Rate { num: 1, den: 1 }, bpm: Some(60.0) };

/// The call with every argument in its place, those left out filled in; `None` inside when it is wrong,
/// which was then reported. `None` when it is no call of a sound.
pub(super) fn call(
    called: &Called<'_>,
    written: &[Option<Arg>],
    list: &mut Vec<Diagnostic>,
) -> Option<Option<ExprKind>> {
    let known = sounds::find(called.name).filter(|known| called.method == (known.name != AUDIO));
    let receiver = match written.first().filter(|_| called.method) {
        Some(Some(arg)) => Some(&arg.value),
        // The receiver is wrong, which was reported: nothing is said about its methods.
        Some(None) => return (known.is_some() && !called.is_own).then_some(None),
        None => None,
    };
    let sound = receiver.and_then(sounds::of);
    let function = match (known, sound) {
        (None, Some(_)) if !called.is_own => {
            list.push(unknown_method(called));
            return Some(None);
        }
        (None, _) => return misused(called, list),
        (Some(_), None) if called.method && called.is_own => return None,
        (Some(function), sound) => match refused(function, receiver, sound, called) {
            Some(found) => {
                list.push(found);
                return Some(None);
            }
            None => function,
        },
    };
    Some(arguments(function, called, receiver, &written[usize::from(called.method)..], list))
}

fn methods() -> impl Iterator<Item = &'static SoundFunction> {
    SOUND_FUNCTIONS.iter().filter(|function| function.name != AUDIO)
}

fn unknown_method(called: &Called<'_>) -> Diagnostic {
    let names: Vec<String> = methods().map(|method| format!("`{}`", method.name)).collect();
    Diagnostic::error("E70", format!("a sound has no method `{}`", called.name), called.at)
        .label(did_you_mean(called.name, methods().map(|method| method.name)))
        .hint(format!("there are {}", names.join(", ")))
}

/// A method written as a function, or `audio` as a method.
fn misused(called: &Called<'_>, list: &mut Vec<Diagnostic>) -> Option<Option<ExprKind>> {
    let known = sounds::find(called.name).filter(|_| !called.is_own)?;
    let (message, hint) = match called.method {
        true => (format!("`{AUDIO}` is a function, not a method"), format!("write `{}`", known.signature())),
        false => (
            format!("`{}` is a method of a sound, not a function", known.name),
            format!("write it behind the sound: `audio(\"song.flac\"){}`", known.signature()),
        ),
    };
    list.push(Diagnostic::error("E70", message, called.at).hint(hint));
    Some(None)
}

/// Why a method cannot follow what stands before it.
fn refused(
    function: &SoundFunction,
    receiver: Option<&Expr>,
    sound: Option<&'static SoundFunction>,
    called: &Called<'_>,
) -> Option<Diagnostic> {
    let receiver = receiver?;
    let wrong = |what: &str| {
        let message = format!("`.{}` is a method of a sound, this is {what}", function.name);
        Diagnostic::error("E70", message, called.at)
    };
    match sound.map(|sound| sound.gives) {
        // The parameter of a function of the film may be anything.
        None if is_parameter(receiver) => None,
        None => Some(
            wrong(describe(form(receiver)))
                .hint(format!("write `audio(\"song.flac\"){}`", function.signature())),
        ),
        Some(Gives::Sound) => None,
        Some(Gives::Curve | Gives::Pulses) if function.shapes_curves => None,
        Some(Gives::Number) => Some(wrong("one number for the whole sound")),
        Some(_) => {
            let before = sound.map_or("", |sound| sound.name);
            let found = wrong("what was measured of one");
            Some(found.hint(format!("put `.{}` in front of `.{before}`", function.name)))
        }
    }
}

/// Whether it is a parameter of a function of the film, or a method of one.
fn is_parameter(expr: &Expr) -> bool {
    let mut inner = expr;
    while let ExprKind::Call { args, method: true, .. } = &inner.kind
        && let [receiver, ..] = args.as_slice()
    {
        inner = &receiver.value;
    }
    matches!(&inner.kind, ExprKind::Name(name) if find_variable(name).is_none())
}

/// The call written out, or nothing when an argument is wrong.
fn arguments(
    function: &'static SoundFunction,
    called: &Called<'_>,
    receiver: Option<&Expr>,
    given: &[Option<Arg>],
    list: &mut Vec<Diagnostic>,
) -> Option<ExprKind> {
    let before = list.len();
    let mut placed: Vec<Option<Expr>> = vec![None; function.args.len()];
    for (index, arg) in given.iter().enumerate() {
        let arg = arg.as_ref()?;
        match slot(function, index, arg) {
            Ok(slot) if placed[slot].is_some() => {
                let message =
                    format!("`{}` got its argument `{}` twice", called.name, function.args[slot].name);
                list.push(Diagnostic::error("E13", message, arg.value.span));
            }
            Ok(slot) => {
                check(&function.args[slot], &arg.value, list);
                placed[slot] = Some(arg.value.clone());
            }
            Err(found) => list.push(found),
        }
    }
    let missing =
        function.args.iter().zip(&placed).find(|(arg, value)| arg.default.is_none() && value.is_none());
    if let Some((missing, _)) = missing.filter(|_| list.len() == before) {
        let message = format!("`{}` needs its argument `{}`", called.name, missing.name);
        list.push(
            Diagnostic::error("E13", message, called.at).hint(format!("write `{}`", function.signature())),
        );
    }
    if list.len() > before {
        return None;
    }
    let filled = placed.into_iter().zip(function.args).map(|(value, arg)| {
        let value = value.unwrap_or_else(|| default(arg, called.span));
        Arg { name: None, value }
    });
    let receiver = receiver.map(|receiver| Arg { name: None, value: receiver.clone() });
    let args = receiver.into_iter().chain(filled).collect();
    Some(ExprKind::Call { name: called.name.to_owned(), name_span: called.at, args, method: called.method })
}

/// Which argument is meant.
fn slot(function: &SoundFunction, index: usize, arg: &Arg) -> Result<usize, Diagnostic> {
    let (message, span, near) = match &arg.name {
        None if index < function.args.len() => return Ok(index),
        None => {
            let count = function.args.len();
            let plural = if count == 1 { "" } else { "s" };
            (format!("`{}` takes {count} argument{plural}", function.name), arg.value.span, None)
        }
        Some((name, span)) => match function.args.iter().position(|known| known.name == name) {
            Some(slot) => return Ok(slot),
            None => {
                let near = did_you_mean(name, function.args.iter().map(|known| known.name));
                (format!("`{}` has no argument `{name}`", function.name), *span, near)
            }
        },
    };
    Err(Diagnostic::error("E13", message, span).label(near).hint(format!("write `{}`", function.signature())))
}

/// The type and unit of an argument, and that it stays the same.
fn check(argument: &Argument, value: &Expr, list: &mut Vec<Diagnostic>) {
    if is_parameter(value) {
        return;
    }
    let found = form(value);
    let (fits, takes) = match argument.takes {
        Takes::File => (value.literal_text().is_some(), "the name of a file as plain text"),
        Takes::BandName => (value.literal_text().is_some(), "the name of a band as plain text"),
        Takes::Number(measure) => {
            (found == Form::Number && sounds::of(value).is_none_or(is_number), measure.describe())
        }
    };
    if !fits {
        let what = match sounds::of(value).filter(|sound| !is_number(sound)) {
            Some(_) => "a sound",
            None => describe(found),
        };
        let message = format!("`{}` takes {takes}, this is {what}", argument.name);
        let hint = match argument.takes {
            Takes::File => "put it in quotes: `audio(\"song.flac\")`".to_owned(),
            Takes::BandName => {
                format!("{}; for other bands write `.band(200Hz, 2000Hz).onset()`", band_names())
            }
            Takes::Number(_) => "numbers stand without quotes and are the same for the whole film".to_owned(),
        };
        list.push(Diagnostic::error("E32", message, value.span).hint(hint));
        return;
    }
    match argument.takes {
        Takes::BandName => check_band(value, list),
        Takes::File => {}
        Takes::Number(_) if varies(value) => {
            let message = format!("`{}` is the same for the whole film", argument.name);
            let found = Diagnostic::error("E72", message, value.span);
            list.push(found.hint("of what depends on the scene or the time, it may use `fps` only"));
        }
        Takes::Number(measure) => {
            unit::check(argument.name, value, Context::Value(measure), &ANY_TEMPO, list);
        }
    }
}

fn is_number(function: &SoundFunction) -> bool {
    function.gives == Gives::Number
}

fn check_band(value: &Expr, list: &mut Vec<Diagnostic>) {
    let name = value.literal_text().unwrap_or_default();
    if !name.is_empty() && NAMED_BANDS.iter().all(|(known, ..)| *known != name) {
        let near = did_you_mean(name, NAMED_BANDS.iter().map(|(known, ..)| *known));
        let found = Diagnostic::error("E70", format!("there is no band `{name}`"), value.span).label(near);
        list.push(found.hint(format!("{}; for others write `.band(200Hz, 2000Hz).onset()`", band_names())));
    }
}

fn band_names() -> String {
    let names: Vec<String> = NAMED_BANDS.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
    format!("the bands with names are {}", names.join(", "))
}

/// Whether a number depends on the scene or the time.
fn varies(expr: &Expr) -> bool {
    let depends = |name: &str| matches!(name, "max_f" | "s");
    changes(expr)
        || match &expr.kind {
            ExprKind::Name(name) => depends(name),
            ExprKind::Unary(_, x) => varies(x),
            ExprKind::Binary(_, a, b) => varies(a) || varies(b),
            ExprKind::Call { args, .. } if sounds::of(expr).is_none() => {
                args.iter().any(|arg| varies(&arg.value))
            }
            _ => false,
        }
}

/// What an argument is when it is left out, as if it had been written.
fn default(argument: &Argument, span: Span) -> Expr {
    let value = argument.default.unwrap_or_default();
    let milliseconds = Unit { base: BaseUnit::Time(TimeUnit::Milliseconds), per: None };
    let kind = match argument.takes {
        Takes::File | Takes::BandName => return Expr::text_at(span, ""),
        Takes::Number(Measure::Time) => ExprKind::Quantity { value, unit: milliseconds },
        Takes::Number(_) => ExprKind::Float(value),
    };
    Expr { kind, span }
}
