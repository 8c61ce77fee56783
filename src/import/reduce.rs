//! The fewest keys that give a list of values: straight runs become two keys, runs that stay become one
//! and a cut.

use super::bench::near;
use super::print::number;

/// A key in the film's text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    /// Its time as it is written.
    pub time: String,
    /// Its value as it is written.
    pub value: String,
    /// Whether the value before it stays until it.
    pub cut: bool,
}

impl Key {
    /// `30: 1.02`, `30: 1.02 ~cut`.
    pub fn text(&self) -> String {
        let ease = if self.cut { " ~cut" } else { "" };
        format!("{}: {}{ease}", self.time, self.value)
    }
}

/// Keys between which straight lines give `values`, one a frame. All values are finite.
pub(super) fn keys(values: &[f64]) -> Vec<Key> {
    let key = |frame: usize, cut: bool| Key { time: frame.to_string(), value: number(values[frame]), cut };
    let mut keys = Vec::new();
    if values.is_empty() {
        return keys;
    }
    keys.push(key(0, false));
    let last = values.len() - 1;
    let mut at = 0;
    while at < last {
        let end = straight_until(values, at);
        if !same(values[at], values[end]) {
            keys.push(key(end, false));
            at = end;
        } else if end == last {
            break;
        } else if end > at + 1 && straight_until(values, end) > end + 1 {
            // The next run is a slope that begins where this one ends.
            keys.push(key(end, false));
            at = end;
        } else {
            keys.push(key(end + 1, true));
            at = end + 1;
        }
    }
    keys
}

/// The same values as a schedule of Deforum's, which has no cuts: the value in front of one has a key.
pub(super) fn for_deforum(values: &[f64]) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut before = String::new();
    for key in keys(values) {
        if let Some(frame) = key.time.parse::<u32>().ok().filter(|frame| key.cut && *frame > 0) {
            texts.push(format!("{}:({before})", frame - 1));
        }
        before.clone_from(&key.value);
        texts.push(format!("{}:({})", key.time, key.value));
    }
    texts.dedup();
    texts.join(", ")
}

/// The last frame up to which the values from `start` on lie on one line; at least the next one. A value
/// that stays for one frame only is the run of that frame.
fn straight_until(values: &[f64], start: usize) -> usize {
    let slope = values[start + 1..].first().map_or(0.0, |next| next - values[start]);
    let stays = values.get(start + 1).is_some_and(|next| same(*next, values[start]));
    let mut end = start + 1;
    while let Some(value) = values.get(end + 1) {
        let line = if stays { values[start] } else { values[start] + slope * (end + 1 - start) as f64 };
        if !(if stays { same(*value, line) } else { near(*value, line) }) {
            break;
        }
        end += 1;
    }
    // The slope of the first step is not exactly that of the whole run.
    while !stays && end > start + 1 && !on_line(values, start, end) {
        end = start + (end - start) / 2;
    }
    end.min(values.len() - 1)
}

/// The same value but for the last bits, which differ where values have been computed.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-11 * b.abs().max(1.0)
}

fn on_line(values: &[f64], start: usize, end: usize) -> bool {
    let (a, b) = (values[start], values[end]);
    (start..=end).all(|i| {
        let way = (i - start) as f64 / (end - start) as f64;
        same(a + (b - a) * way, values[i])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::bench::{Bench, Place};

    fn text(values: &[f64]) -> String {
        keys(values).iter().map(Key::text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn runs_become_keys() {
        assert_eq!(text(&[1.0; 9]), "0: 1");
        assert_eq!(text(&[0.0, 0.5, 1.0, 1.5]), "0: 0, 3: 1.5");
        assert_eq!(text(&[0.0, 0.0, 0.0, 5.0, 5.0, 5.0]), "0: 0, 3: 5 ~cut");
        assert_eq!(text(&[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]), "0: 0, 2: 0, 5: 3");
        assert_eq!(text(&[0.1, 0.2, 0.30000000000000004, 0.4, 0.2]), "0: 0.1, 3: 0.4, 4: 0.2");
        assert_eq!(text(&[4.0]), "0: 4");
        assert_eq!(text(&[1.0, 1.02, 1.02 + 1e-15, 1.02, 1.02 - 1e-15]), "0: 1, 1: 1.02");
        assert_eq!(for_deforum(&[0.0, 0.0, 0.0, 5.0, 5.0, 5.0]), "0:(0), 2:(0), 3:(5)");
    }

    proptest! {
        #[test]
        fn keys_give_the_values_back(
            values in prop::collection::vec(prop_oneof![Just(0.5), Just(0.25), -3.0..3.0_f64], 1..40),
        ) {
            let bench = Bench { frames: values.len() as u32, fps: "12".into(), bpm: None, seed: 0 };
            prop_assert!(bench.says(Place::Film, &[], "angle", &text(&values), &values), "{}", text(&values));
        }
    }
}
