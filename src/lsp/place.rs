//! Bytes of a text and the protocol's positions: lines from 0, and in them UTF-16 code units from 0.

use serde_json::{Value, json};

use crate::schedule::span::Span;

/// Where the lines of a text begin.
pub(super) struct Places<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The byte at a position; beyond the end of a line its end. `None` when it is no position.
    pub fn byte(&self, position: &Value) -> Option<usize> {
        let line = usize::try_from(position["line"].as_u64()?).ok()?;
        let mut left = position["character"].as_u64()?;
        let Some(start) = self.starts.get(line) else { return Some(self.text.len()) };
        let mut at = *start;
        for c in self.text[at..].chars() {
            let units = c.len_utf16() as u64;
            if left < units || c == '\n' || c == '\r' {
                break;
            }
            left -= units;
            at += c.len_utf8();
        }
        Some(at)
    }

    fn position(&self, byte: usize) -> Value {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let character: usize = self.text[self.starts[line]..byte].chars().map(char::len_utf16).sum();
        json!({"line": line, "character": character})
    }

    /// The range of the bytes `start..end`.
    pub fn range(&self, start: usize, end: usize) -> Value {
        json!({"start": self.position(start), "end": self.position(end)})
    }

    pub fn span(&self, span: Span) -> Value {
        self.range(span.start as usize, span.end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf_16() {
        let text = "é🎈x\r\nb";
        let places = Places::new(text);
        assert_eq!(places.byte(&json!({"line": 0, "character": 3})), Some(6));
        assert_eq!(places.byte(&json!({"line": 0, "character": 99})), Some(7));
        assert_eq!(places.byte(&json!({"line": 7, "character": 0})), Some(text.len()));
        assert_eq!(places.byte(&json!({"line": -1})), None);
        assert_eq!(
            places.range(6, 9),
            json!({"start": {"line": 0, "character": 3}, "end": {"line": 1, "character": 0}})
        );
    }
}
