//! What the loop needs and does not know: something that paints, and what the film's files show.

use std::path::Path;

use crate::canvas::{Canvas, DepthMap, Plane, Size};
use crate::error::Result;
use crate::timeline::frame::{Clip, DepthSource, Fit, FrameParams, MaskFill};

/// What is to be painted.
#[derive(Debug)]
pub struct PaintRequest<'a> {
    /// The frame's numbers.
    pub params: &'a FrameParams,
    /// Size of the picture.
    pub size: Size,
    /// The picture underneath, of that size; without one the picture comes from text alone.
    pub init: Option<&'a Canvas>,
    /// What each of `params.controls` is shown, in the same order (of a reference: the picture that the model
    /// looks at); `None` where there is nothing to show yet: at a first frame.
    pub hints: Vec<Option<Canvas>>,
    /// What of `init` is repainted; without it everything. Only beside `init`.
    pub mask: Option<PaintOnly<'a>>,
    /// What of `init` is not known, and painted by a strength of its own. Only beside `init`.
    pub anew: Option<PaintAnew<'a>>,
}

/// What of a picture is not known.
#[derive(Clone, Copy, Debug)]
pub struct PaintAnew<'a> {
    /// Above 0.5 where nothing is known, of the picture's size.
    pub uncovered: &'a Plane,
    /// Share that is kept there, 0 to 1.
    pub strength: f64,
    /// Pixels over which it passes into the frame's strength.
    pub feather: f64,
    /// Seed of its noise.
    pub seed: u64,
}

/// What of a picture is repainted.
#[derive(Clone, Copy, Debug)]
pub struct PaintOnly<'a> {
    /// White is repainted, black is kept, of the picture's size.
    pub mask: &'a Canvas,
    /// What is under it when painting begins.
    pub fill: MaskFill,
    /// How far its edge is softened: the deviation of a Gaussian in pixels.
    pub blur: f64,
    /// Only the part around the mask is painted, with so many pixels more on each side.
    pub region: Option<u32>,
}

/// Paints over a picture. Real: a diffusion model. In tests and previews: nothing, or a pattern.
pub trait Painter {
    /// Paints. `watch(step, steps)` is called after each step; when it returns false the painter gives
    /// up and returns `None`.
    ///
    /// # Errors
    /// Whatever the model refuses.
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>>;
}

/// The pictures and the depth that a film names.
pub trait Sources {
    /// The picture file at `path`, brought to `size`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn picture(&mut self, path: &Path, size: Size, fit: Fit) -> Result<Canvas>;

    /// The alpha of the picture file at `path` as grey (white is opaque), brought to `size`; `None` when all of it is
    /// opaque.
    ///
    /// # Errors
    /// When it cannot be read, or these sources know of none.
    fn alpha(&mut self, path: &Path, size: Size, fit: Fit) -> Result<Option<Canvas>> {
        let _ = (path, size, fit);
        Ok(None)
    }

    /// The edges of the picture file at `path`, white on black, with Canny's low and high threshold.
    ///
    /// # Errors
    /// When it cannot be read.
    fn edges(&mut self, path: &Path, size: Size, fit: Fit, thresholds: (f64, f64)) -> Result<Canvas>;

    /// Relative inverse depth of `picture`, of its size; large is near, any range.
    ///
    /// # Errors
    /// When a file or network cannot be used.
    fn depth(&mut self, source: &DepthSource, picture: &Canvas) -> Result<DepthMap>;

    /// Picture `number` of a video, brought to `size`; behind the video's end its last picture.
    ///
    /// # Errors
    /// When the video cannot be read, or these sources have none.
    fn video(&mut self, clip: &Clip, number: u32, size: Size, fit: Fit) -> Result<Canvas> {
        let _ = (number, size, fit);
        Err(crate::error::Error::input(&clip.path, "expected a source of videos, found none"))
    }

    /// A depth map as a ControlNet wants to see it: grey, near is white, stretched over 0–255.
    fn hint(&self, depth: &DepthMap) -> Canvas;
}
