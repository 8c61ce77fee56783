//! Attention without the matrix of all scores.
//!
//! Queries go in blocks, keys in blocks within; the softmax is made on the way by keeping each
//! query's largest score and sum so far (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax";
//! Dao et al. 2022, "FlashAttention").
//!
//! Scores lie with the queries side by side, so that the softmax of 32 queries is made in parallel lanes, and so
//! that they are the left factor of the product with the values as they lie.

use std::cell::RefCell;

use rayon::prelude::*;

use super::scattered::Scattered;
use super::simd::{exp, vectorised};
use super::stored::{Lines, Stored};
use super::tile::{COLUMNS, Left, Place, ROWS, multiply};

/// Queries that one thread takes at once.
const QUERIES: usize = COLUMNS;
/// Keys of one block: with the queries, 64 KiB of scores.
const KEYS: usize = 512;
/// Exponentials that are added up before they join the sum: fewer roundings than one by one.
const PARTIAL: usize = 32;

/// The sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) heads: usize,
    /// Channels of one head.
    pub(super) width: usize,
}

impl Shape {
    fn channels(&self) -> usize {
        self.heads * self.width
    }

    /// Numbers of one head's packed keys.
    fn packed_keys(&self) -> usize {
        self.keys.div_ceil(ROWS) * ROWS * self.width
    }

    /// Numbers of one head's packed values.
    fn packed_values(&self) -> usize {
        self.width.div_ceil(COLUMNS) * COLUMNS * self.keys
    }
}

/// One number for each query of a block.
type PerQuery = [f32; QUERIES];

/// What one thread keeps between blocks.
struct Scratch {
    queries: Vec<f32>,
    scores: Vec<f32>,
    values: Vec<f32>,
    /// Largest score so far, and the sum of the exponentials relative to it.
    largest: PerQuery,
    sum: PerQuery,
}

thread_local! {
    /// Kept from call to call: clearing fresh memory would be a tenth of a small network's time. Nothing in a
    /// task runs other tasks, so no thread borrows it twice.
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch {
            queries: Vec::new(),
            scores: Vec::new(),
            values: Vec::new(),
            largest: [0.0; QUERIES],
            sum: [0.0; QUERIES],
        })
    };
}

/// softmax(q kᵀ / √width) v: `q` `[batch, queries, heads · width]`, `k` and `v` `[batch, keys, heads · width]`, into `out` of
/// `q`'s size.
pub(super) fn attend(q: &[f32], k: &[f32], v: &[f32], shape: &Shape, out: &mut [f32]) {
    let mut keys = vec![0.0; shape.batch * shape.heads * shape.packed_keys()];
    keys.par_chunks_mut(shape.packed_keys()).enumerate().for_each(|(head, keys)| {
        pack_keys(k, shape, head, keys);
    });
    let mut values = vec![0.0; shape.batch * shape.heads * shape.packed_values()];
    values.par_chunks_mut(shape.packed_values()).enumerate().for_each(|(head, values)| {
        pack_values(v, shape, head, values);
    });
    let blocks = shape.queries.div_ceil(QUERIES);
    let out = Scattered::new(out);
    let attend = |task: usize, scratch: &mut Scratch| {
        let (head, first) = (task / blocks, task % blocks * QUERIES);
        let count = QUERIES.min(shape.queries - first);
        let keys = &keys[head * shape.packed_keys()..][..shape.packed_keys()];
        let values = &values[head * shape.packed_values()..][..shape.packed_values()];
        pack_queries(q, shape, head, first, count, &mut scratch.queries);
        attend_block(keys, values, shape, scratch);
        let (item, head) = (head / shape.heads, head % shape.heads);
        for (i, sum) in scratch.sum.iter().enumerate().take(count) {
            let at = (item * shape.queries + first + i) * shape.channels() + head * shape.width;
            // SAFETY: this query's channels of this head belong to this task alone.
            let target = unsafe { out.part(at, shape.width) };
            for (value, total) in target.iter_mut().zip(&scratch.values[i * shape.width..]) {
                *value = total / sum;
            }
        }
    };
    let tasks = shape.batch * shape.heads * blocks;
    (0..tasks).into_par_iter().for_each(|task| SCRATCH.with_borrow_mut(|scratch| attend(task, scratch)));
}

/// The keys of a head in panels of eight.
fn pack_keys(k: &[f32], shape: &Shape, head: usize, keys: &mut [f32]) {
    let (item, head) = (head / shape.heads, head % shape.heads);
    let lines = Lines { values: Stored::F32(k), stride: shape.channels() };
    for (panel, keys) in keys.chunks_exact_mut(ROWS * shape.width).enumerate() {
        let count = ROWS.min(shape.keys - panel * ROWS);
        lines.pack::<ROWS>(item * shape.keys + panel * ROWS, count, head * shape.width, shape.width, keys);
    }
}

/// The values of a head in panels of 32 channels.
fn pack_values(v: &[f32], shape: &Shape, head: usize, values: &mut [f32]) {
    let (item, head) = (head / shape.heads, head % shape.heads);
    for (panel, values) in values.chunks_exact_mut(COLUMNS * shape.keys).enumerate() {
        let wide = COLUMNS.min(shape.width - panel * COLUMNS);
        for (key, row) in values.chunks_exact_mut(COLUMNS).enumerate() {
            let from = (item * shape.keys + key) * shape.channels() + head * shape.width + panel * COLUMNS;
            row[..wide].copy_from_slice(&v[from..][..wide]);
        }
    }
}

/// A block of queries side by side, over √width.
fn pack_queries(q: &[f32], shape: &Shape, head: usize, first: usize, count: usize, queries: &mut Vec<f32>) {
    let (item, head) = (head / shape.heads, head % shape.heads);
    let lines = Lines { values: Stored::F32(q), stride: shape.channels() };
    queries.resize(shape.width * QUERIES, 0.0);
    lines.pack::<QUERIES>(item * shape.queries + first, count, head * shape.width, shape.width, queries);
    let scale = 1.0 / (shape.width as f32).sqrt();
    queries.iter_mut().for_each(|value| *value *= scale);
}

/// Weighted sums of the values for the packed queries, and what they must be divided by.
fn attend_block(keys: &[f32], values: &[f32], shape: &Shape, scratch: &mut Scratch) {
    let Scratch { queries, scores, values: sums, largest, sum } = scratch;
    let width = shape.width;
    largest.fill(f32::NEG_INFINITY);
    sum.fill(0.0);
    sums.clear();
    sums.resize(QUERIES * width, 0.0);
    scores.resize(KEYS * QUERIES, 0.0);
    for start in (0..shape.keys).step_by(KEYS) {
        let block = KEYS.min(shape.keys - start);
        let scores = &mut scores[..block * QUERIES];
        for (panel, scores) in scores.chunks_mut(ROWS * QUERIES).enumerate() {
            let left = Left { values: &keys[(start + panel * ROWS) * width..][..ROWS * width], step: ROWS };
            let rows = scores.len() / QUERIES;
            let place = Place { start: scores.as_mut_ptr(), stride: QUERIES, rows, columns: QUERIES };
            // SAFETY: the place is this slice.
            unsafe { multiply(left, queries, width, place, false) }
        }
        let mut shrink = [0.0; QUERIES];
        soften(scores, largest, sum, &mut shrink);
        for (values, shrink) in sums.chunks_exact_mut(width).zip(&shrink) {
            values.iter_mut().for_each(|value| *value *= shrink);
        }
        for (panel, values) in values.chunks_exact(COLUMNS * shape.keys).enumerate() {
            let columns = COLUMNS.min(width - panel * COLUMNS);
            let right = &values[start * COLUMNS..][..block * COLUMNS];
            for first in (0..QUERIES).step_by(ROWS) {
                let left = Left { values: &scores[first..], step: QUERIES };
                let target = &mut sums[first * width + panel * COLUMNS..][..(ROWS - 1) * width + columns];
                let place = Place { start: target.as_mut_ptr(), stride: width, rows: ROWS, columns };
                // SAFETY: eight rows of these columns lie inside `target`, which is ours.
                unsafe { multiply(left, right, block, place, true) }
            }
        }
    }
}

vectorised! {
    /// Turns the scores `[keys, 32]` into exponentials relative to each query's largest so far; `shrink` is what
    /// its sums of before must be multiplied by.
    fn soften(scores: &mut [f32], largest: &mut PerQuery, sum: &mut PerQuery, shrink: &mut PerQuery) {
        let (rows, _) = scores.as_chunks_mut::<QUERIES>();
        let mut top = *largest;
        for row in rows.iter() {
            for (top, score) in top.iter_mut().zip(row) {
                *top = if *score > *top { *score } else { *top };
            }
        }
        for i in 0..QUERIES {
            shrink[i] = exp(largest[i] - top[i]);
            sum[i] *= shrink[i];
        }
        for rows in rows.chunks_mut(PARTIAL) {
            let mut partial = [0.0; QUERIES];
            for row in rows {
                for i in 0..QUERIES {
                    row[i] = exp(row[i] - top[i]);
                    partial[i] += row[i];
                }
            }
            for i in 0..QUERIES {
                sum[i] += partial[i];
            }
        }
        *largest = top;
    }
}
