//! Expressions, numbers and strings as the language writes them.

use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::span::Span;

/// How tightly an expression binds, as in `grammar/schedule.ebnf`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Comparison,
    Either,
    Both,
    Shift,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// The text of an expression; `None` for what the language cannot say (`^`, strings, lists).
pub(super) fn expression(expr: &Expr) -> Option<String> {
    let mut out = String::new();
    write(expr, Level::Or, &mut out)?;
    Some(out)
}

fn write(expr: &Expr, at_least: Level, out: &mut String) -> Option<()> {
    let brackets = level(expr)? < at_least;
    if brackets {
        out.push('(');
    }
    match &expr.kind {
        ExprKind::Int(value) => out.push_str(&value.to_string()),
        ExprKind::Float(value) if value.is_finite() => out.push_str(&format!("{value:?}")),
        ExprKind::Name(name) => out.push_str(name),
        ExprKind::Unary(op, x) => {
            let (sign, inner) = match op {
                UnaryOp::Neg => ("-", Level::Sign),
                UnaryOp::Pos => ("+", Level::Sign),
                UnaryOp::BitNot => ("~", Level::Sign),
                UnaryOp::Not => ("not ", Level::Not),
            };
            out.push_str(sign);
            write(x, inner, out)?;
        }
        ExprKind::Binary(op, a, b) => {
            let (sign, own, left, right) = operator(*op)?;
            let _ = own;
            write(a, left, out)?;
            // A power is one thing to the eye.
            if *op == BinaryOp::Pow {
                out.push_str("**");
            } else {
                out.push(' ');
                out.push_str(sign);
                out.push(' ');
            }
            write(b, right, out)?;
        }
        ExprKind::Call { name, args, method: false, .. } => call(name, args, out)?,
        _ => return None,
    }
    if brackets {
        out.push(')');
    }
    Some(())
}

/// `and(a, b)`, `or(a, b)` and `not(a)` are what the reader of Python makes of the words.
fn call(name: &str, args: &[Arg], out: &mut String) -> Option<()> {
    if let ("and" | "or", [a, b]) = (name, args) {
        let (left, right) = if name == "and" { (Level::And, Level::Not) } else { (Level::Or, Level::And) };
        write(&a.value, left, out)?;
        out.push_str(if name == "and" { " and " } else { " or " });
        return write(&b.value, right, out);
    }
    out.push_str(name);
    out.push('(');
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        if let Some((name, _)) = &arg.name {
            out.push_str(name);
            out.push('=');
        }
        write(&arg.value, Level::Or, out)?;
    }
    out.push(')');
    Some(())
}

fn level(expr: &Expr) -> Option<Level> {
    Some(match &expr.kind {
        ExprKind::Unary(UnaryOp::Not, _) => Level::Not,
        ExprKind::Unary(..) => Level::Sign,
        ExprKind::Int(value) if *value < 0 => Level::Sign,
        ExprKind::Float(value) if value.is_sign_negative() => Level::Sign,
        ExprKind::Binary(op, ..) => operator(*op)?.1,
        ExprKind::Call { name, args, .. } if args.len() == 2 && name == "and" => Level::And,
        ExprKind::Call { name, args, .. } if args.len() == 2 && name == "or" => Level::Or,
        _ => Level::Atom,
    })
}

/// An operator's sign, its level, and the least levels of its two sides.
fn operator(op: BinaryOp) -> Option<(&'static str, Level, Level, Level)> {
    let left = |sign, own, next| Some((sign, own, own, next));
    match op {
        BinaryOp::Or => left("|", Level::Either, Level::Both),
        BinaryOp::And => left("&", Level::Both, Level::Shift),
        BinaryOp::Shl => left("<<", Level::Shift, Level::Sum),
        BinaryOp::Shr => left(">>", Level::Shift, Level::Sum),
        BinaryOp::Add => left("+", Level::Sum, Level::Product),
        BinaryOp::Sub => left("-", Level::Sum, Level::Product),
        BinaryOp::Mul => left("*", Level::Product, Level::Sign),
        BinaryOp::Div => left("/", Level::Product, Level::Sign),
        BinaryOp::FloorDiv => left("//", Level::Product, Level::Sign),
        BinaryOp::Rem => left("%", Level::Product, Level::Sign),
        BinaryOp::Pow => Some(("**", Level::Power, Level::Atom, Level::Sign)),
        BinaryOp::Xor => None,
        compare => {
            let sign = match compare {
                BinaryOp::Lt => "<",
                BinaryOp::Le => "<=",
                BinaryOp::Gt => ">",
                BinaryOp::Ge => ">=",
                BinaryOp::Eq => "==",
                _ => "!=",
            };
            Some((sign, Level::Comparison, Level::Either, Level::Either))
        }
    }
}

/// An expression that stands nowhere.
pub(super) fn made(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

/// A finite number as short as it can be said: at most 12 digits, which is a hundred times closer than
/// the 1e-9 that an import must keep.
pub(super) fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.11e}").parse().unwrap_or(value);
    let close = (rounded - value).abs() <= 1e-11 * value.abs();
    let value: f64 = if close { rounded } else { value };
    if value == 0.0 {
        return "0".to_owned();
    }
    let plain = format!("{value}");
    if plain.len() <= 24 { plain } else { format!("{value:e}") }
}

/// A string of one line.
pub(super) fn string(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The text between the quotes of a string. A backslash stands for itself unless what follows would make
/// an escape of it: prompts have `\(`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '$' if chars.peek() == Some(&'{') => out.push_str("\\$"),
            '\\' => {
                let next = chars.peek();
                let escapes =
                    next.is_none_or(|next| matches!(next, 'n' | 't' | '"' | '\'' | '\\' | '$' | '\n' | '\t'));
                out.push_str(if escapes { "\\\\" } else { "\\" });
            }
            c => out.push(c),
        }
    }
    out
}

/// Text in one line for a comment or a message, shortened in the middle of what is too long to read.
pub(super) fn in_one_line(text: &str, most: usize) -> String {
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat: String = flat.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() <= most {
        return flat;
    }
    let kept: String = flat.chars().take(most.saturating_sub(4)).collect();
    format!("{} ...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::deforum::python;

    fn printed(text: &str) -> Option<String> {
        expression(&python::expression(text, Span::default()).unwrap())
    }

    #[test]
    fn brackets_are_written_only_where_they_matter() {
        for (text, expected) in [
            ("((1.0025)+(0.002*sin((1.25*3.14)*t/30)))", "1.0025 + 0.002 * sin(1.25 * 3.14 * t / 30)"),
            ("10-(3-2)", "10 - (3 - 2)"),
            ("(-2)**2 + -2**2", "(-2)**2 + -2**2"),
            ("2**(-t)", "2**-t"),
            ("(a**b)**c", "(a**b)**c"),
            ("a**(b**c)", "a**b**c"),
            ("(t>5)*2", "(t > 5) * 2"),
            ("((t>5) & (t<9)) | (t==2)", "(t > 5) & (t < 9) | (t == 2)"),
            ("5.", "5.0"),
            ("1e-9*t", "1e-9 * t"),
        ] {
            assert_eq!(printed(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(printed("t^2"), None);
    }

    #[test]
    fn numbers_are_short_and_close() {
        for (value, expected) in [
            (0.1 + 0.2, "0.3"),
            (1.0, "1"),
            (-0.0, "0"),
            (1.0 / 3.0, "0.333333333333"),
            (1e-12, "0.000000000001"),
            (1e300, "1e300"),
            (4_294_967_295.0, "4294967295"),
        ] {
            assert_eq!(number(value), expected);
            let read: f64 = number(value).parse().unwrap();
            assert!((read - value).abs() <= 1e-11 * value.abs());
        }
    }

    #[test]
    fn strings_are_read_back_as_they_were() {
        for text in ["a \\(b\\) \"c\"", "end\\", "\\n is not\na line", "costs ${5} or $5", "tab\there\\\\"] {
            let film = format!("kinora 1\nframes = 1\nprompt = {}\n", string(text));
            let (film, _) = crate::schedule::read("film.kin", &film).unwrap();
            let timeline = crate::timeline::Timeline::new(&film, &Default::default()).unwrap();
            assert_eq!(timeline.at(0).unwrap().prompt, text);
        }
    }
}
