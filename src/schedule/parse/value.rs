//! What stands to the right of `=`: an expression, or keys.

use super::fault::Fault;
use super::{Parsed, Parser, blank, sign, word};
use crate::schedule::deforum::keys::joined;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::span::Span;
use crate::schedule::syntax::{Ease, Key, Name, Value};

impl<'a> Parser<'a> {
    /// A value: whatever has a `:` behind it is a key's time, anything else the value itself.
    pub(super) fn value(&self, rest: &'a str) -> Parsed<'a, Value> {
        let start = blank(rest);
        if let Some(inside) = start.strip_prefix('{') {
            return self.bracketed(start, || self.braced_keys(start, inside));
        }
        let (rest, first) = self.expr(start)?;
        if blank(rest).starts_with(':') {
            let (rest, keys) = self.keys(start)?;
            return Ok((rest, Value::Keys(keys)));
        }
        if blank(rest).starts_with('~') {
            return self.stray_ease(blank(rest));
        }
        if blank(rest).starts_with(',') {
            return self.stray_comma(blank(rest), &first);
        }
        Ok((rest, Value::Expr(first)))
    }

    fn stray_ease<T>(&self, rest: &'a str) -> Result<T, nom::Err<Fault>> {
        let (_, ease) = self.ease(rest)?;
        let found = Diagnostic::error("E01", "an ease belongs to a key, this value has none", ease.span)
            .hint("a key has a time: `0s: 1, 2s: 3 ~ease-in`");
        Fault::told(rest, found)
    }

    fn stray_comma<T>(&self, rest: &'a str, value: &Expr) -> Result<T, nom::Err<Fault>> {
        let found = Diagnostic::error("E01", "a comma stands only between keys", self.token_span(rest))
            .also(value.span, "this has no time, so it is not a key")
            .hint("a key has a time: `0: 1, 30: 2`");
        Fault::told(rest, found)
    }

    /// `{"0": "a", "30": "b"}`, the way Deforum's settings write prompts.
    fn braced_keys(&self, start: &'a str, inside: &'a str) -> Parsed<'a, Value> {
        let (rest, keys) = self.keys(inside)?;
        let rest = blank(rest);
        match rest.strip_prefix('}') {
            Some(after) => Ok((after, Value::Keys(keys))),
            None => {
                let found = Diagnostic::error("E03", "this bracket is not closed", self.span(start, inside))
                    .also(self.token_span(rest), "expected `,` or `}` here");
                Fault::told(rest, found)
            }
        }
    }

    /// `time: expr ~ease, ...` with an optional comma at the end.
    fn keys(&self, mut rest: &'a str) -> Parsed<'a, Vec<Key>> {
        let mut keys = Vec::new();
        loop {
            let (after, key) = self.key(blank(rest), !keys.is_empty())?;
            keys.push(key);
            let Ok((after_comma, _)) = sign(after, ",", "`,`") else { return Ok((after, keys)) };
            if self.value_ends(after_comma) {
                return Ok((after_comma, keys));
            }
            rest = after_comma;
        }
    }

    /// Whether nothing but the next statement, a bracket or the end follows.
    fn value_ends(&self, rest: &'a str) -> bool {
        let rest = blank(rest);
        rest.is_empty() || rest.starts_with('}') || super::recover::begins_statement(rest)
    }

    /// `certain`: keys came before, so this can be nothing else.
    fn key(&self, start: &'a str, certain: bool) -> Parsed<'a, Key> {
        let (rest, time) = self.expr(start)?;
        let time = self.unquoted(start, time)?;
        if certain && self.value_ends(rest) {
            // What is missing is missing here, not where the next line begins.
            let written = start[..start.len() - rest.len()].trim_end();
            let found = Diagnostic::error("E01", format!("the key at `{written}` has no value"), time.span);
            return Fault::told(rest, found.hint(format!("write `{written}: 1`, or leave the time out")));
        }
        let (rest, _) = sign(rest, ":", "`:` and the key's value")?;
        let value_at = blank(rest);
        let (rest, value) = self.expr(value_at)?;
        let (rest, value) = self.deforums_rest(value_at, rest, value)?;
        let (rest, ease) = match blank(rest).starts_with('~') {
            true => self.ease(blank(rest)).map(|(rest, ease)| (rest, Some(ease)))?,
            false => (rest, None),
        };
        Ok((rest, Key { time, value, ease, span: self.span(start, rest) }))
    }

    /// What Deforum takes behind a value: `(1)(2)`, which it reads as 12, and a second colon, behind which it reads
    /// nothing. Its reading of the first is kept beside the error, for those who want the film read its way.
    fn deforums_rest(&self, value: &'a str, mut rest: &'a str, mut read: Expr) -> Parsed<'a, Expr> {
        if value.starts_with('(') && rest.starts_with(|c: char| c == '(' || c == '.' || c.is_ascii_digit()) {
            let end = rest.find([',', '\n', '}', ':']).unwrap_or(rest.len());
            let written = value[..value.len() - rest.len() + end].trim_end();
            let span = self.span(value, &value[written.len()..]);
            let found = Diagnostic::error("E81", format!("`{written}` is not one value"), span);
            let Some((joined, number)) = joined(written) else {
                return Fault::told(rest, found.hint("an operator is missing between the two"));
            };
            self.errors.borrow_mut().push(found.hint(format!(
                "Deforum would read {joined} here: write `{joined}` if that is meant, or `*` between the brackets"
            )));
            rest = &value[written.len()..];
            read = Expr { kind: ExprKind::Float(number), span };
        }
        let Some(second) = blank(rest).strip_prefix(':').filter(|after| blank(after).starts_with('(')) else {
            return Ok((rest, read));
        };
        let (after, ignored) = self.expr(blank(second))?;
        let colon = blank(rest);
        let found = Diagnostic::warning(
            "W83",
            "nothing behind a second colon is read, as in Deforum",
            self.span(colon, &colon[..0]).to(ignored.span),
        );
        self.errors.borrow_mut().push(found.hint("leave it out, or the first value before it"));
        Ok((after, read))
    }

    /// A quoted time such as `"max_f/2"` is the expression between its quotes.
    fn unquoted(&self, start: &'a str, time: Expr) -> Result<Expr, nom::Err<Fault>> {
        if !start.starts_with(['"', '\'']) {
            return Ok(time);
        }
        let raw = &start[..(time.span.end - time.span.start) as usize];
        let inner = raw.trim_matches(['"', '\'']);
        if let ExprKind::Text(parts) = &time.kind
            && let [] | [TextPart::Literal(_)] = parts.as_slice()
            && let Ok((rest, expr)) = self.expr(inner)
            && blank(rest).is_empty()
        {
            return Ok(expr);
        }
        let found = Diagnostic::error("E01", format!("expected a time, found {raw}"), time.span)
            .hint("a time is a frame, or a number with a unit: `30`, `2.5s`, `50%`, `\"max_f/2\"`");
        Fault::told(start, found)
    }

    /// `~name` or `~name(args)`; names have dashes in them.
    fn ease(&self, start: &'a str) -> Parsed<'a, Ease> {
        let named = &start[1..];
        let end =
            named.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(named.len());
        if word(named).is_err() {
            return Err(nom::Err::Error(Fault::expected(named, "the name of an ease")));
        }
        let after = &named[end..];
        let name = Name { text: named[..end].to_owned(), span: self.span(named, after) };
        let (rest, args) = if after.starts_with('(') { self.arguments(after)? } else { (after, Vec::new()) };
        let span: Span = self.span(start, rest);
        Ok((rest, Ease { name, args, span }))
    }
}
