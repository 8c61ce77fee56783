//! The pictures that go into a still, brought to its size.

use super::{Masking, StillOptions};
use crate::canvas::{Canvas, Size};
use crate::edges;
use crate::error::{Error, Result};
use crate::render::seams::Sources;
use crate::run::fit::filling;
use crate::timeline::frame::{ControlInput, ControlParams, DepthSource, FrameParams};

/// Sides that a picture may have, in pixels: as those of a film.
const SIDES: std::ops::RangeInclusive<usize> = 8..=16384;

/// What goes into a still.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The size of the finished picture.
    pub(super) exact: Size,
    /// The size that is painted: the same, up to the next size that the model can paint. What is more lies to the
    /// right and below.
    pub(super) painted: Size,
    /// The picture underneath.
    pub(super) init: Option<Canvas>,
    /// White where it is repainted.
    pub(super) mask: Option<Canvas>,
    /// What each control is shown.
    pub(super) hints: Vec<Option<Canvas>>,
}

impl Inputs {
    /// Reads the pictures. `unit` is what the sides of painted pictures are multiples of, `native` the size the
    /// model was trained at.
    ///
    /// # Errors
    /// [`Error::Input`] when a picture cannot be used; [`Error::Usage`] when sizes do not fit.
    pub(super) fn read(
        options: &StillOptions,
        params: &FrameParams,
        unit: usize,
        native: Size,
        files: &mut dyn Sources,
    ) -> Result<Self> {
        let opened = options.init.as_deref().map(Canvas::open_with_alpha).transpose()?;
        let exact = options.size.or(opened.as_ref().map(|(init, _)| init.size())).unwrap_or(native);
        let painted = whole_units(exact, unit);
        if opened.is_none() || options.size.is_some() {
            check_size(exact)?;
        }
        if opened.is_none() && exact != painted {
            // From text alone nothing says what should be cut off.
            return Err(Error::Usage {
                message: format!("size: expected multiples of {unit} for this model, found {exact}"),
                hint: Some(format!("take {painted}")),
            });
        }
        let fitted = |picture: &Canvas| filling(picture, exact).cut(0, 0, painted);
        let mask = match &opened {
            Some((init, alpha)) => mask(&options.masking, init, alpha.as_ref(), exact, painted)?,
            None => None,
        };
        let init = opened.map(|(init, _)| fitted(&init));
        let mut hints = Vec::with_capacity(params.controls.len());
        for control in &params.controls {
            hints.push(Some(hint(control, init.as_ref(), (exact, painted), files)?));
        }
        Ok(Self { exact, painted, init, mask, hints })
    }
}

/// What a control is shown: its picture, or what is seen in the one that is painted over.
fn hint(
    control: &ControlParams,
    init: Option<&Canvas>,
    (exact, painted): (Size, Size),
    files: &mut dyn Sources,
) -> Result<Canvas> {
    let nothing = || Error::Bug(format!("control `{}` has nothing to see", control.name));
    let hint = match &control.input {
        ControlInput::Picture(path) | ControlInput::Reference { image: Some(path), .. } => {
            files.picture(path, exact, control.fit)?.cut(0, 0, painted)
        }
        ControlInput::Canny { image: Some(path), low, high } => {
            files.edges(path, exact, control.fit, (*low, *high))?.cut(0, 0, painted)
        }
        ControlInput::Canny { image: None, low, high } => {
            edges::canny(init.ok_or_else(nothing)?, *low, *high)
        }
        ControlInput::Depth => {
            let depth = files.depth(&DepthSource::Network(None), init.ok_or_else(nothing)?)?;
            files.hint(&depth)
        }
        ControlInput::Reference { image: None, .. } => return Err(nothing()),
    };
    Ok(if control.invert { inverted(&hint) } else { hint })
}

fn check_size(size: Size) -> Result<()> {
    if SIDES.contains(&size.width) && SIDES.contains(&size.height) {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("size: expected sides of {} to {} pixels, found {size}", SIDES.start(), SIDES.end()),
        hint: Some("512x512 is usual for Stable Diffusion 1.5, 1024x1024 for XL".to_owned()),
    })
}

/// The size with both sides rounded up to multiples of `unit`.
fn whole_units(size: Size, unit: usize) -> Size {
    Size::new(size.width.next_multiple_of(unit), size.height.next_multiple_of(unit))
}

/// White where the picture is repainted; `None` is everywhere.
fn mask(
    masking: &Masking,
    init: &Canvas,
    alpha: Option<&Canvas>,
    exact: Size,
    painted: Size,
) -> Result<Option<Canvas>> {
    let mut mask = match (&masking.mask, alpha) {
        (Some(path), _) => {
            // A mask that was painted on an empty layer: what is opaque is meant.
            let (grey, alpha) = Canvas::open_with_alpha(path)?;
            Some(alpha.unwrap_or(grey))
        }
        // Holes are repainted.
        (None, Some(alpha)) => Some(inverted(alpha)),
        (None, None) => None,
    };
    if masking.invert {
        mask = Some(inverted(&mask.ok_or_else(|| Error::Usage {
            message: "--invert-mask: there is no mask".to_owned(),
            hint: Some("give one with `--mask`, or an --init with transparent parts".to_owned()),
        })?));
    }
    if let Some(region) = masking.region {
        let whole = mask.unwrap_or_else(|| Canvas::filled(init.size(), [255; 3]));
        mask = Some(boxed(filling(&whole, init.size()), region)?);
    }
    let Some(mask) = mask else { return Ok(None) };
    let mut fitted = filling(&mask, exact).cut(0, 0, painted);
    if fitted.as_rgb8().iter().all(|v| *v == 0) {
        let path = masking.mask.as_deref().or(None).unwrap_or(std::path::Path::new("mask"));
        return Err(Error::input(path, "the mask is black throughout: nothing would be repainted")
            .with_hint("white is repainted; `--invert-mask` repaints what is black"));
    }
    blacken_beyond(&mut fitted, exact);
    Ok(Some(fitted))
}

fn inverted(picture: &Canvas) -> Canvas {
    let rgb = picture.as_rgb8().iter().map(|v| 255 - v).collect();
    Canvas::from_rgb8(picture.size(), rgb)
}

/// The mask inside a box (left, top, width, height in pixels of the picture underneath), black outside.
fn boxed(mut mask: Canvas, [x, y, width, height]: [u32; 4]) -> Result<Canvas> {
    let size = mask.size();
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = (left + width as usize, top + height as usize);
    if width == 0 || height == 0 || right > size.width || bottom > size.height {
        return Err(Error::Usage {
            message: format!(
                "--region {x},{y},{width},{height}: expected a box inside the picture, which is {size}"
            ),
            hint: Some("it is left, top, width, height, in pixels".to_owned()),
        });
    }
    let columns = size.width;
    for (at, pixel) in mask.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        let (column, row) = (at % columns, at / columns);
        if !(left..right).contains(&column) || !(top..bottom).contains(&row) {
            pixel.fill(0);
        }
    }
    Ok(mask)
}

/// What is painted only because the model needs it is not part of the picture.
fn blacken_beyond(mask: &mut Canvas, exact: Size) {
    let columns = mask.width();
    for (at, pixel) in mask.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        if at % columns >= exact.width || at / columns >= exact.height {
            pixel.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn white(mask: &Canvas) -> Vec<(usize, usize)> {
        let columns = mask.width();
        let pixels = mask.as_rgb8().chunks(3).enumerate().filter(|(_, pixel)| pixel[0] > 0);
        pixels.map(|(at, _)| (at % columns, at / columns)).collect()
    }

    #[test]
    fn holes_are_repainted_and_what_is_added_is_not() {
        let init = Canvas::filled(Size::new(3, 2), [9; 3]);
        let mut alpha = Canvas::filled(Size::new(3, 2), [255; 3]);
        alpha.as_rgb8_mut()[15..18].fill(0);
        let made = |masking: &Masking, alpha| {
            mask(masking, &init, alpha, init.size(), Size::new(8, 8))
                .map(|mask| mask.map(|mask| white(&mask)))
        };
        assert_eq!(made(&Masking::default(), Some(&alpha)).unwrap(), Some(vec![(2, 1)]));
        assert_eq!(made(&Masking::default(), None).unwrap(), None);
        let inverse = Masking { invert: true, ..Masking::default() };
        assert_eq!(made(&inverse, Some(&alpha)).unwrap().unwrap().len(), 5);
        assert!(made(&inverse, None).is_err());
        let region = Masking { region: Some([1, 0, 2, 1]), ..Masking::default() };
        assert_eq!(made(&region, None).unwrap(), Some(vec![(1, 0), (2, 0)]));
        assert!(made(&region, Some(&alpha)).unwrap_err().to_string().contains("black throughout"));
        let beyond = Masking { region: Some([2, 0, 2, 1]), ..Masking::default() };
        assert!(made(&beyond, None).unwrap_err().to_string().contains("3x2"));
    }
}
