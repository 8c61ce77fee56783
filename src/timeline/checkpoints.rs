//! Films that change their model on the way.

use super::scene::{Found, Stage};
use crate::schedule::diagnostic::Diagnostic;

/// Changes that nobody needs to be told of.
const FEW: usize = 8;

/// Frames of a scene that are looked at: what changes more often shows there.
const LOOKED_AT: u32 = 10_000;

/// Warns of models that change often: each time one is loaded anew, since two may not fit into memory.
pub(super) fn warn(stages: &[Stage], found: &mut Found) {
    for stage in stages {
        let Some(line) = stage.values.lines.get("model").filter(|line| !line.is_constant()) else { continue };
        let (mut changes, mut before) = (0, None);
        for frame in stage.clock.start..stage.clock.start + stage.clock.length.min(LOOKED_AT) {
            let now = line.at(frame).ok().and_then(|(value, _)| value.as_text().map(str::to_owned));
            changes += usize::from(before.is_some() && now != before);
            before = now;
        }
        if changes > FEW {
            let message = format!("the model changes {changes} times, and is loaded anew each time");
            found.warnings.push(
                Diagnostic::warning("W34", message, line.span()).hint(
                    "let each model paint a stretch of the film: `kinora plan` shows what is loaded when",
                ),
            );
        }
    }
}
