//! «Only masked»: the part of a picture around its mask, painted at the size of a whole one.

use super::grey::Grey;
use crate::canvas::{Canvas, Size};

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub left: usize,
    pub top: usize,
    pub size: Size,
}

impl Region {
    /// The smallest region that holds all of a mask that is not black, `padding` wider on each side, and then
    /// widened towards the shape of `wanted` as far as the picture reaches. `None` when all is black. sd-webui's
    /// rule (1.10, `get_crop_region`, `expand_crop_region`).
    pub fn around(mask: &Grey, padding: u32, wanted: Size) -> Option<Self> {
        let Size { width, height } = mask.size;
        let row = |y: usize| mask.values[y * width..(y + 1) * width].iter().any(|v| *v > 0);
        let column = |x: usize| (0..height).any(|y| mask.values[y * width + x] > 0);
        let (top, bottom) = ((0..height).find(|y| row(*y))?, (0..height).rfind(|y| row(*y))? + 1);
        let (left, right) = ((0..width).find(|x| column(*x))?, (0..width).rfind(|x| column(*x))? + 1);
        let padding = padding as usize;
        let x = (left.saturating_sub(padding), right.saturating_add(padding).min(width));
        let y = (top.saturating_sub(padding), bottom.saturating_add(padding).min(height));
        let ratio = |width: usize, height: usize| width as f64 / height as f64;
        let shape = ratio(wanted.width, wanted.height);
        let (x, y) = if ratio(x.1 - x.0, y.1 - y.0) > shape {
            (x, widened(y, ((x.1 - x.0) as f64 / shape) as usize, height))
        } else {
            (widened(x, ((y.1 - y.0) as f64 * shape) as usize, width), y)
        };
        Some(Self { left: x.0, top: y.0, size: Size::new(x.1 - x.0, y.1 - y.0) })
    }

    /// This part of a picture.
    pub fn of(&self, picture: &Canvas) -> Canvas {
        let rows = (self.top..self.top + self.size.height).flat_map(|y| {
            let start = (y * picture.width() + self.left) * 3;
            picture.as_rgb8()[start..start + self.size.width * 3].iter().copied()
        });
        Canvas::from_rgb8(self.size, rows.collect())
    }

    /// A picture of the region's size laid over this part of another one.
    pub fn put(&self, part: &Canvas, picture: &mut Canvas) {
        let width = picture.width();
        for (y, row) in part.as_rgb8().chunks_exact(part.width() * 3).enumerate() {
            let start = ((self.top + y) * width + self.left) * 3;
            picture.as_rgb8_mut()[start..start + row.len()].copy_from_slice(row);
        }
    }
}

/// A stretch made `length` long about its middle, pushed back between 0 and `end`.
fn widened((from, to): (usize, usize), length: usize, end: usize) -> (usize, usize) {
    let more = length.saturating_sub(to - from);
    let (mut from, mut to) = (from as i64 - (more / 2) as i64, (to + more - more / 2) as i64);
    let end = end as i64;
    if to >= end {
        (from, to) = (from - (to - end), end);
    }
    if from < 0 {
        (from, to) = (0, to - from);
    }
    (from as usize, to.min(end) as usize)
}

/// The picture brought into `size` as a whole, with what stays free filled by its outermost pixels (sd-webui's
/// «resize and fill»).
pub(super) fn fitted(picture: &Canvas, size: Size) -> Canvas {
    centred(picture, scaled_to(picture.size(), size, false), size)
}

/// The picture made to cover `size`, and what stands over cut off (sd-webui's «crop and resize»).
pub(super) fn covering(picture: &Canvas, size: Size) -> Canvas {
    centred(picture, scaled_to(picture.size(), size, true), size)
}

/// The picture resampled to `scaled` and put in the middle of `size`.
fn centred(picture: &Canvas, scaled: Size, size: Size) -> Canvas {
    let offset = |frame: usize, picture: usize| (frame / 2) as i64 - (picture / 2) as i64;
    let (left, top) = (offset(size.width, scaled.width), offset(size.height, scaled.height));
    copied(&picture.resized(scaled), size, left, top)
}

/// The size of a picture's shape that just covers another, or just lies in it.
fn scaled_to(from: Size, to: Size, covers: bool) -> Size {
    let is_flatter = to.width as f64 / (to.height as f64) < from.width as f64 / from.height as f64;
    if is_flatter == covers {
        Size::new((from.width * to.height / from.height).max(1), to.height)
    } else {
        Size::new(to.width, (from.height * to.width / from.width).max(1))
    }
}

/// A picture of `size` in which another stands at a place, its outermost pixels going on beyond it.
fn copied(picture: &Canvas, size: Size, left: i64, top: i64) -> Canvas {
    if picture.size() == size && left == 0 && top == 0 {
        return picture.clone();
    }
    let inside = |place: i64, length: usize| place.clamp(0, length as i64 - 1) as usize;
    let pixels = (0..size.area()).flat_map(|i| {
        let (x, y) = ((i % size.width) as i64 - left, (i / size.width) as i64 - top);
        picture.pixel(inside(x, picture.width()), inside(y, picture.height()))
    });
    Canvas::from_rgb8(size, pixels.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spot(size: Size, x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> Grey {
        let values = (0..size.area())
            .map(|i| u8::from(x.contains(&(i % size.width)) && y.contains(&(i / size.width))) * 200)
            .collect();
        Grey { size, values }
    }

    #[test]
    fn regions_are_sd_webui_s() {
        // Numbers of `expand_crop_region(get_crop_region(mask, padding), ...)`, run as published.
        for (size, x, y, padding, wanted, found) in [
            (Size::new(100, 80), 40..60, 30..40, 4, Size::new(64, 64), (36, 21, 28, 28)),
            (Size::new(100, 80), 0..10, 0..60, 0, Size::new(64, 64), (0, 0, 60, 60)),
            (Size::new(100, 80), 90..100, 70..80, 8, Size::new(64, 32), (64, 62, 36, 18)),
            (Size::new(40, 100), 0..40, 50..60, 0, Size::new(64, 64), (0, 35, 40, 40)),
            (Size::new(40, 100), 10..20, 0..100, 2, Size::new(64, 64), (0, 0, 40, 100)),
        ] {
            let region = Region::around(&spot(size, x, y), padding, wanted).unwrap();
            assert_eq!((region.left, region.top, region.size.width, region.size.height), found);
        }
        let black = spot(Size::new(9, 9), 0..0, 0..0);
        assert_eq!(Region::around(&black, 4, Size::new(64, 64)), None);
    }

    #[test]
    fn a_part_comes_back_to_its_place() {
        let size = Size::new(12, 9);
        let picture = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| i as u8).collect());
        let region = Region { left: 3, top: 2, size: Size::new(5, 4) };
        let mut other = Canvas::filled(size, [0; 3]);
        region.put(&region.of(&picture), &mut other);
        assert_eq!(other.pixel(3, 2), picture.pixel(3, 2));
        assert_eq!(other.pixel(7, 5), picture.pixel(7, 5));
        assert_eq!(other.pixel(8, 5), [0; 3]);
    }

    proptest! {
        #[test]
        fn regions_hold_the_mask_and_lie_in_the_picture(
            w in 1usize..60, h in 1usize..60, x in 0usize..60, y in 0usize..60,
            padding in prop_oneof![0u32..40, Just(u32::MAX)], wanted_w in 1usize..9, wanted_h in 1usize..9,
        ) {
            let (x, y) = (x % w, y % h);
            let wanted = Size::new(wanted_w * 8, wanted_h * 8);
            let region = Region::around(&spot(Size::new(w, h), x..x + 1, y..y + 1), padding, wanted).unwrap();
            prop_assert!((region.left..region.left + region.size.width).contains(&x));
            prop_assert!((region.top..region.top + region.size.height).contains(&y));
            prop_assert!(region.left + region.size.width <= w && region.top + region.size.height <= h);
            let part = Canvas::filled(region.size, [7; 3]);
            prop_assert_eq!(fitted(&part, wanted), Canvas::filled(wanted, [7; 3]));
            prop_assert_eq!(covering(&Canvas::filled(wanted, [7; 3]), region.size), part);
        }
    }
}
