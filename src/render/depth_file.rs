//! A frame's depth beside its picture: `000012.depth.png`, grey of 16 bits, near is bright.
//!
//! The scale is the same in every file: 0 is depth -0.25, 65535 is 1.25, so that 10923 is the farthest point (depth
//! 0, at `depth.far`) and 54612 the nearest (depth 1, at `depth.near`). What lies beyond is kept to compare the next
//! frame with. Each file says so in a text called `Depth`.

use std::path::Path;

use crate::camera::{from_steps, to_steps};
use crate::canvas::{DepthMap, Plane, Size};
use crate::error::{Error, Result};

/// The text in each file.
const MEANING: &str = "depth = value * 1.5 / 65535 - 0.25; 1 is near, 0 is far";

/// The bytes of the PNG file.
///
/// # Errors
/// [`Error::Bug`] when it cannot be encoded, which is not known to happen.
pub fn png(depth: &DepthMap) -> Result<Vec<u8>> {
    let bug = |e: png::EncodingError| Error::Bug(format!("a depth map as PNG: {e}"));
    let (width, height) = (depth.size().width as u32, depth.size().height as u32);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.add_text_chunk("Depth".to_owned(), MEANING.to_owned()).map_err(bug)?;
    let mut writer = encoder.write_header().map_err(bug)?;
    let values: Vec<u8> = depth.values().iter().flat_map(|v| to_steps(*v).to_be_bytes()).collect();
    writer.write_image_data(&values).map_err(bug)?;
    writer.finish().map_err(bug)?;
    Ok(bytes)
}

/// Reads such a file.
///
/// # Errors
/// [`Error::Input`] when it is not there, damaged, or no grey picture of 16 bits.
pub fn read(path: &Path) -> Result<DepthMap> {
    let cannot = |e: &dyn std::fmt::Display| Error::input(path, format!("cannot read the depth: {e}"));
    let bytes = std::fs::read(path).map_err(|e| cannot(&e))?;
    let picture =
        image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).map_err(|e| cannot(&e))?;
    let image::DynamicImage::ImageLuma16(grey) = picture else {
        return Err(Error::input(path, "expected a grey picture of 16 bits, as kinora writes depth"));
    };
    let size = Size::new(grey.width() as usize, grey.height() as usize);
    Ok(Plane::from_values(size, grey.into_raw().into_iter().map(from_steps).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_to_the_bit() {
        let size = Size::new(257, 3);
        let values = (0..size.area()).map(|i| from_steps((i * 85) as u16)).collect();
        let depth = Plane::from_values(size, values);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000000.depth.png");
        let bytes = png(&depth).unwrap();
        assert!(bytes.windows(5).any(|part| part == b"Depth"));
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap(), depth);
    }

    /// What was saved is a sequence of depth like any other, on the scale that it was saved with.
    #[test]
    fn the_text_says_how_the_values_are_read() {
        assert!(MEANING.starts_with("depth = value * 1.5 / 65535 - 0.25;"));
        assert_eq!((from_steps(0), from_steps(u16::MAX)), (-0.25, 1.25));
    }

    #[test]
    fn other_pictures_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000000.depth.png");
        image::RgbImage::new(2, 2).save(&path).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("000000.depth.png") && error.contains("16 bits"), "{error}");
    }
}
