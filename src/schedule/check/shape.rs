//! What can be said of an expression without computing it: how large it is, whether it differs in time.

use crate::schedule::expr::{Expr, ExprKind, TextPart};
use crate::schedule::functions::find_variable;
use crate::schedule::sounds;

/// Nodes of a tree.
pub(super) fn size(expr: &Expr) -> usize {
    1 + match &expr.kind {
        ExprKind::Unary(_, x) => size(x),
        ExprKind::Binary(_, a, b) => size(a) + size(b),
        ExprKind::List(items) => items.iter().map(size).sum(),
        ExprKind::Call { args, .. } => args.iter().map(|arg| size(&arg.value)).sum(),
        ExprKind::Series(call) => call.at.as_ref().map_or(0, size),
        ExprKind::Text(parts) => parts
            .iter()
            .map(|part| match part {
                TextPart::Literal(_) => 0,
                TextPart::Hole(expr) => size(expr),
            })
            .sum(),
        _ => 0,
    }
}

/// Whether the value differs from frame to frame.
pub(super) fn changes(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(name) => find_variable(name).is_some_and(|variable| variable.changes),
        ExprKind::Unary(_, x) => changes(x),
        ExprKind::Binary(_, a, b) => changes(a) || changes(b),
        ExprKind::List(items) => items.iter().any(changes),
        ExprKind::Call { args, .. } => match sounds::of(expr) {
            Some(sound) => sound.gives != sounds::Gives::Number,
            None => args.iter().any(|arg| changes(&arg.value)),
        },
        ExprKind::Series(call) => call.at.as_ref().is_none_or(changes),
        ExprKind::Text(parts) => {
            parts.iter().any(|part| matches!(part, TextPart::Hole(expr) if changes(expr)))
        }
        _ => false,
    }
}
