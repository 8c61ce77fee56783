//! ControlNet units as `control` blocks.

use super::Deforum;
use crate::import::bench::Place;
use crate::import::print::string;
use crate::import::score::{Block, Group as Lines, Score};
use crate::timeline::deforum::settings::{CONTROLNET, Series};

/// What a unit's network is shown.
enum Shown {
    Depth,
    Picture(String),
    /// Its negative.
    Negative(String),
    /// The edges of a picture, or of the frame itself.
    Edges(Option<String>),
    /// The film's own model looks at the picture.
    Reference(String),
}

impl Deforum<'_> {
    pub(super) fn controls(&mut self, score: &mut Score) {
        for unit in (1..).take_while(|n| self.settings.get(&format!("cn_{n}_enabled")).is_some()) {
            if self.is(&format!("cn_{unit}_enabled")) {
                self.control(unit, score);
            } else {
                for key in self.keys_of(unit) {
                    self.idle(&key, "this ControlNet unit is off");
                }
            }
        }
    }

    fn keys_of(&self, unit: u32) -> Vec<String> {
        let start = format!("cn_{unit}_");
        let group = self.settings.groups.get("controlnet_args");
        group
            .into_iter()
            .flat_map(|group| group.keys())
            .filter(|key| key.starts_with(&start))
            .cloned()
            .collect()
    }

    fn control(&mut self, unit: u32, score: &mut Score) {
        let key = |name: &str| format!("cn_{unit}_{name}");
        let Some(shown) = self.shown_to(unit) else {
            let (module, model) = (self.word(&key("module")), self.word(&key("model")));
            self.report.leave(
                &key("enabled"),
                "true",
                format!("a control can look at depth, edges (canny), a picture or a reference, not «{module}» for model «{model}»"),
            );
            self.done.insert(key("enabled"));
            for key in self.keys_of(unit).into_iter().filter(|key| !key.ends_with("_enabled")) {
                self.idle(&key, "this ControlNet unit is not carried over");
            }
            return;
        };
        let mut lines = Lines::default();
        let model = self.word(&key("model"));
        if !matches!(model.as_str(), "None" | "") {
            lines.comment(&format!("model = \"...\": the file has {model}"));
            self.report.leave(
                &key("model"),
                self.shown(&key("model")),
                "give the network's folder or file as `model`",
            );
        }
        let picture = |lines: &mut Lines, path: &str, from: &str| {
            lines.one("image", string(path));
            lines.one("from", from);
        };
        let head = match &shown {
            Shown::Depth => {
                lines.one("from", "depth");
                if unit == 1 { "depth".to_owned() } else { format!("depth_{unit}") }
            }
            Shown::Picture(path) | Shown::Negative(path) => {
                picture(&mut lines, path, "as_is");
                if matches!(shown, Shown::Negative(_)) {
                    lines.one("invert", "true");
                }
                format!("unit_{unit}")
            }
            Shown::Edges(path) => {
                match path {
                    Some(path) => picture(&mut lines, path, "canny"),
                    None => lines.one("from", "canny"),
                }
                self.threshold(&key("threshold_a"), "canny.low", (0.0, 2040.0), &mut lines);
                self.threshold(&key("threshold_b"), "canny.high", (0.0, 2040.0), &mut lines);
                format!("edges_{unit}")
            }
            Shown::Reference(path) => {
                picture(&mut lines, path, "reference");
                self.threshold(&key("threshold_a"), "fidelity", (0.0, 1.0), &mut lines);
                format!("style_{unit}")
            }
        };
        if matches!(
            shown,
            Shown::Picture(_) | Shown::Negative(_) | Shown::Edges(Some(_)) | Shown::Reference(_)
        ) {
            self.carried(&key("vid_path"), "control.image");
            self.resize(&key("resize_mode"), &mut lines);
        }
        for (name, param) in CONTROLNET.iter().zip(["weight", "start", "end"]) {
            let setting = key(name);
            let text = self.settings.schedule(&setting).unwrap_or_default();
            match self.expand(&setting) {
                Ok(Series::Numbers(wanted)) => {
                    self.write_track(Place::Control, &setting, param, &text, &wanted, &mut lines);
                }
                Ok(Series::Texts(_)) => {}
                Err(error) => self.refused(&setting, &text, &error),
            }
        }
        let mode = self.word(&key("control_mode"));
        let choices = crate::schedule::params::find("mode").map(|param| param.choices()).unwrap_or_default();
        if let Some(choice) =
            crate::schedule::params::find_choice(choices, &mode).filter(|c| c.name != "balanced")
        {
            lines.one("mode", choice.name);
        }
        for name in ["enabled", "module", "control_mode"] {
            self.carried(&key(name), "control");
        }
        for key in self.keys_of(unit) {
            if self.raw.contains_key(&key) && !self.done.contains(&key) {
                self.idle(&key, "kinora finds the size and the preprocessor itself");
            }
        }
        score.blocks.push(Block { head: format!("control {head}"), lines: lines.lines });
    }

    /// A number of the preprocessor's, when it is one that kinora takes; else the default stands.
    fn threshold(&mut self, key: &str, name: &str, (least, most): (f64, f64), lines: &mut Lines) {
        let number = self.settings.get(key).and_then(serde_json::Value::as_f64);
        if let Some(number) = number.filter(|number| (least..=most).contains(number)) {
            lines.one(name, number.to_string());
            self.carried(key, &format!("control.{name}"));
        }
    }

    /// How a picture is brought to the frame's shape.
    fn resize(&mut self, key: &str, lines: &mut Lines) {
        let word = self.word(key);
        let choices = crate::schedule::params::find("resize").map(|param| param.choices());
        let found = crate::schedule::params::find_choice(choices.unwrap_or_default(), &word);
        if let Some(choice) = found {
            if choice.name != "crop" {
                lines.one("resize", choice.name);
            }
            self.carried(key, "control.resize");
        }
    }

    /// What the network sees, when kinora can show it.
    fn shown_to(&self, unit: u32) -> Option<Shown> {
        let word = |name: &str| self.word(&format!("cn_{unit}_{name}"));
        let (module, path) = (word("module").to_lowercase(), word("vid_path"));
        let is_loopback = self.is(&format!("cn_{unit}_loopback_mode"));
        if module.contains("depth") {
            return (is_loopback || path.trim().is_empty()).then_some(Shown::Depth);
        }
        let is_picture = [".png", ".jpg", ".jpeg"].iter().any(|ending| path.to_lowercase().ends_with(ending));
        let picture = || is_picture.then(|| self.file(&path)).flatten();
        match module.as_str() {
            "none" => picture().map(Shown::Picture),
            _ if module.starts_with("invert") => picture().map(Shown::Negative),
            "canny" if is_loopback || path.trim().is_empty() => Some(Shown::Edges(None)),
            "canny" => picture().map(|path| Shown::Edges(Some(path))),
            "reference_only" => picture().map(Shown::Reference),
            _ => None,
        }
    }
}
