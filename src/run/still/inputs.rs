//! The pictures that go into a still, brought to its size.

use super::{Masking, StillOptions};
use crate::canvas::{Canvas, Size};
use crate::diffusion::engine::{MaskFill, PaintMask};
use crate::edges;
use crate::error::{Error, Result};
use crate::render::seams::Sources;
use crate::run::fit::filling;
use crate::timeline::frame::{ControlInput, ControlParams, DepthSource, FrameParams};

/// Sides that a picture may have, in pixels: as those of a film.
const SIDES: std::ops::RangeInclusive<usize> = 8..=16384;

/// How far a mask's edge is softened when nothing is said, in pixels, as in the web UI.
const BLUR: f64 = 4.0;

/// Pixels around a mask that are painted with it when nothing is said, as in the web UI.
const PADDING: u32 = 32;

/// What of a picture is repainted, and how.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    /// White is repainted. Of the size of the picture underneath.
    picture: Canvas,
    pub(super) fill: MaskFill,
    pub(super) blur: f64,
    pub(super) region: Option<u32>,
    pub(super) soft: bool,
}

impl Mask {
    /// As the engine takes it.
    pub(super) fn of_job(&self) -> PaintMask<'_> {
        let Self { picture: mask, fill, blur, region, soft } = self;
        PaintMask { mask, fill: *fill, blur: *blur, region: *region, soft: *soft }
    }
}

/// What goes into a still.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The size of the finished picture.
    pub(super) exact: Size,
    /// The size that is painted: the same, up to the next size that the model can paint, where what is more lies to
    /// the right and below; with «only masked» that of the part.
    pub(super) painted: Size,
    /// The picture underneath.
    pub(super) init: Option<Canvas>,
    /// What of it is repainted; without it everything.
    pub(super) mask: Option<Mask>,
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
        let masking = &options.masking;
        // A box needs no more than itself to be painted.
        let region = masking.only_masked.or(masking.region.map(|_| PADDING)).filter(|_| opened.is_some());
        let own = opened.as_ref().map(|(init, _)| init.size());
        // With «only masked» the size is that of the part that is painted; the picture keeps its own.
        let given = options.size.filter(|_| region.is_none());
        let exact = given.or(own).unwrap_or(native);
        let asked = if region.is_some() { options.size.unwrap_or(native) } else { exact };
        let painted = whole_units(asked, unit);
        if own.is_none() || options.size.is_some() {
            check_size(asked)?;
        }
        if (own.is_none() || region.is_some()) && asked != painted {
            // Nothing says what should be cut off.
            return Err(Error::Usage {
                message: format!("size: expected multiples of {unit} for this model, found {asked}"),
                hint: Some(format!("take {painted}")),
            });
        }
        // What the picture underneath is enlarged to at its right and lower edge.
        let under = if region.is_some() { exact } else { painted };
        let fitted = |picture: &Canvas| filling(picture, exact).cut(0, 0, under);
        let mask = match &opened {
            Some((init, alpha)) => mask(masking, init, alpha.as_ref(), exact, under)?,
            None => None,
        };
        if region.is_some() && mask.is_none() {
            return Err(Error::Usage {
                message: "--only-masked: there is no mask".to_owned(),
                hint: Some("give one with `--mask`, or an --init with transparent parts".to_owned()),
            });
        }
        // Under transparent parts there is nothing that could be kept.
        let is_holes = masking.mask.is_none() && opened.as_ref().is_some_and(|(_, alpha)| alpha.is_some());
        let usual = if is_holes { MaskFill::Fill } else { MaskFill::Original };
        let mask = mask.map(|picture| Mask {
            picture,
            fill: masking.fill.unwrap_or(usual),
            blur: masking.blur.unwrap_or(BLUR),
            region,
            soft: masking.soft,
        });
        let init = opened.map(|(init, _)| fitted(&init));
        let mut hints = Vec::with_capacity(params.controls.len());
        for control in &params.controls {
            let hint = shown(control, init.as_ref(), exact, files)?;
            // What was enlarged for the model's sake is enlarged in the same way here.
            hints.push(Some(if hint.size() == under { hint } else { hint.cut(0, 0, under) }));
        }
        Ok(Self { exact, painted, init, mask, hints })
    }

    /// The size that is written down: what `--size` would have to say.
    pub(super) fn said_size(&self) -> Size {
        if self.mask.as_ref().is_some_and(|mask| mask.region.is_some()) { self.painted } else { self.exact }
    }
}

/// What a control is shown. Pictures are brought to the size `exact`; `init` has been already.
fn shown(
    control: &ControlParams,
    init: Option<&Canvas>,
    exact: Size,
    files: &mut dyn Sources,
) -> Result<Canvas> {
    let hint = match (&control.input, init) {
        (ControlInput::Picture(path), _) | (ControlInput::Reference { image: Some(path), .. }, _) => {
            files.picture(path, exact, control.fit)?
        }
        (ControlInput::Canny { image: Some(path), low, high }, _) => {
            files.edges(path, exact, control.fit, (*low, *high))?
        }
        (ControlInput::Canny { image: None, low, high }, Some(init)) => edges::canny(init, *low, *high),
        (ControlInput::Reference { image: None, .. }, Some(init)) => init.clone(),
        (ControlInput::Depth, Some(init)) => {
            let depth = files.depth(&DepthSource::Network(None), init)?;
            files.hint(&depth)
        }
        (_, None) => return Err(Error::Bug(format!("control `{}` has nothing to see", control.name))),
    };
    Ok(if control.invert { hint.negative() } else { hint })
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
        (None, Some(alpha)) => Some(alpha.clone().negative()),
        (None, None) => None,
    };
    if masking.invert {
        let meant = mask.ok_or_else(|| Error::Usage {
            message: "--invert-mask: there is no mask".to_owned(),
            hint: Some("give one with `--mask`, or an --init with transparent parts".to_owned()),
        })?;
        mask = Some(meant.negative());
    }
    if let Some(region) = masking.region {
        let whole = mask.unwrap_or_else(|| Canvas::filled(init.size(), [255; 3]));
        mask = Some(boxed(filling(&whole, init.size()), region)?);
    }
    let Some(mask) = mask else { return Ok(None) };
    let mut fitted = filling(&mask, exact).cut(0, 0, painted);
    if fitted.as_rgb8().iter().all(|v| *v == 0) {
        let path = masking.mask.as_deref().unwrap_or(std::path::Path::new("mask"));
        return Err(Error::input(path, "the mask is black throughout: nothing would be repainted")
            .with_hint("white is repainted; `--invert-mask` repaints what is black"));
    }
    blacken_beyond(&mut fitted, exact);
    Ok(Some(fitted))
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
