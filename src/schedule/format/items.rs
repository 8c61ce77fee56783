//! Statements become rows, with the comments and blank lines between them.

use super::layout::{Assigned, Row};
use super::{Formatter, WIDTH, width};
use crate::schedule::syntax::{Block, File, Item};

impl Formatter<'_> {
    /// The whole film.
    pub fn file(&self, file: &File) -> String {
        let mark = if self.text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
        let mut rows = Vec::new();
        let mut at = mark.len();
        if let Some((_, span)) = &file.version {
            self.gap_rows(at, span.start as usize, &mut rows, &mut None);
            let version = self.slice(*span).trim_start_matches("kinora").trim();
            rows.push(Row::Plain { text: format!("kinora {version}"), comment: None });
            at = span.end as usize;
        }
        self.items(&file.items, at, self.text.len(), &mut rows, &mut None);
        format!("{mark}{}", self.rows(&rows, 0))
    }

    /// The items that stand in the bytes `from..to`; `opening` gets the comment behind a block's `{`.
    fn items<'i>(
        &self,
        items: &'i [Item],
        from: usize,
        to: usize,
        rows: &mut Vec<Row<'i>>,
        opening: &mut Option<String>,
    ) {
        let mut at = from;
        for item in items {
            let start = self.next_token(at);
            self.gap_rows(at, start, rows, opening);
            self.head_comments(item, start, rows);
            rows.push(self.item(item));
            at = self.end(item);
        }
        self.gap_rows(at, to, rows, opening);
        while matches!(rows.last(), Some(Row::Blank)) {
            rows.pop();
        }
    }

    /// The comments and blank lines of a gap between two items.
    fn gap_rows<'i>(&self, from: usize, to: usize, rows: &mut Vec<Row<'i>>, opening: &mut Option<String>) {
        let mut gap = self.gap(from, to);
        if let Some(comment) = gap.take_trailing() {
            match rows.last_mut() {
                Some(row) => row.set_comment(comment),
                None => *opening = Some(comment),
            }
        }
        for comment in gap.comments {
            if comment.after_blank && !rows.is_empty() {
                rows.push(Row::Blank);
            }
            rows.push(Row::Comment(comment.text));
        }
        if gap.blank_at_end && !rows.is_empty() {
            rows.push(Row::Blank);
        }
    }

    /// Comments within the head of an item, where the layout has no place for them, go before it.
    fn head_comments(&self, item: &Item, start: usize, rows: &mut Vec<Row<'_>>) {
        let comments = match item {
            Item::Setting(setting) => self.stray_comments(setting),
            Item::Block(block) => self.gap(block.head().end as usize, self.brace(block)).comments,
            Item::Let(bound) => self.gap(start, bound.value.span.start as usize).comments,
            Item::Function(function) => self.gap(start, function.body.span.start as usize).comments,
            Item::Use { .. } => self.gap(start, self.next_token(start + "use".len())).comments,
        };
        rows.extend(comments.into_iter().map(|comment| Row::Comment(comment.text)));
    }

    /// Behind the last byte of an item.
    fn end(&self, item: &Item) -> usize {
        match item {
            Item::Setting(setting) => self.setting_end(setting),
            other => other.span().end as usize,
        }
    }

    /// Where a block's `{` stands.
    fn brace(&self, block: &Block) -> usize {
        self.next_token(block.head().end as usize)
    }

    fn item<'i>(&self, item: &'i Item) -> Row<'i> {
        match item {
            Item::Setting(setting) => Row::Assign {
                head: setting.name.text.clone(),
                value: Assigned::Setting(setting),
                comment: None,
            },
            Item::Let(bound) => Row::Assign {
                head: format!("let {}", bound.name.text),
                value: Assigned::Let(&bound.value),
                comment: None,
            },
            Item::Block(block) => self.block(block),
            Item::Function(_) | Item::Use { .. } => Row::Plain { text: self.in_line(item), comment: None },
        }
    }

    fn block<'i>(&self, block: &'i Block) -> Row<'i> {
        let inside = self.brace(block) + 1;
        let written = self.slice(block.span);
        let (mut rows, mut opening) = (Vec::new(), None);
        self.items(&block.items, inside, block.span.end as usize - 1, &mut rows, &mut opening);
        let is_empty = rows.is_empty() && opening.is_none();
        let flat = (is_empty || !written.contains('\n')).then(|| self.block_in_line(block));
        match flat.filter(|flat| width(flat) <= WIDTH || is_empty) {
            Some(text) => Row::Plain { text, comment: None },
            None => Row::Block { head: self.head(block), opening, rows, comment: None },
        }
    }

    /// `kind label label`
    fn head(&self, block: &Block) -> String {
        let mut head = block.kind.text.clone();
        for label in &block.labels {
            head = head + " " + &self.long_expr(label, 0);
        }
        head
    }

    /// `kind label { name = value  name = value }`
    fn block_in_line(&self, block: &Block) -> String {
        let items: Vec<String> = block.items.iter().map(|item| self.in_line(item)).collect();
        match items.as_slice() {
            [] => format!("{} {{ }}", self.head(block)),
            items => format!("{} {{ {} }}", self.head(block), items.join("  ")),
        }
    }

    fn in_line(&self, item: &Item) -> String {
        match item {
            Item::Setting(setting) => format!("{} = {}", setting.name.text, self.value_in_line(setting)),
            Item::Block(block) => self.block_in_line(block),
            Item::Let(bound) => format!("let {} = {}", bound.name.text, self.expr(&bound.value)),
            Item::Function(function) => {
                let params: Vec<&str> = function.params.iter().map(|param| param.text.as_str()).collect();
                let head = format!("fn {}({}) = ", function.name.text, params.join(", "));
                let column = head.len();
                head + &self.long_expr(&function.body, column)
            }
            Item::Use { span, .. } => {
                let written = self.slice(*span);
                let string = self.next_token(span.start as usize + "use".len()) - span.start as usize;
                format!("use {}", &written[string..])
            }
        }
    }
}
