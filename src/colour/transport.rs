//! Monge-Kantorovich linear transport of colours (Pitié and Kokaram, *The linear Monge-Kantorovitch linear colour
//! mapping for example-based colour transfer*, CVMP 2007): of all linear maps that give a picture the mean and the
//! covariance of another one, the one that moves its colours least.
//!
//! `x' = mt + A (x - ms)`, `A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2` with the means `ms`, `mt` and the covariances `S`, `T` of
//! source and target. Taken of the encoded bytes: what a diffusion model paints is near to normal there, and highlights
//! do not outweigh everything else as they would in linear light.

use rayon::prelude::*;

use crate::canvas::Canvas;

/// Added to the variances, in squared levels: a picture of few colours has a flat covariance, which cannot be inverted.
/// A level of rounding alone has a variance of 1/12.
const LEAST_VARIANCE: f64 = 1.0 / 12.0;

/// Sweeps of Jacobi's method; three by three is done to the last bit within six.
const SWEEPS: usize = 12;

type Matrix = [[f64; 3]; 3];

/// Mean and covariance of a picture's colours, R, G, B in levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean of each channel.
    pub mean: [f64; 3],
    /// Covariance of the channels.
    pub covariance: [[f64; 3]; 3],
}

impl Moments {
    /// The moments of a picture; all 0 of one without pixels. Sums are of integers, so exact.
    pub fn of(picture: &Canvas) -> Self {
        let sums = |pixels: &[[u8; 3]]| {
            pixels.iter().fold(([0_u64; 3], [[0_u64; 3]; 3]), |(mut sum, mut products), pixel| {
                let pixel = pixel.map(u64::from);
                for i in 0..3 {
                    sum[i] += pixel[i];
                    for j in i..3 {
                        products[i][j] += pixel[i] * pixel[j];
                    }
                }
                (sum, products)
            })
        };
        let none = || ([0_u64; 3], [[0_u64; 3]; 3]);
        let (sum, products) = picture.as_rgb8().as_chunks::<3>().0.par_chunks(1 << 14).map(sums).reduce(
            none,
            |(mut sum, mut products), (s, p)| {
                for i in 0..3 {
                    sum[i] += s[i];
                    for j in i..3 {
                        products[i][j] += p[i][j];
                    }
                }
                (sum, products)
            },
        );
        let n = picture.size().area().max(1) as f64;
        let mean = sum.map(|sum| sum as f64 / n);
        let mut covariance = [[0.0; 3]; 3];
        for i in 0..3 {
            for j in i..3 {
                covariance[i][j] = products[i][j] as f64 / n - mean[i] * mean[j];
                covariance[j][i] = covariance[i][j];
            }
        }
        Self { mean, covariance }
    }

    fn regular(&self) -> Matrix {
        let mut covariance = self.covariance;
        for (i, row) in covariance.iter_mut().enumerate() {
            row[i] += LEAST_VARIANCE;
        }
        covariance
    }
}

/// A map of colours `x' = to + matrix (x - from)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    from: [f64; 3],
    to: [f64; 3],
    matrix: Matrix,
}

impl Transport {
    /// The map that gives pictures with the moments `source` those of `target`.
    pub fn between(source: &Moments, target: &Moments) -> Self {
        let root = power(&source.regular(), f64::sqrt);
        let inverse = power(&source.regular(), |value| 1.0 / value.sqrt());
        let middle = power(&product(&product(&root, &target.regular()), &root), f64::sqrt);
        let matrix = product(&product(&inverse, &middle), &inverse);
        Self { from: source.mean, to: target.mean, matrix }
    }

    /// The picture with its colours moved, values rounded to the nearest level and clamped.
    pub fn moved(&self, picture: &Canvas) -> Canvas {
        let mut moved = picture.clone();
        moved.as_rgb8_mut().as_chunks_mut::<3>().0.par_chunks_mut(1 << 14).for_each(|pixels| {
            for pixel in pixels {
                *pixel = self.colour(pixel.map(f64::from)).map(|v| v.round_ties_even() as u8);
            }
        });
        moved
    }

    /// One colour, not rounded.
    pub fn colour(&self, colour: [f64; 3]) -> [f64; 3] {
        let away: [f64; 3] = std::array::from_fn(|c| colour[c] - self.from[c]);
        std::array::from_fn(|c| {
            let row = self.matrix[c];
            self.to[c] + row[0] * away[0] + row[1] * away[1] + row[2] * away[2]
        })
    }
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// A symmetric matrix with `f` of its eigenvalues, which count as at least a little above 0.
fn power(matrix: &Matrix, f: impl Fn(f64) -> f64) -> Matrix {
    let (values, vectors) = eigen(matrix);
    let values = values.map(|value| f(value.max(1e-9)));
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..3).map(|k| vectors[i][k] * values[k] * vectors[j][k]).sum())
    })
}

/// Eigenvalues, and eigenvectors as columns, of a symmetric matrix, by Jacobi's rotations (Golub and Van Loan, *Matrix
/// Computations*, 8.5.2).
fn eigen(matrix: &Matrix) -> ([f64; 3], Matrix) {
    let mut a = *matrix;
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..SWEEPS {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            let off = (a[p][q] + a[q][p]) / 2.0;
            if off == 0.0 {
                continue;
            }
            let tau = (a[q][q] - a[p][p]) / (2.0 * off);
            let t = if tau >= 0.0 {
                1.0 / (tau + (1.0 + tau * tau).sqrt())
            } else {
                -1.0 / (-tau + (1.0 + tau * tau).sqrt())
            };
            let c = 1.0 / (1.0 + t * t).sqrt();
            let s = t * c;
            for row in &mut a {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
            let (upper, lower) = (a[p], a[q]);
            a[p] = std::array::from_fn(|k| c * upper[k] - s * lower[k]);
            a[q] = std::array::from_fn(|k| s * upper[k] + c * lower[k]);
            for row in &mut vectors {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
        }
    }
    ([a[0][0], a[1][1], a[2][2]], vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use proptest::prelude::*;

    fn picture(bytes: &[u8]) -> Canvas {
        Canvas::from_rgb8(Size::new(bytes.len() / 3, 1), bytes[..bytes.len() / 3 * 3].to_vec())
    }

    proptest! {
        #[test]
        fn the_moved_colours_have_the_target_s_mean_and_covariance(
            a in prop::collection::vec(any::<u8>(), 30..300),
            b in prop::collection::vec(any::<u8>(), 30..300),
        ) {
            let (source, target) = (Moments::of(&picture(&a)), Moments::of(&picture(&b)));
            let map = Transport::between(&source, &target);
            // A S A' is T, exactly but for the variance that is added to both.
            let transposed: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| map.matrix[j][i]));
            let reached = product(&product(&map.matrix, &source.regular()), &transposed);
            let wanted = target.regular();
            for i in 0..3 {
                for j in 0..3 {
                    prop_assert!((reached[i][j] - wanted[i][j]).abs() < 1e-6 * 65025.0, "{reached:?} {wanted:?}");
                    // The map of least movement is symmetric.
                    prop_assert!((map.matrix[i][j] - map.matrix[j][i]).abs() < 1e-6 * (1.0 + map.matrix[i][j].abs()));
                }
                prop_assert!((map.colour(source.mean)[i] - target.mean[i]).abs() < 1e-9);
            }
        }

        #[test]
        fn a_picture_moved_to_itself_stays(a in prop::collection::vec(any::<u8>(), 3..300)) {
            let canvas = picture(&a);
            let moments = Moments::of(&canvas);
            prop_assert_eq!(Transport::between(&moments, &moments).moved(&canvas), canvas);
        }
    }

    #[test]
    fn pictures_of_one_colour_are_moved_to_the_other_one() {
        let (red, blue) =
            (Canvas::filled(Size::new(4, 4), [200, 10, 10]), Canvas::filled(Size::new(4, 4), [9, 9, 99]));
        let map = Transport::between(&Moments::of(&red), &Moments::of(&blue));
        assert_eq!(map.moved(&red), blue);
        let nothing = Canvas::filled(Size::new(0, 0), [0; 3]);
        assert_eq!(Moments::of(&nothing).mean, [0.0; 3]);
        assert_eq!(map.moved(&nothing), nothing);
    }
}
