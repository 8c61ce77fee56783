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
use crate::run::clips::measure;
use crate::run::fading::{Fading, shrunk};
use crate::run::project::Project;
use crate::run::report::Report;
use crate::timeline::frame::Clip;
use crate::timeline::{Audio, Deflicker, Encode, Fade, Interpolate, Post};

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
    /// Frames of a film that goes round as a whole.
    loops: Option<u32>,
    fades: Vec<Fade>,
    audio: Option<Audio>,
    /// How it is encoded.
    settings: VideoSettings,
    /// By the film's frames: which stored one is shown. They differ in scenes that are shown backward.
    stored: Vec<u32>,
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
    /// What the film's `post` block asks for; a draft leaves out in-between frames. `sizes` are that of the film and
    /// that of its frames here.
    ///
    /// # Errors
    /// [`Error::Usage`] for a video that is no MP4 file and for impossible rates and presets.
    pub(crate) fn new(project: &Project, out: &Path, sizes: (Size, Size), draft: bool) -> Result<Self> {
        let (full, size) = sizes;
        let mut post = project.timeline.post().clone();
        if draft {
            post.interpolate = Interpolate::None;
        }
        refuse_other_formats(out)?;
        let fps = project.fps().checked()?;
        let fades = shrunk(project.timeline.fades(), full, size);
        let timeline = &project.timeline;
        let loops = timeline.goes_round().then(|| timeline.frames());
        let audio = timeline.video().audio.clone();
        let stored = (0..timeline.frames()).map(|frame| timeline.painted_at(frame)).collect();
        let (out, settings) = (out.to_owned(), encoding(project)?);
        Ok(Self { out, size, fps, post, loops, fades, audio, settings, stored })
    }

    /// The stored frame that is shown as a frame of the film.
    fn stored(&self, frame: u32) -> u32 {
        self.stored.get(frame as usize).copied().unwrap_or(frame)
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
        let paths = frames.iter().map(|frame| store.path(self.stored(*frame))).collect();
        let source = Fading::new(store, frames, &self.fades).of_files(paths);
        // A sound is put to the pictures when they are whole.
        let silent = self.silent();
        let writer = VideoWriter::open(
            silent.as_deref().unwrap_or(&self.out),
            self.size,
            self.fps_out(),
            &self.settings,
        )?;
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
        let written = chain.run(&source, Box::new(writer), &cancel, &mut report)?;
        progress.end();
        if let Some(silent) = &silent {
            let heard = self.put_sound(silent, frames);
            // Best effort: what was made of it is there, or the error says more.
            let _ = std::fs::remove_file(silent);
            heard?;
        }
        u32::try_from(written).map_err(|_| Error::Bug(format!("a video of {written} frames")))
    }

    /// The stages of the film's `post` block. Where a listed frame does not follow the one before it in
    /// the film, nothing is smoothed or made across the gap.
    fn chain(&self, frames: &[u32], cuts: &BTreeSet<u32>) -> Chain {
        let fades = |frame: &u32| self.fades.iter().any(|fade| fade.start == *frame);
        let cuts: BTreeSet<u32> = cuts.iter().copied().filter(|frame| !fades(frame)).collect();
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
            closed: self.is_closed(frames),
        }
    }

    /// Where the pictures of a film with sound are written first.
    fn silent(&self) -> Option<PathBuf> {
        let name = self.out.file_name().unwrap_or_default().to_string_lossy();
        self.audio.as_ref().map(|_| self.out.with_file_name(format!(".{name}.silent.mp4")))
    }

    /// Puts the film's sound to the pictures in the file `silent`.
    fn put_sound(&self, silent: &Path, frames: &[u32]) -> Result<()> {
        // Of a part of the film the part of the sound is heard.
        let ahead = f64::from(frames.first().copied().unwrap_or(0)) / self.fps.as_f64();
        let (path, start) = match &self.audio {
            None => return Ok(()),
            Some(Audio::File(path)) => (path, 0.0),
            Some(Audio::Clip(clip)) => {
                let measured = measure(&clip.path)?;
                let rate = measured.rate.map_or(1.0, |rate| rate.as_f64());
                let first = clip.frame(0, measured.frames).unwrap_or(0);
                (&clip.path, first as f64 / rate)
            }
        };
        let round = self.is_closed(frames).then(|| frames.len() as f64 / self.fps.as_f64());
        encode::soundtrack::add(silent, path, start + ahead, round, &self.out)
    }

    /// Hash of the sound's file.
    fn sound_hash(&self) -> Result<String> {
        let path = match &self.audio {
            None => return Ok(String::new()),
            Some(Audio::File(path)) | Some(Audio::Clip(Clip { path, .. })) => path,
        };
        let cannot = |e: std::io::Error| Error::input(path, format!("cannot read the sound: {e}"));
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(path).map_err(cannot)?).map_err(cannot)?;
        Ok(hasher.finalize().to_hex()[..32].to_owned())
    }

    /// Whether the video goes round: all of a film that is one looping scene.
    fn is_closed(&self, frames: &[u32]) -> bool {
        self.loops.is_some_and(|count| frames.len() == count as usize)
    }

    fn made_of(&self, store: &Store, frames: &[u32], cuts: &BTreeSet<u32>) -> Result<String> {
        let outputs = store.outputs()?;
        let pictures: Vec<Option<&String>> =
            frames.iter().map(|frame| outputs.get(&self.stored(*frame))).collect();
        let text = format!(
            "{FINISHING} {} {} {:?} {:?} {:?} {} {:?} {frames:?} {cuts:?} {pictures:?} {} {}",
            self.size,
            self.fps,
            self.post,
            self.fades,
            self.audio,
            self.sound_hash()?,
            self.settings,
            self.out.file_name().unwrap_or_default().to_string_lossy(),
            self.is_closed(frames)
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
