//! Contrast and greyscale.

use rayon::prelude::*;

use crate::canvas::Canvas;

/// What becomes of a product beyond 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is 255.
    Clamp,
    /// It starts again at 0: Deforum, where a factor above 1 turns highlights dark. A defect kept for comparison.
    Wrap,
}

/// Every value times `factor`, rounded half to even. A factor that is not a number makes black.
pub fn contrast(canvas: &Canvas, factor: f64, overflow: Overflow) -> Canvas {
    let table: [u8; 256] = std::array::from_fn(|v| {
        let product = (v as f64 * factor).round_ties_even();
        match overflow {
            Overflow::Clamp => product as u8,
            // Through i64 and modulo 256, which is what the x86-64 conversion that NumPy uses comes to.
            Overflow::Wrap => product as i64 as u8,
        }
    });
    let mut moved = canvas.clone();
    moved.as_rgb8_mut().par_chunks_mut(1 << 15).for_each(|piece| {
        piece.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
    });
    moved
}

/// The picture in grey: 0.299 R + 0.587 G + 0.114 B of the encoded values, in OpenCV's 15-bit fixed point.
pub fn grey(canvas: &Canvas) -> Canvas {
    let mut grey = canvas.clone();
    for pixel in grey.as_rgb8_mut().as_chunks_mut::<3>().0 {
        let [r, g, b] = pixel.map(u32::from);
        *pixel = [((9798 * r + 19235 * g + 3735 * b + (1 << 14)) >> 15) as u8; 3];
    }
    grey
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn factor_one_changes_nothing_and_overflow_differs() {
        let size = Size::new(256, 1);
        let ramp = Canvas::from_rgb8(size, (0..768).map(|i| (i / 3) as u8).collect());
        for overflow in [Overflow::Clamp, Overflow::Wrap] {
            assert_eq!(contrast(&ramp, 1.0, overflow), ramp);
            assert_eq!(contrast(&ramp, f64::NAN, overflow), Canvas::filled(size, [0; 3]));
        }
        assert_eq!(contrast(&ramp, 2.0, Overflow::Clamp).pixel(200, 0), [255; 3]);
        assert_eq!(contrast(&ramp, 2.0, Overflow::Wrap).pixel(200, 0), [144; 3]);
        // 2.5 and 3.5 go to the even neighbour.
        assert_eq!(contrast(&ramp, 0.5, Overflow::Clamp).pixel(5, 0), [2; 3]);
        assert_eq!(contrast(&ramp, 0.5, Overflow::Clamp).pixel(7, 0), [4; 3]);
    }

    #[test]
    fn grey_keeps_grey_and_weighs_colours() {
        let size = Size::new(1, 1);
        for v in 0..=255 {
            assert_eq!(grey(&Canvas::filled(size, [v; 3])).pixel(0, 0), [v; 3]);
        }
        // cv2.cvtColor(..., COLOR_RGB2GRAY) of pure red, green and blue.
        for (rgb, want) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            assert_eq!(grey(&Canvas::filled(size, rgb)).pixel(0, 0), [want; 3]);
        }
    }
}
