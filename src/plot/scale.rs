//! Axes: a range with round numbers for its ticks.

/// A range of values and the ticks in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    /// Distance of the ticks: 1, 2 or 5 times a power of ten.
    pub step: f64,
}

impl Scale {
    /// A range that holds all finite `values`, with about `ticks` ticks.
    pub fn holding(values: impl Iterator<Item = f64>, ticks: f64) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        // A level line stands in the middle of a range that suits its size.
        let least = low.abs().max(high.abs()) * 1e-6;
        let (low, high) = if high - low > least {
            (low, high)
        } else {
            let around = (low.abs() * 0.1).max(0.5);
            (low - around, high + around)
        };
        let room = (high - low) * 0.06;
        Self { low: low - room, high: high + room, step: round_step((high - low) / ticks) }
    }

    /// Where a value lies, 0 at the bottom and 1 at the top.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The round numbers within the range.
    pub fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step).ceil();
        let count = ((self.high / self.step).floor() - first).clamp(0.0, 1000.0);
        (0..=count as u32).map(|i| (first + f64::from(i)) * self.step).collect()
    }

    /// A tick as text, with as many decimals as the step needs.
    pub fn label(&self, tick: f64) -> String {
        label(tick, self.step)
    }
}

/// A multiple of `step` as text.
pub(super) fn label(value: f64, step: f64) -> String {
    let size = value.abs().max(step.abs());
    if !(1e-5..1e7).contains(&size) {
        return if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") };
    }
    let decimals = (-libm::log10(step)).ceil().clamp(0.0, 9.0) as usize;
    // Rounding may leave a zero with a sign.
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".to_owned() } else { text }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
pub(super) fn round_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = libm::pow(10.0, libm::log10(step).floor());
    let round = [1.0, 2.0, 5.0].into_iter().map(|m| m * power).find(|round| *round >= step * (1.0 - 1e-9));
    round.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_their_labels_short() {
        let scale = Scale::holding([0.0, 0.8].into_iter(), 4.0);
        assert_eq!(
            scale.ticks().iter().map(|t| scale.label(*t)).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8"]
        );
        assert_eq!(Scale::holding([7.0, 7.0].into_iter(), 4.0).ticks().len(), 3);
        assert_eq!(Scale::holding(std::iter::empty(), 4.0).label(-0.0), "0");
    }

    proptest! {
        #[test]
        fn a_scale_holds_its_values_and_has_a_few_ticks(values in prop::collection::vec(-1e12..1e12f64, 1..20)) {
            let scale = Scale::holding(values.iter().copied(), 4.0);
            prop_assert!(values.iter().all(|v| (0.0..=1.0).contains(&scale.share(*v))));
            prop_assert!((1..=9).contains(&scale.ticks().len()), "{scale:?}");
        }
    }
}
