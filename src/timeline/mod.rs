//! A checked film becomes plain numbers for any frame: no pixels, no tensors.
//!
//! Every value is a pure function of the time, so any frame can be asked for alone and in any order.

mod by_name;
mod cadence;
mod camera;
mod checkpoints;
mod clock;
mod closing;
mod compat;
mod controls;
pub mod deforum;
mod depth;
mod ease;
pub mod eval;
pub mod explain;
mod fades;
mod fill;
pub mod frame;
mod guide;
mod hold;
mod hybrid;
mod lengths;
mod line;
mod lookup;
mod making;
mod masks;
mod params;
mod reader;
mod scene;
mod seed;
pub mod seeds;
mod settings;
mod sounds;
mod source;
pub mod table;
mod through;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::schedule::deforum::keys::joined;
use crate::schedule::diagnostic::{Diagnostic, Diagnostics};
use crate::schedule::film::Film;
use crate::schedule::span::Span;
use crate::schedule::units::{Rate, Tempo};
use crate::sound;
pub use compat::Compat;
pub use fades::Fade;
use frame::FrameParams;
pub use lengths::{Measure, Measured};
use reader::Reader;
use scene::{Found, Stage};
pub use settings::{Audio, Deflicker, Encode, Interpolate, Post, Video};

/// What the command line changes about a film.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Other frames per second; times in seconds stay where they are, times in frames do not.
    pub rate: Option<Rate>,
    /// Another start seed.
    pub seed: Option<i64>,
    /// How values in Deforum's notation are read (`--compat deforum`).
    pub compat: Compat,
    /// What opens the files of `audio(...)`; without it a film with sounds is an error.
    pub open_sound: Option<sound::Open>,
    /// What measures videos; without it a film that is as long as its video is an error.
    pub measure: Option<Measure>,
}

/// A film as numbers.
#[derive(Clone, Debug)]
pub struct Timeline {
    stages: Vec<Stage>,
    frames: u32,
    video: Video,
    post: Post,
    deforum: Vec<(String, String)>,
    folder: PathBuf,
    warnings: Vec<Diagnostic>,
    sources: Vec<(String, String)>,
}

impl Timeline {
    /// Lays `film` out in frames.
    ///
    /// # Errors
    /// [`Error::Schedule`] when a length or the time of a key cannot be computed.
    pub fn new(film: &Film, options: &Options) -> Result<Self> {
        let tempo = Tempo { rate: options.rate.unwrap_or(film.tempo.rate), ..film.tempo };
        let mut found = Found::default();
        let seed = options.seed.unwrap_or_else(|| seed::start(film));
        let start = clock::Clock { start: 0, length: 1, tempo, seed };
        let film = sounds::resolve(film, &start, options.open_sound, &mut found);
        let film = &lengths::resolved(film, &start, options.measure, &mut found);
        let (stages, whole) = scene::stages(film, tempo, (options.seed, options.compat), &mut found);
        checkpoints::warn(&stages, &mut found);
        lengths::compare(&stages, &film.folder, options.measure, &mut found);
        let post = settings::post(film, &whole);
        let video = settings::video(film, &whole);
        found.errors.extend(post.as_ref().err().cloned());
        found.errors.extend(video.as_ref().err().cloned());
        let sources = film.sources.files.clone();
        let all = post.ok().zip(video.ok());
        let Some((post, video)) = all.filter(|_| found.errors.is_empty() && !stages.is_empty()) else {
            return Err(Error::Schedule(sorted(found.errors, sources)));
        };
        Ok(Self {
            frames: whole.length,
            stages,
            video,
            post,
            deforum: film.deforum.clone(),
            folder: film.folder.clone(),
            warnings: found.warnings,
            sources,
        })
    }

    /// How many frames the film has, at least 1.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Frames per second, exact.
    pub fn fps(&self) -> Rate {
        self.video.rate
    }

    /// Width and height of the frames; `None` is what suits the model.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.video.size
    }

    /// The `video` block.
    pub fn video(&self) -> &Video {
        &self.video
    }

    /// The `post` block.
    pub fn post(&self) -> &Post {
        &self.post
    }

    /// Scenes in order: name (empty for a film without scenes), first frame, number of frames.
    pub fn scenes(&self) -> impl ExactSizeIterator<Item = (&str, u32, u32)> {
        self.stages.iter().map(|stage| (stage.name.as_str(), stage.clock.start, stage.clock.length))
    }

    /// Whether any scene has the 3D camera.
    pub fn is_deep(&self) -> bool {
        self.stages.iter().any(|stage| params::has_effect(&stage.values, "fov"))
    }

    /// Whether the film is one scene whose last frame leads into its first.
    pub fn goes_round(&self) -> bool {
        matches!(self.stages.as_slice(), [stage] if stage.round.is_some())
    }

    /// What is odd about the film's keys.
    pub fn warnings(&self) -> Diagnostics {
        sorted(self.warnings.clone(), self.sources.clone())
    }

    /// The parameters of frame `frame`.
    ///
    /// # Errors
    /// [`Error::Schedule`] with everything that cannot be computed at this frame, [`Error::Usage`]
    /// when the film has no such frame.
    pub fn at(&self, frame: u32) -> Result<FrameParams> {
        if frame >= self.frames {
            return Err(Error::Usage {
                message: format!("the film has {} frames, there is no frame {frame}", self.frames),
                hint: Some(format!("the last one is {}", self.frames - 1)),
            });
        }
        let (params, found) = self.read(frame);
        if found.is_empty() { Ok(params) } else { Err(Error::Schedule(sorted(found, self.sources.clone()))) }
    }

    fn read(&self, frame: u32) -> (FrameParams, Vec<Diagnostic>) {
        let scene = self.stages.partition_point(|stage| stage.clock.start <= frame).saturating_sub(1);
        let rate = self.video.rate.as_f64();
        let mut reader = Reader { frame, rate, folder: &self.folder, found: Vec::new() };
        let params = params::frame(&mut reader, &self.stages[scene], scene);
        making::follows_forward(&mut reader, &params, &self.stages);
        (params, reader.found)
    }

    /// Says what cannot be computed at any frame, each place once, at its first frame.
    pub fn check_all_frames(&self) -> Diagnostics {
        self.check_frames(|stage| stage.telling_frames())
    }

    /// Computes every frame of the scenes but those of which `telling` names frames that have nothing wrong: with
    /// them the whole scene has not.
    fn check_frames(&self, telling: impl Fn(&Stage) -> Option<Vec<u32>>) -> Diagnostics {
        let mut seen: BTreeSet<(Span, &'static str)> = BTreeSet::new();
        let mut list = Vec::new();
        let is_right = |frames: Vec<u32>| frames.iter().all(|frame| self.read(*frame).1.is_empty());
        for stage in self.stages.iter().filter(|stage| !telling(stage).is_some_and(is_right)) {
            for frame in stage.clock.start..stage.clock.start + stage.clock.length {
                let (_, found) = self.read(frame);
                list.extend(found.into_iter().filter(|problem| seen.insert((problem.span, problem.code))));
            }
        }
        sorted(list, self.sources.clone())
    }
}

/// Sorted by place, each said once even when several scenes share it.
fn sorted(list: Vec<Diagnostic>, sources: Vec<(String, String)>) -> Diagnostics {
    let mut diagnostics = Diagnostics { list, sources };
    diagnostics.sort();
    diagnostics.list.dedup();
    diagnostics
}

/// Everything that is wrong or odd with the film in the file `path`, of all its frames; the timeline beside it when
/// nothing is wrong.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read, [`Error::Schedule`] with all errors and warnings.
pub fn check(path: &Path, options: &Options) -> Result<(Film, Timeline, Diagnostics)> {
    let (film, diagnostics) = crate::schedule::load_all(path, &[])?;
    match check_film(&film, diagnostics, options) {
        (Some(timeline), diagnostics) => Ok((film, timeline, diagnostics)),
        (None, diagnostics) => Err(Error::Schedule(diagnostics)),
    }
}

/// As [`check`], for a film that has been read and what was found then. The timeline is there when
/// nothing is wrong.
pub fn check_film(film: &Film, mut found: Diagnostics, options: &Options) -> (Option<Timeline>, Diagnostics) {
    if options.compat == Compat::Deforum {
        // «Deforum's notation, here it is text» is not so now.
        found.list.retain(|found| found.code != "W04");
        // Neither is «not one value»: the reader has kept the number that Deforum makes of it.
        found.list.retain(|found| found.code != "E81" || joined(film.sources.text(found.span)).is_none());
    }
    if found.has_errors() {
        return (None, found);
    }
    let timeline = match Timeline::new(film, options) {
        Ok(timeline) => timeline,
        Err(error) => {
            if let Error::Schedule(errors) = error {
                found.list.extend(errors.list);
            }
            found.sort();
            return (None, found);
        }
    };
    found.list.extend(timeline.warnings().list);
    found.list.extend(timeline.check_all_frames().list);
    found.sort();
    (Some(timeline).filter(|_| !found.has_errors()), found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values that are possible, just so, or not at all; and eases of all kinds.
    const VALUES: [&str; 8] = ["0.001", "1", "1000", "999.9", "0.0005", "1001", "2 - t", "1 / (t - 7)"];
    const EASES: [&str; 7] =
        ["", " ~cut", " ~steps(3)", " ~ease-in-out", " ~back-in-out", " ~elastic-out", " ~catmull-rom"];

    fn track() -> impl Strategy<Value = String> {
        let key = (0_u32..80, prop::sample::select(&VALUES[..]), prop::sample::select(&EASES[..]));
        prop::collection::vec(key, 1..5).prop_map(|keys| {
            let text =
                |(at, value, ease): (u32, &str, &str)| format!("{:.1}s: {value}{ease}", f64::from(at) / 10.0);
            keys.into_iter().map(text).collect::<Vec<_>>().join(", ")
        })
    }

    proptest! {
        #[test]
        fn a_few_frames_tell_what_all_of_them_tell(film in track(), own in track(), seed in 0_u32..3, sub in 0_u32..2) {
            let seed = ["", "seed = 0: 1, 20: 5\n", "seed_schedule = 0: 1, 20: 5\n"][seed as usize];
            let sub = ["", "subseed_strength = 0: 0, 20: 1\n"][sub as usize];
            let text = format!("kinora 1\nprompt = \"a\"\nzoom = {film}\n{seed}{sub}scene a 2s {{ angle = 1 }}\n\
                                scene b 3s {{ zoom = {own} }}\n");
            let Ok((film, _)) = crate::schedule::read("film.kin", &text) else { return Ok(()) };
            let Ok(timeline) = Timeline::new(&film, &Options::default()) else { return Ok(()) };
            prop_assert_eq!(timeline.check_all_frames().list, timeline.check_frames(|_| None).list);
        }
    }

    #[test]
    fn a_long_film_with_keys_takes_a_few_frames() {
        let text =
            "kinora 1\nprompt = 0: \"a\", 30%: \"b\"\nframes = 10000000\nzoom = 0: 1, 50%: 1.5 ~ease\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let frames = timeline.stages[0].telling_frames().unwrap();
        assert_eq!(frames, [0, 1, 2_999_999, 3_000_000, 4_999_999, 5_000_000, 9_999_999]);
    }
}
