//! PyTorch's CPU generator: Mersenne Twister and the two ways in which torch makes normals of it.
//!
//! The Twister is Matsumoto and Nishimura's (ACM TOMACS 8, 1998). Which draws torch uses for what was
//! read off PyTorch 2.x (`ATen/native/cpu/DistributionTemplates.h`, `ATen/core/DistributionsHelper.h`):
//!
//! - a uniform `f32` takes one draw and keeps its low 24 bits; a uniform `f64` takes two (the first is
//!   the high half) and keeps the low 53;
//! - fewer than 16 normals are made one pair at a time in `f64` (Box–Muller); the second of a pair waits
//!   in the generator for the next such call;
//! - 16 and more are uniforms turned into normals in blocks of 16: the first eight give the radius,
//!   the other eight the angle. When the number is no multiple of 16, the last 16 values are drawn anew.
//!
//! Draws and their order are exact. Logarithm and sine are computed here, not by the machine's C library, so
//! values are the same on every platform and within 2e-6 of torch's.

use std::f64::consts::TAU;

use super::normal::box_muller_blocks;

const STATE: usize = 624;
const SHIFT: usize = 397;

/// torch's CPU generator, `torch.Generator("cpu").manual_seed(seed)`. Successive draws continue as torch does.
#[derive(Clone)]
pub struct TorchRng {
    state: [u32; STATE],
    /// Next unread word of `state`; `STATE` when all are used.
    next: usize,
    /// Second value of the last scalar Box–Muller pair.
    waiting: Option<f64>,
}

impl std::fmt::Debug for TorchRng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TorchRng")
            .field("next", &self.next)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl TorchRng {
    /// Seeds the generator. As in torch, only the low 32 bits of the seed count.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; STATE];
        state[0] = seed as u32;
        for i in 1..STATE {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = previous.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: STATE, waiting: None }
    }

    /// `torch.randn(n)`: `n` normals of mean 0 and variance 1. For a tensor, `n` is the product of its shape and
    /// the values come in row-major order.
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        if n < 16 {
            return (0..n).map(|_| self.normal() as f32).collect();
        }
        let mut values = self.rand(n);
        let whole = n - n % 16;
        box_muller_blocks(&mut values[..whole]);
        if whole < n {
            let mut last = self.rand(16);
            box_muller_blocks(&mut last);
            values[n - 16..].copy_from_slice(&last);
        }
        values
    }

    /// `torch.randn(n, dtype=torch.float64)`.
    pub fn randn_f64(&mut self, n: usize) -> Vec<f64> {
        if n < 16 {
            return (0..n).map(|_| self.normal()).collect();
        }
        let mut values: Vec<f64> = (0..n).map(|_| self.uniform_f64()).collect();
        values.as_chunks_mut::<16>().0.iter_mut().for_each(box_muller_f64);
        if !n.is_multiple_of(16) {
            let mut last = std::array::from_fn(|_| self.uniform_f64());
            box_muller_f64(&mut last);
            values[n - 16..].copy_from_slice(&last);
        }
        values
    }

    /// `torch.rand(n)`: `n` uniform values in [0, 1), multiples of 2^-24.
    pub fn rand(&mut self, n: usize) -> Vec<f32> {
        let mut values = vec![0.0; n];
        let mut rest = values.as_mut_slice();
        while !rest.is_empty() {
            if self.next == STATE {
                self.twist();
            }
            let (now, later) = rest.split_at_mut(rest.len().min(STATE - self.next));
            uniforms(now, &self.state[self.next..]);
            self.next += now.len();
            rest = later;
        }
        values
    }

    /// One normal by the scalar path.
    fn normal(&mut self) -> f64 {
        if let Some(value) = self.waiting.take() {
            return value;
        }
        let angle = TAU * self.uniform_f64();
        let radius = (-2.0 * libm::log1p(-self.uniform_f64())).sqrt();
        self.waiting = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    fn uniform_f64(&mut self) -> f64 {
        let word = u64::from(self.next_u32()) << 32 | u64::from(self.next_u32());
        (word & ((1 << 53) - 1)) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// The Twister's next 32 bits.
    fn next_u32(&mut self) -> u32 {
        if self.next == STATE {
            self.twist();
        }
        self.next += 1;
        temper(self.state[self.next - 1])
    }

    /// Makes the next 624 words. Three loops, so that none needs a modulo.
    fn twist(&mut self) {
        let s = &mut self.state;
        for i in 0..STATE - SHIFT {
            s[i] = s[i + SHIFT] ^ mix(s[i], s[i + 1]);
        }
        for i in STATE - SHIFT..STATE - 1 {
            s[i] = s[i + SHIFT - STATE] ^ mix(s[i], s[i + 1]);
        }
        s[STATE - 1] = s[SHIFT - 1] ^ mix(s[STATE - 1], s[0]);
        self.next = 0;
    }
}

/// Uniform values of words of the state, as many as there are values.
#[inline(always)]
fn uniforms(values: &mut [f32], words: &[u32]) {
    for (value, word) in values.iter_mut().zip(words) {
        // Through i32: a signed conversion is one vector instruction, an unsigned one is not.
        *value = (temper(*word) & 0xFF_FFFF) as i32 as f32 * (1.0 / 16_777_216.0);
    }
}

/// The Twister's recurrence on the high bit of one word and the low bits of the next.
fn mix(high: u32, low: u32) -> u32 {
    let word = (high & 0x8000_0000) | (low & 0x7FFF_FFFF);
    (word >> 1) ^ ((word & 1).wrapping_neg() & 0x9908_B0DF)
}

/// The Twister's output function.
fn temper(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9D2C_5680;
    word ^= (word << 15) & 0xEFC6_0000;
    word ^ (word >> 18)
}

/// Turns sixteen uniforms into sixteen normals in place.
fn box_muller_f64(block: &mut [f64; 16]) {
    for j in 0..8 {
        let radius = (-2.0 * libm::log(1.0 - block[j])).sqrt();
        let angle = TAU * block[j + 8];
        block[j] = radius * libm::cos(angle);
        block[j + 8] = radius * libm::sin(angle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twister_gives_its_published_values() {
        // Matsumoto's mt19937ar with the default seed 5489: first and ten-thousandth draw (C++ standard, [rand.predef]).
        let mut rng = TorchRng::new(5489);
        assert_eq!(rng.next_u32(), 3_499_211_612);
        let last = (1..10_000).map(|_| rng.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn torch_manual_seed_zero() {
        // torch.manual_seed(0); torch.rand(2) and torch.randn(1), to the four digits that torch prints.
        let uniform = TorchRng::new(0).rand(2);
        assert!((uniform[0] - 0.4963).abs() < 5e-5 && (uniform[1] - 0.7682).abs() < 5e-5, "{uniform:?}");
        assert!((TorchRng::new(0).randn(1)[0] - 1.5410).abs() < 5e-5);
    }

    #[test]
    fn only_the_low_half_of_the_seed_counts() {
        assert_eq!(TorchRng::new(7).randn(40), TorchRng::new(7 | 3 << 32).randn(40));
    }

    #[test]
    fn the_second_of_a_pair_waits_across_block_draws() {
        let mut rng = TorchRng::new(3);
        let first = rng.randn(1)[0];
        rng.randn(32);
        let second = rng.randn(1)[0];
        assert_eq!(TorchRng::new(3).randn(2), [first, second]);
    }

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let values = TorchRng::new(1).randn(1 << 20);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n - mean * mean;
        // Five standard errors of each.
        assert!(mean.abs() < 5.0 / n.sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    }
}
