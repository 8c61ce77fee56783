//! A picture that says how near things are: white is near.

use std::path::Path;

use image::DynamicImage;

use super::DepthEstimator;
use crate::canvas::{Canvas, DepthMap, Plane, Size};
use crate::error::{Error, Result};

/// What R, G and B weigh in brightness (ITU-R BT.601, as PIL's `convert("L")`).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// One depth map for every picture, from the brightness of a file.
#[derive(Clone, Debug)]
pub struct ReferenceDepth {
    /// As in the file: 0 (black, far) to 1 (white, near).
    original: DepthMap,
    /// At the size that was asked for last.
    fitted: DepthMap,
}

impl ReferenceDepth {
    /// Reads a PNG or JPEG file. Grey files are taken as they are, 16 bits keep their precision, alpha
    /// is dropped.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read or decoded, or has no pixels.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::new(read_picture(path)?))
    }

    /// Takes a depth map: large is near.
    pub fn new(map: DepthMap) -> Self {
        Self { fitted: map.clone(), original: map }
    }
}

impl DepthEstimator for ReferenceDepth {
    /// The map stretched to the picture's size, whatever the picture shows.
    fn estimate(&mut self, picture: &Canvas) -> Result<DepthMap> {
        if self.fitted.size() != picture.size() {
            self.fitted = self.original.resized(picture.size());
        }
        Ok(self.fitted.clone())
    }
}

/// The brightness of a PNG or JPEG file: 0 (black, far) to 1 (white, near). Grey files are taken as they are, 16 bits
/// keep their precision, alpha is dropped.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or decoded.
pub fn read_picture(path: &Path) -> Result<DepthMap> {
    let bytes =
        std::fs::read(path).map_err(|e| Error::input(path, format!("cannot read the depth picture: {e}")))?;
    let picture = image::load_from_memory(&bytes)
        .map_err(|e| Error::input(path, format!("cannot decode the depth picture: {e}")))?;
    let mut map = brightness(picture);
    if let Some((scale, shift)) = written_scale(&bytes) {
        map.values_mut().iter_mut().for_each(|v| *v = *v * scale + shift);
    }
    Ok(map)
}

/// Scale and shift that a PNG file of depth says of itself, in the text `Depth`: `depth = value * 1.5 / 65535 - 0.25`.
fn written_scale(bytes: &[u8]) -> Option<(f32, f32)> {
    let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().ok()?;
    let texts = &reader.info().uncompressed_latin1_text;
    let text = &texts.iter().find(|text| text.keyword == "Depth")?.text;
    let (scale, rest) = text.strip_prefix("depth = value * ")?.split_once(" / 65535 - ")?;
    let shift = rest.split(';').next()?;
    let number = |text: &str| text.trim().parse::<f32>().ok().filter(|v| v.is_finite());
    Some((number(scale)?, -number(shift)?))
}

/// The brightness of a picture: 0 (black, far) to 1 (white, near).
pub fn of_canvas(picture: &Canvas) -> DepthMap {
    let luma =
        |p: &[u8; 3]| p.iter().zip(LUMA).map(|(v, weight)| f32::from(*v) / 255.0 * weight).sum::<f32>();
    let values = picture.as_rgb8().as_chunks::<3>().0.iter().map(luma);
    Plane::from_values(picture.size(), values.collect())
}

/// Brightness of each pixel, 0 to 1.
fn brightness(picture: DynamicImage) -> DepthMap {
    let size = Size::new(picture.width() as usize, picture.height() as usize);
    let values = if picture.color().has_color() {
        let rgb = picture.into_rgb32f().into_raw();
        let luma = |p: &[f32; 3]| p.iter().zip(LUMA).map(|(v, weight)| v * weight).sum::<f32>();
        rgb.as_chunks::<3>().0.iter().map(luma).collect()
    } else {
        let full = f32::from(u16::MAX);
        picture.into_luma16().into_raw().iter().map(|v| f32::from(*v) / full).collect()
    };
    Plane::from_values(size, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(picture: DynamicImage) -> ReferenceDepth {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("depth.png");
        picture.save(&path).unwrap();
        ReferenceDepth::open(&path).unwrap()
    }

    #[test]
    fn sixteen_bits_keep_their_precision() {
        let values = [0_u16, 1, 30_000, 30_001, 65_534, 65_535];
        let picture = image::ImageBuffer::from_raw(6, 1, values.to_vec()).unwrap();
        let mut reference = written(DynamicImage::ImageLuma16(picture));
        let depth = reference.estimate(&Canvas::filled(Size::new(6, 1), [0; 3])).unwrap();
        for (found, value) in depth.values().iter().zip(values) {
            assert!((found - f32::from(value) / 65_535.0).abs() < 1e-7);
        }
    }

    #[test]
    fn colours_count_by_their_brightness_and_the_map_fits_the_picture() {
        let pixels = vec![255, 255, 255, 0, 255, 0, 255, 0, 0, 0, 0, 0];
        let picture = image::ImageBuffer::from_raw(4, 1, pixels).unwrap();
        let mut reference = written(DynamicImage::ImageRgb8(picture));
        let same = reference.estimate(&Canvas::filled(Size::new(4, 1), [9; 3])).unwrap();
        for (found, expected) in same.values().iter().zip([1.0, 0.587, 0.299, 0.0]) {
            assert!((found - expected).abs() < 1e-6);
        }
        let larger = reference.estimate(&Canvas::filled(Size::new(40, 30), [9; 3])).unwrap();
        assert_eq!(larger.size(), Size::new(40, 30));
        assert!(larger.values()[0] > 0.99 && larger.values()[39] < 0.01);
    }

    #[test]
    fn a_file_that_is_no_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("depth.png");
        std::fs::write(&path, b"no picture").unwrap();
        let error = ReferenceDepth::open(&path).unwrap_err().to_string();
        assert!(error.contains("depth.png") && error.contains("decode"), "{error}");
    }
}
