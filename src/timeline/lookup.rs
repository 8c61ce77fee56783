//! Single parameters at single frames, as the film says them: not yet clamped, cut off or fitted together.

use super::Timeline;
use super::eval::Value;
use super::scene::Stage;

impl Timeline {
    /// The value of the parameter called `param` (its name in the table) at `frame`, before ranges are
    /// looked at; `None` when the film does not set it, has no such frame, or the value cannot be computed.
    pub fn value(&self, param: &str, frame: u32) -> Option<Value> {
        let line = self.stage(frame)?.values.lines.get(param)?;
        line.at(frame).ok().map(|(value, _)| value)
    }

    /// As [`Timeline::value`], of the control block called `control`.
    pub fn control_value(&self, control: &str, param: &str, frame: u32) -> Option<Value> {
        let (_, values) = self.stage(frame)?.controls.iter().find(|(name, _)| name == control)?;
        values.lines.get(param)?.at(frame).ok().map(|(value, _)| value)
    }

    /// The `deforum` block: schedules of Deforum's that the film has no use for, as name and text.
    pub fn kept_for_deforum(&self) -> &[(String, String)] {
        &self.deforum
    }

    fn stage(&self, frame: u32) -> Option<&Stage> {
        let after = self.stages.partition_point(|stage| stage.clock.start <= frame);
        self.stages.get(after.checked_sub(1)?).filter(|_| frame < self.frames)
    }
}

#[cfg(test)]
mod tests {
    use crate::timeline::{Options, Timeline};

    #[test]
    fn values_are_those_the_film_says() {
        let text = "kinora 1\nstrength = 0: 0.5, 4: 1.5 - t / 4\nframes = 5\nprompt = \"a\"\n\
                    control depth { weight = 2 }\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let strength = |frame| timeline.value("strength", frame).and_then(|value| value.as_f64());
        assert_eq!(
            (strength(0), strength(2), strength(4), strength(5)),
            (Some(0.5), Some(0.5), Some(0.5), None)
        );
        assert_eq!(timeline.value("zoom", 0), None);
        assert_eq!(timeline.control_value("depth", "weight", 1).and_then(|value| value.as_f64()), Some(2.0));
        assert_eq!(timeline.control_value("pose", "weight", 1), None);
    }
}
