//! The loop: each frame is the frame before it, moved, held to the scene's colours, roughened and
//! painted over.
//!
//! Order of the steps as in Deforum (sd-webui-deforum 32242685, `render.py`): depth, warp, colour match,
//! contrast, sharpen, noise, condition, img2img, colour match; last of all drift is pulled back. Deliberate differences: contrast clamps
//! where the peer wraps, and the colours of a scene that begins with a picture are held to its first
//! painted frame, not to the second one's warp.

mod ahead;
mod continued;
mod course;
mod guide;
mod hints;
mod hybrid;
mod keys;
mod masks;
mod relief;
mod rigid;
mod state;
mod studio;
mod underneath;

use std::time::Instant;

use crate::error::{Error, Result};
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::journal::Expected;
use crate::render::store::{Shelf, Store};
use crate::timeline::frame::{FrameParams, FrameSource};
pub use ahead::{painted_size, rebuilding};
pub use course::{Course, FIRST, RECENT};
pub use hints::waits;
pub use relief::stores_depth;
pub use state::LoopState;
pub use studio::{Rules, StageTimes, Studio};

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
    let mut state: Option<LoopState> = None;
    let mut last = None;
    let mut scene_start = 0;
    let mut said = [false; 4];
    for planned in plan {
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
            None => resumed(params, scene_start, store)?,
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

/// The state in front of a frame, out of the store.
fn resumed(params: &FrameParams, scene_start: u32, store: &Store) -> Result<LoopState> {
    if independent(params) {
        return Ok(LoopState::default());
    }
    if params.cut {
        return Ok(LoopState::of_scene_before(store.read(params.frame - 1)?));
    }
    let mut state = LoopState::new(store.read(params.frame - 1)?, store.read(scene_start)?);
    state.course = Course::read(store, scene_start, params.frame)?;
    state.wide = store.read_wide(params.frame - 1)?;
    state.depth = store.read_depth(params.frame - 1)?;
    Ok(state)
}

/// Errors of the model say at which frame they happened; errors that name a file are clear already.
pub(super) fn at_frame(frame: u32, error: Error) -> Error {
    match error {
        Error::Render { message, hint, .. } => Error::Render { frame, message, hint },
        other => other,
    }
}
