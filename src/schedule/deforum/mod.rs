//! Reader of Deforum's own texts: schedules (`0:(1), 30:(1.02+0.01*sin(t))`), the Python expressions in
//! them, settings files and Parseq manifests. Behaviour as observed by running sd-webui-deforum 32242685.
//! Nothing is evaluated here; `timeline::deforum` does that.

mod defaults;
pub mod keys;
pub mod python;
pub mod settings;

use super::span::Span;

/// Why a text of Deforum's cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// The part of the text that is wrong.
    pub span: Span,
    /// Lower case, what was expected and found, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ReadError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How closely Deforum is followed where it is stricter than its users expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What Deforum refuses is an error, as there.
    Compat,
    /// Commas inside brackets belong to the expression, blank keys are skipped, the first key may be
    /// late, and expressions may use the functions, names and `and`/`or`/`not` of our own films.
    /// Every text that Deforum accepts means the same.
    Lenient,
}
