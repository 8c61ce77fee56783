//! Statements: settings, blocks, `let`, `fn`, `use`.

use super::fault::Fault;
use super::{MAX_ERRORS, Parsed, Parser, blank, keyword, sign, word};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::span::Span;
use crate::schedule::syntax::{Block, File, Function, Item, Let, Name, Setting};

/// Words that begin a statement of their own or have a fixed meaning in expressions.
pub const KEYWORDS: &[&str] = &["kinora", "use", "let", "fn", "and", "or", "not"];

/// Blocks open at once.
const MAX_BLOCKS: usize = 8;
/// Blocks that only stand at the top: one of them inside another means a bracket is missing.
const TOP_BLOCKS: &[&str] = &["scene", "video", "post", "variants"];

impl<'a> Parser<'a> {
    /// The whole text.
    pub(super) fn file(&self) -> File {
        let start = blank(self.text.strip_prefix('\u{feff}').unwrap_or(self.text));
        let (mut rest, version) = self.version(start);
        let mut items = Vec::new();
        loop {
            rest = self.items(rest, &[], &mut items);
            let Some(after) = rest.strip_prefix('}') else { break };
            self.report(Diagnostic::error("E03", "this `}` closes nothing", self.span(rest, after)));
            rest = after;
        }
        File { version, items }
    }

    /// `kinora 1` at the very start.
    fn version(&self, start: &'a str) -> (&'a str, Option<(u32, Span)>) {
        let Ok((after, _)) = keyword(start, "kinora") else { return (start, None) };
        let number = after.trim_start_matches([' ', '\t']);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let span = self.span(start, &number[end..]);
        match number[..end].parse() {
            Ok(version) => (&number[end..], Some((version, span))),
            Err(_) => (start, None),
        }
    }

    /// Items until the end or a `}`, which is left standing. `open` are the blocks around them.
    fn items(&self, mut rest: &'a str, open: &[&Name], items: &mut Vec<Item>) -> &'a str {
        loop {
            rest = blank(rest);
            if rest.is_empty() || rest.starts_with('}') || self.is_outer(rest, open) {
                return rest;
            }
            match self.item(rest, open) {
                Ok((after, item)) => {
                    let next = blank(after);
                    if self.is_separated(after, next) {
                        items.push(item);
                        rest = next;
                    } else {
                        // What was read of the value is not what was meant: it is not checked.
                        self.report(self.stray(next));
                        rest = self.resume(next, !open.is_empty());
                    }
                }
                Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
                    let failed = &self.text[self.text.len().saturating_sub(fault.left)..];
                    self.report(self.diagnose(fault));
                    rest = self.resume(further(rest, failed), !open.is_empty());
                }
                Err(nom::Err::Incomplete(_)) => return "",
            }
            if self.errors.borrow().len() >= MAX_ERRORS {
                return "";
            }
        }
    }

    /// Whether a block begins at `rest` that cannot stand in the open ones: a `}` was forgotten.
    fn is_outer(&self, rest: &'a str, open: &[&Name]) -> bool {
        let first = word(rest).map_or("", |(_, first)| first);
        let at_line_start = self.at(rest) == 0 || self.text[..self.at(rest) as usize].ends_with('\n');
        !open.is_empty()
            && at_line_start
            && TOP_BLOCKS.contains(&first)
            && super::recover::begins_statement(rest)
            && !blank(&rest[first.len()..]).starts_with('=')
    }

    /// Whether an item that ends at `after` really ends there: the next one follows, in the same line
    /// only if it is whole, or a bracket, or the end.
    fn is_separated(&self, after: &'a str, next: &'a str) -> bool {
        let same_line = !after[..after.len() - next.len()].contains('\n');
        next.is_empty()
            || next.starts_with('}')
            || (word(next).is_ok() && (!same_line || self.begins_item(next)))
    }

    /// Whether a setting, a block's head or another statement begins at `rest`.
    fn begins_item(&self, rest: &'a str) -> bool {
        if super::recover::begins_statement(rest) {
            return true;
        }
        let mut rest = word(rest).map_or(rest, |(after, _)| after);
        while let Ok((after, _)) = self.label(rest.trim_start_matches([' ', '\t'])) {
            rest = after;
        }
        blank(rest).starts_with('{')
    }

    /// Something behind a value that neither goes on with it nor begins the next item.
    fn stray(&self, rest: &'a str) -> Diagnostic {
        if let Some(sign) = rest.chars().next().filter(|c| matches!(c, ')' | ']')) {
            return Diagnostic::error("E03", format!("this `{sign}` closes nothing"), self.token_span(rest));
        }
        let begins_line = self.begins_line(rest);
        let message = match begins_line {
            true => format!("expected the next setting or block, found {}", describe(rest)),
            false => format!("the value ends before {}", describe(rest)),
        };
        let found = Diagnostic::error("E01", message, self.token_span(rest));
        match hint_for(rest, self.text) {
            Some(hint) => found.hint(hint),
            None if begins_line => found.hint("a setting is written `name = value`"),
            None if word(rest).is_ok() => found.hint("text stands in quotes"),
            None => found.hint("an operator, a comma or a bracket is missing"),
        }
    }

    fn item(&self, rest: &'a str, open: &[&Name]) -> Parsed<'a, Item> {
        let (after, first) = word(rest).map_err(|_| {
            nom::Err::Error(Fault::expected(rest, "a setting (`name = value`) or a block (`name { ... }`)"))
        })?;
        let next = blank(after);
        match first {
            "use" if next.starts_with(['"', '\'']) => self.use_file(rest, next),
            "let" if word(next).is_ok() => self.binding(next),
            "fn" if word(next).is_ok() => self.function(next),
            "let" | "fn" if next.starts_with('=') => {
                Err(nom::Err::Error(Fault::expected(next, "a name behind `let` or `fn`")))
            }
            _ => self.setting_or_block(rest, open),
        }
    }

    fn use_file(&self, start: &'a str, rest: &'a str) -> Parsed<'a, Item> {
        let (after, text) = self.string(rest)?;
        let file = match &text.kind {
            ExprKind::Text(parts) => literal(parts).unwrap_or_default(),
            _ => String::new(),
        };
        Ok((after, Item::Use { span: self.span(start, after), file }))
    }

    fn binding(&self, rest: &'a str) -> Parsed<'a, Item> {
        let (rest, name) = self.name(rest)?;
        let (rest, _) = sign(rest, "=", "`=` and a value")?;
        let (rest, value) = self.expr(rest)?;
        Ok((rest, Item::Let(Let { name, value })))
    }

    fn function(&self, rest: &'a str) -> Parsed<'a, Item> {
        let (rest, name) = self.name(rest)?;
        let (mut rest, _) = sign(rest, "(", "`(` and the parameters")?;
        let mut params = Vec::new();
        while let Ok((after, param)) = self.name(rest) {
            params.push(param);
            rest = after;
            let Ok((after, _)) = sign(rest, ",", "`,`") else { break };
            rest = after;
        }
        let (rest, _) = sign(rest, ")", "`)`")?;
        let (rest, _) = sign(rest, "=", "`=` and an expression")?;
        let (rest, body) = self.expr(rest)?;
        Ok((rest, Item::Function(Function { name, params, body })))
    }

    fn setting_or_block(&self, start: &'a str, open: &[&Name]) -> Parsed<'a, Item> {
        let (mut rest, first) = word(start)?;
        while let Some(dotted) = rest.strip_prefix('.') {
            rest = word(dotted)?.0;
        }
        let is_dotted = rest.len() + first.len() < start.len();
        let name = Name { text: start[..start.len() - rest.len()].to_owned(), span: self.span(start, rest) };
        if let Ok((value_at, _)) = sign(rest, "=", "`=`")
            && !value_at.starts_with('=')
        {
            let (rest, value) = self.value(value_at)?;
            return Ok((rest, Item::Setting(Setting { name, value })));
        }
        if is_dotted {
            return Err(nom::Err::Error(Fault::expected(blank(rest), "`=`")));
        }
        self.block(start, rest, name, open)
    }

    fn block(&self, start: &'a str, mut rest: &'a str, kind: Name, open: &[&Name]) -> Parsed<'a, Item> {
        let mut labels: Vec<Expr> = Vec::new();
        let inside = loop {
            let fault = match self.label(rest.trim_start_matches([' ', '\t'])) {
                Ok((after, label)) => {
                    labels.push(label);
                    rest = after;
                    continue;
                }
                Err(nom::Err::Failure(fault)) => fault,
                Err(_) => match sign(rest, "{", if labels.is_empty() { "`=` or `{`" } else { "`{`" }) {
                    Ok((inside, _)) => break inside,
                    Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => fault,
                    Err(incomplete) => return Err(incomplete),
                },
            };
            break self.head_fault(rest, fault, &mut labels)?;
        };
        if open.len() >= MAX_BLOCKS {
            let message = format!("more than {MAX_BLOCKS} blocks are open here");
            self.report(Diagnostic::error("E07", message, kind.span));
            let after = super::recover::skip_block(inside);
            return Ok((after, Item::Block(Block { span: kind.span, kind, labels, items: Vec::new() })));
        }
        let mut items = Vec::new();
        let around: Vec<&Name> = open.iter().copied().chain([&kind]).collect();
        let end = self.items(inside, &around, &mut items);
        let after = end.strip_prefix('}').unwrap_or_else(|| {
            self.report(self.open_block(&kind, end));
            end
        });
        let span = self.span(start, after);
        Ok((after, Item::Block(Block { kind, labels, items, span })))
    }

    /// A word, string or number behind a block's kind. `a (2s)` is a word and a length, not a call.
    fn label(&self, start: &'a str) -> Parsed<'a, Expr> {
        match word(start) {
            Ok((after, name)) if !after.starts_with(['(', '.']) => {
                Ok((after, Expr { kind: ExprKind::Name(name.to_owned()), span: self.span(start, after) }))
            }
            _ => self.postfix(start),
        }
    }

    /// A mistake in the head of a block whose `{` stands in the same line costs one error, not the
    /// block: something stands in for what could not be read. The result is what is inside.
    fn head_fault(
        &self,
        rest: &'a str,
        fault: Fault,
        labels: &mut Vec<Expr>,
    ) -> Result<&'a str, nom::Err<Fault>> {
        let rest = blank(rest);
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let Some(at) = line.find('{').filter(|at| !line[..*at].contains(['=', '#', '"'])) else {
            return Err(nom::Err::Error(fault));
        };
        self.report(self.diagnose(fault));
        labels.push(Expr { kind: ExprKind::Int(1), span: self.span(rest, &rest[at..]) });
        Ok(&rest[at + 1..])
    }

    fn open_block(&self, kind: &Name, end: &'a str) -> Diagnostic {
        let found = Diagnostic::error("E03", format!("this `{}` block is not closed", kind.text), kind.span);
        if end.is_empty() {
            found.hint("end it with `}`")
        } else {
            found.also(self.token_span(end), "expected `}` before this")
        }
    }

    fn report(&self, diagnostic: Diagnostic) {
        self.errors.borrow_mut().push(diagnostic);
    }

    /// A fault in words.
    fn diagnose(&self, fault: Fault) -> Diagnostic {
        if let Some(told) = fault.told {
            return *told;
        }
        let rest = blank(&self.text[self.text.len().saturating_sub(fault.left)..]);
        let mut expected = fault.expected;
        expected.dedup();
        let expected = if expected.is_empty() { "something else".to_owned() } else { expected.join(" or ") };
        let message = format!("expected {expected}, found {}", describe(rest));
        let found = Diagnostic::error("E01", message, self.token_span(rest));
        let in_name = expected.starts_with("`=`") || expected.starts_with("a setting");
        let hint = match rest.chars().next() {
            Some('=') if expected.starts_with("`(`") => {
                Some("a value of its own is bound with `let name = ...`")
            }
            Some(':' | '=') if in_name => Some("a setting is written `name = value`"),
            Some('-') if in_name => Some("names have `_` where other languages have `-`"),
            Some(c) if in_name && c.is_alphabetic() && !c.is_ascii() => {
                Some("names are letters from a to z, digits and `_`")
            }
            _ => hint_for(rest, self.text),
        };
        match hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }
}

/// What another language means by the sign at the start of `rest`, a part of `text`.
fn hint_for(rest: &str, text: &str) -> Option<&'static str> {
    let before = text[..text.len() - rest.len()].trim_end_matches([' ', '\t']);
    let after = |sign: &str| before.ends_with(sign);
    match rest.chars().next()? {
        '“' | '”' | '„' | '‘' | '’' => Some("text stands between straight quotes: \"..\""),
        '`' => Some("a value is written without backticks; within text, as `${expr}`"),
        ';' => Some("nothing stands between settings: each begins with its name"),
        '!' => Some("for the opposite of a condition write `not`"),
        '$' => Some("`${expr}` stands within text; a name alone has no sign"),
        '(' if after(")") => {
            Some("two brackets beside each other: Deforum reads `(2)(3)` as 23; write an operator")
        }
        '*' if after("/") => Some("a comment begins with `#` and ends with the line"),
        '.' if after(".") || before.ends_with(|c: char| c.is_ascii_digit()) => {
            Some("a number has one decimal point")
        }
        '=' if rest.starts_with("==") => Some("a setting is written `name = value`"),
        _ => None,
    }
}

/// The text of a string without holes.
fn literal(parts: &[TextPart]) -> Option<String> {
    match parts {
        [] => Some(String::new()),
        [TextPart::Literal(text)] => Some(text.clone()),
        _ => None,
    }
}

/// The later of two places of one text, at least one character after the first.
fn further<'a>(from: &'a str, failed: &'a str) -> &'a str {
    let step = from.chars().next().map_or(0, char::len_utf8);
    if failed.len() < from.len() { failed } else { &from[step..] }
}

/// What stands at the start of `rest`, for «found ...».
fn describe(rest: &str) -> String {
    match super::token_length(rest) {
        0 => "the end of the film".to_owned(),
        length => format!("`{}`", &rest[..length]),
    }
}
