//! A picture as a depth network wants it: size, range, mean and deviation.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::network::NetworkConfig;
use super::pillow::{Filter, resized};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};
use crate::models::ModelFolder;

/// Largest side of what a network sees, in pixels: published networks have 518 at the most, and a file may say anything.
const LARGEST: usize = 4096;

/// `preprocessor_config.json` of transformers' `DPTImageProcessor`, as it stands there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    size: Option<TargetSize>,
    keep_aspect_ratio: Option<bool>,
    ensure_multiple_of: Option<usize>,
    resample: Option<u8>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
}

/// What is done to a picture before a network sees it. The default is that of the published Depth Anything models.
#[derive(Clone, Debug)]
pub struct Preprocess {
    size: TargetSize,
    keep_aspect_ratio: bool,
    ensure_multiple_of: usize,
    resample: u8,
    do_rescale: bool,
    rescale_factor: f64,
    do_normalize: bool,
    image_mean: [f64; 3],
    image_std: [f64; 3],
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum TargetSize {
    Square(usize),
    Sides { height: usize, width: usize },
}

impl Default for Preprocess {
    fn default() -> Self {
        Self {
            size: TargetSize::Square(518),
            keep_aspect_ratio: true,
            ensure_multiple_of: 14,
            resample: 3,
            do_rescale: true,
            rescale_factor: 1.0 / 255.0,
            do_normalize: true,
            image_mean: [0.485, 0.456, 0.406],
            image_std: [0.229, 0.224, 0.225],
        }
    }
}

impl Preprocess {
    /// What transformers' `DPTImageProcessor` does where its file does not say, which is what DPT networks have.
    fn of_dpt() -> Self {
        Self {
            size: TargetSize::Square(384),
            keep_aspect_ratio: false,
            ensure_multiple_of: 1,
            image_mean: [0.5; 3],
            image_std: [0.5; 3],
            ..Self::default()
        }
    }

    /// As the MiDaS repository prepares pictures for DPT networks, when no file says otherwise.
    fn of_midas() -> Self {
        Self { keep_aspect_ratio: true, ensure_multiple_of: 32, ..Self::of_dpt() }
    }

    /// Reads `preprocessor_config.json`, or takes the published models' values where there is none. Of a DPT
    /// network absent keys have the values of `DPTImageProcessor`.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be understood, or asks for a size or filter that is none.
    pub fn load(folder: &ModelFolder) -> Result<Self> {
        const FILE: &str = "preprocessor_config.json";
        let is_dpt = matches!(NetworkConfig::load(folder)?, NetworkConfig::Dpt(_));
        let found = match (folder.has(FILE), is_dpt) {
            (true, true) => Self::of_dpt().with(folder.json(FILE)?),
            (true, false) => Self::default().with(folder.json(FILE)?),
            (false, true) => Self::of_midas(),
            (false, false) => Self::default(),
        };
        let (height, width) = found.sides();
        let possible = 1..=LARGEST;
        if !possible.contains(&height)
            || !possible.contains(&width)
            || found.ensure_multiple_of > LARGEST
            || found.image_std.contains(&0.0)
            || Filter::from_number(found.resample).is_none()
        {
            let message = format!(
                "expected sides of 1 to {LARGEST}, multiples of {LARGEST} at most, deviations above 0 and a PIL filter \
                 of 0 to 5, found {width}x{height}, {}, {:?}, {}",
                found.ensure_multiple_of, found.image_std, found.resample
            );
            return Err(Error::model(&folder.label().join(FILE), message));
        }
        Ok(found)
    }

    /// These, and what a file says.
    fn with(self, said: Said) -> Self {
        Self {
            size: said.size.unwrap_or(self.size),
            keep_aspect_ratio: said.keep_aspect_ratio.unwrap_or(self.keep_aspect_ratio),
            ensure_multiple_of: said.ensure_multiple_of.unwrap_or(self.ensure_multiple_of),
            resample: said.resample.unwrap_or(self.resample),
            do_rescale: said.do_rescale.unwrap_or(self.do_rescale),
            rescale_factor: said.rescale_factor.unwrap_or(self.rescale_factor),
            do_normalize: said.do_normalize.unwrap_or(self.do_normalize),
            image_mean: said.image_mean.unwrap_or(self.image_mean),
            image_std: said.image_std.unwrap_or(self.image_std),
        }
    }

    /// The named filter; `load` has seen that there is one.
    fn filter(&self) -> Filter {
        Filter::from_number(self.resample).unwrap_or(Filter::Bicubic)
    }

    fn sides(&self) -> (usize, usize) {
        match self.size {
            TargetSize::Square(side) => (side, side),
            TargetSize::Sides { height, width } => (height, width),
        }
    }

    /// The size at which a picture goes through the network, sides multiples of `patch` (and of what the
    /// file asks for), at least one patch each.
    ///
    /// As transformers' `DPTImageProcessor`: with the aspect kept, both sides are scaled by the factor
    /// of the two that is nearer to 1, then rounded to the multiple.
    pub fn network_size(&self, picture: Size, patch: usize) -> Size {
        let (height, width) = self.sides();
        let mut down = height as f64 / picture.height.max(1) as f64;
        let mut across = width as f64 / picture.width.max(1) as f64;
        if self.keep_aspect_ratio {
            let factor = if (1.0 - across).abs() < (1.0 - down).abs() { across } else { down };
            (down, across) = (factor, factor);
        }
        let multiple = least_common_multiple(self.ensure_multiple_of.max(1), patch.max(1));
        let rounded = |side: usize, factor: f64| {
            let count = (factor * side as f64 / multiple as f64).round_ties_even();
            (count as usize).max(1) * multiple
        };
        Size::new(rounded(picture.width, across), rounded(picture.height, down))
    }

    /// Resizes the picture and brings it to the network's range: `[1, 3, H, W]`, R, G, B.
    ///
    /// # Errors
    /// [`Error::Bug`] when the device refuses.
    pub fn pixels(&self, picture: &Canvas, patch: usize, device: &Device) -> Result<Tensor> {
        let size = self.network_size(picture.size(), patch);
        let resized = resized(picture, size, self.filter());
        self.normalised(&resized, device).map_err(|e| Error::Bug(format!("pixels of a depth network: {e}")))
    }

    fn normalised(&self, picture: &Canvas, device: &Device) -> candle_core::Result<Tensor> {
        let scale = if self.do_rescale { self.rescale_factor } else { 1.0 };
        let (mean, deviation) =
            if self.do_normalize { (self.image_mean, self.image_std) } else { ([0.0; 3], [1.0; 3]) };
        let rgb = picture.as_rgb8();
        let plane = |channel: usize| {
            let (mean, deviation) = (mean[channel], deviation[channel]);
            let bytes = rgb.iter().skip(channel).step_by(3);
            bytes.map(move |byte| ((f64::from(*byte) * scale - mean) / deviation) as f32)
        };
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        Tensor::from_vec(values, (1, 3, picture.height(), picture.width()), device)
    }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn preset(side: usize) -> Preprocess {
        Preprocess { size: TargetSize::Square(side), ..Preprocess::default() }
    }

    /// `transformers.models.dpt.image_processing_dpt.get_resize_output_image_size`, worked out by hand.
    #[test]
    fn the_side_that_changes_least_sets_the_scale() {
        let size = |w, h| preset(252).network_size(Size::new(w, h), 14);
        assert_eq!(size(512, 288), Size::new(448, 252));
        assert_eq!(size(128, 64), Size::new(252, 126));
        assert_eq!(size(252, 252), Size::new(252, 252));
        // 2.52 rounds to no patch at all, and the peer would fail: we keep one.
        assert_eq!(size(1000, 10), Size::new(252, 14));
    }

    #[test]
    fn a_ratio_that_is_not_kept_gives_the_named_size() {
        let said = r#"{"keep_aspect_ratio": false, "size": {"height": 70, "width": 140}, "resample": null}"#;
        let preprocess = Preprocess::default().with(serde_json::from_str(said).unwrap());
        assert_eq!(preprocess.network_size(Size::new(640, 480), 14), Size::new(140, 70));
    }

    #[test]
    fn pixels_are_planes_of_deviations() {
        let canvas = Canvas::filled(Size::new(28, 14), [255, 0, 51]);
        let pixels = preset(14).pixels(&canvas, 14, &Device::Cpu).unwrap();
        assert_eq!(pixels.dims(), [1, 3, 14, 28]);
        let values: Vec<f32> = pixels.flatten_all().unwrap().to_vec1().unwrap();
        let expected = [(1.0 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225];
        for (plane, expected) in values.chunks(28 * 14).zip(expected) {
            assert!(plane.iter().all(|v| (v - expected).abs() < 1e-6));
        }
    }

    proptest! {
        #[test]
        fn any_picture_gets_a_size_of_whole_patches(w in 1_usize..5000, h in 1_usize..5000, patch in 1_usize..20) {
            let size = preset(252).network_size(Size::new(w, h), patch);
            prop_assert!(size.width > 0 && size.height > 0);
            prop_assert!(size.width.is_multiple_of(patch) && size.height.is_multiple_of(patch));
        }
    }
}
