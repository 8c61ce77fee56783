//! The 3D warp: each pixel has a distance, the camera moves, and the picture is sampled where the moved scene is seen.
//!
//! The offset of a pixel is the difference between the projections of its point before and after the
//! move. It is computed as one fraction, so that a camera at rest moves nothing, not even by rounding.

use libm::sqrt;
use rayon::prelude::*;

use super::bytes::Finish;
use super::edge::Edge;
use super::matrix::{Pose, pose};
use super::places::Places;
use super::relief::Relief;
use super::sample::{Texel, Texture};
use super::warp2d::{Homography, Positions, cover_row, shrinks, warp_flat};
use super::{Warped, flip_matrix, old_aspect_ratio};
use crate::canvas::{Canvas, Plane, Size};
use crate::timeline::frame::{Border, Camera3d, Sampling};

/// Moves a picture over its relief. `border` fills what comes in from outside; `flip_border` does so for the
/// perspective flip, which comes first as a warp of its own. Values are truncated to 8 bit, as in Deforum.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_deep(
    canvas: &Canvas,
    camera: &Camera3d,
    border: Border,
    flip_border: Border,
    relief: &Relief,
) -> Warped {
    if let Some(flip) = camera.flip {
        let flipped = warp_flat(canvas, &flip_matrix(&flip, canvas.size()), flip_border);
        let camera = Camera3d { flip: None, ..*camera };
        let warped = warp_deep(&flipped.canvas, &camera, border, flip_border, relief);
        return cover_twice(&flipped.coverage, warped, &camera, relief);
    }
    painted(&Deep::new(canvas, camera, border, relief), Finish::Truncate)
}

/// As [`warp_deep`], but the flip and the move over the relief are one map and the picture is sampled once; values are
/// rounded. When `filtered`, kernels grow where the picture becomes smaller.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_deep_once(
    canvas: &Canvas,
    camera: &Camera3d,
    border: Border,
    relief: &Relief,
    filtered: bool,
) -> Warped {
    let mut deep = Deep::new(canvas, camera, border, relief);
    deep.view.flip = flipped(camera, canvas.size());
    deep.wide = filtered && camera.sampling != Sampling::Nearest && shrinks(&deep.view, canvas.size());
    painted(&deep, Finish::Round)
}

/// Every row of a warp, brought to 8 bit by `finish`.
fn painted(deep: &Deep<'_>, finish: Finish) -> Warped {
    let size = deep.view.size;
    let mut moved = Canvas::filled(size, [0; 3]);
    let mut coverage = Plane::filled(size, 0.0);
    let rows = moved.as_rgb8_mut().par_chunks_mut((size.width * 3).max(1));
    let covers = coverage.values_mut().par_chunks_mut(size.width.max(1));
    rows.zip(covers).enumerate().for_each_init(
        || deep.buffers(),
        |buffers, (y, (out, cover))| {
            deep.row(y, buffers, Some((finish, &mut *out, &mut *cover)));
        },
    );
    Warped { canvas: moved, coverage }
}

/// [`warp_deep`] before truncation and without the flip: R, G, B interleaved, clamped to 0..255.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn warp_deep_float(canvas: &Canvas, camera: &Camera3d, border: Border, relief: &Relief) -> Vec<f32> {
    let size = canvas.size();
    let deep = Deep::new(canvas, camera, border, relief);
    let mut values = vec![0.0; size.area() * 3];
    values.par_chunks_mut((size.width * 3).max(1)).enumerate().for_each_init(
        || deep.buffers(),
        |buffers, (y, out)| {
            deep.row(y, buffers, None);
            for (texel, pixel) in buffers.1.iter().zip(out.as_chunks_mut::<3>().0) {
                *pixel = [texel[0], texel[1], texel[2]].map(|v| v.clamp(0.0, 255.0));
            }
        },
    );
    values
}

/// Where each pixel of the moved picture is sampled: (x, y) in pixels of the source, row by row. The flip is part
/// of it.
///
/// # Panics
/// When the relief has another size than the picture: a bug of the caller.
pub fn deep_positions(size: Size, camera: &Camera3d, relief: &Relief) -> Vec<[f64; 2]> {
    let view = View { flip: flipped(camera, size), ..View::new(size, camera, relief) };
    let mut positions = vec![[0.0; 2]; size.area()];
    positions.par_chunks_mut(size.width.max(1)).enumerate().for_each(|(y, row)| {
        row.iter_mut().zip(view.sources(y)).for_each(|(to, position)| {
            *to = view.flip.as_ref().map_or(position, |flip| flip.source(position));
        });
    });
    positions
}

/// Coverage after a flip: covered by the warp, and the flipped pixel that is nearest to the sampled place was covered.
fn cover_twice(flipped: &Plane, warped: Warped, camera: &Camera3d, relief: &Relief) -> Warped {
    let size = flipped.size();
    let edge = |v: f64, n: usize| (v.round().max(0.0) as usize).min(n - 1);
    let positions = deep_positions(size, camera, relief);
    let values = positions.iter().zip(warped.coverage.values()).map(|([x, y], covered)| {
        covered * flipped.values()[edge(*y, size.height) * size.width + edge(*x, size.width)]
    });
    let coverage = Plane::from_values(size, values.collect());
    Warped { coverage, ..warped }
}

/// Everything that a row of the warp needs.
struct Deep<'a> {
    texture: Texture,
    view: View<'a>,
    sampling: Sampling,
    /// Kernels grow where the picture becomes smaller.
    wide: bool,
    edge: Edge,
}

/// How a row is brought to 8 bit, and where its bytes and its coverage go.
type Finished<'a> = (Finish, &'a mut [u8], &'a mut [f32]);

/// Room for one row.
type Buffers = (Places, Vec<Texel>, Vec<[f32; 2]>);

/// The way back through the flip, when there is one.
fn flipped(camera: &Camera3d, size: Size) -> Option<Homography> {
    camera.flip.map(|flip| Homography::new(&flip_matrix(&flip, size), size.width))
}

impl<'a> Deep<'a> {
    fn new(canvas: &Canvas, camera: &Camera3d, border: Border, relief: &'a Relief) -> Self {
        Self {
            texture: Texture::new(canvas, relief.lift(), camera.sampling),
            view: View::new(canvas.size(), camera, relief),
            sampling: camera.sampling,
            wide: false,
            edge: border.into(),
        }
    }

    fn buffers(&self) -> Buffers {
        let width = self.view.size.width;
        (Places::new(width), vec![[0.0; 4]; width], vec![[1.0; 2]; width])
    }

    /// Samples row `y`, and brings it to 8 bit and tells what is covered where that is asked for.
    fn row(&self, y: usize, buffers: &mut Buffers, finished: Option<Finished<'_>>) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { self.row_avx2(y, buffers, finished) };
            return;
        }
        // SAFETY: nothing is promised.
        unsafe { self.row_anywhere::<false>(y, buffers, finished) };
    }

    /// The same operations in the same order, compiled for wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn row_avx2(&self, y: usize, buffers: &mut Buffers, finished: Option<Finished<'_>>) {
        // SAFETY: the processor has AVX2.
        unsafe { self.row_anywhere::<true>(y, buffers, finished) };
    }

    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    unsafe fn row_anywhere<const AVX2: bool>(
        &self,
        y: usize,
        (places, texels, stretch): &mut Buffers,
        finished: Option<Finished<'_>>,
    ) {
        match self.sampling {
            Sampling::Nearest => self.view.nearest_row(y, places),
            _ => self.view.row(y, places),
        }
        if self.wide {
            self.view.stretch(y, stretch);
            self.texture.sample_row_wide(places, stretch, self.sampling, self.edge, texels);
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.texture.sample_row::<AVX2>(places, self.sampling, self.edge, texels) };
        }
        if let Some((finish, out, cover)) = finished {
            // SAFETY: the caller's promise.
            unsafe { finish.row::<AVX2>(texels, out) };
            cover_row(places, self.view.size, cover);
        }
    }
}

/// The geometry of a warp.
pub(super) struct View<'a> {
    size: Size,
    pose: Pose,
    aspect: f64,
    /// 1 over the factor by which the picture grows before it is moved.
    shrink: f64,
    distance: Option<&'a [f32]>,
    /// The way back through the perspective flip, which came first.
    flip: Option<Homography>,
    /// A row of distances where there are none.
    flat: Vec<f32>,
}

impl<'a> View<'a> {
    pub(super) fn new(size: Size, camera: &Camera3d, relief: &'a Relief) -> Self {
        let fits = relief.distance().is_none_or(|plane| plane.size() == size);
        assert!(fits, "a relief has a distance for each of the {size} pixels");
        Self {
            size,
            pose: pose(camera),
            aspect: if camera.old_aspect { old_aspect_ratio(size) } else { camera.aspect_ratio },
            shrink: 1.0 / camera.zoom,
            distance: relief.distance().map(Plane::values),
            flip: None,
            flat: vec![1.0; size.width],
        }
    }

    /// Where a place at distance `z` comes from, the flip left out.
    pub(super) fn source(&self, [x, y]: [f64; 2], z: f64) -> [f64; 2] {
        Ray::new(self, y).source(x, z)
    }

    /// Distances of row `y`.
    #[inline(always)]
    fn distances(&self, y: usize) -> &[f32] {
        let width = self.size.width;
        self.distance.map_or(&self.flat[..], |all| &all[y * width..][..width])
    }

    /// Where each pixel of row `y` comes from, in the flipped picture.
    #[inline(always)]
    fn sources(&self, y: usize) -> impl Iterator<Item = [f64; 2]> {
        let ray = Ray::new(self, y as f64);
        self.distances(y).iter().enumerate().map(move |(x, z)| ray.source(f64::from(x as i32), f64::from(*z)))
    }
}

impl Positions for View<'_> {
    #[inline(always)]
    fn row(&self, y: usize, places: &mut Places) {
        match &self.flip {
            Some(flip) => places.between(self.sources(y).map(|place| flip.source(place))),
            None => places.between(self.sources(y)),
        }
    }

    #[inline(always)]
    fn nearest_row(&self, y: usize, places: &mut Places) {
        match &self.flip {
            Some(flip) => places.nearest(self.sources(y).map(|place| flip.source(place))),
            None => places.nearest(self.sources(y)),
        }
    }

    /// As if the pixels around were as far away as this one: what lies behind an edge of the relief is no reason to
    /// blur it.
    fn stretch(&self, y: usize, stretch: &mut [[f32; 2]]) {
        let (ray, below) = (Ray::new(self, y as f64), Ray::new(self, (y + 1) as f64));
        let through = |place| self.flip.as_ref().map_or(place, |flip| flip.source(place));
        for ((x, z), stretch) in self.distances(y).iter().enumerate().zip(stretch) {
            let (x, z) = (f64::from(x as i32), f64::from(*z));
            let here = through(ray.source(x, z));
            let (right, down) = (through(ray.source(x + 1.0, z)), through(below.source(x, z)));
            *stretch = std::array::from_fn(|axis| {
                let (across, down) = (right[axis] - here[axis], down[axis] - here[axis]);
                sqrt(across * across + down * down) as f32
            });
        }
    }
}

/// What is the same for all pixels of a row.
struct Ray {
    rotation: [[f64; 3]; 3],
    /// Translation plus the row's share of the rotated point.
    start: [f64; 3],
    /// Place of the row, of the first column, and step of the columns in the plane from -1 to 1.
    y: f64,
    first: f64,
    step: f64,
    /// Pixel of the row in the grown picture, first column there, step of the columns.
    row: f64,
    column: f64,
    shrink: f64,
    /// Pixels that an offset of 1 in the projection means.
    scale: [f64; 2],
}

impl Ray {
    #[inline(always)]
    fn new(view: &View<'_>, row: f64) -> Self {
        let step = |n: usize| if n > 1 { 2.0 / (n - 1) as f64 } else { 0.0 };
        // With a factor of 1 these are the same operations without it, to the last bit.
        let shrink = view.shrink;
        let grown = |n: usize| (n.saturating_sub(1)) as f64 / 2.0 * (1.0 - shrink);
        let y = row * (step(view.size.height) * shrink) - shrink;
        let r = &view.pose.rotation;
        let rotation: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| r[(i, j)]));
        let start = std::array::from_fn(|j| y * rotation[1][j] + view.pose.translation[j]);
        let focal = view.pose.focal;
        let scale =
            [focal / view.aspect * view.size.width as f64 / 2.0, focal * view.size.height as f64 / 2.0];
        Self {
            rotation,
            start,
            y,
            first: -shrink,
            step: step(view.size.width) * shrink,
            row: row * shrink + grown(view.size.height),
            column: grown(view.size.width),
            shrink,
            scale,
        }
    }

    /// Where the pixel at `column` of the row with the point at distance `z` is sampled.
    #[inline(always)]
    fn source(&self, column: f64, z: f64) -> [f64; 2] {
        let x = column * self.step + self.first;
        let [vx, vy, vz]: [f64; 3] =
            std::array::from_fn(|j| x * self.rotation[0][j] + z * self.rotation[2][j] + self.start[j]);
        let share = 1.0 / (vz * z);
        [
            column * self.shrink + self.column - (vx * z - x * vz) * share * self.scale[0],
            self.row - (vy * z - self.y * vz) * share * self.scale[1],
        ]
    }
}
