//! Names and texts of a film's files, and where in them a byte stands.

use super::span::Span;

/// The files a film is made of; [`Span::source`] is an index into them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name and text of each file, the film itself first.
    pub files: Vec<(String, String)>,
}

impl Sources {
    /// A film of one file.
    pub fn one(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { files: vec![(name.into(), text.into())] }
    }

    /// The text a span covers; empty when the span is not of these sources.
    pub fn text(&self, span: Span) -> &str {
        self.files
            .get(span.source as usize)
            .and_then(|(_, text)| text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }
}

/// Line and column of a byte of `text`, both from 1; the column counts characters.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let text = "é = 1\nzoom = ü";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find("= 1").unwrap()), (1, 3));
        assert_eq!(line_and_column(text, text.find("zoom").unwrap()), (2, 1));
        assert_eq!(line_and_column(text, text.len() + 5), (2, 9));
    }
}
