//! What a frame is painted over: a given picture, or the frame before it, moved and prepared.

use super::hints::{wants_depth_hint, wants_edges};
use super::state::LoopState;
use super::studio::{Studio, timed};
use crate::camera;
use crate::canvas::{Canvas, DepthMap};
use crate::colour;
use crate::error::Result;
use crate::noise;
use crate::timeline::frame::{Camera, DepthSource, Fit, FrameParams, FrameSource};

/// The picture that is painted over, and what controls may be shown of it.
pub(super) struct Underneath {
    pub init: Option<Canvas>,
    /// Its depth as a picture.
    pub depth: Option<Canvas>,
    /// As it was before noise was added, where edges are looked for.
    pub seen: Option<Canvas>,
}

impl Studio<'_> {
    /// The picture that is painted over, and what controls may be shown of it.
    pub(super) fn underneath(&mut self, params: &FrameParams, state: &mut LoopState) -> Result<Underneath> {
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
        let manner = self.rules.manner;
        let warp =
            |picture: &Canvas| camera::warp_as(manner, picture, &params.camera, params.border, relief).canvas;
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
    pub(super) fn matched(&mut self, params: &FrameParams, picture: Canvas, state: &mut LoopState) -> Canvas {
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
}
