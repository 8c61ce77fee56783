//! Composed zooms of scenes that loop: key pictures that lie inside each other without an innermost one.
//!
//! Over such a scene the zoom takes a whole number of steps, and the key that many steps further out is the same picture
//! again. The keys are painted in two laps. The first is that of every composed zoom, from the innermost key outwards.
//! In the second each key comes to lie around the one before, the first around the last of the first lap, and keeps
//! what it shows beyond that. What the laps differ by lies a whole lap inside, too small to be seen but for a few pixels.

use super::{Key, Pose, too_many};
use crate::camera::zoom;
use crate::canvas::Size;
use crate::error::{Error, Result};
use crate::timeline::frame::{Camera, ComposeParams, FrameParams};

/// The least that a key may be smaller in the one around it: bands need room.
const LEAST_RATIO: f64 = 1.2;
/// Zooms that miss their beginning by less than this (5 %), and by less than a tenth of what they go through, are meant
/// to come back, as a sine of magnifications is. What they miss is spread over the scene, where nobody sees it.
const STILL: f64 = 0.05;
/// More laps than any frame can look out.
const MOST_LAPS: usize = 64;

/// How the keys of a looping scene go on outwards.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Keys of a lap.
    pub count: usize,
    /// The way from a key to the same one a lap further out.
    outward: Pose,
    /// Laps outwards that some frame shows.
    laps: usize,
}

impl Round {
    /// The round of a scene whose frames lie at `poses`, and the ratio with which it closes; `None` where the zoom comes
    /// back by itself, so that the frames show the same keys again: then `poses` come back exactly.
    ///
    /// # Errors
    /// [`Error::Usage`] when no keys close it.
    pub fn of(
        frames: &[FrameParams],
        poses: &mut [Pose],
        compose: ComposeParams,
    ) -> Result<Option<(Self, f64)>> {
        let (Some(first), Some(last)) = (frames.first(), poses.last()) else { return Ok(None) };
        // What moves the first frame leads from the last one to it.
        let Camera::Flat(camera) = &first.camera else { return Ok(None) };
        let (level, angle) = (last.level + libm::log(camera.zoom), last.angle + camera.angle);
        let turns = angle / 360.0;
        let levels = || poses.iter().map(|pose| pose.level);
        let range = levels().fold(0.0, f64::max) - levels().fold(0.0, f64::min);
        if level.abs() < STILL && level.abs() <= 0.1 * range && (turns - turns.round()).abs() < 1e-9 {
            let count = poses.len() as f64;
            poses.iter_mut().enumerate().for_each(|(at, pose)| pose.level -= level * at as f64 / count);
            return Ok(None);
        }
        let count = (level.abs() / libm::log(compose.ratio)).round().max(2.0);
        let ratio = libm::exp(level.abs() / count);
        if ratio < LEAST_RATIO {
            return Err(too_little(first, level, angle));
        }
        if count > super::MOST_KEYS as f64 {
            return Err(too_many(first, compose));
        }
        // Zooming in, what lies outside was seen a round before.
        let outward = Pose { level: -level.abs(), angle: if level > 0.0 { -angle } else { angle } };
        Ok(Some((Self { count: count as usize, outward, laps: 1 }, ratio)))
    }

    /// The keys of the second lap over those of the first.
    pub fn second(&self, lap: &[Key]) -> Vec<Key> {
        let second = |(number, key): (usize, &Key)| {
            let mut params = key.params.clone();
            params.sampling.seed = params.sampling.seed.wrapping_add(1);
            Key { pose: self.outside(key.pose, 1.0), is_outer: true, over: Some(number), params }
        };
        lap.iter().enumerate().map(second).collect()
    }

    /// Looks out as far as needed to cover frames that lie at `poses`.
    pub fn widen<'a>(
        &mut self,
        keys: &[Key],
        poses: impl Iterator<Item = &'a Pose> + Clone,
        size: Size,
        overlap: f64,
    ) {
        let covers = |round: &Self| {
            let outermost = round.lying(keys).last().map(|(_, pose)| pose);
            outermost.is_some_and(|outermost| {
                poses.clone().all(|frame| zoom::covers(size, outermost.seen_from(*frame), overlap, 2.0))
            })
        };
        while !covers(self) && self.laps < MOST_LAPS {
            self.laps += 1;
        }
    }

    /// The pictures as they lie in the frames, the innermost first: those of the second lap, again and again.
    pub fn lying<'a>(&'a self, keys: &'a [Key]) -> impl Iterator<Item = (usize, Pose)> + 'a {
        // One lap further in than any frame, so that the one that fills it is none without another one inside.
        (0..self.laps + 2).flat_map(move |lap| {
            let lap = lap as f64 - 1.0;
            (0..self.count).map(move |key| (self.count + key, self.outside(keys[key].pose, lap)))
        })
    }

    fn outside(&self, pose: Pose, laps: f64) -> Pose {
        let (level, angle) = (self.outward.level * laps, self.outward.angle * laps);
        Pose { level: pose.level + level, angle: pose.angle + angle }
    }
}

fn too_little(first: &FrameParams, level: f64, angle: f64) -> Error {
    Error::Usage {
        message: format!(
            "the looping zoom from frame {} on comes to {:.3} times and {:.1} degrees, which no key pictures close",
            first.frame,
            libm::exp(level),
            angle
        ),
        hint: Some(format!(
            "zoom by {:.2} times at least over the scene, or back to 1 with whole turns",
            LEAST_RATIO * LEAST_RATIO
        )),
    }
}
