//! Attention without the matrix of all scores.
//!
//! Queries go in blocks, keys in blocks within; the softmax is made on the way by keeping each
//! query's largest score and sum so far (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax";
//! Dao et al. 2022, "FlashAttention").

use std::cell::RefCell;

use rayon::prelude::*;

use super::gemm::{Matrix, Scattered, product};
use super::simd::{LANES, exp, sum_lanes, vectorised};

/// Queries that one thread takes at once.
const QUERIES: usize = 128;
/// Keys of one block: with the queries, 256 KiB of scores.
const KEYS: usize = 512;

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

/// What one thread keeps between blocks.
#[derive(Default)]
struct Scratch {
    scores: Vec<f32>,
    values: Vec<f32>,
    /// Largest score and sum of the exponentials so far, per query.
    state: Vec<(f32, f32)>,
}

thread_local! {
    /// Kept from call to call: clearing fresh memory would be a tenth of a small network's time. Nothing in a
    /// task runs other tasks, so no thread borrows it twice.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// softmax(q kᵀ / √width) v: `q` `[batch, queries, heads · width]`, `k` and `v` `[batch, keys, heads · width]`, into `out` of
/// `q`'s size.
pub(super) fn attend(q: &[f32], k: &[f32], v: &[f32], shape: &Shape, out: &mut [f32]) {
    let turned = turn_keys(k, shape);
    let blocks = shape.queries.div_ceil(QUERIES);
    let out = Scattered::new(out);
    let attend = |task: usize, scratch: &mut Scratch| {
        let (head, first) = (task / blocks, task % blocks * QUERIES);
        let count = QUERIES.min(shape.queries - first);
        attend_block(q, &turned, v, shape, head, first, count, scratch);
        let channels = shape.heads * shape.width;
        let (item, head) = (head / shape.heads, head % shape.heads);
        for (i, (_, sum)) in scratch.state.iter().enumerate() {
            let at = (item * shape.queries + first + i) * channels + head * shape.width;
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

/// The keys as `[batch, heads, width, keys]`, so that the products read them in order.
fn turn_keys(k: &[f32], shape: &Shape) -> Vec<f32> {
    let channels = shape.heads * shape.width;
    let mut turned = vec![0.0; k.len()];
    turned.par_chunks_mut((shape.width * shape.keys).max(1)).enumerate().for_each(|(head, turned)| {
        let (item, head) = (head / shape.heads, head % shape.heads);
        // In blocks of keys, so that what is read stays in the cache.
        for first in (0..shape.keys).step_by(LANES) {
            let count = LANES.min(shape.keys - first);
            for channel in 0..shape.width {
                let target = &mut turned[channel * shape.keys + first..][..count];
                for (i, value) in target.iter_mut().enumerate() {
                    *value = k[(item * shape.keys + first + i) * channels + head * shape.width + channel];
                }
            }
        }
    });
    turned
}

/// Weighted sums of the values for `count` queries from `first` on, and what they must be divided by.
#[allow(clippy::too_many_arguments, reason = "the inner half of one function")]
fn attend_block(
    q: &[f32],
    turned: &[f32],
    v: &[f32],
    shape: &Shape,
    head: usize,
    first: usize,
    count: usize,
    scratch: &mut Scratch,
) {
    let channels = shape.heads * shape.width;
    let keys = &turned[head * shape.width * shape.keys..][..shape.width * shape.keys];
    let (item, head) = (head / shape.heads, head % shape.heads);
    let queries =
        Matrix::new(&q[(item * shape.queries + first) * channels + head * shape.width..], channels, 1);
    let scale = 1.0 / (shape.width as f32).sqrt();
    scratch.state.clear();
    scratch.state.resize(count, (f32::NEG_INFINITY, 0.0));
    scratch.values.clear();
    scratch.values.resize(count * shape.width, 0.0);
    scratch.scores.resize(QUERIES * KEYS, 0.0);
    for start in (0..shape.keys).step_by(KEYS) {
        let block = KEYS.min(shape.keys - start);
        let scores = &mut scratch.scores[..count * block];
        let block_keys = Matrix::new(&keys[start..], shape.keys, 1);
        product(scores, (count, block, shape.width), queries, block_keys, scale, false);
        soften(scores, &mut scratch.state, &mut scratch.values);
        let weights = Matrix::new(scores, block, 1);
        let from = (item * shape.keys + start) * channels + head * shape.width;
        let values = Matrix::new(&v[from..], channels, 1);
        product(&mut scratch.values, (count, shape.width, block), weights, values, 1.0, true);
    }
}

vectorised! {
    /// Turns each query's scores into exponentials relative to its largest score so far, and rescales what
    /// it has summed before.
    fn soften(scores: &mut [f32], state: &mut [(f32, f32)], values: &mut [f32]) {
        let (block, width) = (scores.len() / state.len(), values.len() / state.len());
        for (query, (largest, sum)) in state.iter_mut().enumerate() {
            let scores = &mut scores[query * block..][..block];
            let top = largest_of(scores).max(*largest);
            let shrink = exp(*largest - top);
            *sum = *sum * shrink + exponentials(scores, top);
            *largest = top;
            for value in &mut values[query * width..][..width] {
                *value *= shrink;
            }
        }
    }
}

/// The largest number.
#[inline(always)]
fn largest_of(scores: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = if *score > *lane { *score } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b))
}

/// Replaces every score by its exponential relative to `top`; returns the sum.
#[inline(always)]
fn exponentials(scores: &mut [f32], top: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *score = exp(*score - top);
            *lane += *score;
        }
    }
    let mut sum = sum_lanes(&lanes);
    for score in rest {
        *score = exp(*score - top);
        sum += *score;
    }
    sum
}
