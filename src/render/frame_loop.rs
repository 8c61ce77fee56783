//! The loop: each frame is the frame before it, moved, held to the scene's colours, roughened and
//! painted over.
//!
//! Order of the steps as in Deforum (sd-webui-deforum 32242685, `render.py`): depth, warp, colour match,
//! contrast, sharpen, noise, condition, img2img, colour match. Deliberate differences: contrast clamps
//! where the peer wraps, and the colours of a scene that begins with a picture are held to its first
//! painted frame, not to the second one's warp.

use std::time::{Duration, Instant};

use crate::camera;
use crate::canvas::{Canvas, DepthMap, Size};
use crate::colour::{self, Anchor, ChannelOrder, Overflow};
use crate::edges;
use crate::error::{Error, Result};
use crate::noise;
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::journal::Expected;
use crate::render::seams::{PaintRequest, Painter, Sources};
use crate::render::store::{Shelf, Store};
use crate::timeline::frame::{
    Camera, Coherence, ControlInput, ControlParams, DepthSource, Fit, FrameParams, FrameSource,
};

/// Time spent in each stage of the loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes {
    /// Frames painted.
    pub frames: u32,
    /// Seeing depth.
    pub depth: Duration,
    /// Moving the picture.
    pub warp: Duration,
    /// Colour match, contrast and sharpening.
    pub colour: Duration,
    /// Adding noise.
    pub noise: Duration,
    /// The diffusion model.
    pub paint: Duration,
    /// Waiting for the disk.
    pub store: Duration,
}

/// What the loop carries from frame to frame. All of it can be had from the store again, so a
/// resumed run goes on as if it had never stopped.
#[derive(Clone, Debug, Default)]
pub struct LoopState {
    /// The previous frame's picture.
    pub previous: Option<Canvas>,
    /// The picture whose colours the scene is held to: its first painted frame.
    pub anchor: Option<Canvas>,
    /// What matching needs of the anchor, and in which colour space. Derived from `anchor`.
    quantiles: Option<(Coherence, Anchor)>,
}

impl LoopState {
    /// The state behind a frame `previous` of a scene whose first frame is `anchor`.
    pub fn new(previous: Canvas, anchor: Canvas) -> Self {
        Self { previous: Some(previous), anchor: Some(anchor), quantiles: None }
    }

    /// The anchor's colours in a colour space; `None` when there is nothing to hold to.
    fn quantiles(&mut self, coherence: Coherence, order: ChannelOrder) -> Option<&Anchor> {
        let anchor = self.anchor.as_ref().filter(|_| coherence != Coherence::None)?;
        if self.quantiles.as_ref().is_none_or(|(of, _)| *of != coherence) {
            self.quantiles = Some((coherence, Anchor::new(anchor, coherence, order)));
        }
        self.quantiles.as_ref().map(|(_, anchor)| anchor)
    }
}

/// Where the loop can do as Deforum does although that is a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Order of the channels that HSV and LAB matching believes in.
    pub order: ChannelOrder,
    /// What becomes of values that contrast drives beyond 255.
    pub overflow: Overflow,
}

impl Rules {
    /// Right colours, clamped highlights.
    pub const NATIVE: Self = Self { order: ChannelOrder::Rgb, overflow: Overflow::Clamp };
    /// As sd-webui-deforum 32242685.
    pub const DEFORUM: Self = Self { order: ChannelOrder::Bgr, overflow: Overflow::Wrap };
}

/// What a frame needs beside its numbers.
pub struct Studio<'a> {
    /// Paints.
    pub painter: &'a mut dyn Painter,
    /// Pictures and depth.
    pub sources: &'a mut dyn Sources,
    /// Size of the film.
    pub size: Size,
    /// Whose rules count.
    pub rules: Rules,
    /// What it took.
    pub times: StageTimes,
}

/// Times `work` into `total`.
fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}

impl Studio<'_> {
    /// Makes one frame and advances `state`. `None` when `watch` asked to give up.
    ///
    /// # Errors
    /// Whatever painter, depth or files refuse.
    pub fn frame(
        &mut self,
        params: &FrameParams,
        state: &mut LoopState,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        if params.cut {
            *state = LoopState::default();
        }
        let Underneath { init, depth, seen } = self.underneath(params, state)?;
        let found = Found { depth: depth.as_ref(), seen: seen.as_ref(), first: state.anchor.as_ref() };
        let hints = self.hints(params, &found)?;
        let request = PaintRequest { params, size: self.size, init: init.as_ref(), hints };
        let painter = &mut *self.painter;
        let Some(painted) = timed(&mut self.times.paint, || painter.paint(&request, watch))? else {
            return Ok(None);
        };
        self.times.frames += 1;
        let painted = if independent(params) { painted } else { self.matched(params, painted, state) };
        if state.anchor.is_none() {
            state.anchor = Some(painted.clone());
        }
        state.previous = Some(painted.clone());
        Ok(Some(painted))
    }

    /// The picture that is painted over, and what controls may be shown of it.
    fn underneath(&mut self, params: &FrameParams, state: &mut LoopState) -> Result<Underneath> {
        let hinted = wants_depth_hint(params);
        let given = match (&params.source, &state.previous) {
            (FrameSource::Still(path), _) | (FrameSource::Init(path), None) => Some(path),
            _ => None,
        };
        if let Some(path) = given {
            let picture = self.sources.picture(path, self.size, Fit::Crop)?;
            let depth = if hinted { Some(self.depth(params, &picture)?) } else { None };
            let depth = depth.map(|depth| self.sources.hint(&depth));
            let seen = wants_edges(params).then(|| picture.clone());
            return Ok(Underneath { init: Some(picture), depth, seen });
        }
        if let Some(previous) = state.previous.take() {
            return self.moved(params, &previous, state);
        }
        // Nothing is there yet: only a reference picture knows the depth of what will be painted.
        let known = !matches!(params.depth, DepthSource::Network(_));
        let blank = Canvas::filled(self.size, [0; 3]);
        let depth = if known && hinted { Some(self.depth(params, &blank)?) } else { None };
        Ok(Underneath { init: None, depth: depth.map(|depth| self.sources.hint(&depth)), seen: None })
    }

    /// The previous frame, moved and prepared, and its depth moved with it.
    fn moved(
        &mut self,
        params: &FrameParams,
        previous: &Canvas,
        state: &mut LoopState,
    ) -> Result<Underneath> {
        let hinted = wants_depth_hint(params);
        let deep = matches!(params.camera, Camera::Deep(_)) && params.depth != DepthSource::Flat;
        let depth = if deep || hinted { Some(self.depth(params, previous)?) } else { None };
        let relief = depth.as_ref().filter(|_| deep);
        let warp = |picture: &Canvas| camera::warp(picture, &params.camera, params.border, relief).canvas;
        let warped = timed(&mut self.times.warp, || warp(previous));
        let hint = depth.as_ref().filter(|_| hinted).map(|depth| self.sources.hint(depth));
        // A reference picture is the depth of every frame; an estimate belongs to the picture it was
        // made of, and moves with it.
        let hint = match (&params.depth, hint) {
            (DepthSource::Network(_), Some(hint)) => Some(timed(&mut self.times.warp, || warp(&hint))),
            (_, hint) => hint,
        };
        // Noise has edges of its own: they are looked for before it is added.
        let seen = wants_edges(params).then(|| warped.clone());
        Ok(Underneath { init: Some(self.prepared(params, warped, state)), depth: hint, seen })
    }

    /// Colour, contrast, sharpness and noise of a moved picture.
    fn prepared(&mut self, params: &FrameParams, picture: Canvas, state: &mut LoopState) -> Canvas {
        let mut picture = self.matched(params, picture, state);
        let overflow = self.rules.overflow;
        let look = &params.colour;
        timed(&mut self.times.colour, || {
            if look.contrast != 1.0 {
                picture = colour::contrast(&picture, look.contrast, overflow);
            }
            if look.sharpen.amount > 0.0 {
                picture = colour::sharpen(&picture, &look.sharpen, None);
            }
        });
        let seed = params.sampling.seed.cast_unsigned();
        timed(&mut self.times.noise, || noise::add(&picture, &params.noise, seed))
    }

    /// The picture with the colours of the scene's anchor.
    fn matched(&mut self, params: &FrameParams, picture: Canvas, state: &mut LoopState) -> Canvas {
        let order = self.rules.order;
        timed(&mut self.times.colour, || match state.quantiles(params.colour.coherence, order) {
            Some(anchor) => anchor.matched(&picture),
            None => picture,
        })
    }

    fn depth(&mut self, params: &FrameParams, picture: &Canvas) -> Result<DepthMap> {
        let sources = &mut *self.sources;
        timed(&mut self.times.depth, || sources.depth(&params.depth, picture))
    }

    /// What each control is shown.
    fn hints(&mut self, params: &FrameParams, found: &Found<'_>) -> Result<Vec<Option<Canvas>>> {
        let mut hints = Vec::with_capacity(params.controls.len());
        for control in &params.controls {
            let hint = self.hint(control, found)?;
            if hint.is_none() && !waits(params, control) {
                return Err(Error::Bug(format!("control `{}` has nothing to show", control.name)));
            }
            hints.push(hint);
        }
        Ok(hints)
    }

    /// What one control is shown.
    fn hint(&mut self, control: &ControlParams, found: &Found<'_>) -> Result<Option<Canvas>> {
        let (sources, size, fit) = (&mut *self.sources, self.size, control.fit);
        let hint = match &control.input {
            ControlInput::Depth => found.depth.cloned(),
            ControlInput::Picture(path) => Some(sources.picture(path, size, fit)?),
            ControlInput::Canny { image: Some(path), low, high } => {
                Some(sources.edges(path, size, fit, (*low, *high))?)
            }
            ControlInput::Canny { image: None, low, high } => {
                found.seen.map(|picture| edges::canny(picture, *low, *high))
            }
            ControlInput::Reference { image: Some(path), .. } => Some(sources.picture(path, size, fit)?),
            ControlInput::Reference { image: None, .. } => found.first.cloned(),
        };
        Ok(if control.invert { hint.map(Canvas::negative) } else { hint })
    }
}

/// The picture that is painted over, and what controls may be shown of it.
struct Underneath {
    init: Option<Canvas>,
    /// Its depth as a picture.
    depth: Option<Canvas>,
    /// As it was before noise was added, where edges are looked for.
    seen: Option<Canvas>,
}

/// What there is to be shown at a frame.
struct Found<'a> {
    depth: Option<&'a Canvas>,
    seen: Option<&'a Canvas>,
    /// The scene's first frame.
    first: Option<&'a Canvas>,
}

/// Whether a control is shown the edges of the picture underneath.
fn wants_edges(params: &FrameParams) -> bool {
    params.controls.iter().any(|control| matches!(control.input, ControlInput::Canny { image: None, .. }))
}

/// Whether a control is shown the frame's depth.
fn wants_depth_hint(params: &FrameParams) -> bool {
    params.controls.iter().any(|control| control.input == ControlInput::Depth)
}

/// Whether a control has nothing to show at this frame, which can only be a scene's first one: in what comes from
/// text alone no depth and no edges are seen yet, and a first frame cannot look at itself.
pub fn waits(params: &FrameParams, control: &ControlParams) -> bool {
    let from_text = params.source == FrameSource::Previous;
    params.cut
        && match &control.input {
            ControlInput::Depth => from_text && matches!(params.depth, DepthSource::Network(_)),
            ControlInput::Canny { image: None, .. } => from_text,
            ControlInput::Reference { image: None, .. } => true,
            _ => false,
        }
}

/// Whether the frame can be made without the frame before it.
pub fn independent(params: &FrameParams) -> bool {
    params.cut || matches!(params.source, FrameSource::Still(_))
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
    let mut scene_start = 0;
    for planned in plan {
        let params = &planned.params;
        if params.cut {
            scene_start = params.frame;
        }
        if planned.done {
            state = None;
            continue;
        }
        if stop.get() != Stop::No {
            return Err(Error::Interrupted);
        }
        let mut current = match state.take() {
            Some(state) => state,
            None => resumed(params, scene_start, store)?,
        };
        let mut watch = |step, steps| {
            progress.step(step, steps);
            stop.get() != Stop::Now
        };
        let made = studio.frame(params, &mut current, &mut watch).map_err(|e| at_frame(params.frame, e))?;
        let Some(canvas) = made else { return Err(Error::Interrupted) };
        let waiting = Instant::now();
        shelf.put(params.frame, canvas, &planned.text, planned.expected.clone())?;
        studio.times.store += waiting.elapsed();
        progress.frame();
        state = Some(current);
    }
    Ok(())
}

/// The state in front of a frame, out of the store.
fn resumed(params: &FrameParams, scene_start: u32, store: &Store) -> Result<LoopState> {
    if independent(params) {
        return Ok(LoopState::default());
    }
    Ok(LoopState::new(store.read(params.frame - 1)?, store.read(scene_start)?))
}

/// Errors of the model say at which frame they happened; errors that name a file are clear already.
fn at_frame(frame: u32, error: Error) -> Error {
    match error {
        Error::Render { message, hint, .. } => Error::Render { frame, message, hint },
        other => other,
    }
}
