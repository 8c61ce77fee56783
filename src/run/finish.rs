//! Everything behind the store: deflicker, in-between frames, the video. A pure function of the stored
//! frames and the film's `post` block.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::canvas::Size;
use crate::encode::{self, Fps, VideoSettings, VideoWriter};
use crate::error::{Error, Result};
use crate::flow::FlowSettings;
use crate::post::chain::{Chain, Step};
use crate::post::deflicker::Method;
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::store::{self, Store};
use crate::run::project::Project;
use crate::run::report::Report;
use crate::timeline::{Deflicker, Encode, Interpolate, Post};

/// Changes whenever the same frames would give another video than before.
const FINISHING: u32 = 1;

/// File in the frames' folder that says which video was made of them.
const FINISHED: &str = "finished.json";

/// How a film is finished.
pub(crate) struct Finish {
    out: PathBuf,
    size: Size,
    fps: Fps,
    post: Post,
    /// How it is encoded.
    settings: VideoSettings,
}

/// What [`FINISHED`] holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Finished {
    /// Hash of everything that the video was made of.
    made_of: String,
    /// Hash of the video's bytes.
    video: String,
    /// Frames in it.
    frames: u32,
}

impl Finish {
    /// What the film's `post` block asks for; a draft leaves out in-between frames.
    ///
    /// # Errors
    /// [`Error::Usage`] for a video that is no MP4 file and for impossible rates and presets.
    pub(crate) fn new(project: &Project, out: &Path, size: Size, draft: bool) -> Result<Self> {
        let mut post = project.timeline.post().clone();
        if draft {
            post.interpolate = Interpolate::None;
        }
        refuse_other_formats(out)?;
        let fps = project.fps().checked()?;
        Ok(Self { out: out.to_owned(), size, fps, post, settings: encoding(project)? })
    }

    /// The video's frame rate.
    fn fps_out(&self) -> Fps {
        match self.post.interpolate {
            Interpolate::None => self.fps,
            Interpolate::Flow { rate } => Fps::new(rate.num, rate.den),
        }
    }

    /// Makes the video of `frames`, unless it is there already.
    pub(crate) fn run(
        &self,
        store: &Store,
        frames: &[u32],
        cuts: &BTreeSet<u32>,
        report: &mut Report,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Result<()> {
        let start = Instant::now();
        let made_of = self.made_of(store, frames, cuts)?;
        let marker = store.folder().join(FINISHED);
        report.fps = self.fps_out().as_f64();
        if !cfg!(feature = "ffmpeg") {
            return Ok(());
        }
        if let Some(finished) = self.already(&marker, &made_of) {
            report.written = finished.frames;
            report.up_to_date = true;
            return Ok(());
        }
        self.forget(store)?;
        report.written = self.make(store, frames, cuts, progress, stop)?;
        let video = self
            .video_hash()
            .ok_or_else(|| Error::output(&self.out, "the video is gone as soon as it was written"))?;
        let finished = Finished { made_of, video, frames: report.written };
        let text = serde_json::to_string(&finished).map_err(|e| Error::Bug(e.to_string()))?;
        std::fs::write(&marker, text).map_err(|e| Error::output(&marker, format!("cannot write: {e}")))?;
        report.finishing = start.elapsed();
        Ok(())
    }

    /// The record of a video that is still there and made of the same things.
    fn already(&self, marker: &Path, made_of: &str) -> Option<Finished> {
        let finished: Finished = serde_json::from_slice(&std::fs::read(marker).ok()?).ok()?;
        (finished.made_of == made_of && self.video_hash()? == finished.video).then_some(finished)
    }

    /// Hash of the video that is there.
    fn video_hash(&self) -> Option<String> {
        Some(store::hash(&std::fs::read(&self.out).ok()?))
    }

    /// Takes back the record of a finished video, before anything it was made of changes.
    pub(crate) fn forget(&self, store: &Store) -> Result<()> {
        let marker = store.folder().join(FINISHED);
        match std::fs::remove_file(&marker) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::output(&marker, format!("cannot remove the old record: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Opens the encoder and encodes two frames, so that what cannot work is known before the first frame.
    /// A build without video keeps the frames and makes none.
    pub(crate) fn probe(&self) -> Result<()> {
        if !cfg!(feature = "ffmpeg") {
            return Ok(());
        }
        encode::probe(&self.settings, self.size, self.fps_out(), &self.out)
    }

    /// Reads, steadies, fills in, encodes.
    fn make(
        &self,
        store: &Store,
        frames: &[u32],
        cuts: &BTreeSet<u32>,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Result<u32> {
        let chain = self.chain(frames, cuts);
        let paths: Vec<PathBuf> = frames.iter().map(|frame| store.path(*frame)).collect();
        let writer = VideoWriter::open(&self.out, self.size, self.fps_out(), &self.settings)?;
        let cancel = AtomicBool::new(false);
        let mut measuring = None;
        let mut report = |step: Step| {
            if measuring != Some(step.measuring) {
                if measuring.is_some() {
                    progress.end();
                }
                measuring = Some(step.measuring);
                let label = if step.measuring { "deflicker" } else { "video" };
                progress.begin(label, step.total as u64, 0);
            }
            progress.frame();
            cancel.store(stop.get() != Stop::No, Ordering::Relaxed);
        };
        let written = chain.run(paths.as_slice(), Box::new(writer), &cancel, &mut report)?;
        progress.end();
        u32::try_from(written).map_err(|_| Error::Bug(format!("a video of {written} frames")))
    }

    /// The stages of the film's `post` block. Where a listed frame does not follow the one before it in
    /// the film, nothing is smoothed or made across the gap.
    fn chain(&self, frames: &[u32], cuts: &BTreeSet<u32>) -> Chain {
        let gap = |i: &usize| *i > 0 && (cuts.contains(&frames[*i]) || frames[*i] != frames[*i - 1] + 1);
        let deflicker = match self.post.deflicker {
            Deflicker::None => None,
            Deflicker::GainCurve { sigma } => Some(Method::GainCurve { sigma }),
            Deflicker::GainMap { sigma } => Some(Method::gain_map(sigma)),
        };
        Chain {
            deflicker,
            fps_in: self.fps,
            fps_out: self.fps_out(),
            flow: FlowSettings::default(),
            cuts: (0..frames.len()).filter(gap).collect(),
        }
    }

    fn made_of(&self, store: &Store, frames: &[u32], cuts: &BTreeSet<u32>) -> Result<String> {
        let outputs = store.outputs()?;
        let pictures: Vec<Option<&String>> = frames.iter().map(|frame| outputs.get(frame)).collect();
        let text = format!(
            "{FINISHING} {} {} {:?} {:?} {frames:?} {cuts:?} {pictures:?} {}",
            self.size,
            self.fps,
            self.post,
            self.settings,
            self.out.file_name().unwrap_or_default().to_string_lossy()
        );
        Ok(store::hash(text.as_bytes()))
    }
}

/// Only MP4 is written.
pub(crate) fn refuse_other_formats(out: &Path) -> Result<()> {
    if out.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4")) {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("expected a name that ends in .mp4 for the video, found {}", out.display()),
        hint: Some("kinora writes H.264 in MP4; the frames themselves are kept as PNG".to_owned()),
    })
}

/// How the film's video is encoded.
pub(crate) fn encoding(project: &Project) -> Result<VideoSettings> {
    let Encode::H264 { crf, preset } = &project.timeline.post().encode;
    Ok(VideoSettings { crf: *crf as f32, preset: preset.parse()?, ..VideoSettings::default() })
}
