//! The inner loop of every matrix product: a tile of 8×32 results in registers.
//!
//! Each result is summed in the order of k by fused multiply-add, in every version of the loop, so the number of
//! lanes of the machine changes no bit, and neither does the cutting of a long sum into stretches.

/// Rows of a tile, and numbers of a row of the packed left factor.
pub(super) const ROWS: usize = 8;
/// Columns of a tile, and numbers of a row of the packed right factor.
pub(super) const COLUMNS: usize = 32;

/// A tile's left factor: `[k, ROWS]` with `step` numbers from one k to the next.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) values: &'a [f32],
    pub(super) step: usize,
}

/// Where the results go: `rows` × `columns` of them, `stride` numbers from row to row.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: *mut f32,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The place becomes Σₖ left\[k\]ᵀ right\[k\], or that is added to it. `right` is `[k, COLUMNS]`.
///
/// # Safety
/// The place is valid for writing (and initialised, to be added to), and nobody else uses it.
pub(super) unsafe fn multiply(left: Left, right: &[f32], k: usize, place: Place, add: bool) {
    assert!(k == 0 || left.values.len() >= (k - 1) * left.step + ROWS, "left factor too short");
    assert!(right.len() >= k * COLUMNS, "right factor too short");
    assert!(place.rows <= ROWS && place.columns <= COLUMNS, "tile too large");
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has AVX-512, the factors are long enough as asserted, the place by the contract.
            return unsafe { x86::wide(left.values.as_ptr(), left.step, right.as_ptr(), k, place, add) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: as above, with AVX2 and FMA.
            return unsafe { x86::narrow(left.values.as_ptr(), left.step, right.as_ptr(), k, place, add) };
        }
    }
    // SAFETY: by the contract.
    unsafe { portable(left, right, k, place, add) }
}

/// For machines without these vectors.
///
/// # Safety
/// As [`multiply`].
unsafe fn portable(left: Left, right: &[f32], k: usize, place: Place, add: bool) {
    for i in 0..place.rows {
        // SAFETY: by the contract.
        let row = unsafe { std::slice::from_raw_parts_mut(place.start.add(i * place.stride), place.columns) };
        let mut sums = [0.0; COLUMNS];
        if add {
            sums[..row.len()].copy_from_slice(row);
        }
        for (k, right) in right.chunks_exact(COLUMNS).take(k).enumerate() {
            let factor = left.values[k * left.step + i];
            for (sum, value) in sums.iter_mut().zip(right) {
                *sum = factor.mul_add(*value, *sum);
            }
        }
        row.copy_from_slice(&sums[..row.len()]);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{COLUMNS, Place};

    /// 8×32 with AVX-512.
    ///
    /// # Safety
    /// The machine has AVX-512F; `left` and `right` have k rows of their steps; the place is valid.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn wide(
        left: *const f32,
        step: usize,
        right: *const f32,
        k: usize,
        place: Place,
        add: bool,
    ) {
        // SAFETY: by the contract.
        unsafe {
            match (place.rows, place.columns) {
                (..=4, ..=16) => wide_tile::<4, 1>(left, step, right, k, place, add),
                (..=4, _) => wide_tile::<4, 2>(left, step, right, k, place, add),
                (_, ..=16) => wide_tile::<8, 1>(left, step, right, k, place, add),
                _ => wide_tile::<8, 2>(left, step, right, k, place, add),
            }
        }
    }

    /// # Safety
    /// As [`wide`].
    #[target_feature(enable = "avx512f")]
    unsafe fn wide_tile<const R: usize, const V: usize>(
        left: *const f32,
        step: usize,
        right: *const f32,
        k: usize,
        place: Place,
        add: bool,
    ) {
        let masks: [__mmask16; V] =
            std::array::from_fn(|v| ((1u32 << place.columns.saturating_sub(16 * v).min(16)) - 1) as u16);
        let mut sums = [[_mm512_setzero_ps(); V]; R];
        // SAFETY: by the contract; rows and columns outside the place are neither read nor written.
        unsafe {
            if add {
                for (i, sums) in sums.iter_mut().enumerate().take(place.rows) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let at = place.start.wrapping_add(i * place.stride + 16 * v);
                        *sum = _mm512_maskz_loadu_ps(masks[v], at);
                    }
                }
            }
            for k in 0..k {
                let row: [__m512; V] =
                    std::array::from_fn(|v| _mm512_loadu_ps(right.add(k * COLUMNS + 16 * v)));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let factor = _mm512_set1_ps(*left.add(k * step + i));
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm512_fmadd_ps(factor, row[v], *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(place.rows) {
                for (v, sum) in sums.iter().enumerate() {
                    _mm512_mask_storeu_ps(
                        place.start.wrapping_add(i * place.stride + 16 * v),
                        masks[v],
                        *sum,
                    );
                }
            }
        }
    }

    /// 8×32 with AVX2, in quarters of 4×16.
    ///
    /// # Safety
    /// The machine has AVX2 and FMA; `left` and `right` have k rows of their steps; the place is valid.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn narrow(
        left: *const f32,
        step: usize,
        right: *const f32,
        k: usize,
        place: Place,
        add: bool,
    ) {
        for top in (0..place.rows).step_by(4) {
            for column in (0..place.columns).step_by(16) {
                let part = Place {
                    start: place.start.wrapping_add(top * place.stride + column),
                    stride: place.stride,
                    rows: (place.rows - top).min(4),
                    columns: (place.columns - column).min(16),
                };
                // SAFETY: by the contract; the parts lie inside the whole.
                unsafe { quarter(left.add(top), step, right.add(column), k, part, add) }
            }
        }
    }

    /// # Safety
    /// As [`narrow`], with four rows of the left factor and sixteen columns of the right.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn quarter(left: *const f32, step: usize, right: *const f32, k: usize, place: Place, add: bool) {
        let lanes = |v: usize| -> __m256i {
            let left = place.columns.saturating_sub(8 * v) as i32;
            _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
        };
        let masks = [lanes(0), lanes(1)];
        let mut sums = [[_mm256_setzero_ps(); 2]; 4];
        // SAFETY: by the contract; rows and columns outside the place are neither read nor written.
        unsafe {
            if add {
                for (i, sums) in sums.iter_mut().enumerate().take(place.rows) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let at = place.start.wrapping_add(i * place.stride + 8 * v);
                        *sum = _mm256_maskload_ps(at, masks[v]);
                    }
                }
            }
            for k in 0..k {
                let row =
                    [_mm256_loadu_ps(right.add(k * COLUMNS)), _mm256_loadu_ps(right.add(k * COLUMNS + 8))];
                for (i, sums) in sums.iter_mut().enumerate() {
                    let factor = _mm256_set1_ps(*left.add(k * step + i));
                    sums[0] = _mm256_fmadd_ps(factor, row[0], sums[0]);
                    sums[1] = _mm256_fmadd_ps(factor, row[1], sums[1]);
                }
            }
            for (i, sums) in sums.iter().enumerate().take(place.rows) {
                for (v, sum) in sums.iter().enumerate() {
                    _mm256_maskstore_ps(place.start.wrapping_add(i * place.stride + 8 * v), masks[v], *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::test_values;

    /// One version of the loop over a 9×40 field whose tile lies at the start.
    fn run(version: usize, rows: usize, columns: usize, k: usize, step: usize, add: bool) -> Vec<f32> {
        let (left, right) = (test_values(k * step, 1), test_values(k * COLUMNS, 2));
        let mut field = test_values(9 * 40, 3);
        let place = Place { start: field.as_mut_ptr(), stride: 40, rows, columns };
        let factor = Left { values: &left, step };
        // SAFETY: the field is ours and larger than a tile; the versions are those that the machine has.
        unsafe {
            match version {
                0 => portable(factor, &right, k, place, add),
                #[cfg(target_arch = "x86_64")]
                1 if std::arch::is_x86_feature_detected!("fma") => {
                    x86::narrow(left.as_ptr(), step, right.as_ptr(), k, place, add);
                }
                _ => multiply(factor, &right, k, place, add),
            }
        }
        field
    }

    #[test]
    fn all_versions_give_the_same_bits_and_write_their_tile_alone() {
        for (rows, columns, k, step) in
            [(8, 32, 70, 8), (5, 31, 9, 32), (4, 16, 3, 8), (1, 7, 1, 8), (8, 9, 0, 8)]
        {
            for add in [false, true] {
                let expected = run(0, rows, columns, k, step, add);
                assert_eq!(expected, run(1, rows, columns, k, step, add));
                assert_eq!(expected, run(2, rows, columns, k, step, add));
                let before = test_values(9 * 40, 3);
                for (i, (found, before)) in expected.iter().zip(&before).enumerate() {
                    assert!(found == before || i / 40 < rows && i % 40 < columns, "number {i} was touched");
                }
            }
        }
    }

    #[test]
    fn a_sum_in_two_stretches_is_the_sum() {
        let (left, right) = (test_values(50 * ROWS, 1), test_values(50 * COLUMNS, 2));
        let product = |cuts: &[usize]| {
            let mut out = vec![0.0; ROWS * COLUMNS];
            let place = Place { start: out.as_mut_ptr(), stride: COLUMNS, rows: ROWS, columns: COLUMNS };
            for (i, cut) in cuts.windows(2).enumerate() {
                let factor = Left { values: &left[cut[0] * ROWS..], step: ROWS };
                // SAFETY: `out` is ours and has the tile's size.
                unsafe { multiply(factor, &right[cut[0] * COLUMNS..], cut[1] - cut[0], place, i > 0) }
            }
            out
        };
        assert_eq!(product(&[0, 50]), product(&[0, 17, 50]));
    }
}
