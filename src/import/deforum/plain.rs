//! Settings that are no schedules: words, switches, single numbers.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::rules::Group;
use super::{Deforum, one, texts};
use crate::import::deforum::spelled_out;
use crate::import::print::{number, string};
use crate::import::sampler::{sampler, spacing};
use crate::import::score::{Group as Lines, Line, Value};
use crate::schedule::params::{find, find_choice};

impl Deforum<'_> {
    /// Settings that stand above a group's schedules.
    pub(super) fn plain_before(&mut self, group: Group, lines: &mut Lines) {
        match group {
            Group::Motion => self.camera(lines),
            Group::Kept => {
                self.source(lines);
                self.pictures(lines);
                self.cadence(lines);
            }
            Group::Colour => {}
            Group::Model => {
                self.steps(lines);
                self.sampling(lines);
            }
        }
    }

    /// Settings that stand below a group's schedules.
    pub(super) fn plain_after(&mut self, group: Group, lines: &mut Lines) {
        match group {
            Group::Motion => self.edges(lines),
            Group::Kept => self.noise(lines),
            Group::Colour => self.colours(lines),
            Group::Model => self.seeds(lines),
        }
    }

    fn camera(&mut self, lines: &mut Lines) {
        let mode = self.word("animation_mode");
        match mode.as_str() {
            "3D" => {
                lines.one("animation_mode", "depth");
                self.carried("animation_mode", "animation_mode");
            }
            "2D" => self.carried("animation_mode", "animation_mode"),
            "Interpolation" => {
                lines.one("animation_mode", "interpolation");
                self.carried("animation_mode", "animation_mode");
            }
            _ => self.carried("animation_mode", "source"),
        }
        if self.is("enable_perspective_flip") {
            lines.one("enable_perspective_flip", "true");
            self.carried("enable_perspective_flip", "enable_perspective_flip");
        } else {
            self.idle("enable_perspective_flip", "it is off");
        }
        if self.deep() && self.is("aspect_ratio_use_old_formula") {
            let [w, h] = ["W", "H"].map(|key| self.number(key).unwrap_or(512.0));
            lines.noted(
                "aspect_ratio",
                one(format!("{} / {}", number(w), number(h))),
                "the old formula: width by height",
            );
            self.carried("aspect_ratio_use_old_formula", "aspect_ratio");
            self.idle("aspect_ratio_schedule", "the old formula is used instead");
        } else {
            self.idle("aspect_ratio_use_old_formula", "it is off");
        }
    }

    fn edges(&mut self, lines: &mut Lines) {
        let (used, unused) =
            if self.deep() { ("padding_mode", "border") } else { ("border", "padding_mode") };
        self.choice(used, "border", "replicate", lines);
        self.idle(unused, "the other camera uses it");
        if !self.deep() {
            for key in ["sampling_mode", "use_depth_warping", "depth_algorithm"] {
                self.idle(key, "only the 3D camera uses it");
            }
            // The film's sharpening was made for what this takes away.
            lines.one("sampling_mode", "bilinear");
            return;
        }
        self.choice("sampling_mode", "sampling_mode", "lagrange", lines);
        if self.is("use_depth_warping") {
            self.carried("use_depth_warping", "depth");
            self.done.insert("depth_algorithm".to_owned());
            self.report.change(
                "depth_algorithm",
                self.shown("depth_algorithm"),
                "kinora's own depth network looks at the frames; MiDaS or Depth Anything do where their file is \
                 there: `depth = network(\"dpt_large_384\")`",
            );
            // Deforum's distances are spread evenly over every frame.
            lines.one("depth.equalise", "true");
        } else {
            lines.one("depth", "flat");
            self.carried("use_depth_warping", "depth");
            self.idle("depth_algorithm", "depth warping is off");
        }
        if self.is("save_depth_maps") && self.is("use_depth_warping") {
            lines.one("depth.save", "true");
            self.carried("save_depth_maps", "depth.save");
        } else if self.is("save_depth_maps") {
            self.idle("save_depth_maps", "there is no depth");
        }
    }

    /// A word that is one of the parameter's; what is the default anyway is not written.
    pub(super) fn choice(&mut self, key: &str, param: &str, default: &str, lines: &mut Lines) {
        let written = self.word(key);
        let choices = find(param).map(|param| param.choices()).unwrap_or_default();
        self.done.insert(key.to_owned());
        match find_choice(choices, &written) {
            Some(choice) => {
                self.carried(key, param);
                if choice.name != default {
                    lines.one(param, choice.name);
                }
            }
            None => self.report.leave(key, self.shown(key), format!("`{param}` has no such choice")),
        }
    }

    /// The init picture, when it is there.
    fn source(&mut self, lines: &mut Lines) {
        if matches!(self.word("animation_mode").as_str(), "Interpolation" | "Video Input") {
            for key in ["use_init", "init_image", "strength"] {
                self.idle(key, "this mode has no init picture");
            }
            return;
        }
        if !self.is("use_init") {
            for key in ["use_init", "init_image", "strength"] {
                self.idle(key, "there is no init picture");
            }
            return;
        }
        let written = self.word("init_image");
        match self.file(&written) {
            Some(path) => {
                lines.one("source", format!("init({})", string(&path)));
                self.carried("use_init", "source");
                self.carried("init_image", "source");
                let strength = self.number("strength").unwrap_or(0.8).clamp(0.0, 1.0);
                if strength != 0.8 {
                    lines.one("init_strength", number(strength));
                }
                self.carried("strength", "init_strength");
            }
            None => {
                lines.comment(&format!("source = init({}): there is no such file here", string(&written)));
                self.report.leave(
                    "init_image",
                    self.shown("init_image"),
                    "there is no such file here: copy it beside the film and write `source = init(\"...\")`",
                );
                self.done.extend(["init_image", "use_init", "strength"].map(str::to_owned));
                self.report.leave(
                    "strength",
                    self.shown("strength"),
                    "write `init_strength` beside `source`",
                );
            }
        }
    }

    /// A file that is there, with the path as the film writes it.
    pub(super) fn file(&self, written: &str) -> Option<String> {
        let path = written.trim().replace('\\', "/");
        let is_there = |path: &Path| !path.as_os_str().is_empty() && self.folder.join(path).is_file();
        is_there(&PathBuf::from(&path)).then_some(path)
    }

    fn noise(&mut self, lines: &mut Lines) {
        let key = "enable_noise_multiplier_scheduling";
        if self.is(key) {
            self.carried(key, "noise_multiplier");
        } else {
            self.idle(key, "it is off");
        }
        let silent = matches!(self.expand("noise_schedule"),
            Ok(crate::timeline::deforum::settings::Series::Numbers(values)) if values.iter().all(|v| *v == 0.0));
        if silent {
            for key in ["noise_type", "perlin_octaves", "perlin_persistence"] {
                self.idle(key, "there is no noise");
            }
            return;
        }
        self.choice("noise_type", "noise_type", "perlin", lines);
        let perlin = self.word("noise_type") != "uniform";
        for (key, default) in [("perlin_octaves", 4.0), ("perlin_persistence", 0.5)] {
            if !perlin {
                self.idle(key, "the noise is uniform");
                continue;
            }
            let possible = find(key).map_or((0.0, 0.0), |param| param.possible);
            let written = self.number(key).unwrap_or(default);
            let value = if key == "perlin_octaves" { written.trunc() } else { written };
            let value = value.clamp(possible.0, possible.1);
            if value != written {
                self.report.change(key, self.shown(key), format!("written as {}", number(value)));
            }
            if value != default {
                lines.one(key, number(value));
            }
            self.carried(key, key);
        }
    }

    fn colours(&mut self, lines: &mut Lines) {
        let coherence = self.word("color_coherence");
        self.reference(&coherence, lines);
        // Deforum lets pictures drift as they will.
        lines.one("drift.correct", "0");
        self.done.insert("legacy_colormatch".to_owned());
        if self.is("legacy_colormatch") && coherence != "None" {
            lines.one("legacy_colormatch", "true");
            self.carried("legacy_colormatch", "legacy_colormatch");
        } else {
            self.idle("legacy_colormatch", "it is off");
        }
    }

    /// What colours are held to.
    fn reference(&mut self, coherence: &str, lines: &mut Lines) {
        let written = self.word("color_coherence_image_path");
        match (coherence, self.file(&written)) {
            ("Image", Some(path)) => {
                lines.one("coherence", "image");
                lines.one("coherence.image", string(&path));
                self.carried("color_coherence", "coherence");
                self.carried("color_coherence_image_path", "coherence.image");
                return;
            }
            ("Image", None) => {
                self.done.extend(["color_coherence", "color_coherence_image_path"].map(str::to_owned));
                lines.comment(&format!("coherence.image = {}: there is no such file here", string(&written)));
                self.report.leave(
                    "color_coherence_image_path",
                    self.shown("color_coherence_image_path"),
                    "there is no such file here: copy it beside the film and write `coherence.image = \"...\"`; colours \
                     are held to the first frame",
                );
                return;
            }
            ("Video Input", _) => {
                self.done.insert("color_coherence".to_owned());
                self.report.leave(
                    "color_coherence",
                    self.shown("color_coherence"),
                    "colours can only be held to the first frame or a picture",
                );
            }
            _ => self.choice("color_coherence", "coherence", "lab", lines),
        }
        self.idle("color_coherence_image_path", "colours are not held to a picture");
    }

    fn steps(&mut self, lines: &mut Lines) {
        let model = self.raw.get("sd_model_name").and_then(Json::as_str).map(str::to_owned);
        if let Some(model) = model.filter(|model| !model.trim().is_empty()) {
            lines.comment(&format!("model = \"...\": the file was made with {}", model.trim()));
            self.report.leave(
                "sd_model_name",
                format!("{model:?}"),
                "give the model's folder or file as `model`",
            );
        }
        self.done.insert("sd_model_name".to_owned());
        if self.is("enable_steps_scheduling") {
            self.carried("enable_steps_scheduling", "steps");
            self.idle("steps", "steps are scheduled");
            return;
        }
        self.idle("enable_steps_scheduling", "it is off");
        let written = self.number("steps").unwrap_or(25.0);
        let steps = written.trunc().clamp(1.0, 1000.0);
        if steps != written {
            self.report.change("steps", self.shown("steps"), format!("written as {}", number(steps)));
        }
        lines.one("steps", number(steps));
        self.carried("steps", "steps");
    }

    fn sampling(&mut self, lines: &mut Lines) {
        if self.is("enable_clipskip_scheduling") {
            self.carried("enable_clipskip_scheduling", "clip_skip");
        } else {
            self.idle("enable_clipskip_scheduling", "it is off");
        }
        for (switch, param) in
            [("enable_ddim_eta_scheduling", "ddim_eta"), ("enable_ancestral_eta_scheduling", "eta")]
        {
            if self.is(switch) {
                self.carried(switch, param);
            } else {
                self.idle(switch, "it is off");
            }
        }
        if self.is("enable_sampler_scheduling") {
            self.carried("enable_sampler_scheduling", "sampler");
            self.idle("sampler", "samplers are scheduled");
            self.sampler_schedule(lines);
            return;
        }
        self.idle("enable_sampler_scheduling", "it is off");
        self.idle("sampler_schedule", "its switch is off");
        let (key, written) = self.sampler_name();
        match sampler(&written) {
            Some((name, spaced)) => {
                lines.one("sampler", name);
                if let Some(spaced) = spaced {
                    lines.one("spacing", spaced);
                }
                self.carried(key, "sampler");
            }
            None => {
                self.done.insert(key.to_owned());
                self.report.leave(
                    key,
                    format!("{written:?}"),
                    "there is no such sampler; the model's own is used",
                );
            }
        }
        // Newer web UIs hand the spacing on as a setting of its own.
        if let Some(text) = self.raw.get("scheduler").and_then(Json::as_str)
            && let Some(spaced) = spacing(text)
        {
            self.done.insert("scheduler".to_owned());
            if !lines.lines.iter().any(|line| matches!(line, Line::Setting { name, .. } if name == "spacing"))
            {
                lines.one("spacing", spaced);
            }
            self.report.carry("scheduler", "spacing");
        }
    }

    /// The sampler and where the file says it. Deforum Studio has another name for the setting, which counts
    /// where Deforum's is absent or says no more than its default.
    fn sampler_name(&mut self) -> (&'static str, String) {
        let own = self.word("sampler");
        let is_usual = !self.raw.contains_key("sampler") || sampler(&own) == sampler("Euler a");
        match self.raw.get("sampler_name").and_then(Json::as_str) {
            Some(studio) if is_usual && sampler(studio).is_some() => {
                self.idle("sampler", "it is Deforum's own value, and the file has Studio's name too");
                ("sampler_name", studio.to_owned())
            }
            _ => ("sampler", own),
        }
    }

    fn sampler_schedule(&mut self, lines: &mut Lines) {
        let key = "sampler_schedule";
        let text = self.settings.schedule(key).unwrap_or_default();
        let names = match texts(self, key) {
            Ok(names) => names,
            Err(error) => return self.refused(key, &text, &error),
        };
        let known = |name: &String| match sampler(name) {
            Some((name, None)) => Some(name.to_owned()),
            Some((name, Some("karras"))) => Some(format!("{name} karras")),
            _ => None,
        };
        let Some(found) = names.iter().map(known).collect::<Option<Vec<_>>>() else {
            let unknown = names.iter().find(|name| known(name).is_none()).cloned().unwrap_or_default();
            self.done.insert(key.to_owned());
            self.report.leave(key, self.shown(key), format!("there is no sampler `{unknown}` to schedule"));
            return;
        };
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let bare = |key: String| {
            if key.contains("\"") && !key.contains(" karras") { key.replace('"', "") } else { key }
        };
        let value = match spelled_out(&found) {
            Value::One(word) => Value::One(bare(word)),
            Value::Keys(keys) => Value::Keys(keys.into_iter().map(bare).collect()),
        };
        lines.set("sampler", value);
        self.carried(key, "sampler");
        self.exact.insert(key.to_owned());
    }
}
