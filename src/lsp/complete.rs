//! What can be written at a place.

use serde_json::{Value, json};

use super::context::{Context, context};
use super::place::Places;
use crate::schedule::ease;
use crate::schedule::functions::{FUNCTIONS, VARIABLES};
use crate::schedule::params::{Kind, Param, all, find, find_in, range};
use crate::schedule::parse::{KEYWORDS, parse, rate_names, unit_names};
use crate::schedule::syntax::Item;

/// The protocol's kinds of completions.
mod kind {
    pub const FUNCTION: u8 = 3;
    pub const VARIABLE: u8 = 6;
    pub const CLASS: u8 = 7;
    pub const PROPERTY: u8 = 10;
    pub const UNIT: u8 = 11;
    pub const ENUM_MEMBER: u8 = 20;
    pub const KEYWORD: u8 = 14;
}

/// Blocks that may stand at the top.
const BLOCKS: [&str; 4] = ["scene", "control", "video", "post"];

/// Everything that fits at the byte `at`; the editor picks what begins like what is written.
pub(super) fn complete(text: &str, at: usize, _: &Places<'_>) -> Value {
    let context = context(text, at);
    if context.in_text {
        return json!([]);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%' | '/');
    let start = text[..at]
        .rfind(|c| !is_part(c))
        .map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
    let (before, written) = (&text[..start], &text[start..at]);
    let dashed = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
    if before.ends_with('~') || (before.ends_with('-') && dashed.ends_with('~')) {
        return ease::names().iter().map(|name| item(name, kind::FUNCTION, "ease", "")).collect();
    }
    if written.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        let names: Vec<&str> =
            if written.contains('/') { rate_names().collect() } else { unit_names().collect() };
        return names.iter().map(|name| item(name, kind::UNIT, "unit", "")).collect();
    }
    match context.setting {
        Some(name) => values(text, name, &context),
        None => statements(&context),
    }
}

fn item(label: &str, kind: u8, detail: &str, help: &str) -> Value {
    json!({"label": label, "kind": kind, "detail": detail, "documentation": help})
}

/// Settings and blocks that may begin here.
fn statements(context: &Context<'_>) -> Value {
    let place = context.place();
    let params = all().iter().filter(|param| param.places.has(place));
    let mut found: Vec<Value> = params
        .map(|param| {
            let mut item = item(param.name, kind::PROPERTY, &detail(param), param.help);
            item["insertText"] = json!(format!("{} = ", param.name));
            item
        })
        .collect();
    let blocks: &[&str] = match context.blocks.last() {
        None => &BLOCKS,
        Some(&"scene") => &["control"],
        Some(_) => &[],
    };
    found.extend(blocks.iter().map(|name| item(name, kind::CLASS, "block", "")));
    if context.blocks.len() < 2 {
        let words = KEYWORDS.iter().filter(|word| matches!(**word, "let" | "fn" | "use"));
        found.extend(words.map(|word| item(word, kind::KEYWORD, "statement", "")));
    }
    Value::Array(found)
}

/// Default and range in a few words.
fn detail(param: &Param) -> String {
    let default = if param.default.is_empty() { String::new() } else { format!("default {}", param.default) };
    let range = range(param.possible);
    [default, range].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// What the setting `name` can be set to, and what its expressions can use.
fn values(text: &str, name: &str, context: &Context<'_>) -> Value {
    let mut found = Vec::new();
    if let Some(param) = find_in(context.place(), name).or_else(|| find(name)) {
        let call = param.calls.iter().find(|call| Some(call.name) == context.call);
        if let Some(call) = call {
            return call
                .args
                .iter()
                .map(|arg| item(&format!("{}=", arg.name), kind::PROPERTY, "", arg.help))
                .collect();
        }
        found.extend(
            param.calls.iter().map(|call| item(call.name, kind::FUNCTION, &call.signature(), call.help)),
        );
        found.extend(param.choices().iter().map(|choice| item(choice.name, kind::ENUM_MEMBER, "", "")));
        if param.kind == Kind::Switch {
            found.extend(["true", "false"].map(|word| item(word, kind::ENUM_MEMBER, "", "")));
        }
        let is_computed =
            matches!(param.kind, Kind::Number(_) | Kind::Integer | Kind::Text | Kind::Choice(_));
        if !is_computed || !param.keyed {
            return Value::Array(found);
        }
    }
    found.extend(
        FUNCTIONS.iter().map(|known| item(known.name, kind::FUNCTION, &known.signature(), known.help)),
    );
    found.extend(VARIABLES.iter().map(|known| item(known.name, kind::VARIABLE, "", known.help)));
    bound(&parse(0, text).0.items, &mut found);
    Value::Array(found)
}

/// Names that the film itself binds.
fn bound(items: &[Item], found: &mut Vec<Value>) {
    for known in items {
        match known {
            Item::Let(bound) => found.push(item(&bound.name.text, kind::VARIABLE, "let", "")),
            Item::Function(function) => found.push(item(&function.name.text, kind::FUNCTION, "fn", "")),
            Item::Block(block) => bound(&block.items, found),
            Item::Setting(_) | Item::Use { .. } => {}
        }
    }
}
