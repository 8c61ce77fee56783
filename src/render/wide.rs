//! A frame with what lies beyond its edges: what is painted ahead and what has left the sight.

use std::path::Path;

use crate::camera::{self, Sides};
use crate::canvas::{Canvas, Plane, Size};
use crate::error::{Error, Result};
use crate::timeline::frame::{Border, Camera2d};

/// A picture in whose middle the frame lies, and which of its pixels are known. As a file it is a PNG that is
/// transparent where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide {
    picture: Canvas,
    known: Vec<bool>,
    frame: Size,
}

/// A rectangle of a [`Wide`], in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub left: usize,
    pub top: usize,
    pub size: Size,
}

impl Part {
    /// The places of its pixels in a picture of that width, row by row.
    fn places(self, width: usize) -> impl Iterator<Item = usize> {
        let Self { left, top, size } = self;
        (top..top + size.height).flat_map(move |y| (0..size.width).map(move |x| y * width + left + x))
    }
}

impl Wide {
    /// A frame of which nothing more is known, with room for `margin` pixels beyond each edge.
    pub fn around(frame: &Canvas, margin: usize) -> Self {
        let Size { width, height } = frame.size();
        let size = Size::new(width + 2 * margin, height + 2 * margin);
        let mut wide = Self {
            picture: Canvas::filled(size, [0; 3]),
            known: vec![false; size.area()],
            frame: frame.size(),
        };
        wide.put(wide.middle(), frame);
        let places: Vec<usize> = wide.middle().places(size.width).collect();
        places.into_iter().for_each(|place| wide.known[place] = true);
        wide
    }

    /// Reads a file that [`Wide::to_png`] made, around a frame of size `frame`.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read, or is no such picture.
    pub fn open(path: &Path, frame: Size) -> Result<Self> {
        let (picture, alpha) = Canvas::open_with_alpha(path)?;
        let size = picture.size();
        let margin = |whole: usize, part: usize| whole.checked_sub(part).filter(|more| more % 2 == 0);
        let margins = margin(size.width, frame.width).zip(margin(size.height, frame.height));
        if margins.is_none_or(|(x, y)| x != y) {
            let message = format!("expected a picture around a frame of {frame}, found one of {size}");
            return Err(Error::input(path, message).with_hint("render with `--fresh`"));
        }
        let known = match alpha {
            Some(alpha) => alpha.as_rgb8().as_chunks::<3>().0.iter().map(|v| v[0] == 255).collect(),
            None => vec![true; size.area()],
        };
        Ok(Self { picture, known, frame })
    }

    /// As the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Bug`] when the codec refuses it.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let alpha: Vec<u8> = self.known.iter().map(|known| u8::from(*known) * 255).collect();
        self.picture.to_png_with_alpha(&alpha)
    }

    /// Pixels beyond each edge of the frame.
    pub(crate) fn margin(&self) -> usize {
        (self.picture.width() - self.frame.width) / 2
    }

    /// Where the frame lies.
    pub(crate) fn middle(&self) -> Part {
        Part { left: self.margin(), top: self.margin(), size: self.frame }
    }

    /// The frame and `more` pixels beyond some of its edges.
    pub(crate) fn reaching(&self, sides: Sides, more: usize) -> Part {
        let (margin, more) = (self.margin(), more.min(self.margin()));
        let [left, right, top, bottom] =
            [sides.left, sides.right, sides.top, sides.bottom].map(|side| usize::from(side) * more);
        let size = Size::new(self.frame.width + left + right, self.frame.height + top + bottom);
        Part { left: margin - left, top: margin - top, size }
    }

    /// The whole as the camera moves it. What is mixed with anything unknown is unknown.
    pub(crate) fn moved(&self, camera: &Camera2d) -> Self {
        let moved = camera::warp_around(&self.picture, camera, self.frame, Border::Replicate);
        let grey = self.known.iter().flat_map(|known| [u8::from(*known) * 255; 3]).collect();
        let grey = Canvas::from_rgb8(self.picture.size(), grey);
        let known = camera::warp_around(&grey, camera, self.frame, Border::Zeros);
        let whole = known.canvas.as_rgb8().as_chunks::<3>().0.iter().zip(moved.coverage.values());
        let known = whole.map(|(known, covered)| known[0] == 255 && *covered == 1.0).collect();
        Self { picture: moved.canvas, known, frame: self.frame }
    }

    /// A part of the picture.
    pub(crate) fn cut(&self, part: Part) -> Canvas {
        self.picture.cut(part.left, part.top, part.size)
    }

    /// 1 where nothing is known of a part.
    pub(crate) fn unknown(&self, part: Part) -> Plane {
        let values = part.places(self.picture.width()).map(|place| f32::from(!self.known[place])).collect();
        Plane::from_values(part.size, values)
    }

    /// Whether any of a part is unknown.
    pub(crate) fn lacks(&self, part: Part) -> bool {
        part.places(self.picture.width()).any(|place| !self.known[place])
    }

    /// Lays a picture of its size over a part.
    pub(crate) fn put(&mut self, part: Part, picture: &Canvas) {
        let width = self.picture.width();
        let pixels = self.picture.as_rgb8_mut().as_chunks_mut::<3>().0;
        for (place, pixel) in part.places(width).zip(picture.as_rgb8().as_chunks::<3>().0) {
            pixels[place] = *pixel;
        }
    }

    /// What is 1 in `painted` is known from now on.
    pub(crate) fn learn(&mut self, part: Part, painted: &Plane) {
        for (place, value) in part.places(self.picture.width()).zip(painted.values()) {
            self.known[place] |= *value > 0.5;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCROLL: Camera2d = Camera2d { translation_x: -3.0, ..Camera2d::STILL };

    fn frame() -> Canvas {
        let size = Size::new(16, 8);
        Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 29 % 256) as u8).collect())
    }

    #[test]
    fn a_file_gives_back_picture_and_knowledge() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let wide = Wide::around(&frame(), 8).moved(&SCROLL);
        std::fs::write(&path, wide.to_png().unwrap()).unwrap();
        assert_eq!(Wide::open(&path, wide.frame).unwrap(), wide);
        let error = Wide::open(&path, Size::new(16, 16)).unwrap_err().to_string();
        assert!(error.contains("around a frame of 16x16, found one of 32x24"), "{error}");
    }

    #[test]
    fn what_leaves_the_frame_stays_known_and_what_enters_is_not() {
        let wide = Wide::around(&frame(), 8).moved(&SCROLL);
        let row: Vec<f32> = wide
            .unknown(wide.reaching(Sides { left: true, right: true, ..Sides::default() }, 8))
            .values()[..32]
            .to_vec();
        let known: Vec<usize> = (0..32).filter(|x| row[*x] == 0.0).collect();
        assert_eq!(known, (5..21).collect::<Vec<_>>());
        assert!(wide.lacks(wide.middle()));
        let shown = wide.cut(wide.middle());
        assert_eq!(shown.pixel(0, 0), frame().pixel(3, 0));
    }
}
