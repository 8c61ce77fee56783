//! The end of a looping scene: the first frame, moved back by the motion that is still to come, fades in.

use super::state::LoopState;
use super::studio::{Studio, timed};
use crate::camera::{Relief, feathered, unwound};
use crate::canvas::{Canvas, DepthMap, Plane};
use crate::error::Result;
use crate::timeline::frame::{Camera, Closing, DepthSource, FrameParams};

/// Share of the shorter side over which the first frame's edge fades in, at the beginning of the window.
const FEATHER: f32 = 0.25;

impl Studio<'_> {
    /// The moved and prepared picture with its share of the scene's first frame, and that share: 0 where the first
    /// frame does not reach yet. Elsewhere than near the end of a looping scene the picture as it is.
    ///
    /// What is to be filled anew because nothing is known of it is only what has no share.
    pub(super) fn closed(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        state: &mut LoopState,
    ) -> Result<(Canvas, Option<Plane>)> {
        let (Some(closing), Some(first)) = (&params.closing, state.anchor.clone()) else {
            return Ok((picture, None));
        };
        let depth = self.depth_of_first(params, &first, state)?;
        Ok(timed(&mut self.times.warp, || {
            let relief = Relief::of(depth.as_ref(), &params.relief);
            let moved = unwound(&first, &closing.ahead, params.border, &relief);
            let share = shares(closing, &moved.coverage);
            (blended(picture, &moved.canvas, &share), Some(share))
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

/// The first frame's share of each pixel. Its edge is soft as long as it is farther from its place, and none in the end.
fn shares(closing: &Closing, coverage: &Plane) -> Plane {
    let weight = closing.weight as f32;
    let size = coverage.size();
    let width = size.width.min(size.height) as f32 * FEATHER * (1.0 - weight);
    let mut share = feathered(coverage, width);
    share.values_mut().iter_mut().for_each(|value| *value *= weight);
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
        let share = shares(&Closing { weight: 0.5, ahead: Vec::new() }, &cover);
        assert_eq!((share.values()[5], share.values()[39]), (0.0, 0.5));
        // 40 * 0.25 * 0.5: five pixels.
        assert!((share.values()[12] - 0.3).abs() < 1e-6, "{}", share.values()[12]);
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
