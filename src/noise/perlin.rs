//! Perlin noise as Deforum shapes its noise with (sd-webui-deforum 32242685).

use std::f32::consts::{SQRT_2, TAU};

use rayon::prelude::*;

use super::TorchRng;
use crate::canvas::{Plane, Size};

/// Layers beyond this are finer than any picture.
const MOST_OCTAVES: u32 = 16;

/// Sum over octaves o of `persistence^o` times gradient noise with `cells * 2^o` cells along rows (first number) and
/// columns (second). Values are about -1 to 1. Each layer draws its gradients from `rng`, an angle a corner.
///
/// As in Deforum the *first* number of cells counts down the picture. Deforum needs sizes divisible by the
/// number of cells; here any size works: layers with more cells than pixels along an axis are left out, save the first,
/// whose cells are then the pixels.
pub fn perlin(size: Size, cells: [u32; 2], octaves: u32, persistence: f64, rng: &mut TorchRng) -> Plane {
    let mut field = Plane::filled(size, 0.0);
    for octave in 0..octaves.min(MOST_OCTAVES) {
        let counts = cells.map(|n| (n.max(1) as usize) << octave);
        if octave > 0 && (counts[0] > size.height || counts[1] > size.width) {
            break;
        }
        let amplitude = persistence.powi(octave as i32) as f32;
        let [down, across] = counts;
        add_layer(&mut field, [down.min(size.height.max(1)), across.min(size.width.max(1))], amplitude, rng);
    }
    field
}

/// Where a row or column lies in its cell.
#[derive(Clone, Copy, Default)]
struct Axis {
    cell: usize,
    /// 0 to 1 across the cell.
    at: f32,
    /// The same, eased: 6t^5 - 15t^4 + 10t^3.
    eased: f32,
}

fn axis(n: usize, cells: usize) -> Vec<Axis> {
    let place = |i: usize| {
        let at = i * cells;
        let t = (at % n) as f32 / n as f32;
        Axis { cell: at / n, at: t, eased: t * t * t * (t * (t * 6.0 - 15.0) + 10.0) }
    };
    (0..n).map(place).collect()
}

/// Adds one layer of gradient noise.
fn add_layer(field: &mut Plane, cells: [usize; 2], amplitude: f32, rng: &mut TorchRng) {
    let Size { width, height } = field.size();
    let corners = cells[1] + 1;
    let gradients: Vec<[f32; 2]> = rng.rand((cells[0] + 1) * corners).into_iter().map(gradient).collect();
    let (rows, columns) = (axis(height, cells[0]), axis(width, cells[1]));
    let scale = amplitude * SQRT_2;
    field.values_mut().par_chunks_mut(width.max(1)).enumerate().for_each(|(y, out)| {
        let row = rows[y];
        let upper = &gradients[row.cell * corners..][..corners];
        let lower = &gradients[(row.cell + 1) * corners..][..corners];
        let mut start = 0;
        for cell in 0..cells[1] {
            let end = (((cell + 1) * width).div_ceil(cells[1])).max(start);
            let line = Line::new(row, [upper[cell], lower[cell]], [upper[cell + 1], lower[cell + 1]], scale);
            line.add(&columns[start..end], &mut out[start..end]);
            start = end;
        }
    });
}

/// (down, right) components of a unit vector at a share of a turn.
fn gradient(turn: f32) -> [f32; 2] {
    let angle = f64::from(TAU * turn);
    [libm::cos(angle) as f32, libm::sin(angle) as f32]
}

/// One row through one cell: on each side of the cell the noise is a straight line in x, between them it is eased.
struct Line {
    left: [f32; 2],
    right: [f32; 2],
}

impl Line {
    /// `left` and `right` hold the gradients of the upper and lower corner.
    fn new(row: Axis, left: [[f32; 2]; 2], right: [[f32; 2]; 2], scale: f32) -> Self {
        let side = |[upper, lower]: [[f32; 2]; 2]| {
            let mix = |a: f32, b: f32| (a + row.eased * (b - a)) * scale;
            [mix(upper[0] * row.at, lower[0] * (row.at - 1.0)), mix(upper[1], lower[1])]
        };
        Self { left: side(left), right: side(right) }
    }

    fn add(&self, columns: &[Axis], out: &mut [f32]) {
        for (out, column) in out.iter_mut().zip(columns) {
            let left = self.left[0] + self.left[1] * column.at;
            let right = self.right[0] + self.right[1] * (column.at - 1.0);
            *out += left + column.eased * (right - left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_zero_on_the_corners_and_bounded() {
        let size = Size::new(64, 32);
        let field = perlin(size, [4, 8], 1, 0.5, &mut TorchRng::new(1));
        for (i, v) in field.values().iter().enumerate() {
            let (x, y) = (i % 64, i / 64);
            assert!(v.abs() <= 1.0 + 1e-6);
            if x % 8 == 0 && y % 8 == 0 {
                assert_eq!(*v, 0.0, "corner {x}, {y}");
            }
        }
        assert!(field.values().iter().any(|v| v.abs() > 0.1));
    }

    #[test]
    fn any_size_and_any_number_of_cells_work() {
        for (w, h) in [(1, 1), (3, 50), (50, 3), (97, 31), (0, 4)] {
            for cells in [[1, 1], [8, 8], [100, 3], [u32::MAX, 0]] {
                let size = Size::new(w, h);
                let octaves = if cells[0] > 1000 { 1 } else { 4 };
                let field = perlin(size, cells, octaves, 0.5, &mut TorchRng::new(2));
                assert!(field.values().iter().all(|v| v.is_finite()), "{size} {cells:?}");
            }
        }
    }
}
