//! Where pictures come from: videos, hybrid video, masks, guided images.

use serde_json::Value as Json;

use super::rules::{FEATURES, Group, Need, Rule};
use super::{Deforum, one, texts};
use crate::import::deforum::spelled_out;
use crate::import::print::{number, string};
use crate::import::score::{Group as Lines, Value};
use crate::schedule::masks;
use crate::schedule::params::{find, find_choice};

const fn rule(key: &'static str, param: &'static str) -> Rule {
    Rule { key, param, group: Group::Kept, need: Need::Always }
}

/// Schedules of hybrid masks.
const OF_MASK: [Rule; 1] = [rule("hybrid_comp_mask_contrast_schedule", "hybrid_comp_mask_contrast")];

/// The same with automatic contrast.
const OF_CONTRAST: [Rule; 2] = [
    rule("hybrid_comp_mask_auto_contrast_cutoff_high_schedule", "hybrid_comp_mask_auto_contrast_cutoff_high"),
    rule("hybrid_comp_mask_auto_contrast_cutoff_low_schedule", "hybrid_comp_mask_auto_contrast_cutoff_low"),
];

/// Schedules of guided images. `image_strength_schedule` is not among them: it comes too late to have an effect.
const OF_GUIDES: [Rule; 4] = [
    rule("blendFactorMax", "blend_factor_max"),
    rule("blendFactorSlope", "blend_factor_slope"),
    rule("tweening_frames_schedule", "tweening_frames"),
    rule("color_correction_factor", "color_correction_factor"),
];

impl Deforum<'_> {
    /// What the film is painted over, follows and is led to, and what of it is repainted.
    pub(super) fn pictures(&mut self, lines: &mut Lines) {
        let mode = self.word("animation_mode");
        if mode == "Video Input" {
            self.video_input(lines);
        } else if matches!(mode.as_str(), "2D" | "3D") {
            self.hybrid(lines);
            self.guides(lines);
        }
        self.masks(lines);
    }

    /// `video("clip.mp4", every=2)` of the settings' video; `None` when there is no such file here.
    fn video(&mut self, key: &str) -> Option<String> {
        let file = self.file(&self.word(key))?;
        let mut call = format!("video({}", string(&file));
        for (setting, name, usual) in [
            ("extract_nth_frame", "every", 1.0),
            ("extract_from_frame", "from", 0.0),
            ("extract_to_frame", "to", -1.0),
        ] {
            let written =
                self.number(setting).unwrap_or(usual).trunc().max(if name == "every" { 1.0 } else { -1.0 });
            if written != usual {
                call.push_str(&format!(", {name}={}", number(written)));
            }
            self.carried(setting, "video");
        }
        Some(call + ")")
    }

    /// A comment and a note for a picture or video that is not here.
    fn absent(&mut self, key: &str, form: &str, lines: &mut Lines) {
        let written = self.word(key);
        lines.comment(&format!("{form}({}): there is no such file here", string(&written)));
        let why = format!("there is no such file here: copy it beside the film and write `{form}(\"...\")`");
        self.report.leave(key, self.shown(key), why);
        self.done.insert(key.to_owned());
    }

    fn video_input(&mut self, lines: &mut Lines) {
        match self.video("video_init_path") {
            Some(video) => {
                lines.one("source", video);
                self.carried("video_init_path", "source");
                self.report.change(
                    "max_frames",
                    self.shown("max_frames"),
                    "Deforum's film is as long as the video; so is this one without `frames`",
                );
            }
            None => self.absent("video_init_path", "source = video", lines),
        }
        self.settle("video input", "kinora reads the video itself");
    }

    fn hybrid(&mut self, lines: &mut Lines) {
        let is_mixed = !matches!(self.word("hybrid_composite").as_str(), "None" | "");
        let is_moved = !matches!(self.word("hybrid_motion").as_str(), "None" | "");
        if !is_mixed && !is_moved {
            return;
        }
        if self.is("hybrid_use_init_image") {
            lines.one("hybrid_use_init_image", "true");
            self.carried("hybrid_use_init_image", "hybrid_use_init_image");
        } else {
            match self.video("video_init_path") {
                Some(video) => {
                    lines.one("hybrid", video);
                    self.carried("video_init_path", "hybrid");
                }
                None => self.absent("video_init_path", "hybrid = video", lines),
            }
            if !self.is("hybrid_use_first_frame_as_init_image") {
                lines.one("hybrid_use_first_frame_as_init_image", "false");
            }
            self.carried("hybrid_use_first_frame_as_init_image", "hybrid_use_first_frame_as_init_image");
        }
        if is_mixed {
            self.composite(lines);
        }
        if is_moved {
            self.motion(lines);
        }
        self.settle("hybrid video", "it has no effect with these settings");
        self.settle("video input", "kinora reads the video itself");
    }

    fn composite(&mut self, lines: &mut Lines) {
        self.word_of("hybrid_composite", lines);
        self.schedule(&rule("hybrid_comp_alpha_schedule", "hybrid_comp_alpha"), lines);
        let mask = self.word("hybrid_comp_mask_type");
        if matches!(mask.as_str(), "None" | "") {
            return;
        }
        self.word_of("hybrid_comp_mask_type", lines);
        if mask == "Blend" {
            let blend = rule("hybrid_comp_mask_blend_alpha_schedule", "hybrid_comp_mask_blend_alpha");
            self.schedule(&blend, lines);
        }
        self.flag("hybrid_comp_mask_inverse", lines);
        self.word_of("hybrid_comp_mask_equalize", lines);
        OF_MASK.iter().for_each(|rule| self.schedule(rule, lines));
        if self.is("hybrid_comp_mask_auto_contrast") {
            self.flag("hybrid_comp_mask_auto_contrast", lines);
            OF_CONTRAST.iter().for_each(|rule| self.schedule(rule, lines));
        }
    }

    fn motion(&mut self, lines: &mut Lines) {
        self.word_of("hybrid_motion", lines);
        self.flag("hybrid_motion_use_prev_img", lines);
        if self.word("hybrid_motion") != "Optical Flow" {
            return;
        }
        let method = self.word("hybrid_flow_method");
        self.done.insert("hybrid_flow_method".to_owned());
        if method == "DIS Medium" {
            lines.one("hybrid_flow_method", "dis_medium");
            self.carried("hybrid_flow_method", "hybrid_flow_method");
        } else if method == "DIS Fine" {
            self.carried("hybrid_flow_method", "hybrid_flow_method");
        } else {
            let why = "motion is found by kinora's own flow (`dis_fine`)";
            self.report.change("hybrid_flow_method", self.shown("hybrid_flow_method"), why);
        }
        self.schedule(&rule("hybrid_flow_factor_schedule", "hybrid_flow_factor"), lines);
        if self.is("hybrid_flow_consistency") {
            self.flag("hybrid_flow_consistency", lines);
            let blur = self.number("hybrid_consistency_blur").unwrap_or(2.0).clamp(0.0, 100.0);
            if blur != 2.0 {
                lines.one("hybrid_consistency_blur", number(blur));
            }
            self.carried("hybrid_consistency_blur", "hybrid_consistency_blur");
        }
    }

    fn guides(&mut self, lines: &mut Lines) {
        if !self.is("use_looper") {
            return;
        }
        self.carried("use_looper", "guide.images");
        let written = self.word("init_images");
        let images: Option<Vec<(String, String)>> =
            serde_json::from_str::<serde_json::Map<String, Json>>(&written).ok().map(|map| {
                let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
                map.iter().map(|(key, value)| (key.clone(), text(value))).collect()
            });
        let Some(images) = images.filter(|images| !images.is_empty()) else {
            self.done.insert("init_images".to_owned());
            self.report.leave(
                "init_images",
                self.shown("init_images"),
                "expected an object of times and pictures",
            );
            return;
        };
        let found: Option<Vec<String>> = images
            .iter()
            .map(|(time, image)| Some(format!("{}: {}", self.time(time)?, string(&self.file(image)?))))
            .collect();
        match found {
            Some(keys) => {
                lines.set("guide.images", Value::Keys(keys));
                self.carried("init_images", "guide.images");
                OF_GUIDES.iter().for_each(|rule| self.schedule(rule, lines));
            }
            None => {
                for (time, image) in &images {
                    lines.comment(&format!("guide.images = {time}: {}", string(image)));
                }
                let why = "not all of the pictures are here: copy them beside the film and write `guide.images = ...`";
                self.report.leave("init_images", self.shown("init_images"), why);
                self.done.insert("init_images".to_owned());
            }
        }
        self.idle("image_strength_schedule", "it comes too late to have an effect in Deforum");
        self.settle("guided images", "it has no effect with these settings");
    }

    /// A key's time as the film writes it: a frame, or an expression of `max_f`.
    fn time(&self, written: &str) -> Option<String> {
        let written = written.trim();
        if written.parse::<u32>().is_ok() {
            return Some(written.to_owned());
        }
        let last = f64::from(self.bench.frames.saturating_sub(1));
        let expr = crate::schedule::deforum::python::expression(written, Default::default()).ok()?;
        let value = crate::timeline::deforum::numexpr::evaluate(
            &expr,
            &|name| (name == "max_f").then_some(crate::timeline::eval::Value::Float(last)),
            crate::schedule::deforum::Mode::Compat,
        );
        let frame = value.ok()?.as_f64()?.trunc();
        (0.0..=last).contains(&frame).then(|| number(frame))
    }

    fn masks(&mut self, lines: &mut Lines) {
        let video = self.is("use_mask_video");
        if !self.is("use_mask") && !self.is("use_alpha_as_mask") && !video {
            return;
        }
        if video {
            match self.video("video_mask_path") {
                Some(call) => {
                    lines.one("mask_file", call);
                    self.carried("use_mask_video", "mask_file");
                    self.carried("video_mask_path", "mask_file");
                }
                None => self.absent("video_mask_path", "mask_file = video", lines),
            }
        } else if self.is("use_alpha_as_mask") {
            lines.one("mask_file", "alpha");
            self.carried("use_alpha_as_mask", "mask_file");
        } else {
            match self.file(&self.word("mask_file")) {
                Some(file) => {
                    lines.one("mask_file", string(&file));
                    self.carried("mask_file", "mask_file");
                }
                None => self.absent("mask_file", "mask_file = ", lines),
            }
        }
        self.carried("use_mask", "mask_file");
        self.mask_schedule(lines);
        self.flag("invert_mask", lines);
        if !self.is("overlay_mask") {
            lines.one("overlay_mask", "false");
        }
        self.carried("overlay_mask", "overlay_mask");
        for (key, param, usual) in [
            ("mask_overlay_blur", "mask_overlay_blur", 4.0),
            ("mask_contrast_adjust", "mask_contrast_adjust", 1.0),
            ("mask_brightness_adjust", "mask_brightness_adjust", 1.0),
        ] {
            let written = self.number(key).unwrap_or(usual).max(0.0);
            if written != usual {
                lines.one(param, number(written));
            }
            self.carried(key, param);
        }
        self.fill(lines);
        self.settle("masks", "it has no effect with these settings");
    }

    fn fill(&mut self, lines: &mut Lines) {
        self.choice("fill", "mask_fill", "original", lines);
        if self.is("full_res_mask") {
            lines.one("full_res_mask", "true");
            let padding = self.number("full_res_mask_padding").unwrap_or(4.0).trunc().clamp(0.0, 4096.0);
            if padding != 4.0 {
                lines.one("full_res_mask_padding", number(padding));
            }
            self.carried("full_res_mask_padding", "full_res_mask_padding");
        }
        self.carried("full_res_mask", "full_res_mask");
    }

    fn mask_schedule(&mut self, lines: &mut Lines) {
        let key = "mask_schedule";
        let text = self.settings.schedule(key).unwrap_or_default();
        let found = match texts(self, key) {
            Ok(found) => found,
            Err(error) => return self.refused(key, &text, &error),
        };
        if found.iter().all(|mask| mask.trim() == "{video_mask}") {
            self.carried(key, "mask");
            self.exact.insert(key.to_owned());
            return;
        }
        let wrong = found.iter().find_map(|mask| masks::read(mask).err());
        if let Some(wrong) = wrong {
            self.done.insert(key.to_owned());
            self.report.leave(key, self.shown(key), wrong.message);
            return;
        }
        let odd = |mask: &String| mask.contains('!') && mask.matches(['[', '{', '<']).count() > 1;
        if found.iter().any(odd) {
            let why =
                "`!` inverts the mask behind it here, and the last mask of the rest in Deforum: look at it";
            self.report.change(key, self.shown(key), why);
        }
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        lines.set("mask", spelled_out(&found));
        self.carried(key, "mask");
        self.exact.insert(key.to_owned());
    }

    /// The film's sound, for its `video` block. A truth value of old files means a file.
    pub(super) fn sound(&mut self) -> Option<(String, String)> {
        let kind = self.word("add_soundtrack");
        let found = match kind.as_str() {
            "None" | "" | "false" => None,
            "Init Video" if self.file(&self.word("video_init_path")).is_some() => Some("source".to_owned()),
            "Init Video" => None,
            _ => self.file(&self.word("soundtrack_path")).map(|file| string(&file)),
        };
        if let Some(audio) = found {
            self.carried("add_soundtrack", "audio");
            self.carried("soundtrack_path", "audio");
            return Some(("audio".to_owned(), audio));
        }
        if !matches!(kind.as_str(), "None" | "" | "false") {
            let why = "there is no such file here: copy it beside the film and write `audio = \"...\"`";
            self.report.leave("add_soundtrack", self.shown("add_soundtrack"), why);
            self.done.insert("add_soundtrack".to_owned());
        }
        self.settle("soundtrack", "there is no sound, or it is not here");
        None
    }

    /// A switch that is called the same here and off by default.
    fn flag(&mut self, key: &'static str, lines: &mut Lines) {
        if self.is(key) {
            lines.one(key, "true");
        }
        self.carried(key, key);
    }

    /// A word of a choice that is called the same here, `none` by default.
    fn word_of(&mut self, key: &'static str, lines: &mut Lines) {
        let choices = find(key).map(|param| param.choices()).unwrap_or_default();
        self.done.insert(key.to_owned());
        match find_choice(choices, &self.word(key)) {
            Some(choice) => {
                if choice.name != "none" {
                    lines.set(key, one(choice.name));
                }
                self.carried(key, key);
            }
            None => self.report.leave(key, self.shown(key), format!("`{key}` has no such choice")),
        }
    }

    /// Says of everything else that belongs to a feature that it has no effect.
    fn settle(&mut self, feature: &str, why: &str) {
        let Some(feature) = FEATURES.iter().find(|known| known.name == feature) else { return };
        let keys = self.settings.groups.values().flat_map(|group| group.keys());
        let open: Vec<String> =
            keys.filter(|key| feature.has(key) && !self.done.contains(*key)).cloned().collect();
        open.iter().for_each(|key| self.idle(key, why));
    }
}
