//! What a still's control makes of its picture.

use std::path::Path;

use crate::timeline::frame::{ControlInput, Fit};

/// How a control looks at its picture, or at the one that is painted over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// What it is shown.
    pub from: LookFrom,
    /// Canny's low threshold.
    pub low: f64,
    /// Canny's high threshold.
    pub high: f64,
    /// How far the negative prompt is kept from seeing a reference.
    pub fidelity: f64,
    /// How a picture of another shape is fitted.
    pub fit: Fit,
    /// Whether it is shown the negative.
    pub invert: bool,
}

/// What a control is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LookFrom {
    /// Its picture as it is, or without one the depth of the picture that is painted over.
    #[default]
    Plain,
    /// The edges of either.
    Canny,
    /// The film's model itself looks at the picture.
    Reference,
}

impl Default for Look {
    fn default() -> Self {
        let (from, fit) = (LookFrom::Plain, Fit::Crop);
        Self { from, low: 100.0, high: 200.0, fidelity: 0.5, fit, invert: false }
    }
}

impl Look {
    /// Sets what `name` says; `None` when there is no such setting.
    ///
    /// # Errors
    /// What was expected instead of `value`.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        let number = |least: f64, most: f64| -> Result<f64, String> {
            let found = value.parse().ok().filter(|found| (least..=most).contains(found));
            found.ok_or_else(|| format!("expected a number from {least} to {most}"))
        };
        let done = match name {
            "low" => number(0.0, 2040.0).map(|low| self.low = low),
            "high" => number(0.0, 2040.0).map(|high| self.high = high),
            "fidelity" => number(0.0, 1.0).map(|fidelity| self.fidelity = fidelity),
            "from" => match value {
                "depth" | "as_is" => Ok(LookFrom::Plain),
                "canny" => Ok(LookFrom::Canny),
                "reference" => Ok(LookFrom::Reference),
                _ => Err("expected depth, as_is, canny or reference".to_owned()),
            }
            .map(|from| self.from = from),
            "resize" => match value {
                "crop" => Ok(Fit::Crop),
                "stretch" => Ok(Fit::Stretch),
                "fit" => Ok(Fit::Inside),
                _ => Err("expected crop, stretch or fit".to_owned()),
            }
            .map(|fit| self.fit = fit),
            "invert" => value
                .parse()
                .map(|invert| self.invert = invert)
                .map_err(|_| "expected true or false".to_owned()),
            _ => return None,
        };
        Some(done)
    }

    /// The same as the numbers of a frame say it, for a control with that picture.
    pub(super) fn input(&self, picture: Option<&Path>) -> ControlInput {
        let image = picture.map(Path::to_owned);
        match (self.from, image) {
            (LookFrom::Canny, image) => ControlInput::Canny { image, low: self.low, high: self.high },
            (LookFrom::Reference, image) => ControlInput::Reference { image, fidelity: self.fidelity },
            (LookFrom::Plain, Some(image)) => ControlInput::Picture(image),
            (LookFrom::Plain, None) => ControlInput::Depth,
        }
    }
}
