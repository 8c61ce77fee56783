//! Deforum's subtitles: an SRT entry a frame. Times are reckoned as there, in decimals of 28 digits (Python's
//! `decimal`), and cut off after the millisecond.

use std::fmt::Write as _;

/// Digits that a decimal keeps.
const DIGITS: u32 = 28;

/// A frame's length in seconds: `digits` · 10^-`places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLength {
    digits: u128,
    places: u32,
}

impl FrameLength {
    /// Of a film at so many frames per second (0.001 to 1000, of at most 9 decimals); `None` outside.
    pub fn new(fps: f64) -> Option<Self> {
        if !(0.001..=1000.0).contains(&fps) {
            return None;
        }
        let text = format!("{fps}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let decimals = u32::try_from(fraction.len()).ok().filter(|decimals| *decimals <= 9)?;
        let divisor: u128 = format!("{whole}{fraction}").parse().ok()?;
        // 1 / (divisor / 10^decimals), scaled so that 28 digits stand before the point.
        let mut places = 0;
        while 10_u128.pow(decimals + places) / divisor < 10_u128.pow(DIGITS - 1) {
            places += 1;
        }
        Some(Self { digits: rounded(10_u128.pow(decimals + places), divisor), places })
    }

    /// Milliseconds at which frame `frame` begins.
    pub fn start(&self, frame: u32) -> u64 {
        let (mut digits, mut places) = (self.digits * u128::from(frame), self.places);
        while digits >= 10_u128.pow(DIGITS) {
            let drop = digits.ilog10() + 1 - DIGITS;
            digits = rounded(digits, 10_u128.pow(drop));
            places -= drop;
        }
        let milliseconds = if places >= 3 { digits / 10_u128.pow(places - 3) } else { digits * 1000 };
        u64::try_from(milliseconds).unwrap_or(u64::MAX)
    }
}

/// a / b, halves to the even digit.
fn rounded(a: u128, b: u128) -> u128 {
    let (quotient, rest) = (a / b, a % b);
    match (rest * 2).cmp(&b) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
    }
}

/// What an entry says of its frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption<'a> {
    /// Whether the frame was mixed by cadence instead of painted.
    pub cadence: bool,
    /// Its seed.
    pub seed: i64,
    /// Further parameters with their values.
    pub values: &'a [(&'a str, f64)],
}

/// The SRT entry of a frame.
pub fn entry(frame: u32, length: FrameLength, caption: &Caption<'_>) -> String {
    let (start, end) = (clock(length.start(frame)), clock(length.start(frame.saturating_add(1))));
    let cadence = if caption.cadence { "True" } else { "False" };
    let mut text = format!(
        "{}\n{start} --> {end}\nF#: {frame}; Cadence: {cadence}; Seed: {}; ",
        u64::from(frame) + 1,
        caption.seed
    );
    for (name, value) in caption.values {
        // Writing to a string cannot fail.
        let _ = match value.fract() == 0.0 {
            true => write!(text, "{name}: {value:.0}; "),
            false => write!(text, "{name}: {value:.3}; "),
        };
    }
    text + "\n\n"
}

/// `01:36:00,066`
fn clock(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02},{rest:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_that_was_rounded_down_stays_below_the_second() {
        // 30 · 0.0333...3 is 0.999...: cut off, not rounded.
        let length = FrameLength::new(30.0).unwrap();
        assert_eq!(length.start(30), 999);
        assert_eq!(FrameLength::new(15.0).unwrap().start(15), 1000);
        assert_eq!(FrameLength::new(25.0).unwrap().start(90_000), 3_600_000);
    }

    #[test]
    fn entries_read_as_deforums() {
        let caption = Caption { cadence: true, seed: 7, values: &[("zoom", 1.0025), ("angle", 2.0)] };
        assert_eq!(
            entry(1, FrameLength::new(25.0).unwrap(), &caption),
            "2\n00:00:00,040 --> 00:00:00,080\nF#: 1; Cadence: True; Seed: 7; zoom: 1.002; angle: 2; \n\n"
        );
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for fps in [0.0, -1.0, f64::NAN, 1e9, 1.0 / 3.0] {
            assert_eq!(FrameLength::new(fps), None, "{fps}");
        }
        assert!(FrameLength::new(0.001).is_some() && FrameLength::new(1000.0).is_some());
        assert!(FrameLength::new(0.001).unwrap().start(u32::MAX) > 0);
    }
}
