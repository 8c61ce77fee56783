//! What the loop carries from frame to frame.

use crate::canvas::{Canvas, DepthMap, Plane};
use crate::colour::{Anchor, ChannelOrder};
use crate::timeline::frame::Coherence;

/// What the loop carries from frame to frame. All of it can be had from the store again, so a
/// resumed run goes on as if it had never stopped.
#[derive(Clone, Debug, Default)]
pub struct LoopState {
    /// The previous frame's picture.
    pub previous: Option<Canvas>,
    /// The picture whose colours the scene is held to: its first painted frame.
    pub anchor: Option<Canvas>,
    /// The previous frame's depth on the film's scale, where depth is kept steady.
    pub depth: Option<DepthMap>,
    /// Within a frame: the depth of the frame before as it moved with its picture, and where it is covered.
    pub(super) moved_depth: Option<(DepthMap, Plane)>,
    /// What matching needs of the anchor, and in which colour space. Derived from `anchor`.
    quantiles: Option<(Coherence, Anchor)>,
}

impl LoopState {
    /// The state behind a frame `previous` of a scene whose first frame is `anchor`.
    pub fn new(previous: Canvas, anchor: Canvas) -> Self {
        Self { previous: Some(previous), anchor: Some(anchor), ..Self::default() }
    }

    /// The state in front of a scene that starts from the last frame of the one before.
    pub fn of_scene_before(last: Canvas) -> Self {
        Self { previous: Some(last), ..Self::default() }
    }

    /// The anchor's colours in a colour space; `None` when there is nothing to hold to.
    pub(super) fn quantiles(&mut self, coherence: Coherence, order: ChannelOrder) -> Option<&Anchor> {
        let anchor = self.anchor.as_ref().filter(|_| coherence != Coherence::None)?;
        if self.quantiles.as_ref().is_none_or(|(of, _)| *of != coherence) {
            self.quantiles = Some((coherence, Anchor::new(anchor, coherence, order)));
        }
        self.quantiles.as_ref().map(|(_, anchor)| anchor)
    }
}
