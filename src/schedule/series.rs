//! Numbers out of a CSV or JSON file as a value over time: `series("loudness.csv", column="left")`.

mod csv;
mod json;

use super::expr::Expr;

/// Longest file, in bytes: a million rows of a dozen columns.
pub const MAX_BYTES: u64 = 256 << 20;

/// The arguments of `series` in the order in which they may stand without their names.
pub const ARGUMENTS: &[&str] = &["file", "column", "rate", "time", "interpolate", "at"];

/// Which column of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// By its name in the first row, or the key of a JSON object.
    Name(String),
    /// By its number, from 1.
    Number(usize),
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "column `{name}`"),
            Self::Number(number) => write!(f, "column {number}"),
        }
    }
}

/// When the values of a series are.
#[derive(Clone, Debug, PartialEq)]
pub enum Base {
    /// The first at frame 0, and one a frame.
    Frames,
    /// The first at 0 s, and so many a second.
    Rate(f64),
    /// At these seconds, which rise.
    Seconds(Vec<f64>),
}

/// What the value is between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Between {
    /// Straight from one to the next.
    Linear,
    /// The earlier row's.
    Hold,
}

/// Values over time. Before the first and after the last it keeps their value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    values: Vec<f64>,
    base: Base,
    between: Between,
}

/// A call of `series`: what is read, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesCall {
    /// The values.
    pub series: std::sync::Arc<Series>,
    /// The moment that is asked for, in frames; `None` is the film's own, `t`.
    pub at: Option<Expr>,
}

impl Series {
    /// # Errors
    /// No values; times that do not rise or are not as many as the values.
    pub fn new(values: Vec<f64>, base: Base, between: Between) -> Result<Self, String> {
        if values.is_empty() {
            return Err("there are no numbers in it".to_owned());
        }
        if let Base::Seconds(times) = &base {
            if times.len() != values.len() {
                return Err(format!("there are {} values and {} times", values.len(), times.len()));
            }
            if let Some(at) = times.windows(2).position(|pair| pair[0] >= pair[1]) {
                let (first, second) = (times[at], times[at + 1]);
                return Err(format!("times rise from row to row, but {second} comes after {first}"));
            }
        }
        Ok(Self { values, base, between })
    }

    /// How many values there are, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value at `frame` (not always whole) of a film with `fps` frames per second.
    pub fn at(&self, frame: f64, fps: f64) -> f64 {
        let place = match &self.base {
            Base::Frames => frame,
            // Multiplied first: a whole row stays whole.
            Base::Rate(rate) => frame * rate / fps,
            Base::Seconds(times) => place(times, frame / fps),
        };
        self.row(place)
    }

    /// The value at a row, which is not always whole.
    fn row(&self, place: f64) -> f64 {
        let last = self.values.len() - 1;
        // A rate such as 24000/1001 leaves a row a few units beside its whole number.
        let near = place.round();
        let place = if (place - near).abs() <= 1e-9 * near.abs().max(1.0) { near } else { place };
        // Also what is not a number begins at the beginning.
        let whole = place.floor().max(0.0).min(last as f64);
        let (row, way) = (whole as usize, place - whole);
        let value = self.values[row];
        if self.between == Between::Hold || row == last || !(0.0..1.0).contains(&way) || way == 0.0 {
            return value;
        }
        value + (self.values[row + 1] - value) * way
    }
}

/// The row at `second`, with the fraction of the way to the next.
fn place(times: &[f64], second: f64) -> f64 {
    let after = times.partition_point(|time| *time <= second);
    let Some(before) = after.checked_sub(1) else { return 0.0 };
    match times.get(after) {
        Some(next) => before as f64 + (second - times[before]) / (next - times[before]),
        None => before as f64,
    }
}

/// The numbers of a column of the file `name` with this text. Without a column the table must have only
/// one, `but` left out of account.
///
/// # Errors
/// What cannot be read, with row and column.
pub fn column(
    name: &str,
    text: &str,
    wanted: Option<&Column>,
    but: Option<&Column>,
) -> Result<Vec<f64>, String> {
    if name.to_lowercase().ends_with(".json") {
        json::column(text, wanted, but)
    } else {
        csv::column(text, wanted, but)
    }
}

/// Why there is no such column, with the nearest names.
fn no_column(wanted: &Column, names: &[&str], count: usize) -> String {
    match wanted {
        Column::Name(name) => {
            let near = super::names::did_you_mean(name, names.iter().copied());
            let known = match names {
                [] => "its columns have no names, give a number from 1".to_owned(),
                _ => format!("there is {}", super::names::alternatives(&names[..names.len().min(12)])),
            };
            format!("there is no {wanted}; {}", near.unwrap_or(known))
        }
        Column::Number(_) => format!("there is no {wanted}, it has {count}"),
    }
}

/// Why a column must be named.
fn which_column(names: &[&str], count: usize) -> String {
    match names {
        [] => format!("it has {count} columns: say which, for example `column=2`"),
        _ => format!("say which `column`: {}", super::names::alternatives(&names[..names.len().min(12)])),
    }
}

/// A cell as a number.
fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

/// At most this many characters of a wrong cell are shown.
fn shown(cell: &str) -> String {
    let short: String = cell.chars().take(40).collect();
    if short.is_empty() { "nothing".to_owned() } else { format!("`{short}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(values: &[f64], base: Base, between: Between) -> Series {
        Series::new(values.to_vec(), base, between).unwrap()
    }

    #[test]
    fn values_run_straight_or_hold_and_the_ends_stay() {
        let linear = series(&[1.0, 3.0, 2.0], Base::Frames, Between::Linear);
        for (frame, value) in
            [(-5.0, 1.0), (0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (1.25, 2.75), (2.0, 2.0), (9.0, 2.0)]
        {
            assert_eq!(linear.at(frame, 12.0), value, "{frame}");
        }
        let hold = series(&[1.0, 3.0, 2.0], Base::Frames, Between::Hold);
        assert_eq!([0.99, 1.0, 1.99, 2.0].map(|t| hold.at(t, 12.0)), [1.0, 3.0, 3.0, 2.0]);
        assert_eq!(linear.at(f64::NAN, 12.0), 1.0);
    }

    #[test]
    fn rates_and_seconds_do_not_depend_on_the_frame_rate() {
        for fps in [8.0, 12.0, 24000.0 / 1001.0, 60.0] {
            let rate = series(&[0.0, 1.0, 4.0, 9.0], Base::Rate(2.0), Between::Hold);
            let times = series(&[0.0, 1.0, 4.0, 9.0], Base::Seconds(vec![0.0, 0.5, 1.0, 1.5]), Between::Hold);
            for (second, value) in [(0.0, 0.0), (0.5, 1.0), (0.6, 1.0), (1.0, 4.0), (1.5, 9.0), (7.0, 9.0)] {
                assert_eq!(rate.at(second * fps, fps), value, "{second} s at {fps}");
                assert_eq!(times.at(second * fps, fps), value, "{second} s at {fps}");
            }
        }
    }

    #[test]
    fn times_must_rise() {
        let wrong = Series::new(vec![1.0, 2.0], Base::Seconds(vec![1.0, 1.0]), Between::Hold);
        assert!(wrong.unwrap_err().contains("times rise"));
        assert!(Series::new(vec![], Base::Frames, Between::Hold).is_err());
    }

    #[test]
    fn a_million_rows_are_kept() {
        let text: String =
            std::iter::once("x\n".to_owned()).chain((0..1_000_000).map(|n| format!("{n}\n"))).collect();
        let values = column("a.csv", &text, None, None).unwrap();
        let long = series(&values, Base::Frames, Between::Linear);
        assert_eq!(long.len(), 1_000_000);
        assert_eq!(long.at(999_998.5, 12.0), 999_998.5);
    }

    proptest! {
        #[test]
        fn values_stay_within_their_neighbours(
            values in proptest::collection::vec(-1e6..1e6f64, 1..40),
            frame in -10.0..50.0f64,
            hold: bool,
        ) {
            let between = if hold { Between::Hold } else { Between::Linear };
            let found = series(&values, Base::Frames, between).at(frame, 12.0);
            let low = (frame.floor().max(0.0) as usize).min(values.len() - 1);
            let high = (low + 1).min(values.len() - 1);
            let (a, b) = (values[low].min(values[high]), values[low].max(values[high]));
            // A rounding of the product.
            let slack = 1e-9 * (b - a).max(1.0);
            prop_assert!(a - slack <= found && found <= b + slack, "{found} is not in {a} to {b}");
        }

        #[test]
        fn csv_and_json_of_the_same_numbers_are_the_same(
            values in proptest::collection::vec(-1e9..1e9f64, 1..40),
        ) {
            let csv: String = std::iter::once("t,x\n".to_owned())
                .chain(values.iter().enumerate().map(|(n, v)| format!("{n},{v:?}\n"))).collect();
            let json = serde_json::to_string(&values).unwrap();
            let named = Column::Name("x".to_owned());
            prop_assert_eq!(&column("a.csv", &csv, Some(&named), None).unwrap(), &values);
            // The JSON reader is not exact to the last bit of 53.
            for (read, value) in column("a.json", &json, None, None).unwrap().iter().zip(&values) {
                prop_assert!((read - value).abs() <= 2.0 * f64::EPSILON * value.abs(), "{read} for {value}");
            }
        }

        #[test]
        fn no_text_is_too_odd(text in "[0-9a,;\"\\[\\]{}:.\n\t -]{0,60}", json: bool) {
            let name = if json { "a.json" } else { "a.csv" };
            let _ = column(name, &text, None, None);
            let _ = column(name, &text, Some(&Column::Number(2)), Some(&Column::Number(1)));
        }
    }
}
