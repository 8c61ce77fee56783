//! Pictures brought to the shape of the frame.

use crate::canvas::{Canvas, Size};
use crate::timeline::frame::Fit;

/// The picture at `size`, or at the part of it that it fills when it is to stay whole.
pub(super) fn scaled(picture: &Canvas, size: Size, fit: Fit) -> Canvas {
    match fit {
        Fit::Crop => filling(picture, size),
        Fit::Stretch => picture.resized(size),
        Fit::Inside => picture.resized(inside(picture.size(), size)),
    }
}

/// A picture in the middle of a larger frame, the rest in one colour.
pub(super) fn framed(picture: &Canvas, size: Size, colour: [u8; 3]) -> Canvas {
    if picture.size() == size {
        return picture.clone();
    }
    let (left, top) = ((size.width - picture.width()) / 2, (size.height - picture.height()) / 2);
    let mut frame = Canvas::filled(size, colour);
    for (y, row) in picture.as_rgb8().chunks_exact(picture.width() * 3).enumerate() {
        let start = ((top + y) * size.width + left) * 3;
        frame.as_rgb8_mut()[start..start + row.len()].copy_from_slice(row);
    }
    frame
}

/// The median of a picture's outermost pixels, channel by channel, which sd-webui-controlnet fills frames with.
pub(super) fn border_colour(picture: &Canvas) -> [u8; 3] {
    let (width, height) = (picture.width(), picture.height());
    let rows = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]);
    let columns = (0..height).flat_map(|y| [(0, y), (width - 1, y)]);
    let border: Vec<[u8; 3]> = rows.chain(columns).map(|(x, y)| picture.pixel(x, y)).collect();
    [0, 1, 2].map(|channel| {
        let mut values: Vec<u8> = border.iter().map(|pixel| pixel[channel]).collect();
        values.sort_unstable();
        let middle = values.len() / 2;
        ((u16::from(values[middle - 1]) + u16::from(values[middle])) / 2) as u8
    })
}

/// The largest size of that shape inside a frame, at least a pixel each way.
fn inside(picture: Size, frame: Size) -> Size {
    let is_wide = picture.width * frame.height > picture.height * frame.width;
    let round = |a: usize, b: usize, c: usize| ((2 * a * b + c) / (2 * c)).max(1);
    if is_wide {
        let height = round(picture.height, frame.width, picture.width);
        Size::new(frame.width, height.min(frame.height))
    } else {
        let width = round(picture.width, frame.height, picture.height);
        Size::new(width.min(frame.width), frame.height)
    }
}

/// The picture at `size`: cut to the same shape about its middle, then resampled.
pub(super) fn filling(picture: &Canvas, size: Size) -> Canvas {
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
        let square = scaled(&Canvas::from_rgb8(wide, rgb), Size::new(2, 2), Fit::Crop);
        assert!(square.as_rgb8().chunks(3).all(|p| p == [200, 0, 0]));
    }

    #[test]
    fn a_picture_that_stays_whole_stands_in_the_middle_of_its_border_s_colour() {
        let wide = Canvas::filled(Size::new(16, 8), [9, 8, 7]);
        let part = scaled(&wide, Size::new(8, 8), Fit::Inside);
        assert_eq!(part.size(), Size::new(8, 4));
        let frame = framed(&part, Size::new(8, 8), [1, 1, 1]);
        assert_eq!((frame.pixel(0, 1), frame.pixel(0, 2)), ([1, 1, 1], [9, 8, 7]));
        assert_eq!((frame.pixel(7, 5), frame.pixel(7, 6)), ([9, 8, 7], [1, 1, 1]));
        assert_eq!(border_colour(&wide), [9, 8, 7]);
        assert_eq!(scaled(&wide, Size::new(8, 8), Fit::Stretch).size(), Size::new(8, 8));
    }

    #[test]
    fn a_thread_of_a_picture_has_a_pixel_left() {
        assert_eq!(inside(Size::new(1000, 1), Size::new(8, 8)), Size::new(8, 1));
        assert_eq!(inside(Size::new(1, 1000), Size::new(8, 8)), Size::new(1, 8));
        assert_eq!(inside(Size::new(3, 3), Size::new(64, 32)), Size::new(32, 32));
    }
}
