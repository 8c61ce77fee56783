//! Crossfades: which frames of a scene are mixed with the one before, and how that one moves on meanwhile.

use super::Timeline;
use super::frame::{Border, Camera};
use super::params;
use super::reader::Reader;
use super::settings::number;

/// A scene comes in over the one before.
///
/// The scene before is not painted on: its last picture is moved as its camera goes on, and fades out. So a crossfade
/// costs no painting, the film keeps its length, and sound stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Fade {
    /// The scene's first frame.
    pub start: u32,
    /// How the picture of the scene before is moved at each of the frames: as many as the fade is long, at least 1.
    pub tail: Vec<(Camera, Border)>,
}

impl Timeline {
    /// The film's crossfades in order.
    pub fn fades(&self) -> Vec<Fade> {
        (1..self.stages.len()).filter_map(|scene| self.fade(scene)).collect()
    }

    fn fade(&self, scene: usize) -> Option<Fade> {
        let stage = self.stages.get(scene)?;
        let (call, clock) =
            stage.values.calls.get("transition").filter(|(call, _)| call.spec.name == "crossfade")?;
        let length = number(call, "length", clock).ok()?.round() as u32;
        let start = stage.clock.start;
        let tail =
            (start..start + length.clamp(1, stage.clock.length)).map(|frame| self.beyond(scene - 1, frame));
        Some(Fade { start, tail: tail.collect() })
    }

    /// The camera of a scene at a frame behind its end; where its values cannot be computed there, that of its last
    /// frame.
    fn beyond(&self, scene: usize, frame: u32) -> (Camera, Border) {
        let stage = &self.stages[scene];
        let read = |frame| {
            let rate = self.video.rate.as_f64();
            let mut reader = Reader { frame, rate, folder: &self.folder, found: Vec::new() };
            (params::frame(&mut reader, stage, scene), reader.found.is_empty())
        };
        let params = match read(frame) {
            (params, true) => params,
            _ => read(stage.clock.start + stage.clock.length - 1).0,
        };
        (params.camera, params.border)
    }
}

#[cfg(test)]
mod tests {
    use crate::timeline::frame::Camera;
    use crate::timeline::{Options, Timeline};

    #[test]
    fn the_scene_before_moves_on_beyond_its_end() {
        let text = "kinora 1\nprompt = \"a\"\nscene one 10f { translation_x = 0: 0, 20: 20 }\n\
                    scene two 3f { transition = crossfade(length = 5) }\nscene three 4f { }\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let fades = Timeline::new(&film, &Options::default()).unwrap().fades();
        let ways: Vec<f64> = fades[0]
            .tail
            .iter()
            .map(|(camera, _)| match camera {
                Camera::Flat(camera) => camera.translation_x,
                Camera::Deep(_) => 0.0,
            })
            .collect();
        // No longer than its scene.
        assert_eq!((fades.len(), fades[0].start, ways), (1, 10, vec![10.0, 11.0, 12.0]));
    }
}
