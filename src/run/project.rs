//! A film on its folder: read, checked, and its files looked for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::encode::Fps;
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::models::library::{Library, Role};
use crate::run::cast::EMBEDDED;
use crate::run::depth_files::{is_numbered, missing_depth};
use crate::run::library::library;
use crate::run::loras::diagnose;
use crate::run::sound::hearing;
use crate::run::sources::EMBEDDED_DEPTH;
use crate::schedule::diagnostic::{Diagnostic, Diagnostics};
use crate::schedule::film::{FileRef, Film, MASKS};
use crate::schedule::names::did_you_mean;
use crate::schedule::variants::{self, Chosen, Variant};
use crate::timeline::{self, Interpolate, Options, Timeline};

/// At most this many variants are listed.
const LISTED: usize = 24;

/// What a film is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be rendered: all files and models must be there.
    Render,
    /// To look at its motion, which no model is needed for.
    Preview,
}

/// A film that can be rendered.
#[derive(Debug)]
pub struct Project {
    path: PathBuf,
    film: Film,
    /// What file names call the variant that was opened.
    label: Option<String>,
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
        Self::open_for(Purpose::Render, path)
    }

    /// As [`Project::open`], looking only for the files that are needed.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub fn open_for(purpose: Purpose, path: &Path) -> Result<Self> {
        Self::read(purpose, path, &[], None)
    }

    /// Beats per minute, when the film has any.
    pub(crate) fn bpm(&self) -> Option<f64> {
        self.film.tempo.bpm
    }

    /// As [`Project::open`], with the values of one of the film's variants.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub fn open_variant(purpose: Purpose, path: &Path, variant: &Variant) -> Result<Self> {
        Self::read(purpose, path, &variant.chosen, Some(variant.label.clone()))
    }

    /// As [`Project::open`], and every one of its variants is checked as well.
    ///
    /// # Errors
    /// As [`Project::open`], also when a variant alone has errors.
    pub fn open_with_variants(path: &Path) -> Result<Self> {
        let mut project = Self::open(path)?;
        let mut found = std::mem::take(&mut project.warnings);
        for variant in project.variants() {
            let own = match Self::open_variant(Purpose::Render, path, &variant) {
                Ok(project) => project.warnings,
                Err(Error::Schedule(errors)) => errors,
                Err(other) => return Err(other),
            };
            let is_same =
                |a: &Diagnostic, b: &Diagnostic| (a.span, a.code, &a.message) == (b.span, b.code, &b.message);
            for diagnostic in own.list {
                if !found.list.iter().any(|known| is_same(known, &diagnostic)) {
                    let hint = format!("in variant {}: {}", variant.number, variant.text);
                    found.list.push(diagnostic.hint(hint));
                }
            }
        }
        found.sort();
        if found.has_errors() {
            return Err(Error::Schedule(found));
        }
        project.warnings = found;
        Ok(project)
    }

    fn read(purpose: Purpose, path: &Path, chosen: &[Chosen], label: Option<String>) -> Result<Self> {
        let (film, found) = crate::schedule::load_all(path, chosen)?;
        let (timeline, mut found) = timeline::check_film(&film, found, &hearing(Options::default()));
        // A sound that is not there was missed already when it was to be heard.
        let missed: Vec<_> = found.list.iter().map(|found| found.span).collect();
        found
            .list
            .extend(missing_files(&film, purpose)?.into_iter().filter(|file| !missed.contains(&file.span)));
        found.list.extend(diagnose(&film, &library(&film.folder)?, purpose));
        found.list.extend(timeline.as_ref().and_then(|timeline| missing_depth(&film, timeline)));
        found.sort();
        match timeline.filter(|_| !found.has_errors()) {
            Some(timeline) => Ok(Self { path: path.to_owned(), film, label, timeline, warnings: found }),
            None => Err(Error::Schedule(found)),
        }
    }

    /// The film's variants in order.
    pub fn variants(&self) -> Vec<Variant> {
        variants::all(&self.film.variants).collect()
    }

    /// The variants that `wanted` asks for: a number from 1, or `name=value,name=value`.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are none such.
    pub fn select(&self, wanted: &str) -> Result<Vec<Variant>> {
        variants::select(&self.film.variants, wanted)
            .map_err(|(message, hint)| Error::Usage { message, hint: Some(hint) })
    }

    /// The folder that the film's paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.film.folder
    }

    /// Where the video goes when the command line does not say: `video.out`, else `film.mp4` beside the
    /// film.
    pub fn video_path(&self) -> PathBuf {
        let base = self.timeline.video().out.clone().unwrap_or_else(|| self.path.with_extension("mp4"));
        self.label.as_ref().map_or(base.clone(), |label| labelled(&base, label))
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
        // A variant by itself is one film.
        let variants = if self.label.is_none() { self.variants() } else { Vec::new() };
        if !variants.is_empty() {
            let _ = writeln!(text, "  {} variant{}", variants.len(), plural(variants.len() as u32));
        }
        for variant in variants.iter().take(LISTED) {
            let _ = writeln!(text, "    {}: {}", variant.number, variant.text);
        }
        if variants.len() > LISTED {
            let _ = writeln!(text, "    and {} more", variants.len() - LISTED);
        }
        text
    }
}

/// `film.mp4` of the variant `seed-1` is `film.seed-1.mp4`.
pub fn labelled(video: &Path, label: &str) -> PathBuf {
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    match video.extension() {
        Some(extension) => video.with_file_name(format!("{stem}.{label}.{}", extension.to_string_lossy())),
        None => video.with_file_name(format!("{stem}.{label}")),
    }
}

/// An error for each file and model that the film names and that is not there.
fn missing_files(film: &Film, purpose: Purpose) -> Result<Vec<Diagnostic>> {
    let library = library(&film.folder)?;
    let files = film.files();
    let needed = files.iter().filter(|file| purpose == Purpose::Render || !is_model(file));
    Ok(needed.filter_map(|file| missing(film, &library, file)).collect())
}

fn missing(film: &Film, library: &Library, file: &FileRef) -> Option<Diagnostic> {
    if file.path.exists() || is_numbered(file) {
        return None;
    }
    let written = file.path.strip_prefix(&film.folder).unwrap_or(&file.path).to_string_lossy().into_owned();
    if is_model(file) {
        return missing_model(library, file, &written);
    }
    let found = Diagnostic::error("E60", format!("there is no file `{written}`"), file.span);
    let near = nearest(&file.path).map(|name| format!("did you mean `{name}`?"));
    let is_expression = MASKS.contains(&file.param) && written.contains(['&', '|', '^', '!', '\\', '(']);
    Some(found.label(near).hint(match is_expression {
        true => "in an expression the names of files stand in brackets: `[a.png] & [b.png]`",
        false => "its name is relative to the file it is named in",
    }))
}

/// Whether it is a model, which the model folders may have.
fn is_model(file: &FileRef) -> bool {
    matches!(file.param, "model" | "vae") || is_depth(file)
}

/// Whether it is a depth network: `depth = network("name")`.
fn is_depth(file: &FileRef) -> bool {
    (file.param, file.arg) == ("depth", Some("model"))
}

/// What is wrong with the name of a model, autoencoder, ControlNet or depth network.
fn missing_model(library: &Library, file: &FileRef, written: &str) -> Option<Diagnostic> {
    if ModelFolder::embedded(written).is_some() {
        return None;
    }
    let role = match file.param {
        "vae" => Role::Vae,
        _ if is_depth(file) => Role::Depth,
        _ if file.of_control => Role::Control,
        _ => Role::Checkpoint,
    };
    let refusal = library.find(role, written).err()?;
    let near = nearest(&file.path).or_else(|| library.nearest(role, written));
    let near = near.map(|name| format!("did you mean `{name}`?"));
    let built_in = if role == Role::Depth { EMBEDDED_DEPTH } else { EMBEDDED };
    let near = near.or_else(|| did_you_mean(written, [built_in]));
    if library.is_ambiguous(role, written) {
        let found = Diagnostic::error("E67", refusal.to_string(), file.span);
        return Some(found.hint(refusal.hint().unwrap_or_default().to_owned()));
    }
    let found =
        Diagnostic::error("E67", format!("there is no {} `{written}`", role.name()), file.span).label(near);
    let places =
        if library.dirs().is_empty() { "beside the film" } else { "beside the film, in the model folders" };
    if let Some(other) = library.kind_of(written).filter(|other| *other != role) {
        return Some(found.hint(format!("`{written}` is {}", other.one())));
    }
    let built_in = match role {
        Role::Checkpoint => format!(", or the one that is built in: `{EMBEDDED}`"),
        Role::Control => "; without `model` the one that the diffusion model brings is used".to_owned(),
        Role::Depth => format!(", or the one that is built in: `{built_in}`"),
        _ => String::new(),
    };
    Some(found.hint(format!("it is a folder or file {places}{built_in}; `kinora models` lists them")))
}

/// What lies beside `path` and is named most like it.
fn nearest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    crate::run::nearest_name(path.parent()?, &wanted, |_| true)
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
