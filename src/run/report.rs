//! What a run has to say when it is over.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::render::frame_loop::StageTimes;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The video.
    pub out: PathBuf,
    /// The folder of the frames.
    pub frames_folder: PathBuf,
    /// Frames of the run.
    pub frames: u32,
    /// How many of them were there already.
    pub found: u32,
    /// What the loop's stages took.
    pub times: StageTimes,
    /// Frames in the video.
    pub written: u32,
    /// The video's frame rate.
    pub fps: f64,
    /// How the frames' measures went, for the terminal; empty when nothing was painted.
    pub drift: String,
    /// What everything behind the store took.
    pub finishing: Duration,
    /// The video was there already and right.
    pub up_to_date: bool,
}

impl Report {
    /// A report of a run that has just begun.
    pub(crate) fn new(out: &Path, frames_folder: &Path, frames: u32, found: u32) -> Self {
        Self {
            out: out.to_owned(),
            frames_folder: frames_folder.to_owned(),
            frames,
            found,
            times: StageTimes::default(),
            written: 0,
            fps: 0.0,
            drift: String::new(),
            finishing: Duration::ZERO,
            up_to_date: false,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.up_to_date && self.times.frames == 0 {
            return writeln!(f, "{} is up to date; nothing to do", self.out.display());
        }
        if self.times.frames > 0 {
            let each = |d: Duration| d.as_secs_f64() / f64::from(self.times.frames);
            let StageTimes { depth, warp, colour, noise, paint, store, .. } = self.times;
            let stages = [
                ("depth", depth),
                ("warp", warp),
                ("colour", colour),
                ("noise", noise),
                ("diffusion", paint),
                ("store", store),
            ];
            writeln!(f, "{:<12} {:>12}", "stage", "s per frame")?;
            for (name, time) in stages {
                writeln!(f, "{name:<12} {:>12.4}", each(time))?;
            }
            let sum: Duration = stages.iter().map(|(_, time)| *time).sum();
            writeln!(f, "{:<12} {:>12.4}  ({} frames painted)", "together", each(sum), self.times.frames)?;
        }
        f.write_str(&self.drift)?;
        if self.found > 0 {
            writeln!(f, "{} of {} frames were there already", self.found, self.frames)?;
        }
        if self.up_to_date {
            return writeln!(f, "{} is up to date: the frames are the same as before", self.out.display());
        }
        if self.written == 0 {
            return writeln!(
                f,
                "this build writes no video; the frames are in {}",
                self.frames_folder.display()
            );
        }
        write!(
            f,
            "{}: {} frame{}, {:.2} s at {} fps",
            self.out.display(),
            self.written,
            if self.written == 1 { "" } else { "s" },
            f64::from(self.written) / self.fps.max(f64::MIN_POSITIVE),
            (self.fps * 1000.0).round() / 1000.0,
        )?;
        if self.finishing > Duration::ZERO {
            let seconds = self.finishing.as_secs_f64();
            write!(f, "; deflicker, in-betweens and encoding took {seconds:.1} s")?;
        }
        writeln!(f)
    }
}
