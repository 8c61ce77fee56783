//! Products of rows of numbers with rows of weights: linear layers.

use std::cell::RefCell;

use rayon::prelude::*;

use super::scattered::Scattered;
use super::stored::{Lines, Stored};
use super::tile::{COLUMNS, Left, ROWS, multiply};

/// Rows of one task.
const TALL: usize = 512;
/// Terms that are packed at once: with 32 columns, 32 KiB.
const DEPTH: usize = 256;

thread_local! {
    /// Packed weights, kept from call to call. Nothing in a task runs other tasks, so no thread borrows it twice.
    static PANEL: RefCell<Vec<f32>> = RefCell::new(vec![0.0; DEPTH * COLUMNS]);
}

/// The sizes of one product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// `out` `[rows, outputs]` becomes `x` `[rows, inputs]` times `weight` `[outputs, inputs]` turned, plus `bias` `[outputs]`, plus `residual`
/// `[rows, outputs]`.
pub(super) fn product(
    x: &[f32],
    weight: Stored,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    shape: Shape,
    out: &mut [f32],
) {
    let Shape { rows, inputs, outputs } = shape;
    if rows == 0 || outputs == 0 {
        return;
    }
    let mut packed = vec![0.0; rows.div_ceil(ROWS) * ROWS * inputs];
    let lines = Lines { values: Stored::F32(x), stride: inputs };
    packed.par_chunks_mut((ROWS * inputs).max(1)).enumerate().for_each(|(panel, packed)| {
        let first = panel * ROWS;
        lines.pack::<ROWS>(first, ROWS.min(rows - first), 0, inputs, packed);
    });
    let weight = Lines { values: weight, stride: inputs };
    let out = Scattered::new(out);
    let across = outputs.div_ceil(COLUMNS);
    (0..rows.div_ceil(TALL) * across).into_par_iter().for_each(|task| {
        let (top, left) = (task / across * TALL, task % across * COLUMNS);
        let (tall, wide) = (TALL.min(rows - top), COLUMNS.min(outputs - left));
        for row in top..top + tall {
            let from = row * outputs + left;
            // SAFETY: these columns of these rows belong to this task alone.
            let target = unsafe { out.part(from, wide) };
            begin(target, bias.map(|b| &b[left..]), residual.map(|r| &r[from..]));
        }
        PANEL.with_borrow_mut(|panel| {
            for from in (0..inputs).step_by(DEPTH) {
                let depth = DEPTH.min(inputs - from);
                weight.pack::<COLUMNS>(left, wide, from, depth, panel);
                for row in (top..top + tall).step_by(ROWS) {
                    let factor =
                        Left { values: &packed[row * inputs + from * ROWS..][..depth * ROWS], step: ROWS };
                    let place = out.place(row * outputs + left, outputs, ROWS.min(rows - row), wide);
                    // SAFETY: as above; what is there was written above.
                    unsafe { multiply(factor, panel, depth, place, true) }
                }
            }
        });
    });
}

/// What the terms are added to.
fn begin(target: &mut [f32], bias: Option<&[f32]>, residual: Option<&[f32]>) {
    match (bias, residual) {
        (None, None) => target.fill(0.0),
        (Some(values), None) | (None, Some(values)) => target.copy_from_slice(&values[..target.len()]),
        (Some(bias), Some(residual)) => {
            for ((target, bias), residual) in target.iter_mut().zip(bias).zip(residual) {
                *target = bias + residual;
            }
        }
    }
}
