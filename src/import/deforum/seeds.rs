//! Seeds, and the pictures between the frames.

use super::{Deforum, one};
use crate::import::print::number;
use crate::import::score::{Block, Group as Lines, Line, Score};
use crate::schedule::params::{find, find_choice};

impl Deforum<'_> {
    pub(super) fn seeds(&mut self, lines: &mut Lines) {
        if self.is("enable_subseed_scheduling") {
            self.carried("enable_subseed_scheduling", "subseed_strength");
        } else {
            self.idle("enable_subseed_scheduling", "it is off");
        }
        let start = self.number("seed").unwrap_or(-1.0).trunc();
        if start >= 0.0 {
            lines.one("seed", number(start));
            self.carried("seed", "seed");
        } else {
            self.done.insert("seed".to_owned());
            self.report.change("seed", self.shown("seed"), "Deforum draws a seed for each run; a film is the same every time, with seed 0 until you give `seed`");
        }
        let behavior = if self.manifest.as_ref().is_some_and(|film| film.manages_seed) {
            "schedule".to_owned()
        } else {
            self.word("seed_behavior")
        };
        let every = self.number("seed_iter_N").unwrap_or(1.0).trunc().clamp(1.0, 1e6);
        if behavior == "iter" && every > 1.0 {
            lines.noted(
                "seed_schedule",
                one(format!("s + ceil(t / {})", number(every))),
                format!("one up every {} frames, as Deforum counts", number(every)),
            );
            lines.one("seed_behavior", "schedule");
            self.carried("seed_iter_N", "seed_schedule");
            self.carried("seed_behavior", "seed_behavior");
            return;
        }
        self.idle("seed_iter_N", "seeds go up every frame, or otherwise");
        let choices = find("seed_behavior").map(|param| param.choices()).unwrap_or_default();
        self.done.insert("seed_behavior".to_owned());
        match find_choice(choices, &behavior) {
            Some(choice) => {
                if choice.name != "iter" {
                    lines.one("seed_behavior", choice.name);
                }
                self.carried("seed_behavior", "seed_behavior");
            }
            None => {
                self.report.leave("seed_behavior", self.shown("seed_behavior"), "seeds go up by one a frame")
            }
        }
    }

    /// Pictures between the frames.
    pub(super) fn post(&mut self, score: &mut Score) {
        let engine = self.word("frame_interpolation_engine");
        let keys = [
            "frame_interpolation_engine",
            "frame_interpolation_x_amount",
            "frame_interpolation_slow_mo_enabled",
            "frame_interpolation_slow_mo_amount",
        ];
        if matches!(engine.as_str(), "None" | "") {
            keys.into_iter().for_each(|key| self.idle(key, "interpolation is off"));
            return;
        }
        let times = self.number("frame_interpolation_x_amount").unwrap_or(2.0);
        let fps = self.bench.fps.parse().unwrap_or(15.0) * times;
        self.done.extend(keys.map(str::to_owned));
        if self.is("frame_interpolation_slow_mo_enabled") {
            self.report.leave("frame_interpolation_slow_mo_enabled", "true", "slow motion is not there yet");
        }
        if !(0.001..=1000.0).contains(&fps) {
            self.report.leave(keys[1], self.shown(keys[1]), "too many pictures a second");
            return;
        }
        self.report.change(keys[0], self.shown(keys[0]), "the pictures between come from kinora's own flow");
        self.carried(keys[1], "interpolate");
        let mut block = Block { head: "post".to_owned(), lines: Vec::new() };
        block.lines.push(Line::Setting {
            name: "interpolate".to_owned(),
            value: one(format!("flow(fps={})", number(fps))),
            note: None,
        });
        score.blocks.push(block);
    }
}
