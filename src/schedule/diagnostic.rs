//! What is wrong with a film, as data. Rendering is `report`'s work.

use super::span::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The film cannot be rendered.
    Error,
    /// The film can be rendered, but this is probably not meant.
    Warning,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code: `E21`, `W04`.
    pub code: &'static str,
    /// Lower case, what was expected and found, no full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Said under the caret; often the nearest name.
    pub label: Option<String>,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
}

/// Everything that is wrong with a film, with the sources to show it in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// Sorted by place.
    pub list: Vec<Diagnostic>,
    /// Name and text of each source file; [`Span::source`] is an index into it.
    pub sources: Vec<(String, String)>,
}

impl Diagnostics {
    /// `3 errors`, `1 error`.
    pub fn summary(&self) -> String {
        let errors = self.list.iter().filter(|d| d.severity == Severity::Error).count();
        format!("{errors} error{}", if errors == 1 { "" } else { "s" })
    }
}
