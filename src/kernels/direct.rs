//! Convolution of any window and stride as a matrix product over unrolled windows.
//!
//! The windows of a strip of result rows are copied into a matrix (C_in · k² rows, one column per
//! result pixel), in channel order, so that PyTorch's weights are the other factor as they are and
//! the product is the result in its own layout.

use rayon::prelude::*;

use super::gemm::{Matrix, Scattered};

/// Numbers in an unrolled strip: 8 MiB.
const STRIP: usize = 1 << 21;
/// Result pixels of one matrix product.
const COLUMNS: usize = 512;
/// Output channels of one matrix product.
const ROWS: usize = 64;

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
    /// Whether the picture itself is the matrix of its windows.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.before == 0
    }
}

/// The convolution of `x` `[batch, inputs, height, width]` with `weight` `[outputs, inputs, kernel, kernel]`, into `out`
/// `[batch, outputs, out_height, out_width]`.
pub(super) fn convolve(x: &[f32], weight: &[f32], bias: Option<&[f32]>, shape: &Shape, out: &mut [f32]) {
    let pixels = shape.out_size.0 * shape.out_size.1;
    let out = Scattered::new(out);
    if shape.is_pointwise() {
        return multiply(x, pixels, pixels, weight, bias, shape, 0, &out);
    }
    let depth = shape.inputs * shape.kernel * shape.kernel;
    let strip_rows = (STRIP / (depth * shape.out_size.1 * shape.batch)).clamp(1, shape.out_size.0);
    let mut windows = vec![0.0; shape.batch * depth * strip_rows * shape.out_size.1];
    for top in (0..shape.out_size.0).step_by(strip_rows) {
        let rows = strip_rows.min(shape.out_size.0 - top);
        let columns = rows * shape.out_size.1;
        let unrolled = &mut windows[..shape.batch * depth * columns];
        unrolled.par_chunks_mut(columns * shape.kernel * shape.kernel).enumerate().for_each(
            |(plane, windows)| {
                let source = &x[plane * shape.size.0 * shape.size.1..][..shape.size.0 * shape.size.1];
                unroll(source, shape, top, rows, windows);
            },
        );
        multiply(unrolled, columns, pixels, weight, bias, shape, top * shape.out_size.1, &out);
    }
}

/// The windows of one channel, for result rows `top .. top + rows`: one matrix row per window position.
fn unroll(source: &[f32], shape: &Shape, top: usize, rows: usize, windows: &mut [f32]) {
    let (height, width) = shape.size;
    let out_width = shape.out_size.1;
    for (position, row) in windows.chunks_exact_mut(rows * out_width).enumerate() {
        let (ky, kx) = (position / shape.kernel, position % shape.kernel);
        for (i, line) in row.chunks_exact_mut(out_width).enumerate() {
            let y = ((top + i) * shape.stride + ky).wrapping_sub(shape.before);
            if y < height {
                unroll_line(&source[y * width..][..width], kx, shape, line);
            } else {
                line.fill(0.0);
            }
        }
    }
}

/// The values at window column `kx` of one line.
fn unroll_line(source: &[f32], kx: usize, shape: &Shape, line: &mut [f32]) {
    if shape.stride == 1 {
        // Result column j sees source column j + kx − before.
        let zeros = shape.before.saturating_sub(kx).min(line.len());
        let skipped = kx.saturating_sub(shape.before).min(source.len());
        let copied = (source.len() - skipped).min(line.len() - zeros);
        line[..zeros].fill(0.0);
        line[zeros..zeros + copied].copy_from_slice(&source[skipped..skipped + copied]);
        line[zeros + copied..].fill(0.0);
        return;
    }
    for (j, value) in line.iter_mut().enumerate() {
        let x = (j * shape.stride + kx).wrapping_sub(shape.before);
        *value = source.get(x).copied().unwrap_or(0.0);
    }
}

/// Weights times windows plus bias, for `columns` result pixels from `first` on in each of the batch's pictures of
/// `pixels`.
#[allow(
    clippy::too_many_arguments,
    reason = "the sizes of one product; a struct would be built for this call alone"
)]
fn multiply(
    windows: &[f32],
    columns: usize,
    pixels: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
    shape: &Shape,
    first: usize,
    out: &Scattered,
) {
    let depth = shape.inputs * shape.kernel * shape.kernel;
    let (across, down) = (columns.div_ceil(COLUMNS), shape.outputs.div_ceil(ROWS));
    // Neighbouring tasks share the weights.
    (0..shape.batch * across * down).into_par_iter().for_each(|task| {
        let (row, left) = (task / (shape.batch * across) * ROWS, task % (shape.batch * across));
        let (item, left) = (left / across, left % across * COLUMNS);
        let (rows, wide) = (ROWS.min(shape.outputs - row), COLUMNS.min(columns - left));
        let from = (item * shape.outputs + row) * pixels + first + left;
        for (i, channel) in (row..row + rows).enumerate() {
            // SAFETY: each result channel's pixels `left .. left + wide` of this strip belong to this task alone.
            unsafe { out.part(from + i * pixels, wide) }.fill(bias.map_or(0.0, |b| b[channel]));
        }
        let factor = Matrix::new(&weight[row * depth..][..rows * depth], depth, 1);
        let windows = Matrix::new(&windows[item * depth * columns + left..], columns, 1);
        // SAFETY: as above.
        unsafe { out.product(from, pixels, (rows, wide, depth), factor, windows, 1.0, true) }
    });
}
