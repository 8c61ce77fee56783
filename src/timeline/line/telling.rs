//! Which frames tell whether anything is wrong with a parameter at any frame.

use super::{Line, components};
use crate::schedule::ease::Family;
use crate::schedule::film::Ease;
use crate::schedule::params::Kind;

impl Line {
    /// The times of its keys in frames of the film, not always whole.
    pub(in crate::timeline) fn key_times(&self) -> impl Iterator<Item = f64> {
        let start = f64::from(self.clock.start);
        self.points.iter().map(move |point| point.time + start)
    }

    /// The keys' frames of the film, not always whole, when nothing can be wrong between two neighbouring ones that
    /// is not wrong at the first or the last frame between them as well. `None` when every frame must be looked at.
    pub(in crate::timeline) fn telling(&self) -> Option<impl Iterator<Item = f64>> {
        // Directions in the middle between two good ones may have no length.
        let is_certain = self.series.is_none()
            && (self.param.kind != Kind::Vector || self.points.len() == 1)
            && self.points.iter().all(|point| !point.runs && point.at_key.is_some());
        let start = f64::from(self.clock.start);
        (is_certain && self.stays_in_range()).then(|| self.points.iter().map(move |point| point.time + start))
    }

    /// Whether values between keys are as possible as those at the frames next to the keys.
    fn stays_in_range(&self) -> bool {
        let is_straight = |ease: Ease| matches!(ease, Ease::Linear | Ease::Cut | Ease::Steps { .. });
        // Whatever is no number holds from key to key.
        if !self.is_number() || self.points.iter().all(|point| is_straight(point.ease)) {
            return true;
        }
        // These go beyond their keys by less than the way between them.
        let is_near = |ease: Ease| match ease {
            Ease::Bezier([_, y1, _, y2]) => [y1, y2].iter().all(|y| (-1.0..=2.0).contains(y)),
            Ease::Curve(family, _) => family != Family::Elastic,
            other => is_straight(other) || other == Ease::Monotone,
        };
        let numbers =
            self.points.iter().filter_map(|point| components(point.at_key.as_ref()?)?.first().copied());
        let (low, high) =
            numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v: f64| (low.min(v), high.max(v)));
        let (least, most) = self.param.possible;
        let way = high - low;
        self.points.iter().all(|point| is_near(point.ease)) && low - way >= least && high + way <= most
    }
}
