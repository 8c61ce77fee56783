//! What a frame is painted over: a given picture, or the frame before it, moved and prepared.

use super::ahead::{Ahead, keeps};
use super::continued::continued;
use super::hints::{wants_depth_hint, wants_edges};
use super::hybrid;
use super::relief::is_deep;
use super::state::LoopState;
use super::studio::{Reference, Studio, timed};
use crate::camera::{self, Warped};
use crate::canvas::{Canvas, Plane};
use crate::colour;
use crate::error::{Error, Result};
use crate::noise::{self, NoiseOptions};
use crate::timeline::frame::{
    Coherence, ColourReference, DepthSource, Fit, FrameParams, FrameSource, MaskTree,
};

/// The picture that is painted over, and what controls may be shown of it.
#[derive(Default)]
pub(super) struct Underneath {
    pub init: Option<Canvas>,
    /// Its depth as a picture.
    pub depth: Option<Canvas>,
    /// As it was before noise was added, where edges are looked for.
    pub seen: Option<Canvas>,
    /// The depth of the frame before as a picture, where hybrid masks are made of it.
    pub behind: Option<Canvas>,
    /// As it was before contrast, sharpening and noise, where the motion of a painting is measured from it.
    pub held: Option<Canvas>,
    /// It is the frame before, moved.
    pub is_moved: bool,
    /// What of the picture is not known.
    pub uncovered: Option<Plane>,
    /// The frame is painted with what lies ahead of the camera: `init` is larger than it.
    pub ahead: Option<Ahead>,
}

impl Studio<'_> {
    /// The picture that is painted over, and what controls may be shown of it.
    pub(super) fn underneath(&mut self, params: &FrameParams, state: &mut LoopState) -> Result<Underneath> {
        let hinted = wants_depth_hint(params);
        if let Some(picture) = self.given(params, state)? {
            let depth = if hinted { Some(self.depth(params, &picture)?) } else { None };
            let depth = depth.map(|depth| self.depth_hint(params, &depth));
            let seen = wants_edges(params).then(|| picture.clone());
            return Ok(Underneath { init: Some(picture), depth, seen, ..Underneath::default() });
        }
        if let Some(previous) = state.previous.take().filter(|_| params.source != FrameSource::Text) {
            return self.moved(params, &previous, state);
        }
        // Nothing is there yet: only a reference picture knows the depth of what will be painted.
        let known = !matches!(params.depth, DepthSource::Network(_));
        let blank = Canvas::filled(self.size, [0; 3]);
        let depth = if known && hinted { Some(self.depth(params, &blank)?) } else { None };
        let depth = depth.map(|depth| self.depth_hint(params, &depth));
        Ok(Underneath { depth, ..Underneath::default() })
    }

    /// The picture that is there without a camera: of a file, of a video, or of the scene before.
    fn given(&mut self, params: &FrameParams, state: &mut LoopState) -> Result<Option<Canvas>> {
        let (sources, size) = (&mut *self.sources, self.size);
        Ok(match (&params.source, &state.previous) {
            (FrameSource::Still(path), _) | (FrameSource::Init(path), None) => {
                Some(sources.picture(path, size, Fit::Crop)?)
            }
            (FrameSource::InitVideo(clip, number), None) | (FrameSource::Video(clip, number), _) => {
                Some(sources.video(clip, *number, size, Fit::Crop)?)
            }
            (FrameSource::SceneBefore, _) if params.cut => state.previous.take(),
            _ => None,
        })
    }

    /// The previous frame, moved and prepared, and its depth moved with it.
    fn moved(
        &mut self,
        params: &FrameParams,
        previous: &Canvas,
        state: &mut LoopState,
    ) -> Result<Underneath> {
        let hinted = wants_depth_hint(params);
        let deep = is_deep(params);
        let masked = hybrid::wants_depth(params);
        let needed = deep || hinted || masked;
        let depth = if needed { Some(self.depth_before(params, previous, state)?) } else { None };
        let relief = camera::Relief::of(depth.as_ref().filter(|_| deep), &params.relief);
        let manner = self.rules.manner;
        let warp =
            |picture: &Canvas| camera::warp_over_as(manner, picture, &params.camera, params.border, &relief);
        let (wide, times) = (state.wide.take(), &mut self.times.warp);
        let ahead = timed(times, || Ahead::of(params, previous, wide));
        let (warped, coverage, uncovered) = timed(times, || match &ahead {
            Some(ahead) => {
                let coverage = match needed {
                    true => warp(previous).coverage,
                    false => Plane::filled(self.size, 1.0),
                };
                (ahead.picture(), coverage, ahead.uncovered.clone())
            }
            None => uncovered(params, warp(previous)),
        });
        // A given depth is known of every frame; an estimate belongs to the picture it was made of, and
        // moves with it.
        let hint = match (&params.depth, &depth) {
            (DepthSource::Network(_), Some(depth)) if hinted => {
                let hint = self.depth_hint(params, depth);
                Some(timed(&mut self.times.warp, || warp(&hint)).canvas)
            }
            _ if hinted => {
                let depth = self.depth(params, previous)?;
                Some(self.depth_hint(params, &depth))
            }
            _ => None,
        };
        self.carry(params, depth.as_ref(), &relief, coverage, state);
        let behind = depth.as_ref().filter(|_| masked).map(|depth| self.depth_hint(params, depth));
        let warped = self.hybrid(params, warped, previous, behind.as_ref())?;
        // Noise has edges of its own: they are looked for before it is added.
        let seen = wants_edges(params).then(|| warped.clone());
        let stays = ahead.is_some() && keeps(params);
        // Where nothing but what is new is painted, there is nothing to prepare: that begins as noise.
        let (prepared, held) =
            if stays { (warped, None) } else { self.prepared(params, warped, ahead.as_ref(), state)? };
        let (init, uncovered) = self.closed(params, prepared, uncovered, state)?;
        let init = Some(init);
        Ok(Underneath { init, depth: hint, seen, behind, uncovered, ahead, held, is_moved: true })
    }

    /// Colour, contrast, sharpness and noise of a moved picture, and how it was with its colour alone when that is
    /// needed.
    fn prepared(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        ahead: Option<&Ahead>,
        state: &mut LoopState,
    ) -> Result<(Canvas, Option<Canvas>)> {
        let mut picture = self.first_matched(params, picture, ahead, state)?;
        if params.tone.grayscale {
            picture = colour::grey(&picture);
        }
        let held = params.cadence.redo_flow.map(|_| picture.clone());
        let (noise_mask, sharpen_mask) = self.masks(params)?;
        let overflow = self.rules.overflow;
        let look = &params.colour;
        timed(&mut self.times.colour, || {
            if look.contrast != 1.0 {
                picture = colour::contrast(&picture, look.contrast, overflow);
            }
            if look.sharpen.amount > 0.0 {
                picture = colour::sharpen(&picture, &look.sharpen, sharpen_mask.as_ref());
            }
        });
        let seed = params.sampling.seed.cast_unsigned();
        let options = NoiseOptions {
            mask: noise_mask.as_ref(),
            outside: self.rules.noise_outside,
            ..NoiseOptions::default()
        };
        let noisy = timed(&mut self.times.noise, || noise::add_with(&picture, &params.noise, seed, options));
        Ok((noisy, held))
    }

    /// The moved picture with the colours that the scene is held to. By Deforum's rule it is the reference itself
    /// where there was none.
    fn first_matched(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        ahead: Option<&Ahead>,
        state: &mut LoopState,
    ) -> Result<Canvas> {
        let is_held = params.colour.coherence != Coherence::None;
        let is_first = params.hold.reference == ColourReference::First && state.anchor.is_none();
        if self.rules.reference == Reference::FirstNeeded && is_held && is_first {
            state.hold_to(picture.clone());
            return Ok(picture);
        }
        self.matched(params, picture, ahead, state)
    }

    /// The picture with the colours that the scene is held to; one that is wider than the frame by what of it counts.
    pub(super) fn matched(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        ahead: Option<&Ahead>,
        state: &mut LoopState,
    ) -> Result<Canvas> {
        let (order, size, hold) = (self.rules.order, self.size, &params.hold);
        let sources = &mut *self.sources;
        timed(&mut self.times.colour, || {
            // Only its colours count: all of the picture is looked at, however it is shaped.
            let read = |reference: &ColourReference| match reference {
                ColourReference::Picture(path) => sources.picture(path, size, Fit::Stretch),
                ColourReference::Video(clip, number) => sources.video(clip, *number, size, Fit::Stretch),
                ColourReference::First => Err(Error::Bug("a scene's first frame is no file".to_owned())),
            };
            let anchor = state.held_to(params.colour.coherence, &hold.reference, order, read)?;
            Ok(match anchor {
                Some(anchor) => {
                    let judged = ahead.map(|ahead| ahead.judged(&picture));
                    let matched = anchor.matched_by(&picture, judged.as_ref());
                    colour::part_way(picture, &matched, hold.strength)
                }
                None => picture,
            })
        })
    }

    /// Where noise is added and where is sharpened.
    fn masks(&mut self, params: &FrameParams) -> Result<(Option<Plane>, Option<Plane>)> {
        let hold = &params.hold;
        let mut plane = |tree: &Option<MaskTree>| tree.as_ref().map(|tree| self.mask_plane(tree)).transpose();
        Ok((plane(&hold.noise_mask)?, plane(&hold.sharpen_mask)?))
    }
}

/// A moved picture, where it is covered, and what of it has to be painted anew.
fn uncovered(params: &FrameParams, warped: Warped) -> (Canvas, Plane, Option<Plane>) {
    let Warped { canvas, coverage } = warped;
    let Some(fill) = params.fill.filter(|_| coverage.values().iter().any(|v| *v < 1.0)) else {
        return (canvas, coverage, None);
    };
    let values = coverage.values().iter().map(|value| f32::from(u8::from(*value < 1.0))).collect();
    let unknown = Plane::from_values(coverage.size(), values);
    let canvas = if fill.outpaint { continued(&canvas, &unknown) } else { canvas };
    (canvas, coverage, Some(unknown))
}
