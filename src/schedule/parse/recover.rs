//! Where reading goes on after a mistake.

use super::{Parser, blank, word};
use crate::schedule::params::find;

impl<'a> Parser<'a> {
    /// The next place after `rest` at which a statement can begin: a line that begins like one, or,
    /// in a block, the bracket that closes it.
    pub(super) fn resume(&self, rest: &'a str, in_block: bool) -> &'a str {
        let mut rest = rest;
        if self.begins_line(rest) && begins_statement(rest) {
            return rest;
        }
        while let Some(c) = rest.chars().next() {
            match c {
                '}' if in_block => return rest,
                '"' | '\'' => rest = skip_string(rest, c),
                '#' => rest = rest.find('\n').map_or("", |at| &rest[at..]),
                '\n' => {
                    rest = &rest[1..];
                    let line = rest.trim_start_matches([' ', '\t', '\r']);
                    if begins_statement(line) || begins_json(line) || line.starts_with('}') {
                        return line;
                    }
                }
                _ => rest = &rest[c.len_utf8()..],
            }
        }
        rest
    }

    /// Whether nothing but blanks stands before `rest` in its line.
    pub(super) fn begins_line(&self, rest: &str) -> bool {
        let before = self.text[..self.at(rest) as usize].trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n')
    }
}

/// Behind a string that begins at `rest`, or behind the quote when the line does not close it.
fn skip_string(rest: &str, quote: char) -> &str {
    let line = rest.lines().next().unwrap_or(rest);
    match line[1..].find(quote) {
        // An apostrophe in a word is no quote, and one that a `}` follows may close an earlier string.
        Some(at) if quote == '"' || !line[1..=at].contains('}') => &rest[at + 2..],
        _ => &rest[1..],
    }
}

/// Whether `rest` begins like a statement: `NAME =`, `NAME.NAME =`, or `NAME labels {` in one line.
pub(super) fn begins_statement(rest: &str) -> bool {
    let Ok((mut after, first)) = word(rest) else { return false };
    while let Some(dotted) = after.strip_prefix('.') {
        let Ok((more, _)) = word(dotted) else { return false };
        after = more;
    }
    let next = blank(after);
    if let Some(value) = next.strip_prefix('=') {
        return !value.starts_with('=');
    }
    match first {
        "use" => next.starts_with(['"', '\'']),
        "let" | "fn" => word(next).is_ok(),
        _ => begins_block(after),
    }
}

/// Whether `rest` begins like a setting of another format, `name: value` or `"name": value`: reading
/// goes on there so that it is reported.
fn begins_json(rest: &str) -> bool {
    let quoted = rest.strip_prefix('"').unwrap_or(rest);
    let Ok((after, name)) = word(quoted) else { return false };
    let after = after.strip_prefix('"').unwrap_or(after);
    after.trim_start().starts_with(':') && find(name).is_some()
}

/// Behind the bracket that closes the one before `rest`, strings and comments left aside; the end when none does.
pub(super) fn skip_block(mut rest: &str) -> &str {
    let mut open = 1;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' | '\'' => {
                rest = skip_string(rest, c);
                continue;
            }
            '#' => {
                rest = rest.find('\n').map_or("", |at| &rest[at..]);
                continue;
            }
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        rest = &rest[c.len_utf8()..];
        if open == 0 {
            break;
        }
    }
    rest
}

/// Whether the line goes on to a `{` with nothing but labels before it.
fn begins_block(rest: &str) -> bool {
    let line = rest.lines().next().unwrap_or(rest);
    let label = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ' ' | '\t' | '-' | '/' | '%');
    let mut left = line.trim_start_matches(label);
    while let Some(inside) = left.strip_prefix('"') {
        // A `{` within a string opens no block.
        let Some(end) = inside.find('"') else { return false };
        left = inside[end + 1..].trim_start_matches(label);
    }
    if left.is_empty() { blank(&rest[line.len()..]).starts_with('{') } else { left.starts_with('{') }
}
