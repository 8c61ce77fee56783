//! Interpolation mode: prompts that pass into each other, as keys with an ease.

use super::prompts::{around, with_holes};
use super::{Deforum, one};
use crate::import::deforum::spelled_out;
use crate::import::fade::{self, FadeKey, Mix};
use crate::import::print::{escaped, in_one_line};
use crate::import::score::{Group, Value};
use crate::timeline::deforum::prompts::{FramePrompt, PromptMode, frame_of};

/// Weights are computed in another order: their last digits differ.
const LIMIT: f64 = 1e-9;

/// Writes `prompt` and `negative`, which Deforum expands to `wanted`.
pub(super) fn write(deforum: &mut Deforum<'_>, wanted: &[FramePrompt], group: &mut Group) {
    let keys = keys(deforum);
    let mut is_faded = false;
    for (index, name) in ["prompt", "negative"].into_iter().enumerate() {
        let texts: Vec<&str> = wanted
            .iter()
            .map(|frame| if index == 0 { frame.positive.trim() } else { frame.negative.trim() })
            .collect();
        if index == 1 && texts.iter().all(|text| text.is_empty()) {
            continue;
        }
        let mixes: Vec<Mix> = texts.iter().map(|text| fade::deforum(text)).collect();
        let value = best(deforum, name, &side(&keys, index), &mixes, &texts);
        is_faded |= fade::is_faded(&value);
        group.set(name, value);
        deforum.report.carry("prompts", name);
    }
    if is_faded {
        group.noted("prompt.blend", one("composed"), "Interpolation mode: the web UI's AND, with weights");
    }
}

/// The keys with the film's holes, or with the text as it is, whichever says more of what is wanted.
fn best(
    deforum: &mut Deforum<'_>,
    name: &str,
    keys: &[Vec<FadeKey>; 2],
    mixes: &[Mix],
    texts: &[&str],
) -> Value {
    let tried = keys.iter().map(|keys| {
        let value = fade::value(keys);
        let found = fade::difference(&deforum.bench, &[], &value, mixes, LIMIT);
        (found.map_or(Some(0), |first| first.or(Some(usize::MAX))), found.is_ok(), value)
    });
    let best = tried.filter(|(_, is_read, _)| *is_read).max_by_key(|(first, ..)| *first);
    match best {
        Some((Some(usize::MAX), _, value)) => value,
        Some((first, _, value)) => {
            let frame = first.unwrap_or(0);
            let theirs = in_one_line(texts.get(frame).copied().unwrap_or_default(), 72);
            let why = format!(
                "`{name}` passes from key to key, but not just as in Deforum, where it is `{theirs}` at frame {frame}"
            );
            deforum.report.change("prompts", "", why);
            value
        }
        None => {
            let why = "each prompt stays until the next: the film cannot have keys at these frames";
            deforum.report.change("prompts", "", why);
            spelled_out(texts)
        }
    }
}

/// A key prompt: its frame, and both sides with holes and without.
struct Key {
    frame: i64,
    sides: [[String; 2]; 2],
}

fn keys(deforum: &Deforum<'_>) -> Vec<Key> {
    let settings = deforum.settings;
    let end = i64::from(deforum.bench.frames);
    let mut keys: Vec<Key> = Vec::new();
    for (time, text) in settings.prompts.iter().flatten() {
        let Ok(frame) = frame_of(time, PromptMode::Blend, deforum.bench.frames) else { continue };
        let full = around(text, &settings.positive, &settings.negative);
        let mut parts = full.split("--neg").map(str::trim);
        let mut next = || {
            let text = parts.next().unwrap_or_default();
            let plain = escaped(text);
            [with_holes(text).unwrap_or_else(|| plain.clone()), plain]
        };
        let sides = [next(), next()];
        keys.retain(|key| key.frame != frame);
        keys.push(Key { frame, sides });
    }
    keys.sort_by_key(|key| key.frame);
    // One key beyond the end is on the way there; more are never seen.
    let inside = keys.iter().take_while(|key| key.frame < end).count();
    keys.truncate(inside + 1);
    keys.retain(|key| key.frame >= 0);
    keys
}

/// The keys of one side, with holes and without.
fn side(keys: &[Key], index: usize) -> [Vec<FadeKey>; 2] {
    [0, 1].map(|form| {
        let key = |key: &Key| FadeKey {
            time: key.frame.to_string(),
            text: format!("\"{}\"", key.sides[index][form]),
            fades: true,
        };
        keys.iter().map(key).collect()
    })
}
