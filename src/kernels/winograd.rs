//! 3×3 convolution with stride 1 by Winograd's method: four times fewer multiplications.
//!
//! F(4×4, 3×3) of Lavin & Gray 2016 ("Fast Algorithms for Convolutional Neural Networks"): the picture
//! is cut into tiles of 4×4 results, each computed from 6×6 values. With the transforms B, G, A
//!
//! Y = Aᵀ \[ (G g Gᵀ) ⊙ (Bᵀ d B) \] A,
//!
//! and summed over the input channels the product ⊙ becomes 36 matrix products. Errors are a
//! few times those of the direct sum (5e-6 of the largest value), far inside the networks' 1e-4.
//!
//! Transformed kernels take four times the memory of the weights (eight times that of halves), so they are made when
//! they are needed, a few channels at a time, and live as long as they are in the cache.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::added::Added;
use super::points::{Eight, PATCH, TILE, input_points, kernel_points, output_points};
use super::scattered::Scattered;
use super::simd::{LANES, Lanes, vectorised};
use super::stored::{Lines, Stored};
use super::tile::{COLUMNS, Left, Place, ROWS, multiply};

/// Numbers of a transformed tile.
const POINTS: usize = PATCH * PATCH;
/// Output channels of one task.
const TALL: usize = 2 * ROWS;
/// Input channels whose kernels are transformed at once: 288 KiB.
const DEPTH: usize = 128;
/// Panels of 32 tiles that are transformed at once, at most.
const STRIP: usize = 8;
/// Kernels of a layer are kept transformed when they are at most this many: 9 MiB.
const KEPT_KERNELS: usize = 1 << 16;
/// With that many tiles, transforming the kernels again costs less than a twentieth.
const MANY_TILES: usize = 256;

/// Transformed kernels of a layer, where they are kept.
pub(super) type Kept = OnceLock<Arc<Vec<f32>>>;

/// What one thread keeps from call to call: clearing fresh memory would be a tenth of a small network's time.
#[derive(Default)]
struct Scratch {
    lines: Vec<f32>,
    kernels: Vec<f32>,
    products: Vec<f32>,
}

thread_local! {
    /// Nothing in a task runs other tasks, so no thread borrows it twice.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
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
    fn tiles(&self) -> usize {
        self.batch * self.tiles_down() * self.tiles_across()
    }

    /// Whether this method is faster than the direct one: cycles for one kernel with vectors of 16 numbers, and the
    /// share of the transforms of pictures, as measured.
    pub(super) fn pays(&self) -> bool {
        let vectors = |numbers: usize| numbers.div_ceil(LANES);
        let kernel = if self.keeps() { 1 } else { 12 };
        let products = POINTS * vectors(self.tiles()) + kernel;
        let transforms = self.tiles() * (60 / self.outputs.max(1) + 40 / self.inputs.max(1));
        let direct = 9 * self.batch * vectors(self.height * self.width) + 5;
        self.inputs.min(self.outputs) >= ROWS && products + transforms < direct
    }

    /// Whether the transformed kernels are kept.
    fn keeps(&self) -> bool {
        self.inputs * self.outputs <= KEPT_KERNELS && self.tiles() < MANY_TILES
    }

    /// Batch item, top row and left column of a tile's result.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let tiles = self.tiles_down() * self.tiles_across();
        let (item, within) = (tile / tiles, tile % tiles);
        (item, within / self.tiles_across() * TILE, within % self.tiles_across() * TILE)
    }
}

/// The convolution of `x` `[batch, inputs, height, width]` with `weight` `[outputs, inputs, 3, 3]` and a padding of one, into `out`
/// `[batch, outputs, height, width]`, with what is `added`.
pub(super) fn convolve(
    x: &[f32],
    weight: Stored,
    kept: &Kept,
    added: &Added,
    shape: &Shape,
    out: &mut [f32],
) {
    let kernels = shape.keeps().then(|| keep(weight, kept, shape));
    let kernels = kernels.as_ref().map(|k| k.as_slice());
    let out = Scattered::new(out);
    let panels = shape.tiles().div_ceil(COLUMNS);
    let mut transformed = vec![0.0; POINTS * panels.min(STRIP) * shape.inputs * COLUMNS];
    for first in (0..panels).step_by(STRIP) {
        let count = STRIP.min(panels - first);
        let pictures = Scattered::new(&mut transformed);
        let groups = count * COLUMNS / LANES;
        (0..groups * shape.inputs.div_ceil(LANES)).into_par_iter().for_each(|task| {
            let (channels, group) = (task / groups * LANES, task % groups * LANES);
            transform_input(x, shape, first, count, group, channels, &pictures);
        });
        (0..shape.outputs.div_ceil(TALL)).into_par_iter().for_each(|task| {
            SCRATCH.with_borrow_mut(|scratch| {
                let Scratch { lines, kernels: own, products } = scratch;
                let top = task * TALL;
                products.resize(POINTS * TALL * STRIP * COLUMNS, 0.0);
                for from in (0..shape.inputs).step_by(DEPTH) {
                    let deep = DEPTH.min(shape.inputs - from);
                    let kernels = match kernels {
                        Some(all) => &all[POINTS * TALL * (task * shape.inputs + from)..],
                        None => {
                            transform_kernels(weight, shape, top, from, deep, lines, own);
                            own.as_slice()
                        }
                    };
                    multiply_points(kernels, &transformed, products, shape.inputs, (from, deep), count);
                }
                transform_output(products, added, shape, first, count, top, &out);
            });
        });
    }
}

/// The kept kernels, made at the first use. Not made inside the lock: a thread that waits for the others of its
/// pool may take up another forward pass meanwhile, and would wait for itself.
fn keep(weight: Stored, kept: &Kept, shape: &Shape) -> Arc<Vec<f32>> {
    if let Some(kernels) = kept.get() {
        return kernels.clone();
    }
    let size = POINTS * TALL * shape.inputs;
    let mut all = vec![0.0; shape.outputs.div_ceil(TALL) * size];
    all.par_chunks_mut(size).enumerate().for_each(|(task, all)| {
        let (mut lines, mut own) = (Vec::new(), Vec::new());
        for from in (0..shape.inputs).step_by(DEPTH) {
            let deep = DEPTH.min(shape.inputs - from);
            transform_kernels(weight, shape, task * TALL, from, deep, &mut lines, &mut own);
            all[POINTS * TALL * from..][..POINTS * TALL * deep].copy_from_slice(&own[..POINTS * TALL * deep]);
        }
    });
    kept.get_or_init(|| Arc::new(all)).clone()
}

/// G g Gᵀ of the kernels of [`TALL`] outputs from `top` on and `deep` inputs from `from` on: `[36, 2, deep, 8]`.
fn transform_kernels(
    weight: Stored,
    shape: &Shape,
    top: usize,
    from: usize,
    deep: usize,
    lines: &mut Vec<f32>,
    kernels: &mut Vec<f32>,
) {
    lines.resize(DEPTH * 9 * ROWS, 0.0);
    kernels.resize(POINTS * TALL * DEPTH, 0.0);
    let weight = Lines { values: weight, stride: shape.inputs * 9 };
    for half in 0..TALL / ROWS {
        let first = (top + half * ROWS).min(shape.outputs);
        weight.pack::<ROWS>(first, ROWS.min(shape.outputs - first), from * 9, deep * 9, lines);
        transform_eight(lines, half, deep, kernels);
    }
}

vectorised! {
    /// G g Gᵀ of eight outputs' kernels, `[deep, 9, 8]`, into their half of `[36, 2, deep, 8]`.
    fn transform_eight(lines: &[f32], half: usize, deep: usize, kernels: &mut [f32]) {
        let (lines, _) = lines.as_chunks::<8>();
        let (kernels, _) = kernels.as_chunks_mut::<8>();
        for (input, g) in lines.chunks_exact(9).take(deep).enumerate() {
            let columns: [[Eight; PATCH]; 3] = std::array::from_fn(|x| kernel_points(&[g[x], g[3 + x], g[6 + x]]));
            for row in 0..PATCH {
                let points = kernel_points(&[columns[0][row], columns[1][row], columns[2][row]]);
                for (column, point) in points.iter().enumerate() {
                    kernels[((row * PATCH + column) * 2 + half) * deep + input] = *point;
                }
            }
        }
    }
}

/// The 36 products of a stretch of input channels, added to those of the stretches before.
fn multiply_points(
    kernels: &[f32],
    transformed: &[f32],
    products: &mut [f32],
    inputs: usize,
    (from, deep): (usize, usize),
    count: usize,
) {
    for point in 0..POINTS {
        for panel in 0..count {
            let right = &transformed[((point * count + panel) * inputs + from) * COLUMNS..][..deep * COLUMNS];
            for half in 0..TALL / ROWS {
                let left =
                    Left { values: &kernels[(point * 2 + half) * deep * ROWS..][..deep * ROWS], step: ROWS };
                let target = &mut products[((point * TALL + half * ROWS) * STRIP + panel) * COLUMNS..];
                let target = &mut target[..((ROWS - 1) * STRIP + 1) * COLUMNS];
                let place = Place {
                    start: target.as_mut_ptr(),
                    stride: STRIP * COLUMNS,
                    rows: ROWS,
                    columns: COLUMNS,
                };
                // SAFETY: eight rows of 32 numbers with this stride lie inside `target`, which is ours; from the second
                // stretch on, the first has written them.
                unsafe { multiply(left, right, deep, place, from > 0) }
            }
        }
    }
}

/// Bᵀ d B of 16 tiles from `group` on of a strip of `count` panels from `first` on, for 16 input channels from `channels` on,
/// into `[36, count, inputs, 32]`.
fn transform_input(
    x: &[f32],
    shape: &Shape,
    first: usize,
    count: usize,
    group: usize,
    channels: usize,
    transformed: &Scattered,
) {
    let tiles = shape.tiles();
    let tile = first * COLUMNS + group;
    let places: [(usize, usize, usize); LANES] =
        std::array::from_fn(|lane| shape.place((tile + lane).min(tiles - 1)));
    let end = (channels + LANES).min(shape.inputs);
    transform_channels(x, shape, &places, channels, end, count, group, transformed);
}

vectorised! {
    #[allow(clippy::too_many_arguments, reason = "the inner half of one function")]
    fn transform_channels(
        x: &[f32],
        shape: &Shape,
        places: &[(usize, usize, usize); LANES],
        channels: usize,
        end: usize,
        count: usize,
        group: usize,
        transformed: &Scattered,
    ) {
        let plane = shape.height * shape.width;
        let (panel, lane) = (group / COLUMNS, group % COLUMNS);
        for channel in channels..end {
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
                    let point = row * PATCH + column;
                    let at = ((point * count + panel) * shape.inputs + channel) * COLUMNS + lane;
                    // SAFETY: these tiles of this channel belong to this task alone.
                    unsafe { transformed.part(at, LANES) }.copy_from_slice(values);
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

vectorised! {
    /// Aᵀ m A and what is added, of [`TALL`] channels from `top` on, into the rows that a strip's tiles cover.
    fn transform_output(
        products: &[f32],
        added: &Added,
        shape: &Shape,
        first: usize,
        count: usize,
        top: usize,
        out: &Scattered,
    ) {
        let begin = first * COLUMNS;
        let tiles = (count * COLUMNS).min(shape.tiles() - begin);
        for group in (0..tiles).step_by(LANES) {
            for channel in 0..TALL.min(shape.outputs - top) {
                let mut rows = [[[0.0; LANES]; PATCH]; TILE];
                #[allow(clippy::needless_range_loop, reason = "columns of rows, which have no iterator")]
                for column in 0..PATCH {
                    let m: [Lanes; PATCH] = std::array::from_fn(|row| {
                        let at = ((row * PATCH + column) * TALL + channel) * STRIP * COLUMNS + group;
                        std::array::from_fn(|l| products[at..at + LANES][l])
                    });
                    for (row, values) in output_points(&m).into_iter().enumerate() {
                        rows[row][column] = values;
                    }
                }
                let values: [[Lanes; TILE]; TILE] = std::array::from_fn(|y| output_points(&rows[y]));
                for lane in 0..LANES.min(tiles - group) {
                    let place = shape.place(begin + group + lane);
                    write_tile(&values, lane, place, top + channel, added, shape, out);
                }
            }
        }
    }
}

/// One tile's results.
#[inline(always)]
fn write_tile(
    values: &[[Lanes; TILE]; TILE],
    lane: usize,
    (item, top, left): (usize, usize, usize),
    channel: usize,
    added: &Added,
    shape: &Shape,
    out: &Scattered,
) {
    let offset = added.offset(item, channel);
    let wide = TILE.min(shape.width - left);
    for (y, row) in values.iter().enumerate().take(shape.height - top) {
        let at = ((item * shape.outputs + channel) * shape.height + top + y) * shape.width + left;
        // SAFETY: every pixel of the result belongs to one tile, and every tile's channel to one task.
        let pixels = unsafe { out.part(at, wide) };
        for (pixel, value) in pixels.iter_mut().zip(row) {
            *pixel = value[lane] + offset;
        }
        if let Some(residual) = added.residual {
            for (pixel, value) in pixels.iter_mut().zip(&residual[at..]) {
                *pixel += value;
            }
        }
    }
}
