//! The ease of a key: its name and its arguments.

use super::unit;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::ease::{FAMILIES, find, names};
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::film::Ease;
use crate::schedule::names::did_you_mean;
use crate::schedule::syntax;

const BEZIER: &str = "cubic-bezier(x1, y1, x2, y2)";
const STEPS: &str = "steps(count, jump-end)";

/// The easing that was written.
pub(super) fn read(ease: &syntax::Ease) -> Result<Ease, Diagnostic> {
    let name = ease.name.text.as_str();
    if let Some(stray) = ease.args.iter().find_map(|arg| arg.name.as_ref()) {
        let wrong = Diagnostic::error("E13", format!("`~{name}` has no argument `{}`", stray.0), stray.1);
        return Err(wrong.hint("the arguments of an ease are numbers in order"));
    }
    match name {
        "cubic-bezier" => bezier(ease),
        "steps" => steps(ease),
        _ => match find(name) {
            Some(found) if ease.args.is_empty() => Ok(found),
            Some(_) => Err(Diagnostic::error("E13", format!("`~{name}` takes no arguments"), ease.span)
                .hint(format!("write `~{name}`"))),
            None => Err(unknown(name, ease)),
        },
    }
}

fn unknown(name: &str, ease: &syntax::Ease) -> Diagnostic {
    let found = Diagnostic::error("E14", format!("unknown ease `~{name}`"), ease.name.span);
    if matches!(name, "hold" | "none" | "constant") {
        return found.hint("`~cut` keeps the earlier value and jumps at the key");
    }
    if FAMILIES.iter().any(|(family, _)| *family == name) {
        return found
            .label(Some("say which end is slow".to_owned()))
            .hint(format!("write `~{name}-in`, `~{name}-out` or `~{name}-in-out`"));
    }
    let all = names();
    let plain: Vec<&str> = all.iter().map(String::as_str).filter(|name| !is_of_family(name)).collect();
    let families: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
    found.label(did_you_mean(name, all.iter().map(String::as_str).chain(["smooth"]))).hint(format!(
        "there are ~{}; and with -in, -out or -in-out: ~{}",
        plain.join(", ~"),
        families.join(", ~")
    ))
}

fn is_of_family(name: &str) -> bool {
    FAMILIES.iter().any(|(family, _)| {
        name.strip_prefix(family).is_some_and(|rest| matches!(rest, "-in" | "-out" | "-in-out"))
    })
}

fn signed(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Unary(UnaryOp::Neg, x) => unit::plain_number(x).map(|value| -value),
        _ => unit::plain_number(expr),
    }
}

fn bezier(ease: &syntax::Ease) -> Result<Ease, Diagnostic> {
    let wrong = |message: &str| {
        Diagnostic::error("E13", message, ease.span)
            .hint(format!("write `~{BEZIER}`, for example `~cubic-bezier(0.2, 0, 0, 1)`"))
    };
    let numbers: Vec<Option<f64>> = ease.args.iter().map(|arg| signed(&arg.value)).collect();
    let [Some(x1), Some(y1), Some(x2), Some(y2)] = numbers.as_slice() else {
        return Err(wrong("`~cubic-bezier` takes four numbers: x1, y1, x2, y2"));
    };
    if ![x1, x2].iter().all(|x| (0.0..=1.0).contains(*x)) {
        return Err(wrong("x1 and x2 of `~cubic-bezier` are from 0 to 1, since they are times"));
    }
    Ok(Ease::Bezier([*x1, *y1, *x2, *y2]))
}

/// `steps(4)`, `steps(4, jump-start)`. CSS Easing Functions Level 1, section 2.3.
fn steps(ease: &syntax::Ease) -> Result<Ease, Diagnostic> {
    let wrong = |message: &str| {
        Diagnostic::error("E13", message, ease.span)
            .hint(format!("write `~{STEPS}`, for example `~steps(4)`"))
            .hint("the second argument is jump-start, jump-end (when left out), jump-none or jump-both")
    };
    let (count, term) = match ease.args.as_slice() {
        [count] => (count, Some((false, true))),
        [count, term] => (count, jump_term(term)),
        _ => return Err(wrong("`~steps` takes a number of steps, and perhaps where it jumps")),
    };
    let count = signed(&count.value).filter(|count| (1.0..=1e6).contains(count) && count.fract() == 0.0);
    let Some(count) = count else {
        return Err(wrong("`~steps` takes a whole number of steps, at least 1"));
    };
    let Some((start, end)) = term else { return Err(wrong("`~steps` does not know this jump")) };
    if !start && !end && count < 2.0 {
        return Err(wrong("`~steps` with jump-none takes at least 2 steps"));
    }
    Ok(Ease::Steps { count: count as u32, start, end })
}

/// Whether it jumps at the start and at the end. The grammar reads `jump-start` as a difference.
fn jump_term(term: &Arg) -> Option<(bool, bool)> {
    let word = match &term.value.kind {
        ExprKind::Name(name) => name.strip_prefix("jump_").unwrap_or(name),
        ExprKind::Binary(BinaryOp::Sub, a, b) => match (&a.kind, &b.kind) {
            (ExprKind::Name(jump), ExprKind::Name(name)) if jump == "jump" => name,
            _ => return None,
        },
        _ => {
            let text = term.value.literal_text()?;
            text.strip_prefix("jump-").unwrap_or(text)
        }
    };
    match word {
        "start" => Some((true, false)),
        "end" => Some((false, true)),
        "none" => Some((false, false)),
        "both" => Some((true, true)),
        _ => None,
    }
}

/// Whether the ease is a function of the time alone: not one that needs other keys or other values.
pub(super) fn is_of_time_alone(ease: Ease) -> bool {
    !matches!(ease, Ease::Blend | Ease::Monotone | Ease::CatmullRom)
}
