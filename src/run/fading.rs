//! Stored frames with the film's crossfades.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::camera;
use crate::canvas::{Canvas, Size};
use crate::colour::compose;
use crate::error::Result;
use crate::post::chain::FrameSource;
use crate::render::store::Store;
use crate::timeline::Fade;
use crate::timeline::frame::Camera;

/// The frames of a store, each mixed with the scene before while that fades out.
pub(crate) struct Fading<'a> {
    frames: &'a [u32],
    paths: Vec<PathBuf>,
    fades: &'a [Fade],
    /// The last picture of the scene before, as far as it was moved: of which fade, and how often.
    moved: RefCell<Option<(u32, usize, Canvas)>>,
}

impl<'a> Fading<'a> {
    /// The listed frames of `store`.
    pub(crate) fn new(store: &Store, frames: &'a [u32], fades: &'a [Fade]) -> Self {
        let paths = frames.iter().map(|frame| store.path(*frame)).collect();
        Self { frames, paths, fades, moved: RefCell::new(None) }
    }

    /// The same with the files that are shown, one for each listed frame: scenes that are shown backward lie in the
    /// store as they were painted.
    pub(crate) fn of_files(self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self }
    }

    /// The fade at a frame, and how far it has come. Where the scene before is not among the frames there is nothing
    /// to fade from.
    fn fade(&self, frame: u32) -> Option<(&'a Fade, usize, &Path)> {
        let fade = self.fades.iter().rfind(|fade| fade.start <= frame)?;
        let step = (frame - fade.start) as usize;
        if step >= fade.tail.len() {
            return None;
        }
        let last = self.frames.iter().position(|listed| listed + 1 == fade.start)?;
        Some((fade, step, self.paths[last].as_path()))
    }

    /// The last picture of the scene before, moved on to this step.
    fn tail(&self, fade: &Fade, step: usize, last: &Path) -> Result<Canvas> {
        let mut moved = self.moved.borrow_mut();
        let known = moved.take().filter(|(start, done, _)| *start == fade.start && *done <= step + 1);
        let (mut done, mut picture) = match known {
            Some((_, done, picture)) => (done, picture),
            None => (0, Canvas::open(last)?),
        };
        while done <= step {
            let (camera, border) = &fade.tail[done];
            // Of the relief nothing is known any more: a 3D camera sees a plane.
            picture = camera::warp(&picture, camera, *border, None).canvas;
            done += 1;
        }
        *moved = Some((fade.start, done, picture.clone()));
        Ok(picture)
    }
}

impl FrameSource for Fading<'_> {
    fn count(&self) -> usize {
        self.frames.len()
    }

    fn frame(&self, number: usize) -> Result<Canvas> {
        let picture = Canvas::open(&self.paths[number])?;
        let Some((fade, step, last)) = self.fade(self.frames[number]) else { return Ok(picture) };
        let tail = self.tail(fade, step, last)?;
        // The first mixed frame is no longer the old scene alone, and the one behind the fade is the new one alone.
        let share = (step + 1) as f64 / (fade.tail.len() + 1) as f64;
        Ok(compose::blend(&tail, &picture, share))
    }
}

/// The fades of a film whose frames are smaller than it says: the motion is the film's, seen smaller.
pub(crate) fn shrunk(mut fades: Vec<Fade>, full: Size, size: Size) -> Vec<Fade> {
    let (across, down) = (size.width as f64 / full.width as f64, size.height as f64 / full.height as f64);
    for (camera, _) in fades.iter_mut().flat_map(|fade| &mut fade.tail) {
        if let Camera::Flat(camera) = camera {
            camera.translation_x *= across;
            camera.translation_y *= down;
        }
    }
    fades
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::journal::Expected;
    use crate::timeline::frame::{Border, Camera2d};

    #[test]
    fn the_scene_before_fades_out_evenly() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let grey = |value: u8| Canvas::filled(Size::new(8, 8), [value; 3]);
        let expected = Expected { params: String::new(), models: String::new(), independent: true };
        store
            .while_storing(|shelf| {
                let values = [0, 0, 200, 200, 200, 200];
                (0..6).try_for_each(|i| shelf.put(i, grey(values[i as usize]), "", expected.clone()))
            })
            .unwrap();
        let fades =
            vec![Fade { start: 2, tail: vec![(Camera::Flat(Camera2d::STILL), Border::Replicate); 3] }];
        let shown = |frames: &[u32]| -> Vec<u8> {
            let source = Fading::new(&store, frames, &fades);
            (0..source.count()).map(|i| source.frame(i).unwrap().pixel(4, 4)[0]).collect()
        };
        assert_eq!(shown(&[0, 1, 2, 3, 4, 5]), [0, 0, 50, 100, 150, 200]);
        // Twice the same, also backwards, and alone where nothing is there to fade from.
        assert_eq!(shown(&[1, 4, 3, 4]), [0, 150, 100, 150]);
        assert_eq!(shown(&[3, 4]), [200, 200]);
    }
}
