//! Tries a line of the film before it is written: what it says must be what was asked for.

use crate::schedule;
use crate::schedule::params::find;
use crate::timeline::{Options, Timeline};

/// How far a value may be from the one asked for, relative to it (and absolute below 1).
pub(super) const LIMIT: f64 = 1e-9;

/// The clip that lines are tried in.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    /// Frames of the film.
    pub frames: u32,
    /// Frames per second, as the film writes it.
    pub fps: String,
    /// Beats per minute, when the film gives them.
    pub bpm: Option<f64>,
    /// The start seed, `s`.
    pub seed: i64,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Film,
    Control,
}

impl Bench {
    /// Whether `value`, given to the parameter `param` with `lets` in front, is read without errors, lies
    /// in the parameter's range and is worth `wanted` at every frame.
    pub fn says(&self, place: Place, lets: &[String], param: &str, value: &str, wanted: &[f64]) -> bool {
        let Some(possible) = find(param).map(|param| param.possible) else { return false };
        let clipped = matches!(param, "strength" | "denoise");
        self.numbers(place, lets, param, value).is_some_and(|found| {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| {
                    near(*found, *wanted) && (clipped || (possible.0..=possible.1).contains(found))
                })
        })
    }

    /// The values of a line at every frame.
    fn numbers(&self, place: Place, lets: &[String], param: &str, value: &str) -> Option<Vec<f64>> {
        let timeline = self.film(place, lets, param, value)?;
        (0..self.frames)
            .map(|frame| match place {
                Place::Film => timeline.value(param, frame)?.as_f64(),
                Place::Control => timeline.control_value("tried", param, frame)?.as_f64(),
            })
            .collect()
    }

    /// The texts of a line at every frame.
    pub fn texts(&self, lets: &[String], param: &str, value: &str) -> Option<Vec<String>> {
        let timeline = self.film(Place::Film, lets, param, value)?;
        let text = |frame| timeline.value(param, frame)?.as_text().map(str::to_owned);
        (0..self.frames).map(text).collect()
    }

    /// The texts and weights of a line of prompts at every frame, where one passes into the next by composed
    /// predictions.
    pub fn mixes(&self, lets: &[String], value: &str) -> Option<Vec<Vec<(String, f64)>>> {
        let lets: Vec<String> = lets.iter().cloned().chain(["prompt.blend = composed".to_owned()]).collect();
        let timeline = self.film(Place::Film, &lets, "prompt", value)?;
        (0..self.frames).map(|frame| Some(timeline.at(frame).ok()?.prompt.parts)).collect()
    }

    fn film(&self, place: Place, lets: &[String], param: &str, value: &str) -> Option<Timeline> {
        let bpm = self.bpm.map_or(String::new(), |bpm| format!("  bpm = {bpm}"));
        let line = match place {
            Place::Film => format!("{param} = {value}"),
            Place::Control => format!("control tried {{ {param} = {value} }}"),
        };
        let seed = if param == "seed" { String::new() } else { format!("seed = {}\n", self.seed) };
        let text = format!(
            "kinora 1\nvideo {{ fps = {}{bpm} }}\nframes = {}\n{seed}{}\n{line}\n",
            self.fps,
            self.frames,
            lets.join("\n"),
        );
        let (film, _) = schedule::read("tried", &text).ok()?;
        Timeline::new(&film, &Options::default()).ok()
    }
}

/// Whether two values are the same within [`LIMIT`].
pub(super) fn near(found: f64, wanted: f64) -> bool {
    found == wanted || (found - wanted).abs() <= LIMIT * wanted.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_the_same_passes() {
        let bench = Bench { frames: 5, fps: "12".into(), bpm: None, seed: 7 };
        let says = |param, value, wanted: [f64; 5]| bench.says(Place::Film, &[], param, value, &wanted);
        assert!(says("angle", "0: 0, 4: 4", [0.0, 1.0, 2.0, 3.0, 4.0]));
        assert!(!says("angle", "0: 0, 4: 4", [0.0, 1.0, 2.0, 3.0, 4.1]));
        assert!(says("angle", "s", [7.0; 5]));
        assert!(!says("angle", "sqrt(t - 1)", [0.0; 5]));
        // Outside of what is possible; the strength alone is clipped, as in Deforum.
        assert!(!says("zoom", "0 * t", [0.0; 5]));
        assert!(says("strength", "t", [0.0, 1.0, 2.0, 3.0, 4.0]));
        assert!(bench.says(Place::Control, &[], "weight", "t / 2", &[0.0, 0.5, 1.0, 1.5, 2.0]));
        assert!(!bench.says(Place::Control, &[], "zoom", "1", &[1.0; 5]));
    }
}
