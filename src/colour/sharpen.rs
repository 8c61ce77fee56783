//! Unsharp mask over a Gaussian blur that equals OpenCV's 8-bit `GaussianBlur`.

use rayon::prelude::*;

use crate::canvas::{Canvas, Plane, Size, on_widest};
use crate::timeline::frame::SharpenParams;

/// Largest kernel. Wider ones are cut to this; OpenCV's own weights of 1/256 fade out long before.
const WIDEST: u32 = 511;

/// Adds `amount` times the difference to the blurred picture: `(1 + amount) * v - amount * blurred`, clamped, rounded half
/// to even. An amount of 0 or below changes nothing. Even kernels become the next odd one.
///
/// `threshold`: values that are brighter than the blur by less than this (or equal to it) stay; darker ones are sharpened
/// whatever the difference. That one-sidedness is Deforum's (an unsigned subtraction) and is kept.
/// `mask`: sharpened where it is 0.5 or more, original elsewhere.
///
/// # Panics
/// When the mask has another size than the picture: a bug of the caller.
pub fn sharpen(canvas: &Canvas, params: &SharpenParams, mask: Option<&Plane>) -> Canvas {
    let size = canvas.size();
    assert!(mask.is_none_or(|mask| mask.size() == size), "a mask has a value for each of the {size} pixels");
    if params.amount.is_nan() || params.amount <= 0.0 || size.area() == 0 {
        return canvas.clone();
    }
    let kernel = fixed_kernel((params.kernel | 1).min(WIDEST) as usize, params.sigma);
    let curve = Curve::new(params);
    let mut sharp = Canvas::filled(size, [0; 3]);
    let stride = size.width * 3;
    sharp.as_rgb8_mut().par_chunks_mut(stride * BAND).enumerate().for_each(|(band, out)| {
        let mut blur = Blur::new(canvas, &kernel);
        for (i, out) in out.chunks_mut(stride).enumerate() {
            let y = band * BAND + i;
            let row = &canvas.as_rgb8()[y * stride..][..stride];
            blur.row(y, out);
            curve.apply(row, out);
            if let Some(mask) = mask {
                restore(row, &mask.values()[y * size.width..], out);
            }
        }
    });
    sharp
}

/// Rows that share a running blur. A band repeats the rows above and below it that its kernel needs.
const BAND: usize = 64;

/// Puts the original back where the mask is off.
fn restore(row: &[u8], mask: &[f32], out: &mut [u8]) {
    let pixels = row.as_chunks::<3>().0.iter().zip(out.as_chunks_mut::<3>().0);
    for ((from, to), mask) in pixels.zip(mask) {
        if *mask < 0.5 {
            *to = *from;
        }
    }
}

/// The sharpening of one value.
struct Curve {
    gain: f64,
    amount: f64,
    threshold: f64,
}

impl Curve {
    fn new(params: &SharpenParams) -> Self {
        Self { gain: 1.0 + params.amount, amount: params.amount, threshold: params.threshold }
    }

    /// Whether any difference is left alone.
    fn has_threshold(&self) -> bool {
        self.threshold > 0.0
    }

    /// `out` holds the blurred row and becomes the sharpened one.
    fn apply(&self, row: &[u8], out: &mut [u8]) {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if !self.has_threshold() && is_x86_feature_detected!("avx2") {
            done = row.len() - row.len() % 16;
            // SAFETY: the processor has AVX2.
            unsafe { avx2::sharpen(row, out, [self.gain, self.amount]) };
        }
        let (row, out) = (&row[done..], &mut out[done..]);
        on_widest(|| self.apply_anywhere(row, out));
    }

    #[inline(always)]
    fn apply_anywhere(&self, row: &[u8], out: &mut [u8]) {
        /// Adding it to 0..=255 rounds half to even and leaves the integer in the low bits.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        for (v, out) in row.iter().zip(out.iter_mut()) {
            let sharp = self.gain * f64::from(*v) - self.amount * f64::from(*out);
            let rounded = (sharp.clamp(0.0, 255.0) + ROUND).to_bits() as u8;
            let keep = f64::from(v.wrapping_sub(*out)) < self.threshold;
            *out = if keep { *v } else { rounded };
        }
    }
}

/// [`Curve::apply_anywhere`] without a threshold, written out: the same operations in the same order.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// [`super::across`] compiled for wide registers.
    #[target_feature(enable = "avx2")]
    pub(super) fn across(padded: &[u8], kernel: &[u16], out: &mut [u16]) {
        super::across(padded, kernel, out);
    }

    /// As far as whole registers go.
    #[target_feature(enable = "avx2")]
    pub(super) fn sharpen(row: &[u8], out: &mut [u8], scales: [f64; 2]) {
        for (row, out) in row.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0) {
            sharpen_block(row, out, scales);
        }
    }

    /// Sums rows of 8 bits of fraction, as many as there are weights, and rounds: 32 values of each from `at` on. The
    /// weights are the same on both sides of the middle and sum to 256.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn down<'a>(row: impl Fn(usize) -> &'a [u16; 32], kernel: &[u16], out: &mut [u8; 32]) {
        // Products of signed numbers are summed in pairs: rows are lowered by half their range, and as the weights sum
        // to 256 the sum by 256 halves.
        let middle = _mm256_set1_epi16(i16::MIN);
        let lowered = |row: &[u16; 32], half: usize| {
            // SAFETY: 16 values from the first or the middle one of 32.
            let values = unsafe { _mm256_loadu_si256(row.as_ptr().add(16 * half).cast()) };
            _mm256_xor_si256(values, middle)
        };
        let mut sums = [_mm256_set1_epi32((1 << 15) + (1 << 23)); 4];
        let mut add = |half: usize, a: __m256i, b: __m256i, weight: u16| {
            let weights = _mm256_set1_epi16(weight as i16);
            let [low, high] = [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)];
            sums[2 * half] = _mm256_add_epi32(sums[2 * half], _mm256_madd_epi16(low, weights));
            sums[2 * half + 1] = _mm256_add_epi32(sums[2 * half + 1], _mm256_madd_epi16(high, weights));
        };
        let n = kernel.len();
        for half in 0..2 {
            add(half, lowered(row(n / 2), half), _mm256_setzero_si256(), kernel[n / 2]);
        }
        for (i, weight) in kernel.iter().enumerate().take(n / 2) {
            let (upper, lower) = (row(i), row(n - 1 - i));
            for half in 0..2 {
                add(half, lowered(upper, half), lowered(lower, half), *weight);
            }
        }
        let [a, b, c, d] = sums.map(|sum| _mm256_srli_epi32::<16>(sum));
        let bytes = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
        // Packing takes turns between the halves of both registers.
        let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
        // SAFETY: 32 bytes are written to 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), ordered) };
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sharpen_block(row: &[u8; 16], out: &mut [u8; 16], [gain, amount]: [f64; 2]) {
        let (gain, amount) = (_mm256_set1_pd(gain), _mm256_set1_pd(amount));
        // SAFETY: both have 16 bytes.
        let (v, blurred) =
            unsafe { (_mm_loadu_si128(row.as_ptr().cast()), _mm_loadu_si128(out.as_ptr().cast())) };
        let four = |v: __m128i, blurred: __m128i| {
            let wide = |bytes| _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(bytes));
            let sharp = _mm256_sub_pd(_mm256_mul_pd(gain, wide(v)), _mm256_mul_pd(amount, wide(blurred)));
            // What is no number passes and becomes the least integer, as what is far below does; packing makes 0 of it.
            _mm256_cvtpd_epi32(_mm256_min_pd(_mm256_set1_pd(255.0), sharp))
        };
        let quarters = [
            four(v, blurred),
            four(_mm_srli_si128::<4>(v), _mm_srli_si128::<4>(blurred)),
            four(_mm_srli_si128::<8>(v), _mm_srli_si128::<8>(blurred)),
            four(_mm_srli_si128::<12>(v), _mm_srli_si128::<12>(blurred)),
        ];
        let [a, b, c, d] = quarters;
        let packed = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        // SAFETY: 16 bytes are written to 16 bytes.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), packed) };
    }
}

/// Separable blur that gives one row after the other.
struct Blur<'a> {
    source: &'a [u8],
    size: Size,
    kernel: &'a [u16],
    /// Rows blurred sideways, 8 bits of fraction, in a ring: row `r` of the picture lies at `r % kernel.len()`.
    ring: Vec<Vec<u16>>,
    /// Which row each slot holds.
    held: Vec<usize>,
    padded: Vec<u8>,
    /// Slots of the rows under the kernel.
    under: Vec<usize>,
}

impl<'a> Blur<'a> {
    fn new(canvas: &'a Canvas, kernel: &'a [u16]) -> Self {
        let stride = canvas.width() * 3;
        Self {
            source: canvas.as_rgb8(),
            size: canvas.size(),
            kernel,
            ring: vec![vec![0; stride]; kernel.len()],
            held: vec![usize::MAX; kernel.len()],
            padded: vec![0; stride + 3 * kernel.len()],
            under: vec![0; kernel.len()],
        }
    }

    /// Writes the blurred row `y`.
    fn row(&mut self, y: usize, out: &mut [u8]) {
        let n = self.kernel.len();
        for i in 0..n {
            let source = mirror(y as i64 + i as i64 - (n / 2) as i64, self.size.height);
            self.hold(source);
            self.under[i] = source % n;
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { self.down_avx2(out) };
        }
        self.down(0, out);
    }

    /// [`Blur::down`] as far as whole registers go, then itself.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn down_avx2(&self, out: &mut [u8]) {
        let (blocks, rest) = out.as_chunks_mut::<WIDE>();
        let from = blocks.len() * WIDE;
        for (b, out) in blocks.iter_mut().enumerate() {
            let row = |i: usize| {
                self.ring[self.under[i]][b * WIDE..].first_chunk().expect("a row has a value for each byte")
            };
            avx2::down(row, self.kernel, out);
        }
        self.down(from, rest);
    }

    /// Sums the rows under the kernel from value `from` on, and rounds.
    #[inline(always)]
    fn down(&self, from: usize, out: &mut [u8]) {
        for (x, out) in out.iter_mut().enumerate() {
            let rows = self.under.iter().zip(self.kernel);
            let weighed =
                rows.map(|(slot, weight)| u32::from(self.ring[*slot][from + x]) * u32::from(*weight));
            *out = ((weighed.sum::<u32>() + (1 << 15)) >> 16) as u8;
        }
    }

    /// Makes sure that row `y`, blurred sideways, is in the ring.
    fn hold(&mut self, y: usize) {
        let (n, stride) = (self.kernel.len(), self.size.width * 3);
        let slot = y % n;
        if self.held[slot] == y {
            return;
        }
        self.held[slot] = y;
        let row = &self.source[y * stride..][..stride];
        let radius = n / 2;
        self.padded[radius * 3..][..stride].copy_from_slice(row);
        for i in (0..radius).chain(radius + self.size.width..2 * radius + self.size.width) {
            let x = mirror(i as i64 - radius as i64, self.size.width);
            self.padded[i * 3..][..3].copy_from_slice(&row[x * 3..][..3]);
        }
        let (padded, kernel, out) = (&self.padded, self.kernel, &mut self.ring[slot]);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { avx2::across(padded, kernel, out) };
        }
        across(padded, kernel, out);
    }
}

/// Values that are summed at a time.
const WIDE: usize = 32;

/// Sums the pixels under the kernel. Weights sum to 256, so that a sum never leaves 16 bits.
#[inline(always)]
fn across(padded: &[u8], kernel: &[u16], out: &mut [u16]) {
    let (n, whole) = (kernel.len(), out.len() - out.len() % WIDE);
    let (blocks, rest) = out.split_at_mut(whole);
    for (b, out) in blocks.as_chunks_mut::<WIDE>().0.iter_mut().enumerate() {
        let values = |i: usize| &padded[b * WIDE + i * 3..][..WIDE];
        let mut sums = [0; WIDE];
        for (sum, v) in sums.iter_mut().zip(values(n / 2)) {
            *sum = u16::from(*v) * kernel[n / 2];
        }
        for (i, weight) in kernel.iter().enumerate().take(n / 2) {
            for ((sum, v), w) in sums.iter_mut().zip(values(i)).zip(values(n - 1 - i)) {
                *sum += (u16::from(*v) + u16::from(*w)) * weight;
            }
        }
        *out = sums;
    }
    for (x, out) in rest.iter_mut().enumerate() {
        *out = (0..n).map(|i| u16::from(padded[whole + x + i * 3]) * kernel[i]).sum();
    }
}

/// Index mirrored about the outermost values (OpenCV's reflect-101), as far as it takes.
fn mirror(i: i64, n: usize) -> usize {
    let period = (2 * (n as i64 - 1)).max(1);
    let folded = i.rem_euclid(period);
    folded.min(period - folded).min(n as i64 - 1) as usize
}

/// Gaussian weights in 1/256, summing to 256. The rounding error of each weight is carried to the next one inwards, as in
/// OpenCV's bit-exact blur.
fn fixed_kernel(n: usize, sigma: f64) -> Vec<u16> {
    let weights = gaussian(n, sigma);
    let mut fixed = vec![0; n];
    let (mut carry, mut sum) = (0.0, 0);
    for i in 0..n / 2 {
        let exact = weights[i] * 256.0 + carry;
        let rounded = exact.round_ties_even();
        carry = exact - rounded;
        fixed[i] = rounded as u16;
        fixed[n - 1 - i] = rounded as u16;
        sum += 2 * rounded as u16;
    }
    fixed[n / 2] = 256 - sum;
    fixed
}

/// Gaussian weights that sum to 1. Without a sigma, OpenCV's fixed ones up to 7, then a sigma from the size.
fn gaussian(n: usize, sigma: f64) -> Vec<f64> {
    let given = sigma > 0.0;
    match n {
        1 => return vec![1.0],
        3 if !given => return vec![0.25, 0.5, 0.25],
        5 if !given => return [1.0, 4.0, 6.0, 4.0, 1.0].map(|w| w / 16.0).to_vec(),
        7 if !given => return [2.0, 7.0, 14.0, 18.0, 14.0, 7.0, 2.0].map(|w| w / 64.0).to_vec(),
        _ => {}
    }
    let middle = (n - 1) as f64 / 2.0;
    let sigma = if given { sigma } else { 0.3 * (middle - 1.0) + 0.8 };
    let weights: Vec<f64> =
        (0..n).map(|i| libm::exp(-(i as f64 - middle).powi(2) / (2.0 * sigma * sigma))).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARAMS: SharpenParams = SharpenParams { amount: 0.5, kernel: 5, sigma: 1.0, threshold: 0.0 };

    fn picture(w: usize, h: usize) -> Canvas {
        let size = Size::new(w, h);
        Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 7919 % 253) as u8).collect())
    }

    #[test]
    fn kernels_are_opencv_s() {
        // OpenCV 5.0's bit-exact kernels, recovered by blurring a single white pixel.
        assert_eq!(fixed_kernel(5, 1.0), [14, 62, 104, 62, 14]);
        assert_eq!(fixed_kernel(7, 0.0), [8, 28, 56, 72, 56, 28, 8]);
        assert_eq!(fixed_kernel(9, 2.5), [12, 22, 31, 41, 44, 41, 31, 22, 12]);
        assert_eq!(fixed_kernel(3, 0.2), [0, 256, 0]);
    }

    proptest! {
        #[test]
        fn constants_stay(v in any::<u8>(), kernel in 1_u32..40, sigma in 0.0_f64..20.0, amount in 0.0_f64..8.0) {
            let canvas = Canvas::filled(Size::new(5, 70), [v, 0, 255]);
            let params = SharpenParams { amount, kernel, sigma, threshold: 0.0 };
            prop_assert_eq!(sharpen(&canvas, &params, None), canvas);
        }

        #[test]
        fn any_parameters_give_a_picture(
            w in 1_usize..9, h in 1_usize..9, kernel in any::<u32>(),
            sigma in prop::num::f64::ANY, amount in prop::num::f64::ANY, threshold in prop::num::f64::ANY,
        ) {
            let canvas = picture(w, h);
            let params = SharpenParams { amount, kernel, sigma, threshold };
            prop_assert_eq!(sharpen(&canvas, &params, None).size(), canvas.size());
        }

        #[test]
        fn bands_do_not_show(h in 60_usize..140, kernel in 1_u32..20) {
            // Blurring row by row with a fresh state gives what the running state gives.
            let canvas = picture(6, h);
            let kernel = fixed_kernel((kernel | 1) as usize, 0.0);
            let mut running = Blur::new(&canvas, &kernel);
            for y in 0..h {
                let (mut a, mut b) = (vec![0; 18], vec![0; 18]);
                running.row(y, &mut a);
                Blur::new(&canvas, &kernel).row(y, &mut b);
                prop_assert_eq!(a, b);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_written_out_blur_agrees_bit_for_bit() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let canvas = picture(37, 20);
        for (n, sigma) in [(1, 1.0), (3, 0.2), (5, 1.0), (9, 2.5), (21, 40.0)] {
            let kernel = fixed_kernel(n, sigma);
            let mut blur = Blur::new(&canvas, &kernel);
            for y in 0..20 {
                let (mut plain, mut wide) = (vec![0; 111], vec![0; 111]);
                blur.row(y, &mut plain);
                blur.down(0, &mut plain);
                // SAFETY: the processor has AVX2.
                unsafe { blur.down_avx2(&mut wide) };
                assert_eq!(plain, wide, "kernel of {n}, row {y}");
            }
        }
    }

    #[test]
    fn the_written_out_curve_agrees_bit_for_bit() {
        let row: Vec<u8> = (0..1 << 16).map(|i| (i >> 8) as u8).collect();
        let blurred: Vec<u8> = (0..1 << 16).map(|i| i as u8).collect();
        for amount in [0.1, 0.5, 1.0, 7.3, 1e30, f64::MAX, f64::INFINITY] {
            let curve = Curve::new(&SharpenParams { amount, ..PARAMS });
            let (mut plain, mut wide) = (blurred.clone(), blurred.clone());
            curve.apply_anywhere(&row, &mut plain);
            curve.apply(&row, &mut wide);
            assert_eq!(plain, wide, "{amount}");
        }
    }

    #[test]
    fn off_means_unchanged_and_masks_limit() {
        let canvas = picture(12, 9);
        assert_eq!(sharpen(&canvas, &SharpenParams { amount: 0.0, ..PARAMS }, None), canvas);
        let everywhere = sharpen(&canvas, &PARAMS, None);
        assert_ne!(everywhere, canvas);
        let size = canvas.size();
        assert_eq!(sharpen(&canvas, &PARAMS, Some(&Plane::filled(size, 0.0))), canvas);
        assert_eq!(sharpen(&canvas, &PARAMS, Some(&Plane::filled(size, 1.0))), everywhere);
    }

    #[test]
    fn a_high_threshold_keeps_what_is_brighter_than_the_blur() {
        // Contrasts stay below the threshold, so that only darker values are sharpened.
        let canvas = crate::colour::contrast(&picture(12, 9), 0.4, crate::colour::Overflow::Clamp);
        let sharp = sharpen(&canvas, &SharpenParams { threshold: 128.0, ..PARAMS }, None);
        let pairs = || canvas.as_rgb8().iter().zip(sharp.as_rgb8());
        assert!(pairs().all(|(before, after)| after <= before));
        assert!(pairs().any(|(before, after)| after < before));
    }
}
