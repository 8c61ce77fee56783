//! Frames that come as they are painted, in the order in which they are shown.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};
use crate::timeline::Timeline;

/// Puts scenes that are shown backward into that order. Their frames wait on the disk: a scene may have thousands.
pub(crate) struct Backward<'a> {
    timeline: &'a Timeline,
    path: PathBuf,
    waiting: Option<(File, Size, u32)>,
}

impl<'a> Backward<'a> {
    /// For frames on their way to the file `out`, beside which they wait.
    pub fn beside(out: &Path, timeline: &'a Timeline) -> Self {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        Self { timeline, path: out.with_file_name(format!(".{name}.backward")), waiting: None }
    }

    /// Takes the next frame as it is painted, and gives those whose turn it is now.
    ///
    /// # Errors
    /// When the disk refuses, or whatever `give` says.
    pub fn take(
        &mut self,
        frame: u32,
        canvas: Canvas,
        give: &mut dyn FnMut(u32, Canvas) -> Result<()>,
    ) -> Result<()> {
        let scene =
            self.timeline.scenes().find(|(_, start, length)| (*start..start + length).contains(&frame));
        let (start, length) = scene.map_or((frame, 1), |(_, start, length)| (start, length));
        if !self.timeline.reversed_starts().any(|reversed| reversed == start) {
            return give(frame, canvas);
        }
        let cannot = |e: std::io::Error| {
            Error::output(&self.path, format!("cannot keep frames here for a moment: {e}"))
        };
        let (mut file, size, count) = match self.waiting.take() {
            Some(waiting) => waiting,
            None => {
                let mut options = File::options();
                let open = options.read(true).write(true).create(true).truncate(true).open(&self.path);
                (open.map_err(cannot)?, canvas.size(), 0)
            }
        };
        file.write_all(canvas.as_rgb8()).map_err(cannot)?;
        if frame + 1 < start + length {
            self.waiting = Some((file, size, count + 1));
            return Ok(());
        }
        let bytes = size.area() * 3;
        for back in (0..=count).rev() {
            let mut rgb = vec![0; bytes];
            let at = SeekFrom::Start(u64::from(back) * bytes as u64);
            file.seek(at).and_then(|_| file.read_exact(&mut rgb)).map_err(cannot)?;
            give(start + (count - back), Canvas::from_rgb8(size, rgb))?;
        }
        Ok(())
    }
}

impl Drop for Backward<'_> {
    fn drop(&mut self) {
        // Best effort: it is there only when a scene was shown backward.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule;
    use crate::timeline::Options;

    #[test]
    fn scenes_are_turned_round_each_by_itself() {
        let text = "kinora 1\nprompt = \"a\"\nscene a 2f { zoom = 1 }\nscene b 3f reverse { zoom = 1 }\n\
                    scene c 2f reverse { zoom = 1 }\nscene d 1f { zoom = 1 }\n";
        let (film, _) = schedule::read("film.kin", text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut shown = Vec::new();
        let mut backward = Backward::beside(&folder.path().join("a.mp4"), &timeline);
        for frame in 0..8 {
            let canvas = Canvas::filled(Size::new(2, 2), [frame as u8; 3]);
            backward
                .take(frame, canvas, &mut |frame, canvas| {
                    shown.push((frame, u32::from(canvas.pixel(0, 0)[0])));
                    Ok(())
                })
                .unwrap();
        }
        drop(backward);
        assert_eq!(shown, [(0, 0), (1, 1), (2, 4), (3, 3), (4, 2), (5, 6), (6, 5), (7, 7)]);
        assert!(shown.iter().all(|(frame, painted)| timeline.painted_at(*frame) == *painted));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
