//! Expressions in one line: one blank around operators (none around `**` and between whole numbers that
//! are divided, `24000/1001`), none within brackets, one behind a comma. Brackets stay, needed or not.

use super::Formatter;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::span::Span;
use crate::schedule::syntax::Ease;

impl Formatter<'_> {
    pub fn slice(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// `expr` with the brackets around it. There must be no comment in it.
    pub fn expr(&self, expr: &Expr) -> String {
        let brackets = self.brackets(expr);
        let inner = self.bare(expr, brackets);
        format!("{}{inner}{}", "(".repeat(brackets), ")".repeat(brackets))
    }

    /// How many brackets stand around the whole expression.
    pub fn brackets(&self, expr: &Expr) -> usize {
        let first = match &expr.kind {
            ExprKind::Binary(_, a, _) => a.span.start,
            ExprKind::Call { args, method: true, .. } => {
                args.first().map_or(expr.span.start, |receiver| receiver.value.span.start)
            }
            _ => expr.span.end,
        };
        let before = &self.text[expr.span.start as usize..first as usize];
        before.chars().take_while(|c| *c == '(' || c.is_whitespace()).filter(|c| *c == '(').count()
    }

    /// `expr` without the `brackets` around it.
    fn bare(&self, expr: &Expr, brackets: usize) -> String {
        match &expr.kind {
            ExprKind::Unary(op, x) => {
                let sign = match op {
                    UnaryOp::Neg => "-",
                    UnaryOp::Pos => "+",
                    UnaryOp::Not if self.inner(expr, brackets).starts_with('~') => "~",
                    UnaryOp::Not => "not ",
                    UnaryOp::BitNot => "~",
                };
                format!("{sign}{}", self.expr(x))
            }
            ExprKind::Binary(op, a, b) => {
                let between = &self.text[a.span.end as usize..b.span.start as usize];
                let whole = |x: &Expr| matches!(x.kind, ExprKind::Int(_)) && self.brackets(x) == 0;
                let tight = *op == BinaryOp::Pow || (*op == BinaryOp::Div && whole(a) && whole(b));
                let space = if tight { "" } else { " " };
                format!("{}{space}{}{space}{}", self.expr(a), between.trim(), self.expr(b))
            }
            ExprKind::Call { name, args, method: true, .. } => match args.split_first() {
                Some((receiver, args)) => {
                    format!("{}.{name}{}", self.expr(&receiver.value), self.args(args))
                }
                None => self.inner(expr, brackets).to_owned(),
            },
            ExprKind::Call { name, args, .. } => format!("{name}{}", self.args(args)),
            ExprKind::List(list) => {
                let list: Vec<String> = list.iter().map(|x| self.expr(x)).collect();
                format!("[{}]", list.join(", "))
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Quantity { .. }
            | ExprKind::Size(..)
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            // Never written: the checker and the timeline make them.
            | ExprKind::Series(_)
            | ExprKind::Frames(_) => self.inner(expr, brackets).to_owned(),
        }
    }

    /// What stands within the brackets, as written.
    fn inner(&self, expr: &Expr, brackets: usize) -> &str {
        let mut inner = self.slice(expr.span);
        for _ in 0..brackets {
            inner = inner.trim_start().trim_end();
            inner = inner.strip_prefix('(').unwrap_or(inner);
            inner = inner.strip_suffix(')').unwrap_or(inner);
        }
        inner.trim()
    }

    fn args(&self, args: &[Arg]) -> String {
        let args: Vec<String> = args
            .iter()
            .map(|arg| match &arg.name {
                Some((name, _)) => format!("{name}={}", self.expr(&arg.value)),
                None => self.expr(&arg.value),
            })
            .collect();
        format!("({})", args.join(", "))
    }

    /// `~name(args)`; brackets without anything in them stay.
    pub fn ease(&self, ease: &Ease) -> String {
        let called = ease.name.span.end < ease.span.end;
        let args = if called { self.args(&ease.args) } else { String::new() };
        format!("~{}{args}", ease.name.text)
    }
}
