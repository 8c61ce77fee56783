//! Histogram matching to a rolling mean, value for value as simple-deflicker does it.
//!
//! Facts: simple-deflicker (MIT) 0.4.0 and 0.3.0, built and run. Each of R, G, B separately: the target of a
//! frame is the mean histogram of the frames round it; a table maps the frame's cumulative histogram onto
//! the target's. 0.4.0 smooths the table and applies 80 % of it.

use std::ops::Range;

use crate::canvas::Canvas;

/// Places on both sides of a table entry that 0.4.0 averages.
const SMOOTHING: usize = 5;
/// The share of the correction that 0.4.0 applies.
const STRENGTH: f64 = 0.8;

/// A code value for each of R, G, B and each code value.
pub type Tables = [[u8; 256]; 3];

type Histogram = [u64; 256];

/// The whole tables, as the two published behaviours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// As 0.4.0 (2026): the table is smoothed, and 80 % of it applied.
    #[default]
    Soft,
    /// As up to 0.3.0 (2021), which guides mean: the table as it is.
    Full,
}

/// First pass: three histograms a frame, 6 kB.
#[derive(Default)]
pub(super) struct Statistics {
    frames: Vec<[Histogram; 3]>,
}

impl Statistics {
    pub(super) fn push(&mut self, frame: &Canvas) {
        let mut histograms = [[0; 256]; 3];
        for pixel in frame.as_rgb8().as_chunks::<3>().0 {
            for (histogram, value) in histograms.iter_mut().zip(pixel) {
                histogram[usize::from(*value)] += 1;
            }
        }
        self.frames.push(histograms);
    }

    /// The tables of every frame. `radius` frames on both sides are averaged, all of the scene when 0.
    pub(super) fn solve(&self, scenes: &[Range<usize>], radius: usize, matching: Matching) -> Vec<Tables> {
        let tables = scenes.iter().flat_map(|scene| {
            scene.clone().map(move |frame| {
                let window = match radius {
                    0 => scene.clone(),
                    r => frame.saturating_sub(r).max(scene.start)..(frame + r + 1).min(scene.end),
                };
                let c = |c: usize| table(&self.frames[frame][c], &self.mean(window.clone(), c), matching);
                [c(0), c(1), c(2)]
            })
        });
        tables.collect()
    }

    /// The mean histogram; each bin is an integer and rounds down, as in the peer.
    fn mean(&self, window: Range<usize>, c: usize) -> Histogram {
        let count = window.len() as u64;
        std::array::from_fn(|bin| self.frames[window.clone()].iter().map(|f| f[c][bin]).sum::<u64>() / count)
    }
}

/// The table that maps `current` onto `target`.
fn table(current: &Histogram, target: &Histogram, matching: Matching) -> [u8; 256] {
    let (current, target) = (cumulative(current), cumulative(target));
    // Rounding down lost some of the target's pixels; this gives them back.
    let ratio = current[255] as f64 / target[255].max(1) as f64;
    let target = target.map(|count| (0.5 + count as f64 * ratio) as u64);
    let mut place = 0;
    let plain = current.map(|count| {
        while place < 255 && target[place] < count {
            place += 1;
        }
        place
    });
    match matching {
        Matching::Full => plain.map(|value| value as u8),
        Matching::Soft => softened(&plain),
    }
}

fn cumulative(histogram: &Histogram) -> Histogram {
    let mut sum = 0;
    histogram.map(|count| {
        sum += count;
        sum
    })
}

/// Box mean (rounded down), made monotone, then 80 % of it.
fn softened(table: &[usize; 256]) -> [u8; 256] {
    let mut highest = 0;
    std::array::from_fn(|i| {
        let window = &table[i.saturating_sub(SMOOTHING)..=(i + SMOOTHING).min(255)];
        highest = highest.max(window.iter().sum::<usize>() / window.len());
        let value = highest as f64 * STRENGTH + i as f64 * (1.0 - STRENGTH);
        libm::floor(value + 0.5).clamp(0.0, 255.0) as u8
    })
}

/// Maps an 8-bit picture.
pub(super) fn apply(tables: &Tables, frame: &mut Canvas) {
    for pixel in frame.as_rgb8_mut().as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// Maps 16-bit values, R G B interleaved, linearly between the table's entries.
pub(super) fn apply16(tables: &Tables, rgb: &mut [u16]) {
    for pixel in rgb.as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(tables) {
            let (entry, rest) = (usize::from(*value / 257), u32::from(*value % 257));
            let (low, high) = (u32::from(table[entry]), u32::from(table[(entry + 1).min(255)]));
            *value = (low * (257 - rest) + high * rest) as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    /// A steady sequence needs no table; 0.3.0 leaves the values that occur exactly as they are.
    #[test]
    fn a_steady_sequence_is_left_alone() {
        let frame = Canvas::from_rgb8(Size::new(16, 16), (0..768).map(|i| (i % 256) as u8).collect());
        let mut statistics = Statistics::default();
        (0..5).for_each(|_| statistics.push(&frame));
        for tables in statistics.solve(std::slice::from_ref(&(0..5)), 2, Matching::Full) {
            let mut mapped = frame.clone();
            apply(&tables, &mut mapped);
            assert_eq!(mapped, frame);
        }
    }

    #[test]
    fn sixteen_bit_values_lie_between_the_entries() {
        let tables = [std::array::from_fn(|i| (i / 2) as u8); 3];
        let mut rgb = [0, 257 * 100, 65_535];
        apply16(&tables, &mut rgb);
        assert_eq!(rgb, [0, 50 * 257, 127 * 257]);
    }
}
