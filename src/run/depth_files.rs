//! Sequences of depth pictures: whether every frame has its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::encode::stills;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::film::{FileRef, Film};
use crate::timeline::Timeline;
use crate::timeline::frame::{DepthSource, Sequence};

/// Whether it is a name with a number in it: `depth = pictures("depth/%04d.png")`.
pub(super) fn is_numbered(file: &FileRef) -> bool {
    is_depth_file(file) && file.path.to_string_lossy().contains('%')
}

fn is_depth_file(file: &FileRef) -> bool {
    (file.param, file.arg) == ("depth", Some("file"))
}

/// The first frame whose picture of depth is not there.
pub(super) fn missing_depth(film: &Film, timeline: &Timeline) -> Option<Diagnostic> {
    let files = film.files();
    let named = files.iter().find(|file| is_depth_file(file))?;
    let mut counts = Counts::default();
    (0..timeline.frames()).find_map(|frame| {
        let DepthSource::Sequence(sequence, number) = timeline.at(frame).ok()?.depth else { return None };
        let what = counts.lacking(&sequence, number)?;
        // A film that lies in the folder at hand has no folder in its paths.
        let folder = film.folder.display().to_string();
        let what = if folder.is_empty() { what } else { what.replace(&format!("{folder}/"), "") };
        let found = Diagnostic::error("E60", format!("frame {frame} needs {what}"), named.span);
        Some(found.hint("every frame of the film needs a picture; `first` is the number of the first one"))
    })
}

/// How many pictures each folder has: a folder is listed once, not at every frame. `None` is what is no folder, or cannot
/// be read.
#[derive(Default)]
struct Counts(BTreeMap<PathBuf, Option<u64>>);

impl Counts {
    /// What there is not.
    fn lacking(&mut self, sequence: &Sequence, number: u32) -> Option<String> {
        if let Some(file) = sequence.file(number) {
            return (!file.is_file()).then(|| format!("the file `{}`, there is none", file.display()));
        }
        let Sequence::Clip(clip) = sequence else { return None };
        // A folder that cannot be read is told of as any file is, and of a video the last picture stays.
        let list = || stills::list(&clip.path).ok().map(|files| files.len() as u64);
        let count = (*self.0.entry(clip.path.clone()).or_insert_with(list))?;
        let needs = u64::from(number) + 1;
        (clip.pictures(count) < needs)
            .then(|| format!("picture {needs} of the folder `{}`, which has {count}", clip.path.display()))
    }
}
