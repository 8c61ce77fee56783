//! Parser of the Python expressions in Deforum's texts, with Python's precedence and literals. The tree
//! is the one of our own language; what only Python has is written as calls that no Python text can
//! contain under these names: `x and y` is `and(x, y)`, `x or y` is `or(x, y)`, `a if c else b` is
//! `if(c, a, b)`, a chained comparison is the `and` of its parts, `x.real` is the method `real`. The
//! signs `&` and `|` are the operators `And` and `Or`.

use std::cell::Cell;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{digit1, one_of, satisfy};
use nom::combinator::{not, opt, peek, recognize, value};
use nom::error::{ErrorKind, ParseError};
use nom::multi::many0_count;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::ReadError;
use super::keys::within;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, TextPart, UnaryOp};
use crate::schedule::span::Span;

/// Deepest nesting of brackets and signs. CPython stops at 200 brackets.
pub const MAX_DEPTH: usize = 200;

/// Most parts of one expression: names, numbers, operators. Long sums lean to one side, and a tree is
/// taken apart recursively.
pub const MAX_PARTS: usize = 4000;

/// Reads `text` as one Python expression. `base` is where it stands in its source.
///
/// # Errors
/// What Python's `eval` or numexpr refuse to read (statements, brackets `[`, attributes other than
/// `.real` and `.imag`, complex numbers), and expressions beyond [`MAX_DEPTH`] or [`MAX_PARTS`].
pub fn expression(text: &str, base: Span) -> Result<Expr, ReadError> {
    let reader = Reader { source: text, base, parts: Cell::new(0) };
    reader.refuse_control_characters()?;
    if text.starts_with([' ', '\t']) {
        return Err(ReadError::new(
            within(text, &text[..1], base),
            "expected an expression, found an indent",
        )
        .hint("remove the blanks in front"));
    }
    let top = Level { depth: 0, inside: false };
    let result = reader.ternary(reader.blank(text, top), top).and_then(|(rest, expr)| {
        let rest = skip_blank(rest, true);
        if rest.is_empty() { Ok(expr) } else { Err(fail(rest, "expected an operator or the end")) }
    });
    result.map_err(|error| reader.report(&error))
}

/// Where the reader is in the nesting.
#[derive(Clone, Copy)]
struct Level {
    depth: usize,
    /// Inside brackets line breaks mean nothing.
    inside: bool,
}

/// The furthest point that was understood and what was expected there.
#[derive(Debug)]
struct Fault {
    /// Bytes that were left.
    left: usize,
    expected: String,
}

impl ParseError<&str> for Fault {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { left: input.len(), expected: "expected a number, a name or a bracket".into() }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Fault>;

fn fail(at: &str, expected: impl Into<String>) -> nom::Err<Fault> {
    nom::Err::Failure(Fault { left: at.len(), expected: expected.into() })
}

const RESERVED: &[&str] = &[
    "None", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Signs with two operands and how tightly they bind, longest first.
const OPERATORS: &[(&str, BinaryOp, u8)] = &[
    ("//", BinaryOp::FloorDiv, 10),
    ("<<", BinaryOp::Shl, 8),
    (">>", BinaryOp::Shr, 8),
    ("<=", BinaryOp::Le, COMPARISON),
    (">=", BinaryOp::Ge, COMPARISON),
    ("==", BinaryOp::Eq, COMPARISON),
    ("!=", BinaryOp::Ne, COMPARISON),
    ("<", BinaryOp::Lt, COMPARISON),
    (">", BinaryOp::Gt, COMPARISON),
    ("|", BinaryOp::Or, 5),
    ("^", BinaryOp::Xor, 6),
    ("&", BinaryOp::And, 7),
    ("+", BinaryOp::Add, 9),
    ("-", BinaryOp::Sub, 9),
    ("*", BinaryOp::Mul, 10),
    ("/", BinaryOp::Div, 10),
    ("%", BinaryOp::Rem, 10),
];
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;

#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Sign(BinaryOp),
    Word(&'static str),
}

/// Blanks, continued lines and a comment; with `lines` also line breaks.
fn skip_blank(mut i: &str, lines: bool) -> &str {
    loop {
        let before = i;
        i = i.trim_start_matches([' ', '\t', '\u{c}']);
        if lines {
            i = i.trim_start_matches([' ', '\t', '\u{c}', '\n', '\r']);
        }
        if let Some(rest) = i.strip_prefix("\\\r\n").or_else(|| i.strip_prefix("\\\n")) {
            i = rest;
        }
        if i.starts_with('#') {
            i = i.find('\n').map_or("", |end| &i[end..]);
        }
        if i.len() == before.len() {
            return i;
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A name or a reserved word.
fn word(i: &str) -> Parsed<'_, &str> {
    recognize((satisfy(|c| c.is_alphabetic() || c == '_'), take_while(is_word))).parse(i)
}

fn keyword<'a>(name: &'static str) -> impl Fn(&'a str) -> Parsed<'a, &'a str> {
    move |i| {
        let (rest, found) = word(i)?;
        if found == name {
            Ok((rest, found))
        } else {
            Err(nom::Err::Error(Fault::from_error_kind(i, ErrorKind::Tag)))
        }
    }
}

/// Digits with single underscores between them.
fn digits(i: &str) -> Parsed<'_, &str> {
    recognize((digit1, many0_count(preceded(tag("_"), digit1)))).parse(i)
}

fn exponent(i: &str) -> Parsed<'_, &str> {
    recognize((one_of("eE"), opt(one_of("+-")), digits)).parse(i)
}

fn float_text(i: &str) -> Parsed<'_, &str> {
    alt((
        recognize((opt(digits), tag("."), digits, opt(exponent))),
        recognize((digits, tag("."), opt(exponent))),
        recognize((digits, exponent)),
    ))
    .parse(i)
}

fn radix_text(i: &str) -> Parsed<'_, (u32, &str)> {
    let body = |i| take_while1(|c: char| c.is_ascii_hexdigit() || c == '_').parse(i);
    let (i, radix) =
        preceded(tag("0"), alt((value(16, one_of("xX")), value(8, one_of("oO")), value(2, one_of("bB")))))
            .parse(i)?;
    let (i, text) = body(i)?;
    Ok((i, (radix, text)))
}

/// The literal that `i` begins with.
fn number(i: &str) -> Parsed<'_, ExprKind> {
    let (rest, kind) = if let Ok((rest, (radix, text))) = radix_text(i) {
        let valid = !text.ends_with('_') && !text.contains("__");
        let digits = text.replace('_', "");
        let number = i64::from_str_radix(&digits, radix).ok().filter(|_| valid);
        (rest, ExprKind::Int(number.ok_or_else(|| fail(i, "expected a whole number below 2^63"))?))
    } else if let Ok((rest, text)) = float_text(i) {
        (rest, ExprKind::Float(text.replace('_', "").parse().map_err(|_| fail(i, "expected a number"))?))
    } else {
        let (rest, text) = digits(i)?;
        (rest, integer(i, &text.replace('_', ""))?)
    };
    let (rest, ()) = peek(not(one_of("jJ_"))).parse(rest).map_err(|_: nom::Err<Fault>| {
        fail(rest, "expected a real number, found a complex one or a stray `_`")
    })?;
    // `1if x else 2` is Python; `5px` is not.
    match word(rest) {
        Ok((_, next)) if !RESERVED.contains(&next) => {
            Err(fail(rest, "expected an operator after the number"))
        }
        _ => Ok((rest, kind)),
    }
}

/// Python refuses leading zeros, except in zero itself. Beyond 64 bits the value is rounded.
fn integer(at: &str, digits: &str) -> Result<ExprKind, nom::Err<Fault>> {
    if digits.starts_with('0') && digits.bytes().any(|b| b != b'0') {
        return Err(fail(at, "expected an integer without leading zeros"));
    }
    match digits.parse() {
        Ok(v) => Ok(ExprKind::Int(v)),
        Err(_) => Ok(ExprKind::Float(digits.parse().map_err(|_| fail(at, "expected a number"))?)),
    }
}

struct Reader<'a> {
    source: &'a str,
    base: Span,
    /// Parts read so far.
    parts: Cell<usize>,
}

impl<'a> Reader<'a> {
    fn report(&self, error: &nom::Err<Fault>) -> ReadError {
        let (left, message) = match error {
            nom::Err::Error(f) | nom::Err::Failure(f) => (f.left, f.expected.as_str()),
            nom::Err::Incomplete(_) => (0, "expected more"),
        };
        let mut start = self.source.len().saturating_sub(left);
        while !self.source.is_char_boundary(start) {
            start -= 1;
        }
        let rest = &self.source[start..];
        let (found, length) = match rest.chars().next() {
            None => ("the end".to_owned(), 0),
            Some(c) => {
                let length = word(rest).map_or(c.len_utf8(), |(_, w)| w.len());
                (format!("`{}`", &rest[..length]), length)
            }
        };
        let message =
            if message.contains("found") { message.into() } else { format!("{message}, found {found}") };
        ReadError::new(within(self.source, &rest[..length], self.base), message)
    }

    /// numexpr refuses these anywhere outside of single quotes, also in comments.
    fn refuse_control_characters(&self) -> Result<(), ReadError> {
        let mut quoted = false;
        for (i, c) in self.source.char_indices() {
            match c {
                '\'' => quoted = !quoted,
                ';' | ':' | '[' if !quoted => {
                    let span = within(self.source, &self.source[i..=i], self.base);
                    return Err(ReadError::new(span, format!("expected an expression, found `{c}`")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn blank(&self, i: &'a str, level: Level) -> &'a str {
        skip_blank(i, level.inside)
    }

    /// The text from `start` up to `end` (both rests of the source), without blanks at its end.
    fn span(&self, start: &'a str, end: &'a str) -> Span {
        let text = &start[..start.len().saturating_sub(end.len())];
        within(self.source, text.trim_end(), self.base)
    }

    fn count(&self, at: &'a str, parts: usize) -> Result<(), nom::Err<Fault>> {
        self.parts.set(self.parts.get() + parts);
        if self.parts.get() > MAX_PARTS {
            return Err(fail(at, format!("expected an expression of at most {MAX_PARTS} parts, found more")));
        }
        Ok(())
    }

    fn deeper(&self, at: &'a str, level: Level) -> Result<Level, nom::Err<Fault>> {
        if level.depth >= MAX_DEPTH {
            return Err(fail(at, format!("expected at most {MAX_DEPTH} levels of nesting, found more")));
        }
        Ok(Level { depth: level.depth + 1, ..level })
    }

    fn ternary(&self, i: &'a str, level: Level) -> Parsed<'a, Expr> {
        let level = self.deeper(i, level)?;
        let (rest, then) = self.binary(i, level, OR)?;
        let Ok((after_if, _)) = keyword("if")(rest) else {
            return Ok((rest, then));
        };
        let (rest, condition) = self.binary(self.blank(after_if, level), level, OR)?;
        let (rest, _) = keyword("else")(rest).map_err(|_| fail(rest, "expected `else`"))?;
        let (rest, otherwise) = self.ternary(self.blank(rest, level), level)?;
        Ok((rest, self.call("if", self.span(i, rest), vec![condition, then, otherwise])))
    }

    fn call(&self, name: &str, span: Span, values: Vec<Expr>) -> Expr {
        let args = values.into_iter().map(|value| Arg { name: None, value }).collect();
        Expr { kind: ExprKind::Call { name: name.into(), name_span: span, args, method: false }, span }
    }

    /// Precedence climbing: everything that binds at least as tightly as `least`.
    fn binary(&self, start: &'a str, level: Level, least: u8) -> Parsed<'a, Expr> {
        let (mut i, mut left) = self.operand(start, level, least)?;
        while let Some((after, infix, strength)) = self.infix(i).filter(|&(_, _, s)| s >= least) {
            self.count(i, 1)?;
            if strength == COMPARISON {
                (i, left) = self.comparison(start, i, level, left)?;
                continue;
            }
            let deeper = self.deeper(i, level)?;
            let right;
            (i, right) = self.binary(self.blank(after, level), deeper, strength + 1)?;
            let span = self.span(start, i);
            left = match infix {
                Infix::Word(name) => self.call(name, span, vec![left, right]),
                Infix::Sign(op) => Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span },
            };
        }
        Ok((i, left))
    }

    /// `a < b <= c` is `(a < b) and (b <= c)`.
    fn comparison(&self, start: &'a str, mut i: &'a str, level: Level, first: Expr) -> Parsed<'a, Expr> {
        let deeper = self.deeper(i, level)?;
        let (mut result, mut left) = (None, first);
        while let Some((after, Infix::Sign(op), COMPARISON)) = self.infix(i) {
            let begin = i;
            let right;
            (i, right) = self.binary(self.blank(after, level), deeper, COMPARISON + 1)?;
            let span = self.span(start, i);
            let chained = matches!(self.infix(i), Some((_, _, COMPARISON)));
            if chained {
                // The middle stands twice in the tree; counting the copy keeps nests of chains small.
                self.count(begin, parts(&right))?;
            }
            let next = if chained { right.clone() } else { Expr { kind: ExprKind::Int(0), span } };
            let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
            let compared = Expr { kind, span };
            result = Some(match result {
                None => compared,
                Some(before) => self.call("and", span, vec![before, compared]),
            });
            left = next;
        }
        result.map(|r| (i, r)).ok_or_else(|| fail(i, "expected a comparison"))
    }

    fn infix(&self, i: &'a str) -> Option<(&'a str, Infix, u8)> {
        if let Ok((rest, name)) = word(i) {
            return match name {
                "or" => Some((rest, Infix::Word("or"), OR)),
                "and" => Some((rest, Infix::Word("and"), AND)),
                _ => None,
            };
        }
        if i.starts_with("**") {
            return None;
        }
        OPERATORS
            .iter()
            .find_map(|&(sign, op, strength)| Some((i.strip_prefix(sign)?, Infix::Sign(op), strength)))
    }

    /// What stands beside an operator: `not x` where it may, else a signed operand.
    fn operand(&self, i: &'a str, level: Level, least: u8) -> Parsed<'a, Expr> {
        if least <= NOT
            && let Ok((rest, _)) = keyword("not")(i)
        {
            let level = self.deeper(i, level)?;
            let (rest, x) = self.binary(self.blank(rest, level), level, NOT)?;
            return Ok((rest, self.unary(UnaryOp::Not, x, i, rest)));
        }
        self.signed(i, level)
    }

    fn unary(&self, op: UnaryOp, x: Expr, start: &'a str, end: &'a str) -> Expr {
        Expr { kind: ExprKind::Unary(op, Box::new(x)), span: self.span(start, end) }
    }

    fn signed(&self, i: &'a str, level: Level) -> Parsed<'a, Expr> {
        let op = match i.chars().next() {
            Some('-') => UnaryOp::Neg,
            Some('+') => UnaryOp::Pos,
            Some('~') => UnaryOp::BitNot,
            _ => return self.power(i, level),
        };
        self.count(i, 1)?;
        let level = self.deeper(i, level)?;
        let (rest, x) = self.signed(self.blank(&i[1..], level), level)?;
        Ok((rest, self.unary(op, x, i, rest)))
    }

    fn power(&self, i: &'a str, level: Level) -> Parsed<'a, Expr> {
        let (rest, base) = self.postfix(i, level)?;
        let Some(after) = rest.strip_prefix("**") else {
            return Ok((rest, base));
        };
        self.count(rest, 1)?;
        let level = self.deeper(rest, level)?;
        let (rest, exponent) = self.signed(self.blank(after, level), level)?;
        let kind = ExprKind::Binary(BinaryOp::Pow, Box::new(base), Box::new(exponent));
        Ok((rest, Expr { kind, span: self.span(i, rest) }))
    }

    /// An atom with calls and attributes behind it.
    fn postfix(&self, start: &'a str, level: Level) -> Parsed<'a, Expr> {
        let (rest, mut expr) = self.atom(start, level)?;
        let mut i = self.blank(rest, level);
        loop {
            if i.starts_with('(') {
                (i, expr) = self.arguments(start, i, level, expr)?;
            } else if let Some(after) = i.strip_prefix('.') {
                (i, expr) = self.attribute(start, self.blank(after, level), level, expr)?;
            } else {
                return Ok((i, expr));
            }
        }
    }

    fn attribute(&self, start: &'a str, i: &'a str, level: Level, of: Expr) -> Parsed<'a, Expr> {
        self.count(i, 1)?;
        let (rest, name) = word(i).map_err(|_| fail(i, "expected `real` or `imag`"))?;
        if !matches!(name, "real" | "imag") {
            return Err(fail(i, "expected `real` or `imag`"));
        }
        let mut call = self.call(name, self.span(start, rest), vec![of]);
        if let ExprKind::Call { method, .. } = &mut call.kind {
            *method = true;
        }
        Ok((self.blank(rest, level), call))
    }

    fn arguments(&self, start: &'a str, open: &'a str, level: Level, callee: Expr) -> Parsed<'a, Expr> {
        let ExprKind::Name(name) = callee.kind else {
            return Err(fail(open, "expected an operator"));
        };
        let inner = Level { inside: true, ..self.deeper(open, level)? };
        let mut i = self.blank(&open[1..], inner);
        let mut args = Vec::new();
        while !i.starts_with(')') {
            self.count(i, 1)?;
            let arg;
            (i, arg) = self.argument(i, inner)?;
            args.push(arg);
            match i.strip_prefix(',') {
                Some(rest) => i = self.blank(rest, inner),
                None if i.starts_with(')') => {}
                None => return Err(fail(i, "expected `,` or `)`")),
            }
        }
        let rest = &i[1..];
        let kind = ExprKind::Call { name, name_span: callee.span, args, method: false };
        Ok((self.blank(rest, level), Expr { kind, span: self.span(start, rest) }))
    }

    fn argument(&self, i: &'a str, level: Level) -> Parsed<'a, Arg> {
        if let Ok((rest, name)) = word(i) {
            let after = self.blank(rest, level);
            if let Some(after) = after.strip_prefix('=').filter(|a| !a.starts_with('=')) {
                let (rest, value) = self.ternary(self.blank(after, level), level)?;
                return Ok((rest, Arg { name: Some((name.into(), self.span(i, rest))), value }));
            }
        }
        let (rest, value) = self.ternary(i, level)?;
        Ok((rest, Arg { name: None, value }))
    }

    fn atom(&self, i: &'a str, level: Level) -> Parsed<'a, Expr> {
        self.count(i, 1)?;
        let (rest, kind) = match i.chars().next() {
            Some('(') => return self.brackets(i, level),
            Some('\'' | '"') => string(i)?,
            Some(c) if c.is_alphabetic() || c == '_' => self.name(i)?,
            Some(c) if c.is_ascii_digit() || c == '.' => number(i)?,
            _ => return Err(fail(i, "expected a number, a name or `(`")),
        };
        Ok((rest, Expr { kind, span: self.span(i, rest) }))
    }

    fn brackets(&self, i: &'a str, level: Level) -> Parsed<'a, Expr> {
        let inner = Level { inside: true, ..level };
        let (rest, mut expr) = self.ternary(self.blank(&i[1..], inner), inner)?;
        let rest = rest.strip_prefix(')').ok_or_else(|| fail(rest, "expected an operator or `)`"))?;
        expr.span = self.span(i, rest);
        Ok((rest, expr))
    }

    fn name(&self, i: &'a str) -> Parsed<'a, ExprKind> {
        let (rest, name) = word(i)?;
        if RESERVED.contains(&name) || (name.starts_with("__") && name.ends_with("__")) {
            return Err(fail(i, "expected a number, a name or `(`"));
        }
        Ok((rest, ExprKind::Name(name.into())))
    }
}

/// A text in quotes, without escapes: numexpr has no use for texts, they only have to be recognised.
fn string(i: &str) -> Parsed<'_, ExprKind> {
    let quote = &i[..1];
    let body = &i[1..];
    let end = body.find(quote).ok_or_else(|| fail(i, format!("expected a closing {quote}")))?;
    if body[..end].contains(['\n', '\\']) {
        return Err(fail(i, "expected a text on one line, without `\\`"));
    }
    Ok((&body[end + 1..], ExprKind::Text(vec![TextPart::Literal(body[..end].into())])))
}

/// How many parts a tree has.
fn parts(expr: &Expr) -> usize {
    let (mut count, mut todo) = (0, vec![expr]);
    while let Some(expr) = todo.pop() {
        count += 1;
        match &expr.kind {
            ExprKind::Unary(_, x) => todo.push(x),
            ExprKind::Binary(_, a, b) => todo.extend([&**a, &**b]),
            ExprKind::Call { args, .. } => todo.extend(args.iter().map(|a| &a.value)),
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(op: BinaryOp) -> &'static str {
        OPERATORS.iter().find(|o| o.1 == op).map_or("**", |o| o.0)
    }

    fn show(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int(v) => v.to_string(),
            ExprKind::Float(v) => format!("{v:?}"),
            ExprKind::Name(n) => n.clone(),
            ExprKind::Unary(op, x) => format!("({op:?} {})", show(x)),
            ExprKind::Binary(op, a, b) => format!("({} {} {})", show(a), sign(*op), show(b)),
            ExprKind::Call { name, args, .. } => {
                format!("{name}({})", args.iter().map(|a| show(&a.value)).collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        }
    }

    fn tree(text: &str) -> String {
        expression(text, Span::default()).map_or_else(|e| format!("error: {}", e.message), |e| show(&e))
    }

    #[test]
    fn operators_bind_as_in_python() {
        assert_eq!(tree("-2**2"), "(Neg (2 ** 2))");
        assert_eq!(tree("2**-t**2"), "(2 ** (Neg (t ** 2)))");
        assert_eq!(tree("1+2*3-4"), "((1 + (2 * 3)) - 4)");
        assert_eq!(tree("t>5 & t<9"), "and((t > (5 & t)), ((5 & t) < 9))");
        assert_eq!(tree("1<<2+3|4^5&6"), "((1 << (2 + 3)) | (4 ^ (5 & 6)))");
        assert_eq!(tree("not a and b or c"), "or(and((Not a), b), c)");
        assert_eq!(tree("a if b else c if d else e"), "if(b, a, if(d, c, e))");
        assert_eq!(tree("1<t<9"), "and((1 < t), (t < 9))");
        assert_eq!(tree("-t//4%3"), "(((Neg t) // 4) % 3)");
        assert_eq!(tree("~t"), "(BitNot t)");
        assert_eq!(tree("where(t>3, 1, 2,)"), "where((t > 3), 1, 2)");
    }

    #[test]
    fn literals_are_pythons() {
        assert_eq!(tree("1_000"), "1000");
        assert_eq!(tree("0x1F"), "31");
        assert_eq!(tree("0b101"), "5");
        assert_eq!(tree("5."), "5.0");
        assert_eq!(tree(".5"), "0.5");
        assert_eq!(tree("1.e3"), "1000.0");
        assert_eq!(tree("1_0.5e-1_0"), "1.05e-9");
        assert_eq!(tree("00"), "0");
        assert_eq!(tree("1if 1 else 2"), "if(1, 1, 2)");
        for bad in ["017", "1__0", "1_", "0b102", "1.5j", "5px", "1e", "0x", "."] {
            assert!(tree(bad).starts_with("error"), "{bad} gives {}", tree(bad));
        }
    }

    #[test]
    fn comments_and_lines_end_where_python_ends_them() {
        assert_eq!(tree("t # the frame"), "t");
        assert_eq!(tree("(t\n + 1 # one\n)"), "(t + 1)");
        assert_eq!(tree("t \\\n+1"), "(t + 1)");
        assert_eq!(tree("t\n"), "t");
        assert!(tree("t\n+1").starts_with("error"));
        assert!(tree(" t").starts_with("error"));
        assert!(tree("t # a;b").starts_with("error"));
    }

    #[test]
    fn errors_say_where() {
        let error = expression("sin(t", Span::new(3, 10, 10)).unwrap_err();
        assert_eq!(error.message, "expected `,` or `)`, found the end");
        assert_eq!(error.span, Span::new(3, 15, 15));
        let error = expression("1 + lambda", Span::new(0, 0, 0)).unwrap_err();
        assert_eq!(error.message, "expected a number, a name or `(`, found `lambda`");
        assert_eq!(error.span, Span::new(0, 4, 10));
        assert_eq!(tree("t×2"), "error: expected an operator or the end, found `×`");
    }

    #[test]
    fn hostile_texts_end_soon() {
        for text in ["(".repeat(100_000), "-".repeat(100_000), "2**".repeat(100_000), "t+".repeat(100_000)] {
            assert!(tree(&text).starts_with("error: expected"), "{}", tree(&text));
        }
        let mut nest = "t".to_owned();
        for _ in 0..40 {
            nest = format!("t<({nest})<t");
        }
        assert!(tree(&nest).contains("at most"), "{}", tree(&nest));
    }
}
