//! What the language has a place for but this version of the program does not do yet. It is refused
//! by name, so that nothing that was asked for is left out in silence.

use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::span::Span;

/// Settings; a name that ends in `.` stands for everything below it.
const SETTINGS: &[&str] = &["upscale"];

/// Blocks.
const BLOCKS: &[&str] = &["easing"];

/// Words behind a scene's length.
const LABELS: &[&str] = &[];

/// Choices and calls: the parameter, and what it could be set to.
const VALUES: &[(&str, &str)] = &[
    ("optical_flow_cadence", "raft"),
    ("optical_flow_redo_generation", "raft"),
    ("interpolate", "rife"),
    ("interpolate", "film"),
];

pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|known| *known == name || (known.ends_with('.') && name.starts_with(known)))
}

pub(super) fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name)
}

pub(super) fn is_label(name: &str) -> bool {
    LABELS.contains(&name)
}

pub(super) fn is_value(param: &str, value: &str) -> bool {
    let value = value.to_lowercase().replace('_', " ");
    VALUES.iter().any(|(known, name)| *known == param && *name == value)
}

/// The refusal.
pub(super) fn error(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "E41",
        format!("{what} is planned, but this version of kinora does not do it yet"),
        span,
    )
    .hint("leave it out for now")
}
