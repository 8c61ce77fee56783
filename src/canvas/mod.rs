//! The only pixel types that cross rooms: an 8-bit RGB picture, a plane of `f32`, and their size.

mod widest;

use std::path::Path;

use fast_image_resize as fir;

use crate::error::{Error, Result};
pub(crate) use widest::on_widest;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row, left to right.
    pub width: usize,
    /// Rows, top to bottom.
    pub height: usize,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// How many pixels a picture of this size has.
    pub const fn area(self) -> usize {
        self.width * self.height
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// An 8-bit picture: sRGB-encoded R, G, B interleaved, row by row from the top-left corner, y down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    rgb: Vec<u8>,
}

impl Canvas {
    /// A picture of one colour (R, G, B, 0–255).
    pub fn filled(size: Size, rgb: [u8; 3]) -> Self {
        Self { size, rgb: rgb.repeat(size.area()) }
    }

    /// Takes interleaved RGB bytes.
    ///
    /// # Panics
    /// When `rgb` does not hold three bytes a pixel: that is a bug of the caller, never a matter of input.
    pub fn from_rgb8(size: Size, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), size.area() * 3, "an RGB8 picture of {size} has three bytes a pixel");
        Self { size, rgb }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.size.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.size.height
    }

    /// All bytes, R, G, B interleaved, row by row.
    pub fn as_rgb8(&self) -> &[u8] {
        &self.rgb
    }

    /// All bytes, to be written.
    pub fn as_rgb8_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// White for black: a mask that means what the other left out, lines as a network wants them.
    #[must_use]
    pub fn negative(mut self) -> Self {
        self.rgb.iter_mut().for_each(|value| *value = 255 - *value);
        self
    }

    /// Gives the bytes away.
    pub fn into_rgb8(self) -> Vec<u8> {
        self.rgb
    }

    /// R, G, B at column `x`, row `y`.
    ///
    /// # Panics
    /// When the place lies outside the picture.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.size.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// The picture at another size, Lanczos-3 filtered on the encoded values (as PIL does).
    pub fn resized(&self, size: Size) -> Self {
        if size == self.size {
            return self.clone();
        }
        let pixels = self.rgb.as_chunks::<3>().0.iter().map(|p| fir::pixels::U8x3::new(*p)).collect();
        let resized = resize(pixels, self.size, size, fir::FilterType::Lanczos3);
        Self { size, rgb: resized.iter().flat_map(|p| p.0).collect() }
    }

    /// Reads a PNG or JPEG file. Grey is widened, alpha is dropped, 16 bits are rounded to 8.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read or decoded.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(decode(path)?.0.into())
    }

    /// As [`Canvas::open`], turned the way up that the picture's Exif data asks for: telephones store
    /// portraits lying down.
    ///
    /// # Errors
    /// As [`Canvas::open`].
    pub fn open_upright(path: &Path) -> Result<Self> {
        let (mut picture, orientation) = decode(path)?;
        picture.apply_orientation(orientation);
        Ok(picture.into())
    }

    /// As [`Canvas::open_upright`], and the picture's alpha as grey (255 is opaque) where any of it is not opaque.
    ///
    /// # Errors
    /// As [`Canvas::open`].
    pub fn open_with_alpha(path: &Path) -> Result<(Self, Option<Self>)> {
        let (mut picture, orientation) = decode(path)?;
        picture.apply_orientation(orientation);
        let alpha = picture.color().has_alpha().then(|| {
            let size = Size::new(picture.width() as usize, picture.height() as usize);
            Self { size, rgb: picture.to_rgba8().pixels().flat_map(|p| [p.0[3]; 3]).collect() }
        });
        Ok((picture.into(), alpha.filter(|alpha| alpha.rgb.iter().any(|v| *v != 255))))
    }

    /// The part of `size` pixels whose top-left corner is at column `x`, row `y`. What lies beyond the picture's
    /// edges has the colour of the nearest pixel of the edge, so that this enlarges too.
    pub fn cut(&self, x: usize, y: usize, size: Size) -> Self {
        let mut rgb = Vec::with_capacity(size.area() * 3);
        for row in y..y + size.height {
            let row = row.min(self.size.height.saturating_sub(1));
            for column in x..x + size.width {
                rgb.extend_from_slice(&self.pixel(column.min(self.size.width.saturating_sub(1)), row));
            }
        }
        Self { size, rgb }
    }

    /// The picture as the bytes of a PNG file with an alpha for each pixel (8-bit RGBA, deterministic).
    ///
    /// # Errors
    /// [`Error::Bug`] when the codec refuses a picture that we made.
    pub fn to_png_with_alpha(&self, alpha: &[u8]) -> Result<Vec<u8>> {
        use image::ImageEncoder as _;
        let pixels = self.rgb.as_chunks::<3>().0.iter().zip(alpha);
        let rgba: Vec<u8> = pixels.flat_map(|([r, g, b], a)| [*r, *g, *b, *a]).collect();
        let (width, height) = (self.size.width as u32, self.size.height as u32);
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&rgba, width, height, image::ExtendedColorType::Rgba8)
            .map_err(|e| Error::Bug(format!("png encoder: {e}")))?;
        Ok(bytes)
    }

    /// The picture as the bytes of a PNG file (8-bit RGB, deterministic).
    ///
    /// # Errors
    /// [`Error::Bug`] when the codec refuses a picture that we made.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        use image::ImageEncoder as _;
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(
                &self.rgb,
                self.size.width as u32,
                self.size.height as u32,
                image::ExtendedColorType::Rgb8,
            )
            .map_err(|e| Error::Bug(format!("png encoder: {e}")))?;
        Ok(bytes)
    }
}

impl From<image::DynamicImage> for Canvas {
    fn from(picture: image::DynamicImage) -> Self {
        let size = Size::new(picture.width() as usize, picture.height() as usize);
        Self { size, rgb: picture.into_rgb8().into_raw() }
    }
}

/// A picture file as it is stored, and how it must be turned to be seen.
fn decode(path: &Path) -> Result<(image::DynamicImage, image::metadata::Orientation)> {
    use image::ImageDecoder as _;
    let undecodable = |e: image::ImageError| {
        let message = match &e {
            image::ImageError::Unsupported(_) => {
                "expected a PNG or JPEG, found another kind of file".to_owned()
            }
            e => format!("cannot decode the picture: {e}"),
        };
        Error::input(path, message)
            .with_hint("kinora reads PNG and JPEG: convert it, or export it anew when it is damaged")
    };
    let mut decoder = image::ImageReader::open(path)
        .and_then(|reader| reader.with_guessed_format())
        .map_err(|e| Error::input(path, format!("cannot read the picture: {e}")))?
        .into_decoder()
        .map_err(undecodable)?;
    // Damaged metadata is no reason to refuse a picture that can be seen.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    Ok((image::DynamicImage::from_decoder(decoder).map_err(undecodable)?, orientation))
}

/// One `f32` a pixel, row by row from the top-left corner: a depth map, a mask, a coverage.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    size: Size,
    values: Vec<f32>,
}

/// Relative inverse depth: large is near. What range it has is said where it is made.
pub type DepthMap = Plane;

impl Plane {
    /// A plane of one value.
    pub fn filled(size: Size, value: f32) -> Self {
        Self { size, values: vec![value; size.area()] }
    }

    /// Takes row-major values.
    ///
    /// # Panics
    /// When `values` does not hold one value a pixel: a bug of the caller.
    pub fn from_values(size: Size, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), size.area(), "a plane of {size} has one value a pixel");
        Self { size, values }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The plane at another size, bilinear (area-weighted when shrinking).
    pub fn resized(&self, size: Size) -> Self {
        if size == self.size {
            return self.clone();
        }
        let pixels = self.values.iter().map(|v| fir::pixels::F32::new(*v)).collect();
        let resized = resize(pixels, self.size, size, fir::FilterType::Bilinear);
        Self { size, values: resized.iter().map(|p| p.0).collect() }
    }
}

/// Resizes pixels; both sizes are our own, so a refusal of the library is a bug.
///
/// Typed, because the library's untyped resize is compiled for every pixel type that there is: a quarter
/// of the whole program's build.
fn resize<P: fir::PixelTrait>(pixels: Vec<P>, from: Size, to: Size, filter: fir::FilterType) -> Vec<P> {
    let expect = "sizes and pixels agree";
    let source =
        fir::images::TypedImage::from_pixels(from.width as u32, from.height as u32, pixels).expect(expect);
    let mut target = fir::images::TypedImage::new(to.width as u32, to.height as u32);
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter)).use_alpha(false);
    fir::Resizer::new().resize_typed(&source, &mut target, &options).expect(expect);
    target.pixels().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_a_constant_keeps_it() {
        let canvas = Canvas::filled(Size::new(7, 5), [10, 200, 30]).resized(Size::new(16, 9));
        assert_eq!(canvas.size(), Size::new(16, 9));
        assert!(canvas.as_rgb8().chunks(3).all(|p| p == [10, 200, 30]));
        let plane = Plane::filled(Size::new(3, 3), 0.25).resized(Size::new(8, 2));
        assert!(plane.values().iter().all(|v| (v - 0.25).abs() < 1e-6));
    }

    /// A JPEG of `size` whose Exif data says that it must be turned by a quarter, clockwise.
    fn lying_portrait(size: Size) -> Vec<u8> {
        use image::ImageEncoder as _;
        // Little-endian TIFF with one entry: orientation (0x0112), SHORT, 6.
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        let grey = vec![128; size.area() * 3];
        encoder
            .write_image(&grey, size.width as u32, size.height as u32, image::ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    #[test]
    fn a_telephone_s_portrait_stands_upright_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, lying_portrait(Size::new(32, 16))).unwrap();
        assert_eq!(Canvas::open(&path).unwrap().size(), Size::new(32, 16));
        assert_eq!(Canvas::open_upright(&path).unwrap().size(), Size::new(16, 32));
    }

    #[test]
    fn a_png_reads_back_as_it_was_written() {
        let size = Size::new(5, 3);
        let canvas = Canvas::from_rgb8(size, (0..45).map(|i| i as u8 * 5).collect());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, canvas.to_png().unwrap()).unwrap();
        assert_eq!(Canvas::open(&path).unwrap(), canvas);
    }
}
