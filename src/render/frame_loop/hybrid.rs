//! Hybrid video: a video is mixed into the picture, or moves it.
//!
//! As sd-webui-deforum 32242685, `hybrid_video.py`. Deliberate differences: perspective and affine motion are fitted
//! to dense flow ([`super::rigid`]) where the peer matches SIFT features, and motion from the generated frame works
//! for them too; flow that cannot be trusted is left out where the peer reverses it, and what comes from beyond the
//! edge is mirrored where the peer is black beyond a quarter of the picture.

use super::rigid;
use super::studio::{Studio, timed};
use crate::camera::flow::{self as along, Flow, FlowBorder};
use crate::canvas::{Canvas, Plane, Size};
use crate::colour::{Overflow, compose};
use crate::error::Result;
use crate::flow::{FlowSettings, flow};
use crate::timeline::frame::{
    Fit, FrameParams, HybridComposite, HybridMask, HybridMaskKind, HybridMotion, HybridParams, HybridVideo,
};

/// Whether the depth of the frame before is looked at.
pub(super) fn wants_depth(params: &FrameParams) -> bool {
    params.hybrid.as_ref().is_some_and(|hybrid| {
        hybrid.composite != HybridComposite::None
            && hybrid.mask.is_some_and(|mask| mask.kind == HybridMaskKind::Depth)
    })
}

impl Studio<'_> {
    /// The video's work on the moved picture before it is painted over. `generated` is the frame before as it was
    /// painted, `depth` its depth as a picture, where it is known.
    pub(super) fn hybrid(
        &mut self,
        params: &FrameParams,
        moved: Canvas,
        generated: &Canvas,
        depth: Option<&Canvas>,
    ) -> Result<Canvas> {
        let Some(hybrid) = &params.hybrid else { return Ok(moved) };
        let mut picture = moved;
        if hybrid.composite == HybridComposite::BeforeMotion {
            picture = self.mixed(params, hybrid, picture, depth)?;
        }
        picture = self.hybrid_moved(params, picture, generated)?;
        if hybrid.composite == HybridComposite::Normal {
            picture = self.mixed(params, hybrid, picture, depth)?;
        }
        Ok(picture)
    }

    /// A picture moved as the video moves from the frame before to this one.
    pub(super) fn hybrid_moved(
        &mut self,
        params: &FrameParams,
        picture: Canvas,
        generated: &Canvas,
    ) -> Result<Canvas> {
        let Some(hybrid) = &params.hybrid else { return Ok(picture) };
        let Some(motion) = self.motion(hybrid, generated)? else { return Ok(picture) };
        let border = if self.as_deforum() { FlowBorder::Deforum } else { FlowBorder::Reflect };
        Ok(timed(&mut self.times.warp, || along::apply(&picture, &motion, 1.0, border).canvas))
    }

    /// The video's work on the painted frame.
    pub(super) fn hybrid_after(
        &mut self,
        params: &FrameParams,
        painted: Canvas,
        depth: Option<&Canvas>,
    ) -> Result<Canvas> {
        match &params.hybrid {
            Some(hybrid) if hybrid.composite == HybridComposite::AfterGeneration && !params.cut => {
                self.mixed(params, hybrid, painted, depth)
            }
            _ => Ok(painted),
        }
    }

    /// The picture of the video that is followed.
    pub(super) fn hybrid_picture(&mut self, video: &HybridVideo) -> Result<Canvas> {
        let (sources, size) = (&mut *self.sources, self.size);
        match video {
            HybridVideo::Clip(clip, number) => sources.video(clip, *number, size, Fit::Crop),
            HybridVideo::Still(path) => sources.picture(path, size, Fit::Crop),
        }
    }

    fn as_deforum(&self) -> bool {
        self.rules.overflow == Overflow::Wrap
    }

    fn mixed(
        &mut self,
        params: &FrameParams,
        hybrid: &HybridParams,
        picture: Canvas,
        depth: Option<&Canvas>,
    ) -> Result<Canvas> {
        let video = self.hybrid_picture(&hybrid.video)?;
        let shown = match &hybrid.mask {
            None => video,
            Some(set) => {
                let grey = match set.kind {
                    HybridMaskKind::Blend(alpha) => {
                        compose::blended(&compose::luma(&picture), &compose::luma(&video), alpha)
                    }
                    HybridMaskKind::Difference => {
                        let (a, b) = (compose::luma(&picture), compose::luma(&video));
                        a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).collect()
                    }
                    HybridMaskKind::Depth => match depth {
                        Some(depth) => compose::luma(depth),
                        None => self.seen_depth(params, &picture)?,
                    },
                    HybridMaskKind::VideoDepth => self.seen_depth(params, &video)?,
                };
                compose::composite(&picture, &video, &finished(grey, set))
            }
        };
        Ok(compose::blend(&picture, &shown, hybrid.alpha))
    }

    fn seen_depth(&mut self, params: &FrameParams, picture: &Canvas) -> Result<Vec<u8>> {
        let sources = &mut *self.sources;
        let depth = timed(&mut self.times.depth, || sources.depth(&params.depth, picture))?;
        Ok(compose::luma(&self.sources.hint(&depth)))
    }

    /// How the video moves the picture at this frame.
    fn motion(&mut self, hybrid: &HybridParams, generated: &Canvas) -> Result<Option<Flow>> {
        let before = match &hybrid.video {
            _ if hybrid.motion == HybridMotion::None => return Ok(None),
            _ if hybrid.from_generated => generated.clone(),
            HybridVideo::Still(_) => return Ok(None),
            HybridVideo::Clip(clip, number) => {
                self.hybrid_picture(&HybridVideo::Clip(clip.clone(), number.saturating_sub(1)))?
            }
        };
        let now = self.hybrid_picture(&hybrid.video)?;
        let as_deforum = self.as_deforum();
        Ok(timed(&mut self.times.warp, || between(&before, &now, hybrid.motion, as_deforum)))
    }
}

/// The motion from one picture to the next.
fn between(before: &Canvas, now: &Canvas, motion: HybridMotion, as_deforum: bool) -> Option<Flow> {
    let size = now.size();
    Some(match motion {
        HybridMotion::None => return None,
        HybridMotion::Flow { fine, factor, consistency } => {
            let forward = estimated(before, now, fine);
            let forward = match consistency {
                None => forward,
                Some(sigma) => {
                    let trust = along::consistency(&forward, &estimated(now, before, fine));
                    forward.weighted(&softened(&trust, sigma, as_deforum))
                }
            };
            let factor = factor as f32;
            forward.scaled([factor, factor])
        }
        HybridMotion::Perspective => rigid::field(size, rigid::homography(&matches(before, now))?),
        HybridMotion::Affine => rigid::field(size, rigid::similarity(&matches(before, now))?),
    })
}

/// What flow that cannot be trusted is multiplied by. Below 0 it would be turned round, as the peer does.
fn softened(trust: &Plane, sigma: f64, as_deforum: bool) -> Plane {
    let mut soft = along::blur(trust, sigma);
    if !as_deforum {
        soft.values_mut().iter_mut().for_each(|value| *value = value.max(0.0));
    }
    soft
}

fn estimated(first: &Canvas, second: &Canvas, fine: bool) -> Flow {
    let usual = FlowSettings::default();
    let settings = if fine { FlowSettings { iterations: 32, ..usual } } else { usual };
    let found = flow(first, second, &settings);
    Flow::new(found.size(), found.vectors().to_vec())
}

/// Places of the first picture and where they are in the second, on a grid, of those that the flow back confirms.
fn matches(first: &Canvas, second: &Canvas) -> Vec<rigid::Match> {
    let Size { width, height } = first.size();
    let forward = estimated(first, second, false);
    let trust = along::consistency(&forward, &estimated(second, first, false));
    // About a thousand places; more would not make the fit better.
    let step = ((width * height / 1024) as f64).sqrt().max(1.0) as usize;
    let grid = (0..height).step_by(step).flat_map(|y| (0..width).step_by(step).map(move |x| (x, y)));
    let found = grid.filter(|(x, y)| trust.values()[y * width + x] > 0.0).map(|(x, y)| {
        let [dx, dy] = forward.vectors()[y * width + x].map(f64::from);
        let from = [x as f64, y as f64];
        rigid::Match { from, to: [from[0] + dx, from[1] + dy] }
    });
    found.collect()
}

/// The mask's grey values as the settings want them.
fn finished(mut grey: Vec<u8>, set: &HybridMask) -> Vec<u8> {
    if set.inverse {
        grey.iter_mut().for_each(|value| *value = 255 - *value);
    }
    if set.equalize_before {
        grey = compose::equalized(&grey);
    }
    grey = compose::contrasted(&grey, set.contrast);
    if let Some((low, high)) = set.auto_contrast {
        grey = compose::autocontrasted(&grey, low, high);
    }
    if set.equalize_after { compose::equalized(&grey) } else { grey }
}
