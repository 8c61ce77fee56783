//! A frame with what lies beyond its edges: what is painted ahead and what has left the sight.
//!
//! As long as nothing is painted the picture itself stays as it was, and only how far the camera has moved it grows: what
//! is seen is sampled once from what was painted, however many frames ago that was. Sampled from frame to frame, a turn
//! would be a blur with a whorl in its middle after a second.

use std::path::Path;

use crate::camera::{self, Sides, Travel};
use crate::canvas::{Canvas, Plane, Size};
use crate::error::{Error, Result};
use crate::infotext::{Found, described, find};
use crate::timeline::frame::{Border, Camera2d, Sampling};

/// A picture in whose middle the frame lies, which of its pixels are known, and how far it has moved since. As a file it is
/// a PNG that is transparent where nothing is known, and says the nine numbers of the way it has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Wide {
    picture: Canvas,
    known: Vec<bool>,
    frame: Size,
    travel: Travel,
}

/// What stands in front of the nine numbers.
const TRAVEL: &str = "moved by ";

/// How far a file's picture has moved.
fn travel(png: &[u8]) -> Option<Travel> {
    let Found::Text(text) = find(png) else { return None };
    let numbers: Option<Vec<f64>> =
        text.strip_prefix(TRAVEL)?.split(' ').map(|number| number.parse().ok()).collect();
    Travel::of(numbers?.try_into().ok()?)
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
            travel: Travel::NONE,
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
        let bytes = std::fs::read(path).map_err(|e| Error::input(path, format!("cannot be read: {e}")))?;
        let travel = travel(&bytes).ok_or_else(|| {
            let message = "expected the nine numbers of how far it has moved, found others or none";
            Error::input(path, message).with_hint("render with `--fresh`")
        })?;
        Ok(Self { picture, known, frame, travel })
    }

    /// As the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Bug`] when the codec refuses it.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let alpha: Vec<u8> = self.known.iter().map(|known| u8::from(*known) * 255).collect();
        // As `{}` writes them, numbers come back to the last bit.
        let numbers = self.travel.numbers().map(|number| number.to_string());
        Ok(described(&self.picture.to_png_with_alpha(&alpha)?, &format!("{TRAVEL}{}", numbers.join(" "))))
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

    /// The same with more room beyond the edges, of which nothing is known; never with less.
    pub(crate) fn with_margin(self, margin: usize) -> Self {
        let more = margin.saturating_sub(self.margin());
        if more == 0 {
            return self;
        }
        let old = Part { left: more, top: more, size: self.picture.size() };
        let size = Size::new(old.size.width + 2 * more, old.size.height + 2 * more);
        let mut known = vec![false; size.area()];
        old.places(size.width).zip(&self.known).for_each(|(place, was)| known[place] = *was);
        let mut wide = Self { picture: Canvas::filled(size, [0; 3]), known, ..self };
        wide.put(old, &self.picture);
        wide
    }

    /// The same after the camera's way: nothing is sampled yet.
    pub(crate) fn moved(self, camera: &Camera2d) -> Self {
        Self { travel: self.travel.then(camera, self.frame), ..self }
    }

    /// The whole as it is seen now. What is mixed with anything unknown is unknown.
    pub(crate) fn seen(&self, sampling: Sampling) -> Self {
        let warp = |picture: &Canvas, border, sampling| {
            camera::warp_around(picture, self.travel, self.frame, border, sampling)
        };
        let moved = warp(&self.picture, Border::Replicate, sampling);
        let grey = self.known.iter().flat_map(|known| [u8::from(*known) * 255; 3]).collect();
        let known = warp(&Canvas::from_rgb8(self.picture.size(), grey), Border::Zeros, sampling).canvas;
        let whole = known.as_rgb8().as_chunks::<3>().0.iter().zip(moved.coverage.values());
        let known = whole.map(|(known, covered)| known[0] == 255 && *covered == 1.0).collect();
        Self { picture: moved.canvas, known, frame: self.frame, travel: Travel::NONE }
    }

    /// Everything.
    pub(crate) fn whole(&self) -> Part {
        Part { left: 0, top: 0, size: self.picture.size() }
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

    /// Whether any of a part is unknown that lies within `radius` of the frame's middle.
    pub(crate) fn lacks(&self, part: Part, radius: f64) -> bool {
        let width = self.picture.width();
        let middle = (self.picture.height() as f64 - 1.0, width as f64 - 1.0);
        let is_near = |place: usize| {
            let (y, x) = ((place / width) as f64, (place % width) as f64);
            let (y, x) = (y - middle.0 / 2.0, x - middle.1 / 2.0);
            x * x + y * y <= radius * radius
        };
        part.places(width).any(|place| !self.known[place] && is_near(place))
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
        let wide = Wide::around(&frame(), 8).moved(&SCROLL).moved(&Camera2d { angle: 0.1, ..SCROLL });
        std::fs::write(&path, wide.to_png().unwrap()).unwrap();
        assert_eq!(Wide::open(&path, wide.frame).unwrap(), wide);
        let error = Wide::open(&path, Size::new(16, 16)).unwrap_err().to_string();
        assert!(error.contains("around a frame of 16x16, found one of 32x24"), "{error}");
        for damaged in ["moved by 1 0 0", "moved by 1 0 0 0 1 0 0 0 inf", "1 0 0 0 1 0 0 0 1"] {
            let bytes = wide.picture.to_png_with_alpha(&vec![255; wide.known.len()]).unwrap();
            std::fs::write(&path, described(&bytes, damaged)).unwrap();
            let error = Wide::open(&path, wide.frame).unwrap_err();
            assert!(error.to_string().contains("nine numbers") && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn what_leaves_the_frame_stays_known_and_what_enters_is_not() {
        let wide = Wide::around(&frame(), 8).moved(&SCROLL).seen(SCROLL.sampling);
        let row: Vec<f32> = wide
            .unknown(wide.reaching(Sides { left: true, right: true, ..Sides::default() }, 8))
            .values()[..32]
            .to_vec();
        let known: Vec<usize> = (0..32).filter(|x| row[*x] == 0.0).collect();
        assert_eq!(known, (5..21).collect::<Vec<_>>());
        assert!(wide.lacks(wide.middle(), 20.0) && !wide.lacks(wide.middle(), 4.0));
        let shown = wide.cut(wide.middle());
        assert_eq!(shown.pixel(0, 0), frame().pixel(3, 0));
    }

    #[test]
    fn a_way_there_and_back_gives_the_same_bytes() {
        let start = Wide::around(&frame(), 8);
        let turn = |angle: f64| Camera2d { angle, ..Camera2d::STILL };
        let mut wide = start.clone();
        // Powers of two: the sum is 0 exactly, the matrices' product to rounding.
        for angle in [2.0, 4.0, -4.0, -2.0] {
            wide = wide.moved(&turn(angle));
        }
        assert_eq!(wide.seen(turn(1.0).sampling).cut(start.middle()), frame());
        let larger = start.clone().with_margin(16);
        assert_eq!(larger.margin(), 16);
        assert_eq!(larger.cut(larger.middle()), frame());
        assert_eq!(larger.clone().with_margin(8), larger);
    }
}
