//! Guided images: a picture is mixed into what is painted over, and lends the painted frame its colours.

use super::ahead::Ahead;
use super::studio::{Studio, timed};
use crate::canvas::Canvas;
use crate::colour::{Anchor, compose};
use crate::error::Result;
use crate::timeline::frame::{Coherence, Fit, FrameParams, GuideParams};

/// What guides a frame.
pub(super) struct Guide {
    /// The picture whose colours the painted frame gets.
    colours: Option<Canvas>,
}

impl Studio<'_> {
    /// What is painted over with the guide's picture mixed in. A scene's first frame is that picture itself.
    pub(super) fn guided(
        &mut self,
        params: &FrameParams,
        init: Option<Canvas>,
        ahead: Option<&Ahead>,
    ) -> Result<(Option<Canvas>, Option<Guide>)> {
        let (Some(GuideParams { picture, blend, colour }), Some(init)) = (&params.guide, init.as_ref())
        else {
            return Ok((init, None));
        };
        let target = self.sources.picture(picture, self.size, Fit::Crop)?;
        let target = ahead.map_or_else(|| target.clone(), |ahead| ahead.around(&target));
        let mixed = if params.cut { init.clone() } else { compose::blend(init, &target, *blend) };
        let colours = (*colour > 0.0).then(|| compose::blend(&mixed, &target, *colour));
        Ok((Some(mixed), Some(Guide { colours })))
    }

    /// The painted frame with the colours that the guide asks for.
    pub(super) fn guided_colours(&mut self, painted: Canvas, guide: Option<&Guide>) -> Canvas {
        let Some(colours) = guide.and_then(|guide| guide.colours.as_ref()) else { return painted };
        let order = self.rules.order;
        timed(&mut self.times.colour, || Anchor::new(colours, Coherence::Lab, order).matched(&painted))
    }
}
