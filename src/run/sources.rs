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
use crate::render::seams::Sources;
use crate::run::fit::{border_colour, framed, scaled};
use crate::timeline::frame::{DepthSource, Fit};

/// The depth network of a film that names none.
const EMBEDDED_DEPTH: &str = "kinora-depth";

/// Reads files and loads depth networks when they are first asked for.
pub(crate) struct Files {
    device: Device,
    /// Scaled, but not yet framed, and the size of the frame.
    pictures: BTreeMap<(PathBuf, Fit), (Size, Canvas)>,
    estimators: BTreeMap<DepthSource, Estimator>,
}

impl Files {
    /// Nothing is read yet.
    pub(crate) fn new(device: Device) -> Self {
        Self { device, pictures: BTreeMap::new(), estimators: BTreeMap::new() }
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

impl Sources for Files {
    fn picture(&mut self, path: &Path, size: Size, fit: Fit) -> Result<Canvas> {
        let picture = self.scaled(path, size, fit)?;
        Ok(framed(picture, size, border_colour(picture)))
    }

    fn edges(&mut self, path: &Path, size: Size, fit: Fit, (low, high): (f64, f64)) -> Result<Canvas> {
        // Found before the frame is filled: its seam is no edge.
        let edges = edges::canny(self.scaled(path, size, fit)?, low, high);
        Ok(framed(&edges, size, [0; 3]))
    }

    fn depth(&mut self, source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        let estimator = match self.estimators.entry(source.clone()) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(place) => place.insert(open(source, &self.device)?),
        };
        estimator.estimate(picture)
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        depth::to_canvas(depth)
    }
}

/// What knows the depth that a film asks for.
fn open(source: &DepthSource, device: &Device) -> Result<Estimator> {
    match source {
        DepthSource::Flat => Ok(Estimator::flat()),
        DepthSource::Picture(path) => Estimator::reference(path),
        DepthSource::Network(folder) => Estimator::load_on(Some(&depth_network(folder.as_deref())?), device),
    }
}

/// The folder of a depth network; the embedded one when the film names none.
pub(crate) fn depth_network(folder: Option<&Path>) -> Result<ModelFolder> {
    match folder {
        Some(path) => {
            let folder = ModelFolder::open(path)?;
            folder.require("config.json", "a depth network")?;
            folder.check_weights()?;
            Ok(folder)
        }
        None => ModelFolder::embedded(EMBEDDED_DEPTH)
            .ok_or_else(|| Error::Bug("this build has no embedded depth network".to_owned())),
    }
}
