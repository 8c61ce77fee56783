//! Dense optical flow by dense inverse search: Kroeger, Timofte, Dai, Van Gool, «Fast Optical Flow using Dense
//! Inverse Search», ECCV 2016, with the variational refinement of Brox, Bruhn, Papenberg, Weickert, ECCV 2004.
//!
//! From coarse to fine: patches of 8x8 pixels search their place in the other picture, every pixel averages
//! the vectors of the patches that cover it, and the field is refined. Patches take over their neighbours'
//! vectors from the round before and the solver is red-black, so any number of threads gives the same bits.

mod farneback;
mod patches;
mod pyramid;
mod variational;

use crate::canvas::{Canvas, Plane, Size};
pub use farneback::{FarnebackSettings, farneback};
use pyramid::{grey, halved};

/// How much work a flow takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowSettings {
    /// Pixels between patches, 1–8.
    pub stride: usize,
    /// Steps of a patch's search at most.
    pub iterations: usize,
    /// Linearisations of the refinement on each level, 0 leaves it out.
    pub refinements: usize,
    /// The finest level has at most so many pixels; above it the flow is enlarged.
    pub finest_area: usize,
    /// The finest level that is looked at: 0 is the picture, 1 its half; from there the flow is enlarged.
    pub finest_level: usize,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { stride: 4, iterations: 16, refinements: 5, finest_area: 1 << 20, finest_level: 0 }
    }
}

impl FlowSettings {
    /// OpenCV 4's DIS preset «medium»: half the picture, 25 steps.
    pub const DIS_MEDIUM: Self =
        Self { stride: 4, iterations: 25, refinements: 5, finest_area: usize::MAX, finest_level: 1 };
    /// What Deforum calls «DIS Fine»: the preset on the whole picture with 192 steps.
    pub const DIS_FINE: Self = Self { iterations: 192, finest_level: 0, ..Self::DIS_MEDIUM };
}

/// For every pixel of a picture, where it is in another: `second(p + vector(p))` shows what `first(p)` does.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    size: Size,
    vectors: Vec<[f32; 2]>,
}

impl Flow {
    /// The same vector everywhere.
    pub fn filled(size: Size, vector: [f32; 2]) -> Self {
        Self { size, vectors: vec![vector; size.area()] }
    }

    /// Takes row-major vectors (x right, y down, in pixels), as from a known camera motion.
    ///
    /// # Panics
    /// When there is not one a pixel: a bug of the caller.
    pub fn from_vectors(size: Size, vectors: Vec<[f32; 2]>) -> Self {
        assert_eq!(vectors.len(), size.area(), "a flow of {size} has one vector a pixel");
        Self { size, vectors }
    }

    /// Width and height of the picture it starts from.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All vectors, row by row: x right, y down, in pixels.
    pub fn vectors(&self) -> &[[f32; 2]] {
        &self.vectors
    }

    /// Bilinear between pixels; clamped at the border.
    pub fn sample(&self, x: f32, y: f32) -> [f32; 2] {
        let (at, weights) = pyramid::corners(self.size, x, y);
        std::array::from_fn(|c| (0..4).map(|i| weights[i] * self.vectors[at[i]][c]).sum())
    }

    /// The field at another size, its vectors scaled with it.
    fn resized(&self, size: Size) -> Self {
        let (sx, sy) =
            (self.size.width as f32 / size.width as f32, self.size.height as f32 / size.height as f32);
        let vector = |i: usize| {
            let (x, y) = ((i % size.width) as f32, (i / size.width) as f32);
            let [u, v] = self.sample((x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5);
            [u / sx, v / sy]
        };
        Self { size, vectors: (0..size.area()).map(vector).collect() }
    }
}

/// The flow from `first` to `second`, which have one size.
///
/// # Panics
/// When their sizes differ: a bug of the caller.
pub fn flow(first: &Canvas, second: &Canvas, settings: &FlowSettings) -> Flow {
    flow_from(first, second, settings, None)
}

/// As [`flow`], beginning at a flow that is nearly right, such as that of the frame before; it may have any size.
///
/// # Panics
/// When the pictures' sizes differ: a bug of the caller.
pub fn flow_from(first: &Canvas, second: &Canvas, settings: &FlowSettings, start: Option<&Flow>) -> Flow {
    assert_eq!(first.size(), second.size(), "a flow needs two pictures of one size");
    let (first, second) = (levels(grey(first)), levels(grey(second)));
    let finest = first.iter().position(|p| p.size().area() <= settings.finest_area).unwrap_or(0);
    let finest = finest.max(settings.finest_level).min(first.len() - 1);
    let mut field: Option<Flow> = start.map(|start| start.resized(first[first.len() - 1].size()));
    for level in (finest..first.len()).rev() {
        let (a, b) = (&first[level], &second[level]);
        let start = field.map_or_else(|| Flow::filled(a.size(), [0.0; 2]), |coarse| coarse.resized(a.size()));
        let dense = patches::search(a, b, &start, settings);
        field = Some(variational::refine(a, b, dense, settings.refinements));
    }
    let field = field.unwrap_or_else(|| Flow::filled(first[0].size(), [0.0; 2]));
    if finest == 0 { field } else { field.resized(first[0].size()) }
}

/// The picture, its half, its quarter, … down to where a few patches still fit.
fn levels(picture: Plane) -> Vec<Plane> {
    const SMALLEST: usize = 24;
    let mut levels = vec![picture];
    while let Some(last) = levels.last().filter(|p| p.size().width.min(p.size().height) / 2 >= SMALLEST) {
        levels.push(halved(last));
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Smooth random-looking texture, continuous in its argument.
    fn texture(x: f32, y: f32) -> [u8; 3] {
        let value = 128.0
            + 40.0 * (x * 0.31 + 0.9 * (y * 0.13).sin()).sin()
            + 40.0 * (y * 0.27 + 1.3 * (x * 0.11).cos()).cos()
            + 20.0 * ((x + y) * 0.71).sin();
        [value as u8; 3]
    }

    fn picture(size: Size, place: impl Fn(f32, f32) -> (f32, f32)) -> Canvas {
        let pixel = |i: usize| {
            let (x, y) = place((i % size.width) as f32, (i / size.width) as f32);
            texture(x, y)
        };
        Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
    }

    /// Mean endpoint error away from the border, where content enters and leaves.
    fn error(flow: &Flow, truth: impl Fn(f32, f32) -> [f32; 2]) -> f32 {
        let Size { width, height } = flow.size();
        let inner = (16..height - 16).flat_map(|y| (16..width - 16).map(move |x| (x, y)));
        let errors: Vec<f32> = inner
            .map(|(x, y)| {
                let (found, truth) = (flow.vectors()[y * width + x], truth(x as f32, y as f32));
                (found[0] - truth[0]).hypot(found[1] - truth[1])
            })
            .collect();
        errors.iter().sum::<f32>() / errors.len() as f32
    }

    /// A twentieth of a pixel on a smooth texture of 8 bits; the paper's own errors on real film are larger.
    #[test]
    fn shifts_and_turns_are_found() {
        let size = Size::new(120, 90);
        let first = picture(size, |x, y| (x, y));
        for (dx, dy) in [(0.0, 0.0), (1.5, -0.5), (7.25, 4.0), (-12.0, 6.5)] {
            let second = picture(size, |x, y| (x - dx, y - dy));
            let found = flow(&first, &second, &FlowSettings::default());
            let error = error(&found, |_, _| [dx, dy]);
            assert!(error < 0.05, "shift {dx} {dy}: {error}");
        }
        let (sin, cos) = 0.05f32.sin_cos();
        let turn = |x: f32, y: f32| {
            (60.0 + cos * (x - 60.0) + sin * (y - 45.0), 45.0 - sin * (x - 60.0) + cos * (y - 45.0))
        };
        let back = |x: f32, y: f32| {
            (60.0 + cos * (x - 60.0) - sin * (y - 45.0), 45.0 + sin * (x - 60.0) + cos * (y - 45.0))
        };
        let found = flow(&first, &picture(size, turn), &FlowSettings::default());
        let error = error(&found, |x, y| [back(x, y).0 - x, back(x, y).1 - y]);
        assert!(error < 0.05, "turn: {error}");
    }

    #[test]
    fn pictures_without_texture_and_of_any_size_do_not_move() {
        for size in [Size::new(1, 1), Size::new(3, 50), Size::new(9, 7), Size::new(64, 64)] {
            let flat = Canvas::filled(size, [77; 3]);
            let found = flow(&flat, &flat, &FlowSettings::default());
            assert!(found.vectors().iter().all(|v| *v == [0.0, 0.0]), "{size}");
            let other = picture(size, |x, y| (x, y));
            assert!(
                flow(&flat, &other, &FlowSettings::default())
                    .vectors()
                    .iter()
                    .flatten()
                    .all(|v| v.is_finite())
            );
        }
    }

    #[test]
    fn one_thread_and_many_give_the_same_bits() {
        let size = Size::new(96, 64);
        let (first, second) = (picture(size, |x, y| (x, y)), picture(size, |x, y| (x * 1.02 - 3.0, y + 1.0)));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| flow(&first, &second, &FlowSettings::default()))
        };
        assert_eq!(with(1), with(4));
    }
}
