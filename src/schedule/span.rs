//! Where a piece of a film's text stands.

/// Bytes `start..end` of one source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which file: an index into [`super::source::Sources`] (0 is the film itself).
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Bytes `start..end` of the file with index `source`.
    pub const fn new(source: u32, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// The smallest span that holds both; `other` must be of the same file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
