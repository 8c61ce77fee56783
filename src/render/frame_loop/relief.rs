//! The depth of what is moved: estimated, brought to the film's scale, and handed from frame to frame.
//!
//! Each frame's depth is settled when the frame is painted, on the scale of the frame before as its depth moved with
//! the picture. It is what is stored beside the frame, to the bit: a resumed run reads it again.

use super::hints::wants_depth_hint;
use super::state::LoopState;
use super::studio::{Studio, timed};
use crate::camera::{self, Relief};
use crate::canvas::{Canvas, DepthMap, Plane};
use crate::error::Result;
use crate::timeline::frame::{Camera, DepthSource, FrameParams, FrameSource, HybridMotion};

/// Whether the picture is moved over a relief: by a 3D camera, over depth that is not flat.
pub fn is_deep(params: &FrameParams) -> bool {
    matches!(params.camera, Camera::Deep(_)) && params.depth != DepthSource::Flat
}

/// Whether the depth of this frame is locked to that of the frame before. Where a video moves the picture besides the
/// camera it is not: depth moves with the camera alone.
fn is_steady(params: &FrameParams) -> bool {
    let hybrid = params.hybrid.as_ref().is_some_and(|hybrid| hybrid.motion != HybridMotion::None);
    let deep = matches!(params.camera, Camera::Deep(_));
    let moves =
        matches!(params.source, FrameSource::Previous | FrameSource::Init(_) | FrameSource::SceneBefore);
    let network = matches!(params.depth, DepthSource::Network(_));
    moves
        && !hybrid
        && network
        && params.relief.steady.is_some()
        && !params.relief.equalise
        && (deep || wants_depth_hint(params))
}

/// Whether the depth of this frame is stored beside it.
pub fn stores_depth(params: &FrameParams) -> bool {
    is_steady(params) || (params.relief.save && params.depth != DepthSource::Flat)
}

/// An estimate as this film reads depth; `before` is the depth of the frame before, moved, and where it is covered.
fn settled(params: &FrameParams, mut estimate: DepthMap, before: Option<&(DepthMap, Plane)>) -> DepthMap {
    let relief = &params.relief;
    let is_given = matches!(params.depth, DepthSource::Picture(_) | DepthSource::Sequence(..));
    if relief.invert {
        let far = if is_given { 1.0 } else { 0.0 };
        estimate.values_mut().iter_mut().for_each(|v| *v = far - *v);
    }
    match &params.depth {
        _ if relief.equalise => estimate,
        DepthSource::Network(_) if is_steady(params) => {
            let before = before.map(|(depth, coverage)| (depth, coverage));
            camera::locked(&estimate, before, relief.steady.unwrap_or(1.0))
        }
        DepthSource::Network(_) => camera::own_scale(&estimate),
        DepthSource::Picture(_) => stretched(estimate),
        DepthSource::Sequence(..) | DepthSource::Flat => estimate,
    }
}

/// The distances over which `params` moves a picture, of the depth `estimate` that belongs to it: as at a scene's second
/// frame, of nothing before.
pub fn distances(params: &FrameParams, estimate: DepthMap) -> Relief {
    Relief::of(Some(&settled(params, estimate, None)), &params.relief)
}

/// Darkest at 0, brightest at 1; all the same is in the middle.
fn stretched(mut map: DepthMap) -> DepthMap {
    let ends = map.values().iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let span = ends.1 - ends.0;
    let value = |v: f32| if span > 0.0 { (v - ends.0) / span } else { 0.5 };
    map.values_mut().iter_mut().for_each(|v| *v = value(*v));
    map
}

impl Studio<'_> {
    /// The depth of `picture`, whose place in the film is that of `source`.
    fn seen(&mut self, source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        let sources = &mut *self.sources;
        timed(&mut self.times.depth, || sources.depth(source, picture))
    }

    /// The depth of a picture that belongs to this very frame.
    pub(super) fn depth(&mut self, params: &FrameParams, picture: &Canvas) -> Result<DepthMap> {
        Ok(settled(params, self.seen(&params.depth, picture)?, None))
    }

    /// The depth of the frame before, which is about to be moved.
    pub(super) fn depth_before(
        &mut self,
        params: &FrameParams,
        previous: &Canvas,
        state: &mut LoopState,
    ) -> Result<DepthMap> {
        match state.depth.take().filter(|depth| is_steady(params) && depth.size() == previous.size()) {
            Some(depth) => Ok(depth),
            None => Ok(settled(params, self.seen(&params.depth.before(), previous)?, None)),
        }
    }

    /// The depth of the picture that was just painted, which stays where it is while another is moved over it.
    pub(super) fn depth_of_new(
        &mut self,
        params: &FrameParams,
        painted: &Canvas,
        state: &LoopState,
    ) -> Result<DepthMap> {
        match state.depth.as_ref().filter(|depth| is_steady(params) && depth.size() == painted.size()) {
            Some(depth) => Ok(depth.clone()),
            None => self.depth(params, painted),
        }
    }

    /// Remembers how the depth moved with its picture.
    pub(super) fn carry(
        &mut self,
        params: &FrameParams,
        depth: Option<&DepthMap>,
        relief: &Relief,
        coverage: Plane,
        state: &mut LoopState,
    ) {
        let moved = || depth.map(|depth| (camera::follow(depth, &params.camera, relief), coverage));
        state.moved_depth = if is_steady(params) { timed(&mut self.times.depth, moved) } else { None };
    }

    /// The depth of the frame that was just painted, when the next frame or the user needs it; what is given is to be
    /// stored beside the frame.
    pub(super) fn settle(
        &mut self,
        params: &FrameParams,
        painted: &Canvas,
        state: &mut LoopState,
    ) -> Result<Option<DepthMap>> {
        let before = state.moved_depth.take();
        if !stores_depth(params) {
            return Ok(None);
        }
        let estimate = self.seen(&params.depth, painted)?;
        let depth = settled(params, estimate, before.as_ref());
        if is_steady(params) {
            state.depth = Some(depth.clone());
        }
        // Equalised depth is stored as it is read.
        let depth = if params.relief.equalise {
            camera::equalise(&depth).unwrap_or_else(|| Plane::filled(depth.size(), 0.5))
        } else {
            depth
        };
        Ok(Some(depth))
    }

    /// Depth as a control is shown it. What has the film's scale keeps it; anything else is stretched.
    pub(super) fn depth_hint(&self, params: &FrameParams, depth: &DepthMap) -> Canvas {
        match &params.depth {
            DepthSource::Network(_) | DepthSource::Sequence(..) if !params.relief.equalise => {
                let grey = |v: &f32| [(v * 255.0).round().clamp(0.0, 255.0) as u8; 3];
                Canvas::from_rgb8(depth.size(), depth.values().iter().flat_map(grey).collect())
            }
            _ => self.sources.hint(depth),
        }
    }
}
