//! Text becomes a syntax tree. Parsing is total: a statement that cannot be read costs one
//! diagnostic and the reading goes on at the next statement.
//!
//! The parsers are nom's, on `&str`; a place is the difference of two pointers into the text.

mod expr;
mod fault;
mod item;
mod number;
mod recover;
mod text;
mod value;

use std::cell::{Cell, RefCell};

use nom::bytes::complete::{take_while, take_while1};
use nom::combinator::{recognize, verify};
use nom::sequence::pair;
use nom::{IResult, Parser as _};

use super::diagnostic::Diagnostic;
use super::span::Span;
use super::syntax::{File, Name};
use fault::Fault;

pub use item::KEYWORDS;

/// Units that can stand behind a number.
pub fn unit_names() -> impl Iterator<Item = &'static str> {
    number::UNITS.iter().map(|(name, _)| *name).chain(["%"])
}

/// What can stand behind the `/` of a rate.
pub fn rate_names() -> impl Iterator<Item = &'static str> {
    number::PER.iter().map(|(name, _)| *name)
}

/// Longest film, in bytes. Real films have a few thousand; a longer one is another kind of file.
pub const MAX_BYTES: usize = 4 << 20;
/// Brackets (of any kind, holes in strings included) open at once within one expression.
const MAX_BRACKETS: usize = 64;
/// Height of an expression's tree, which a long chain `1 + 1 + ...` also reaches.
const MAX_HEIGHT: usize = 240;
/// Statement errors after which the rest of a film is not looked at.
const MAX_ERRORS: usize = 1000;

type Parsed<'a, T> = IResult<&'a str, T, Fault>;

/// Reads `text`, which is file `source` of the film.
pub fn parse(source: u32, text: &str) -> (File, Vec<Diagnostic>) {
    if text.len() > MAX_BYTES {
        let message =
            format!("a film has at most {} MiB, this file has {}", MAX_BYTES >> 20, text.len() >> 20);
        return (File::default(), vec![Diagnostic::error("E07", message, Span::new(source, 0, 0))]);
    }
    let parser = Parser { text, source, brackets: Cell::new(0), errors: RefCell::default() };
    let file = parser.file();
    (file, parser.errors.into_inner())
}

/// What all parsers of one text share.
struct Parser<'a> {
    text: &'a str,
    source: u32,
    brackets: Cell<usize>,
    errors: RefCell<Vec<Diagnostic>>,
}

impl<'a> Parser<'a> {
    /// The byte at which `rest`, a part of the text, begins.
    fn at(&self, rest: &str) -> u32 {
        let byte = (rest.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        u32::try_from(byte).unwrap_or(u32::MAX)
    }

    /// From where `from` begins to where `to` begins.
    fn span(&self, from: &str, to: &str) -> Span {
        Span::new(self.source, self.at(from), self.at(to))
    }

    /// Counts an open bracket while `inner` runs and refuses too many.
    fn bracketed<T>(&self, rest: &'a str, inner: impl FnOnce() -> Parsed<'a, T>) -> Parsed<'a, T> {
        let open = self.brackets.get();
        if open >= MAX_BRACKETS {
            let here = self.token_span(rest);
            let message = format!("more than {MAX_BRACKETS} brackets are open here");
            return Fault::told(rest, Diagnostic::error("E07", message, here));
        }
        self.brackets.set(open + 1);
        let result = inner();
        self.brackets.set(open);
        result
    }

    /// The token that begins at `rest`, for pointing at it.
    fn token_span(&self, rest: &str) -> Span {
        self.span(rest, &rest[token_length(rest)..])
    }
}

/// Length in bytes of the token at the start of `rest`: a word or number, a string, or one character.
fn token_length(rest: &str) -> usize {
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    if word > 0 {
        return word.min(floor_boundary(rest, 60));
    }
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let line = rest.lines().next().unwrap_or(rest);
            line[1..].find(quote).map_or(1, |at| at + 2)
        }
        Some('*') if rest.starts_with("**") => 2,
        Some('=') if rest.starts_with("==") => 2,
        Some(other) => other.len_utf8(),
        None => 0,
    }
}

/// The largest character boundary not above `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// White space, line breaks and comments, all of which separate and mean nothing.
fn blank(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start();
        if !rest.starts_with('#') {
            return rest;
        }
        rest = rest.find('\n').map_or("", |at| &rest[at..]);
    }
}

/// A name: a letter or `_`, then letters, digits and `_`.
fn word(rest: &str) -> Parsed<'_, &str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let more = |c: char| c.is_ascii_alphanumeric() || c == '_';
    recognize(pair(take_while1(first), take_while(more)))
        .parse(rest)
        .map_err(|_: nom::Err<Fault>| nom::Err::Error(Fault::expected(rest, "a name")))
}

/// Exactly this word.
fn keyword<'a>(rest: &'a str, expected: &'static str) -> Parsed<'a, &'a str> {
    verify(word, |found: &str| found == expected)
        .parse(rest)
        .map_err(|_| nom::Err::Error(Fault::expected(rest, expected)))
}

/// Exactly this sign, after blanks.
fn sign<'a>(rest: &'a str, expected: &'static str, shown: &'static str) -> Parsed<'a, &'a str> {
    let rest = blank(rest);
    match rest.strip_prefix(expected) {
        Some(after) => Ok((after, &rest[..expected.len()])),
        None => Err(nom::Err::Error(Fault::expected(rest, shown))),
    }
}

impl<'a> Parser<'a> {
    /// A name with its place.
    fn name(&self, rest: &'a str) -> Parsed<'a, Name> {
        let rest = blank(rest);
        let (after, text) = word(rest)?;
        Ok((after, Name { text: text.to_owned(), span: self.span(rest, after) }))
    }
}
