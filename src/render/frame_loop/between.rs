//! What is shown from one painted frame to the next: the picture before and the new one, both moved on by the camera,
//! the one fading into the other.
//!
//! As in Deforum (sd-webui-deforum 32242685) a frame that is painted is shown as the first step of that fade, and the
//! last frame before the next painted one is the new picture alone: it is what is painted over next. Both pictures
//! move over the new one's depth. Frame by frame, where the peer works backwards from the next painted frame, so that
//! the last one of a film is seen too.
//!
//! Along a flow F from the old picture to the new one, both as the camera moved them, the old one is shown moved by tF
//! and the new one by -(1 - t)F at share t: what moved is seen once on its way. The peer moves both by a growing sum
//! of parts of a flow that it scales to one pixel; [`CadenceFlow::Renormalised`] does as it does.

use super::motion::{flow_border, motion};
use super::relief::is_deep;
use super::state::LoopState;
use super::studio::{CadenceFlow, Studio, timed};
use crate::camera::{
    self, Relief,
    flow::{Flow, apply},
};
use crate::canvas::Canvas;
use crate::colour;
use crate::error::{Error, Result};
use crate::render::made::Made;
use crate::timeline::frame::{Camera, FrameParams};

/// Two pictures and what moves the one into the other, at the frame that was made last.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    /// The picture before; a scene's first has none.
    before: Option<Canvas>,
    /// The picture that was painted last.
    next: Canvas,
    flow: Option<Flow>,
}

impl Gap {
    /// In front of the frame at which `next` was painted.
    pub(super) fn new(before: Option<Canvas>, next: Canvas) -> Self {
        Self { before, next, flow: None }
    }
}

impl Studio<'_> {
    /// A frame that is not painted.
    pub(super) fn between(&mut self, params: &FrameParams, state: &mut LoopState) -> Result<Made> {
        let depth = self.advance(params, state)?;
        let shown = state.previous.clone().ok_or_else(|| lost(params))?;
        let measures = self.measured(&shown, state);
        Ok(Made { depth, measures, ..Made::from(shown) })
    }

    /// Moves the gap on to this frame; what it shows becomes the previous picture. Gives the new picture's depth,
    /// when it is to be stored.
    pub(super) fn advance(
        &mut self,
        params: &FrameParams,
        state: &mut LoopState,
    ) -> Result<Option<crate::canvas::DepthMap>> {
        let mut gap = state.gap.take().ok_or_else(|| lost(params))?;
        let begins = params.cadence.is_painted();
        let generated = state.previous.take();
        let peer = self.rules.cadence_flow == CadenceFlow::Renormalised;
        let wanted = params.cadence.flow.filter(|_| begins);
        if let (true, Some(method), Some(before)) = (peer, wanted, &gap.before)
            && params.sampling.strength > 0.0
        {
            let half = timed(&mut self.times.warp, || motion(before, &gap.next, method)).scaled([0.5, 0.5]);
            gap.next = self.along(&gap.next, &half, -1.0);
            gap.flow = Some(half);
        }
        let deep = is_deep(params);
        // What is painted over the scene before was painted over its last frame as it stood.
        let old_moves = gap.before.is_some() && !params.cut;
        let depth = match (begins, deep && (old_moves || !begins)) {
            (true, true) => Some(self.depth_of_new(params, &gap.next, state)?),
            (false, needed) if needed || state.depth.is_some() => {
                Some(self.depth_before(params, &gap.next, state)?)
            }
            _ => None,
        };
        let relief = Relief::of(depth.as_ref().filter(|_| deep), &params.relief);
        let manner = self.rules.manner;
        let warp =
            |picture: &Canvas| camera::warp_over_as(manner, picture, &params.camera, params.border, &relief);
        if let Some(before) = gap.before.take() {
            let moved = if old_moves { timed(&mut self.times.warp, || warp(&before)).canvas } else { before };
            let moved = match &generated {
                Some(generated) if old_moves => self.hybrid_moved(params, moved, generated)?,
                _ => moved,
            };
            gap.before = Some(moved);
        }
        let mut stored = None;
        if !begins {
            let moved = timed(&mut self.times.warp, || warp(&gap.next));
            gap.next = match &generated {
                Some(generated) => self.hybrid_moved(params, moved.canvas, generated)?,
                None => moved.canvas,
            };
            self.carry(params, depth.as_ref(), &relief, moved.coverage, state);
            stored = self.settle(params, &gap.next, state)?;
        }
        if let Some(flow) = gap.flow.take() {
            gap.flow = Some(self.flow_moved(params, &flow, &relief, !begins || old_moves));
        } else if let (false, Some(method), Some(before)) = (peer, wanted, &gap.before) {
            gap.flow = Some(timed(&mut self.times.warp, || motion(before, &gap.next, method)));
        }
        if peer {
            self.push(params, &mut gap, begins);
        }
        let shown = self.shown(params, &gap)?;
        state.previous = Some(shown);
        state.gap = Some(gap);
        Ok(stored)
    }

    /// The flow where the camera carries it.
    fn flow_moved(&mut self, params: &FrameParams, flow: &Flow, relief: &Relief, moves: bool) -> Flow {
        if !moves {
            return flow.clone();
        }
        let warp = |flow: &Flow| camera::warp_vectors(flow, &params.camera, params.border, relief);
        let peer = self.rules.cadence_flow == CadenceFlow::Renormalised;
        timed(&mut self.times.warp, || {
            if !peer {
                return warp(flow);
            }
            let moved = warp(&flow.relative());
            // Its 3D warp takes vectors for colours and cuts off what is below 0.
            match params.camera {
                Camera::Deep(_) => {
                    let cut = moved.vectors().iter().map(|v| v.map(|c| c.clamp(0.0, 255.0)));
                    Flow::new(moved.size(), cut.collect())
                }
                Camera::Flat(_) => moved,
            }
        })
    }

    /// Deforum's step along its flow: both pictures, further with each frame.
    fn push(&mut self, params: &FrameParams, gap: &mut Gap, begins: bool) {
        let Some(flow) = &gap.flow else { return };
        let tween = params.cadence.tween() as f32;
        let step = flow.absolute().scaled([tween, tween]);
        let factor = params.cadence.flow_factor as f32;
        if let Some(before) = gap.before.take() {
            gap.before = Some(self.along(&before, &step, factor));
        }
        if !begins {
            gap.next = self.along(&gap.next, &step, factor);
        }
    }

    /// What is seen of a gap.
    fn shown(&mut self, params: &FrameParams, gap: &Gap) -> Result<Canvas> {
        let tween = params.cadence.tween();
        let Some(before) = gap.before.as_ref().filter(|_| tween < 1.0) else { return Ok(gap.next.clone()) };
        let peer = self.rules.cadence_flow == CadenceFlow::Renormalised;
        let blended = match gap.flow.as_ref().filter(|_| !peer) {
            Some(flow) => {
                let (share, factor) = (tween as f32, params.cadence.flow_factor as f32);
                let before = self.along(before, flow, share * factor);
                let next = self.along(&gap.next, flow, (share - 1.0) * factor);
                blend(&before, &next, tween, false)
            }
            None => blend(before, &gap.next, tween, peer && params.tone.grayscale),
        };
        let blended = if params.tone.grayscale { colour::grey(&blended) } else { blended };
        let mask = self.mask(params)?;
        self.overlaid(params, blended, mask.as_ref())
    }

    fn along(&mut self, picture: &Canvas, flow: &Flow, factor: f32) -> Canvas {
        let peer = self.rules.cadence_flow == CadenceFlow::Renormalised;
        timed(&mut self.times.warp, || apply(picture, flow, factor, flow_border(peer)).canvas)
    }
}

/// `a (1 - share) + b share`, rounded half to even as PNG writers of the peer do, or cut off as its grey pictures are.
fn blend(a: &Canvas, b: &Canvas, share: f64, cut_off: bool) -> Canvas {
    let mixed = a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| {
        let value = f64::from(*a) * (1.0 - share) + f64::from(*b) * share;
        if cut_off { value as u8 } else { value.round_ties_even() as u8 }
    });
    Canvas::from_rgb8(a.size(), mixed.collect())
}

fn lost(params: &FrameParams) -> Error {
    Error::Bug(format!("frame {} lies between painted pictures that are not there", params.frame))
}
