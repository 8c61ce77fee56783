//! Rows of a block become lines: `=` and comments behind values in columns of their own.

use super::{Formatter, INDENT};
use crate::schedule::expr::Expr;
use crate::schedule::syntax::Setting;

/// What an assignment assigns.
pub(super) enum Assigned<'a> {
    Setting(&'a Setting),
    Let(&'a Expr),
}

/// A row of a block.
pub(super) enum Row<'a> {
    /// An empty line.
    Blank,
    /// A comment in its own line.
    Comment(String),
    /// `head = value`
    Assign { head: String, value: Assigned<'a>, comment: Option<String> },
    /// Anything else that stands in one line.
    Plain { text: String, comment: Option<String> },
    /// A block of several lines; `opening` is the comment behind its `{`.
    Block { head: String, opening: Option<String>, rows: Vec<Row<'a>>, comment: Option<String> },
}

impl Row<'_> {
    /// Puts a comment behind the row.
    pub fn set_comment(&mut self, text: String) {
        match self {
            Row::Assign { comment, .. } | Row::Plain { comment, .. } | Row::Block { comment, .. } => {
                *comment = Some(text);
            }
            // Comments and blank lines have nothing behind them.
            Row::Blank | Row::Comment(_) => {}
        }
    }

    /// Whether it is lined up with a row of the kind of `other`.
    fn lines_up_with(&self, other: &Row<'_>) -> bool {
        match (self, other) {
            (Row::Assign { value: a, .. }, Row::Assign { value: b, .. }) => {
                matches!(a, Assigned::Let(_)) == matches!(b, Assigned::Let(_))
            }
            _ => false,
        }
    }
}

impl Formatter<'_> {
    /// The rows as lines, each with its line break, `indent` blanks from the edge.
    pub fn rows(&self, rows: &[Row<'_>], indent: usize) -> String {
        let mut out = String::new();
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let group = rest
                .iter()
                .take_while(|row| matches!(row, Row::Comment(_)) || row.lines_up_with(first))
                .count();
            let (now, later) = rest.split_at(group.max(1));
            if matches!(first, Row::Assign { .. }) {
                self.group(now, indent, &mut out);
            } else {
                // A comment may stand before a group: it is no part of it.
                self.row(first, indent, &mut out);
            }
            rest = if matches!(first, Row::Assign { .. }) { later } else { &rest[1..] };
        }
        out
    }

    /// Assignments that are lined up, with comments between them.
    fn group(&self, rows: &[Row<'_>], indent: usize, out: &mut String) {
        let heads = rows.iter().filter_map(|row| match row {
            Row::Assign { head, .. } => Some(head.chars().count()),
            _ => None,
        });
        let widest = heads.max().unwrap_or(0);
        let column = indent + widest + " = ".len();
        let texts: Vec<Option<String>> = rows
            .iter()
            .map(|row| match row {
                Row::Assign { head, value, .. } => {
                    let value = match value {
                        Assigned::Setting(setting) => self.value(setting, indent, column),
                        Assigned::Let(expr) => self.long_expr(expr, column),
                    };
                    Some(format!("{}{head:widest$} = {value}", " ".repeat(indent)))
                }
                _ => None,
            })
            .collect();
        let commented = rows.iter().zip(&texts).filter_map(|(row, text)| match (row, text) {
            (Row::Assign { comment: Some(_), .. }, Some(text)) => Some(last_width(text)),
            _ => None,
        });
        let edge = commented.max().unwrap_or(0);
        for (row, text) in rows.iter().zip(texts) {
            match (row, text) {
                (Row::Assign { comment, .. }, Some(text)) => {
                    let gap = (edge + 2).saturating_sub(last_width(&text));
                    self.line(&text, comment.as_deref(), gap, out);
                }
                _ => self.row(row, indent, out),
            }
        }
    }

    fn row(&self, row: &Row<'_>, indent: usize, out: &mut String) {
        let blanks = " ".repeat(indent);
        match row {
            Row::Blank => *out += self.line_break,
            Row::Comment(text) => self.line(&format!("{blanks}{text}"), None, 0, out),
            Row::Plain { text, comment } => {
                self.line(&format!("{blanks}{text}"), comment.as_deref(), 2, out);
            }
            Row::Block { head, opening, rows, comment } => {
                self.line(&format!("{blanks}{head} {{"), opening.as_deref(), 2, out);
                *out += &self.rows(rows, indent + INDENT);
                self.line(&format!("{blanks}}}"), comment.as_deref(), 2, out);
            }
            Row::Assign { .. } => self.group(std::slice::from_ref(row), indent, out),
        }
    }

    fn line(&self, text: &str, comment: Option<&str>, gap: usize, out: &mut String) {
        *out += text;
        if let Some(comment) = comment {
            *out += &" ".repeat(gap);
            *out += comment;
        }
        *out += self.line_break;
    }
}

/// Columns of the last line.
fn last_width(text: &str) -> usize {
    text.rsplit('\n').next().unwrap_or_default().chars().count()
}
