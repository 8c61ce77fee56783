//! Paints the key pictures of a chain and composes its frames.

use std::collections::BTreeMap;

use super::{Chain, KeyShelf, PlannedKey};
use crate::canvas::Canvas;
use crate::error::{Error, Result};
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::frame_loop::{Planned, Studio, at_frame};
use crate::render::store::Shelf;

/// Paints what is missing of a chain's first `keys.len()` key pictures, from the innermost outwards.
///
/// # Errors
/// [`Error::Interrupted`] when the user asked to stop; else what painting or the disk says.
pub fn paint(
    chain: &Chain,
    keys: &[PlannedKey],
    shelf: &mut KeyShelf<'_>,
    studio: &mut Studio<'_>,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<()> {
    let mut inner: Option<Canvas> = None;
    for (number, PlannedKey { key, planned }) in keys.iter().enumerate() {
        if planned.done {
            inner = None;
            continue;
        }
        if stop.get() != Stop::No {
            return Err(Error::Interrupted);
        }
        let before = match (number.checked_sub(1), inner.take()) {
            (Some(before), None) => Some(shelf.read(chain.scene, before)?),
            (_, inner) => inner,
        };
        let first = if number > 1 { Some(shelf.read(chain.scene, 0)?) } else { before.clone() };
        let around = before.as_ref().zip(chain.inner(number));
        let over = key.over.map(|over| shelf.read(chain.scene, over)).transpose()?;
        let mut watch = |step, steps| {
            progress.step(step, steps);
            stop.get() != Stop::Now
        };
        let made = studio
            .key(key, around, over.as_ref(), first.as_ref(), chain.compose.overlap, &mut watch)
            .map_err(|e| at_frame(key.params.frame, e))?;
        let Some(made) = made else { return Err(Error::Interrupted) };
        shelf.put(chain.scene, number, &made, &planned.text, &planned.expected.params)?;
        progress.frame();
        inner = Some(made);
    }
    Ok(())
}

/// Composes the frames of `plan` that belong to the chain and are not done.
///
/// # Errors
/// [`Error::Interrupted`] when the user asked to stop; else what the disk says.
pub fn compose(
    chain: &Chain,
    plan: &[Planned],
    keys: &KeyShelf<'_>,
    frames: &Shelf,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<()> {
    let mut pictures: BTreeMap<usize, Canvas> = BTreeMap::new();
    for planned in plan.iter().filter(|planned| !planned.done && chain.has(planned.params.frame)) {
        if stop.get() != Stop::No {
            return Err(Error::Interrupted);
        }
        let frame = planned.params.frame;
        let shown = chain.shown(frame);
        // A frame shows two or three, and a film may have thousands.
        pictures.retain(|key, _| shown.iter().any(|(shown, ..)| shown == key));
        for (key, ..) in &shown {
            if !pictures.contains_key(key) {
                pictures.insert(*key, keys.read(chain.scene, *key)?);
            }
        }
        let canvas = chain.composed(frame, |key| pictures.get(&key));
        frames.put(frame, canvas, &planned.text, planned.expected.clone())?;
        progress.frame();
    }
    Ok(())
}
