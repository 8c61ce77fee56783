//! One frame: what is underneath, what controls are shown, and what is painted over it.

use std::time::{Duration, Instant};

use super::ahead::{self, Ahead};
use super::between::Gap;
use super::hints::Found;
use super::independent;
use super::redo::Sitting;
use super::state::LoopState;
use super::underneath::Underneath;
use crate::camera::Manner;
use crate::canvas::{Canvas, Size};
use crate::colour::{self, ChannelOrder, Measures, Overflow, Pull};
use crate::error::Result;
use crate::noise::Outside;
use crate::render::made::Made;
use crate::render::seams::{PaintAnew, PaintOnly, Painter, Sources};
use crate::timeline::frame::{ColourReference, FrameParams, FrameSource, MaskParams};

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

/// Which picture the first colour reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The scene's first painted frame.
    FirstPainted,
    /// Deforum's: that frame too when it comes from text, else the first moved picture that is to be matched.
    FirstNeeded,
}

/// How far the flow between painted frames carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CadenceFlow {
    /// As far as it leads.
    Absolute,
    /// Deforum's: scaled to one pixel at every frame, which its round trip round the camera's warp comes down to.
    Renormalised,
}

/// Where the loop can do as Deforum does although that is a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Order of the channels that HSV and LAB matching believes in.
    pub order: ChannelOrder,
    /// What becomes of values that contrast drives beyond 255.
    pub overflow: Overflow,
    /// How the previous frame is moved.
    pub manner: Manner,
    /// What stands where the noise mask is off.
    pub noise_outside: Outside,
    /// Whether frames are measured: what is never painted has no drift.
    pub measured: bool,
    /// Which picture colours are held to first.
    pub reference: Reference,
    /// How far the flow between painted frames carries.
    pub cadence_flow: CadenceFlow,
}

impl Rules {
    /// Right colours, clamped highlights.
    pub const NATIVE: Self = Self {
        order: ChannelOrder::Rgb,
        overflow: Overflow::Clamp,
        manner: Manner::Native,
        noise_outside: Outside::Untouched,
        measured: true,
        reference: Reference::FirstPainted,
        cadence_flow: CadenceFlow::Absolute,
    };
    /// As sd-webui-deforum 32242685.
    pub const DEFORUM: Self = Self {
        order: ChannelOrder::Bgr,
        overflow: Overflow::Wrap,
        manner: Manner::Deforum,
        noise_outside: Outside::Grey,
        measured: false,
        reference: Reference::FirstNeeded,
        cadence_flow: CadenceFlow::Renormalised,
    };
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
pub(super) fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *total += start.elapsed();
    result
}

/// Pictures of the frame's size go on to the edges of what is painted; a reference is looked at as it is.
fn around(hints: &mut [Option<Canvas>], ahead: &Ahead, frame: Size) {
    for hint in hints.iter_mut().flatten().filter(|hint| hint.size() == frame) {
        *hint = ahead.around(hint);
    }
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
    ) -> Result<Option<Made>> {
        if params.cut {
            let last = state.previous.take().filter(|_| params.source == FrameSource::SceneBefore);
            *state = last.map_or_else(LoopState::default, LoopState::of_scene_before);
        }
        if !params.cadence.is_painted() {
            return self.between(params, state).map(Some);
        }
        let before = if params.cadence.length > 1 { state.previous.clone() } else { None };
        let Underneath { init, depth, seen, behind, uncovered, ahead, held, is_moved } =
            self.underneath(params, state)?;
        let found = Found { depth: depth.as_ref(), seen: seen.as_ref(), first: state.anchor.as_ref() };
        let mut hints = self.hints(params, &found)?;
        if let Some(ahead) = &ahead {
            around(&mut hints, ahead, self.size);
        }
        let (init, guide) = self.guided(params, init, ahead.as_ref())?;
        let mask = if init.is_some() { self.mask(params)? } else { None };
        let wide_mask = mask.as_ref().zip(ahead.as_ref()).map(|(mask, ahead)| ahead.around(mask));
        let only =
            |set: &MaskParams, mask| PaintOnly { mask, fill: set.fill, blur: set.blur, region: set.region };
        let only =
            params.mask.as_ref().zip(wide_mask.as_ref().or(mask.as_ref())).map(|(set, mask)| only(set, mask));
        let anew = uncovered.as_ref().zip(params.fill).map(|(uncovered, fill)| PaintAnew {
            uncovered,
            strength: fill.strength,
            feather: ahead.as_ref().map_or(fill.feather, |ahead| ahead.feather),
            seed: ahead::seed(params, ahead.is_some()),
        });
        let size = ahead.as_ref().map_or(self.size, |ahead| ahead.part.size);
        let sitting = Sitting { size, hints: &hints, only, anew, held: held.as_ref() };
        let over = is_moved && params.sampling.strength > 0.0;
        let init = match init {
            Some(init) if params.cadence.paintings(over) > 1 => {
                let Some(init) = self.redone(params, init, &sitting, watch)? else { return Ok(None) };
                Some(init)
            }
            init => init,
        };
        let Some(painted) = self.paint(params, init.as_ref(), &sitting, watch)? else { return Ok(None) };
        self.times.frames += 1;
        let painted = self.guided_colours(painted, guide.as_ref());
        let painted = match &ahead {
            Some(ahead) if ahead.is_known() => painted,
            Some(ahead) => {
                let held = self.held(params, painted.clone(), behind.as_ref(), Some(ahead), state)?;
                timed(&mut self.times.colour, || ahead.held(&painted, held))
            }
            None => self.held(params, painted, behind.as_ref(), None, state)?,
        };
        let (painted, wide) = match ahead {
            Some(ahead) => {
                let (shown, wide) = ahead.finish(&painted);
                (shown, Some(wide))
            }
            None => (painted, None),
        };
        let painted = self.overlaid(params, painted, mask.as_ref())?;
        self.refer(params, &painted, init.is_some(), state);
        state.previous = Some(painted.clone());
        state.wide = wide.clone();
        let depth = self.settle(params, &painted, state)?;
        if params.cadence.length == 1 {
            let measures = self.measured(&painted, state);
            return Ok(Some(Made { depth, measures, wide, ..Made::from(painted) }));
        }
        state.previous.clone_from(&before);
        state.gap = Some(Gap::new(before, painted.clone()));
        self.advance(params, state)?;
        let canvas = state.previous.clone().unwrap_or_else(|| painted.clone());
        let measures = self.measured(&canvas, state);
        let painted = Some(painted).filter(|painted| *painted != canvas);
        Ok(Some(Made { canvas, measures, depth, painted, wide }))
    }

    /// What the model painted, with the video and the colours that the scene is held to.
    fn held(
        &mut self,
        params: &FrameParams,
        painted: Canvas,
        behind: Option<&Canvas>,
        ahead: Option<&Ahead>,
        state: &mut LoopState,
    ) -> Result<Canvas> {
        let painted = self.hybrid_after(params, painted, behind)?;
        let is_free = independent(params) && params.hold.reference == ColourReference::First;
        let is_held = !is_free && (!params.tone.legacy_match || independent(params));
        let painted = if is_held { self.matched(params, painted, ahead, state)? } else { painted };
        let painted = self.pulled_back(params, painted, ahead, state);
        Ok(if params.tone.grayscale { colour::grey(&painted) } else { painted })
    }

    /// What a frame measures as it is seen.
    pub(super) fn measured(&self, shown: &Canvas, state: &mut LoopState) -> Option<Measures> {
        let measures = self.rules.measured.then(|| Measures::of(shown));
        measures.into_iter().for_each(|measures| state.course.saw(measures));
        measures
    }

    /// Remembers a painted picture when it is the one that colours are held to.
    fn refer(&self, params: &FrameParams, painted: &Canvas, over: bool, state: &mut LoopState) {
        let is_reference = match (self.rules.reference, params.tone.legacy_match) {
            (Reference::FirstPainted, _) => state.anchor.is_none(),
            (Reference::FirstNeeded, false) => !over,
            (Reference::FirstNeeded, true) => params.tone.renews_reference,
        };
        if is_reference {
            state.hold_to(painted.clone());
        }
    }

    /// The painted picture with its measures pulled back to those of the scene's first frames. What a mask keeps is left
    /// as it is, and so are frames that do not come from the one before.
    fn pulled_back(
        &mut self,
        params: &FrameParams,
        painted: Canvas,
        ahead: Option<&Ahead>,
        state: &LoopState,
    ) -> Canvas {
        if independent(params) || params.mask.is_some() || params.hold.drift.correct <= 0.0 {
            return painted;
        }
        timed(&mut self.times.colour, || {
            let measures = match ahead {
                Some(ahead) => Measures::of(&ahead.judged(&painted)),
                None => Measures::of(&painted),
            };
            let pull = state.course.pull(&measures, &params.hold.drift);
            if pull == Pull::NONE { painted } else { pull.applied(&painted) }
        })
    }
}
