//! Schedules of Deforum's that a film does not follow, kept in its comments: `# deforum: near = "0: (200)"`.
//!
//! An importer writes one for each schedule that the film has no parameter for, or that has no effect in it.
//! They say nothing about the film's pictures; a table under Deforum's names gives them back.

use std::collections::BTreeMap;

use super::settings::{Series, animation_settings, expand_setting};
use super::{Clip, Mode};
use crate::error::{Error, Result};
use crate::schedule::deforum::settings::Settings;
use crate::schedule::diagnostic::{Diagnostic, Diagnostics};
use crate::schedule::names::did_you_mean;
use crate::schedule::span::Span;
use crate::timeline::Timeline;
use crate::timeline::table::Cell;

/// What a note begins with.
pub const MARK: &str = "# deforum:";

/// How far values may lie apart, relative to their size, and still be the same.
const SAME: f64 = 1e-9;

impl Timeline {
    /// The notes that make [`Timeline::deforum_table`] give back every schedule of `settings`: one for each
    /// that the film itself does not give the same values.
    ///
    /// # Errors
    /// As [`Timeline::deforum_table`]; a schedule that Deforum refuses gets no note.
    pub fn deforum_notes(&self, settings: &Settings) -> Result<Vec<String>> {
        let table = self.deforum_table()?;
        let seed = self.start_seed();
        let mut notes = Vec::new();
        for (name, setting) in animation_settings() {
            let Some(text) = settings.schedule(&setting) else { continue };
            let Ok(wanted) = expand_setting(settings, &setting, self.frames, seed, Mode::Compat) else {
                continue;
            };
            let column = table.columns.iter().find(|column| column.name == name);
            if column.is_none_or(|column| !is_same(&column.cells, &wanted)) {
                let quoted = serde_json::to_string(&text)
                    .map_err(|e| Error::Bug(format!("a schedule cannot be written: {e}")))?;
                notes.push(format!("{MARK} {name} = {quoted}"));
            }
        }
        Ok(notes)
    }

    /// The start seed of the film's first scene.
    pub(super) fn start_seed(&self) -> i64 {
        self.stages.first().map_or(0, |stage| stage.clock.seed)
    }

    /// The series of the film's notes, by Deforum's name.
    pub(super) fn noted(&self) -> Result<BTreeMap<String, Series>> {
        let mut series = BTreeMap::new();
        let mut wrong = Vec::new();
        for (index, (_, text)) in self.sources.iter().enumerate() {
            for (start, line) in lines(text) {
                match self.note(line) {
                    Ok((name, values)) => drop(series.insert(name, values)),
                    Err(message) => {
                        let span = Span::new(index as u32, start as u32, (start + line.len()) as u32);
                        wrong.push(message.at(span));
                    }
                }
            }
        }
        if wrong.is_empty() {
            return Ok(series);
        }
        Err(Error::Schedule(Diagnostics { list: wrong, sources: self.sources.clone() }))
    }

    fn note(&self, line: &str) -> Result<(String, Series), Wrong> {
        let (name, text) =
            line[MARK.len()..].split_once('=').ok_or_else(|| Wrong::new("expected `name = \"schedule\"`"))?;
        let (name, text) = (name.trim(), text.trim());
        let found = animation_settings().find(|(known, _)| *known == name);
        let (name, setting) = found.ok_or_else(|| Wrong {
            message: format!("deforum has no schedule called `{name}`"),
            hint: did_you_mean(name, animation_settings().map(|(known, _)| known)),
        })?;
        let text: String =
            serde_json::from_str(text).map_err(|_| Wrong::new("expected the schedule in quotes"))?;
        let clip = Clip::new(self.frames, self.start_seed(), Mode::Compat);
        let values = if super::settings::is_text(&setting) {
            super::expand_text(&text, clip.max_frames, clip.seed, clip.mode).map(Series::Texts)
        } else {
            super::expand(&text, clip.max_frames, clip.seed, clip.mode).map(Series::Numbers)
        };
        let values = values.map_err(|e| Wrong { message: e.message, hint: e.hint })?;
        Ok((name.to_owned(), values))
    }
}

/// What is wrong with a note.
struct Wrong {
    message: String,
    hint: Option<String>,
}

impl Wrong {
    fn new(message: &str) -> Self {
        Self { message: message.to_owned(), hint: None }
    }

    fn at(self, span: Span) -> Diagnostic {
        let mut found = Diagnostic::error("E96", self.message, span);
        found.hints.extend(self.hint);
        found
    }
}

/// The notes of a text with the bytes at which they begin. A note has a line to itself.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start + (line.len() - line.trim_start().len());
        start += line.len();
        line.trim().starts_with(MARK).then(|| (at, line.trim()))
    })
}

fn is_same(cells: &[Cell], wanted: &Series) -> bool {
    match wanted {
        Series::Texts(texts) => {
            cells.len() == texts.len()
                && cells.iter().zip(texts).all(|(cell, text)| matches!(cell, Cell::Text(own) if own == text))
        }
        Series::Numbers(numbers) => {
            let near = |cell: &Cell, wanted: &f64| {
                let Some(own) = cell.as_f64() else { return false };
                own == *wanted
                    || (own.is_nan() && wanted.is_nan())
                    || (own - wanted).abs() <= SAME * wanted.abs().max(1.0)
            };
            cells.len() == numbers.len() && cells.iter().zip(numbers).all(|(cell, wanted)| near(cell, wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Options;

    fn timeline(text: &str) -> Timeline {
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        Timeline::new(&film, &Options::default()).unwrap()
    }

    #[test]
    fn what_a_film_does_not_follow_comes_back_through_its_notes() {
        let settings = r#"{"near_schedule": "0: (100),\n 5: (t)", "zoom": "0: (1.5)", "seed_schedule": "0: (s)",
            "sampler_schedule": "0: (\"DDIM\")", "noise_schedule": "0: (0.02)"}"#;
        let settings = Settings::read(settings).unwrap();
        let film = "kinora 1\nframes = 8\nprompt = \"a\"\ntranslation_z = 1.75\nseed = 7\nguidance = 7\n";
        let notes = timeline(film).deforum_notes(&settings).unwrap();
        assert!(notes.iter().any(|note| note == r#"# deforum: near = "0: (100),\n 5: (t)""#), "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("zoom")));
        assert!(!notes.iter().any(|note| note.contains("noise_schedule") || note.contains("cfg_scale")));
        let noted = timeline(&format!("{film}{}\n", notes.join("\n")));
        assert_eq!(noted.deforum_notes(&settings).unwrap(), Vec::<String>::new());
        let table = noted.deforum_table().unwrap();
        let seeds = table.columns.iter().find(|column| column.name == "seed_schedule").unwrap();
        assert_eq!(seeds.cells, vec![Cell::Number(7.0); 8]);
    }

    #[test]
    fn a_note_that_cannot_be_read_is_an_error_at_its_place() {
        for (note, says) in [
            ("zom = \"0: (1)\"", "zom"),
            ("zoom = 0: (1)", "quotes"),
            ("zoom = \"1: (1)\"", "frame 0"),
            ("zoom", "expected"),
        ] {
            let film = format!("kinora 1\nframes = 2\nprompt = \"a\"\n  {MARK} {note}\n");
            let Err(Error::Schedule(found)) = timeline(&film).deforum_table() else { panic!("{note}") };
            assert!(found.list[0].message.contains(says), "{}", found.list[0].message);
            assert_eq!(found.list[0].span.start, film.find(MARK).unwrap() as u32);
        }
    }
}
