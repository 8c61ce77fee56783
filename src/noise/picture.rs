//! Noise mixed into a picture before it is painted over, as Deforum does it (sd-webui-deforum 32242685).

use rayon::prelude::*;

use super::{TorchRng, perlin};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::{NoiseKind, NoiseParams};

/// Deforum draws noise at sizes that are multiples of this.
const STEP: usize = 64;

/// What stands where the noise mask is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The picture, untouched.
    Untouched,
    /// The picture mixed with grey 127: Deforum.
    Grey,
}

/// Where noise goes and in which order its channels are drawn.
#[derive(Clone, Copy, Debug)]
pub struct NoiseOptions<'a> {
    /// Noise is added where this is 0.5 or more; `None` is everywhere.
    pub mask: Option<&'a Plane>,
    /// What stands elsewhere.
    pub outside: Outside,
    /// The first channel drawn is blue. Deforum's arrays are BGR, so this gives its pictures.
    pub blue_first: bool,
}

impl Default for NoiseOptions<'_> {
    fn default() -> Self {
        Self { mask: None, outside: Outside::Untouched, blue_first: true }
    }
}

/// `picture * (1 - amount) + noise * amount`, everywhere, with the numbers that Deforum draws for this seed (as in torch
/// only its low 32 bits count). An amount of 0 or below changes nothing; one above 1 counts as 1.
///
/// **Deliberate difference**: Deforum fails on sizes below 64 pixels and, with uniform noise, on sizes that are no
/// multiples of 64. Here uniform noise is drawn at the size of the picture, and Perlin noise, which Deforum draws at
/// the next smaller multiple of 64 and scales up, at its own size along axes below 64.
pub fn add(canvas: &Canvas, params: &NoiseParams, seed: u64) -> Canvas {
    add_with(canvas, params, seed, NoiseOptions::default())
}

/// [`add`] with a mask and with Deforum's peculiarities.
///
/// # Panics
/// When the mask has another size than the picture: a bug of the caller.
pub fn add_with(canvas: &Canvas, params: &NoiseParams, seed: u64, options: NoiseOptions<'_>) -> Canvas {
    let size = canvas.size();
    assert!(
        options.mask.is_none_or(|m| m.size() == size),
        "a mask has a value for each of the {size} pixels"
    );
    let amount = params.amount.min(1.0) as f32;
    if amount.is_nan() || amount <= 0.0 || size.area() == 0 {
        return canvas.clone();
    }
    let noise = Noise::draw(params.kind, size, seed);
    let mut noisy = canvas.clone();
    noisy.as_rgb8_mut().par_chunks_mut(size.width * 3).enumerate().for_each(|(y, row)| {
        let mask = options.mask.map(|mask| &mask.values()[y * size.width..]);
        noise.mix(y, row, amount, mask, options);
    });
    noisy
}

/// Noise at the size it was drawn.
struct Noise {
    drawn: Size,
    wanted: Size,
    /// Three planes of normals, one after the other.
    white: Vec<f32>,
    /// Multiplier of the normals, 0 to 1.
    shape: Option<Plane>,
}

impl Noise {
    fn draw(kind: NoiseKind, wanted: Size, seed: u64) -> Self {
        let mut rng = TorchRng::new(seed);
        match kind {
            NoiseKind::Uniform => {
                Self { drawn: wanted, wanted, white: rng.randn(3 * wanted.area()), shape: None }
            }
            NoiseKind::Perlin { width, height, octaves, persistence } => {
                let fit = |n: usize| if n < STEP { n } else { n - n % STEP };
                let drawn = Size::new(fit(wanted.width), fit(wanted.height));
                let white = rng.randn(3 * drawn.area());
                let shape = perlin(drawn, [width, height], octaves, persistence, &mut rng);
                Self { drawn, wanted, white, shape: Some(shape) }
            }
        }
    }

    /// Mixes the noise of row `y` into a row of the picture.
    fn mix(&self, y: usize, row: &mut [u8], amount: f32, mask: Option<&[f32]>, options: NoiseOptions<'_>) {
        let from = y * self.drawn.height / self.wanted.height * self.drawn.width;
        let mut levels = vec![0.0; self.drawn.width];
        for channel in 0..3 {
            let plane = &self.white[channel * self.drawn.area()..];
            let shape = self.shape.as_ref().map(|shape| &shape.values()[from..]);
            self.levels(&plane[from..], shape, &mut levels);
            let target = if options.blue_first { 2 - channel } else { channel };
            self.blend(&levels, row, target, amount, mask, options.outside);
        }
    }

    /// Grey levels of a row of noise: `trunc(255 * clamp(white / 2 + 1 / 2))`.
    fn levels(&self, white: &[f32], shape: Option<&[f32]>, levels: &mut [f32]) {
        let level = |white: f32| f32::from((255.0 * (white * 0.5 + 0.5).clamp(0.0, 1.0)) as u8);
        match shape {
            None => levels.iter_mut().zip(white).for_each(|(l, w)| *l = level(*w)),
            Some(shape) => {
                let shaped = white.iter().zip(shape).map(|(w, s)| w * ((s + 1.0) / 2.0));
                levels.iter_mut().zip(shaped).for_each(|(l, w)| *l = level(w));
            }
        }
    }

    /// Mixes a row of levels into one channel, scaling to the width by nearest neighbour.
    fn blend(
        &self,
        levels: &[f32],
        row: &mut [u8],
        channel: usize,
        amount: f32,
        mask: Option<&[f32]>,
        outside: Outside,
    ) {
        let keep = 1.0 - amount;
        let mix = |v: u8, level: f32| (f32::from(v) * keep + level * amount).round_ties_even() as u8;
        let pixels = row.as_chunks_mut::<3>().0;
        if mask.is_none() && self.drawn.width == self.wanted.width {
            pixels.iter_mut().zip(levels).for_each(|(p, level)| p[channel] = mix(p[channel], *level));
            return;
        }
        for (x, pixel) in pixels.iter_mut().enumerate() {
            let masked = mask.is_some_and(|mask| mask[x] < 0.5);
            let level = levels[x * self.drawn.width / self.wanted.width];
            match (masked, outside) {
                (true, Outside::Untouched) => {}
                (true, Outside::Grey) => pixel[channel] = mix(pixel[channel], 127.0),
                (false, _) => pixel[channel] = mix(pixel[channel], level),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERLIN: NoiseKind = NoiseKind::Perlin { width: 8, height: 8, octaves: 4, persistence: 0.5 };

    fn picture(w: usize, h: usize) -> Canvas {
        let size = Size::new(w, h);
        Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 31 % 256) as u8).collect())
    }

    proptest! {
        #[test]
        fn any_size_takes_noise(w in 0_usize..150, h in 0_usize..80, seed in any::<u64>(), amount in 0.0_f64..1.2) {
            let canvas = picture(w, h);
            for kind in [NoiseKind::Uniform, PERLIN] {
                let noisy = add(&canvas, &NoiseParams { amount, kind }, seed);
                prop_assert_eq!(noisy.size(), canvas.size());
                // Mixing towards a level moves a value by at most its share of 255, rounded.
                let limit = (amount.min(1.0) * 255.0 + 0.5) as i32;
                let moved = noisy.as_rgb8().iter().zip(canvas.as_rgb8());
                prop_assert!(moved.into_iter().all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() <= limit));
            }
        }

        #[test]
        fn no_amount_no_change(amount in prop_oneof![Just(0.0), Just(-1.0), Just(f64::NAN)], seed in any::<u64>()) {
            let canvas = picture(70, 9);
            prop_assert_eq!(add(&canvas, &NoiseParams { amount, kind: PERLIN }, seed), canvas);
        }
    }

    #[test]
    fn masks_leave_the_outside_alone_or_grey() {
        let canvas = picture(64, 64);
        let size = canvas.size();
        let mask = Plane::from_values(size, (0..size.area()).map(|i| f32::from(i % 64 >= 32)).collect());
        let params = NoiseParams { amount: 1.0, kind: NoiseKind::Uniform };
        let run = |outside| {
            let options = NoiseOptions { mask: Some(&mask), outside, ..NoiseOptions::default() };
            add_with(&canvas, &params, 4, options)
        };
        let (untouched, grey, all) = (run(Outside::Untouched), run(Outside::Grey), add(&canvas, &params, 4));
        for (x, y) in (0..64).flat_map(|x| (0..64).map(move |y| (x, y))) {
            let inside = x >= 32;
            assert_eq!(untouched.pixel(x, y), if inside { all.pixel(x, y) } else { canvas.pixel(x, y) });
            assert_eq!(grey.pixel(x, y), if inside { all.pixel(x, y) } else { [127; 3] });
        }
    }

    #[test]
    fn full_noise_has_the_statistics_of_its_definition() {
        // trunc(255 clamp(n / 2 + 1 / 2)) of a normal n has mean 127 and a standard deviation near 91.
        let noisy = add(&picture(256, 256), &NoiseParams { amount: 1.0, kind: NoiseKind::Uniform }, 1);
        let n = noisy.as_rgb8().len() as f64;
        let mean = noisy.as_rgb8().iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let square = noisy.as_rgb8().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
        assert!((mean - 127.0).abs() < 1.0, "{mean}");
        assert!(((square - mean * mean).sqrt() - 91.5).abs() < 2.0, "{}", (square - mean * mean).sqrt());
    }
}
