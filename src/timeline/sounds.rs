//! Sounds in a film: each call is answered by one hearing of its file, and a number per frame takes its
//! place. Everything after this sees plain numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clock::{Clock, lower};
use super::eval::evaluate;
use super::line::unit_error;
use super::scene::Found;
use crate::error::Error;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, Expr, ExprKind, Frames, TextPart};
use crate::schedule::film::{Film, SettingValue, Settings};
use crate::schedule::names::did_you_mean;
use crate::schedule::params::{Measure as Unit, range};
use crate::schedule::sounds::{self, AUDIO, Gives, NAMED_BANDS, SoundFunction, Takes};
use crate::schedule::source::Sources;
use crate::schedule::span::Span;
use crate::sound::{After, Answer, Band, Grid, Measure, Open, RATE, RATES, Request, Source, Times, analyse};

/// A copy of `film` in which every sound is a number per frame. `clock` is that of the whole film; of its
/// length nothing depends. A sound that cannot be had is reported and becomes 1.
pub(super) fn resolve(film: &Film, clock: &Clock, open: Option<Open>, found: &mut Found) -> Film {
    let mut film = film.clone();
    loop {
        // A call whose arguments hold a sound of their own, a tempo, has to wait for the next round.
        let mut calls = Vec::new();
        expressions(&mut film).into_iter().for_each(|expr| {
            visit(expr, &mut |expr| calls.push(expr.clone()));
        });
        if calls.is_empty() {
            return film;
        }
        let answers =
            Hearing { folder: film.folder.clone(), sources: film.sources.clone(), clock, open, found }
                .answer(&calls);
        expressions(&mut film).into_iter().for_each(|expr| {
            visit(expr, &mut |expr| {
                expr.kind = answers.get(&key(expr)).cloned().unwrap_or(ExprKind::Float(1.0));
            });
        });
    }
}

/// Equal calls have equal keys, wherever they stand.
fn key(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Call { name, args, .. } => {
            let args: Vec<String> = args.iter().map(|arg| key(&arg.value)).collect();
            // The same name in two files may be two sounds.
            let file = if name == AUDIO { expr.span.source } else { 0 };
            format!("{name}@{file}({})", args.join(","))
        }
        ExprKind::Unary(op, x) => format!("{op:?}({})", key(x)),
        ExprKind::Binary(op, a, b) => format!("{op:?}({},{})", key(a), key(b)),
        other => format!("{other:?}"),
    }
}

/// Every expression of a film.
fn expressions(film: &mut Film) -> Vec<&mut Expr> {
    let mut all: Vec<&mut Expr> = Vec::new();
    all.extend(in_settings(&mut film.settings));
    film.controls.iter_mut().for_each(|control| all.extend(in_settings(&mut control.settings)));
    for scene in &mut film.scenes {
        all.push(&mut scene.length);
        all.extend(in_settings(&mut scene.settings));
        scene.controls.iter_mut().for_each(|control| all.extend(in_settings(&mut control.settings)));
    }
    all
}

fn in_settings(settings: &mut Settings) -> Vec<&mut Expr> {
    let mut all: Vec<&mut Expr> = Vec::new();
    for setting in settings.values_mut() {
        match &mut setting.value {
            SettingValue::Track(keys) => keys.iter_mut().for_each(|key| {
                all.extend(key.time.as_mut());
                all.push(&mut key.value);
            }),
            SettingValue::Call(call) => all.extend(call.args.values_mut()),
        }
    }
    all
}

/// Shows `each` the outermost calls of sounds in `expr` whose arguments hold no other sound, and those in
/// the arguments of the others.
fn visit(expr: &mut Expr, each: &mut dyn FnMut(&mut Expr)) {
    if sounds::of(expr).is_some() {
        let mut waits = false;
        in_arguments(expr, &mut |argument| {
            visit(argument, &mut |inner| {
                waits = true;
                each(inner);
            });
        });
        if !waits {
            each(expr);
        }
        return;
    }
    match &mut expr.kind {
        ExprKind::Unary(_, x) => visit(x, each),
        ExprKind::Binary(_, a, b) => {
            visit(a, each);
            visit(b, each);
        }
        ExprKind::List(items) => items.iter_mut().for_each(|item| visit(item, each)),
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|arg| visit(&mut arg.value, each)),
        ExprKind::Text(parts) => parts.iter_mut().for_each(|part| match part {
            TextPart::Hole(hole) => visit(hole, each),
            TextPart::Literal(_) => {}
        }),
        _ => {}
    }
}

/// The arguments along a chain of methods, without the sounds in front of the points.
fn in_arguments(expr: &mut Expr, each: &mut dyn FnMut(&mut Expr)) {
    let ExprKind::Call { args, method, .. } = &mut expr.kind else { return };
    let own = usize::from(*method);
    args.iter_mut().skip(own).for_each(|arg| each(&mut arg.value));
    if *method && let Some(receiver) = args.first_mut() {
        in_arguments(&mut receiver.value, each);
    }
}

/// What is asked of a file.
struct Asked {
    key: String,
    request: Request,
    truth: bool,
    span: Span,
    /// Where the edges of its bands stand.
    edges: Vec<Span>,
}

/// A call taken apart.
struct Chain {
    path: PathBuf,
    file: Span,
    asked: Asked,
}

struct Hearing<'a> {
    folder: PathBuf,
    sources: Sources,
    clock: &'a Clock,
    open: Option<Open>,
    found: &'a mut Found,
}

impl Hearing<'_> {
    /// The answers to calls, by [`key`]. Each file is heard once.
    fn answer(&mut self, calls: &[Expr]) -> BTreeMap<String, ExprKind> {
        let mut files: BTreeMap<PathBuf, (Span, Vec<Asked>)> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for call in calls {
            let key = key(call);
            if seen.insert(key.clone(), ()).is_some() {
                continue;
            }
            match self.chain(call, key) {
                Ok(chain) => {
                    files.entry(chain.path).or_insert((chain.file, Vec::new())).1.push(chain.asked);
                }
                Err(error) => self.found.errors.push(error),
            }
        }
        let mut answers = BTreeMap::new();
        for (path, (span, asked)) in files {
            match self.hear(&path, span, &asked) {
                Ok(heard) => answers.extend(heard),
                Err(errors) => self.found.errors.extend(errors),
            }
        }
        answers
    }

    /// Everything that is asked of one file.
    fn hear(
        &self,
        path: &Path,
        span: Span,
        asked: &[Asked],
    ) -> Result<Vec<(String, ExprKind)>, Vec<Diagnostic>> {
        let mut source = self.source(path, span).map_err(|error| vec![error])?;
        let rate = source.rate();
        let beyond: Vec<Diagnostic> = asked.iter().flat_map(|asked| beyond(asked, rate)).collect();
        if !beyond.is_empty() {
            return Err(beyond);
        }
        let requests: Vec<Request> = asked.iter().map(|asked| asked.request.clone()).collect();
        let answers = analyse(source.as_mut(), &requests).map_err(|error| vec![unheard(&error, span)])?;
        let mut errors = Vec::new();
        let mut heard = Vec::new();
        for (asked, answer) in asked.iter().zip(answers) {
            match answer {
                Answer::Curve(curve) => {
                    let (first, values, outside) = (curve.first, curve.values, curve.outside);
                    let frames = Frames { first, values, outside, truth: asked.truth };
                    heard.push((asked.key.clone(), ExprKind::Frames(Arc::new(frames))));
                }
                Answer::Number(number) => heard.push((asked.key.clone(), ExprKind::Float(number))),
                Answer::NoTempo => errors.push(no_tempo(path, asked.span)),
            }
        }
        if errors.is_empty() { Ok(heard) } else { Err(errors) }
    }

    fn source(&self, path: &Path, span: Span) -> Result<Box<dyn Source>, Diagnostic> {
        let Some(open) = self.open else {
            let found = Diagnostic::error("E71", "sounds cannot be heard here", span);
            return Err(found.hint("check or render the film with the program `kinora`"));
        };
        if !path.is_file() {
            let written = path.strip_prefix(&self.folder).unwrap_or(path);
            let message = format!("there is no file `{}`", written.display());
            let found = Diagnostic::error("E71", message, span).label(nearest(path));
            return Err(found.hint("names of files are relative to the film's folder"));
        }
        let source = open(path).map_err(|error| unheard(&error, span))?;
        let (rate, (least, most)) = (source.rate(), RATES);
        if !(least..=most).contains(&rate) {
            let message = format!("the sound has {rate} samples a second, expected {least} to {most}");
            return Err(Diagnostic::error("E71", message, span).hint("convert it to 44100 Hz"));
        }
        Ok(source)
    }

    /// Takes a call apart.
    fn chain(&self, call: &Expr, key: String) -> Result<Chain, Diagnostic> {
        let mut links: Vec<(&'static SoundFunction, &[Arg], Span)> = Vec::new();
        let mut inner = call;
        while let ExprKind::Call { name, args, method, .. } = &inner.kind {
            let Some(function) = sounds::find(name) else { break };
            links.push((function, &args[usize::from(*method)..], inner.span));
            let Some(receiver) = args.first().filter(|_| *method) else { break };
            inner = &receiver.value;
        }
        links.reverse();
        let rate = self.clock.tempo.rate;
        let mut grid = Grid { num: rate.num, den: rate.den, offset: 0 };
        let (mut path, mut file) = (PathBuf::new(), call.span);
        let (mut bands, mut edges, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let (mut measure, mut truth) = (None, false);
        for (function, args, _) in links {
            let number = |index: usize| self.number(function, args, index);
            truth = function.gives == Gives::Pulses;
            match (function.name, measure) {
                (AUDIO, _) => {
                    let beside = args.first().map_or(0, |arg| arg.value.span.source);
                    path = self.folder.join(self.sources.folder(beside)).join(text(args, 0));
                    file = args[0].value.span;
                    grid.offset = (number(1)? * f64::from(RATE)).round() as i64;
                }
                ("band", _) => {
                    bands.push(Band { low: number(0)?, high: number(1)? });
                    edges.push(args[1].value.span);
                }
                ("envelope", None) => measure = Some(Measure::Envelope(times(number(0)?, number(1)?))),
                ("envelope", Some(_)) => after.push(After::Envelope(times(number(0)?, number(1)?))),
                ("norm", before) => {
                    measure = before.or(Some(Measure::Level));
                    after.push(After::Norm(number(0)?, number(1)?));
                }
                ("onset", _) => {
                    let name = text(args, 0);
                    let named = NAMED_BANDS.iter().find(|(known, ..)| *known == name);
                    bands.extend(named.map(|(_, low, high)| Band { low: *low, high: *high }));
                    edges.extend(named.map(|_| args[0].value.span));
                    measure = Some(Measure::Onset(number(1)?));
                }
                ("beat", _) => measure = Some(Measure::Beat),
                ("rms", _) => measure = Some(Measure::Rms),
                ("centroid", _) => measure = Some(Measure::Centroid),
                _ => measure = Some(Measure::Tempo),
            }
        }
        let measure = measure.unwrap_or(Measure::Level);
        let request = Request { bands, measure, after, grid };
        Ok(Chain { path, file, asked: Asked { key, request, truth, span: call.span, edges } })
    }

    /// An argument that is a number, in its range; times in seconds.
    fn number(&self, function: &SoundFunction, args: &[Arg], index: usize) -> Result<f64, Diagnostic> {
        let (spec, value) = (&function.args[index], &args[index].value);
        let Takes::Number(unit) = spec.takes else { return Ok(0.0) };
        let context = crate::schedule::units::Context::Value(unit);
        // Units were checked when the film was read; only beats depend on the film.
        let lowered = lower(value, context, self.clock)
            .map_err(|wrong| unit_error(wrong).hint("say how fast the music is: `video { bpm = 120 }`"))?;
        let number = evaluate(&lowered, &self.clock.at(0.0))
            .map_err(|error| Diagnostic::error("E36", error.message, error.span))?;
        let rate = self.clock.tempo.rate;
        let seconds = |frames: f64| frames * f64::from(rate.den) / f64::from(rate.num);
        let is_time = unit == Unit::Time;
        let number = number.as_f64().map(|number| if is_time { seconds(number) } else { number });
        match number.filter(|number| (spec.possible.0..=spec.possible.1).contains(number)) {
            Some(number) => Ok(number),
            None => {
                let found = number.map_or("this".to_owned(), |number| number.to_string());
                let of = if is_time { " in seconds" } else { "" };
                let message = format!("`{}` is {}{of}, {found} is not", spec.name, range(spec.possible));
                Err(Diagnostic::error("E33", message, value.span))
            }
        }
    }
}

fn times(attack: f64, release: f64) -> Times {
    Times { attack, release }
}

fn text(args: &[Arg], index: usize) -> &str {
    args[index].value.literal_text().unwrap_or_default()
}

/// Bands that the file cannot have, or that are none.
fn beyond(asked: &Asked, rate: u32) -> Vec<Diagnostic> {
    let highest = f64::from(rate.min(RATE)) / 2.0;
    let bands = asked.request.bands.iter().zip(&asked.edges);
    let wrong = bands.filter_map(|(band, span)| {
        let (message, hint) = if band.low >= band.high {
            let message = format!("a band goes from low to high, found {} to {} Hz", band.low, band.high);
            (message, "write the lower frequency first".to_owned())
        } else if band.high > highest {
            let message = format!("the band ends at {} Hz, the sound at {highest} Hz", band.high);
            let hint = match rate > RATE {
                true => format!("sounds are looked at up to {highest} Hz"),
                false => format!("the file has {rate} samples a second, which hold half as many Hz"),
            };
            (message, hint)
        } else {
            return None;
        };
        Some(Diagnostic::error("E73", message, *span).hint(hint))
    });
    wrong.collect()
}

fn no_tempo(path: &Path, span: Span) -> Diagnostic {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Diagnostic::error("E74", format!("no tempo can be found in {name}"), span)
        .hint("nothing in it repeats; give the number yourself: `video { bpm = 120 }`")
}

/// Why a file cannot be heard.
fn unheard(error: &Error, span: Span) -> Diagnostic {
    let found = Diagnostic::error("E71", error.to_string(), span);
    match error.hint() {
        Some(hint) => found.hint(hint),
        None => found,
    }
}

/// The file beside `path` that is named most like it.
fn nearest(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.path().is_file());
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    did_you_mean(&path.file_name()?.to_string_lossy(), names.iter().map(String::as_str))
}
