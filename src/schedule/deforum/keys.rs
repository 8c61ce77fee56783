//! Cuts a schedule into its keys, at every comma and colon as Deforum does.

use super::{Mode, ReadError};
use crate::schedule::span::Span;

/// Longest schedule that is read, in bytes. The longest of 109 public settings files has under 3,000.
pub const MAX_TEXT: usize = 1 << 20;

/// One key: the texts left and right of the colon, without the blanks around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Left of the colon: the frame.
    pub frame: &'a str,
    /// Where it stands.
    pub frame_span: Span,
    /// Right of the colon: the value.
    pub value: &'a str,
    /// Where it stands.
    pub value_span: Span,
}

/// The keys of a schedule in the order they are written. `base` is where the text stands in its
/// source; spans are relative to the source.
///
/// # Errors
/// A piece without a colon; in [`Mode::Compat`] also a blank piece (a trailing comma).
pub fn split(text: &str, base: Span, mode: Mode) -> Result<Vec<Key<'_>>, ReadError> {
    let place = |part: &str| within(text, part, base);
    if text.len() > MAX_TEXT {
        return Err(ReadError::new(
            place(&text[..0]),
            format!("expected a schedule of at most {MAX_TEXT} bytes, found {}", text.len()),
        ));
    }
    let mut keys = Vec::new();
    for piece in pieces(text, mode) {
        if mode == Mode::Lenient && piece.trim().is_empty() {
            continue;
        }
        let mut parts = piece.split(':');
        let frame = parts.next().unwrap_or_default().trim();
        let Some(value) = parts.next().map(str::trim) else {
            return Err(missing_colon(text, piece, place(piece.trim())));
        };
        keys.push(Key { frame, frame_span: place(frame), value, value_span: place(value) });
    }
    Ok(keys)
}

fn missing_colon(text: &str, piece: &str, span: Span) -> ReadError {
    let error = ReadError::new(span, "expected a key such as `30:(1.02)`, found no colon");
    let before = &text[..offset(text, piece)];
    if before.matches('(').count() > before.matches(')').count() {
        error.hint("deforum cuts schedules at every comma, also inside brackets")
    } else {
        error
    }
}

/// The texts between the commas.
fn pieces(text: &str, mode: Mode) -> Vec<&str> {
    if mode == Mode::Compat {
        return text.split(',').collect();
    }
    let (mut pieces, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                pieces.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// The text without any of `' " ( )`, which is how Deforum looks for plain numbers and reads names.
pub fn sanitise(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\'' | '"' | '(' | ')')).collect()
}

/// Whether it looks like a number to Deforum: a sign, digits, a point with digits after it, each
/// optional, but not all absent. `5.`, `1e3` and ` 5` do not. A sign alone does.
pub fn is_plain_number(text: &str) -> bool {
    // Python's `$` also matches in front of a last line break.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !text.is_empty() && digits(whole) && fraction.is_none_or(|f| !f.is_empty() && digits(f))
}

/// The number that Deforum makes of `(1)(2)` by leaving out the brackets, as text and as what it is worth.
pub fn joined(text: &str) -> Option<(String, f64)> {
    let joined = sanitise(text);
    let number = joined.parse().ok().filter(|_| is_plain_number(&joined))?;
    Some((joined, number))
}

/// The frame's text without one `'` and one `"` at each end, as Deforum strips it before evaluating.
pub fn unquote(frame: &str) -> String {
    let without_first = frame.replacen('\'', "", 1).replacen('"', "", 1);
    let reversed: String = without_first.chars().rev().collect();
    reversed.replacen('\'', "", 1).replacen('"', "", 1).chars().rev().collect()
}

fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

/// The place of `part`, which must be a piece of `text`.
pub(crate) fn within(text: &str, part: &str, base: Span) -> Span {
    let start = base.start.saturating_add(u32::try_from(offset(text, part)).unwrap_or(u32::MAX));
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    Span::new(base.source, start, start.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_what_deforum_takes_for_them() {
        for yes in ["5", ".5", "-0.25", "+1", "007.50", "+", "5\n"] {
            assert!(is_plain_number(yes), "{yes}");
        }
        for no in ["", "5.", "1e-3", "1_000", "0x10", " 5 ", "--1", "\n5", "١", "."] {
            assert!(!is_plain_number(no), "{no}");
        }
    }

    #[test]
    fn commas_in_brackets_end_a_key_only_in_compat() {
        let text = "0:(min(t,5)), 9:(1),";
        let error = split(text, Span::new(0, 10, 0), Mode::Compat).unwrap_err();
        assert!(error.hint.is_some_and(|h| h.contains("inside brackets")));
        assert_eq!(error.span, Span::new(0, 19, 22));
        let keys = split(text, Span::new(0, 10, 0), Mode::Lenient).unwrap();
        assert_eq!(keys.iter().map(|k| k.value).collect::<Vec<_>>(), ["(min(t,5))", "(1)"]);
        assert_eq!(keys[1].frame_span, Span::new(0, 24, 25));
    }

    #[test]
    fn one_quote_of_each_kind_goes_at_each_end() {
        assert_eq!(unquote("\"max_f-2\""), "max_f-2");
        assert_eq!(unquote("'\"7\"'"), "7");
        assert_eq!(unquote("max_f"), "max_f");
    }
}
