//! A film's values under the names that Deforum's program has for its schedules.
//!
//! Where the film sets a parameter, or its default has an effect in the film, that is the value; a schedule
//! that means nothing to the film has Deforum's own default. What the film's `deforum` block keeps comes
//! before both: those are schedules that an imported film has no use for.

use std::collections::BTreeSet;

use super::settings::{CONTROLNET, Series, animation_settings, expand_setting};
use super::{MAX_FRAMES, Mode};
use crate::error::{Error, Result};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::settings::Settings;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::params::{Param, Places, find_choice, find_in};
use crate::schedule::span::Span;
use crate::timeline::reader::Reader;
use crate::timeline::scene::{Stage, Values};
use crate::timeline::table::{Cell, Column, Place, Table, cell, default};
use crate::timeline::{Timeline, params, sorted};

/// How the web UI writes samplers whose names differ from the language's only by letter case.
const SAMPLERS: [(&str, &str); 9] = [
    ("euler", "Euler"),
    ("heun", "Heun"),
    ("dpm2", "DPM2"),
    ("lms", "LMS"),
    ("ddim", "DDIM"),
    ("plms", "PLMS"),
    ("unipc", "UniPC"),
    ("lcm", "LCM"),
    ("tcd", "TCD"),
];

/// A schedule of Deforum's and what it is in the film.
struct Schedule {
    /// Deforum's name.
    name: String,
    /// The film's parameter, if it has one.
    param: Option<&'static Param>,
    /// The control it belongs to.
    control: Option<String>,
    /// Deforum's own values, or those of the film's `deforum` block.
    usual: Series,
    /// The `deforum` block has it.
    kept: bool,
}

impl Timeline {
    /// Every schedule of Deforum's (sd-webui-deforum 32242685) under its name there, with prompts, negative
    /// prompts and seeds behind them. Values are not rounded or limited: Deforum does that where it uses them.
    ///
    /// # Errors
    /// [`Error::Schedule`] with everything that cannot be computed; [`Error::Usage`] for films longer than
    /// [`MAX_FRAMES`].
    pub fn deforum_table(&self) -> Result<Table> {
        if self.frames > MAX_FRAMES {
            let message = format!("expected at most {MAX_FRAMES} frames, the film has {}", self.frames);
            return Err(Error::Usage { message, hint: Some("leave out `--names deforum`".to_owned()) });
        }
        let schedules = self.schedules()?;
        let texts = ["prompt", "negative", "seed"].map(|name| find_in(Places::SCENE, name));
        let texts: Vec<Place> = texts.into_iter().flatten().map(Place::Scene).collect();
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); schedules.len() + texts.len()];
        let mut seen = BTreeSet::new();
        let mut wrong = Vec::new();
        for frame in 0..self.frames {
            let stage = &self.stages[self.stage_of(frame)];
            let mut reader = self.reader(frame);
            let (first, last) = columns.split_at_mut(schedules.len());
            for (schedule, cells) in schedules.iter().zip(first) {
                cells.push(schedule.at(&mut reader, stage));
            }
            for (place, cells) in texts.iter().zip(last) {
                cells.push(cell(&mut reader, stage, place));
            }
            wrong.extend(reader.found.into_iter().filter(|found| seen.insert((found.span, found.code))));
        }
        if !wrong.is_empty() {
            return Err(Error::Schedule(sorted(wrong, self.sources.clone())));
        }
        let names = schedules.iter().map(|schedule| (schedule.name.clone(), schedule.param));
        let behind = ["prompts", "negative_prompts", "seeds"].map(str::to_owned);
        let behind = behind.into_iter().zip(&texts).map(|(name, place)| (name, Some(place.param())));
        let columns = names.chain(behind).zip(columns);
        let columns = columns.map(|((name, param), cells)| Column { name, param, set: false, cells });
        Ok(Table { rate: self.fps(), frames: self.frames, columns: columns.collect() })
    }

    /// The schedules of the animation, and those of the controls that the film has.
    fn schedules(&self) -> Result<Vec<Schedule>> {
        let kept = self.kept_for_deforum();
        let settings = Settings::over_defaults(kept);
        let seed = self.stages.first().map_or(0, |stage| stage.clock.seed);
        let usual = |setting: &str| {
            expand_setting(&settings, setting, self.frames, seed, Mode::Compat)
                .map_err(|wrong| self.refused(setting, kept, wrong))
        };
        let mut schedules = Vec::new();
        for (name, setting) in animation_settings() {
            let param = find_in(Places::SCENE, &setting).or_else(|| find_in(Places::SCENE, name));
            let (kept, usual) = (kept.iter().any(|(key, _)| *key == setting), usual(&setting)?);
            schedules.push(Schedule { name: name.to_owned(), param, control: None, usual, kept });
        }
        let mut controls: Vec<&String> = Vec::new();
        for (name, _) in self.stages.iter().flat_map(|stage| &stage.controls) {
            if !controls.contains(&name) {
                controls.push(name);
            }
        }
        for (number, control) in (1..).zip(controls) {
            for setting in CONTROLNET {
                let param = find_in(Places::CONTROL, setting);
                let name = format!("cn_{number}_{setting}_schedule_series");
                let usual = usual(&format!("cn_1_{setting}"))?;
                schedules.push(Schedule { name, param, control: Some(control.clone()), usual, kept: false });
            }
        }
        Ok(schedules)
    }

    /// What stops Deforum from expanding a schedule of the film's `deforum` block.
    fn refused(&self, setting: &str, kept: &[(String, String)], wrong: ReadError) -> Error {
        let text = kept.iter().find(|(key, _)| key == setting).map(|(_, text)| text.as_str());
        let at = |(index, (_, source)): (usize, &(String, String))| {
            let start = source.find(text?)? as u32;
            Some(Span::new(index as u32, start + wrong.span.start, start + wrong.span.end))
        };
        let span = self.sources.iter().enumerate().find_map(at).unwrap_or_default();
        let mut found =
            Diagnostic::error("E96", format!("deforum refuses this schedule {}", wrong.message), span);
        found.hints.extend(wrong.hint);
        Error::Schedule(sorted(vec![found], self.sources.clone()))
    }
}

impl Schedule {
    /// The value at the frame that `reader` reads.
    fn at(&self, reader: &mut Reader<'_>, stage: &Stage) -> Cell {
        let usual = || match &self.usual {
            Series::Numbers(values) => values.get(reader.frame as usize).copied().map(Cell::Number),
            Series::Texts(values) => values.get(reader.frame as usize).cloned().map(Cell::Text),
        };
        let usual = usual().unwrap_or(Cell::Open);
        let Some(param) = self.param.filter(|_| !self.kept) else { return usual };
        let Some(values) = self.values(stage) else { return usual };
        match param.name {
            "seed_schedule" => seeds(reader, values).unwrap_or(usual),
            "sampler" => reader
                .maybe_choice(values, "sampler")
                .map_or(usual, |sampler| Cell::Text(webui_sampler(param, &sampler))),
            "strength" if values.has("denoise") => {
                reader.unlimited(values, "denoise").map_or(usual, |denoise| Cell::Number(1.0 - denoise))
            }
            // Deforum's schedule of it is off by default, and then the web UI's own setting counts.
            "clip_skip" if !values.has("clip_skip") => usual,
            name if values.has(name) && matches!(self.usual, Series::Texts(_)) => {
                reader.maybe_text(values, name).map_or(usual, Cell::Text)
            }
            name if values.has(name) => reader.unlimited(values, name).map_or(usual, Cell::Number),
            name => match default(param) {
                Cell::Number(number) if params::has_effect(values, name) => Cell::Number(number),
                Cell::Whole(number) if params::has_effect(values, name) => Cell::Number(number as f64),
                _ => usual,
            },
        }
    }

    fn values<'a>(&self, stage: &'a Stage) -> Option<&'a Values> {
        match &self.control {
            None => Some(&stage.values),
            Some(name) => stage.controls.iter().find(|(own, _)| own == name).map(|(_, values)| values),
        }
    }
}

/// What `seed_schedule` says, or a `seed` that changes.
fn seeds(reader: &mut Reader<'_>, values: &Values) -> Option<Cell> {
    let changes = values.lines.get("seed").is_some_and(|line| !line.is_constant());
    let name = if values.has("seed_schedule") { "seed_schedule" } else { "seed" };
    (changes || name == "seed_schedule").then(|| reader.unlimited(values, name).map(Cell::Number)).flatten()
}

/// The sampler as the web UI writes it: `dpmpp_2m karras` is `DPM++ 2M Karras`.
fn webui_sampler(param: &'static Param, name: &str) -> String {
    let (word, spacing) = name.split_once(' ').unwrap_or((name, ""));
    let alias = find_choice(param.choices(), word).and_then(|choice| {
        choice.aliases.iter().find(|alias| alias.contains(|c: char| c.is_ascii_uppercase()))
    });
    let cased = SAMPLERS.iter().find(|(own, _)| *own == word).map(|(_, cased)| cased);
    let sampler = alias.or(cased).copied().unwrap_or(word);
    if spacing.is_empty() { sampler.to_owned() } else { format!("{sampler} Karras") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::params::find;

    #[test]
    fn every_sampler_has_a_name_in_the_web_ui() {
        let param = find("sampler").unwrap();
        for choice in param.choices() {
            let name = webui_sampler(param, choice.name);
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
        }
        assert_eq!(webui_sampler(param, "dpmpp_2m karras"), "DPM++ 2M Karras");
        assert_eq!(webui_sampler(param, "euler_a"), "Euler a");
    }
}
