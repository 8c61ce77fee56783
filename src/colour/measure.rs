//! What a picture measures: how bright, contrasty, colourful, sharp and noisy it is.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::canvas::Canvas;

/// Rows that a thread measures at a time.
const BAND: usize = 16;

/// What a picture measures. Values are of the encoded (sRGB) bytes. Kept to five decimals, so that what stands in a
/// journal is what was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Mean of R, G and B, 0 to 255.
    pub mean: [f64; 3],
    /// Mean of the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), 0 to 255.
    pub luma: f64,
    /// Standard deviation of the luma, 0 to 127.5.
    pub contrast: f64,
    /// Mean of HSV's saturation (A. R. Smith, *Color Gamut Transform Pairs*, 1978), 0 to 1; black has none.
    pub saturation: f64,
    /// Variance of the luma's Laplacian, kernel 0 1 0 / 1 -4 1 / 0 1 0 (Pech-Pacheco et al., *Diatom autofocusing in
    /// brightfield microscopy*, 2000; `LAPV` in Pertuz et al., *Analysis of focus measure operators*, 2013), over
    /// all pixels that have four neighbours; 0 is flat.
    pub sharpness: f64,
    /// Estimated deviation of the noise in R, G and B (Immerkær, *Fast Noise Variance Estimation*, 1996), in levels,
    /// over all pixels that have eight neighbours. Fine texture counts in part.
    pub noise: [f64; 3],
}

/// What is compared, by the names that the language and reports have for it.
pub const COMPARED: [&str; 4] = ["luma", "contrast", "saturation", "sharpness"];

impl Measures {
    /// Measures a picture. The same picture gives the same numbers whatever the number of threads; a picture without
    /// pixels measures nothing.
    pub fn of(picture: &Canvas) -> Self {
        let size = picture.size();
        if size.area() == 0 {
            return Self::default();
        }
        let luma = luma(picture);
        let bands: Vec<Sums> = (0..size.height.div_ceil(BAND))
            .into_par_iter()
            .map(|band| {
                let rows = band * BAND..((band + 1) * BAND).min(size.height);
                rows.fold(Sums::default(), |sums, y| sums.plus(&Sums::row(picture, &luma, y)))
            })
            .collect();
        // In their order: the sum of floats depends on it.
        let sums = bands.iter().fold(Sums::default(), |all, band| all.plus(band));
        sums.measures(size.area() as f64, inner(size.width) * inner(size.height))
    }

    /// The values that are compared, in the order of [`COMPARED`].
    pub fn compared(&self) -> [f64; 4] {
        [self.luma, self.contrast, self.saturation, self.sharpness]
    }

    /// How far each compared value has moved from `reference`, as a share of it: -0.1 is a tenth less. Where the
    /// reference measures next to nothing (black, grey or flat pictures) there are no shares, and it is 0.
    pub fn drift(&self, reference: &Self) -> [f64; 4] {
        const LEAST: [f64; 4] = [1.0, 0.5, 0.01, 0.5];
        let (own, from) = (self.compared(), reference.compared());
        std::array::from_fn(|i| if from[i] < LEAST[i] { 0.0 } else { own[i] / from[i] - 1.0 })
    }

    /// The middle value of each number among several pictures (of an even number the mean of the middle two); nothing
    /// for none.
    pub fn median(several: &[Self]) -> Option<Self> {
        if several.is_empty() {
            return None;
        }
        let middle = |value: &dyn Fn(&Self) -> f64| {
            let mut values: Vec<f64> = several.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            let half = values.len() / 2;
            if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
        };
        Some(Self {
            mean: std::array::from_fn(|c| middle(&|m: &Self| m.mean[c])),
            luma: middle(&|m| m.luma),
            contrast: middle(&|m| m.contrast),
            saturation: middle(&|m| m.saturation),
            sharpness: middle(&|m| m.sharpness),
            noise: std::array::from_fn(|c| middle(&|m: &Self| m.noise[c])),
        })
    }
}

/// Pixels of a row or column that have a neighbour on both sides.
fn inner(side: usize) -> f64 {
    side.saturating_sub(2) as f64
}

/// Luma of every pixel, 0 to 255.
pub(super) fn luma(picture: &Canvas) -> Vec<f32> {
    let mut luma = vec![0.0; picture.size().area()];
    let pixels = picture.as_rgb8().as_chunks::<3>().0;
    luma.par_chunks_mut(1 << 14).zip(pixels.par_chunks(1 << 14)).for_each(|(to, from)| {
        for (y, p) in to.iter_mut().zip(from) {
            *y = luma_of(*p);
        }
    });
    luma
}

pub(super) fn luma_of([r, g, b]: [u8; 3]) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

/// Sums over some pixels.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    channels: [u64; 3],
    luma: f64,
    luma_squared: f64,
    saturation: f64,
    laplacian: f64,
    laplacian_squared: f64,
    /// Of |I * N| with Immerkær's kernel N = 1 -2 1 / -2 4 -2 / 1 -2 1.
    rough: [u64; 3],
}

impl Sums {
    fn row(picture: &Canvas, luma: &[f32], y: usize) -> Self {
        let width = picture.width();
        let mut sums = Self::default();
        let pixels = picture.as_rgb8().as_chunks::<3>().0;
        for (pixel, luma) in pixels[y * width..][..width].iter().zip(&luma[y * width..]) {
            sums.channels.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
            let luma = f64::from(*luma);
            sums.luma += luma;
            sums.luma_squared += luma * luma;
            let [r, g, b] = *pixel;
            let most = r.max(g).max(b);
            if most > 0 {
                sums.saturation += f64::from(most - r.min(g).min(b)) / f64::from(most);
            }
        }
        if y > 0 && y + 1 < picture.height() && width > 2 {
            sums.differences(pixels, luma, y, width);
        }
        sums
    }

    /// What needs the rows above and below.
    fn differences(&mut self, pixels: &[[u8; 3]], luma: &[f32], y: usize, width: usize) {
        let row = |y: usize| (&pixels[y * width..][..width], &luma[y * width..][..width]);
        let [(a, up), (b, own), (c, down)] = [row(y - 1), row(y), row(y + 1)];
        for x in 1..width - 1 {
            let laplacian = f64::from(own[x - 1] + own[x + 1] + up[x] + down[x] - 4.0 * own[x]);
            self.laplacian += laplacian;
            self.laplacian_squared += laplacian * laplacian;
        }
        // The kernel is the product of 1 -2 1 down and across.
        let column =
            |x: usize, ch: usize| i32::from(a[x][ch]) - 2 * i32::from(b[x][ch]) + i32::from(c[x][ch]);
        for channel in 0..3 {
            let mut sum = 0_u64;
            let (mut left, mut middle) = (column(0, channel), column(1, channel));
            for x in 2..width {
                let right = column(x, channel);
                sum += u64::from((left - 2 * middle + right).unsigned_abs());
                (left, middle) = (middle, right);
            }
            self.rough[channel] += sum;
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        for c in 0..3 {
            self.channels[c] += other.channels[c];
            self.rough[c] += other.rough[c];
        }
        self.luma += other.luma;
        self.luma_squared += other.luma_squared;
        self.saturation += other.saturation;
        self.laplacian += other.laplacian;
        self.laplacian_squared += other.laplacian_squared;
        self
    }

    fn measures(&self, pixels: f64, inside: f64) -> Measures {
        let deviation = |sum: f64, squared: f64, n: f64| {
            let mean = sum / n;
            (squared / n - mean * mean).max(0.0)
        };
        let inner = |value: f64| if inside > 0.0 { kept(value) } else { 0.0 };
        // sqrt(pi / 2) / 6 of the mean: Immerkær's estimate from absolute values.
        let noise = |sum: u64| (std::f64::consts::PI / 2.0).sqrt() / 6.0 * sum as f64 / inside;
        Measures {
            mean: self.channels.map(|sum| kept(sum as f64 / pixels)),
            luma: kept(self.luma / pixels),
            contrast: kept(deviation(self.luma, self.luma_squared, pixels).sqrt()),
            saturation: kept(self.saturation / pixels),
            sharpness: inner(deviation(self.laplacian, self.laplacian_squared, inside)),
            noise: self.rough.map(|sum| inner(noise(sum))),
        }
    }
}

/// Rounded to five decimals.
fn kept(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use crate::noise::TorchRng;
    use proptest::prelude::*;

    fn picture(width: usize, height: usize, value: impl Fn(usize, usize) -> [u8; 3]) -> Canvas {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Canvas::from_rgb8(Size::new(width, height), places.flat_map(|(x, y)| value(x, y)).collect())
    }

    #[test]
    fn a_flat_colour_measures_itself_and_nothing_else() {
        let found = Measures::of(&Canvas::filled(Size::new(20, 30), [200, 100, 50]));
        assert_eq!(found.mean, [200.0, 100.0, 50.0]);
        assert!((found.luma - (0.299 * 200.0 + 0.587 * 100.0 + 0.114 * 50.0)).abs() < 1e-4);
        assert_eq!((found.saturation, found.sharpness, found.noise), (0.75, 0.0, [0.0; 3]));
        assert!(found.contrast < 0.01);
        assert_eq!(Measures::of(&Canvas::filled(Size::new(0, 0), [0; 3])), Measures::default());
        assert_eq!(Measures::of(&Canvas::filled(Size::new(2, 1), [9; 3])).sharpness, 0.0);
    }

    #[test]
    fn a_chessboard_is_as_sharp_as_can_be_and_a_ramp_is_not() {
        // Each pixel differs from all four neighbours by 200: a Laplacian of +-800.
        let board = picture(40, 40, |x, y| [if (x + y) % 2 == 0 { 228 } else { 28 }; 3]);
        let found = Measures::of(&board);
        assert!((found.sharpness - 800.0 * 800.0).abs() < 1.0, "{found:?}");
        assert!((found.contrast - 100.0).abs() < 1e-3 && (found.luma - 128.0).abs() < 1e-3);
        let ramp = Measures::of(&picture(40, 40, |x, _| [x as u8 * 3; 3]));
        assert!(ramp.sharpness < 1e-6 && ramp.noise == [0.0; 3], "{ramp:?}");
    }

    #[test]
    fn noise_is_estimated_in_each_channel() {
        let (size, sigmas) = (Size::new(200, 200), [2.0, 5.0, 9.0]);
        let normals = TorchRng::new(3).randn(size.area() * 3);
        let noisy = |i: usize| (128.0 + f64::from(normals[i]) * sigmas[i % 3]).round() as u8;
        let found = Measures::of(&Canvas::from_rgb8(size, (0..size.area() * 3).map(noisy).collect()));
        for (estimate, sigma) in found.noise.iter().zip(sigmas) {
            // 40 000 samples of a few correlated values: 3 % is five deviations of the estimate.
            assert!((estimate / sigma - 1.0).abs() < 0.03, "{estimate} for {sigma}");
        }
    }

    #[test]
    fn drift_is_a_share_and_black_has_none() {
        let of = |value: u8| Measures::of(&Canvas::filled(Size::new(8, 8), [value; 3]));
        assert!((of(110).drift(&of(100))[0] - 0.1).abs() < 1e-6);
        assert_eq!(of(110).drift(&of(0)), [0.0; 4]);
        assert_eq!(Measures::median(&[]), None);
        assert_eq!(Measures::median(&[of(9), of(1), of(2)]).unwrap().luma, of(2).luma);
        assert_eq!(Measures::median(&[of(1), of(3)]).unwrap().mean, of(2).mean);
    }

    proptest! {
        #[test]
        fn every_picture_measures_within_bounds_and_the_same_in_a_journal(
            w in 1_usize..40, h in 1_usize..40, seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            let bytes: Vec<u8> = (0..w * h * 3).map(|_| next()).collect();
            let found = Measures::of(&Canvas::from_rgb8(Size::new(w, h), bytes));
            prop_assert!(found.mean.iter().all(|m| (0.0..=255.0).contains(m)));
            prop_assert!((0.0..=255.0).contains(&found.luma) && (0.0..=127.6).contains(&found.contrast));
            prop_assert!((0.0..=1.0).contains(&found.saturation) && found.sharpness >= 0.0);
            let text = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<Measures>(&text).unwrap(), found);
        }
    }
}
