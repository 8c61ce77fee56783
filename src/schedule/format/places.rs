//! Syntax trees without their places, to compare what two texts mean.

use crate::schedule::expr::{Arg, Expr, ExprKind, TextPart};
use crate::schedule::span::Span;
use crate::schedule::syntax::{Ease, File, Item, Key, Name, Value};

/// The tree with every place set to nothing: equal for texts that differ in blanks and comments alone.
#[must_use]
pub fn without_places(file: &File) -> File {
    let mut file = file.clone();
    if let Some((_, span)) = &mut file.version {
        *span = Span::default();
    }
    items(&mut file.items);
    file
}

fn items(list: &mut [Item]) {
    for item in list {
        match item {
            Item::Setting(setting) => {
                name(&mut setting.name);
                value(&mut setting.value);
            }
            Item::Block(block) => {
                block.span = Span::default();
                name(&mut block.kind);
                block.labels.iter_mut().for_each(expr);
                items(&mut block.items);
            }
            Item::Let(bound) => {
                name(&mut bound.name);
                expr(&mut bound.value);
            }
            Item::Function(function) => {
                name(&mut function.name);
                function.params.iter_mut().for_each(name);
                expr(&mut function.body);
            }
            Item::Use { span, .. } => *span = Span::default(),
        }
    }
}

fn name(name: &mut Name) {
    name.span = Span::default();
}

fn value(value: &mut Value) {
    match value {
        Value::Expr(value) => expr(value),
        Value::Keys(keys) => keys.iter_mut().for_each(key),
    }
}

fn key(key: &mut Key) {
    key.span = Span::default();
    expr(&mut key.time);
    expr(&mut key.value);
    if let Some(written) = &mut key.ease {
        ease(written);
    }
}

fn ease(ease: &mut Ease) {
    ease.span = Span::default();
    name(&mut ease.name);
    ease.args.iter_mut().for_each(arg);
}

fn arg(arg: &mut Arg) {
    if let Some((_, span)) = &mut arg.name {
        *span = Span::default();
    }
    expr(&mut arg.value);
}

fn expr(whole: &mut Expr) {
    whole.span = Span::default();
    match &mut whole.kind {
        ExprKind::Unary(_, x) => expr(x),
        ExprKind::Binary(_, a, b) => {
            expr(a);
            expr(b);
        }
        ExprKind::Call { name_span, args, .. } => {
            *name_span = Span::default();
            args.iter_mut().for_each(arg);
        }
        ExprKind::List(list) => list.iter_mut().for_each(expr),
        ExprKind::Text(parts) => parts.iter_mut().for_each(|part| {
            if let TextPart::Hole(hole) = part {
                expr(hole);
            }
        }),
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Quantity { .. }
        | ExprKind::Size(..)
        | ExprKind::Name(_)
        | ExprKind::Series(_)
        | ExprKind::Frames(_) => {}
    }
}
