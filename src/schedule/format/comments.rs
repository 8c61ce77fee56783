//! What stands between two tokens: comments and blank lines.

use super::Formatter;
use crate::schedule::expr::{Arg, Expr, ExprKind};
use crate::schedule::span::Span;
use crate::schedule::syntax::Key;

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// With its `#`, without blanks at its end.
    pub text: String,
    /// It stands in a line of its own, not behind something.
    pub own_line: bool,
    /// A blank line stands before it.
    pub after_blank: bool,
}

/// What stands between two tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Gap {
    pub comments: Vec<Comment>,
    /// A blank line stands before what follows.
    pub blank_at_end: bool,
}

impl Gap {
    /// Takes out the comment that stands in the line of what is before the gap.
    pub fn take_trailing(&mut self) -> Option<String> {
        let is_trailing = self.comments.first().is_some_and(|comment| !comment.own_line);
        is_trailing.then(|| self.comments.remove(0).text)
    }
}

impl Formatter<'_> {
    /// The bytes `from..to`, which hold no string.
    pub fn gap(&self, from: usize, to: usize) -> Gap {
        let mut gap = Gap::default();
        let mut breaks = 0;
        let mut own_line = matches!(&self.text[..from], "" | "\u{feff}");
        let mut rest = &self.text[from..to];
        while let Some(c) = rest.chars().next() {
            if c == '#' {
                let end = rest.find('\n').unwrap_or(rest.len());
                let text = rest[..end].trim_end().to_owned();
                gap.comments.push(Comment { text, own_line, after_blank: breaks > 1 });
                (breaks, rest) = (0, &rest[end..]);
                continue;
            }
            if c == '\n' {
                breaks += 1;
                own_line = true;
            }
            rest = &rest[c.len_utf8()..];
        }
        gap.blank_at_end = breaks > 1;
        gap
    }

    /// Where the next token at or behind `at` begins.
    pub fn next_token(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.text[at..];
            let token = rest.trim_start();
            at += rest.len() - token.len();
            if !token.starts_with('#') {
                return at;
            }
            at += token.find('\n').unwrap_or(token.len());
        }
    }

    /// Behind the sign that is the next token at or behind `at`, or `at` when another token is.
    pub fn behind(&self, at: usize, sign: char) -> usize {
        let token = self.next_token(at);
        if self.text[token..].starts_with(sign) { token + sign.len_utf8() } else { at }
    }

    /// Whether a comment stands within a key.
    pub fn key_has_comment(&self, key: &Key) -> bool {
        let mut strings = Vec::new();
        if self.text[key.span.start as usize..].starts_with(['"', '\'']) {
            strings.push(key.span.start as usize..key.time.span.end as usize);
        }
        self.strings_in(&key.time, &mut strings);
        self.strings_in(&key.value, &mut strings);
        if let Some(ease) = &key.ease {
            self.strings_in_args(&ease.args, &mut strings);
        }
        self.has_comment(key.span, &strings)
    }

    /// Whether a comment stands within an expression.
    pub fn expr_has_comment(&self, expr: &Expr) -> bool {
        let mut strings = Vec::new();
        self.strings_in(expr, &mut strings);
        self.has_comment(expr.span, &strings)
    }

    /// Whether a `#` stands in `span` outside the strings.
    fn has_comment(&self, span: Span, strings: &[std::ops::Range<usize>]) -> bool {
        let start = span.start as usize;
        let text = &self.text[start..span.end as usize];
        text.match_indices('#').any(|(at, _)| !strings.iter().any(|string| string.contains(&(start + at))))
    }

    /// The bytes of every string in `expr`. One in brackets is left out: a comment may stand before its `)`.
    fn strings_in(&self, expr: &Expr, strings: &mut Vec<std::ops::Range<usize>>) {
        match &expr.kind {
            ExprKind::Text(_) if self.brackets(expr) == 0 => {
                strings.push(expr.span.start as usize..expr.span.end as usize);
            }
            ExprKind::Unary(_, x) => self.strings_in(x, strings),
            ExprKind::Binary(_, a, b) => {
                self.strings_in(a, strings);
                self.strings_in(b, strings);
            }
            ExprKind::Call { args, .. } => self.strings_in_args(args, strings),
            ExprKind::List(list) => list.iter().for_each(|x| self.strings_in(x, strings)),
            _ => {}
        }
    }

    fn strings_in_args(&self, args: &[Arg], strings: &mut Vec<std::ops::Range<usize>>) {
        args.iter().for_each(|arg| self.strings_in(&arg.value, strings));
    }
}
