//! Numbers in the type in which a file stores them, and their way into packed panels of `f32`.
//!
//! Halves are exact in `f32`, so whoever widens them, and when, changes no bit of a result.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};

/// Columns that are turned at once.
const SQUARE: usize = 8;
/// Numbers of a line that are widened at once.
const STRETCH: usize = 64;

/// A slice in one of the stored types.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
}

impl<'a> Stored<'a> {
    /// The `len` numbers from `from` on.
    pub(super) fn part(self, from: usize, len: usize) -> Self {
        match self {
            Self::F32(values) => Self::F32(&values[from..][..len]),
            Self::F16(values) => Self::F16(&values[from..][..len]),
            Self::Bf16(values) => Self::Bf16(&values[from..][..len]),
        }
    }

    /// All numbers, in `f32`.
    pub(super) fn widen(self, out: &mut [f32]) {
        match self {
            Self::F32(values) => out.copy_from_slice(values),
            Self::F16(values) => values.convert_to_f32_slice(out),
            Self::Bf16(values) => {
                for (out, value) in out.iter_mut().zip(values) {
                    *out = f32::from_bits(u32::from(value.to_bits()) << 16);
                }
            }
        }
    }
}

/// Lines of numbers, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a> {
    pub(super) values: Stored<'a>,
    /// Numbers from the start of one line to that of the next.
    pub(super) stride: usize,
}

impl Lines<'_> {
    /// Packs the numbers `from .. from + len` of `count` lines from `first` on, turned: `out` is `[len, W]`, line i in
    /// column i, zeros in the columns behind.
    pub(super) fn pack<const W: usize>(
        self,
        first: usize,
        count: usize,
        from: usize,
        len: usize,
        out: &mut [f32],
    ) {
        let out = &mut out[..len * W];
        let mut wide = [[0.0; STRETCH]; SQUARE];
        for column in (0..W).step_by(SQUARE) {
            let lines = count.saturating_sub(column).min(SQUARE);
            if lines == 0 {
                out.chunks_exact_mut(W).for_each(|row| row[column..column + SQUARE].fill(0.0));
                continue;
            }
            wide[lines..].fill([0.0; STRETCH]);
            for start in (0..len).step_by(STRETCH) {
                let stretch = STRETCH.min(len - start);
                for (i, wide) in wide.iter_mut().enumerate().take(lines) {
                    let at = (first + column + i) * self.stride + from + start;
                    self.values.part(at, stretch).widen(&mut wide[..stretch]);
                }
                turn(&wide, stretch, W, &mut out[start * W + column..]);
            }
        }
    }
}

/// Columns become rows: number k of line i goes to `out[k · step + i]`.
fn turn(lines: &[[f32; STRETCH]; SQUARE], count: usize, step: usize, out: &mut [f32]) {
    assert!(count <= STRETCH && (count == 0 || out.len() >= (count - 1) * step + SQUARE));
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        done = count / SQUARE * SQUARE;
        for k in (0..done).step_by(SQUARE) {
            // SAFETY: the machine has AVX2; every line has STRETCH numbers and k + 8 is at most that; the last of the
            // eight targets ends at (k + 7) · step + 8, inside `out` as asserted.
            unsafe { turn_square(lines.as_ptr().cast::<f32>().add(k), out.as_mut_ptr().add(k * step), step) }
        }
    }
    for k in done..count {
        for (i, line) in lines.iter().enumerate() {
            out[k * step + i] = line[k];
        }
    }
}

/// Turns 8×8 numbers, from lines that are [`STRETCH`] apart to rows that are `step` apart.
///
/// # Safety
/// The machine has AVX2, and both squares lie inside their slices.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn turn_square(source: *const f32, target: *mut f32, step: usize) {
    use std::arch::x86_64::*;
    // SAFETY: by the contract.
    let line = |i: usize| unsafe { _mm256_loadu_ps(source.add(i * STRETCH)) };
    let pairs: [__m256; 8] = std::array::from_fn(|i| {
        let (a, b) = (line(i / 2 * 2), line(i / 2 * 2 + 1));
        if i % 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) }
    });
    // Quarter q of the even (0) or odd (1) four lines: numbers q and q + 4 of them.
    let four = |half: usize, q: usize| {
        let (a, b) = (pairs[half * 4 + q / 2], pairs[half * 4 + 2 + q / 2]);
        if q.is_multiple_of(2) { _mm256_shuffle_ps::<0x44>(a, b) } else { _mm256_shuffle_ps::<0xee>(a, b) }
    };
    for q in 0..4 {
        let (low, high) = (four(0, q), four(1, q));
        // SAFETY: by the contract.
        unsafe {
            _mm256_storeu_ps(target.add(q * step), _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(target.add((q + 4) * step), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::test_values;

    #[test]
    fn every_half_widens_to_the_number_that_it_is() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        let brains: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
        let (mut a, mut b) = (vec![0.0; halves.len()], vec![0.0; brains.len()]);
        Stored::F16(&halves).widen(&mut a);
        Stored::Bf16(&brains).widen(&mut b);
        for (i, (half, wide)) in halves.iter().zip(&a).enumerate() {
            assert!(
                half.to_f32_const().to_bits() == wide.to_bits() || half.is_nan() && wide.is_nan(),
                "{i:x}"
            );
        }
        for (i, (brain, wide)) in brains.iter().zip(&b).enumerate() {
            assert!(
                brain.to_f32_const().to_bits() == wide.to_bits() || brain.is_nan() && wide.is_nan(),
                "{i:x}"
            );
        }
    }

    #[test]
    fn packing_turns_lines_of_any_length_and_pads_with_zeros() {
        for (lines, length, from, len) in
            [(8, 100, 3, 97), (5, 64, 0, 64), (31, 9, 1, 7), (1, 1, 0, 1), (32, 70, 2, 66)]
        {
            let values = test_values(lines * length, 7);
            let packed = |stored| {
                let mut out = vec![f32::NAN; len * 32];
                Lines { values: stored, stride: length }.pack::<32>(0, lines, from, len, &mut out);
                out
            };
            let halves: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
            let widened: Vec<f32> = halves.iter().map(|v| v.to_f32()).collect();
            assert_eq!(packed(Stored::F16(&halves)), packed(Stored::F32(&widened)));
            for (k, row) in packed(Stored::F32(&values)).chunks_exact(32).enumerate() {
                for (i, found) in row.iter().enumerate() {
                    let expected = if i < lines { values[i * length + from + k] } else { 0.0 };
                    assert_eq!(*found, expected, "line {i}, number {k}");
                }
            }
        }
    }
}
