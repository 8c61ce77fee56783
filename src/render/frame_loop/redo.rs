//! Painting more than once: what was painted is painted over before it counts.
//!
//! As in Deforum (sd-webui-deforum 32242685): first with a flow, then so many times without. Its seeds are drawn from
//! the clock; here each comes from the frame's own seed.

use super::motion::{flow_border, motion};
use super::studio::{CadenceFlow, Studio, timed};
use crate::camera::flow::apply;
use crate::canvas::{Canvas, Size};
use crate::error::Result;
use crate::noise::stream_seed;
use crate::render::seams::{PaintAnew, PaintOnly, PaintRequest};
use crate::timeline::frame::FrameParams;

/// What a painting needs beside the picture underneath.
pub(super) struct Sitting<'a> {
    /// Of the picture that is painted.
    pub size: Size,
    pub hints: &'a [Option<Canvas>],
    pub only: Option<PaintOnly<'a>>,
    pub anew: Option<PaintAnew<'a>>,
    /// The moved picture before contrast, sharpening and noise.
    pub held: Option<&'a Canvas>,
}

impl Studio<'_> {
    /// Paints once.
    pub(super) fn paint(
        &mut self,
        params: &FrameParams,
        init: Option<&Canvas>,
        sitting: &Sitting<'_>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let hints = sitting.hints.to_vec();
        let Sitting { size, only, anew, .. } = *sitting;
        let request = PaintRequest { params, size, init, hints, mask: only, anew };
        let painter = &mut *self.painter;
        timed(&mut self.times.paint, || painter.paint(&request, watch))
    }

    /// What is painted over after the paintings that do not count. `None` when `watch` asked to give up.
    pub(super) fn redone(
        &mut self,
        params: &FrameParams,
        init: Canvas,
        sitting: &Sitting<'_>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let mut init = init;
        if let Some((method, held)) = params.cadence.redo_flow.zip(sitting.held) {
            let other = reseeded(params, "flow redo", 0);
            let Some(painted) = self.paint(&other, Some(&init), sitting, watch)? else { return Ok(None) };
            let border = flow_border(self.rules.cadence_flow == CadenceFlow::Renormalised);
            let factor = params.cadence.redo_flow_factor as f32;
            init = timed(&mut self.times.warp, || {
                apply(&painted, &motion(held, &painted, method), factor, border).canvas
            });
        }
        for round in 0..params.cadence.redo {
            let other = reseeded(params, "redo", round);
            let Some(painted) = self.paint(&other, Some(&init), sitting, watch)? else { return Ok(None) };
            init = painted;
        }
        Ok(Some(init))
    }
}

/// The frame with a seed of its own for a painting that does not count, 0 to 2³² - 1 as the peer draws them.
fn reseeded(params: &FrameParams, purpose: &str, round: u32) -> FrameParams {
    let mut other = params.clone();
    let drawn =
        stream_seed(params.sampling.seed.cast_unsigned(), params.frame, &format!("{purpose} {round}"));
    other.sampling.seed = i64::from(drawn as u32);
    other
}
