//! `drift`: how a rendered film's measures went, as a picture or for the terminal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::colour::{COMPARED, Measures};
use crate::error::{Error, Result};
use crate::plot::{Chart, Curve, Panel};
use crate::render::store::Store;
use crate::run::project::Project;
use crate::run::render::{RenderOptions, frames_folder, target};
use crate::run::strip::drifts;
use crate::schedule::units::Rate;

/// Titles of the panels, in the order of [`COMPARED`].
const TITLES: [&str; 4] =
    ["luma, 0 to 255", "contrast, levels", "saturation, 0 to 1", "sharpness, variance of the Laplacian"];

/// What a rendered film measures.
#[derive(Clone, Debug)]
pub struct Drift {
    /// Of each stored frame.
    pub measures: BTreeMap<u32, Measures>,
    /// How far the compared ones have gone.
    pub drifts: BTreeMap<u32, [f64; 4]>,
    title: String,
    rate: Rate,
    frames: u32,
    scenes: Vec<(String, u32)>,
}

/// Reads what the stored frames of a film measure: from the journal, and from the pictures where it does not say.
///
/// # Errors
/// [`Error::Input`] when no frame is stored; what the store says when it cannot be read.
pub fn drift(project: &Project, out: Option<&Path>, draft: bool) -> Result<Drift> {
    let options = RenderOptions { out: out.map(Path::to_owned), draft, ..RenderOptions::default() };
    let folder: PathBuf = frames_folder(&target(project, &options), draft);
    let store = Store::look(&folder);
    let mut measures = store.measures()?;
    let frames = project.timeline.frames();
    for frame in (0..frames).filter(|frame| store.path(*frame).exists()) {
        if let std::collections::btree_map::Entry::Vacant(place) = measures.entry(frame) {
            place.insert(Measures::of(&store.read(frame)?));
        }
    }
    measures.retain(|frame, _| *frame < frames && store.path(*frame).exists());
    if measures.is_empty() {
        return Err(Error::input(&folder, "there are no frames of this film yet")
            .with_hint("render it first, or name its video with `-o` as it was rendered to"));
    }
    let scenes: Vec<(String, u32)> =
        project.timeline.scenes().map(|(name, start, _)| (name.to_owned(), start)).collect();
    let cuts: Vec<u32> = scenes.iter().map(|(_, start)| *start).collect();
    let title =
        format!("drift of {}", folder.with_extension("").file_name().unwrap_or_default().to_string_lossy());
    let drifts = drifts(&measures, &cuts);
    Ok(Drift { measures, drifts, title, rate: project.timeline.fps(), frames, scenes })
}

impl Drift {
    /// The curves, to be drawn: what is compared, the channels, and the noise.
    pub fn chart(&self) -> Chart {
        let curve = |name: &str, value: &dyn Fn(&Measures) -> f64| Curve {
            name: name.to_owned(),
            values: (0..self.frames).map(|frame| self.measures.get(&frame).map_or(f64::NAN, value)).collect(),
            keys: Vec::new(),
            ends: Vec::new(),
            jumps: Vec::new(),
        };
        let compared = |index: usize| Panel {
            title: TITLES[index],
            curves: vec![curve(COMPARED[index], &|m: &Measures| m.compared()[index])],
        };
        let channels = |title, what: fn(&Measures) -> [f64; 3]| Panel {
            title,
            curves: ["R", "G", "B"]
                .iter()
                .enumerate()
                .map(|(c, name)| curve(name, &|m| what(m)[c]))
                .collect(),
        };
        let panels = (0..COMPARED.len()).map(compared).chain([
            channels("mean of each channel, 0 to 255", |m| m.mean),
            channels("noise of each channel, levels", |m| m.noise),
        ]);
        Chart {
            title: self.title.clone(),
            rate: self.rate,
            frames: self.frames,
            scenes: self.scenes.clone(),
            prompts: Vec::new(),
            panels: panels.collect(),
            still: Vec::new(),
        }
    }
}
