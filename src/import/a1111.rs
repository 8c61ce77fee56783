//! The text that the A1111 web UI writes into its pictures: the prompt, `Negative prompt: ...`, and a line
//! of `Name: value` pairs.

use super::deforum::footer;
use super::print::{number, string};
use super::report::Report;
use super::sampler::{own_spacing, sampler, spacing};
use super::score::{Group, Line, Score, Value};
use super::{Imported, header};
use crate::infotext::{Parameters, read_pairs};
use crate::schedule::deforum::ReadError;
use crate::schedule::params::find;

/// Whether a text is one: a line that begins `Steps:` with more pairs behind it.
pub(super) fn looks_like(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("Steps: ") && read_pairs(line).len() >= 3)
}

/// Imports the text.
///
/// # Errors
/// Text without the line of pairs.
pub(super) fn import(name: &str, text: &str) -> Result<Imported, ReadError> {
    let Some(found) = Parameters::read(text).filter(|found| !found.pairs.is_empty()) else {
        return Err(ReadError::new(
            Default::default(),
            "expected parameters of the A1111 web UI, found no line such as `Steps: 20, Sampler: Euler a, Seed: 1`",
        ));
    };
    let report = Report { source: name.to_owned(), kind: "a1111".to_owned(), ..Report::default() };
    let mut writer = Writer { report, score: Score::default(), model: Group::default(), found };
    writer.film();
    Ok(Imported { film: writer.score.text(), report: writer.report })
}

struct Writer {
    report: Report,
    score: Score,
    model: Group,
    found: Parameters,
}

impl Writer {
    fn film(&mut self) {
        self.score.header = header(&self.report);
        self.score.header.push(
            "One still picture. To make it move, give it more `frames` and a motion such as `zoom = 1.01`; \
             `strength` says how much of each frame is kept."
                .to_owned(),
        );
        let mut words = Group::default();
        words.set("prompt", Value::One(string(&self.found.prompt)));
        self.report.carry("prompt", "prompt");
        if !self.found.negative.is_empty() {
            words.set("negative", Value::One(string(&self.found.negative)));
            self.report.carry("Negative prompt", "negative");
        }
        let pairs = std::mem::take(&mut self.found.pairs);
        for (name, value) in &pairs {
            self.pair(name, value);
        }
        self.unsaid(&pairs);
        let mut length = Group::default();
        length.one("frames", "1");
        self.score.groups = vec![length, words, std::mem::take(&mut self.model)];
        self.score.footer = footer(&self.report);
    }

    fn pair(&mut self, name: &str, value: &str) {
        match name {
            "Steps" => self.number(name, "steps", value),
            "CFG scale" => self.number(name, "guidance", value),
            "Seed" => self.number(name, "seed", value),
            "Variation seed" => self.number(name, "subseed", value),
            "Variation seed strength" => self.number(name, "subseed_strength", value),
            "Eta" => self.number(name, "eta", value),
            "Eta DDIM" => self.number(name, "ddim_eta", value),
            "Sigma noise" => self.number(name, "s_noise", value),
            "Noise multiplier" => self.number(name, "noise_multiplier", value),
            "ENSD" => self.number(name, "eta_noise_seed_delta", value),
            "RNG" => match value {
                "CPU" => self.word(name, "rng", "cpu"),
                "NV" => self.word(name, "rng", "nv"),
                _ => self.report.leave(name, value, "there is no such source of random numbers"),
            },
            "Clip skip" => self.number(name, "clip_skip", value),
            "Denoising strength" => self.number(name, "denoise", value),
            "Sampler" => self.sampler(name, value),
            "Schedule type" => match spacing(value) {
                Some(word) => self.word(name, "spacing", word),
                None if value.eq_ignore_ascii_case("automatic") => {
                    self.report.idle(name, value, "the sampler's own");
                }
                None => self.report.leave(name, value, "there is no such spacing"),
            },
            "Size" => self.size(name, value),
            "Model" => {
                let text = format!("model = \"...\": the picture was made with {value}");
                self.model.lines.insert(0, Line::Comment(text));
                self.report.leave(name, value, "give the model's folder or file as `model`");
            }
            "Version" | "Model hash" | "Lora hashes" | "TI hashes" | "VAE hash" | "Hashes" => {
                self.report.idle(name, value, "tells where the picture comes from");
            }
            _ => self.report.leave(name, value, "kinora has nothing like it"),
        }
    }

    /// What the web UI does where the parameters say nothing of it, and kinora something else.
    fn unsaid(&mut self, pairs: &[(String, String)]) {
        let said = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let is_automatic = said("Schedule type").is_some_and(|kind| kind.eq_ignore_ascii_case("automatic"));
        if let Some((word, _)) = said("Sampler").and_then(sampler)
            && !self.has("spacing")
            && let Some(own) = own_spacing(word, is_automatic)
        {
            self.model.one("spacing", own);
        }
        if !self.has("rng") {
            let why = "The web UI draws noise on the graphics card unless it says `RNG: CPU`.";
            self.model.lines.push(Line::Comment(why.to_owned()));
            self.model.one("rng", "nv");
        }
    }

    fn has(&self, param: &str) -> bool {
        self.model.lines.iter().any(|line| matches!(line, Line::Setting { name, .. } if name == param))
    }

    fn set(&mut self, name: &str, param: &str, value: String) {
        if self.has(param) {
            self.report.leave(name, value, format!("`{param}` was given twice"));
            return;
        }
        self.model.one(param, value);
        self.report.carry(name, param);
    }

    fn word(&mut self, name: &str, param: &str, word: &str) {
        self.set(name, param, word.to_owned());
    }

    /// A number in the parameter's range.
    fn number(&mut self, name: &str, param: &str, value: &str) {
        let possible = find(param).map_or((0.0, 0.0), |param| param.possible);
        match value.parse::<f64>().ok().filter(|v| (possible.0..=possible.1).contains(v) && v.is_finite()) {
            Some(value) => self.set(name, param, number(value)),
            None => self.report.leave(name, value, format!("`{param}` cannot take that")),
        }
    }

    fn sampler(&mut self, name: &str, value: &str) {
        match sampler(value) {
            Some((word, spaced)) => {
                self.word(name, "sampler", word);
                if let Some(spaced) = spaced {
                    self.word(name, "spacing", spaced);
                }
            }
            None => self.report.leave(name, value, "there is no such sampler; the model's own is used"),
        }
    }

    fn size(&mut self, name: &str, value: &str) {
        let sides =
            value.split_once('x').and_then(|(w, h)| Some((w.parse::<u32>().ok()?, h.parse::<u32>().ok()?)));
        let Some((width, height)) = sides else {
            return self.report.leave(name, value, "expected a size such as 512x768");
        };
        let fit = |side: u32| (side.clamp(8, 16384) / 8) * 8;
        let written = format!("{}x{}", fit(width), fit(height));
        if written != value {
            self.report.change(name, value, format!("sides are multiples of 8: {written}"));
        }
        self.score.video = vec![("size".to_owned(), written)];
        self.report.carry(name, "size");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_recognised() {
        let text =
            "a cat, <lora:ink:0.8>\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Size: 512x768";
        assert!(looks_like(text));
        assert!(!looks_like("Steps: one by one"));
        assert!(import("a.txt", "a cat").is_err());
    }
}
