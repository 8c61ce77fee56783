//! Names and texts of a film's files, and where in them a byte stands.

use std::path::{Path, PathBuf};

use super::span::Span;

/// The files a film is made of; [`Span::source`] is an index into them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name and text of each file, the film itself first.
    pub files: Vec<(String, String)>,
    /// The folder of each file beyond the first, relative to the film's.
    folders: Vec<PathBuf>,
}

impl Sources {
    /// A film of one file.
    pub fn one(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { files: vec![(name.into(), text.into())], folders: Vec::new() }
    }

    /// One more file, whose own paths are relative to `folder`, which itself is relative to the film's.
    pub(super) fn add(&mut self, name: String, text: String, folder: PathBuf) {
        self.files.push((name, text));
        self.folders.push(folder);
    }

    /// The folder of file `source`, relative to the film's folder; empty for the film itself.
    pub fn folder(&self, source: u32) -> &Path {
        let beyond = (source as usize).checked_sub(1);
        beyond.and_then(|at| self.folders.get(at)).map_or(Path::new(""), PathBuf::as_path)
    }

    /// The text a span covers; empty when the span is not of these sources.
    pub fn text(&self, span: Span) -> &str {
        self.files
            .get(span.source as usize)
            .and_then(|(_, text)| text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }
}

/// Where the lines of a text begin, so that a place is found without reading the text again.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Reads `text` once.
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1; the column counts characters. Bytes beyond the end
    /// count as the end.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte);
        (line, self.text[self.starts[line - 1]..byte].chars().count() + 1)
    }

    /// The whole lines that hold the bytes `start..end`: number of the first (from 1), its first
    /// byte, and the text without the last line break.
    pub fn around(&self, start: usize, end: usize) -> (usize, usize, &'a str) {
        let first = self.starts.partition_point(|at| *at <= start).max(1);
        let from = self.starts[first - 1];
        let last = self.starts.partition_point(|at| *at <= end.max(start));
        let to = self.starts.get(last).map_or(self.text.len(), |next| next - 1);
        (first, from, &self.text[from..to])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let text = "é = 1\nzoom = ü";
        let lines = Lines::new(text);
        assert_eq!(lines.place(0), (1, 1));
        assert_eq!(lines.place(text.find("= 1").unwrap()), (1, 3));
        assert_eq!(lines.place(text.find("zoom").unwrap()), (2, 1));
        assert_eq!(lines.place(text.len() + 5), (2, 9));
        assert_eq!(lines.around(8, 9), (2, 7, "zoom = ü"));
        assert_eq!(lines.around(0, 8), (1, 0, text));
    }
}
