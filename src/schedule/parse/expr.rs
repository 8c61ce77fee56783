//! Expressions. Precedence is Python's, which is also that of Deforum's evaluator, so a Deforum
//! string means here what it means there.

use super::fault::Fault;
use super::{MAX_HEIGHT, Parsed, Parser, blank, sign, word};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};

/// Binding strengths, loosest first.
mod level {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const COMPARE: u8 = 4;
    pub const BIT_OR: u8 = 5;
    pub const BIT_AND: u8 = 7;
    pub const SHIFT: u8 = 8;
    pub const SUM: u8 = 9;
    pub const PRODUCT: u8 = 10;
    pub const SIGN: u8 = 11;
    pub const POWER: u8 = 12;
}

/// Operators between two operands; a longer sign stands before its own beginning.
const OPERATORS: &[(&str, BinaryOp, u8)] = &[
    ("**", BinaryOp::Pow, level::POWER),
    ("//", BinaryOp::FloorDiv, level::PRODUCT),
    ("<<", BinaryOp::Shl, level::SHIFT),
    (">>", BinaryOp::Shr, level::SHIFT),
    ("<=", BinaryOp::Le, level::COMPARE),
    (">=", BinaryOp::Ge, level::COMPARE),
    ("==", BinaryOp::Eq, level::COMPARE),
    ("!=", BinaryOp::Ne, level::COMPARE),
    ("<", BinaryOp::Lt, level::COMPARE),
    (">", BinaryOp::Gt, level::COMPARE),
    ("+", BinaryOp::Add, level::SUM),
    ("-", BinaryOp::Sub, level::SUM),
    ("*", BinaryOp::Mul, level::PRODUCT),
    ("/", BinaryOp::Div, level::PRODUCT),
    ("%", BinaryOp::Rem, level::PRODUCT),
    ("&", BinaryOp::And, level::BIT_AND),
    ("|", BinaryOp::Or, level::BIT_OR),
];

/// An expression with the height of its tree.
type Tall = (Expr, usize);

impl<'a> Parser<'a> {
    /// A whole expression.
    pub(super) fn expr(&self, rest: &'a str) -> Parsed<'a, Expr> {
        let (rest, (expr, _)) = self.binary(rest, 0)?;
        Ok((rest, expr))
    }

    /// Operands joined by operators that bind at least as tightly as `least`.
    fn binary(&self, rest: &'a str, least: u8) -> Parsed<'a, Tall> {
        let (mut rest, mut left) = self.unary(rest, least)?;
        let mut compared = false;
        while let Some((after, op, strength)) = self.operator(rest)? {
            if strength < least {
                break;
            }
            if strength == level::COMPARE && compared {
                return self.chained(rest, after);
            }
            compared = strength == level::COMPARE;
            let next = if op == BinaryOp::Pow { level::SIGN } else { strength + 1 };
            let (after, right) = self.bracketed_if(op == BinaryOp::Pow, after, next)?;
            left = self.join(rest, op, left, right)?;
            rest = after;
        }
        Ok((rest, left))
    }

    /// Powers group to the right, so a long chain of them opens as many levels as brackets would.
    fn bracketed_if(&self, deep: bool, rest: &'a str, least: u8) -> Parsed<'a, Tall> {
        if deep { self.bracketed(rest, || self.binary(rest, least)) } else { self.binary(rest, least) }
    }

    fn join(&self, rest: &'a str, op: BinaryOp, left: Tall, right: Tall) -> Result<Tall, nom::Err<Fault>> {
        let span = left.0.span.to(right.0.span);
        let height = left.1.max(right.1) + 1;
        if height > MAX_HEIGHT {
            let message = format!("this expression has more than {MAX_HEIGHT} operators in a row");
            let here = self.token_span(blank(rest));
            return Fault::told(
                rest,
                Diagnostic::error("E07", message, here).hint("name parts of it with `let`"),
            );
        }
        Ok((Expr { kind: ExprKind::Binary(op, Box::new(left.0), Box::new(right.0)), span }, height))
    }

    /// The operator that follows, if one does.
    fn operator(&self, rest: &'a str) -> Result<Option<(&'a str, BinaryOp, u8)>, nom::Err<Fault>> {
        let rest = blank(rest);
        if let Ok((after, found)) = word(rest) {
            return match found {
                "and" => Ok(Some((after, BinaryOp::And, level::AND))),
                "or" => Ok(Some((after, BinaryOp::Or, level::OR))),
                "if" => {
                    self.refuse(rest, 2, "the form `a if c else b` is Python's", "write `where(c, a, b)`")
                }
                _ => Ok(None),
            };
        }
        if rest.starts_with("&&") || rest.starts_with("||") {
            let own = if rest.starts_with('&') { "and" } else { "or" };
            return self.refuse(
                rest,
                2,
                format!("`{}` is not an operator", &rest[..2]),
                format!("write `{own}`"),
            );
        }
        if rest.starts_with('^') {
            let hint = "for a power write `**`";
            return self.refuse(
                rest,
                1,
                "`^` means a power in some programs and exclusive-or in others",
                hint,
            );
        }
        let found = OPERATORS.iter().find(|(text, ..)| rest.starts_with(text));
        Ok(found.map(|(text, op, strength)| (&rest[text.len()..], *op, *strength)))
    }

    fn refuse<T>(
        &self,
        rest: &'a str,
        length: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Result<T, nom::Err<Fault>> {
        Fault::told(rest, Diagnostic::error("E06", message, self.span(rest, &rest[length..])).hint(hint))
    }

    fn chained<T>(&self, rest: &'a str, after: &'a str) -> Result<T, nom::Err<Fault>> {
        let found = Diagnostic::error("E06", "comparisons cannot be chained", self.span(blank(rest), after))
            .hint("put brackets round each comparison and `and` between them");
        Fault::told(rest, found)
    }

    /// Signs and `not` in front of an operand; `not` binds so loosely that it stands only where an
    /// operand of `and` and `or` can.
    fn unary(&self, rest: &'a str, least: u8) -> Parsed<'a, Tall> {
        let rest = blank(rest);
        let Some((after, op, least)) =
            prefix(rest).filter(|(_, _, own)| least < level::COMPARE || *own == level::SIGN)
        else {
            let (rest, expr) = self.postfix(rest)?;
            return Ok((rest, (expr, 1)));
        };
        self.bracketed(rest, || {
            let (after, (operand, height)) = self.binary(after, least)?;
            let span = self.span(rest, &rest[..0]).to(operand.span);
            let expr = Expr { kind: ExprKind::Unary(op, Box::new(operand)), span };
            Ok((after, (expr, height + 1)))
        })
    }

    /// An operand and what hangs on it: `.name(args)`.
    pub(super) fn postfix(&self, start: &'a str) -> Parsed<'a, Expr> {
        let (mut rest, mut expr) = self.atom(start)?;
        let mut links = 0;
        while let Some(after) = rest.strip_prefix('.') {
            let Ok((after, name)) = word(after) else { break };
            links += 1;
            if links > MAX_HEIGHT / 4 {
                let here = self.token_span(rest);
                return Fault::told(rest, Diagnostic::error("E07", "too many calls in a row", here));
            }
            let name_span = self.span(&rest[1..], after);
            if !blank(after).starts_with('(') {
                let found = Diagnostic::error("E01", format!("expected `(` behind `.{name}`"), name_span)
                    .hint("the name of a file stands in quotes");
                return Fault::told(blank(after), found);
            }
            let (end, mut args) = self.arguments(after)?;
            args.insert(0, Arg { name: None, value: expr });
            let span = self.span(start, end);
            expr =
                Expr { kind: ExprKind::Call { name: name.to_owned(), name_span, args, method: true }, span };
            rest = end;
        }
        Ok((rest, expr))
    }

    /// A number, string, list, bracketed expression, call or name.
    fn atom(&self, start: &'a str) -> Parsed<'a, Expr> {
        let second_is_digit = start.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        match start.chars().next() {
            Some(c) if c.is_ascii_digit() || (c == '.' && second_is_digit) => self.number(start),
            Some('"' | '\'') => self.string(start),
            Some('[') => self.bracketed(start, || self.list(start)),
            Some('(') => self.bracketed(start, || self.group(start)),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name_or_call(start),
            _ => Err(nom::Err::Error(Fault::expected(start, "a value"))),
        }
    }

    fn group(&self, start: &'a str) -> Parsed<'a, Expr> {
        let (rest, mut expr) = self.expr(&start[1..])?;
        let rest = self.close(start, rest, ")", "`)`")?;
        expr.span = self.span(start, rest);
        Ok((rest, expr))
    }

    fn list(&self, start: &'a str) -> Parsed<'a, Expr> {
        let mut rest = blank(&start[1..]);
        let mut values = Vec::new();
        while !rest.starts_with(']') {
            let (after, value) = self.expr(rest)?;
            values.push(value);
            match sign(after, ",", "`,`") {
                Ok((after, _)) => rest = blank(after),
                Err(_) => {
                    rest = blank(after);
                    break;
                }
            }
        }
        let rest = self.close(start, rest, "]", "`]`")?;
        Ok((rest, Expr { kind: ExprKind::List(values), span: self.span(start, rest) }))
    }

    fn name_or_call(&self, start: &'a str) -> Parsed<'a, Expr> {
        let (rest, name) = word(start)?;
        // A line that begins like a statement is one: the value before it is missing.
        if self.begins_line(start) && super::recover::begins_statement(start) {
            return Err(nom::Err::Error(self.missing_value(start)));
        }
        if matches!(name, "and" | "or" | "not") {
            return Err(nom::Err::Error(Fault::expected(start, "a value")));
        }
        let name_span = self.span(start, rest);
        // Blanks, but no line break, may stand before the bracket: `sin (t)`.
        if !rest.trim_start_matches([' ', '\t']).starts_with('(') {
            return Ok((rest, Expr { kind: ExprKind::Name(name.to_owned()), span: name_span }));
        }
        let (rest, args) = self.arguments(rest)?;
        let kind = ExprKind::Call { name: name.to_owned(), name_span, args, method: false };
        Ok((rest, Expr { kind, span: self.span(start, rest) }))
    }

    /// The line before `next` ends where a value should stand.
    fn missing_value(&self, next: &'a str) -> Fault {
        let before = &self.text[..self.at(next) as usize];
        let code = before.lines().rev().map(without_comment).find(|line| !line.is_empty()).unwrap_or(before);
        let last = code.char_indices().next_back().map_or(code, |(at, _)| &code[at..]);
        let span = self.span(last, &code[code.len()..]);
        let found = Diagnostic::error("E01", "expected a value behind this, found the next statement", span);
        Fault { left: next.len(), expected: Vec::new(), told: Some(Box::new(found)) }
    }

    /// `(a, name=b)`
    pub(super) fn arguments(&self, rest: &'a str) -> Parsed<'a, Vec<Arg>> {
        let open = blank(rest);
        let (after, _) = sign(open, "(", "`(`")?;
        self.bracketed(open, || {
            let mut rest = blank(after);
            let mut args = Vec::new();
            while !rest.starts_with(')') {
                let (after, arg) = self.argument(rest)?;
                args.push(arg);
                match sign(after, ",", "`,`") {
                    Ok((after, _)) => rest = blank(after),
                    Err(_) => {
                        rest = blank(after);
                        break;
                    }
                }
            }
            let rest = self.close(open, rest, ")", "`,` or `)`")?;
            Ok((rest, args))
        })
    }

    fn argument(&self, rest: &'a str) -> Parsed<'a, Arg> {
        if let Ok((after, name)) = self.name(rest)
            && let Ok((value_at, _)) = sign(after, "=", "`=`")
            && !value_at.starts_with('=')
        {
            let (after, value) = self.expr(value_at)?;
            return Ok((after, Arg { name: Some((name.text, name.span)), value }));
        }
        let (after, value) = self.expr(rest)?;
        Ok((after, Arg { name: None, value }))
    }

    /// The bracket that closes the one at `open`.
    fn close(
        &self,
        open: &'a str,
        rest: &'a str,
        bracket: &'static str,
        shown: &'static str,
    ) -> Result<&'a str, nom::Err<Fault>> {
        let rest = blank(rest);
        if let Some(after) = rest.strip_prefix(bracket) {
            return Ok(after);
        }
        let opened = self.span(open, &open[1..]);
        let found = Diagnostic::error("E03", "this bracket is not closed", opened)
            .also(self.token_span(rest), format!("expected {shown} here"));
        Fault::told(rest, found)
    }
}

/// A line without its comment and the blanks before it; a `#` in quotes begins none.
fn without_comment(line: &str) -> &str {
    let mut quotes = 0;
    let end = line.find(|c: char| {
        quotes += usize::from(c == '"');
        c == '#' && quotes % 2 == 0
    });
    line[..end.unwrap_or(line.len())].trim_end()
}

/// A sign or `not` in front of an operand, and how tightly it binds.
fn prefix(rest: &str) -> Option<(&str, UnaryOp, u8)> {
    match rest.as_bytes().first()? {
        b'-' => Some((&rest[1..], UnaryOp::Neg, level::SIGN)),
        b'+' => Some((&rest[1..], UnaryOp::Pos, level::SIGN)),
        b'~' => Some((&rest[1..], UnaryOp::Not, level::SIGN)),
        _ => match word(rest) {
            Ok((after, "not")) => Some((after, UnaryOp::Not, level::COMPARE)),
            _ => None,
        },
    }
}
