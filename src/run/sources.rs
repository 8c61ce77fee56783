//! The pictures and depth maps that a film names, read once and kept.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::canvas::{Canvas, DepthMap, Size};
use crate::depth::{self, DepthEstimator as _, Estimator};
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::render::seams::Sources;
use crate::timeline::frame::DepthSource;

/// The depth network of a film that names none.
const EMBEDDED_DEPTH: &str = "kinora-depth";

/// Reads files and loads depth networks when they are first asked for.
pub(crate) struct Files {
    device: Device,
    pictures: BTreeMap<PathBuf, Canvas>,
    estimators: BTreeMap<DepthSource, Estimator>,
}

impl Files {
    /// Nothing is read yet.
    pub(crate) fn new(device: Device) -> Self {
        Self { device, pictures: BTreeMap::new(), estimators: BTreeMap::new() }
    }
}

impl Sources for Files {
    fn picture(&mut self, path: &Path, size: Size) -> Result<Canvas> {
        if let Some(canvas) = self.pictures.get(path).filter(|canvas| canvas.size() == size) {
            return Ok(canvas.clone());
        }
        let canvas = filling(&Canvas::open_upright(path)?, size);
        self.pictures.insert(path.to_owned(), canvas.clone());
        Ok(canvas)
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

/// The picture at `size`: cut to the same shape about its middle, then resampled.
pub(crate) fn filling(picture: &Canvas, size: Size) -> Canvas {
    let (width, height) = (picture.width(), picture.height());
    // Of the two possible cuts, the one that lies inside the picture.
    let cut = if width * size.height > height * size.width {
        Size::new((height * size.width).div_ceil(size.height).min(width), height)
    } else {
        Size::new(width, (width * size.height).div_ceil(size.width).min(height))
    };
    let (left, top) = ((width - cut.width) / 2, (height - cut.height) / 2);
    let rows = (top..top + cut.height).flat_map(|y| {
        let start = (y * width + left) * 3;
        picture.as_rgb8()[start..start + cut.width * 3].iter().copied()
    });
    Canvas::from_rgb8(cut, rows.collect()).resized(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_another_shape_is_cut_about_its_middle() {
        let wide = Size::new(8, 2);
        let mut rgb = vec![0; wide.area() * 3];
        for y in 0..2 {
            for x in 3..5 {
                rgb[(y * 8 + x) * 3] = 200;
            }
        }
        let square = filling(&Canvas::from_rgb8(wide, rgb), Size::new(2, 2));
        assert!(square.as_rgb8().chunks(3).all(|p| p == [200, 0, 0]));
    }
}
