//! Which frames are painted, and how often.

use super::Deforum;
use crate::import::print::number;
use crate::import::score::Group as Lines;

impl Deforum<'_> {
    /// Frames from one painted frame to the next; only pictures that move on have any between.
    pub(super) fn every(&self) -> f64 {
        let moves = !matches!(self.word("animation_mode").as_str(), "Interpolation" | "Video Input");
        self.number("diffusion_cadence").filter(|_| moves).map_or(1.0, |n| n.trunc().max(1.0))
    }

    /// Whether pictures between painted ones are moved along a flow.
    pub(super) fn flows(&self) -> bool {
        self.every() > 1.0 && is_flow(&self.word("optical_flow_cadence"))
    }

    /// Whether a frame is painted once more for its flow.
    pub(super) fn redoes_flow(&self) -> bool {
        is_flow(&self.word("optical_flow_redo_generation"))
    }

    pub(super) fn cadence(&mut self, lines: &mut Lines) {
        let every = self.every();
        if every > 1.0 {
            lines.one("cadence", number(every));
            self.carried("diffusion_cadence", "cadence");
        } else {
            self.idle("diffusion_cadence", "every frame is painted");
        }
        let flow = self.word("optical_flow_cadence");
        if every > 1.0 {
            self.flow("optical_flow_cadence", &flow, lines);
        } else {
            self.idle("optical_flow_cadence", "every frame is painted");
        }
        let redo = self.word("optical_flow_redo_generation");
        self.flow("optical_flow_redo_generation", &redo, lines);
        match self.number("diffusion_redo").map_or(0.0, f64::trunc) {
            times if times > 0.0 => {
                let most = 50.0;
                if times > most {
                    self.report.change("diffusion_redo", self.shown("diffusion_redo"), "written as 50");
                }
                lines.one("diffusion_redo", number(times.min(most)));
                self.carried("diffusion_redo", "diffusion_redo");
            }
            _ => self.idle("diffusion_redo", "each frame is painted once"),
        }
        if self.is("color_force_grayscale") {
            lines.one("grayscale", "true");
            self.carried("color_force_grayscale", "grayscale");
        } else {
            self.idle("color_force_grayscale", "it is off");
        }
    }

    /// A way to find motion. RAFT is a network whose weights kinora has not.
    fn flow(&mut self, key: &str, written: &str, lines: &mut Lines) {
        match written {
            "RAFT" => {
                lines.one(key, "dis_fine");
                self.done.insert(key.to_owned());
                self.report.change(
                    key,
                    self.shown(key),
                    "`dis_fine` finds the motion: RAFT is a network of its own",
                );
            }
            word if is_flow(word) => {
                lines.one(key, word.to_lowercase().replace(' ', "_"));
                self.carried(key, key);
            }
            _ => self.idle(key, "it is off"),
        }
    }
}

fn is_flow(word: &str) -> bool {
    matches!(word, "RAFT" | "DIS Medium" | "DIS Fine" | "Farneback")
}
