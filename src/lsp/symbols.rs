//! The outline: blocks with what they bind.

use serde_json::{Value, json};

use super::place::Places;
use crate::schedule::expr::ExprKind;
use crate::schedule::parse::parse;
use crate::schedule::span::Span;
use crate::schedule::syntax::{Block, Item};

/// The protocol's kinds of symbols.
mod kind {
    pub const NAMESPACE: u8 = 3;
    pub const FUNCTION: u8 = 12;
    pub const VARIABLE: u8 = 13;
    pub const OBJECT: u8 = 19;
}

/// Scenes, controls, other blocks, `let` and `fn`.
pub(super) fn symbols(text: &str, places: &Places<'_>) -> Value {
    list(&parse(0, text).0.items, text, places)
}

fn list(items: &[Item], text: &str, places: &Places<'_>) -> Value {
    items.iter().filter_map(|item| symbol(item, text, places)).collect()
}

fn symbol(item: &Item, text: &str, places: &Places<'_>) -> Option<Value> {
    match item {
        Item::Let(bound) => {
            Some(entry(&bound.name.text, kind::VARIABLE, item.span(), bound.name.span, places))
        }
        Item::Function(function) => {
            let params: Vec<&str> = function.params.iter().map(|param| param.text.as_str()).collect();
            let name = format!("{}({})", function.name.text, params.join(", "));
            Some(entry(&name, kind::FUNCTION, item.span(), function.name.span, places))
        }
        Item::Block(block) => {
            let kind = if block.kind.text == "scene" { kind::NAMESPACE } else { kind::OBJECT };
            let mut symbol = entry(&name(block), kind, block.span, block.head(), places);
            symbol["detail"] = json!(text.get(block.head().start as usize..block.head().end as usize));
            symbol["children"] = list(&block.items, text, places);
            Some(symbol)
        }
        Item::Setting(_) | Item::Use { .. } => None,
    }
}

/// A block's name, or its kind when it has none.
fn name(block: &Block) -> String {
    let label = block.labels.first().and_then(|label| match &label.kind {
        ExprKind::Name(name) => Some(name.clone()),
        _ => label.literal_text().map(str::to_owned),
    });
    label.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| block.kind.text.clone())
}

fn entry(name: &str, kind: u8, whole: Span, own: Span, places: &Places<'_>) -> Value {
    let whole = whole.to(own);
    json!({"name": name, "kind": kind, "range": places.span(whole), "selectionRange": places.span(own)})
}
