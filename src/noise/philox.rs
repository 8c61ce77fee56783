//! The web UI's «NV» generator: the normals that CUDA draws, computed on the CPU.
//!
//! Philox 4x32-10 is Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Counter layout and the
//! one-sided Box–Muller step follow what stable-diffusion-webui's CPU imitation of CUDA does.

use std::f32::consts::TAU;

use rayon::prelude::*;

use super::normal::{ln, sin_cos};

/// 2^-32 as the `f32` that CUDA's code writes down.
const INVERSE: f32 = 2.328_306_4e-10;

/// `n` normals of mean 0 and variance 1. `offset` counts the draws made before with this seed: 0 for the
/// first tensor, 1 for the second. Value `i` depends on `seed`, `offset` and `i` alone.
pub fn philox_randn(seed: u64, offset: u32, n: usize) -> Vec<f32> {
    let key = [seed as u32, (seed >> 32) as u32];
    let value = |i: usize| {
        let [x, y, ..] = philox4x32_10([offset, 0, i as u32, 0], key);
        box_muller(x, y)
    };
    (0..n).into_par_iter().with_min_len(1024).map(value).collect()
}

/// The block cipher: ten rounds over a counter of four words.
fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// The sine half of Box–Muller. The two uniforms are made in `f64`, because that is what 32-bit integers become in
/// the peer, and everything after them in `f32`.
fn box_muller(x: u32, y: u32) -> f32 {
    let inverse = f64::from(INVERSE);
    let inverse_tau = f64::from((inverse * f64::from(TAU)) as f32);
    let u = (f64::from(x) * inverse + inverse / 2.0) as f32;
    let v = (f64::from(y) * inverse_tau + inverse_tau / 2.0) as f32;
    (-2.0 * ln(u)).sqrt() * sin_cos(v).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cipher_gives_its_published_values() {
        // Known-answer test of Random123 (kat_vectors, philox4x32 10).
        assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        let ones = u32::MAX;
        assert_eq!(philox4x32_10([ones; 4], [ones; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
    }

    #[test]
    fn a_longer_draw_begins_like_a_shorter_one() {
        assert_eq!(philox_randn(9, 0, 5000)[..100], philox_randn(9, 0, 100));
        assert_ne!(philox_randn(9, 0, 100), philox_randn(9, 1, 100));
    }

    #[test]
    fn the_extreme_draws_are_finite() {
        assert!(box_muller(0, 0).is_finite() && box_muller(u32::MAX, u32::MAX).is_finite());
    }
}
