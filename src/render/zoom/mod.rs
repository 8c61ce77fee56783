//! Infinite zooms composed of key pictures: which there are, and which of them make up each frame.
//!
//! A scene's magnification is the product of its `zoom` up to a frame, and its turn the sum of its `angle`, as in the
//! loop. The innermost key fills the frame that is magnified most, and is painted first; each next one is `ratio`
//! times wider, is painted around the one before, and has the prompt, seed and model of the frame that it fills. Then
//! it is painted over as a whole, so that one hand has drawn it from edge to edge: its middle shows the key inside it
//! in its own strokes, and in a frame the finer key comes in while they are magnified. So a
//! scene takes `1 + log(total zoom) / log(ratio)` paintings, however many frames it has. Zooming in that is backward in
//! time, zooming out forward; a zoom that turns back meets the same keys again.

mod keys;
mod round;
mod run;

use std::collections::BTreeMap;

use crate::camera::zoom::{self, Layer, Passage, Placement};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};
use crate::timeline::frame::{Camera, Camera2d, ComposeParams, FrameParams, FrameSource};
pub use keys::{KeyShelf, PlannedKey};
use round::Round;
pub use run::{compose, paint};

/// More key pictures than any film needs: a zoom of a hundred powers of ten takes 333.
const MOST_KEYS: usize = 10_000;

/// Where a key picture or a frame lies in the zoom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Natural logarithm of the magnification since the scene's first frame.
    pub level: f64,
    /// Degrees turned since then, counter-clockwise.
    pub angle: f64,
}

impl Pose {
    /// How a picture that lies so is seen from `frame`.
    pub fn seen_from(self, frame: Self) -> Placement {
        Placement { scale: libm::exp(frame.level - self.level), angle: frame.angle - self.angle }
    }
}

/// A key picture that is to be painted.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it lies.
    pub pose: Pose,
    /// It is painted around another one.
    pub is_outer: bool,
    /// Number of the key that it is, once more: what that shows beyond the one inside stays.
    pub over: Option<usize>,
    /// What it is painted with: the numbers of the frame that it fills, whose number it has.
    pub params: FrameParams,
}

impl Key {
    /// What it is painted over with once it is whole; `None` when it stays as it is.
    pub fn refined(&self) -> Option<FrameParams> {
        let refine = self.params.making.compose.map_or(0.0, |compose| compose.refine);
        if refine == 0.0 || !self.is_outer {
            return None;
        }
        let mut params = self.params.clone();
        params.cut = false;
        params.sampling.strength = 1.0 - refine;
        // The same noise twice would bring out its own pattern.
        params.sampling.seed = params.sampling.seed.wrapping_add(1);
        Some(params)
    }

    /// The numbers of every run of the model that it takes.
    pub fn paintings(&self) -> impl Iterator<Item = FrameParams> {
        let whole = self.over.is_none().then(|| self.params.clone());
        whole.into_iter().chain(self.refined())
    }
}

/// The key pictures of a scene, the innermost first.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Number of the scene.
    pub scene: usize,
    /// How they lie in each other.
    pub compose: ComposeParams,
    /// The pictures.
    pub keys: Vec<Key>,
    /// Where each frame of the scene lies.
    poses: BTreeMap<u32, Pose>,
    /// How they go on without an end, where the scene loops.
    round: Option<Round>,
    size: Size,
}

impl Chain {
    /// The chains of all scenes of a film that are composed. `frames` are all its frames in order.
    ///
    /// # Errors
    /// [`Error::Usage`] when a zoom takes more key pictures than anybody could paint.
    pub fn all(frames: &[FrameParams], size: Size) -> Result<Vec<Self>> {
        let scenes = frames.chunk_by(|a, b| a.scene == b.scene);
        let composed = scenes.filter_map(|scene| Some((scene, scene.first()?.making.compose?)));
        composed.map(|(scene, compose)| Self::of_scene(scene, compose, size)).collect()
    }

    fn of_scene(frames: &[FrameParams], mut compose: ComposeParams, size: Size) -> Result<Self> {
        let mut poses: Vec<Pose> = poses(frames);
        let mut round = None;
        if compose.closed
            && let Some((found, ratio)) = Round::of(frames, &mut poses, compose)?
        {
            compose.ratio = ratio;
            round = Some(found);
        }
        let extreme = |better: fn(f64, f64) -> bool| {
            let best =
                |best: usize, at: usize| if better(poses[at].level, poses[best].level) { at } else { best };
            (1..poses.len()).fold(0, best)
        };
        let (deepest, widest) = (extreme(|a, b| a > b), extreme(|a, b| a < b));
        let mut chain = Self {
            scene: frames[0].scene,
            compose,
            keys: vec![key(&frames[deepest], poses[deepest], None)],
            poses: frames.iter().map(|frame| frame.frame).zip(poses.iter().copied()).collect(),
            round,
            size,
        };
        let step = libm::log(compose.ratio);
        let first = poses[deepest].level;
        while !chain.is_whole(poses[widest].level) {
            let count = chain.keys.len();
            if count == MOST_KEYS {
                return Err(too_many(&frames[0], compose));
            }
            let level = first - step * count as f64;
            let away = |at: &usize| (poses[*at].level - level).abs();
            let at = (0..poses.len()).min_by(|a, b| away(a).total_cmp(&away(b))).unwrap_or(widest);
            let pose = Pose { level, angle: poses[at].angle };
            chain.keys.push(key(&frames[at], pose, Some(compose)));
        }
        if let Some(round) = &mut chain.round {
            let second = round.second(&chain.keys);
            round.widen(&chain.keys, chain.poses.values(), size, compose.overlap);
            chain.keys.extend(second);
        }
        Ok(chain)
    }

    /// Whether there are all keys of a lap, or the outermost one covers every frame; `widest` is the level of the one that sees most.
    fn is_whole(&self, widest: f64) -> bool {
        if let Some(round) = &self.round {
            return self.keys.len() == round.count;
        }
        let Some(outermost) = self.keys.last() else { return false };
        // Scales that are powers are not exact: a hair must not cost a picture.
        outermost.pose.level <= widest + 1e-9
            && self.poses.values().all(|frame| {
                let placement = outermost.pose.seen_from(*frame);
                zoom::covers(self.size, placement, self.compose.overlap, 0.0)
            })
    }

    /// How the key before lies in the key with that number; `None` in the innermost one.
    pub fn inner(&self, key: usize) -> Option<Placement> {
        let inner = self.keys.get(key.checked_sub(1)?)?;
        let placement = inner.pose.seen_from(self.keys[key].pose);
        Some(Placement { scale: 1.0 / self.compose.ratio, ..placement })
    }

    /// Whether the scene has a frame of that number.
    pub fn has(&self, frame: u32) -> bool {
        self.poses.contains_key(&frame)
    }

    /// How many keys, from the innermost one on, must be there for these frames.
    pub fn needed(&self, frames: impl Iterator<Item = u32>) -> usize {
        frames.flat_map(|frame| self.shown(frame)).map(|(key, ..)| key + 1).max().unwrap_or(0)
    }

    /// The keys that make up a frame, the outermost first: number, place and how far it has come in.
    pub fn shown(&self, frame: u32) -> Vec<(usize, Placement, Passage)> {
        let Some(pose) = self.poses.get(&frame) else { return Vec::new() };
        let lying: Vec<(usize, Pose)> = match &self.round {
            Some(round) => round.lying(&self.keys).collect(),
            None => self.keys.iter().map(|key| key.pose).enumerate().collect(),
        };
        let places: Vec<Placement> = lying.iter().map(|(_, key)| key.seen_from(*pose)).collect();
        let chosen = zoom::chosen(self.size, &places, self.compose.overlap);
        chosen.map(|(at, passage)| (lying[at].0, places[at], passage)).collect()
    }

    /// A frame out of the pictures of the keys that [`Chain::shown`] names.
    pub fn composed<'a>(&self, frame: u32, picture: impl Fn(usize) -> Option<&'a Canvas>) -> Canvas {
        let layers: Vec<Layer<'_>> = self
            .shown(frame)
            .into_iter()
            .filter_map(|(key, placement, passage)| {
                Some(Layer { picture: picture(key)?, placement, passage })
            })
            .collect();
        zoom::compose(self.size, &layers, self.compose.overlap)
    }
}

/// Where each frame lies.
fn poses(frames: &[FrameParams]) -> Vec<Pose> {
    let mut pose = Pose { level: 0.0, angle: 0.0 };
    let mut poses = Vec::with_capacity(frames.len());
    for (index, frame) in frames.iter().enumerate() {
        if let (Camera::Flat(camera), true) = (&frame.camera, index > 0) {
            pose.level += libm::log(camera.zoom);
            pose.angle += camera.angle;
        }
        poses.push(pose);
    }
    poses
}

/// The key picture that fills `frame`; `around` says how it lies around another one.
fn key(frame: &FrameParams, pose: Pose, around: Option<ComposeParams>) -> Key {
    let mut params = frame.clone();
    // Motion and place in the film do not change what is painted, so they must not have it painted again.
    if let Camera::Flat(camera) = &mut params.camera {
        *camera = Camera2d { zoom: 1.0, angle: 0.0, ..*camera };
    }
    params.making.reversed = false;
    params.closing = None;
    params.cut = true;
    if around.is_some() {
        params.source = FrameSource::Previous;
    }
    let over_picture = matches!(params.source, FrameSource::Init(_));
    let kept = params.making.compose.map_or(0.0, |compose| compose.init_strength);
    params.sampling.strength = if over_picture { kept } else { 0.0 };
    Key { pose, is_outer: around.is_some(), over: None, params }
}

fn too_many(first: &FrameParams, compose: ComposeParams) -> Error {
    Error::Usage {
        message: format!(
            "the zoom from frame {} on takes more than {MOST_KEYS} key pictures at a ratio of {}",
            first.frame, compose.ratio
        ),
        hint: Some("zoom less, or give `compose` a larger `ratio`".to_owned()),
    }
}
