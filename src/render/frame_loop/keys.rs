//! The key pictures of a composed zoom: each is painted around the one before it.

use super::hints::{Found, wants_depth_hint};
use super::studio::{Studio, timed};
use crate::camera::zoom::{Placement, around, join, mirrored, settle};
use crate::canvas::Canvas;
use crate::error::Result;
use crate::render::seams::{PaintOnly, PaintRequest};
use crate::render::zoom::Key;
use crate::timeline::frame::{Fit, FrameParams, FrameSource, MaskFill};

impl Studio<'_> {
    /// Paints a key picture around the one inside it, which stays as it is or, where the whole is painted over then,
    /// keeps its colours; the innermost one from text or over a picture. `over` is a picture of the key that is there
    /// already: only what lies inside it is new. `first` is the innermost key, where it is there. `None` when `watch` asked to give up.
    ///
    /// # Errors
    /// Whatever painter or files refuse.
    pub fn key(
        &mut self,
        key: &Key,
        inner: Option<(&Canvas, Placement)>,
        over: Option<&Canvas>,
        first: Option<&Canvas>,
        overlap: f64,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let Some((inner, placement)) = inner else {
            let init = match &key.params.source {
                FrameSource::Init(path) => Some(self.sources.picture(path, self.size, Fit::Crop)?),
                _ => None,
            };
            self.times.frames += 1;
            return self.paint_over(&key.params, init.as_ref(), None, first, watch);
        };
        let around = match over {
            Some(over) => Some(over.clone()),
            None => self.around(key, inner, placement, overlap, first, watch)?,
        };
        let Some(around) = around else { return Ok(None) };
        self.times.frames += 1;
        let mut whole = timed(&mut self.times.warp, || join(&around, inner, placement, overlap));
        if let Some(params) = key.refined() {
            let Some(refined) = self.paint_over(&params, Some(&whole), None, first, watch)? else {
                return Ok(None);
            };
            whole = timed(&mut self.times.warp, || settle(&refined, inner, placement, overlap));
        }
        Ok(Some(whole))
    }

    /// Paints what lies around `inner`.
    fn around(
        &mut self,
        key: &Key,
        inner: &Canvas,
        placement: Placement,
        overlap: f64,
        first: Option<&Canvas>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let under = timed(&mut self.times.warp, || mirrored(inner, placement));
        let mask = around(self.size, placement, overlap);
        let only = PaintOnly { mask: &mask, fill: MaskFill::Original, blur: 0.0, region: None };
        self.paint_over(&key.params, Some(&under), Some(only), first, watch)
    }

    fn paint_over(
        &mut self,
        params: &FrameParams,
        init: Option<&Canvas>,
        mask: Option<PaintOnly<'_>>,
        first: Option<&Canvas>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let depth = if wants_depth_hint(params) {
            // Only given depth is let through by the timeline, and that does not look at the picture.
            let blank = Canvas::filled(self.size, [0; 3]);
            let depth = self.depth(params, init.unwrap_or(&blank))?;
            Some(self.depth_hint(params, &depth))
        } else {
            None
        };
        let hints = self.hints(params, &Found { depth: depth.as_ref(), seen: init, first })?;
        let request = PaintRequest { params, size: self.size, init, hints, mask, anew: None };
        let painter = &mut *self.painter;
        timed(&mut self.times.paint, || painter.paint(&request, watch))
    }
}
