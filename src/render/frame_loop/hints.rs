//! What controls are shown.

use super::studio::Studio;
use crate::canvas::Canvas;
use crate::edges;
use crate::error::{Error, Result};
use crate::timeline::frame::{ControlInput, ControlParams, DepthSource, FrameParams, FrameSource};

/// What there is to be shown at a frame.
pub(super) struct Found<'a> {
    pub depth: Option<&'a Canvas>,
    pub seen: Option<&'a Canvas>,
    /// The scene's first frame.
    pub first: Option<&'a Canvas>,
}

impl Studio<'_> {
    /// What each control is shown.
    pub(super) fn hints(&mut self, params: &FrameParams, found: &Found<'_>) -> Result<Vec<Option<Canvas>>> {
        let mut hints = Vec::with_capacity(params.controls.len());
        for control in &params.controls {
            let hint = self.hint(control, found)?;
            if hint.is_none() && !waits(params, control) {
                return Err(Error::Bug(format!("control `{}` has nothing to show", control.name)));
            }
            hints.push(hint);
        }
        Ok(hints)
    }

    /// What one control is shown.
    fn hint(&mut self, control: &ControlParams, found: &Found<'_>) -> Result<Option<Canvas>> {
        let (sources, size, fit) = (&mut *self.sources, self.size, control.fit);
        let hint = match &control.input {
            ControlInput::Depth => found.depth.cloned(),
            ControlInput::Picture(path) => Some(sources.picture(path, size, fit)?),
            ControlInput::Canny { image: Some(path), low, high } => {
                Some(sources.edges(path, size, fit, (*low, *high))?)
            }
            ControlInput::Canny { image: None, low, high } => {
                found.seen.map(|picture| edges::canny(picture, *low, *high))
            }
            ControlInput::Reference { image: Some(path), .. } => Some(sources.picture(path, size, fit)?),
            ControlInput::Reference { image: None, .. } => found.first.cloned(),
        };
        Ok(if control.invert { hint.map(Canvas::negative) } else { hint })
    }
}

/// Whether a control is shown the edges of the picture underneath.
pub(super) fn wants_edges(params: &FrameParams) -> bool {
    params.controls.iter().any(|control| matches!(control.input, ControlInput::Canny { image: None, .. }))
}

/// Whether a control is shown the frame's depth.
pub(super) fn wants_depth_hint(params: &FrameParams) -> bool {
    params.controls.iter().any(|control| control.input == ControlInput::Depth)
}

/// Whether a control has nothing to show at this frame, which can only be a scene's first one: in what comes from
/// text alone no depth and no edges are seen yet, and a first frame cannot look at itself.
pub fn waits(params: &FrameParams, control: &ControlParams) -> bool {
    let from_text = matches!(params.source, FrameSource::Previous | FrameSource::Text);
    (params.cut || params.source == FrameSource::Text)
        && match &control.input {
            ControlInput::Depth => from_text && matches!(params.depth, DepthSource::Network(_)),
            ControlInput::Canny { image: None, .. } => from_text,
            ControlInput::Reference { image: None, .. } => true,
            _ => false,
        }
}
