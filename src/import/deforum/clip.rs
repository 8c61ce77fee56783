//! How long, how fast, how large, and from which manifest.

use super::Deforum;
use super::rules::shown;
use crate::import::print::number;
use crate::import::score::Score;
use crate::schedule::deforum::Mode;
use crate::timeline::deforum::parseq::{self, Manifest};

/// Longest clip that is imported, in frames.
const MOST_FRAMES: f64 = 1_000_000.0;

impl Deforum<'_> {
    /// What was called otherwise in older files.
    pub(super) fn renamed(&mut self) {
        for message in &self.settings.messages {
            let key = message.split('`').nth(1).unwrap_or_default().to_owned();
            // What it means for the film is told where colours are.
            if key != "legacy_colormatch" {
                self.report.change(&key, "", message.clone());
            }
            self.done.insert(key);
        }
    }

    /// Length, rate, size and the start seed.
    pub(super) fn clip(&mut self, score: &mut Score) {
        let manifest = self.parseq();
        let frames = manifest.as_ref().map(|film| f64::from(film.max_frames));
        let frames = frames.or(self.number("max_frames")).filter(|frames| *frames >= 1.0);
        if frames.is_none_or(|frames| frames > MOST_FRAMES) {
            self.report.change(
                "max_frames",
                self.shown("max_frames"),
                format!("expected 1 to {MOST_FRAMES} frames"),
            );
        }
        self.bench.frames = frames.unwrap_or(120.0).clamp(1.0, MOST_FRAMES) as u32;
        let fps = manifest.as_ref().and_then(|film| film.fps).or(self.number("fps"));
        let usable = fps.filter(|fps| (0.001..=1000.0).contains(fps));
        if usable.is_none() {
            self.report.change(
                "fps",
                self.shown("fps"),
                "expected 0.001 to 1000 frames per second: 15 are written",
            );
        }
        self.bench.fps = number(usable.unwrap_or(15.0));
        self.bench.seed = self.number("seed").filter(|seed| *seed >= 0.0).map_or(0, |seed| seed as i64);
        self.manifest = manifest;
        let size = [("W", "width"), ("H", "height")].map(|(own, studio)| self.side(own, studio));
        score.video = vec![
            ("size".to_owned(), format!("{}x{}", size[0], size[1])),
            ("fps".to_owned(), self.bench.fps.clone()),
        ];
        score.video.extend(self.sound());
        for (key, to) in [("max_frames", "frames"), ("fps", "fps")] {
            self.carried(key, to);
        }
    }

    /// A side of the picture: Deforum hands it to the model rounded down to a multiple of 8. Deforum Studio has
    /// another name for it, which counts where Deforum's is absent or says no more than its default.
    fn side(&mut self, own: &'static str, studio: &'static str) -> u32 {
        let given = self.raw_number(studio).filter(|side| *side > 0.0);
        let is_usual = self.number(own).is_none_or(|side| side == 512.0);
        let (key, written) = match given.filter(|_| is_usual) {
            Some(side) => (studio, side),
            None => (own, self.number(own).unwrap_or(512.0)),
        };
        if key == studio {
            self.idle(own, "it is Deforum's own value, and the file has Studio's name too");
        }
        if key == own && self.number(own).is_none() {
            self.report.change(own, self.shown(own), "expected a number of pixels: 512 is written");
        }
        self.carried(key, "size");
        let side = ((written.clamp(8.0, 16384.0) as u32) / 8) * 8;
        if f64::from(side) != written {
            let shown = self.raw.get(key).map_or_else(|| self.shown(key), shown);
            self.report.change(key, shown, format!("sides are multiples of 8 from 8 to 16384: {side}"));
        }
        side
    }

    /// The manifest that the file carries in `parseq_manifest`.
    fn parseq(&mut self) -> Option<parseq::Film> {
        let text = self.word("parseq_manifest");
        if text.trim().is_empty() {
            self.idle("parseq_manifest", "there is no manifest");
            return None;
        }
        self.done.insert("parseq_manifest".to_owned());
        if !text.trim_start().starts_with('{') {
            self.report.leave(
                "parseq_manifest",
                self.shown("parseq_manifest"),
                "save what is behind the address and import that file",
            );
            return None;
        }
        let manifest =
            Manifest::read(&text, self.is("parseq_use_deltas"), self.is("parseq_non_schedule_overrides"));
        match manifest.and_then(|manifest| manifest.film(self.settings, Mode::Compat)) {
            Ok(film) => {
                self.report.carry("parseq_manifest", "the schedules");
                Some(film)
            }
            Err(error) => {
                self.refused("parseq_manifest", "", &error);
                None
            }
        }
    }
}
