//! What the loop carries from frame to frame.

use super::between::Gap;
use super::course::Course;
use crate::canvas::{Canvas, DepthMap, Plane};
use crate::colour::{Anchor, ChannelOrder};
use crate::error::Result;
use crate::render::wide::Wide;
use crate::timeline::frame::{Coherence, ColourReference};

/// In which way, and to what.
type Held = (Coherence, ColourReference);

/// What the loop carries from frame to frame. All of it can be had from the store again, so a
/// resumed run goes on as if it had never stopped.
#[derive(Clone, Debug, Default)]
pub struct LoopState {
    /// The previous frame's picture.
    pub previous: Option<Canvas>,
    /// The picture whose colours the scene is held to: its first painted frame.
    pub anchor: Option<Canvas>,
    /// The depth of `anchor`, for a scene that closes. Derived.
    pub(super) first_depth: Option<DepthMap>,
    /// The previous frame's depth on the film's scale, where depth is kept steady.
    pub depth: Option<DepthMap>,
    /// Within a frame: the depth of the frame before as it moved with its picture, and where it is covered.
    pub(super) moved_depth: Option<(DepthMap, Plane)>,
    /// The pictures that frames between painted ones are blended of.
    pub(super) gap: Option<Gap>,
    /// What its frames have measured.
    pub course: Course,
    /// What is known beyond the edges of the previous frame; `None` when nothing was painted ahead.
    pub wide: Option<Wide>,
    /// What matching needs of the picture that colours are held to, and of which one. Derived.
    held_to: Option<(Held, Anchor)>,
}

impl LoopState {
    /// The state behind a frame `previous` of a scene whose first frame is `anchor`.
    pub fn new(previous: Canvas, anchor: Canvas) -> Self {
        Self { previous: Some(previous), anchor: Some(anchor), ..Self::default() }
    }

    /// Colours are held to `anchor` from now on.
    pub(super) fn hold_to(&mut self, anchor: Canvas) {
        self.anchor = Some(anchor);
        self.held_to = None;
    }

    /// The state in front of a scene that starts from the last frame of the one before.
    pub fn of_scene_before(last: Canvas) -> Self {
        Self { previous: Some(last), ..Self::default() }
    }

    /// The colours that are held to, in the way of `coherence`; `None` when there is nothing to hold to. `picture` reads
    /// the picture of a reference that is none of the film's own.
    ///
    /// # Errors
    /// Those of `picture`.
    pub(super) fn held_to(
        &mut self,
        coherence: Coherence,
        reference: &ColourReference,
        order: ChannelOrder,
        picture: impl FnOnce(&ColourReference) -> Result<Canvas>,
    ) -> Result<Option<&Anchor>> {
        let held = (coherence, reference.clone());
        if coherence != Coherence::None && self.held_to.as_ref().is_none_or(|(of, _)| *of != held) {
            let anchor = match reference {
                ColourReference::First => {
                    self.anchor.as_ref().map(|anchor| Anchor::new(anchor, coherence, order))
                }
                given => Some(Anchor::new(&picture(given)?, coherence, order)),
            };
            self.held_to = anchor.map(|anchor| (held, anchor));
        }
        Ok(self.held_to.as_ref().filter(|_| coherence != Coherence::None).map(|(_, anchor)| anchor))
    }
}
