//! Deflickers a folder of photographs or a video file, in two passes and with flat memory.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Analyser, Correction, Method};
use crate::canvas::{Canvas, Size};
use crate::encode::{FrameSink, VideoReader, VideoSettings, VideoWriter, stills};
use crate::error::{Error, Result};
use crate::post::picture::Picture;

/// Pictures in memory at once: enough to keep a few cores busy, and bounded.
const BATCH: usize = 8;

/// Marks a folder whose pictures were written here, so that a second run may replace them.
const MARKER: &str = ".kinora-deflicker";

/// Endings of video files that are not written.
const OTHER_VIDEOS: [&str; 8] = ["mkv", "mov", "avi", "webm", "m4v", "mpg", "mpeg", "gif"];

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Frames of the sequence.
    pub frames: usize,
    /// The input was a video with sound, which the output does not have.
    pub lost_sound: bool,
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// 1 looks at every frame, 2 corrects and writes them.
    pub pass: u8,
    /// Frames done in this pass.
    pub done: usize,
    /// Frames of the sequence.
    pub total: usize,
}

/// What to do and whom to tell.
pub struct Job<'a> {
    /// How flicker is taken out.
    pub method: Method,
    /// Numbers of frames that begin a new scene, ascending.
    pub cuts: &'a [usize],
    /// How a video is encoded when the output is one.
    pub video: &'a VideoSettings,
    /// Called after every frame; `false` stops the work with [`Error::Interrupted`].
    pub watch: &'a mut dyn FnMut(Progress) -> bool,
}

impl Job<'_> {
    fn tell(&mut self, pass: u8, done: usize, total: usize) -> Result<()> {
        if (self.watch)(Progress { pass, done, total }) { Ok(()) } else { Err(Error::Interrupted) }
    }
}

/// Deflickers `input`, a folder of PNG and JPEG pictures or a video, into `output`. The input is never
/// written to, and neither are pictures in `output` that something else put there.
///
/// * A folder becomes a folder: names are kept, PNG stays PNG (8 or 16 bits, alpha kept), JPEG stays JPEG
///   (quality 95), with their colour profile and Exif data. What an earlier run wrote there is replaced.
/// * A video becomes a video without sound when `output` ends in `.mp4`, and else a folder of numbered PNG
///   pictures.
///
/// # Errors
/// [`Error::Input`] for unreadable files and pictures of different sizes, [`Error::Usage`] when the output is
/// the input, holds other pictures or is a video that is no MP4, [`Error::Output`] and [`Error::Video`] when it cannot be written, [`Error::Interrupted`].
pub fn deflicker(input: &Path, output: &Path, mut job: Job<'_>) -> Result<Done> {
    refuse_same(input, output)?;
    refuse_other_videos(output)?;
    match (input.is_dir(), is_video(output)) {
        (true, false) => folder(input, output, &mut job),
        (true, true) => Err(Error::Usage {
            message: format!("expected a folder for the pictures, got {}", output.display()),
            hint: Some("a folder has no frame rate: write to a folder, then encode that".to_owned()),
        }),
        (false, _) => video(input, output, &mut job),
    }
}

fn is_video(path: &Path) -> bool {
    !path.is_dir() && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4"))
}

/// A folder called `film.mkv` is never meant.
fn refuse_other_videos(output: &Path) -> Result<()> {
    let extension = output.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if output.is_dir() || !OTHER_VIDEOS.contains(&extension.as_str()) {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("expected a video that ends in .mp4 or a folder, got {}", output.display()),
        hint: Some("kinora writes H.264 in MP4, and pictures".to_owned()),
    })
}

/// Makes the folder, and refuses one with pictures that are not ours to replace.
fn claim(output: &Path) -> Result<()> {
    std::fs::create_dir_all(output)
        .map_err(|e| Error::output(output, format!("cannot make the folder: {e}")))?;
    if !output.join(MARKER).exists() && stills::list(output).is_ok() {
        return Err(Error::Usage {
            message: format!("the folder {} holds pictures that kinora did not write", output.display()),
            hint: Some("originals are never overwritten: name another folder, or empty this one".to_owned()),
        });
    }
    Ok(())
}

/// Says that the pictures in the folder are ours.
fn mark(output: &Path) -> Result<()> {
    std::fs::write(output.join(MARKER), b"")
        .map_err(|e| Error::output(output, format!("cannot write here: {e}")))
}

/// Originals must survive: the output must be another place than the input.
fn refuse_same(input: &Path, output: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().ok();
    if real(input).is_some_and(|place| Some(place) == real(output)) {
        return Err(Error::Usage {
            message: format!("the output {} is the input", output.display()),
            hint: Some("originals are never overwritten: name another place".to_owned()),
        });
    }
    Ok(())
}

fn folder(input: &Path, output: &Path, job: &mut Job<'_>) -> Result<Done> {
    let paths = stills::list(input)?;
    // Before the first pass, so that an unwritable place is found at once.
    claim(output)?;
    refuse_same(input, output)?;
    let correction = analyse_folder(&paths, job)?;
    mark(output)?;
    for (batch, group) in paths.chunks(BATCH).enumerate() {
        let first = batch * BATCH;
        group.par_iter().enumerate().try_for_each(|(i, path)| {
            let mut picture = Picture::open(path)?;
            picture.correct(&correction, first + i);
            stills::write_whole(&output.join(path.file_name().unwrap_or_default()), &picture.encode(path)?)
        })?;
        job.tell(2, first + group.len(), paths.len())?;
    }
    Ok(Done { frames: paths.len(), lost_sound: false })
}

fn analyse_folder(paths: &[PathBuf], job: &mut Job<'_>) -> Result<Correction> {
    let mut analyser = Analyser::new(job.method)?;
    let mut first: Option<Size> = None;
    let mut done = 0;
    for group in paths.chunks(BATCH) {
        let canvases: Vec<Canvas> = group.par_iter().map(|p| Canvas::open(p)).collect::<Result<_>>()?;
        for (path, canvas) in group.iter().zip(&canvases) {
            let expected = *first.get_or_insert(canvas.size());
            if expected != canvas.size() {
                let message = format!("is {}, but {} is {expected}", canvas.size(), paths[0].display());
                return Err(Error::input(path, message).with_hint(
                    "all pictures of a sequence have one size: scale or crop it, or move it away",
                ));
            }
            analyser.push(canvas)?;
        }
        done += group.len();
        job.tell(1, done, paths.len())?;
    }
    Ok(analyser.finish(job.cuts))
}

fn video(input: &Path, output: &Path, job: &mut Job<'_>) -> Result<Done> {
    let mut reader = VideoReader::open(input)?;
    let lost_sound = reader.has_sound();
    let expected = reader.count_frames()? as usize;
    // Opened before the first pass, so that an encoder that refuses is found at once.
    let mut sink: Box<dyn FrameSink> = if is_video(output) {
        Box::new(VideoWriter::open(output, reader.size(), reader.fps(), job.video)?)
    } else {
        claim(output)?;
        Box::new(stills::StillsWriter::open(output)?)
    };
    let mut analyser = Analyser::new(job.method)?;
    let mut total = 0;
    for frame in reader {
        analyser.push(&frame?)?;
        total += 1;
        job.tell(1, total, expected.max(total))?;
    }
    let correction = analyser.finish(job.cuts);
    if !is_video(output) {
        mark(output)?;
    }
    for (number, frame) in VideoReader::open(input)?.enumerate() {
        let mut frame = frame?;
        correction.apply(number, &mut frame);
        sink.push(&frame)?;
        job.tell(2, number + 1, total)?;
    }
    sink.finish()?;
    Ok(Done { frames: total, lost_sound })
}
