//! The loop: each frame is the frame before it, moved, held to the scene's colours, roughened and
//! painted over.
//!
//! Order of the steps as in Deforum (sd-webui-deforum 32242685, `render.py`): depth, warp, hybrid video, colour match,
//! contrast, sharpen, noise, condition, guide, redo and img2img, the guide's colours, hybrid video after painting,
//! colour match; then what the peer has not, drift is pulled back; last the mask's overlay. Deliberate differences:
//! contrast clamps where the peer wraps, and the colours of a scene that begins with a picture are held to its first
//! painted frame, not to the second one's warp.

mod ahead;
mod between;
mod closing;
mod continued;
mod course;
mod guide;
mod hints;
mod hybrid;
mod joined;
mod keys;
mod masks;
mod motion;
mod redo;
mod relief;
mod rigid;
mod state;
mod studio;
mod underneath;

use std::time::Instant;

use between::Gap;

use crate::canvas::Canvas;
use crate::error::{Error, Result};
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::beside::Beside;
use crate::render::journal::Expected;
use crate::render::store::{Shelf, Store};
use crate::timeline::frame::{FrameParams, FrameSource};
pub use ahead::{painted_size, rebuilding};
pub use course::{Course, FIRST, RECENT};
pub use hints::waits;
pub use relief::{distances, is_deep, stores_depth};
pub use state::LoopState;
pub use studio::{CadenceFlow, Reference, Rules, StageTimes, Studio};

/// Whether the frame can be made without the frame before it.
pub fn independent(params: &FrameParams) -> bool {
    (params.cut && params.source != FrameSource::SceneBefore)
        || params.source.is_independent()
        || params.making.compose.is_some()
}

/// Whether the picture jumps at this frame: a scene begins that does not start from the one before.
pub fn jumps(params: &FrameParams) -> bool {
    params.cut && params.source != FrameSource::SceneBefore
}

/// One frame of a run: its numbers, what its journal entry must say, and whether it is there already.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The frame's numbers.
    pub params: FrameParams,
    /// What its journal entry must say.
    pub expected: Expected,
    /// What its file says about its making; nothing when empty.
    pub text: String,
    /// It is in the store and right.
    pub done: bool,
}

/// Makes every frame of `plan` that is not done, in order, and puts it on the shelf.
///
/// # Errors
/// [`Error::Interrupted`] when the user asked to stop; whatever a frame's making says otherwise, with
/// the frame's number.
pub fn run(
    plan: &[Planned],
    store: &Store,
    shelf: &Shelf,
    studio: &mut Studio<'_>,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<()> {
    // Frames that are there already are all that is resumed from: what this run adds to the journal is not asked for.
    let beside = store.beside()?;
    let mut state: Option<LoopState> = None;
    let mut last = None;
    let mut scene_start = 0;
    let mut said = [false; 4];
    for (at, planned) in plan.iter().enumerate() {
        let params = &planned.params;
        if params.cut {
            scene_start = params.frame;
            said = [false; 4];
        }
        if planned.done {
            state = None;
            continue;
        }
        if stop.get() != Stop::No {
            return Err(Error::Interrupted);
        }
        // Composed frames lie between: they are stored, but not made here.
        let follows = last == params.frame.checked_sub(1);
        let mut current = match state.take().filter(|_| follows) {
            Some(state) => state,
            None => resumed(&plan[..=at], scene_start, (store, &beside), studio)?,
        };
        if !independent(params) {
            current.course.check(params.frame, &params.hold.drift)?;
        }
        let mut watch = |step, steps| {
            progress.step(step, steps);
            stop.get() != Stop::Now
        };
        let made = studio.frame(params, &mut current, &mut watch).map_err(|e| at_frame(params.frame, e))?;
        let Some(made) = made else { return Err(Error::Interrupted) };
        let waiting = Instant::now();
        shelf.put(params.frame, made, &planned.text, planned.expected.clone())?;
        studio.times.store += waiting.elapsed();
        progress.frame();
        if !independent(params) {
            let warnings = current.course.warnings(params.frame, &params.hold.drift, &mut said);
            warnings.iter().for_each(|line| progress.note(line));
            progress.status(&current.course.status());
        }
        last = Some(params.frame);
        state = Some(current);
    }
    Ok(())
}

/// The state in front of the last frame of `plan`, out of the store.
fn resumed(
    plan: &[Planned],
    scene_start: u32,
    (store, beside): (&Store, &Beside<'_>),
    studio: &mut Studio<'_>,
) -> Result<LoopState> {
    let Some((params, before)) = plan.split_last().map(|(last, before)| (&last.params, before)) else {
        return Ok(LoopState::default());
    };
    if independent(params) {
        return Ok(LoopState::default());
    }
    if params.cut {
        return Ok(LoopState::of_scene_before(store.read(params.frame - 1)?));
    }
    let anchor = beside.painted(scene_start)?;
    if params.cadence.step > 0 {
        let gap = &before[before.len().saturating_sub(params.cadence.step as usize)..];
        return between_frames(gap, anchor, scene_start, (store, beside), studio);
    }
    let mut state = LoopState::new(store.read(params.frame - 1)?, anchor);
    state.course = Course::read(store, scene_start, params.frame)?;
    state.wide = beside.wide(params.frame - 1)?;
    state.depth = beside.depth(params.frame - 1)?;
    Ok(state)
}

/// The state behind the frames `gap`, the first of which was painted: its two pictures are moved once more as they were
/// moved before.
fn between_frames(
    gap: &[Planned],
    anchor: Canvas,
    scene_start: u32,
    (store, beside): (&Store, &Beside<'_>),
    studio: &mut Studio<'_>,
) -> Result<LoopState> {
    let mut state = LoopState::default();
    state.anchor = Some(anchor);
    let Some(first) = gap.first().map(|planned| &planned.params) else { return Ok(state) };
    let alone = independent(first);
    let before = if alone { None } else { Some(store.read(first.frame - 1)?) };
    state.previous = before.clone();
    state.gap = Some(Gap::new(before, beside.painted(first.frame)?));
    state.depth = beside.depth(first.frame)?;
    for planned in gap {
        studio.advance(&planned.params, &mut state)?;
    }
    state.course = Course::read(store, scene_start, first.frame + gap.len() as u32)?;
    Ok(state)
}

/// Errors of the model say at which frame they happened; errors that name a file are clear already.
pub(super) fn at_frame(frame: u32, error: Error) -> Error {
    match error {
        Error::Render { message, hint, .. } => Error::Render { frame, message, hint },
        other => other,
    }
}
