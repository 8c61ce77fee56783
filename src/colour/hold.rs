//! Pulling a picture's measures back: brightness, contrast and saturation by one affine map of its colours, sharpness
//! by sharpening or blurring its luma.

use rayon::prelude::*;

use super::measure::{Measures, luma, luma_of};
use crate::canvas::Canvas;

/// Most levels that brightness is moved by in a frame.
const MOST_LEVELS: f64 = 16.0;
/// Most that contrast and saturation are multiplied or divided by in a frame.
const MOST_FACTOR: f64 = 1.2;
/// Most that the sharpness is multiplied or divided by in a frame. It is a variance: the detail's contrast moves by the
/// root of it.
const MOST_SHARPENING: f64 = 1.6;
/// Shares of the detail that are added at most, and taken away at most.
const AMOUNTS: (f64, f64) = (-0.6, 1.0);
/// The blur that tells detail from the rest: binomial weights of a Gaussian with a variance of 1.
const BLUR: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// What one frame is pulled back by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull {
    /// Levels added to the brightness.
    pub luma: f64,
    /// Factor of the distance from the mean brightness.
    pub contrast: f64,
    /// Factor of the distance of each channel from the pixel's luma.
    pub saturation: f64,
    /// Factor of the variance of the luma's Laplacian.
    pub sharpness: f64,
}

impl Pull {
    /// Changes nothing.
    pub const NONE: Self = Self { luma: 0.0, contrast: 1.0, saturation: 1.0, sharpness: 1.0 };

    /// What pulls a picture that measures `now` back towards `reference`.
    ///
    /// Like a spring that stiffens: of a drift `d` the share `min(1, (d / limit)²)` is undone, so that small changes, which
    /// are the picture's own, are left alone, and beyond `limit` all of it is undone. A loop that drifts by `e` a frame
    /// comes to rest at `(e limit²)^(1/3)`. Never more than 16 levels, a factor of 1.2, and of sharpness 1.6, in a frame.
    pub fn back(now: &Measures, reference: &Measures, limit: f64) -> Self {
        if limit.is_nan() || limit <= 0.0 {
            return Self::NONE;
        }
        let drift = now.drift(reference);
        let undone = |d: f64| d * (d / limit).powi(2).min(1.0);
        let factor =
            |d: f64, most: f64| ((1.0 + d - undone(d)) / (1.0 + d).max(1e-3)).clamp(1.0 / most, most);
        let [luma, contrast, saturation, sharpness] = drift;
        Self {
            luma: (-undone(luma) * reference.luma).clamp(-MOST_LEVELS, MOST_LEVELS),
            contrast: factor(contrast, MOST_FACTOR),
            saturation: factor(saturation, MOST_FACTOR),
            sharpness: factor(sharpness, MOST_SHARPENING),
        }
    }

    /// Leaves brightness, contrast and saturation as they are.
    #[must_use]
    pub fn of_sharpness(self) -> Self {
        Self { sharpness: self.sharpness, ..Self::NONE }
    }

    /// Leaves the sharpness as it is.
    #[must_use]
    pub fn of_colour(self) -> Self {
        Self { sharpness: 1.0, ..self }
    }

    /// The picture, pulled.
    pub fn applied(&self, picture: &Canvas) -> Canvas {
        let picture = if self.of_colour() == Self::NONE { picture.clone() } else { self.toned(picture) };
        if self.sharpness == 1.0 || picture.width() < 3 || picture.height() < 3 {
            return picture;
        }
        let luma = luma(&picture);
        let detail = detail(&luma, picture.width());
        let amount = amount(&luma, &detail, picture.width(), self.sharpness);
        with_detail(&picture, &detail, amount as f32)
    }

    fn toned(&self, picture: &Canvas) -> Canvas {
        let mean = mean(picture);
        let (contrast, saturation) = (self.contrast as f32, self.saturation as f32);
        let base = (mean + self.luma - mean * self.contrast) as f32;
        let mut toned = picture.clone();
        toned.as_rgb8_mut().as_chunks_mut::<3>().0.par_chunks_mut(1 << 14).for_each(|pixels| {
            for pixel in pixels {
                let luma = luma_of(*pixel);
                let bright = base + contrast * luma;
                let spread = contrast * saturation;
                *pixel = pixel.map(|v| (bright + spread * (f32::from(v) - luma)).round_ties_even() as u8);
            }
        });
        toned
    }
}

/// Mean luma, of the exact sums of the channels.
fn mean(picture: &Canvas) -> f64 {
    let sums = picture.as_rgb8().as_chunks::<3>().0.iter().fold([0_u64; 3], |mut sums, pixel| {
        (0..3).for_each(|c| sums[c] += u64::from(pixel[c]));
        sums
    });
    let [r, g, b] = sums.map(|sum| sum as f64 / picture.size().area().max(1) as f64);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The luma without its blur. Beyond the edge it is mirrored.
fn detail(luma: &[f32], width: usize) -> Vec<f32> {
    let height = luma.len() / width;
    let mirror = |at: usize, by: usize, side: usize| {
        // `by` is 0..=4 for the weights from two before to two behind.
        let at = (at + by).abs_diff(2);
        if at < side { at } else { (2 * side).saturating_sub(at + 2).min(side - 1) }
    };
    let mut across = vec![0.0_f32; luma.len()];
    across.par_chunks_mut(width).zip(luma.par_chunks(width)).for_each(|(to, from)| {
        for (x, to) in to.iter_mut().enumerate() {
            *to = (0..5).map(|i| BLUR[i] * from[mirror(x, i, width)]).sum();
        }
    });
    let mut detail = vec![0.0_f32; luma.len()];
    detail.par_chunks_mut(width).enumerate().for_each(|(y, to)| {
        let rows: [&[f32]; 5] = std::array::from_fn(|i| &across[mirror(y, i, height) * width..][..width]);
        for (x, to) in to.iter_mut().enumerate() {
            let blurred: f32 = (0..5).map(|i| BLUR[i] * rows[i][x]).sum();
            *to = luma[y * width + x] - blurred;
        }
    });
    detail
}

/// How much of the detail must be added so that the variance of the Laplacian is multiplied by `factor`: the Laplacian is
/// linear, so the variance is a parabola of the amount. Within [`AMOUNTS`].
fn amount(luma: &[f32], detail: &[f32], width: usize, factor: f64) -> f64 {
    let height = luma.len() / width;
    let rows: Vec<[f64; 5]> = (1..height - 1)
        .into_par_iter()
        .map(|y| {
            let laplacian = |plane: &[f32], at: usize| {
                f64::from(
                    plane[at - 1] + plane[at + 1] + plane[at - width] + plane[at + width] - 4.0 * plane[at],
                )
            };
            (y * width + 1..(y + 1) * width - 1).fold([0.0; 5], |mut sums, at| {
                let (own, more) = (laplacian(luma, at), laplacian(detail, at));
                for (sum, value) in sums.iter_mut().zip([own, more, own * own, own * more, more * more]) {
                    *sum += value;
                }
                sums
            })
        })
        .collect();
    let mut sums = [0.0; 5];
    rows.iter().for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value));
    let n = ((width - 2) * (height - 2)) as f64;
    let [own, more, own_own, own_more, more_more] = sums.map(|sum| sum / n);
    let (a, b, c) = (own_own - own * own, own_more - own * more, more_more - more * more);
    if c <= 0.0 {
        return 0.0;
    }
    // c x² + 2 b x + a (1 - factor) = 0, the root at 0 for a factor of 1; below the lowest point the lowest point.
    let root = (b * b - c * a * (1.0 - factor)).max(0.0).sqrt();
    ((root - b) / c).clamp(AMOUNTS.0, AMOUNTS.1)
}

fn with_detail(picture: &Canvas, detail: &[f32], amount: f32) -> Canvas {
    let mut sharp = picture.clone();
    let pixels = sharp.as_rgb8_mut().as_chunks_mut::<3>().0;
    pixels.par_chunks_mut(1 << 14).zip(detail.par_chunks(1 << 14)).for_each(|(pixels, detail)| {
        for (pixel, detail) in pixels.iter_mut().zip(detail) {
            *pixel = pixel.map(|v| (f32::from(v) + amount * detail).round_ties_even() as u8);
        }
    });
    sharp
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use proptest::prelude::*;

    /// Waves of some colours, well within 0 to 255.
    fn waves(width: usize, height: usize, swing: f64) -> Canvas {
        let value = |i: usize| {
            let (x, y, c) = ((i / 3 % width) as f64, (i / 3 / width) as f64, (i % 3) as f64);
            (120.0 + swing * libm::sin(x * 0.7 + c) + swing * libm::cos(y * 1.1 + x * 0.2 + 2.0 * c)).round()
                as u8
        };
        let size = Size::new(width, height);
        Canvas::from_rgb8(size, (0..size.area() * 3).map(value).collect())
    }

    #[test]
    fn a_pull_does_to_the_measures_what_it_says() {
        let canvas = waves(90, 70, 20.0);
        let before = Measures::of(&canvas);
        let pull = Pull { luma: 7.0, contrast: 1.1, saturation: 0.9, sharpness: 1.0 };
        let after = Measures::of(&pull.applied(&canvas));
        // Rounding to levels is all that stands between.
        assert!((after.luma - before.luma - 7.0).abs() < 0.05);
        assert!((after.contrast / before.contrast - 1.1).abs() < 0.01);
        for factor in [0.7, 0.9, 1.2, 1.5] {
            let pull = Pull { sharpness: factor, ..Pull::NONE };
            let after = Measures::of(&pull.applied(&canvas));
            // Rounding three channels to levels adds 20 (0.299² + 0.587² + 0.114²) / 12 to the Laplacian's variance.
            let off = after.sharpness - factor * before.sharpness;
            assert!(off.abs() < 2.0 + 0.01 * after.sharpness, "{factor}: {before:?} {after:?}");
            assert!((after.luma - before.luma).abs() < 0.05);
        }
        assert_eq!(Pull::NONE.applied(&canvas), canvas);
    }

    #[test]
    fn small_drift_is_left_alone_and_large_drift_is_limited() {
        let of = |swing: f64| Measures::of(&waves(64, 64, swing));
        let reference = of(20.0);
        assert_eq!(Pull::back(&reference, &reference, 0.1), Pull::NONE);
        let gentle = Pull::back(&of(19.6), &reference, 0.2);
        assert!(gentle.contrast > 1.0 && gentle.contrast < 1.002, "{gentle:?}");
        let strong = Pull::back(&of(5.0), &reference, 0.1);
        assert_eq!((strong.contrast, strong.sharpness), (MOST_FACTOR, MOST_SHARPENING));
        let black = Measures::of(&Canvas::filled(Size::new(64, 64), [0; 3]));
        assert_eq!(Pull::back(&black, &reference, 0.1).luma, MOST_LEVELS);
        assert_eq!(Pull::back(&reference, &black, 0.1), Pull::NONE);
        for off in [0.0, -1.0, f64::NAN] {
            assert_eq!(Pull::back(&black, &reference, off), Pull::NONE);
        }
    }

    proptest! {
        #[test]
        fn any_picture_of_any_size_can_be_pulled(
            w in 1_usize..12, h in 1_usize..12, bytes in prop::collection::vec(any::<u8>(), 432),
            luma in -20.0..20.0f64, contrast in 0.5..1.5f64, saturation in 0.5..1.5f64, sharpness in 0.3..3.0f64,
        ) {
            let canvas = Canvas::from_rgb8(Size::new(w, h), bytes[..w * h * 3].to_vec());
            let pull = Pull { luma, contrast, saturation, sharpness };
            prop_assert_eq!(pull.applied(&canvas).size(), canvas.size());
        }
    }
}
