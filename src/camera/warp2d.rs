//! The 2D warp: a homography, sampled once.

use libm::sqrt;
use nalgebra::Matrix3;
use rayon::prelude::*;

use super::Warped;
use super::bytes::Finish;
use super::edge::Edge;
use super::places::Places;
use super::sample::{Texel, Texture};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::{Border, Sampling};

/// Pixels of the source to one of the moved picture above which it is made smaller, and kernels are stretched.
const SHRINKING: f32 = 1.001;

/// Moves a picture by `matrix` (source to destination pixels, column vectors), sampling bilinearly and rounding to the
/// nearest grey level: Deforum's way. Positions are exact, as in OpenCV 5; OpenCV 4 rounds them to 1/32 pixel.
///
/// A matrix that cannot be inverted or is not finite shows the border only: for every pixel it is as if the source lay
/// infinitely far to the right of it.
pub fn warp_flat(canvas: &Canvas, matrix: &Matrix3<f64>, border: Border) -> Warped {
    moved(canvas, matrix, border, Sampling::Bilinear, false)
}

/// As [`warp_flat`], sampled in any way. Where the picture becomes smaller the kernel grows, so that no pixel is
/// skipped; nearest sampling skips them.
pub fn resample(canvas: &Canvas, matrix: &Matrix3<f64>, border: Border, sampling: Sampling) -> Warped {
    moved(canvas, matrix, border, sampling, true)
}

fn moved(
    canvas: &Canvas,
    matrix: &Matrix3<f64>,
    border: Border,
    sampling: Sampling,
    filtered: bool,
) -> Warped {
    let size = canvas.size();
    if *matrix == Matrix3::identity() {
        return Warped { canvas: canvas.clone(), coverage: Plane::filled(size, 1.0) };
    }
    let map = Homography::new(matrix, size.width);
    let wide = filtered && sampling != Sampling::Nearest && shrinks(&map, size);
    render(&Texture::new(canvas, 0.0, sampling), size, border.into(), (sampling, wide), &map)
}

/// Where a row of the moved picture is sampled.
pub(super) trait Positions: Sync {
    /// Sets the places of row `y`. Inlined into code for the processor at hand.
    fn row(&self, y: usize, places: &mut Places);

    /// Sets the nearest pixels of row `y`.
    fn nearest_row(&self, y: usize, places: &mut Places) {
        self.row(y, places);
    }

    /// How far one step across or down moves on the source, along its x and its y, for the pixels of row `y`.
    fn stretch(&self, _y: usize, stretch: &mut [[f32; 2]]) {
        stretch.fill([1.0; 2]);
    }
}

/// Whether the moved picture is smaller anywhere, as far as a net of places tells.
pub(super) fn shrinks(positions: &impl Positions, size: Size) -> bool {
    const NET: usize = 16;
    let mut row = vec![[0.0; 2]; size.width];
    (0..=NET).any(|i| {
        positions.stretch(i * size.height.saturating_sub(1) / NET, &mut row);
        row.iter().step_by((size.width / NET).max(1)).flatten().any(|s| *s > SHRINKING)
    })
}

/// Samples every pixel at its place, rounding to the nearest grey level; with kernels as wide as the places are
/// apart when that is asked for.
pub(super) fn render(
    texture: &Texture,
    size: Size,
    edge: Edge,
    (sampling, wide): (Sampling, bool),
    positions: &impl Positions,
) -> Warped {
    let mut canvas = Canvas::filled(size, [0; 3]);
    let mut coverage = Plane::filled(size, 0.0);
    let width = size.width;
    let pixels = canvas.as_rgb8_mut().par_chunks_mut((width * 3).max(1));
    let covers = coverage.values_mut().par_chunks_mut(width.max(1));
    pixels.zip(covers).enumerate().for_each_init(
        || Buffers::new(width),
        |buffers, (y, (out, cover))| {
            let job = Job { texture, size, edge, sampling, wide, positions };
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                unsafe { job.row_avx2(y, buffers, out, cover) };
                return;
            }
            // SAFETY: nothing is promised.
            unsafe { job.row::<false>(y, buffers, out, cover) };
        },
    );
    Warped { canvas, coverage }
}

/// Room for one row.
struct Buffers {
    places: Places,
    texels: Vec<Texel>,
    stretch: Vec<[f32; 2]>,
}

impl Buffers {
    fn new(width: usize) -> Self {
        Self { places: Places::new(width), texels: vec![[0.0; 4]; width], stretch: vec![[1.0; 2]; width] }
    }
}

/// One row of [`render`].
struct Job<'a, P> {
    texture: &'a Texture,
    size: Size,
    edge: Edge,
    sampling: Sampling,
    wide: bool,
    positions: &'a P,
}

impl<P: Positions> Job<'_, P> {
    /// The same operations in the same order, compiled for wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn row_avx2(&self, y: usize, buffers: &mut Buffers, out: &mut [u8], cover: &mut [f32]) {
        // SAFETY: the processor has AVX2.
        unsafe { self.row::<true>(y, buffers, out, cover) };
    }

    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn row<const AVX2: bool>(
        &self,
        y: usize,
        buffers: &mut Buffers,
        out: &mut [u8],
        cover: &mut [f32],
    ) {
        let Buffers { places, texels, stretch } = buffers;
        self.positions.row(y, places);
        cover_row(places, self.size, cover);
        if self.sampling == Sampling::Nearest {
            self.positions.nearest_row(y, places);
        }
        if self.wide {
            self.positions.stretch(y, stretch);
            self.texture.sample_row_wide(places, stretch, self.sampling, self.edge, texels);
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.texture.sample_row::<AVX2>(places, self.sampling, self.edge, texels) };
        }
        // SAFETY: the caller's promise.
        unsafe { Finish::Round.row::<AVX2>(texels, out) };
    }
}

/// The inverse of a matrix, which carries pixels to their sources.
pub(super) struct Homography {
    inverse: Matrix3<f64>,
    width: usize,
}

impl Homography {
    /// Of a matrix from source to destination; what has no inverse gives positions that are not numbers, and those lie
    /// far outside.
    pub(super) fn new(matrix: &Matrix3<f64>, width: usize) -> Self {
        Self { inverse: matrix.try_inverse().unwrap_or_else(|| Matrix3::repeat(f64::NAN)), width }
    }

    /// The source of a place.
    #[inline(always)]
    pub(super) fn source(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let at = |i: usize| self.inverse[(i, 0)] * x + self.inverse[(i, 1)] * y + self.inverse[(i, 2)];
        let scale = 1.0 / at(2);
        [at(0) * scale, at(1) * scale]
    }
}

impl Positions for Homography {
    #[inline(always)]
    fn row(&self, y: usize, places: &mut Places) {
        let at = |i: usize| self.inverse[(i, 1)] * y as f64 + self.inverse[(i, 2)];
        let (x0, y0, w0) = (at(0), at(1), at(2));
        let (dx, dy, dw) = (self.inverse[(0, 0)], self.inverse[(1, 0)], self.inverse[(2, 0)]);
        let columns = (0..self.width as i32).map(f64::from);
        if dw == 0.0 && w0 == 1.0 {
            places.between(columns.map(|x| [x0 + dx * x, y0 + dy * x]));
            return;
        }
        places.between(columns.map(|x| {
            let scale = 1.0 / (w0 + dw * x);
            [(x0 + dx * x) * scale, (y0 + dy * x) * scale]
        }));
    }

    fn nearest_row(&self, y: usize, places: &mut Places) {
        places.nearest((0..self.width as i32).map(|x| self.source([f64::from(x), y as f64])));
    }

    fn stretch(&self, y: usize, stretch: &mut [[f32; 2]]) {
        let m = &self.inverse;
        for (x, stretch) in stretch.iter_mut().enumerate() {
            let [sx, sy] = self.source([x as f64, y as f64]);
            let scale = 1.0 / (m[(2, 0)] * x as f64 + m[(2, 1)] * y as f64 + m[(2, 2)]);
            let step = |i: usize, at: f64| {
                let across = (m[(i, 0)] - at * m[(2, 0)]) * scale;
                let down = (m[(i, 1)] - at * m[(2, 1)]) * scale;
                sqrt(across * across + down * down) as f32
            };
            *stretch = [step(0, sx), step(1, sy)];
        }
    }
}

/// 1 where the position lies in the source's area, half a pixel around its outer pixel centres.
#[inline(always)]
pub(super) fn cover_row(places: &Places, size: Size, cover: &mut [f32]) {
    // Without short circuits, so that several pixels are judged at a time.
    let inside =
        |i: i32, f: f32, n: i32| (i >= 0) & (i < n - 1) | (i == -1) & (f >= 0.5) | (i == n - 1) & (f <= 0.5);
    let (w, h) = (size.width as i32, size.height as i32);
    for (value, p) in cover.iter_mut().zip(places.iter()) {
        *value = f32::from(inside(p.x, p.fx, w) & inside(p.y, p.fy, h));
    }
}
