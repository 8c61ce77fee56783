//! Convolution of any window and stride as a matrix product over unrolled windows.
//!
//! The windows of a strip of result pixels are copied into panels of 32 pixels (C_in · k² rows each), in
//! channel order, so that PyTorch's weights are the other factor as they are and the product is the
//! result in its own layout.

use std::cell::RefCell;

use rayon::prelude::*;

use super::added::Added;
use super::scattered::Scattered;
use super::stored::{Lines, Stored};
use super::tile::{COLUMNS, Left, ROWS, multiply};

/// Numbers in an unrolled strip: 8 MiB.
const STRIP: usize = 1 << 21;
/// Output channels of one task.
const TALL: usize = 4 * ROWS;
/// Terms that are packed at once.
const DEPTH: usize = 256;
/// Tasks that are enough for the threads of a machine.
const TASKS: usize = 32;
/// A window position outside the picture.
const OUTSIDE: u32 = u32::MAX;

thread_local! {
    /// Packed weights, kept from call to call. Nothing in a task runs other tasks, so no thread borrows it twice.
    static WEIGHTS: RefCell<Vec<f32>> = RefCell::new(vec![0.0; TALL * DEPTH]);
}

/// The sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Height and width of the picture.
    pub(super) size: (usize, usize),
    /// Height and width of the result.
    pub(super) out_size: (usize, usize),
    /// Side of the window.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Zeros above and to the left of the picture. Those below and to the right follow from `out_size`.
    pub(super) before: usize,
}

impl Shape {
    fn pixels(&self) -> usize {
        self.out_size.0 * self.out_size.1
    }

    fn depth(&self) -> usize {
        self.inputs * self.kernel * self.kernel
    }

    /// Panels of one picture.
    fn panels(&self) -> usize {
        self.pixels().div_ceil(COLUMNS)
    }

    /// Picture, first pixel and number of pixels of a panel.
    fn panel(&self, panel: usize) -> (usize, usize, usize) {
        let (item, first) = (panel / self.panels(), panel % self.panels() * COLUMNS);
        (item, first, COLUMNS.min(self.pixels() - first))
    }
}

/// The convolution of `x` `[batch, inputs, height, width]` with `weight` `[outputs, inputs, kernel, kernel]`, into `out`
/// `[batch, outputs, out_height, out_width]`, with what is `added`.
pub(super) fn convolve(x: &[f32], weight: Stored, added: &Added, shape: &Shape, out: &mut [f32]) {
    let (depth, all) = (shape.depth(), shape.batch * shape.panels());
    if depth == 0 || all == 0 {
        return;
    }
    let out = Scattered::new(out);
    let strip = (STRIP / (depth * COLUMNS)).clamp(1, all);
    let mut windows = vec![0.0; strip * depth * COLUMNS];
    for first in (0..all).step_by(strip) {
        let count = strip.min(all - first);
        windows[..count * depth * COLUMNS]
            .par_chunks_mut(depth * COLUMNS)
            .enumerate()
            .for_each(|(i, windows)| unroll(x, shape, first + i, windows));
        let groups = shape.outputs.div_ceil(TALL);
        let wide = count.div_ceil(TASKS.div_ceil(groups));
        let parts = count.div_ceil(wide);
        (0..groups * parts).into_par_iter().for_each(|task| {
            let (top, from) = (task / parts * TALL, task % parts * wide);
            let panels = from..(from + wide).min(count);
            let rows = TALL.min(shape.outputs - top);
            WEIGHTS.with_borrow_mut(|scratch| {
                weigh(&windows, first, panels, weight, top, rows, added, shape, scratch, &out);
            });
        });
    }
}

/// The results of `rows` channels from `top` on, for the panels of a strip that begins with panel `first`.
#[allow(clippy::too_many_arguments, reason = "the inner half of one function")]
fn weigh(
    windows: &[f32],
    first: usize,
    panels: std::ops::Range<usize>,
    weight: Stored,
    top: usize,
    rows: usize,
    added: &Added,
    shape: &Shape,
    scratch: &mut [f32],
    out: &Scattered,
) {
    let (depth, pixels) = (shape.depth(), shape.pixels());
    let weight = Lines { values: weight, stride: depth };
    for from in (0..depth).step_by(DEPTH) {
        let deep = DEPTH.min(depth - from);
        for (i, packed) in scratch.chunks_exact_mut(ROWS * DEPTH).enumerate().take(rows.div_ceil(ROWS)) {
            weight.pack::<ROWS>(top + i * ROWS, ROWS.min(rows - i * ROWS), from, deep, packed);
        }
        for panel in panels.clone() {
            let (item, pixel, wide) = shape.panel(first + panel);
            let right = &windows[(panel * depth + from) * COLUMNS..][..deep * COLUMNS];
            for (i, packed) in scratch.chunks_exact(ROWS * DEPTH).enumerate().take(rows.div_ceil(ROWS)) {
                let channel = top + i * ROWS;
                let tall = ROWS.min(rows - i * ROWS);
                let at = (item * shape.outputs + channel) * pixels + pixel;
                if from == 0 {
                    for row in 0..tall {
                        // SAFETY: these pixels of these channels belong to this task alone.
                        let target = unsafe { out.part(at + row * pixels, wide) };
                        added.begin(item, channel + row, at + row * pixels, target);
                    }
                }
                let place = out.place(at, pixels, tall, wide);
                // SAFETY: as above; what is there was written above.
                unsafe { multiply(Left { values: packed, step: ROWS }, right, deep, place, true) }
            }
        }
    }
}

/// The windows of a panel's pixels: one row of 32 per channel and window position.
fn unroll(x: &[f32], shape: &Shape, panel: usize, windows: &mut [f32]) {
    let (item, first, wide) = shape.panel(panel);
    let (height, width) = shape.size;
    let positions = shape.kernel * shape.kernel;
    let mut sources = vec![[OUTSIDE; COLUMNS]; positions];
    for (position, sources) in sources.iter_mut().enumerate() {
        for (lane, source) in sources.iter_mut().enumerate().take(wide) {
            let (row, column) = ((first + lane) / shape.out_size.1, (first + lane) % shape.out_size.1);
            let y = (row * shape.stride + position / shape.kernel).wrapping_sub(shape.before);
            let x = (column * shape.stride + position % shape.kernel).wrapping_sub(shape.before);
            if y < height && x < width {
                *source = (y * width + x) as u32;
            }
        }
    }
    let neighbours =
        |s: &[u32; COLUMNS]| s[0] != OUTSIDE && (0..COLUMNS).all(|i| s[i] == s[0].wrapping_add(i as u32));
    let runs: Vec<bool> = sources.iter().map(neighbours).collect();
    let planes = x[item * shape.inputs * height * width..].chunks_exact(height * width);
    for (plane, windows) in planes.zip(windows.chunks_exact_mut(positions * COLUMNS)) {
        for ((sources, run), row) in sources.iter().zip(&runs).zip(windows.chunks_exact_mut(COLUMNS)) {
            if *run {
                row.copy_from_slice(&plane[sources[0] as usize..][..COLUMNS]);
            } else {
                for (value, source) in row.iter_mut().zip(sources) {
                    *value = plane.get(*source as usize).copied().unwrap_or(0.0);
                }
            }
        }
    }
}
