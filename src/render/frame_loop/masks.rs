//! Masks as pixels: what of a frame is repainted, and what is put back outside of it.

use super::studio::Studio;
use crate::canvas::{Canvas, Plane, Size};
use crate::colour::compose;
use crate::error::Result;
use crate::render::seams::Sources;
use crate::timeline::frame::{Fit, FrameParams, FrameSource, MaskJoin, MaskParams, MaskTree};

impl Studio<'_> {
    /// A mask at a frame, 0 to 1.
    ///
    /// # Errors
    /// When a picture of it cannot be read.
    pub(super) fn mask_plane(&mut self, tree: &MaskTree) -> Result<Plane> {
        plane(self.sources, tree, self.size)
    }

    /// What of this frame is repainted, as grey; `None` is all of it.
    pub(super) fn mask(&mut self, params: &FrameParams) -> Result<Option<Canvas>> {
        let Some(mask) = &params.mask else { return Ok(None) };
        let grey = adjusted(&self.mask_plane(&mask.tree)?, mask);
        let is_black = grey.iter().all(|value| *value == 0);
        Ok((!is_black || !mask.black_is_none).then(|| of_grey(&grey, self.size)))
    }

    /// `painted` inside of the mask, and outside the source's own picture, where it has one.
    pub(super) fn overlaid(
        &mut self,
        params: &FrameParams,
        painted: Canvas,
        mask: Option<&Canvas>,
    ) -> Result<Canvas> {
        let Some((mask, set)) = mask.zip(params.mask.as_ref()).filter(|(_, set)| set.overlay) else {
            return Ok(painted);
        };
        let original = match &params.source {
            FrameSource::Init(path) | FrameSource::Still(path) => {
                self.sources.picture(path, self.size, Fit::Crop)?
            }
            FrameSource::Video(clip, number) => self.sources.video(clip, *number, self.size, Fit::Crop)?,
            FrameSource::Previous
            | FrameSource::InitVideo(..)
            | FrameSource::SceneBefore
            | FrameSource::Text => match &params.hybrid {
                Some(hybrid) => self.hybrid_picture(&hybrid.video)?,
                None => return Ok(painted),
            },
        };
        let soft = blurred(&compose::luma(mask), self.size, set.blur);
        Ok(compose::composite(&painted, &original, &soft))
    }
}

/// The mask with its brightness and contrast, 0 to 255.
fn adjusted(plane: &Plane, mask: &MaskParams) -> Vec<u8> {
    let mut grey: Vec<u8> = plane.values().iter().map(|value| (value * 255.0).round() as u8).collect();
    if mask.brightness != 1.0 {
        grey = compose::blended(&vec![0; grey.len()], &grey, mask.brightness);
    }
    if mask.contrast != 1.0 {
        grey = compose::contrasted(&grey, mask.contrast);
    }
    grey
}

fn of_grey(grey: &[u8], size: Size) -> Canvas {
    Canvas::from_rgb8(size, grey.iter().flat_map(|value| [*value; 3]).collect())
}

/// The mask that a tree means, 0 to 1.
fn plane(sources: &mut dyn Sources, tree: &MaskTree, size: Size) -> Result<Plane> {
    let of = |canvas: &Canvas| {
        let values = compose::luma(canvas).into_iter().map(|value| f32::from(value) / 255.0);
        Plane::from_values(size, values.collect())
    };
    Ok(match tree {
        MaskTree::Everywhere => Plane::filled(size, 1.0),
        MaskTree::File(path) => match sources.alpha(path, size, Fit::Crop)? {
            // A mask that was painted on an empty layer: what is opaque is meant.
            Some(alpha) => of(&alpha),
            None => of(&sources.picture(path, size, Fit::Crop)?),
        },
        MaskTree::Video(clip, number) => of(&sources.video(clip, *number, size, Fit::Crop)?),
        MaskTree::Holes(path) => match sources.alpha(path, size, Fit::Crop)? {
            Some(alpha) => of(&alpha.negative()),
            None => Plane::filled(size, 0.0),
        },
        MaskTree::Box([left, top, width, height]) => {
            shape(size, |x, y| (*left..left + width).contains(&x) && (*top..top + height).contains(&y))
        }
        MaskTree::Ellipse([left, top, width, height]) => shape(size, |x, y| {
            let (x, y) = ((x - left) / width - 0.5, (y - top) / height - 0.5);
            x * x + y * y <= 0.25
        }),
        MaskTree::Hard(mask) => each(plane(sources, mask, size)?, |a| if a >= 0.5 { 1.0 } else { 0.0 }),
        MaskTree::Not(mask) => each(plane(sources, mask, size)?, |a| 1.0 - a),
        MaskTree::Join(join, a, b) => {
            let (mut a, b) = (plane(sources, a, size)?, plane(sources, b, size)?);
            for (a, b) in a.values_mut().iter_mut().zip(b.values()) {
                *a = match join {
                    MaskJoin::And => a.min(*b),
                    MaskJoin::Or => a.max(*b),
                    MaskJoin::Xor => (*a - b).abs(),
                    MaskJoin::Without => a.min(1.0 - b),
                };
            }
            a
        }
    })
}

fn each(mut plane: Plane, change: impl Fn(f32) -> f32) -> Plane {
    plane.values_mut().iter_mut().for_each(|value| *value = change(*value));
    plane
}

/// 1 where the middle of a pixel, as shares of the picture, is inside.
fn shape(size: Size, is_inside: impl Fn(f64, f64) -> bool) -> Plane {
    let share = |at: usize, of: usize| (at as f64 + 0.5) / of as f64;
    let values = (0..size.area()).map(|at| {
        let (x, y) = (share(at % size.width, size.width), share(at / size.width, size.height));
        if is_inside(x, y) { 1.0 } else { 0.0 }
    });
    Plane::from_values(size, values.collect())
}

/// Softened by a Gaussian of the deviation `sigma` in pixels; the picture's edge goes on beyond it.
fn blurred(grey: &[u8], size: Size, sigma: f64) -> Vec<u8> {
    if sigma <= 0.0 {
        return grey.to_vec();
    }
    // Beyond three deviations a Gaussian is below 1.2 %; no picture is wider than the kernel may be.
    let reach = ((3.0 * sigma).ceil() as usize).min(size.width.max(size.height));
    let weights: Vec<f64> =
        (0..=reach).map(|i| libm::exp(-((i * i) as f64) / (2.0 * sigma * sigma))).collect();
    let values: Vec<f64> = grey.iter().map(|value| f64::from(*value)).collect();
    let across = one_way(&values, &weights, size.width, 1, size.height, size.width);
    let both = one_way(&across, &weights, size.height, size.width, size.width, 1);
    both.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect()
}

/// A blur along `count` lines of `length` values that lie `step` apart.
fn one_way(
    values: &[f64],
    weights: &[f64],
    length: usize,
    step: usize,
    count: usize,
    apart: usize,
) -> Vec<f64> {
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    let mut out = vec![0.0; values.len()];
    for line in 0..count {
        let at =
            |place: isize| values[line * apart + place.clamp(0, length as isize - 1).cast_unsigned() * step];
        for place in 0..length {
            let here = place.cast_signed();
            let sides = weights[1..]
                .iter()
                .zip(1_isize..)
                .map(|(weight, by)| weight * (at(here - by) + at(here + by)));
            out[line * apart + place * step] = (weights[0] * at(here) + sides.sum::<f64>()) / total;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::timeline::frame::DepthSource;

    /// White pictures; those called `left` are white in their left half, and `holes` is transparent there.
    struct Halves;

    impl Sources for Halves {
        fn picture(&mut self, path: &std::path::Path, size: Size, _fit: Fit) -> Result<Canvas> {
            let is_left = path.ends_with("left");
            let grey =
                (0..size.area()).map(|at| if is_left && at % size.width * 2 >= size.width { 0 } else { 255 });
            Ok(of_grey(&grey.collect::<Vec<u8>>(), size))
        }

        fn alpha(&mut self, path: &std::path::Path, size: Size, fit: Fit) -> Result<Option<Canvas>> {
            let left = self.picture("left".as_ref(), size, fit)?;
            Ok(path.ends_with("holes").then(|| left.negative()))
        }

        fn edges(&mut self, path: &std::path::Path, size: Size, fit: Fit, _: (f64, f64)) -> Result<Canvas> {
            self.picture(path, size, fit)
        }

        fn depth(&mut self, _source: &DepthSource, picture: &Canvas) -> Result<Plane> {
            Ok(Plane::filled(picture.size(), 1.0))
        }

        fn hint(&self, depth: &Plane) -> Canvas {
            Canvas::filled(depth.size(), [0; 3])
        }
    }

    fn sum(tree: &MaskTree) -> f32 {
        plane(&mut Halves, tree, Size::new(8, 8)).unwrap().values().iter().sum()
    }

    #[test]
    fn trees_become_masks() {
        let left = || Box::new(MaskTree::File("left".into()));
        let upper = || Box::new(MaskTree::Box([0.0, 0.0, 1.0, 0.5]));
        assert_eq!(sum(&left()), 32.0);
        assert_eq!(sum(&MaskTree::Holes("holes".into())), 32.0);
        assert_eq!(sum(&MaskTree::Holes("left".into())), 0.0);
        assert_eq!(sum(&MaskTree::Not(left())), 32.0);
        for (join, area) in
            [(MaskJoin::And, 16.0), (MaskJoin::Or, 48.0), (MaskJoin::Xor, 32.0), (MaskJoin::Without, 16.0)]
        {
            assert_eq!(sum(&MaskTree::Join(join, left(), upper())), area, "{join:?}");
        }
        let disc = sum(&MaskTree::Ellipse([0.0, 0.0, 1.0, 1.0]));
        assert!((disc - 50.0).abs() <= 4.0, "{disc} of {}", 16.0 * std::f32::consts::PI);
    }

    #[test]
    fn a_missing_video_is_an_error() {
        let clip = crate::timeline::frame::Clip::whole("clip.mp4".into());
        let found = plane(&mut Halves, &MaskTree::Video(clip, 0), Size::new(8, 8));
        assert!(matches!(found, Err(Error::Input { .. })), "{found:?}");
    }

    #[test]
    fn blur_softens_and_keeps_the_sum_inside() {
        let size = Size::new(33, 33);
        let mut dot = vec![0; size.area()];
        dot[16 * 33 + 16] = 255;
        dot[16 * 33 + 17] = 255;
        let soft = blurred(&dot, size, 2.0);
        assert!(soft[16 * 33 + 16] < 40 && soft[16 * 33 + 12] > 0);
        assert_eq!(blurred(&vec![200; size.area()], size, 5.0), vec![200; size.area()]);
        assert_eq!(blurred(&dot, size, 0.0), dot);
    }
}
