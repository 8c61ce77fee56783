//! The drift meter: what the frames of a scene have measured so far, against its first ones.

use std::collections::VecDeque;

use crate::colour::{COMPARED, Measures, Pull};
use crate::error::{Error, Result};
use crate::render::store::Store;
use crate::timeline::frame::{DriftMeasures, DriftParams};

/// Frames at a scene's beginning whose median is the reference. A first frame that comes from text alone is not like those
/// that are painted over others, and a single one says little: two seconds at 12 a second. Before they are there nothing is
/// warned of or stopped.
pub const FIRST: usize = 24;

/// Frames whose median is compared with the thresholds for `warn` and `stop`: one flash is no drift.
pub const RECENT: usize = 5;

/// What a scene's frames have measured: all of it is found again in the store's pictures.
#[derive(Clone, Debug, Default)]
pub struct Course {
    first: Vec<Measures>,
    recent: VecDeque<Measures>,
    reference: Option<Measures>,
}

impl Course {
    /// The course of a scene that began with the frame `start`, in front of `frame`, from the stored pictures.
    pub(super) fn read(store: &Store, start: u32, frame: u32) -> Result<Self> {
        let mut course = Self::default();
        let first_end = frame.min(start + FIRST as u32);
        for number in start..first_end {
            course.saw(Measures::of(&store.read(number)?));
        }
        for number in first_end.max(frame.saturating_sub(RECENT as u32))..frame {
            course.saw(Measures::of(&store.read(number)?));
        }
        Ok(course)
    }

    /// One more frame of the scene.
    pub fn saw(&mut self, measures: Measures) {
        if self.first.len() < FIRST {
            self.first.push(measures);
            self.reference = Measures::median(&self.first);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(measures);
    }

    /// What the scene is held to: the median of its first frames, as many as there are.
    pub fn reference(&self) -> Option<&Measures> {
        self.reference.as_ref()
    }

    /// How far the measures have gone, as shares in the order of [`COMPARED`]; of the last few frames the median.
    pub fn drift(&self) -> Option<[f64; 4]> {
        let recent: Vec<Measures> = self.recent.iter().copied().collect();
        Some(Measures::median(&recent)?.drift(self.reference.as_ref()?))
    }

    /// What a frame that measures `now` is pulled back by.
    pub fn pull(&self, now: &Measures, params: &DriftParams) -> Pull {
        let Some(reference) = &self.reference else { return Pull::NONE };
        let pull = Pull::back(now, reference, params.correct);
        match params.measures {
            DriftMeasures::All => pull,
            DriftMeasures::Colour => pull.of_colour(),
            DriftMeasures::Sharpness => pull.of_sharpness(),
        }
    }

    /// Number and drift of the measures that have gone beyond `limit`; nothing when it is 0.
    fn beyond(&self, measures: DriftMeasures, limit: f64) -> Vec<(usize, f64)> {
        let is_settled = self.first.len() == FIRST;
        let drift = self.drift().filter(|_| limit > 0.0 && is_settled).unwrap_or_default();
        let far = |(index, drift): &(usize, f64)| measures.has(*index) && drift.abs() > limit;
        drift.into_iter().enumerate().filter(far).collect()
    }

    /// Ends the run in front of `frame` when a measure has gone beyond `stop`.
    ///
    /// # Errors
    /// [`Error::Drift`] then.
    pub(super) fn check(&self, frame: u32, params: &DriftParams) -> Result<()> {
        let Some((index, drift)) = self.beyond(params.measures, params.stop).into_iter().next() else {
            return Ok(());
        };
        let message = format!("{} (`drift.stop = {}`)", described(index, drift), params.stop);
        let hint = "finished frames are kept: look at the last ones. More `strength` or `noise`, a control or \
                    `drift.correct` hold a film; a larger `drift.stop`, or 0, lets it go on";
        Err(Error::Drift { frame, message, hint: Some(hint.to_owned()) })
    }

    /// What to say of measures that have gone beyond `warn`. `said` remembers of which it was said.
    pub(super) fn warnings(
        &self,
        frame: u32,
        params: &DriftParams,
        said: &mut [bool; COMPARED.len()],
    ) -> Vec<String> {
        let beyond = self.beyond(params.measures, params.warn).into_iter();
        let news = beyond.filter(|(index, _)| !std::mem::replace(&mut said[*index], true));
        news.map(|(index, drift)| {
            format!("warning: frame {frame}: {} (`drift.warn = {}`)", described(index, drift), params.warn)
        })
        .collect()
    }

    /// `luma +1 %  contrast -2 %  saturation +0 %  sharpness -12 %`
    pub(super) fn status(&self) -> String {
        let drift = self.drift().unwrap_or_default();
        let each: Vec<String> =
            COMPARED.iter().zip(drift).map(|(name, d)| format!("{name} {:+.0} %", d * 100.0)).collect();
        each.join("  ")
    }
}

fn described(index: usize, drift: f64) -> String {
    let way = if drift < 0.0 { "below" } else { "above" };
    format!("{} is {:.0} % {way} that of the scene's first frames", COMPARED[index], drift.abs() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{Canvas, Size};

    fn grey(value: u8) -> Measures {
        Measures::of(&Canvas::filled(Size::new(8, 8), [value; 3]))
    }

    fn course(values: &[u8]) -> Course {
        let mut course = Course::default();
        values.iter().for_each(|value| course.saw(grey(*value)));
        course
    }

    #[test]
    fn the_reference_is_the_median_of_the_first_frames_and_stays() {
        assert_eq!(course(&[]).reference(), None);
        assert_eq!(course(&[250, 100, 100]).reference(), Some(&grey(100)));
        let mut long = vec![100; FIRST];
        long.extend([10; 100]);
        assert_eq!(course(&long).reference(), Some(&grey(100)));
        assert!((course(&long).drift().unwrap()[0] + 0.9).abs() < 1e-6);
    }

    #[test]
    fn a_flash_is_no_drift_but_a_few_frames_are() {
        let params = DriftParams { stop: 0.2, warn: 0.1, ..DriftParams::default() };
        let mut values = vec![100; FIRST];
        values.push(10);
        assert!(course(&[100, 10, 10]).check(3, &params).is_ok());
        assert!(course(&values).check(49, &params).is_ok());
        values.extend([10, 10]);
        let stopped = course(&values).check(51, &params).unwrap_err();
        assert_eq!(stopped.exit_code(), 5);
        let text = stopped.to_string();
        assert!(text.starts_with("frame 51: luma is 90 % below") && stopped.hint().is_some(), "{text}");
        let off = DriftParams { stop: 0.0, ..params };
        assert!(course(&values).check(51, &off).is_ok());
        let sharpness = DriftParams { measures: DriftMeasures::Sharpness, ..params };
        assert!(course(&values).check(51, &sharpness).is_ok());
    }

    #[test]
    fn a_warning_is_said_once() {
        let params = DriftParams { warn: 0.1, ..DriftParams::default() };
        let mut said = [false; 4];
        let mut values = vec![100; FIRST];
        values.extend([130, 130, 130]);
        let drifted = course(&values);
        let first = drifted.warnings(11, &params, &mut said);
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(first[0].contains("frame 11: luma is 30 % above"), "{first:?}");
        assert!(drifted.warnings(12, &params, &mut said).is_empty());
    }
}
