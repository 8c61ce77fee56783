//! A picture file with everything that a correction must not lose: 16 bits, alpha, profile, Exif.

use std::path::Path;

use image::{DynamicImage, ImageDecoder as _, ImageEncoder};

use super::deflicker::Correction;
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// Quality of JPEG files, 1–100: what simple-deflicker uses too.
const JPEG_QUALITY: u8 = 95;

/// A decoded PNG or JPEG. Grey is widened to RGB.
pub(crate) struct Picture {
    size: Size,
    pixels: Pixels,
    /// One 16-bit value a pixel.
    alpha: Option<Vec<u16>>,
    profile: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

enum Pixels {
    Eight(Canvas),
    Sixteen(Vec<u16>),
}

impl Picture {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad = |e: image::ImageError| Error::input(path, format!("cannot decode the picture: {e}"));
        let mut decoder = image::ImageReader::open(path)
            .and_then(|reader| reader.with_guessed_format())
            .map_err(|e| Error::input(path, format!("cannot read the picture: {e}")))?
            .into_decoder()
            .map_err(bad)?;
        // Damaged metadata is no reason to refuse a picture that can be seen.
        let profile = decoder.icc_profile().ok().flatten();
        let exif = decoder.exif_metadata().ok().flatten();
        let image = DynamicImage::from_decoder(decoder).map_err(bad)?;
        let size = Size::new(image.width() as usize, image.height() as usize);
        let deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
        let alpha = image.color().has_alpha().then(|| {
            let rgba = image.to_rgba16();
            rgba.pixels().map(|p| p[3]).collect()
        });
        let pixels = if deep {
            Pixels::Sixteen(image.into_rgb16().into_raw())
        } else {
            Pixels::Eight(Canvas::from_rgb8(size, image.into_rgb8().into_raw()))
        };
        Ok(Self { size, pixels, alpha, profile, exif })
    }

    /// Corrects it as frame `number`.
    pub(crate) fn correct(&mut self, correction: &Correction, number: usize) {
        match &mut self.pixels {
            Pixels::Eight(canvas) => correction.apply(number, canvas),
            Pixels::Sixteen(rgb) => correction.apply16(number, self.size, rgb),
        }
    }

    /// The bytes of a file of the kind that `path` names by its extension.
    pub(crate) fn encode(self, path: &Path) -> Result<Vec<u8>> {
        use image::codecs::{jpeg, png};
        let mut bytes = Vec::new();
        let jpeg = path.extension().is_some_and(|e| !e.eq_ignore_ascii_case("png"));
        let written = if jpeg {
            self.write(jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY), false)
        } else {
            // Measured on photographs: a tenth of the time of the default at the same size.
            let (level, filter) = (png::CompressionType::Fast, png::FilterType::Adaptive);
            self.write(png::PngEncoder::new_with_quality(&mut bytes, level, filter), true)
        };
        written.map_err(|e| Error::output(path, format!("cannot encode the picture: {e}")))?;
        Ok(bytes)
    }

    /// Hands pixels and metadata to an encoder; `full` says that it can hold alpha and 16 bits.
    fn write(mut self, mut encoder: impl ImageEncoder, full: bool) -> image::ImageResult<()> {
        // An encoder that cannot keep them says so; the picture matters more.
        if let Some(profile) = self.profile.take() {
            let _ = encoder.set_icc_profile(profile);
        }
        if let Some(exif) = self.exif.take() {
            let _ = encoder.set_exif_metadata(exif);
        }
        let image = self.into_image(full);
        encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
    }

    fn into_image(self, full: bool) -> DynamicImage {
        let (width, height) = (self.size.width as u32, self.size.height as u32);
        let expect = "as many values as the size says";
        let image = match self.pixels {
            Pixels::Eight(canvas) => {
                let rgb = image::RgbImage::from_raw(width, height, canvas.into_rgb8()).expect(expect);
                DynamicImage::ImageRgb8(rgb)
            }
            Pixels::Sixteen(rgb) => {
                DynamicImage::ImageRgb16(image::ImageBuffer::from_raw(width, height, rgb).expect(expect))
            }
        };
        match (self.alpha, full, image) {
            (Some(alpha), true, DynamicImage::ImageRgb8(rgb)) => {
                let mut rgba = DynamicImage::ImageRgb8(rgb).into_rgba8();
                rgba.pixels_mut().zip(alpha).for_each(|(pixel, alpha)| pixel[3] = (alpha / 257) as u8);
                DynamicImage::ImageRgba8(rgba)
            }
            (Some(alpha), true, image) => {
                let mut rgba = image.into_rgba16();
                rgba.pixels_mut().zip(alpha).for_each(|(pixel, alpha)| pixel[3] = alpha);
                DynamicImage::ImageRgba16(rgba)
            }
            (_, false, image) => DynamicImage::ImageRgb8(image.into_rgb8()),
            (None, true, image) => image,
        }
    }
}
