//! What stands round a byte of a text that may be half written: the block, the setting, the call.

use crate::schedule::params::Places as Blocks;

/// Where a byte stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context<'a> {
    /// In a comment or string.
    pub in_text: bool,
    /// The kinds of the blocks around it, outermost first.
    pub blocks: Vec<&'a str>,
    /// The setting whose value it stands in.
    pub setting: Option<&'a str>,
    /// The call whose brackets it stands in.
    pub call: Option<&'a str>,
}

impl Context<'_> {
    /// Where parameters of the innermost block may stand.
    pub fn place(&self) -> Blocks {
        match self.blocks.last() {
            Some(&"scene") => Blocks::SCENE,
            Some(&"control") => Blocks::CONTROL,
            Some(&"video") => Blocks::VIDEO,
            Some(&"post") => Blocks::POST,
            _ => Blocks::FILM,
        }
    }
}

/// A bracket that is open.
enum Open<'a> {
    Block(&'a str),
    /// Of a value, with the name before it.
    Value(Option<&'a str>),
}

/// Reads `text` up to `at`.
pub(super) fn context(text: &str, at: usize) -> Context<'_> {
    let mut reader =
        Reader { text: &text[..at], at: 0, open: Vec::new(), setting: None, head: 0, in_text: false };
    while reader.at < at {
        reader.step();
    }
    let blocks = reader.open.iter().filter_map(|open| match open {
        Open::Block(kind) => Some(*kind),
        Open::Value(_) => None,
    });
    let call = reader.open.last().and_then(|open| match open {
        Open::Value(name) => *name,
        Open::Block(_) => None,
    });
    Context { in_text: reader.in_text, blocks: blocks.collect(), setting: reader.setting, call }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open<'a>>,
    setting: Option<&'a str>,
    /// Where the head of the next block can begin.
    head: usize,
    in_text: bool,
}

impl<'a> Reader<'a> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(c) = rest.chars().next() else { return };
        match c {
            '#' => self.skip(rest.find('\n')),
            '"' | '\'' => self.string(c),
            '(' | '[' => {
                self.open.push(Open::Value(last_word(&self.text[..self.at]).filter(|_| c == '(')));
                self.at += 1;
            }
            '{' => {
                let before = self.text[..self.at].trim_end();
                let is_value = before.ends_with('=') || before.ends_with('$');
                let kind = block_kind(&self.text[self.head..self.at]);
                self.open.push(if is_value { Open::Value(None) } else { Open::Block(kind) });
                if !is_value {
                    self.setting = None;
                    self.head = self.at + 1;
                }
                self.at += 1;
            }
            ')' | ']' | '}' => {
                if matches!(self.open.pop(), Some(Open::Block(_))) {
                    self.setting = None;
                    self.head = self.at + 1;
                }
                self.at += 1;
            }
            '=' if !rest.starts_with("==") => self.assignment(),
            '=' => self.at += 2,
            '<' | '>' | '!' if rest[1..].starts_with('=') => self.at += 2,
            '\n' => self.line(rest),
            c => self.at += c.len_utf8(),
        }
    }

    fn skip(&mut self, length: Option<usize>) {
        self.in_text = length.is_none();
        self.at = length.map_or(self.text.len(), |length| self.at + length);
    }

    fn string(&mut self, quote: char) {
        let rest = &self.text[self.at..];
        let triple = rest.starts_with("\"\"\"");
        let (open, close) = if triple { (3, "\"\"\"") } else { (1, if quote == '"' { "\"" } else { "'" }) };
        let mut at = open;
        while let Some(c) = rest[at.min(rest.len())..].chars().next() {
            if rest[at..].starts_with(close) || (c == '\n' && !triple) {
                // A string that its line does not close ends with the line.
                let behind = at + if c == '\n' { 0 } else { close.len() };
                return self.skip(Some(behind));
            }
            at += c.len_utf8();
            if c == '\\' {
                at += rest[at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        self.skip(None);
    }

    /// `=` behind a name: outside of brackets a setting's value begins.
    fn assignment(&mut self) {
        if !matches!(self.open.last(), Some(Open::Value(_))) {
            self.setting = last_word(&self.text[..self.at]);
        }
        self.at += 1;
    }

    /// A line ends: a statement does too, unless it visibly goes on.
    fn line(&mut self, rest: &'a str) {
        let before = self.text[..self.at].trim_end();
        let goes_on = before.ends_with([',', '=', '+', '*', '/', '-', ':', '(', '[', '|', '&']);
        if !matches!(self.open.last(), Some(Open::Value(_))) && !goes_on {
            self.setting = None;
            // The bracket of a block may stand in the line below its head.
            if !rest.trim_start().starts_with('{') {
                self.head = self.at + 1;
            }
        }
        self.at += 1;
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// The word (dots included) at the end of `text`, blanks behind it left aside.
fn last_word(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let start =
        text.rfind(|c| !is_word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let word = text[start..].trim_matches('.');
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(word)
}

/// The last word of a head that is the kind of a block, else its first word.
fn block_kind(head: &str) -> &str {
    let words = || head.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
    let mut known =
        words().filter(|word| matches!(*word, "scene" | "control" | "video" | "post" | "variants"));
    known.next_back().or_else(|| words().next()).unwrap_or_default()
}

/// The word round the byte `at`, with its first byte.
pub(super) fn word_at(text: &str, at: usize) -> (usize, &str) {
    let is_part = |c: char| is_word(c) || c == '-';
    let before = text[..at]
        .rfind(|c| !is_part(c))
        .map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
    let after = text[at..].find(|c| !is_part(c)).map_or(text.len(), |i| at + i);
    let is_ease = text[..before].ends_with('~');
    if is_ease {
        return (before, &text[before..after]);
    }
    // A dash is a minus anywhere else.
    let start = text[before..at].rfind('-').map_or(before, |i| before + i + 1);
    let end = text[at..after].find('-').map_or(after, |i| at + i);
    (start, &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Context<'_> {
        context(text, text.len())
    }

    #[test]
    fn blocks_settings_and_calls_are_found() {
        let found = at("kinora 1\nscene a 3s {\n  # {\n  prompt = \"} {\"\n  depth = picture(");
        assert_eq!(
            (found.blocks, found.setting, found.call),
            (vec!["scene"], Some("depth"), Some("picture"))
        );
        assert_eq!(at("video { fps = 12 }\nzoom = 0: 1,\n").setting, Some("zoom"));
        assert_eq!(at("zoom = 1\n").setting, None);
        assert_eq!(at("scene a 3s { let k = 2 control d { weight = ").blocks, ["scene", "control"]);
        assert_eq!(at("post\n{ ").blocks, ["post"]);
        assert!(at("zoom = 1 # no").in_text && at("prompt = \"a").in_text && !at("prompt = \"a\" ").in_text);
        assert_eq!(at("prompts = {\"0\": \"a\"}\nangle = ").setting, Some("angle"));
    }

    #[test]
    fn words_are_found_from_any_of_their_letters() {
        assert_eq!(word_at("a = sharpen.amount-1", 7), (4, "sharpen.amount"));
        assert_eq!(word_at("0: 1 ~ease-in-out", 10), (6, "ease-in-out"));
        assert_eq!(word_at("", 0), (0, ""));
        assert_eq!(word_at("é(t)", 3), (3, "t"));
    }
}
