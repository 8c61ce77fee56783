//! The right-hand sides of settings.

use super::comments::{Comment, Gap};
use super::{Formatter, INDENT, WIDTH, width};
use crate::schedule::expr::Expr;
use crate::schedule::syntax::{Key, Setting, Value};

/// The pieces of a list of keys.
struct Keys<'k> {
    keys: &'k [Key],
    /// It stands in `{ }`.
    braced: bool,
    /// The bytes from its first sign to behind its last.
    start: usize,
    end: usize,
}

impl Formatter<'_> {
    /// Behind the last sign of a setting: a value's span holds neither its `{ }` nor a last comma.
    pub fn setting_end(&self, setting: &Setting) -> usize {
        match &setting.value {
            Value::Expr(expr) => expr.span.end as usize,
            Value::Keys(keys) => self.list(setting, keys).end,
        }
    }

    /// Where a setting's value begins, its `{` included.
    pub fn value_start(&self, setting: &Setting) -> usize {
        self.next_token(self.behind(setting.name.span.end as usize, '='))
    }

    fn list<'k>(&self, setting: &Setting, keys: &'k [Key]) -> Keys<'k> {
        let start = self.value_start(setting);
        let braced = self.text[start..].starts_with('{');
        let last = keys.last().map_or(start, |key| key.span.end as usize);
        let mut end = self.behind(last, ',');
        if braced {
            end = self.behind(end, '}');
        }
        Keys { keys, braced, start, end }
    }

    /// The value of a setting that stands `indent` blanks from the edge and whose value begins in `column`.
    pub fn value(&self, setting: &Setting, indent: usize, column: usize) -> String {
        match &setting.value {
            Value::Expr(expr) => self.long_expr(expr, column),
            Value::Keys(keys) => self.keys(&self.list(setting, keys), indent, column),
        }
    }

    /// Comments of a setting that have no place in its layout: before its value, or before a last comma.
    pub fn stray_comments(&self, setting: &Setting) -> Vec<Comment> {
        let mut stray = self.gap(setting.name.span.end as usize, self.value_start(setting)).comments;
        if let Value::Keys(keys) = &setting.value {
            let list = self.list(setting, keys);
            let last = keys.last().map_or(list.end, |key| key.span.end as usize);
            if !list.braced {
                stray.extend(self.gap(last, list.end).comments);
            }
        }
        stray
    }

    /// The value of a setting in a block of one line.
    pub fn value_in_line(&self, setting: &Setting) -> String {
        match &setting.value {
            Value::Expr(expr) => self.expr(expr),
            Value::Keys(keys) => self.keys_in_line(&self.list(setting, keys)),
        }
    }

    /// An expression; where it is too long for a line, its author's line breaks stay.
    pub fn long_expr(&self, expr: &Expr, column: usize) -> String {
        let written = self.slice(expr.span);
        if self.expr_has_comment(expr) {
            return written.to_owned();
        }
        let flat = self.expr(expr);
        if column + width(&flat) > WIDTH && written.contains('\n') { written.to_owned() } else { flat }
    }

    fn keys(&self, list: &Keys<'_>, indent: usize, column: usize) -> String {
        let has_comments = self.gaps(list).iter().any(|gap| !gap.comments.is_empty())
            || list.keys.iter().any(|key| self.key_has_comment(key));
        let fits = |flat: &String| !flat.contains('\n') && column + width(flat) <= WIDTH;
        // What is too long as it was written may fit once its blanks are in order.
        let flat = [self.keys_in_line(list), self.joined(list)].into_iter().find(fits);
        flat.filter(|_| !has_comments).unwrap_or_else(|| self.keys_in_lines(list, indent, column))
    }

    /// The keys in one line; Deforum's notation as it was written.
    fn keys_in_line(&self, list: &Keys<'_>) -> String {
        let written = &self.text[list.start..list.end];
        if (list.braced || list.keys.iter().all(|key| self.is_deforum(key))) && !written.contains('\n') {
            return written.to_owned();
        }
        self.joined(list)
    }

    /// The keys in one line, one blank behind each comma.
    fn joined(&self, list: &Keys<'_>) -> String {
        let keys: Vec<String> = list.keys.iter().map(|key| self.key(key)).collect();
        let comma = if self.has_last_comma(list) { "," } else { "" };
        if list.braced {
            format!("{{{}{comma}}}", keys.join(", "))
        } else {
            format!("{}{comma}", keys.join(", "))
        }
    }

    fn has_last_comma(&self, list: &Keys<'_>) -> bool {
        let last = list.keys.last().map_or(list.start, |key| key.span.end as usize);
        self.behind(last, ',') > last
    }

    /// `0: (1.02)`: a key's value in brackets and no ease is how Deforum writes it.
    fn is_deforum(&self, key: &Key) -> bool {
        key.ease.is_none() && self.brackets(&key.value) > 0
    }

    /// A key: `time: value ~ease`.
    fn key(&self, key: &Key) -> String {
        let written = self.slice(key.span);
        if self.key_has_comment(key) || (self.is_deforum(key) && !written.contains('\n')) {
            return written.to_owned();
        }
        let value = self.expr(&key.value);
        let ease = key.ease.as_ref().map_or(String::new(), |ease| format!(" {}", self.ease(ease)));
        let flat = format!("{}: {value}{ease}", self.time(key));
        if width(&flat) > WIDTH && written.contains('\n') { written.to_owned() } else { flat }
    }

    fn time(&self, key: &Key) -> String {
        let start = key.span.start as usize;
        if !self.text[start..].starts_with(['"', '\'']) {
            return self.expr(&key.time);
        }
        let end = self.next_token(key.time.span.end as usize);
        let quotes = self.text[end..].find(':').unwrap_or(0);
        self.text[start..end + quotes].trim_end().to_owned()
    }

    /// What stands before the first key, between the keys, and behind the last one within braces.
    fn gaps(&self, list: &Keys<'_>) -> Vec<Gap> {
        let ends = list.keys.iter().map(|key| key.span.end as usize);
        let starts = list.keys.iter().map(|key| key.span.start as usize);
        let end = if list.braced { list.end } else { ends.clone().next_back().unwrap_or(list.end) };
        let from = [list.start].into_iter().chain(ends);
        from.zip(starts.chain([end])).map(|(from, to)| self.gap(from, to)).collect()
    }

    /// One key a line: below the first one, or within braces.
    fn keys_in_lines(&self, list: &Keys<'_>, indent: usize, column: usize) -> String {
        let column = if list.braced { indent + INDENT } else { column };
        let new_line = format!("{}{}", self.line_break, " ".repeat(column));
        let mut gaps = self.gaps(list).into_iter();
        let mut lines: Vec<String> =
            gaps.next().unwrap_or_default().comments.into_iter().map(|comment| comment.text).collect();
        for (index, key) in list.keys.iter().enumerate() {
            let has_comma = index + 1 < list.keys.len() || self.has_last_comma(list);
            let mut line = self.key(key) + if has_comma { "," } else { "" };
            let mut gap = gaps.next().unwrap_or_default();
            if let Some(comment) = gap.take_trailing() {
                line = line + "  " + &comment;
            }
            lines.push(line);
            lines.extend(gap.comments.into_iter().map(|comment| comment.text));
        }
        let lines = lines.join(&new_line);
        if list.braced {
            format!("{{{new_line}{lines}{}{}}}", self.line_break, " ".repeat(indent))
        } else {
            lines
        }
    }
}
