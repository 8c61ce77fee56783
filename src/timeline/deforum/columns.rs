//! The stack of columns on which a compiled expression is computed, and powers as the tree walker multiplies them.

use crate::timeline::eval::arith;

/// Frames computed at once.
pub(super) const BLOCK: usize = 256;

/// Columns of a block on a stack: the bits of doubles, or of 64-bit integers.
pub(super) struct Columns {
    cells: Vec<u64>,
    pub(super) height: usize,
    pub(super) frames: usize,
    pub(super) first: u32,
}

impl Columns {
    pub(super) fn new(first: u32) -> Self {
        Self { cells: Vec::new(), height: 0, frames: 0, first }
    }

    /// A new column on top, whose cells hold anything.
    pub(super) fn push(&mut self) -> &mut [u64] {
        self.height += 1;
        if self.cells.len() < self.height * BLOCK {
            self.cells.resize(self.height * BLOCK, 0);
        }
        self.under_top(0)
    }

    /// The column with so many above it.
    pub(super) fn under_top(&mut self, above: usize) -> &mut [u64] {
        let from = (self.height - 1 - above) * BLOCK;
        &mut self.cells[from..from + self.frames]
    }

    /// Takes the top off: the column below it, and it.
    pub(super) fn pop(&mut self) -> (&mut [u64], &[u64]) {
        self.height -= 1;
        let (below, top) = self.cells.split_at_mut(self.height * BLOCK);
        let from = (self.height - 1) * BLOCK;
        (&mut below[from..from + self.frames], &top[..self.frames])
    }

    /// Of conditions and two branches on top of them, the branch that holds at each frame is left.
    pub(super) fn choose(&mut self) {
        self.height -= 2;
        let (conditions, branches) = self.cells[(self.height - 1) * BLOCK..].split_at_mut(BLOCK);
        let (a, b) = branches.split_at(BLOCK);
        for ((x, a), b) in conditions.iter_mut().zip(a).zip(b).take(self.frames) {
            *x = if *x == 0 { *b } else { *a };
        }
    }
}

/// A power with a constant exponent in steps of a half, as the walker multiplies it.
pub(super) fn product(a: f64, x: f64) -> f64 {
    let (mut left, mut result, mut square) = (x.abs().trunc() as u32, None, a);
    while left > 0 {
        if left & 1 == 1 {
            result = Some(result.map_or(square, |r: f64| r * square));
        }
        left >>= 1;
        square *= square;
    }
    if x.fract() != 0.0 {
        result = Some(result.map_or(a.sqrt(), |r| r * a.sqrt()));
    }
    let result = result.unwrap_or(1.0);
    if x < 0.0 { 1.0 / result } else { result }
}

/// The same for an integer where the result is none: the whole part wraps.
pub(super) fn product_of_integers(a: i64, x: f64) -> f64 {
    let whole = x.abs().trunc();
    let mut result = arith::int_pow(a, whole as i64) as f64;
    if x.fract() != 0.0 {
        let root = (a as f64).sqrt();
        result = if whole > 0.0 { result * root } else { root };
    }
    if x < 0.0 { 1.0 / result } else { result }
}
