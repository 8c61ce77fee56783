//! Matrix products on one thread, over slices with strides.

use std::marker::PhantomData;

/// A matrix inside a slice: element (i, j) is at i · `row` + j · `column`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// `data` seen with these strides.
    pub(super) fn new(data: &'a [f32], row: usize, column: usize) -> Self {
        Self { data, row, column }
    }

    /// Whether `rows` × `columns` elements lie inside.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        span(rows, columns, self.row, self.column) <= self.data.len()
    }
}

/// A slice of which several threads write disjoint parts that are not contiguous, such as some rows of
/// every channel.
pub(super) struct Scattered<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: writing goes through the unsafe methods alone, whose callers keep the parts disjoint.
unsafe impl Sync for Scattered<'_> {}

impl<'a> Scattered<'a> {
    /// Takes the slice for as long as this lives.
    pub(super) fn new(data: &'a mut [f32]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len(), owner: PhantomData }
    }

    /// The elements `from .. from + len`.
    ///
    /// # Safety
    /// No other reference to any of them lives.
    #[allow(clippy::mut_from_ref, reason = "that is its purpose; the caller keeps the parts disjoint")]
    pub(super) unsafe fn part(&self, from: usize, len: usize) -> &mut [f32] {
        assert!(from.checked_add(len).is_some_and(|end| end <= self.len), "part outside the slice");
        // SAFETY: inside the slice, and nobody else's by the contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }

    /// The matrix at `from` with `row` elements from row to row and neighbouring columns becomes
    /// alpha · a · b, or that is added to it. `size` is (rows, columns, inner).
    ///
    /// # Safety
    /// No other reference to any element of the matrix lives.
    #[allow(clippy::too_many_arguments, reason = "the nine of BLAS, in fewer")]
    pub(super) unsafe fn product(
        &self,
        from: usize,
        row: usize,
        size: (usize, usize, usize),
        a: Matrix,
        b: Matrix,
        alpha: f32,
        add: bool,
    ) {
        let (m, n, k) = size;
        if m == 0 || n == 0 {
            return;
        }
        assert!(from + span(m, n, row, 1) <= self.len && row >= n, "product outside the slice");
        assert!(a.holds(m, k) && b.holds(k, n), "factor outside its slice");
        // SAFETY: all three matrices lie inside their slices as asserted, the result is nobody else's by the
        // contract, and its rows do not overlap.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                self.start.add(from),
                1,
                row as isize,
                add,
                a.data.as_ptr(),
                a.column as isize,
                a.row as isize,
                b.data.as_ptr(),
                b.column as isize,
                b.row as isize,
                1.0,
                alpha,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Elements from the first to the last of a matrix, both included.
fn span(rows: usize, columns: usize, row: usize, column: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row + (columns - 1) * column + 1 }
}

/// `out` (rows × columns, contiguous) becomes alpha · a · b, or that is added to it.
pub(super) fn product(
    out: &mut [f32],
    size: (usize, usize, usize),
    a: Matrix,
    b: Matrix,
    alpha: f32,
    add: bool,
) {
    // SAFETY: the slice is borrowed mutably here, so nobody else has it.
    unsafe { Scattered::new(out).product(0, size.1, size, a, b, alpha, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_alpha_and_addition() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // 2×3
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0]; // 2×3, used transposed
        let mut out = [10.0; 4];
        product(&mut out, (2, 2, 3), Matrix::new(&a, 3, 1), Matrix::new(&b, 1, 3), 2.0, true);
        assert_eq!(out, [24.0, 30.0, 42.0, 54.0]);
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn a_factor_that_is_too_short_is_caught() {
        product(
            &mut [0.0; 4],
            (2, 2, 3),
            Matrix::new(&[0.0; 5], 3, 1),
            Matrix::new(&[0.0; 6], 1, 3),
            1.0,
            false,
        );
    }
}
