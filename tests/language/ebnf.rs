//! Reads `grammar/schedule.ebnf` and recognises films with it, by trying productions in order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// A part of a production.
#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Set { chars: Vec<(char, char)>, inside: bool },
    Name(String),
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
    Repeat { part: Box<Part>, least: usize, most: usize },
    Ahead { part: Box<Part>, wanted: bool },
}

/// A grammar.
pub struct Grammar {
    productions: BTreeMap<String, Part>,
    /// Productions that have matched something.
    pub used: RefCell<BTreeSet<String>>,
}

/// The text of the grammar without comments.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("(*") {
        out += before;
        rest = after.split_once("*)").expect("a comment is closed").1;
    }
    out + rest
}

impl Grammar {
    /// Reads a grammar.
    pub fn new(text: &str) -> Self {
        let text = without_comments(text);
        let mut productions = BTreeMap::new();
        let mut reader = Reader { chars: text.chars().collect(), at: 0 };
        while reader.peek_word().is_some() {
            let name = reader.word();
            reader.expect("::=");
            let body = reader.choice();
            assert!(productions.insert(name.clone(), body).is_none(), "`{name}` is defined twice");
        }
        assert_eq!(reader.at, reader.chars.len(), "the whole grammar is read");
        Self { productions, used: RefCell::default() }
    }

    /// The names of all productions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.productions.keys().map(String::as_str)
    }

    /// Names that are used but not defined.
    pub fn undefined(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.productions.values().for_each(|part| {
            walk(part, &mut |part| {
                if let Part::Name(name) = part {
                    names.push(name.clone());
                }
            })
        });
        names.retain(|name| !self.productions.contains_key(name));
        names
    }

    /// All texts in the productions for which `of` holds.
    pub fn texts(&self, of: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut texts = BTreeSet::new();
        for (_, part) in self.productions.iter().filter(|(name, _)| of(name)) {
            walk(part, &mut |part| {
                if let Part::Text(text) = part {
                    texts.insert(text.clone());
                }
            });
        }
        texts
    }

    /// Whether `text` is a `film`.
    pub fn accepts(&self, text: &str) -> bool {
        self.production("film", text).is_some()
    }

    fn production<'t>(&self, name: &str, text: &'t str) -> Option<&'t str> {
        let is_token = is_token(name);
        let rest = self.part(&self.productions[name], text, is_token)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(rest)
    }

    /// What is left of `text` behind the part. `token`: no blanks between its parts.
    fn part<'t>(&self, part: &Part, text: &'t str, token: bool) -> Option<&'t str> {
        match part {
            Part::Text(wanted) => literal(wanted, self.skip(text, token)),
            Part::Set { chars, inside } => {
                let c = text.chars().next()?;
                let found = chars.iter().any(|(from, to)| (*from..=*to).contains(&c));
                (found == *inside).then(|| &text[c.len_utf8()..])
            }
            Part::Name(name) => {
                let text = if is_token(name) { self.skip(text, token) } else { text };
                self.production(name, text)
            }
            Part::Sequence(parts) => parts.iter().try_fold(text, |text, part| self.part(part, text, token)),
            Part::Choice(parts) => parts.iter().find_map(|part| self.part(part, text, token)),
            Part::Repeat { part, least, most } => {
                let mut rest = text;
                let mut count = 0;
                while count < *most {
                    let Some(next) = self.part(part, rest, token).filter(|next| next.len() < rest.len())
                    else {
                        break;
                    };
                    rest = next;
                    count += 1;
                }
                (count >= *least).then_some(rest)
            }
            Part::Ahead { part, wanted } => {
                let used = self.used.borrow().clone();
                let found = self.part(part, text, token).is_some();
                if !*wanted {
                    *self.used.borrow_mut() = used;
                }
                (found == *wanted).then_some(text)
            }
        }
    }

    fn skip<'t>(&self, text: &'t str, token: bool) -> &'t str {
        if token { text } else { self.production("BLANK", text).unwrap_or(text) }
    }
}

fn is_token(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase())
}

/// `text` behind `wanted`; a word does not go on.
fn literal<'t>(wanted: &str, text: &'t str) -> Option<&'t str> {
    let rest = text.strip_prefix(wanted)?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!(wanted.ends_with(word) && rest.starts_with(word))).then_some(rest)
}

fn walk(part: &Part, seen: &mut dyn FnMut(&Part)) {
    seen(part);
    match part {
        Part::Sequence(parts) | Part::Choice(parts) => parts.iter().for_each(|part| walk(part, seen)),
        Part::Repeat { part, .. } | Part::Ahead { part, .. } => walk(part, seen),
        _ => {}
    }
}

/// Reads the notation.
struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn blank(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.blank();
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> char {
        let c = self.chars[self.at];
        self.at += 1;
        c
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) {
        self.blank();
        for c in text.chars() {
            assert_eq!(self.take(), c, "expected {text}");
        }
    }

    fn peek_word(&mut self) -> Option<char> {
        self.peek().filter(char::is_ascii_alphabetic)
    }

    fn word(&mut self) -> String {
        self.blank();
        let mut word = String::new();
        while self.chars.get(self.at).is_some_and(char::is_ascii_alphabetic) {
            word.push(self.take());
        }
        word
    }

    fn choice(&mut self) -> Part {
        let mut parts = vec![self.sequence()];
        while self.eat('|') {
            parts.push(self.sequence());
        }
        if parts.len() == 1 { parts.remove(0) } else { Part::Choice(parts) }
    }

    fn sequence(&mut self) -> Part {
        let mut parts = Vec::new();
        while let Some(part) = self.repeated() {
            parts.push(part);
        }
        Part::Sequence(parts)
    }

    fn repeated(&mut self) -> Option<Part> {
        let part = Box::new(self.single()?);
        let (least, most) = match self.chars.get(self.at) {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            _ => return Some(*part),
        };
        self.at += 1;
        Some(Part::Repeat { part, least, most })
    }

    fn single(&mut self) -> Option<Part> {
        match self.peek()? {
            '"' => Some(Part::Text(self.quoted())),
            '[' => Some(self.set()),
            '(' => {
                self.at += 1;
                let part = self.choice();
                self.expect(")");
                Some(part)
            }
            c @ ('&' | '!') => {
                self.at += 1;
                let part = Box::new(self.single().expect("something to look ahead for"));
                Some(Part::Ahead { part, wanted: c == '&' })
            }
            c if c.is_ascii_alphabetic() => {
                let start = self.at;
                let name = self.word();
                if self.peek() == Some(':') {
                    // The next production begins here.
                    self.at = start;
                    return None;
                }
                Some(Part::Name(name))
            }
            _ => None,
        }
    }

    fn character(&mut self) -> char {
        match self.take() {
            '\\' => match self.take() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => self.code_point(),
                c => c,
            },
            c => c,
        }
    }

    /// `{feff}` behind `\u`.
    fn code_point(&mut self) -> char {
        assert_eq!(self.take(), '{');
        let digits: String = std::iter::from_fn(|| Some(self.take()).filter(|c| *c != '}')).collect();
        char::from_u32(u32::from_str_radix(&digits, 16).expect("hexadecimal")).expect("a character")
    }

    fn quoted(&mut self) -> String {
        self.at += 1;
        let mut text = String::new();
        while self.chars[self.at] != '"' {
            text.push(self.character());
        }
        self.at += 1;
        text
    }

    fn set(&mut self) -> Part {
        self.at += 1;
        let inside = self.chars[self.at] != '^';
        self.at += usize::from(!inside);
        let mut chars = Vec::new();
        while self.chars[self.at] != ']' {
            let from = self.character();
            let is_range = self.chars[self.at] == '-' && self.chars[self.at + 1] != ']';
            self.at += usize::from(is_range);
            let to = if is_range { self.character() } else { from };
            chars.push((from, to));
        }
        self.at += 1;
        Part::Set { chars, inside }
    }
}
