//! Noise mixed into a picture before it is painted over, as Deforum does it (sd-webui-deforum 32242685).

use rayon::prelude::*;

use super::{TorchRng, perlin};
use crate::canvas::{Canvas, Plane, Size, on_widest};
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
/// only its low 32 bits count). An amount of 0 or below changes nothing; one above 1 counts as 1. Latent noise is no matter of
/// pixels: it changes nothing here, what paints adds it.
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
    let in_latent = params.kind == NoiseKind::Latent;
    if in_latent || params.amount.is_nan() || params.amount <= 0.0 || size.area() == 0 {
        return canvas.clone();
    }
    let amount = params.amount.min(1.0) as f32;
    let noise = Noise::draw(params.kind, size, seed);
    let mut noisy = canvas.clone();
    let blend = Blend { amount, options };
    let room = || Levels { drawn: vec![[0; 3]; noise.drawn.width], wide: vec![[0; 3]; size.width] };
    let rows = noisy.as_rgb8_mut().par_chunks_mut(size.width * 3).enumerate();
    rows.for_each_init(room, |levels, (y, row)| noise.mix(y, row, levels, &blend));
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
            NoiseKind::Uniform | NoiseKind::Latent => {
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

    /// Mixes the noise of row `y` into a row of the picture. `levels` has room for a row of it.
    fn mix(&self, y: usize, row: &mut [u8], levels: &mut Levels, blend: &Blend<'_>) {
        let from = y * self.drawn.height / self.wanted.height * self.drawn.width;
        for channel in 0..3 {
            let plane = &self.white[channel * self.drawn.area() + from..];
            let target = if blend.options.blue_first { 2 - channel } else { channel };
            let shape = self.shape.as_ref().map(|shape| &shape.values()[from..]);
            on_widest(|| levels.fill(target, plane, shape));
        }
        let pixels: &mut [[u8; 3]] = row.as_chunks_mut().0;
        if self.drawn.width == self.wanted.width {
            levels.wide.copy_from_slice(&levels.drawn);
        } else {
            let nearest = |x: usize| levels.drawn[x * self.drawn.width / self.wanted.width];
            levels.wide.iter_mut().enumerate().for_each(|(x, wide)| *wide = nearest(x));
        }
        if let Some(mask) = blend.options.mask {
            blend.limit(&mask.values()[y * self.wanted.width..], pixels, &mut levels.wide);
        }
        on_widest(|| blend.apply(row, levels.wide.as_flattened()));
    }
}

/// A row of noise in grey levels, as it was drawn and as wide as the picture.
struct Levels {
    drawn: Vec<[u8; 3]>,
    wide: Vec<[u8; 3]>,
}

impl Levels {
    /// `trunc(255 * clamp(white / 2 + 1 / 2))` for one channel.
    #[inline(always)]
    fn fill(&mut self, channel: usize, white: &[f32], shape: Option<&[f32]>) {
        let level = |white: f32| (255.0 * (white * 0.5 + 0.5).clamp(0.0, 1.0)) as i32 as u8;
        let pairs = self.drawn.iter_mut().zip(white);
        match shape {
            None => pairs.for_each(|(to, white)| to[channel] = level(*white)),
            Some(shape) => {
                pairs.zip(shape).for_each(|((to, white), s)| to[channel] = level(white * ((s + 1.0) / 2.0)));
            }
        }
    }
}

/// How noise is mixed in.
struct Blend<'a> {
    amount: f32,
    options: NoiseOptions<'a>,
}

impl Blend<'_> {
    /// `v * (1 - amount) + level * amount`, rounded half to even.
    #[inline(always)]
    fn apply(&self, row: &mut [u8], levels: &[u8]) {
        let keep = 1.0 - self.amount;
        for (v, level) in row.iter_mut().zip(levels) {
            let mixed = f32::from(*v) * keep + f32::from(*level) * self.amount;
            // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
            *v = (mixed + 12_582_912.0).to_bits() as u8;
        }
    }

    /// Where the mask is off, the noise becomes what stands there: mixing a value with itself leaves it.
    fn limit(&self, mask: &[f32], pixels: &[[u8; 3]], levels: &mut [[u8; 3]]) {
        for ((mask, pixel), level) in mask.iter().zip(pixels).zip(levels) {
            match self.options.outside {
                _ if *mask >= 0.5 => {}
                Outside::Untouched => *level = *pixel,
                Outside::Grey => *level = [127; 3],
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
