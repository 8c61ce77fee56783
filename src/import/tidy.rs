//! Leaves out of an expression what changes nothing: `x**1`, `x + 0`, `1 * x`, brackets in a sum.

use crate::schedule::expr::{BinaryOp, Expr, ExprKind, UnaryOp};

/// The same expression, shorter. Sums and products are grouped to the left, which may change the last
/// bits of the result; whoever uses it compares the values.
pub(super) fn tidy(expr: Expr) -> Expr {
    let kind = match expr.kind {
        ExprKind::Unary(op, x) => ExprKind::Unary(op, Box::new(tidy(*x))),
        ExprKind::Binary(op, a, b) => return binary(op, tidy(*a), tidy(*b), &expr.span),
        ExprKind::Call { name, name_span, mut args, method } => {
            args = args
                .into_iter()
                .map(|mut arg| {
                    arg.value = tidy(arg.value);
                    arg
                })
                .collect();
            ExprKind::Call { name, name_span, args, method }
        }
        other => other,
    };
    Expr { kind, span: expr.span }
}

fn binary(op: BinaryOp, a: Expr, b: Expr, span: &crate::schedule::span::Span) -> Expr {
    let is = |expr: &Expr, value: f64| match expr.kind {
        ExprKind::Int(found) => found as f64 == value,
        ExprKind::Float(found) => found == value,
        _ => false,
    };
    let made = |op, a, b| Expr { kind: ExprKind::Binary(op, Box::new(a), Box::new(b)), span: *span };
    match op {
        BinaryOp::Pow if is(&b, 1.0) => a,
        BinaryOp::Add | BinaryOp::Sub if is(&b, 0.0) => a,
        BinaryOp::Add if is(&a, 0.0) => b,
        BinaryOp::Mul | BinaryOp::Div if is(&b, 1.0) => a,
        BinaryOp::Mul if is(&a, 1.0) => b,
        BinaryOp::Add => match b.kind {
            ExprKind::Unary(UnaryOp::Neg, x) => made(BinaryOp::Sub, a, *x),
            // a + (b + c), a + -b * c
            ExprKind::Binary(inner @ (BinaryOp::Add | BinaryOp::Sub), x, y) => {
                let first = binary(BinaryOp::Add, a, *x, span);
                made(inner, first, *y)
            }
            ExprKind::Binary(BinaryOp::Mul, x, y) => match x.kind {
                ExprKind::Unary(UnaryOp::Neg, x) => {
                    let product = made(BinaryOp::Mul, *x, *y);
                    made(BinaryOp::Sub, a, product)
                }
                kind => {
                    let product = made(BinaryOp::Mul, Expr { kind, span: *span }, *y);
                    made(BinaryOp::Add, a, product)
                }
            },
            kind => made(BinaryOp::Add, a, Expr { kind, span: *span }),
        },
        BinaryOp::Mul => match b.kind {
            ExprKind::Binary(BinaryOp::Mul, x, y) => {
                let first = binary(BinaryOp::Mul, a, *x, span);
                made(BinaryOp::Mul, first, *y)
            }
            kind => made(BinaryOp::Mul, a, Expr { kind, span: *span }),
        },
        op => made(op, a, b),
    }
}

#[cfg(test)]
mod tests {
    use super::tidy;
    use crate::import::print::expression;
    use crate::schedule::deforum::python;
    use crate::schedule::span::Span;

    #[test]
    fn what_changes_nothing_is_left_out() {
        for (text, expected) in [
            ("(4 * cos((120 / 60* 3.141 * (t + 0) / 12))**1 + 0)", "4 * cos(120 / 60 * 3.141 * t / 12)"),
            (
                "((-0.2+(-3)*(cos(t/35)**4))+((18)*(cos(t)**180)+0))",
                "-0.2 - 3 * cos(t / 35)**4 + 18 * cos(t)**180",
            ),
            ("1*(2*(t*3))", "2 * t * 3"),
            ("t-(1-t)", "t - (1 - t)"),
            ("t/(2*t)", "t / (2 * t)"),
            ("0+(-t)", "-t"),
        ] {
            let expr = python::expression(text, Span::default()).unwrap();
            assert_eq!(expression(&tidy(expr)).as_deref(), Some(expected), "{text}");
        }
    }
}
