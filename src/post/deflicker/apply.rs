//! Applies a grid of gains to a picture.

use rayon::prelude::*;

use super::transfer::{Transfer, encode, linear_table, round_to};
use crate::canvas::{Canvas, Size};

/// Columns between two places where the gain is worked out; between them it is linear, which at half a
/// stop a cell is off by less than a ten-thousandth.
const STRIDE: usize = 8;

/// The correction of one frame: stops for each cell of a coarse grid and each of R, G, B.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Rows of cells.
    pub rows: usize,
    /// Columns of cells.
    pub columns: usize,
    /// `rows * columns * 3` numbers in stops (+1 doubles the light), row by row, R G B interleaved.
    pub stops: Vec<f32>,
}

impl Grid {
    /// No correction.
    pub(super) fn flat(rows: usize, columns: usize) -> Self {
        Self { rows, columns, stops: vec![0.0; rows * columns * 3] }
    }

    fn is_flat(&self) -> bool {
        self.stops.iter().all(|s| *s == 0.0)
    }

    fn at(&self, row: usize, column: usize) -> [f32; 3] {
        let at = (row * self.columns + column) * 3;
        [self.stops[at], self.stops[at + 1], self.stops[at + 2]]
    }

    /// The factors on linear light along row `y` of a picture, for every column.
    fn row(&self, size: Size, y: usize) -> Vec<[f32; 3]> {
        let (rows, weights) = taps(y, size.height, self.rows);
        let control: Vec<[f32; 3]> =
            (0..self.columns).map(|column| blend(weights, rows.map(|row| self.at(row, column)))).collect();
        let posts: Vec<[f32; 3]> = (0..=size.width.div_ceil(STRIDE))
            .map(|i| {
                let (columns, weights) = taps(i * STRIDE, size.width, self.columns);
                factors(blend(weights, columns.map(|column| control[column])))
            })
            .collect();
        (0..size.width)
            .map(|x| {
                let (a, b) = (posts[x / STRIDE], posts[x / STRIDE + 1]);
                let t = (x % STRIDE) as f32 / STRIDE as f32;
                std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t)
            })
            .collect()
    }
}

/// 2 to the stops.
#[allow(clippy::disallowed_methods, reason = "a factor on pixels that are rounded to 8 or 16 bits")]
fn factors(stops: [f32; 3]) -> [f32; 3] {
    stops.map(f32::exp2)
}

fn blend(weights: [f32; 4], values: [[f32; 3]; 4]) -> [f32; 3] {
    std::array::from_fn(|c| (0..4).map(|i| weights[i] * values[i][c]).sum())
}

/// The four cells round pixel `at` of `length`, clamped at the border, and their Catmull-Rom weights
/// (Keys 1981, a = -1/2). Cell values stand at cell centres.
fn taps(at: usize, length: usize, cells: usize) -> ([usize; 4], [f32; 4]) {
    let place = (at as f32 + 0.5) / length as f32 * cells as f32 - 0.5;
    let place = place.clamp(0.0, (cells - 1) as f32);
    let (first, t) = (place.floor(), place - place.floor());
    let index = |d: isize| (first as isize + d).clamp(0, cells as isize - 1) as usize;
    let (t2, t3) = (t * t, t * t * t);
    let weights = [
        -0.5 * t3 + t2 - 0.5 * t,
        1.5 * t3 - 2.5 * t2 + 1.0,
        -1.5 * t3 + 2.0 * t2 + 0.5 * t,
        0.5 * t3 - 0.5 * t2,
    ];
    ([index(-1), index(0), index(1), index(2)], weights)
}

/// Multiplies the linear light of an 8-bit picture by the grid's gains and rounds to the nearest code value.
pub(super) fn apply(grid: &Grid, transfer: &Transfer, frame: &mut Canvas) {
    if grid.is_flat() {
        return;
    }
    let size = frame.size();
    let rows = frame.as_rgb8_mut().par_chunks_mut(size.width * 3);
    rows.enumerate().for_each(|(y, row)| {
        for (pixel, gain) in row.as_chunks_mut::<3>().0.iter_mut().zip(grid.row(size, y)) {
            for (value, gain) in pixel.iter_mut().zip(gain) {
                *value = transfer.code(transfer.linear[usize::from(*value)] * gain);
            }
        }
    });
}

/// As [`apply`] for 16-bit values, R G B interleaved.
pub(super) fn apply16(grid: &Grid, size: Size, rgb: &mut [u16]) {
    if grid.is_flat() {
        return;
    }
    let linear = linear_table(u16::MAX);
    rgb.par_chunks_mut(size.width * 3).enumerate().for_each(|(y, row)| {
        for (pixel, gain) in row.as_chunks_mut::<3>().0.iter_mut().zip(grid.row(size, y)) {
            for (value, gain) in pixel.iter_mut().zip(gain) {
                *value = round_to(encode(linear[usize::from(*value)] * gain), 65_535.0) as u16;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stop_doubles_the_light() {
        let grid = Grid { rows: 1, columns: 1, stops: vec![1.0, 0.0, -1.0] };
        let mut frame = Canvas::filled(Size::new(9, 2), [100, 100, 100]);
        apply(&grid, &Transfer::new(), &mut frame);
        // sRGB 100 is 0.1274 linear; 0.2549 is 138, 0.0637 is 71.
        assert!(frame.as_rgb8().chunks(3).all(|p| p == [138, 100, 71]), "{:?}", frame.pixel(0, 0));
    }

    #[test]
    fn sixteen_bits_agree_with_eight() {
        let grid = Grid { rows: 2, columns: 2, stops: (0..12).map(|i| i as f32 * 0.1 - 0.5).collect() };
        let size = Size::new(20, 10);
        let mut eight = Canvas::from_rgb8(size, (0..600).map(|i| (i % 251) as u8).collect());
        let mut sixteen: Vec<u16> = eight.as_rgb8().iter().map(|v| u16::from(*v) * 257).collect();
        apply(&grid, &Transfer::new(), &mut eight);
        apply16(&grid, size, &mut sixteen);
        for (a, b) in eight.as_rgb8().iter().zip(&sixteen) {
            let error = (f32::from(*a) - f32::from(*b) / 257.0).abs();
            // Half a level of rounding, and a twelfth for the table of 65536 steps.
            assert!(error < 0.6, "{a} {b}");
        }
    }

    #[test]
    fn cell_centres_keep_their_gain() {
        let grid = Grid { rows: 4, columns: 1, stops: (0..12).map(|i| (i / 3) as f32 * 0.25).collect() };
        let gains = grid.row(Size::new(8, 44), 16);
        // Row 16 of 44 is the centre of the second cell (rows 11 to 21).
        assert!((gains[3][0] - 2f32.powf(0.25)).abs() < 1e-5);
    }
}
