//! Why a parser stopped: what it expected and where. The failure furthest into the text wins, and
//! failures at the same place are merged, so a report names everything that could have stood there.

use nom::error::{ErrorKind, ParseError};

use crate::schedule::diagnostic::Diagnostic;

/// A parser's failure.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Bytes of text left where it happened: fewer is further.
    pub left: usize,
    /// What could have stood there.
    pub expected: Vec<&'static str>,
    /// A failure with its own words; it is said as it is.
    pub told: Option<Box<Diagnostic>>,
}

impl Fault {
    /// `what` could have stood at the start of `rest`.
    pub fn expected(rest: &str, what: &'static str) -> Self {
        Self { left: rest.len(), expected: vec![what], told: None }
    }

    /// A failure with its own words, for which nothing else is tried.
    pub fn told<T>(rest: &str, diagnostic: Diagnostic) -> Result<T, nom::Err<Self>> {
        let fault = Self { left: rest.len(), expected: Vec::new(), told: Some(Box::new(diagnostic)) };
        Err(nom::Err::Failure(fault))
    }
}

impl ParseError<&str> for Fault {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { left: input.len(), expected: Vec::new(), told: None }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }

    fn or(mut self, mut other: Self) -> Self {
        if self.told.is_some() || self.left < other.left {
            return self;
        }
        if other.told.is_some() || other.left < self.left {
            return other;
        }
        self.expected.append(&mut other.expected);
        self
    }
}
