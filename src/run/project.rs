//! A film on its folder: read, checked, and its files looked for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::encode::Fps;
use crate::error::{Error, Result};
use crate::run::sound::hearing;
use crate::schedule::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::schedule::film::Film;
use crate::timeline::{self, Interpolate, Options, Timeline};

/// A film that can be rendered.
#[derive(Debug)]
pub struct Project {
    path: PathBuf,
    film: Film,
    /// The film as numbers.
    pub timeline: Timeline,
    /// What is odd about it.
    pub warnings: Diagnostics,
}

impl Project {
    /// Reads and checks the film in the file `path`; every frame is computed, every file it names looked
    /// for.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read, [`Error::Schedule`] with everything that is wrong.
    pub fn open(path: &Path) -> Result<Self> {
        let (film, timeline, mut warnings) = timeline::check(path, &hearing(Options::default()))?;
        let missing = missing_files(&film);
        if !missing.is_empty() {
            warnings.list.extend(missing);
            warnings.sort();
            return Err(Error::Schedule(warnings));
        }
        Ok(Self { path: path.to_owned(), film, timeline, warnings })
    }

    /// The folder that the film's paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.film.folder
    }

    /// Where the video goes when the command line does not say: `video.out`, else `film.mp4` beside the
    /// film.
    pub fn video_path(&self) -> PathBuf {
        self.timeline.video().out.clone().unwrap_or_else(|| self.path.with_extension("mp4"))
    }

    /// Frames per second that are diffused.
    pub fn fps(&self) -> Fps {
        let rate = self.timeline.fps();
        Fps::new(rate.num, rate.den)
    }

    /// What the film is, in a few lines.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let frames = self.timeline.frames();
        let seconds = f64::from(frames) / self.fps().as_f64();
        let size = match self.timeline.size() {
            Some((width, height)) => format!("{width}x{height}"),
            None => "the model's own size".to_owned(),
        };
        let plural = |n: u32| if n == 1 { "" } else { "s" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {frames} frame{} at {} a second ({seconds:.2} s), {size}",
            self.path.display(),
            plural(frames),
            self.fps()
        );
        for (name, start, length) in self.timeline.scenes().filter(|(name, ..)| !name.is_empty()) {
            let _ = writeln!(text, "  scene {name}: frames {start} to {}", start + length - 1);
        }
        if let Interpolate::Flow { rate } = self.timeline.post().interpolate {
            let _ = writeln!(text, "  in-between frames to {} a second", Fps::new(rate.num, rate.den));
        }
        text
    }
}

/// An error for each file that the film names and that is not there.
fn missing_files(film: &Film) -> Vec<Diagnostic> {
    // Models have names of their own and other errors; see `run::models`.
    let missing = film.files().into_iter().filter(|file| file.param != "model" && !file.path.exists());
    missing
        .map(|file| Diagnostic {
            severity: Severity::Error,
            code: "E51",
            message: format!("there is no file {}", file.path.display()),
            span: file.span,
            label: nearest(&file.path).map(|name| format!("did you mean `{name}`?").into()),
            labels: Vec::new(),
            hints: vec!["names of files are relative to the film's folder".to_owned()],
        })
        .collect()
}

/// The file beside `path` that is named most like it.
fn nearest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    crate::run::nearest_name(path.parent()?, &wanted, |entry| entry.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_shown_where_it_is_named_with_the_nearest_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("start.png"), "").unwrap();
        let film = folder.path().join("film.kin");
        std::fs::write(&film, "kinora 1\nframes = 2\nprompt = \"a\"\nsource = init(\"strat.png\")\n")
            .unwrap();
        let Err(Error::Schedule(found)) = Project::open(&film) else { panic!("the film was accepted") };
        assert_eq!(found.list.len(), 1);
        assert_eq!(found.list[0].label.as_deref(), Some("did you mean `start.png`?"));
    }
}
