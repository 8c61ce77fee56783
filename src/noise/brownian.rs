//! Brownian motion whose values at any two times are a function of a seed: torchsde's `BrownianTree`
//! (0.2.6, Apache-2.0; Li et al. 2020, arXiv:2001.01328), rebuilt from its rules.
//!
//! The way between two times is halved again and again until an end of the query is a point of the grid. The
//! seed of each halving is numpy's `SeedSequence` of (seed, path to it, depth); a half's increment is the
//! Brownian bridge's. So values depend neither on the order of queries nor on which were asked before.

use super::NoiseKind;
use super::seed_sequence::seed_words;

/// Times are rounded to this many decimals: torchsde's `tol` of 1e-6.
const DECIMALS: usize = 6;
/// torchsde's `pool_size`.
const POOL: usize = 24;

/// A Brownian motion of `n` independent values over an interval of times.
#[derive(Clone, Debug)]
pub struct BrownianTree {
    kind: NoiseKind,
    seed: u64,
    start: f64,
    end: f64,
    whole: Vec<f32>,
}

/// A piece of the interval: its path from the whole one as binary digits (0 left, 1 right), and their number.
#[derive(Clone, Copy)]
struct Node {
    start: f64,
    end: f64,
    path: u64,
    depth: u64,
}

/// What is asked for, and what was found of it so far.
struct Query {
    from: f64,
    to: f64,
    sum: Option<Vec<f32>>,
}

impl BrownianTree {
    /// The motion of `n` values from time `start` to `end`, of which `start` is the smaller. Times are small
    /// numbers, such as sigmas: a tree knows a millionth.
    pub fn new(kind: NoiseKind, seed: u64, start: f64, end: f64, n: usize) -> Self {
        let mut whole = kind.randn(u64::from(seed_words(seed, &[], POOL, 1)[0]), n);
        scale(&mut whole, (end - start).max(0.0).sqrt());
        Self { kind, seed, start: rounded(start), end: rounded(end), whole }
    }

    /// How far each value moves from time `from` to the later time `to`. Times outside of the tree's count as
    /// its ends; closer together than a millionth, nothing moves.
    pub fn increment(&self, from: f64, to: f64) -> Vec<f32> {
        let inside = |t: f64| rounded(t.max(self.start).min(self.end));
        let mut query = Query { from: inside(from), to: inside(to), sum: None };
        if query.from < query.to {
            let root = Node { start: self.start, end: self.end, path: 0, depth: 0 };
            self.collect(root, &self.whole, &mut query);
        }
        query.sum.unwrap_or_else(|| vec![0.0; self.whole.len()])
    }

    /// Adds up the increments of the largest pieces that lie in the query, from left to right. `moved` is the
    /// increment of `node`, which shares some time with the query.
    fn collect(&self, node: Node, moved: &[f32], query: &mut Query) {
        let middle = rounded(0.5 * (node.end + node.start));
        let is_grid_cell = middle <= node.start || middle >= node.end;
        if (query.from <= node.start && node.end <= query.to) || is_grid_cell {
            match &mut query.sum {
                None => query.sum = Some(moved.to_vec()),
                Some(sum) => sum.iter_mut().zip(moved).for_each(|(sum, moved)| *sum += moved),
            }
            return;
        }
        let left = self.left_half(node, middle, moved);
        if query.from < middle {
            let half = Node { end: middle, path: node.path * 2, depth: node.depth + 1, ..node };
            self.collect(half, &left, query);
        }
        if query.to > middle {
            let right: Vec<f32> = moved.iter().zip(&left).map(|(whole, left)| whole - left).collect();
            let half = Node { start: middle, path: node.path * 2 + 1, depth: node.depth + 1, ..node };
            self.collect(half, &right, query);
        }
    }

    /// The increment up to the middle, given that of the whole: the mean is its share of the way, the variance
    /// that of a Brownian bridge. In `f32`, as torch computes it.
    fn left_half(&self, node: Node, middle: f64, moved: &[f32]) -> Vec<f32> {
        let seed = seed_words(self.seed, &[node.path, node.depth], POOL, 1)[0];
        let inverse = 1.0 / (node.end - node.start);
        let (left, right) = (middle - node.start, node.end - middle);
        let (share, inverse, spread) = (left as f32, inverse as f32, (left * right * inverse).sqrt() as f32);
        let mut values = self.kind.randn(u64::from(seed), moved.len());
        for (value, moved) in values.iter_mut().zip(moved) {
            *value = share * moved * inverse + spread * *value;
        }
        values
    }
}

fn scale(values: &mut [f32], factor: f64) {
    values.iter_mut().for_each(|value| *value *= factor as f32);
}

/// The nearest number with six decimals, ties to even on the exact value, as Python's `round`.
fn rounded(time: f64) -> f64 {
    format!("{time:.DECIMALS$}").parse().unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(seed: u64) -> BrownianTree {
        BrownianTree::new(NoiseKind::TorchCpu, seed, 0.03, 14.6, 40)
    }

    #[test]
    fn times_are_rounded_as_python_rounds() {
        // round(x, 6) of Python 3.11. 1/128 and 3/128 are ties in binary as well.
        let cases = [
            (0.0078125, 0.007812),
            (0.0234375, 0.023438),
            (14.614643096923828, 14.614643),
            (5e-7, 0.0),
            (-2.5, -2.5),
        ];
        for (given, wanted) in cases {
            assert_eq!(rounded(given), wanted);
        }
    }

    #[test]
    fn increments_are_normal_with_the_length_of_the_way_as_variance() {
        for kind in [NoiseKind::TorchCpu, NoiseKind::PhiloxNv] {
            let tree = BrownianTree::new(kind, 3, 0.0, 8.0, 1 << 14);
            let parts =
                [(0.0, 0.3), (0.3, 1.0), (1.0, 7.5)].map(|(from, to)| (to - from, tree.increment(from, to)));
            let mean = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() / a.len() as f64
            };
            for (i, (length, values)) in parts.iter().enumerate() {
                // Five standard errors of a variance (sqrt(2 / n)) and of a covariance (sqrt(1 / n)).
                let error = 5.0 / 128.0;
                assert!((mean(values, values) / length - 1.0).abs() < error * 1.42, "{kind:?} {i}");
                let (other_length, other) = &parts[(i + 1) % 3];
                assert!((mean(values, other) / (length * other_length).sqrt()).abs() < error, "{kind:?} {i}");
            }
        }
    }

    #[test]
    fn outside_and_empty_ways_are_harmless() {
        let tree = tree(1);
        assert_eq!(tree.increment(-5.0, 99.0), tree.increment(0.03, 14.6));
        for (from, to) in [(2.0, 2.0), (3.0, 2.0), (50.0, 60.0), (2.000_000_1, 2.000_000_2), (f64::NAN, 1.0)]
        {
            let moved = tree.increment(from, to);
            assert!(moved.len() == 40 && moved.iter().all(|v| v.is_finite()), "{from} {to}");
        }
        let flat = BrownianTree::new(NoiseKind::TorchCpu, 1, 2.0, 2.0, 3);
        assert_eq!(flat.increment(1.0, 3.0), [0.0; 3]);
        // The widest range that there is: a zero-terminal-SNR model's.
        let wide = BrownianTree::new(NoiseKind::PhiloxNv, 1, 0.01, 4096.0, 3);
        assert!(wide.increment(0.02, 4095.5).iter().all(|v| v.is_finite()));
    }

    proptest! {
        #[test]
        fn a_way_in_two_parts_is_the_way(seed: u64, a in 0.03f64..14.0, b in 0.03f64..14.0, c in 0.03f64..14.0) {
            let mut times = [a, b, c];
            times.sort_by(f64::total_cmp);
            let tree = tree(seed);
            let (first, second) = (tree.increment(times[0], times[1]), tree.increment(times[1], times[2]));
            let whole = tree.increment(times[0], times[2]);
            for ((first, second), whole) in first.iter().zip(&second).zip(&whole) {
                // A few dozen f32 sums of values below 20.
                prop_assert!((first + second - whole).abs() < 1e-4);
            }
        }
    }
}
