//! The end of a looping scene: the first frame, moved back by the motion that is still to come, fades in.

use super::ahead::Ahead;
use super::state::LoopState;
use super::studio::{Studio, timed};
use crate::camera::{Relief, feathered, unwound, unwound_within};
use crate::canvas::{Canvas, DepthMap, Plane};
use crate::error::Result;
use crate::timeline::frame::{Camera, Closing, DepthSource, FrameParams};

/// Share of the shorter side over which the first frame's edge fades in, at the beginning of the window.
const FEATHER: f32 = 0.25;

impl Studio<'_> {
    /// The moved and prepared picture with its share of the scene's first frame. What the camera uncovered is the first
    /// frame's alone where that reaches, and need not be rebuilt there: `uncovered` shrinks to the rest. Elsewhere than
    /// near the end of a looping scene both are as they were.
    pub(super) fn closed(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        uncovered: Option<Plane>,
        ahead: Option<&Ahead>,
        state: &mut LoopState,
    ) -> Result<(Canvas, Option<Plane>)> {
        let (Some(closing), Some(first)) = (&params.closing, state.anchor.clone()) else {
            return Ok((picture, uncovered));
        };
        let depth = self.depth_of_first(params, &first, state)?;
        Ok(timed(&mut self.times.warp, || {
            let moved = match ahead {
                Some(ahead) => unwound_within(&first, &closing.ahead, ahead.offset(), picture.size()),
                None => {
                    let relief = Relief::of(depth.as_ref(), &params.relief);
                    unwound(&first, &closing.ahead, params.border, &relief)
                }
            };
            let share = shares(closing, &moved.coverage, uncovered.as_ref());
            let left = uncovered.map(|mut plane| {
                let known = plane.values_mut().iter_mut().zip(moved.coverage.values());
                known.for_each(|(uncovered, covered)| *uncovered *= 1.0 - covered);
                plane
            });
            // What is known already needs no rebuilding run.
            let left = left.filter(|plane| plane.values().iter().any(|v| *v > 0.0));
            (blended(picture, &moved.canvas, &share), left)
        }))
    }

    /// The relief of the first frame, when the camera moves over one. Seen once a scene.
    fn depth_of_first(
        &mut self,
        params: &FrameParams,
        first: &Canvas,
        state: &mut LoopState,
    ) -> Result<Option<DepthMap>> {
        if !matches!(params.camera, Camera::Deep(_)) || params.depth == DepthSource::Flat {
            return Ok(None);
        }
        if state.first_depth.is_none() {
            state.first_depth = Some(self.depth(params, first)?);
        }
        Ok(state.first_depth.clone())
    }
}

/// The first frame's share of each pixel, all of it where nothing else is known. Its edge is soft as long as it is
/// farther from its place, and none in the end.
fn shares(closing: &Closing, coverage: &Plane, uncovered: Option<&Plane>) -> Plane {
    let weight = closing.weight as f32;
    let size = coverage.size();
    let width = size.width.min(size.height) as f32 * FEATHER * (1.0 - weight);
    let mut share = feathered(coverage, width);
    share.values_mut().iter_mut().for_each(|value| *value *= weight);
    if let Some(uncovered) = uncovered {
        let unknown = uncovered.values().iter().zip(coverage.values());
        for (value, (uncovered, covered)) in share.values_mut().iter_mut().zip(unknown) {
            *value = value.max(uncovered * covered);
        }
    }
    share
}

fn blended(mut picture: Canvas, first: &Canvas, share: &Plane) -> Canvas {
    let pixels = picture.as_rgb8_mut().as_chunks_mut::<3>().0.iter_mut();
    for ((own, first), share) in pixels.zip(first.as_rgb8().as_chunks::<3>().0).zip(share.values()) {
        for (own, first) in own.iter_mut().zip(first) {
            let from = f32::from(*own);
            *own = (from + (f32::from(*first) - from) * share).round_ties_even() as u8;
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn shares_are_the_weight_inside_and_nothing_outside() {
        let size = Size::new(40, 40);
        let cover = Plane::from_values(size, (0..1600).map(|i| f32::from(i % 40 >= 10)).collect());
        let closing = Closing { weight: 0.5, ahead: Vec::new() };
        let share = shares(&closing, &cover, None);
        assert_eq!((share.values()[5], share.values()[39]), (0.0, 0.5));
        // 40 * 0.25 * 0.5: five pixels.
        assert!((share.values()[12] - 0.3).abs() < 1e-6, "{}", share.values()[12]);
        // Where the camera uncovered the picture it is the first frame's alone, as far as that reaches.
        let all = shares(&closing, &cover, Some(&Plane::filled(size, 1.0)));
        assert_eq!((all.values()[5], all.values()[12], all.values()[39]), (0.0, 1.0, 1.0));
    }

    #[test]
    fn a_whole_share_is_the_first_frame() {
        let size = Size::new(3, 2);
        let (own, first) = (Canvas::filled(size, [10, 20, 30]), Canvas::filled(size, [200, 0, 90]));
        assert_eq!(blended(own.clone(), &first, &Plane::filled(size, 1.0)), first);
        assert_eq!(blended(own.clone(), &first, &Plane::filled(size, 0.0)), own);
        assert_eq!(blended(own, &first, &Plane::filled(size, 0.5)).pixel(1, 1), [105, 10, 60]);
    }
}
