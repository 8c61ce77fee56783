//! 3×3 convolution with stride 1 by Winograd's method: four times fewer multiplications.
//!
//! F(4×4, 3×3) of Lavin & Gray 2016 ("Fast Algorithms for Convolutional Neural Networks"): the picture
//! is cut into tiles of 4×4 results, each computed from 6×6 values. With the transforms B, G, A
//!
//! Y = Aᵀ \[ (G g Gᵀ) ⊙ (Bᵀ d B) \] A,
//!
//! and summed over the input channels the product ⊙ becomes 36 matrix products. Errors are a
//! few times those of the direct sum (5e-6 of the largest value), far inside the networks' 1e-4.

use std::cell::RefCell;

use rayon::prelude::*;

use super::gemm::{Matrix, Scattered, product};
use super::simd::{LANES, Lanes, vectorised};

/// Side of a tile's result.
const TILE: usize = 4;
/// Side of a tile's input.
const PATCH: usize = 6;
/// Numbers of a transformed tile.
const POINTS: usize = PATCH * PATCH;
/// The points of interpolation are 0, ±NEAR, ±FAR and infinity. These (and their powers) are exact in f32, and
/// rounding errors are a quarter of those with the usual 1 and 2, as measured over several pairs.
const NEAR: f32 = 0.75;
const FAR: f32 = 1.5;

thread_local! {
    /// Transformed tiles and their products, kept from call to call: clearing fresh memory would be a tenth of a
    /// small network's time. Nothing in a block runs other tasks, so no thread borrows it twice.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Shape {
    fn tiles_down(&self) -> usize {
        self.height.div_ceil(TILE)
    }

    fn tiles_across(&self) -> usize {
        self.width.div_ceil(TILE)
    }

    /// Tiles of the whole batch.
    pub(super) fn tiles(&self) -> usize {
        self.batch * self.tiles_down() * self.tiles_across()
    }

    /// Tiles that one thread takes through all three steps: enough for the matrix products, few enough for the
    /// cache, and several blocks even for small pictures. A multiple of [`LANES`].
    fn block(&self) -> usize {
        match self.tiles() {
            ..=128 => LANES,
            129..=512 => 2 * LANES,
            _ => 4 * LANES,
        }
    }

    /// Batch item, top row and left column of a tile's result.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let tiles = self.tiles_down() * self.tiles_across();
        let (item, within) = (tile / tiles, tile % tiles);
        (item, within / self.tiles_across() * TILE, within % self.tiles_across() * TILE)
    }
}

/// G g Gᵀ of every kernel, `[36, inputs, outputs]`, from `[outputs, inputs, 3, 3]`.
pub(super) fn pack(weight: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    let mut packed = vec![0.0; POINTS * inputs * outputs];
    let targets = Scattered::new(&mut packed);
    (0..inputs).into_par_iter().for_each(|input| {
        for output in 0..outputs {
            let kernel = &weight[(output * inputs + input) * 9..][..9];
            for (point, value) in transform_kernel(kernel).into_iter().enumerate() {
                // SAFETY: this input channel's numbers belong to this task alone.
                let target = unsafe { targets.part((point * inputs + input) * outputs + output, 1) };
                target[0] = value;
            }
        }
    });
    packed
}

/// G g Gᵀ, row by row, of one kernel's nine weights.
fn transform_kernel(kernel: &[f32]) -> [f32; POINTS] {
    let columns: [[f32; PATCH]; 3] =
        std::array::from_fn(|x| kernel_points([kernel[x], kernel[3 + x], kernel[6 + x]]));
    let mut points = [0.0; POINTS];
    for (row, target) in points.chunks_exact_mut(PATCH).enumerate() {
        target.copy_from_slice(&kernel_points([columns[0][row], columns[1][row], columns[2][row]]));
    }
    points
}

/// G, one column at a time: the values of g₀ + g₁ p + g₂ p² at the points p, over the products of their distances.
fn kernel_points(g: [f32; 3]) -> [f32; PATCH] {
    let g = g.map(f64::from);
    let (a, b) = (f64::from(NEAR), f64::from(FAR));
    let at = |p: f64, divisor: f64| ((g[0] + p * g[1] + p * p * g[2]) / divisor) as f32;
    let (near, far) = (2.0 * a * a * (a * a - b * b), 2.0 * b * b * (b * b - a * a));
    [at(0.0, a * a * b * b), at(a, near), at(-a, near), at(b, far), at(-b, far), g[2] as f32]
}

/// The convolution of `x` `[batch, inputs, height, width]` with [`pack`]ed kernels and a padding of one, into `out`
/// `[batch, outputs, height, width]`.
pub(super) fn convolve(x: &[f32], packed: &[f32], bias: Option<&[f32]>, shape: &Shape, out: &mut [f32]) {
    let out = Scattered::new(out);
    let wide = shape.block();
    let blocks = shape.tiles().div_ceil(wide);
    let convolve = |block: usize, scratch: &mut Vec<f32>| {
        let first = block * wide;
        let count = (shape.tiles() - first).min(wide);
        let (ins, outs) = (shape.inputs * wide, shape.outputs * wide);
        if scratch.len() < POINTS * (ins + outs) {
            scratch.resize(POINTS * (ins + outs), 0.0);
        }
        let (transformed, products) = scratch.split_at_mut(POINTS * ins);
        transform_input(x, shape, first, count, transformed);
        for point in 0..POINTS {
            let kernel = &packed[point * shape.inputs * shape.outputs..][..shape.inputs * shape.outputs];
            let tiles = &transformed[point * ins..][..ins];
            let result = &mut products[point * outs..][..outs];
            let size = (shape.outputs, wide, shape.inputs);
            product(
                result,
                size,
                Matrix::new(kernel, 1, shape.outputs),
                Matrix::new(tiles, wide, 1),
                1.0,
                false,
            );
        }
        transform_output(products, bias, shape, first, count, &out);
    };
    (0..blocks).into_par_iter().for_each(|block| SCRATCH.with_borrow_mut(|scratch| convolve(block, scratch)));
}

vectorised! {
    /// Bᵀ d B of `count` tiles from `first` on, `[36, inputs, block]`.
    fn transform_input(x: &[f32], shape: &Shape, first: usize, count: usize, transformed: &mut [f32]) {
        let plane = shape.height * shape.width;
        for group in (0..count).step_by(LANES) {
            let places: [(usize, usize, usize); LANES] =
                std::array::from_fn(|lane| shape.place((first + group + lane).min(first + count - 1)));
            for channel in 0..shape.inputs {
                let mut d = [[[0.0; LANES]; PATCH]; PATCH];
                for (lane, (item, top, left)) in places.iter().enumerate() {
                    let source = &x[(item * shape.inputs + channel) * plane..][..plane];
                    gather(source, shape, *top, *left, lane, &mut d);
                }
                for row in &mut d {
                    *row = input_points(row);
                }
                #[allow(clippy::needless_range_loop, reason = "columns of rows, which have no iterator")]
                for column in 0..PATCH {
                    let points = input_points(&std::array::from_fn(|row| d[row][column]));
                    for (row, values) in points.iter().enumerate() {
                        let at = ((row * PATCH + column) * shape.inputs + channel) * shape.block() + group;
                        transformed[at..at + LANES].copy_from_slice(values);
                    }
                }
            }
        }
    }
}

/// The 6×6 values around the tile at (`top`, `left`), zero outside the picture, into one lane.
#[inline(always)]
fn gather(
    source: &[f32],
    shape: &Shape,
    top: usize,
    left: usize,
    lane: usize,
    d: &mut [[Lanes; PATCH]; PATCH],
) {
    let (height, width) = (shape.height, shape.width);
    let is_inside = top > 0 && left > 0 && top + PATCH - 1 <= height && left + PATCH - 1 <= width;
    if is_inside {
        for (i, row) in d.iter_mut().enumerate() {
            let values = &source[(top - 1 + i) * width + left - 1..][..PATCH];
            for (j, value) in values.iter().enumerate() {
                row[j][lane] = *value;
            }
        }
        return;
    }
    for (i, row) in d.iter_mut().enumerate() {
        for (j, lanes) in row.iter_mut().enumerate() {
            // Positions count from one before the picture.
            let (y, x) = (top + i, left + j);
            let is_outside = y == 0 || y > height || x == 0 || x > width;
            lanes[lane] = if is_outside { 0.0 } else { source[(y - 1) * width + x - 1] };
        }
    }
}

/// Bᵀ, for as many tiles as there are lanes.
#[inline(always)]
fn input_points(d: &[Lanes; PATCH]) -> [Lanes; PATCH] {
    let mut points = [[0.0; LANES]; PATCH];
    const A2: f32 = NEAR * NEAR;
    const B2: f32 = FAR * FAR;
    for l in 0..LANES {
        let (even, odd) = (d[4][l] - B2 * d[2][l], NEAR * (d[3][l] - B2 * d[1][l]));
        let (far_even, far_odd) = (d[4][l] - A2 * d[2][l], FAR * (d[3][l] - A2 * d[1][l]));
        points[0][l] = A2 * B2 * d[0][l] - (A2 + B2) * d[2][l] + d[4][l];
        points[1][l] = even + odd;
        points[2][l] = even - odd;
        points[3][l] = far_even + far_odd;
        points[4][l] = far_even - far_odd;
        points[5][l] = A2 * B2 * d[1][l] - (A2 + B2) * d[3][l] + d[5][l];
    }
    points
}

vectorised! {
    /// Aᵀ m A and the bias, into the rows that the tiles cover.
    fn transform_output(
        products: &[f32],
        bias: Option<&[f32]>,
        shape: &Shape,
        first: usize,
        count: usize,
        out: &Scattered,
    ) {
        for group in (0..count).step_by(LANES) {
            for channel in 0..shape.outputs {
                let offset = bias.map_or(0.0, |b| b[channel]);
                let mut rows = [[[0.0; LANES]; PATCH]; TILE];
                #[allow(clippy::needless_range_loop, reason = "columns of rows, which have no iterator")]
                for column in 0..PATCH {
                    let m: [Lanes; PATCH] = std::array::from_fn(|row| {
                        let at = ((row * PATCH + column) * shape.outputs + channel) * shape.block() + group;
                        std::array::from_fn(|l| products[at..at + LANES][l])
                    });
                    for (row, values) in output_points(&m).into_iter().enumerate() {
                        rows[row][column] = values;
                    }
                }
                for (y, row) in rows.iter().enumerate() {
                    let values = output_points(row);
                    for lane in 0..LANES.min(count - group) {
                        let (item, top, left) = shape.place(first + group + lane);
                        if top + y < shape.height {
                            let wide = TILE.min(shape.width - left);
                            let plane = (item * shape.outputs + channel) * shape.height;
                            let at = (plane + top + y) * shape.width + left;
                            // SAFETY: every pixel of the result belongs to one tile, and every tile to one thread.
                            let pixels = unsafe { out.part(at, wide) };
                            for (pixel, value) in pixels.iter_mut().zip(&values) {
                                *pixel = value[lane] + offset;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Aᵀ, for as many tiles as there are lanes.
#[inline(always)]
fn output_points(m: &[Lanes; PATCH]) -> [Lanes; TILE] {
    let mut points = [[0.0; LANES]; TILE];
    for l in 0..LANES {
        let (even, odd) = (m[1][l] + m[2][l], m[1][l] - m[2][l]);
        let (far_even, far_odd) = (m[3][l] + m[4][l], m[3][l] - m[4][l]);
        points[0][l] = m[0][l] + even + far_even;
        points[1][l] = NEAR * odd + FAR * far_odd;
        points[2][l] = NEAR * NEAR * even + FAR * FAR * far_even;
        points[3][l] = NEAR * NEAR * NEAR * odd + FAR * FAR * FAR * far_odd + m[5][l];
    }
    points
}
