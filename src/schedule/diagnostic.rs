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
    pub label: Option<Box<str>>,
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

impl Diagnostic {
    /// An error with nothing but its message.
    pub fn error(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            label: None,
            labels: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A warning with nothing but its message.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, span) }
    }

    /// The same with words under the caret; `None` changes nothing.
    #[must_use]
    pub fn label(mut self, text: impl Into<Option<String>>) -> Self {
        self.label = text.into().map(String::into_boxed_str).or(self.label);
        self
    }

    /// The same with a second place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// The same with one more thing to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }
}

impl Diagnostics {
    /// Those with the given severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter().filter(move |diagnostic| diagnostic.severity == severity)
    }

    /// Whether the film cannot be rendered.
    pub fn has_errors(&self) -> bool {
        self.of(Severity::Error).next().is_some()
    }

    /// Sorts by place; at one place errors come first.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| (a.span, a.severity, a.code).cmp(&(b.span, b.severity, b.code)));
    }
}
