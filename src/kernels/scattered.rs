//! A slice of which several threads write disjoint parts.

use std::marker::PhantomData;

use super::tile::Place;

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

    /// The place of a tile whose first element is at `from`. Writing there is the caller's to keep disjoint.
    pub(super) fn place(&self, from: usize, stride: usize, rows: usize, columns: usize) -> Place {
        let end = from + rows.saturating_sub(1) * stride + columns;
        assert!(end <= self.len && (rows <= 1 || stride >= columns), "tile outside the slice");
        Place { start: self.start.wrapping_add(from), stride, rows, columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "outside")]
    fn a_tile_outside_is_caught() {
        Scattered::new(&mut [0.0; 10]).place(3, 4, 2, 4);
    }
}
