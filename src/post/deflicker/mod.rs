//! Takes flicker out of a sequence: exposure, white balance, rolling bands. Changes that are meant, such as a
//! sunset, stay.
//!
//! Two passes over the frames: [`Analyser`] sees each once and keeps a few kilobytes of it, then
//! [`Correction`] corrects any of them in any order. Frames themselves are never kept, so ten thousand
//! of them take no more pictures in memory than five. [`sequence`] does both for a folder or a video.

mod apply;
mod gain;
mod histogram;
pub mod lookahead;
pub mod sequence;
mod transfer;

use std::ops::Range;

pub use apply::Grid;
pub use histogram::{Matching, Tables};
pub use lookahead::Mean;

use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// How flicker is measured and taken out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// One gain for each of R, G, B and frame: exposure and white-balance flicker.
    GainCurve {
        /// Width of the Gaussian that tells flicker from change, in frames; 6 is right for most.
        sigma: f64,
    },
    /// As [`Method::GainCurve`] for each cell of a coarse grid: also rolling bands and local flicker.
    GainMap {
        /// Rows of cells, 1–64; 12 follows bands.
        rows: usize,
        /// Columns of cells, 1–64.
        columns: usize,
        /// As for the curve.
        sigma: f64,
    },
    /// Histogram matching, byte for byte as simple-deflicker.
    Histogram {
        /// Frames on both sides that are averaged (its `rollingAverage`); 0 averages the whole scene.
        radius: usize,
        /// Which of its two behaviours.
        matching: Matching,
    },
    /// One gain a frame from a mean that looks ahead, as ffmpeg's `deflicker` but on all three channels.
    LookAhead {
        /// Frames of the mean, 2–129.
        size: usize,
        /// Which mean.
        mean: Mean,
    },
}

impl Default for Method {
    fn default() -> Self {
        Self::GAIN_MAP
    }
}

impl Method {
    /// The gain curve with its default width.
    pub const GAIN_CURVE: Self = Self::GainCurve { sigma: 6.0 };
    /// The gain map of 12 rows and 4 columns with its default width.
    pub const GAIN_MAP: Self = Self::gain_map(6.0);

    /// The gain map of 12 rows and 4 columns with a width of `sigma` frames.
    pub const fn gain_map(sigma: f64) -> Self {
        Self::GainMap { rows: 12, columns: 4, sigma }
    }

    fn check(self) -> Result<()> {
        let usual = match self {
            Self::GainMap { .. } => "12 rows, 4 columns and a sigma of 6 suit most",
            _ => "a sigma of 6 suits most",
        };
        let (rows, columns, sigma) = match self {
            Self::GainCurve { sigma } => (1, 1, sigma),
            Self::GainMap { rows, columns, sigma } => (rows, columns, sigma),
            Self::Histogram { .. } => return Ok(()),
            Self::LookAhead { size, .. } if (2..=129).contains(&size) => return Ok(()),
            Self::LookAhead { size, .. } => {
                let message = format!("expected a mean of 2 to 129 frames, got {size}");
                return Err(Error::Usage { message, hint: Some("5 is its usual size".to_owned()) });
            }
        };
        let message = if !(0.5..=200.0).contains(&sigma) {
            format!("expected a sigma from 0.5 to 200 frames, got {sigma}")
        } else if !(1..=64).contains(&rows) || !(1..=64).contains(&columns) {
            format!("expected a grid of 1 to 64 rows and columns, got {rows} by {columns}")
        } else {
            return Ok(());
        };
        Err(Error::Usage { message, hint: Some(usual.to_owned()) })
    }
}

/// The first pass: push every frame once, in order.
pub struct Analyser {
    statistics: Statistics,
    first: Option<Size>,
    count: usize,
}

enum Statistics {
    Gain { seen: gain::Statistics, sigma: f64 },
    Histogram { seen: histogram::Statistics, radius: usize, matching: Matching },
    LookAhead { seen: lookahead::Statistics, size: usize, mean: Mean },
}

impl Analyser {
    /// An analyser that has seen nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] for a sigma or grid out of range.
    pub fn new(method: Method) -> Result<Self> {
        method.check()?;
        let gain = |rows, columns, sigma| {
            let seen = gain::Statistics::new(rows, columns);
            Statistics::Gain { seen, sigma }
        };
        let statistics = match method {
            Method::GainCurve { sigma } => gain(1, 1, sigma),
            Method::GainMap { rows, columns, sigma } => gain(rows, columns, sigma),
            Method::Histogram { radius, matching } => {
                Statistics::Histogram { seen: histogram::Statistics::default(), radius, matching }
            }
            Method::LookAhead { size, mean } => {
                Statistics::LookAhead { seen: lookahead::Statistics::default(), size, mean }
            }
        };
        Ok(Self { statistics, first: None, count: 0 })
    }

    /// Looks at the next frame.
    ///
    /// # Errors
    /// [`Error::Render`] for a frame of another size than the first.
    pub fn push(&mut self, frame: &Canvas) -> Result<()> {
        let first = *self.first.get_or_insert(frame.size());
        if first != frame.size() {
            return Err(Error::Render {
                frame: self.count as u32,
                message: format!("the picture is {}, the first one {first}", frame.size()),
                hint: Some("all frames of a sequence have one size: scale or crop it".to_owned()),
            });
        }
        match &mut self.statistics {
            Statistics::Gain { seen, .. } => seen.push(frame),
            Statistics::Histogram { seen, .. } => seen.push(frame),
            Statistics::LookAhead { seen, .. } => seen.push(frame),
        }
        self.count += 1;
        Ok(())
    }

    /// Works out the correction of every frame. `cuts` are the numbers of frames that begin a new scene,
    /// ascending; nothing is smoothed across them, and those beyond the end are ignored.
    pub fn finish(self, cuts: &[usize]) -> Correction {
        let scenes = scenes(self.count, cuts);
        let frames = match self.statistics {
            Statistics::Gain { seen, sigma } => {
                Frames::Gain(seen.solve(&scenes, sigma), transfer::Transfer::new())
            }
            Statistics::Histogram { seen, radius, matching } => {
                Frames::Tables(seen.solve(&scenes, radius, matching))
            }
            Statistics::LookAhead { seen, size, mean } => Frames::Factors(seen.solve(&scenes, size, mean)),
        };
        Correction { frames }
    }
}

/// The ranges of frames between cuts.
fn scenes(count: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = cuts.iter().copied().filter(|cut| (1..count).contains(cut)).collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([count]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).map(|(start, end)| start..end).collect()
}

/// What the second pass does to each frame.
pub struct Correction {
    frames: Frames,
}

enum Frames {
    Gain(Vec<Grid>, transfer::Transfer),
    Tables(Vec<Tables>),
    Factors(Vec<f32>),
}

impl Correction {
    /// Frames that were analysed.
    pub fn len(&self) -> usize {
        match &self.frames {
            Frames::Gain(grids, _) => grids.len(),
            Frames::Tables(tables) => tables.len(),
            Frames::Factors(factors) => factors.len(),
        }
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The gains of each frame in stops, for a graph; none for the other methods.
    pub fn gains(&self) -> Option<&[Grid]> {
        match &self.frames {
            Frames::Gain(grids, _) => Some(grids),
            Frames::Tables(_) | Frames::Factors(_) => None,
        }
    }

    /// The tables of each frame of histogram matching.
    pub fn tables(&self) -> Option<&[Tables]> {
        match &self.frames {
            Frames::Gain(..) | Frames::Factors(_) => None,
            Frames::Tables(tables) => Some(tables),
        }
    }

    /// Corrects frame `number`, rounding to the nearest code value. A number that was never analysed is left.
    pub fn apply(&self, number: usize, frame: &mut Canvas) {
        match &self.frames {
            Frames::Gain(grids, transfer) => {
                if let Some(grid) = grids.get(number) {
                    apply::apply(grid, transfer, frame);
                }
            }
            Frames::Tables(tables) => {
                if let Some(tables) = tables.get(number) {
                    histogram::apply(tables, frame);
                }
            }
            Frames::Factors(factors) => {
                if let Some(factor) = factors.get(number) {
                    lookahead::apply(*factor, frame);
                }
            }
        }
    }

    /// As [`Correction::apply`] for 16-bit values (sRGB-encoded, R G B interleaved).
    pub fn apply16(&self, number: usize, size: Size, rgb: &mut [u16]) {
        match &self.frames {
            Frames::Gain(grids, _) => {
                if let Some(grid) = grids.get(number) {
                    apply::apply16(grid, size, rgb);
                }
            }
            Frames::Tables(tables) => {
                if let Some(tables) = tables.get(number) {
                    histogram::apply16(tables, rgb);
                }
            }
            Frames::Factors(factors) => {
                if let Some(factor) = factors.get(number) {
                    lookahead::apply16(*factor, rgb);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_divide_and_nonsense_among_them_is_ignored() {
        assert_eq!(scenes(10, &[4, 0, 4, 10, 99]), [0..4, 4..10]);
        assert_eq!(scenes(3, &[]), vec![Range { start: 0, end: 3 }]);
        assert_eq!(scenes(0, &[1]), vec![Range { start: 0, end: 0 }]);
    }

    #[test]
    fn another_size_is_named_with_its_frame() {
        let mut analyser = Analyser::new(Method::GAIN_MAP).unwrap();
        analyser.push(&Canvas::filled(Size::new(8, 8), [9; 3])).unwrap();
        let error = analyser.push(&Canvas::filled(Size::new(9, 8), [9; 3])).unwrap_err();
        assert_eq!(error.to_string(), "frame 1: the picture is 9x8, the first one 8x8");
    }

    #[test]
    fn a_grid_or_width_out_of_range_is_refused() {
        for method in [
            Method::GainCurve { sigma: f64::NAN },
            Method::GainMap { rows: 0, columns: 4, sigma: 6.0 },
            Method::GainMap { rows: 4, columns: 65, sigma: 6.0 },
        ] {
            assert!(Analyser::new(method).is_err());
        }
    }
}
