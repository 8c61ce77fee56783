//! Values written the way Deforum writes them, `0:(1.0), 30:(1.02+0.01*sin(t))`: read as Deforum reads them, except
//! where its reading surprises its own users. [`Compat`] says which reading is in force, and where the two differ.

use std::sync::Arc;

use super::clock::Clock;
use super::deforum::interpolate::Method;
use super::deforum::prompts::{PromptMode, PromptSeries};
use super::deforum::{Clip, Mode, expand_with};
use super::line::{Line, has_unit};
use crate::schedule::deforum::keys::is_plain_number;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::film::{Ease, Film, Key, SettingValue};
use crate::schedule::params::Kind;
use crate::schedule::source::Sources;
use crate::schedule::span::Span;
use crate::schedule::units::Short;

/// How values in Deforum's notation are read (sd-webui-deforum 32242685). The notation is: every value in brackets,
/// times without units, no eases. With [`Compat::Deforum`] the brackets may be absent, as they may in Deforum.
/// Everything else is kinora's own and never read otherwise.
///
/// | in the score | Deforum | kinora | says |
/// |---|---|---|---|
/// | a key behind the last frame | drops it | keeps it: the value goes part of the way | W81 |
/// | `0:( 5 ), 9:(7)` | takes `5` with blanks for an expression: holds it, then jumps | a number: ramps | W82 |
/// | `0:(1):(2)`, `0:0: (t)` | ignores what is behind the second colon | the same | W83 |
/// | `0:(2)(3)` | 23 | refuses it | E81 |
/// | `` `t/10` `` and `--neg` in a prompt | computes, every letter t replaced; splits | text | W04 |
/// | `0:(max(t, 3))` | cuts at the comma and dies | a call | – |
/// | `10:(1)` without a key at 0 | dies | the first value holds before it | – |
/// | `real`, `imag`, `conj`, `sum`, `prod`, `ones_like`, the name `i`, a number in quotes | reads it | refuses it by name | E11, E12, E32 |
/// | a comma at the end, `and`, `or`, own functions and names | dies | reads it | – |
/// | `0:(1+2), 9:(5)` | holds 3 until frame 9, since it is no plain number | the same | – |
/// | two keys at one frame | forgets the first | the same | W06 |
/// | NaN at a frame | goes in a straight line over it | the same | – |
/// | `0:(1/0)` | dies | E36 at the frame | – |
///
/// In the lines without a warning every text that Deforum accepts means the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// As the column «kinora» says.
    #[default]
    Native,
    /// As the column «Deforum» says; what kills Deforum is an error (E82).
    Deforum,
}

/// The values of `keys` at the frames of `clock` as Deforum computes them, when they are written its way and are to be
/// read so; `None` when the line's own reading counts.
///
/// # Errors
/// With [`Compat::Deforum`] what Deforum refuses.
pub(super) fn series(
    line: &Line,
    keys: &[Key],
    sources: &Sources,
    compat: Compat,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Option<Arc<[f64]>>, Diagnostic> {
    let is_number = matches!(line.param.kind, Kind::Number(_) | Kind::Integer);
    let in_brackets = keys.iter().all(|key| is_deforums(key, sources, true));
    let may_be_deforums =
        in_brackets || (compat == Compat::Deforum && keys.iter().all(|key| is_deforums(key, sources, false)));
    if !is_number || line.is_constant() || !may_be_deforums {
        return Ok(None);
    }
    let clock = &line.clock;
    if compat == Compat::Native
        && behind(keys, clock).is_empty()
        && !has_twins(keys, clock)
        && keys.iter().all(|key| is_same(key, sources))
    {
        return Ok(None);
    }
    let written = Written::new(keys, sources);
    let clip = Clip::new(clock.length, clock.seed, Mode::Compat);
    let values = expand_with(&written.text, Span::default(), &clip, Method::Linear);
    match (values, compat) {
        // What Deforum refuses nobody can have meant its way.
        (Err(_), Compat::Native) => Ok(None),
        (Err(_), Compat::Deforum) if !in_brackets => Ok(None),
        (Err(wrong), Compat::Deforum) => {
            let message =
                format!("Deforum cannot read this value of `{}`: {}", line.param.name, wrong.message);
            let mut found = Diagnostic::error("E82", message, written.place(wrong.span));
            found.hints.extend(wrong.hint);
            Err(found.hint("leave out `--compat deforum`, or write it without brackets"))
        }
        (Ok(values), Compat::Deforum) => {
            for (span, time) in behind(keys, clock) {
                forget_w03(span, warnings);
                warnings.push(dropped(line, span, time));
            }
            Ok(Some(values.into()))
        }
        (Ok(values), Compat::Native) => {
            let (behind, blanks) = (behind(keys, clock), blanks(keys, sources, clock));
            if behind.is_empty() && blanks.is_empty() {
                return Ok(Some(values.into()));
            }
            behind.iter().for_each(|(span, _)| forget_w03(*span, warnings));
            let Some(example) = largest_difference(line, &values) else { return Ok(None) };
            for (span, time) in behind {
                let found = dropped(line, span, time).hint("here the value goes part of the way to it");
                warnings.push(found.hint(example.clone()));
            }
            for span in blanks {
                let name = line.param.name;
                let message = format!(
                    "Deforum holds this value of `{name}` until the next key: blanks in the brackets"
                );
                let found =
                    Diagnostic::warning("W82", message, span).hint("here the value ramps; `~cut` holds it");
                warnings.push(found.hint(example.clone()));
            }
            Ok(None)
        }
    }
}

fn time_of(key: &Key, clock: &Clock) -> Option<f64> {
    super::line::key_time(key.time.as_ref()?, clock).ok()
}

/// Keys behind the last frame, with their times.
fn behind(keys: &[Key], clock: &Clock) -> Vec<(Span, f64)> {
    let last = f64::from(clock.length) - 1.0;
    let times = keys.iter().filter_map(|key| Some((key.span, time_of(key, clock)?)));
    times.filter(|(_, time)| *time > last).collect()
}

/// Whether two keys stand at one frame: Deforum forgets the first of them, also on the way to it.
fn has_twins(keys: &[Key], clock: &Clock) -> bool {
    let mut times: Vec<f64> = keys.iter().filter_map(|key| time_of(key, clock)).collect();
    times.sort_by(f64::total_cmp);
    times.windows(2).any(|pair| pair[0] == pair[1])
}

/// Numbers with blanks around them, which Deforum takes for expressions: they do not ramp to the key behind them.
fn blanks(keys: &[Key], sources: &Sources, clock: &Clock) -> Vec<Span> {
    let end = keys.iter().filter_map(|key| time_of(key, clock)).fold(f64::NEG_INFINITY, f64::max);
    let held = keys.iter().filter(|key| time_of(key, clock).is_some_and(|time| time < end));
    held.filter(|key| {
        let inside = value_text(key, sources).and_then(|text| text.strip_prefix('(')?.strip_suffix(')'));
        inside.is_some_and(|inside| inside.trim() != inside && is_plain_number(inside.trim()))
    })
    .map(|key| key.value.span)
    .collect()
}

/// W81 says the same and more, or W03 is not so.
fn forget_w03(span: Span, warnings: &mut Vec<Diagnostic>) {
    warnings.retain(|found| !(found.code == "W03" && found.span == span));
}

fn dropped(line: &Line, span: Span, time: f64) -> Diagnostic {
    let (name, last) = (line.param.name, line.clock.length - 1);
    let message =
        format!("Deforum drops this key of `{name}`: frame {} is behind the last one, {last}", Short(time));
    Diagnostic::warning("W81", message, span)
}

/// Where the readings are furthest apart; `None` when they are the same.
fn largest_difference(line: &Line, deforums: &[f64]) -> Option<String> {
    let mut worst: Option<(f64, String)> = None;
    for (frame, theirs) in (line.clock.start..).zip(deforums) {
        let Some(own) = line.at(frame).ok().and_then(|(value, _)| value.as_f64()) else { continue };
        let far = (own - theirs).abs();
        if far > 1e-9 * own.abs().max(1.0) && worst.as_ref().is_none_or(|(most, _)| far > *most) {
            let example = format!(
                "at frame {} Deforum would have {}, here it is {}",
                frame - line.clock.start,
                Short(*theirs),
                Short(own)
            );
            worst = Some((far, example));
        }
    }
    worst.map(|(_, example)| example)
}

/// Whether a key means the same to both without computing it: a plain number, or sums, products and waves of the
/// time, whose values are finite and do not depend on numexpr's kinds. Most schedules that people have are made of
/// these, and our own evaluator is faster.
fn is_same(key: &Key, sources: &Sources) -> bool {
    let inside = value_text(key, sources).and_then(|text| text.strip_prefix('(')?.strip_suffix(')'));
    inside.is_some_and(is_plain_number) || (key.changes && is_tame(&key.value))
}

fn is_tame(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) => true,
        ExprKind::Name(name) => matches!(name.as_str(), "t" | "s" | "max_f"),
        ExprKind::Unary(UnaryOp::Neg | UnaryOp::Pos, x) => is_tame(x),
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, a, b) => is_tame(a) && is_tame(b),
        ExprKind::Binary(BinaryOp::Div, a, b) => is_tame(a) && is_divisor(b),
        ExprKind::Call { name, args, .. } => {
            matches!(name.as_str(), "sin" | "cos")
                && args.len() == 1
                && args.iter().all(|arg| is_tame(&arg.value))
        }
        _ => false,
    }
}

/// A number that is not 0.
fn is_divisor(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(number) => *number != 0,
        ExprKind::Float(number) => *number != 0.0,
        _ => false,
    }
}

/// Whether a key is written Deforum's way, with or without the brackets that nearly everybody writes.
fn is_deforums(key: &Key, sources: &Sources, in_brackets: bool) -> bool {
    let plain_time = key.time.as_ref().is_some_and(|time| !has_unit(time));
    let value = value_text(key, sources);
    let bracketed = |text: &str| text.starts_with('(') && text.ends_with(')');
    let value_fits =
        value.is_some_and(|text| if in_brackets { bracketed(text) } else { !text.contains('~') });
    plain_time && key.ease == Ease::Linear && value_fits
}

/// What stands behind the colon of a key.
fn value_text<'a>(key: &Key, sources: &'a Sources) -> Option<&'a str> {
    let whole = sources.text(key.span);
    let time_ends = key.time.as_ref()?.span.end.checked_sub(key.span.start)? as usize;
    let (_, value) = whole.get(time_ends..)?.split_once(':')?;
    Some(value.trim())
}

/// Keys as one of Deforum's strings, without what stood between them.
struct Written {
    text: String,
    /// Where each key begins in the text, and where it stands.
    keys: Vec<(usize, Span)>,
}

impl Written {
    fn new(keys: &[Key], sources: &Sources) -> Self {
        let mut written = Self { text: String::new(), keys: Vec::new() };
        for key in keys {
            if !written.text.is_empty() {
                written.text.push(',');
            }
            written.keys.push((written.text.len(), key.span));
            written.text.push_str(sources.text(key.span));
        }
        written
    }

    /// The place in the film of a place in the text.
    fn place(&self, span: Span) -> Span {
        let at = |byte: u32| {
            let index = self.keys.partition_point(|(start, _)| *start <= byte as usize).saturating_sub(1);
            let (start, key) = self.keys.get(index).copied().unwrap_or_default();
            (key, key.start.saturating_add(byte.saturating_sub(start as u32)).min(key.end))
        };
        let ((key, start), (_, end)) = (at(span.start), at(span.end));
        Span::new(key.source, start, end.max(start))
    }
}

/// The prompts of a scene as Deforum reads them, when they hold its notations; `None` otherwise.
///
/// # Errors
/// What Deforum refuses, with the place of the prompt.
pub(super) fn prompts(
    film: &Film,
    scene: Option<usize>,
    clock: Clock,
    whole: Clock,
) -> Result<Option<(PromptSeries, Clock)>, Diagnostic> {
    let scene = scene.and_then(|index| film.scenes.get(index));
    let find = |name: &str| {
        let own = scene.and_then(|scene| scene.settings.get(name)).map(|setting| (setting, clock));
        own.or_else(|| film.setting(name).map(|setting| (setting, whole)))
    };
    let keys_of = |name: &str| match find(name) {
        Some((setting, clock)) => match &setting.value {
            SettingValue::Track(keys) => Some((keys, clock)),
            SettingValue::Call(_) => None,
        },
        None => None,
    };
    let Some((keys, clock)) = keys_of("prompt") else { return Ok(None) };
    let mut texts = Vec::with_capacity(keys.len());
    for key in keys {
        let Some(text) = key.value.literal_text() else { return Ok(None) };
        let frame = key.time.as_ref().map_or("0", |time| film.sources.text(time.span));
        texts.push((frame.to_owned(), text.to_owned()));
    }
    if !texts.iter().any(|(_, text)| text.contains('`') || text.contains("--neg")) {
        return Ok(None);
    }
    let negative = keys_of("negative").and_then(|(keys, _)| keys.first()?.value.literal_text()).unwrap_or("");
    let series = PromptSeries::new(&texts, "", negative, PromptMode::Hold, clock.length, clock.seed);
    let place = keys.iter().fold(keys[0].span, |span, key| span.to(key.span));
    let series = series.map_err(|wrong| {
        Diagnostic::error("E82", format!("Deforum cannot read this prompt: {}", wrong.message), place)
            .hint("leave out `--compat deforum`")
    })?;
    Ok(Some((series, clock)))
}
