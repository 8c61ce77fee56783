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
    /// The moved and prepared picture with its share of the scene's first frame. Elsewhere than near the end of a
    /// looping scene the picture as it is.
    ///
    /// `uncovered` is 1 where nothing is known of the picture. The first frame is what comes in there, as far as it
    /// reaches; what is left of it has to be painted anew still.
    pub(super) fn closed(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        uncovered: Option<Plane>,
        state: &mut LoopState,
    ) -> Result<(Canvas, Option<Plane>)> {
        let (Some(closing), Some(first)) = (&params.closing, state.anchor.clone()) else {
            return Ok((picture, uncovered));
        };
        let depth = self.depth_of_first(params, &first, state)?;
        Ok(timed(&mut self.times.warp, || {
            let relief = Relief::of(depth.as_ref(), &params.relief);
            let moved = unwound(&first, &closing.ahead, params.border, &relief);
            let mut share = shares(closing, &moved.coverage);
            let feather = params.fill.map_or(0.0, |fill| fill.feather);
            let left = uncovered.and_then(|unknown| come_in(&mut share, &moved.coverage, &unknown, feather));
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

/// The first frame's share of each pixel. Its edge is soft as long as it is far from its place, as wide as what it leaves
/// free, and none in the end: a narrower one shows as a box that grows.
fn shares(closing: &Closing, coverage: &Plane) -> Plane {
    let weight = closing.weight as f32;
    let size = coverage.size();
    let covered: f64 = coverage.values().iter().map(|v| f64::from(*v)).sum();
    let free = 1.0 - (covered / size.area().max(1) as f64).sqrt() as f32;
    let width = size.width.min(size.height) as f32 * free.max(FEATHER * (1.0 - weight));
    let mut share = feathered(coverage, width);
    share.values_mut().iter_mut().for_each(|value| *value *= weight);
    share
}

/// Gives the first frame all of what is `unknown` and `covered` by it, and some pixels of the known beside that; says
/// what is unknown still, when anything is.
fn come_in(share: &mut Plane, covered: &Plane, unknown: &Plane, feather: f64) -> Option<Plane> {
    let size = unknown.size();
    let known = Plane::from_values(size, unknown.values().iter().map(|unknown| 1.0 - unknown).collect());
    let own = feathered(&known, feather as f32);
    for ((share, covered), own) in share.values_mut().iter_mut().zip(covered.values()).zip(own.values()) {
        *share = share.max(covered * (1.0 - own));
    }
    let left =
        unknown.values().iter().zip(covered.values()).map(|(unknown, covered)| unknown * (1.0 - covered));
    let left = Plane::from_values(size, left.collect());
    left.values().iter().any(|left| *left > 0.0).then_some(left)
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
        // A quarter is free: 40 * (1 - sqrt(0.75)) pixels, more than the 40 * 0.25 * 0.5 of half a weight.
        let (width, third) = (40.0 * (1.0 - 0.75_f32.sqrt()), share.values()[12]);
        assert!((third - 0.5 * 3.0 / width).abs() < 1e-6, "{third}");
    }

    #[test]
    fn what_comes_in_is_the_first_frame_as_far_as_it_reaches() {
        let size = Size::new(40, 2);
        let plane =
            |f: fn(usize) -> bool| Plane::from_values(size, (0..80).map(|i| f32::from(f(i % 40))).collect());
        let (covered, unknown) = (plane(|x| x < 36), plane(|x| x >= 30));
        let mut share = Plane::filled(size, 0.0);
        let left = come_in(&mut share, &covered, &unknown, 8.0).unwrap();
        assert_eq!((share.values()[0], share.values()[32], share.values()[38]), (0.0, 1.0, 0.0));
        assert!(share.values()[28] > 0.5 && share.values()[23] < 0.5);
        assert_eq!(left.values(), plane(|x| x >= 36).values());
        assert!(come_in(&mut share, &Plane::filled(size, 1.0), &unknown, 8.0).is_none());
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
