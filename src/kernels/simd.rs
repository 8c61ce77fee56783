//! Code that the compiler turns into wide vectors where the machine has them.

/// Defines a function that is compiled twice, for the common denominator and for AVX2, and picks at run time.
///
/// The body holds plain loops over slices and calls only `#[inline(always)]` functions. Both versions
/// do the same arithmetic in the same order (no fused multiply-add), so they give the same bits.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            fn body($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[target_feature(enable = "avx2")]
                fn wide($($arg: $type),*) {
                    body($($arg),*);
                }
                // SAFETY: the machine has AVX2, as just asked.
                return unsafe { wide($($arg),*) };
            }
            body($($arg),*);
        }
    };
}

pub(super) use vectorised;

/// Numbers that are processed side by side: two AVX2 vectors.
pub(super) const LANES: usize = 16;

/// As many independent values as fit into the vectors.
pub(super) type Lanes = [f32; LANES];

/// Sum over the lanes, in a fixed order.
#[inline(always)]
pub(super) fn sum_lanes(lanes: &Lanes) -> f32 {
    lanes.iter().sum()
}

/// eˣ to 2 units in the last place for x in −87..88; beyond these the value at the end. NaN stays NaN.
///
/// 2ⁿ · eʳ with n the nearest whole number to x / ln 2, r = x − n ln 2 in two steps (Cody & Waite 1980) and eʳ by
/// its Taylor polynomial of degree 7, whose remainder on |r| ≤ 0.347 is 6e-9.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest whole number in the low bits.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.0 / 5040.0;
    for divisor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + divisor;
    }
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// x · sigmoid(x).
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// x · Φ(x) with the normal distribution function Φ, absolute error below 4e-7 · |x|: erfc by formula 7.1.26 of
/// Abramowitz & Stegun (1964).
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + coefficient;
    }
    let half_erfc = 0.5 * p * t * exp(-z * z);
    x * if x < 0.0 { half_erfc } else { 1.0 - half_erfc }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_a_few_units_in_the_last_place() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3.0e-7, "exp({x}): relative error {error:.2e}");
        }
    }

    #[test]
    fn the_ends_of_exp_are_finite_and_nan_stays() {
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::NEG_INFINITY) >= 0.0);
        assert!(exp(f32::INFINITY).is_finite());
        assert!(exp(f32::NAN).is_nan() && silu(f32::NAN).is_nan() && gelu(f32::NAN).is_nan());
    }

    #[test]
    fn gelu_and_silu_agree_with_their_definitions() {
        for i in -1000..1000 {
            let x = i as f32 / 100.0;
            let wide = f64::from(x);
            let exact = 0.5 * wide * libm::erfc(-wide * std::f64::consts::FRAC_1_SQRT_2);
            // Half of the handbook's 1.5e-7, and the rounding of its alternating sum in f32.
            let limit = 4e-7 * wide.abs() + 1e-12;
            assert!((f64::from(gelu(x)) - exact).abs() < limit, "gelu({x}) = {}, exactly {exact}", gelu(x));
            let exact = wide / (1.0 + libm::exp(-wide));
            assert!((f64::from(silu(x)) - exact).abs() < 3e-7 * exact.abs() + 1e-12, "silu({x})");
        }
    }
}
