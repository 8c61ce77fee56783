//! Box–Muller over blocks of sixteen `f32`, with a logarithm, sine and cosine that vectorise.
//!
//! The polynomials are those of Moshier's Cephes library (`logf`, `sinf`, `cosf`; single precision), which torch's
//! vector code uses as well. They are plain products and sums without fused multiply–add, so that
//! every instruction set gives the same bits.

use std::f32::consts::{FRAC_2_PI, SQRT_2, TAU};

use rayon::prelude::*;

/// Values a thread takes at a time: 32 KiB.
const CHUNK: usize = 8192;

/// Turns uniforms in [0, 1) into normals in place, sixteen at a time as torch does: `x[0..8]` give the radius,
/// `x[8..16]` the angle, the cosines land in the first half and the sines in the second.
///
/// # Panics
/// When the length is no multiple of 16: a bug of the caller.
pub(super) fn box_muller_blocks(values: &mut [f32]) {
    assert!(values.len().is_multiple_of(16), "normals are made in blocks of 16");
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { blocks_avx2(chunk) };
            return;
        }
        blocks(chunk);
    });
}

/// [`blocks`] compiled for wider registers; the same operations in the same order.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn blocks_avx2(values: &mut [f32]) {
    blocks(values);
}

#[inline(always)]
fn blocks(values: &mut [f32]) {
    for block in values.as_chunks_mut::<16>().0 {
        let mut radius = [0.0; 8];
        let mut angle = [(0.0, 0.0); 8];
        for j in 0..8 {
            radius[j] = (-2.0 * ln(1.0 - block[j])).sqrt();
            angle[j] = sin_cos(TAU * block[j + 8]);
        }
        for j in 0..8 {
            block[j] = radius[j] * angle[j].1;
            block[j + 8] = radius[j] * angle[j].0;
        }
    }
}

/// Natural logarithm of a positive normal number, relative error below 2^-22.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    const P: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let bits = x.to_bits();
    let half = f32::from_bits((bits & 0x007F_FFFF) | 0x3F00_0000);
    let below = half < SQRT_2 * 0.5;
    let exponent = ((bits >> 23) as i32 - 126) as f32 - if below { 1.0 } else { 0.0 };
    let m = half - 1.0 + if below { half } else { 0.0 };
    let z = m * m;
    let series = P.iter().fold(0.0, |y, p| y * m + p) * m * z;
    // ln 2 in two parts: the first has few bits, so that its multiples are exact.
    m + (series - 2.121_944_4e-4 * exponent - 0.5 * z) + 0.693_359_4 * exponent
}

/// Sine and cosine of an angle in [0, 2 pi], radians; absolute error below 2^-22.
#[inline(always)]
pub(super) fn sin_cos(x: f32) -> (f32, f32) {
    /// Adding it rounds to an integer and leaves that integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * FRAC_2_PI + ROUND;
    let quadrant = shifted.to_bits();
    let turns = shifted - ROUND;
    // pi/2 in three parts, the first two short enough that their multiples are exact.
    let y = ((x - turns * 1.570_312_5) - turns * 4.837_513e-4) - turns * 7.549_79e-8;
    let z = y * y;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * y + y;
    let (s, c) = if quadrant & 1 == 0 { (sin, cos) } else { (cos, sin) };
    let sign = |value: f32, bit: u32| f32::from_bits(value.to_bits() ^ ((bit & 2) << 30));
    (sign(s, quadrant), sign(c, quadrant.wrapping_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_sines_are_those_of_libm() {
        for i in 0..100_000_u32 {
            let u = (i as f32 + 1.0) / 100_000.0;
            let want = libm::log(f64::from(u));
            assert!((f64::from(ln(u)) - want).abs() <= want.abs() * 2.4e-7 + 1e-9, "ln {u}");
            let angle = TAU * u;
            let (sin, cos) = sin_cos(angle);
            assert!((f64::from(sin) - libm::sin(f64::from(angle))).abs() < 2.4e-7, "sin {angle}");
            assert!((f64::from(cos) - libm::cos(f64::from(angle))).abs() < 2.4e-7, "cos {angle}");
        }
        // The smallest argument that a 24-bit uniform can give.
        assert!((ln(2.0_f32.powi(-24)) + 24.0 * std::f32::consts::LN_2).abs() < 2e-6);
    }

    #[test]
    fn the_scalar_and_the_vector_path_agree_bit_for_bit() {
        let uniforms: Vec<f32> = (0..CHUNK + 64).map(|i| (i as f32 * 0.618_034).fract()).collect();
        let mut plain = uniforms.clone();
        blocks(&mut plain);
        let mut dispatched = uniforms;
        box_muller_blocks(&mut dispatched);
        assert_eq!(plain, dispatched);
    }
}
