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
use crate::schedule::film::{Ease, Film, Key, SettingValue};
use crate::schedule::params::{Kind, Param};
use crate::schedule::source::Sources;
use crate::schedule::span::Span;
use crate::schedule::units::Short;

/// How values in Deforum's notation are read (sd-webui-deforum 32242685). The notation is: every value in brackets,
/// times without units, no eases. Everything else is kinora's own and never read otherwise.
///
/// | in the score | Deforum | kinora | says |
/// |---|---|---|---|
/// | a key behind the last frame | drops it | keeps it: the value goes part of the way | W81 |
/// | `10:( 5 )` | takes `5` with blanks for an expression: jumps | a number: ramps | W82 |
/// | `0:(1):(2)`, `0:0: (t)` | ignores what is behind the second colon | the same | W83 |
/// | `0:(2)(3)` | 23 | refuses it | E81 |
/// | `` `t/10` `` and `--neg` in a prompt | computes, every letter t replaced; splits | text | W04 |
/// | `0:(max(t, 3))` | cuts at the comma and dies | a call | – |
/// | `10:(1)` without a key at 0 | dies | the first value holds before it | – |
/// | a comma at the end, `and`, `or`, own functions and names | dies | reads it | – |
/// | NaN at a frame | goes in a straight line over it | the same | – |
/// | `0:(1/0)` | dies | E36 at the frame | – |
///
/// In the lines without a warning every text that Deforum accepts means the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// As the column «kinora» says.
    #[default]
    Native,
    /// As the column «Deforum» says; what kills Deforum is an error (E82). Where the text itself is refused (E81)
    /// it stays refused.
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
    if !is_number || line.is_constant() || !keys.iter().all(|key| is_deforums(key, sources)) {
        return Ok(None);
    }
    let clock = &line.clock;
    let written = Written::new(keys, sources);
    let clip = Clip::new(clock.length, clock.seed, Mode::Compat);
    let values = expand_with(&written.text, Span::default(), &clip, Method::Linear);
    match (values, compat) {
        (Ok(values), Compat::Deforum) => Ok(Some(values.into())),
        (Err(wrong), Compat::Deforum) => {
            let message =
                format!("Deforum cannot read this value of `{}`: {}", line.param.name, wrong.message);
            let mut found = Diagnostic::error("E82", message, written.place(wrong.span));
            found.hints.extend(wrong.hint);
            Err(found.hint("leave out `--compat deforum`, or write it without brackets"))
        }
        // What Deforum refuses nobody can have meant its way.
        (Err(_), Compat::Native) => Ok(None),
        (Ok(values), Compat::Native) => {
            let odd = odd_keys(line.param, keys, sources, clock, warnings);
            if odd.is_empty() {
                return Ok(Some(values.into()));
            }
            warn(line, &values, odd, warnings);
            Ok(None)
        }
    }
}

/// A key whose reading differs on purpose.
enum Odd {
    Behind(Span, f64),
    Blanks(Span),
}

fn odd_keys(
    param: &Param,
    keys: &[Key],
    sources: &Sources,
    clock: &Clock,
    warnings: &mut Vec<Diagnostic>,
) -> Vec<Odd> {
    let mut odd = Vec::new();
    let last = f64::from(clock.length) - 1.0;
    for key in keys {
        let time = key.time.as_ref().and_then(|time| super::line::key_time(time, clock).ok());
        if let Some(time) = time.filter(|time| *time > last) {
            odd.push(Odd::Behind(key.span, time));
            // W81 says the same and more.
            warnings.retain(|found| !(found.code == "W03" && found.span == key.span));
        }
        let inside = value_text(key, sources).and_then(|text| text.strip_prefix('(')?.strip_suffix(')'));
        let blanks = inside.filter(|inside| inside.trim() != *inside && is_plain_number(inside.trim()));
        if blanks.is_some() && keys.len() > 1 && param.keyed {
            odd.push(Odd::Blanks(key.value.span));
        }
    }
    odd
}

/// Warns when the readings really differ at a frame.
fn warn(line: &Line, values: &[f64], odd: Vec<Odd>, warnings: &mut Vec<Diagnostic>) {
    let different = values.iter().enumerate().find_map(|(index, deforums)| {
        let frame = line.clock.start + index as u32;
        let own = line.at(frame).ok()?.0.as_f64()?;
        let far = (own - deforums).abs() > 1e-9 * own.abs().max(1.0);
        far.then_some((frame, own, *deforums))
    });
    let Some((frame, own, deforums)) = different else { return };
    let example =
        format!("at frame {frame} Deforum would have {}, here it is {}", Short(deforums), Short(own));
    for key in odd {
        let found = match key {
            Odd::Behind(span, time) => {
                let message = format!(
                    "Deforum drops this key of `{}`: frame {} is behind the last one, {}",
                    line.param.name,
                    Short(time),
                    line.clock.length - 1
                );
                Diagnostic::warning("W81", message, span).hint("here the value goes part of the way to it")
            }
            Odd::Blanks(span) => {
                let message = format!(
                    "Deforum jumps to this value of `{}`: it takes a number with blanks around it for an expression",
                    line.param.name
                );
                Diagnostic::warning("W82", message, span).hint("here the value ramps; `~cut` jumps")
            }
        };
        warnings.push(found.hint(example.clone()));
    }
}

/// Whether a key is written Deforum's way.
fn is_deforums(key: &Key, sources: &Sources) -> bool {
    let plain_time = key.time.as_ref().is_some_and(|time| !has_unit(time));
    let value = value_text(key, sources);
    plain_time
        && key.ease == Ease::Linear
        && value.is_some_and(|text| text.starts_with('(') && text.ends_with(')'))
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
