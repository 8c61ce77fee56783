//! Depth of a picture: from a network, from a reference picture, or flat.
//!
//! A depth map holds relative inverse depth: large is near. Scale and shift mean nothing between
//! pictures; [`normalise`] gives them a meaning within one.

mod anything;
mod backbone;
mod bit;
mod config;
mod conv;
mod decoder;
mod dpt;
mod dpt_config;
mod layer;
mod linear;
mod network;
mod patches;
mod pillow;
mod preprocess;
mod reference;
mod resample;

use std::path::Path;

use candle_core::Device;

use crate::canvas::{Canvas, DepthMap, Plane};
use crate::error::{Error, Result};
use crate::models::{ModelFolder, model_error};

pub use self::config::{BackboneConfig, DepthConfig, DepthKind};
pub use self::dpt_config::{BitConfig, DptConfig};
pub use self::network::{DepthNetwork, NetworkConfig};
pub use self::preprocess::Preprocess;
pub use self::reference::{ReferenceDepth, of_canvas, read_picture};

/// The model that is used when none is named.
const EMBEDDED: &str = "kinora-depth";

/// The smallest difference between near and far that [`normalise`] stretches to 1. In a flat picture (fog,
/// stars) the network's noise would otherwise become mountains.
const SMALLEST_SPAN: f32 = 0.1;

/// The nearest that a metric model's surface is taken to be, in metres, so that its inverse stays finite.
const NEAREST: f64 = 1e-3;

/// Something that tells how near each pixel of a picture is.
pub trait DepthEstimator {
    /// Relative inverse depth (large = near, any range) at the picture's own size.
    ///
    /// # Errors
    /// When the network refuses the picture.
    fn estimate(&mut self, picture: &Canvas) -> Result<DepthMap>;
}

/// A depth network with the preparation that it wants.
#[derive(Clone, Debug)]
pub struct NetworkDepth {
    network: DepthNetwork,
    preprocess: Preprocess,
    device: Device,
    place: std::path::PathBuf,
}

impl NetworkDepth {
    /// Loads a Depth Anything model, or the embedded one.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or do not fit each other.
    pub fn load(folder: Option<&ModelFolder>, device: &Device) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.clone(),
            None => ModelFolder::embedded(EMBEDDED)
                .ok_or_else(|| Error::Bug(format!("the model {EMBEDDED} is not compiled in")))?,
        };
        Ok(Self {
            network: DepthNetwork::load(&folder, device)?,
            preprocess: Preprocess::load(&folder)?,
            device: device.clone(),
            place: folder.label(),
        })
    }

    /// The network's own numbers at its own size, as inverse depth.
    fn raw(&self, picture: &Canvas) -> Result<DepthMap> {
        let pixels = self.preprocess.pixels(picture, self.network.patch_size(), &self.device)?;
        let run = || {
            let depth = self.network.forward(&pixels)?;
            let depth = match self.network.kind() {
                DepthKind::Relative => depth,
                DepthKind::Metric => depth.maximum(NEAREST)?.recip()?,
            };
            let (_, height, width) = depth.dims3()?;
            Ok((crate::canvas::Size::new(width, height), depth.flatten_all()?.to_vec1()?))
        };
        let (size, values) = run().map_err(|e| model_error(&self.place, &e))?;
        Ok(Plane::from_values(size, values))
    }
}

impl DepthEstimator for NetworkDepth {
    /// Brought to the picture's size as transformers' `post_process_depth_estimation` does: bicubic.
    fn estimate(&mut self, picture: &Canvas) -> Result<DepthMap> {
        let raw = self.raw(picture)?;
        let values = resample::bicubic(raw.values(), raw.size(), picture.size());
        Ok(Plane::from_values(picture.size(), values))
    }
}

/// The same depth everywhere: a 3D move then zooms and shifts the picture like a poster.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlatDepth;

impl DepthEstimator for FlatDepth {
    fn estimate(&mut self, picture: &Canvas) -> Result<DepthMap> {
        Ok(Plane::filled(picture.size(), 1.0))
    }
}

/// Any of the ways to know depth.
#[derive(Clone, Debug)]
pub enum Estimator {
    /// A network looks at each picture.
    Network(Box<NetworkDepth>),
    /// One picture's brightness is the depth of all.
    Reference(ReferenceDepth),
    /// No depth.
    Flat(FlatDepth),
}

impl Estimator {
    /// A network from a folder, or the embedded one, on the CPU.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or do not fit each other.
    pub fn load(folder: Option<&ModelFolder>) -> Result<Self> {
        Self::load_on(folder, &Device::Cpu)
    }

    /// A network from a folder, or the embedded one, on `device`.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or do not fit each other.
    pub fn load_on(folder: Option<&ModelFolder>, device: &Device) -> Result<Self> {
        Ok(Self::Network(Box::new(NetworkDepth::load(folder, device)?)))
    }

    /// A picture whose brightness is nearness.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read or decoded.
    pub fn reference(path: &Path) -> Result<Self> {
        Ok(Self::Reference(ReferenceDepth::open(path)?))
    }

    /// The same depth everywhere.
    pub fn flat() -> Self {
        Self::Flat(FlatDepth)
    }
}

impl DepthEstimator for Estimator {
    fn estimate(&mut self, picture: &Canvas) -> Result<DepthMap> {
        match self {
            Self::Network(network) => network.estimate(picture),
            Self::Reference(reference) => reference.estimate(picture),
            Self::Flat(flat) => flat.estimate(picture),
        }
    }
}

/// The map stretched so that its farthest value is 0 and its nearest 1.
///
/// When they differ by less than 0.1, the stretch stays that of 0.1 and the middle of the map lies at 0.5.
/// Values that are no numbers count as 0.5.
#[must_use]
pub fn normalise(depth: &DepthMap) -> DepthMap {
    let finite = depth.values().iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return Plane::filled(depth.size(), 0.5);
    }
    let middle = low / 2.0 + high / 2.0;
    let span = (high - low).clamp(SMALLEST_SPAN, f32::MAX);
    let stretch = |v: &f32| {
        let stretched = (v - middle) / span + 0.5;
        if stretched.is_nan() { 0.5 } else { stretched.clamp(0.0, 1.0) }
    };
    Plane::from_values(depth.size(), depth.values().iter().map(stretch).collect())
}

/// The map as a grey picture, near = white, stretched as [`normalise`] does: a ControlNet's hint, a preview.
#[must_use]
pub fn to_canvas(depth: &DepthMap) -> Canvas {
    let grey = |v: &f32| [(v * 255.0).round() as u8; 3];
    let rgb = normalise(depth).values().iter().flat_map(grey).collect();
    Canvas::from_rgb8(depth.size(), rgb)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::canvas::Size;

    fn plane(values: &[f32]) -> DepthMap {
        Plane::from_values(Size::new(values.len(), 1), values.to_vec())
    }

    #[test]
    fn a_wide_range_is_stretched_to_one_and_a_narrow_one_is_not() {
        assert_eq!(normalise(&plane(&[1.0, 3.0, 5.0])).values(), [0.0, 0.5, 1.0]);
        let narrow = normalise(&plane(&[2.0, 2.01]));
        assert!((narrow.values()[0] - 0.45).abs() < 1e-5 && (narrow.values()[1] - 0.55).abs() < 1e-5);
        assert_eq!(normalise(&plane(&[7.0, 7.0])).values(), [0.5, 0.5]);
    }

    #[test]
    fn near_is_white() {
        let canvas = to_canvas(&plane(&[0.0, 4.0]));
        assert_eq!((canvas.pixel(0, 0), canvas.pixel(1, 0)), ([0; 3], [255; 3]));
    }

    #[test]
    fn a_flat_plane_has_the_pictures_size() {
        let canvas = Canvas::filled(Size::new(9, 4), [1, 2, 3]);
        let depth = Estimator::flat().estimate(&canvas).unwrap();
        assert_eq!(depth.size(), canvas.size());
        assert!(depth.values().iter().all(|v| *v == depth.values()[0]));
    }

    proptest! {
        #[test]
        fn normalised_values_lie_in_0_to_1(values in prop::collection::vec(prop::num::f32::ANY, 1..40)) {
            let out = normalise(&plane(&values));
            prop_assert!(out.values().iter().all(|v| (0.0..=1.0).contains(v)));
        }

        #[test]
        fn normalising_twice_changes_nothing_more(values in prop::collection::vec(-3.0_f32..9.0, 2..40)) {
            let once = normalise(&plane(&values));
            prop_assume!(once.values().contains(&0.0));
            let twice = normalise(&once);
            prop_assert!(once.values().iter().zip(twice.values()).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
