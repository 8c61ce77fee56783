//! The pictures and depth maps that a film names, read once and kept.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::canvas::{Canvas, DepthMap, Size};
use crate::depth::{self, DepthEstimator as _, Estimator};
use crate::edges;
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::models::library::Role;
use crate::render::seams::Sources;
use crate::run::cast::find;
use crate::run::clips::Clips;
use crate::run::fit::{border_colour, framed, scaled};
use crate::timeline::frame::{Clip, DepthSource, Fit, Sequence};

/// The depth network of a film that names none.
pub(crate) const EMBEDDED_DEPTH: &str = "kinora-depth";

/// Reads files and loads depth networks when they are first asked for.
pub(crate) struct Files {
    device: Device,
    /// The folder that names of depth networks are relative to.
    films: PathBuf,
    /// Scaled, but not yet framed, and the size of the frame.
    pictures: BTreeMap<(PathBuf, Fit), (Size, Canvas)>,
    /// Alphas at the size of the frame.
    alphas: BTreeMap<(PathBuf, Fit), (Size, Option<Canvas>)>,
    estimators: BTreeMap<DepthSource, Estimator>,
    clips: Clips,
}

impl Files {
    /// Nothing is read yet.
    pub(crate) fn new(device: Device, films: &Path) -> Self {
        let (pictures, estimators) = (BTreeMap::new(), BTreeMap::new());
        let (alphas, clips) = (BTreeMap::new(), Clips::default());
        Self { device, films: films.to_owned(), pictures, alphas, estimators, clips }
    }

    /// The picture, scaled for a frame of that size.
    fn scaled(&mut self, path: &Path, size: Size, fit: Fit) -> Result<&Canvas> {
        let key = (path.to_owned(), fit);
        if self.pictures.get(&key).is_none_or(|(of, _)| *of != size) {
            let canvas = scaled(&Canvas::open_upright(path)?, size, fit);
            self.pictures.insert(key.clone(), (size, canvas));
        }
        match self.pictures.get(&key) {
            Some((_, canvas)) => Ok(canvas),
            None => Err(Error::Bug("a picture was read and is gone".to_owned())),
        }
    }
}

impl Files {
    /// Picture `number` of a sequence of depth, 0 (black, far) to 1 (white, near), at its own size.
    fn sequence(&mut self, sequence: &Sequence, number: u32) -> Result<DepthMap> {
        let file = match sequence {
            Sequence::Clip(clip) if clip.path.is_dir() => Some(self.clips.file(clip, number)?),
            _ => sequence.file(number),
        };
        match (file, sequence) {
            (Some(path), _) => depth::read_picture(&path),
            (None, Sequence::Clip(clip)) => Ok(depth::of_canvas(&self.clips.picture(clip, number)?)),
            (None, Sequence::Numbered { .. }) => Err(Error::Bug("a numbered picture has no name".to_owned())),
        }
    }
}

impl Sources for Files {
    fn picture(&mut self, path: &Path, size: Size, fit: Fit) -> Result<Canvas> {
        let picture = self.scaled(path, size, fit)?;
        Ok(framed(picture, size, border_colour(picture)))
    }

    fn alpha(&mut self, path: &Path, size: Size, fit: Fit) -> Result<Option<Canvas>> {
        let key = (path.to_owned(), fit);
        if self.alphas.get(&key).is_none_or(|(of, _)| *of != size) {
            let alpha = Canvas::open_with_alpha(path)?.1;
            // What fills a frame that the picture does not cover is no part of it.
            let alpha = alpha.map(|alpha| framed(&scaled(&alpha, size, fit), size, [0; 3]));
            self.alphas.insert(key.clone(), (size, alpha));
        }
        Ok(self.alphas.get(&key).and_then(|(_, alpha)| alpha.clone()))
    }

    fn edges(&mut self, path: &Path, size: Size, fit: Fit, (low, high): (f64, f64)) -> Result<Canvas> {
        // Found before the frame is filled: its seam is no edge.
        let edges = edges::canny(self.scaled(path, size, fit)?, low, high);
        Ok(framed(&edges, size, [0; 3]))
    }

    fn depth(&mut self, source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        if let DepthSource::Sequence(sequence, number) = source {
            return Ok(self.sequence(sequence, *number)?.resized(picture.size()));
        }
        let estimator = match self.estimators.entry(source.clone()) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(place) => place.insert(open(source, &self.films, &self.device)?),
        };
        estimator.estimate(picture)
    }

    fn video(&mut self, clip: &Clip, number: u32, size: Size, fit: Fit) -> Result<Canvas> {
        let picture = scaled(&self.clips.picture(clip, number)?, size, fit);
        Ok(framed(&picture, size, border_colour(&picture)))
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        depth::to_canvas(depth)
    }
}

/// What knows the depth that a film asks for.
fn open(source: &DepthSource, films: &Path, device: &Device) -> Result<Estimator> {
    match source {
        DepthSource::Flat => Ok(Estimator::flat()),
        DepthSource::Picture(path) => Estimator::reference(path),
        DepthSource::Sequence(..) => Err(Error::Bug("a sequence of depth has no estimator".to_owned())),
        DepthSource::Network(name) => {
            Estimator::load_on(Some(&depth_network(name.as_deref(), films)?), device)
        }
    }
}

/// A depth network by its name, found as models are; the embedded one when the film names none. The name is a path
/// below `films`, the film's folder, as the timeline gives it.
pub(crate) fn depth_network(name: Option<&Path>, films: &Path) -> Result<ModelFolder> {
    match name {
        Some(path) => {
            let name = path.strip_prefix(films).unwrap_or(path);
            let folder = find(Role::Depth, &name.to_string_lossy(), films)?;
            folder.require("config.json", "a depth network")?;
            folder.check_weights()?;
            Ok(folder)
        }
        None => ModelFolder::embedded(EMBEDDED_DEPTH)
            .ok_or_else(|| Error::Bug("this build has no embedded depth network".to_owned())),
    }
}
