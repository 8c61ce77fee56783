//! Strings with their escapes and holes.

use super::fault::Fault;
use super::{Parsed, Parser, blank};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};

impl<'a> Parser<'a> {
    /// `"text ${expr}"`, `'text'`, or `"""text over several lines"""`.
    pub(super) fn string(&self, start: &'a str) -> Parsed<'a, Expr> {
        let quote = ["\"\"\"", "\"", "'"]
            .into_iter()
            .find(|quote| start.starts_with(quote))
            .ok_or_else(|| nom::Err::Error(Fault::expected(start, "a string")))?;
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = &start[quote.len()..];
        loop {
            if let Some(after) = rest.strip_prefix(quote) {
                push_literal(&mut parts, &mut literal);
                return Ok((after, Expr { kind: ExprKind::Text(parts), span: self.span(start, after) }));
            }
            if rest.starts_with("${") {
                push_literal(&mut parts, &mut literal);
                let (after, hole) = self.hole(rest)?;
                parts.push(TextPart::Hole(hole));
                rest = after;
                continue;
            }
            rest = self.character(start, rest, quote, &mut literal)?;
        }
    }

    /// One character or escape of a string.
    fn character(
        &self,
        start: &'a str,
        rest: &'a str,
        quote: &str,
        literal: &mut String,
    ) -> Result<&'a str, nom::Err<Fault>> {
        let mut chars = rest.chars();
        match chars.next() {
            Some('\\') => Ok(escape(chars, literal)),
            Some(c) if c != '\n' || quote.len() == 3 => {
                literal.push(c);
                Ok(chars.as_str())
            }
            _ => self.open_string(start, quote),
        }
    }

    fn open_string<T>(&self, start: &'a str, quote: &str) -> Result<T, nom::Err<Fault>> {
        let found =
            Diagnostic::error("E02", "this string is not closed", self.span(start, &start[quote.len()..]));
        let found = if quote.len() == 3 {
            found.hint(format!("end it with {quote}"))
        } else {
            found.hint(format!(
                "end it with {quote} in the same line; text of several lines stands between \"\"\""
            ))
        };
        Fault::told(start, found)
    }

    /// `${expr}`
    fn hole(&self, start: &'a str) -> Parsed<'a, Expr> {
        let (rest, expr) = self.bracketed(start, || self.expr(blank(&start[2..])))?;
        let rest = blank(rest);
        match rest.strip_prefix('}') {
            Some(after) => Ok((after, expr)),
            None => {
                let found =
                    Diagnostic::error("E03", "this hole is not closed", self.span(start, &start[2..]))
                        .also(self.token_span(rest), "expected `}` here")
                        .hint("for a dollar sign followed by a bracket write `\\${`");
                Fault::told(rest, found)
            }
        }
    }
}

fn push_literal(parts: &mut Vec<TextPart>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(TextPart::Literal(std::mem::take(literal)));
    }
}

/// Resolves `\n \t \" \' \\ \$`. Any other backslash stays: prompts write `\(` for a plain bracket.
fn escape<'a>(mut chars: std::str::Chars<'a>, literal: &mut String) -> &'a str {
    let resolved = match chars.clone().next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some(c @ ('"' | '\'' | '\\' | '$')) => c,
        _ => {
            literal.push('\\');
            return chars.as_str();
        }
    };
    literal.push(resolved);
    chars.next();
    chars.as_str()
}
