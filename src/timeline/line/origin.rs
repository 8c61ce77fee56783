//! Where the value at a frame comes from: which keys, and how the value gets from one to the next.

use super::{Line, Point, components};
use crate::schedule::film::Ease;
use crate::schedule::span::Span;

/// A key on the film's own clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::timeline) struct KeyAt {
    /// Frames from the film's start; not always whole.
    pub frame: f64,
    /// Where its value stands.
    pub span: Span,
}

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::timeline) enum Origin {
    /// It is the same at all times.
    Constant(Span),
    /// It is computed anew at every frame.
    Running(KeyAt),
    /// No key has been reached: the first one's value holds.
    Before(KeyAt),
    /// The last key's value holds.
    After(KeyAt),
    /// The key's value holds until the next key.
    Held { key: KeyAt, until: KeyAt },
    /// It is on its way.
    Between {
        from: KeyAt,
        to: KeyAt,
        /// Share of the time that has gone by, 0 to 1.
        time: f64,
        /// Share of the way that has been gone; some eases overshoot 0 to 1. `None` when both keys have the
        /// same value.
        way: Option<f64>,
    },
}

impl Line {
    /// The keys on the film's clock, in order. A value without a time is none.
    pub(in crate::timeline) fn keys(&self) -> impl Iterator<Item = KeyAt> {
        let is_one_value = self.points.len() == 1 && self.points[0].time == 0.0;
        self.points.iter().filter(move |_| !is_one_value).map(|point| self.key_at(point))
    }

    /// How the value at a frame of the film comes about.
    pub(in crate::timeline) fn origin(&self, frame: u32) -> Origin {
        let t = self.clock.local(frame);
        let after = self.points.partition_point(|point| point.time <= t);
        let Some(at) = after.checked_sub(1) else { return Origin::Before(self.key_at(&self.points[0])) };
        let point = &self.points[at];
        let key = self.key_at(point);
        if point.runs {
            return Origin::Running(key);
        }
        if self.is_constant() {
            return Origin::Constant(point.value.span);
        }
        let Some(next) = self.points.get(after) else { return Origin::After(key) };
        let until = self.key_at(next);
        if !self.is_number() {
            // A text holds, or passes into the next one.
            return match self.ahead(frame) {
                Ok(Some((_, way))) => {
                    let time = (t - point.time) / (next.time - point.time);
                    Origin::Between { from: key, to: until, time, way: Some(way) }
                }
                _ => Origin::Held { key, until },
            };
        }
        if next.ease == Ease::Cut {
            return Origin::Held { key, until };
        }
        let time = (t - point.time) / (next.time - point.time);
        Origin::Between { from: key, to: until, time, way: self.way(frame, point, next) }
    }

    /// How far the value has come, read off the values themselves, whatever curve leads it.
    fn way(&self, frame: u32, from: &Point, to: &Point) -> Option<f64> {
        let start = components(&self.compute(from, from.time).ok()?)?;
        let end = components(&self.compute(to, to.time).ok()?)?;
        let now = components(&self.at(frame).ok()?.0)?;
        // Of a vector, the number that has the longest way to go.
        let ways = start.iter().zip(&end).zip(&now).map(|((start, end), now)| (end - start, now - start));
        let (whole, gone) = ways.max_by(|(a, _), (b, _)| a.abs().total_cmp(&b.abs()))?;
        (whole != 0.0).then(|| gone / whole)
    }

    /// Where the value jumps, at a key or from step to step, in frames of the film and in order. A value that is
    /// computed anew at every frame may jump anywhere; that is not seen here.
    pub(in crate::timeline) fn jumps(&self) -> Vec<f64> {
        let mut jumps = Vec::new();
        let held = self.points.windows(2).filter(|pair| !pair[0].runs);
        for pair in held.filter(|_| self.is_number() && self.series.is_none()) {
            let (from, time) = (pair[0].time, pair[1].time - pair[0].time);
            match pair[1].ease {
                Ease::Cut => jumps.push(pair[1].time),
                // Steps shorter than a frame are no steps to see.
                Ease::Steps { count, start, end } if time >= f64::from(count) => {
                    let number = f64::from(count);
                    let step_at = |local: f64| ((local - from) / time * number).clamp(0.0, number);
                    let (first, last) = (step_at(0.0).ceil(), step_at(f64::from(self.clock.length)).floor());
                    let steps = (first as u32)..=(last as u32);
                    let is_jump = |step: &u32| (*step > 0 || start) && (*step < count || end);
                    jumps.extend(steps.filter(is_jump).map(|step| from + f64::from(step) / number * time));
                }
                _ => {}
            }
        }
        // A third of 12 frames is 4, whatever the rounding.
        let whole = |at: f64| if (at - at.round()).abs() < 1e-6 { at.round() } else { at };
        jumps.into_iter().map(|at| whole(at + f64::from(self.clock.start))).collect()
    }

    fn key_at(&self, point: &Point) -> KeyAt {
        KeyAt { frame: point.time + f64::from(self.clock.start), span: point.value.span }
    }
}
