//! What the word under the pointer means.

use serde_json::{Value, json};

use super::context::{context, word_at};
use super::place::Places;
use crate::schedule::functions::{find_function, find_variable};
use crate::schedule::params::{self, Param, find, find_in};

/// Blocks, how they are written and what they hold.
const BLOCKS: [(&str, &str); 4] = [
    ("scene", "scene NAME LENGTH { ... }\n    a part of the film with a clock of its own"),
    ("control", "control NAME { ... }\n    a ControlNet and what it is shown"),
    ("video", "video { ... }\n    size, frames per second and file of the film"),
    ("post", "post { ... }\n    what happens to the frames after they are painted"),
];

/// Type, unit, range, default and help of what stands at the byte `at`.
pub(super) fn hover(text: &str, at: usize, places: &Places<'_>) -> Value {
    let (start, word) = word_at(text, at);
    let end = start + word.len();
    if word.is_empty() || context(text, start).in_text {
        return Value::Null;
    }
    match words(text, start, word) {
        Some(words) => json!({
            "contents": {"kind": "markdown", "value": format!("```text\n{}\n```", words.trim_end())},
            "range": places.range(start, end),
        }),
        None => Value::Null,
    }
}

fn words(text: &str, start: usize, word: &str) -> Option<String> {
    let context = context(text, start);
    let after = text[start + word.len()..].trim_start();
    let param = |name: &str| find_in(context.place(), name).or_else(|| find(name));
    if text[..start].ends_with('~') {
        return Some(format!("~{word}\n    how the value gets to this key from the one before"));
    }
    let is_assigned = after.starts_with('=') && !after.starts_with("==");
    if is_assigned && context.call.is_none() {
        return param(word).map(params::text);
    }
    let of_setting = context.setting.and_then(param);
    if let Some(call) = context.call
        && let Some(words) = of_setting.and_then(|param| argument(param, call, word))
    {
        return Some(words);
    }
    if let Some(words) = of_setting.and_then(|param| choice(param, word)) {
        return Some(words);
    }
    let function = find_function(word).map(|found| format!("{}\n    {}", found.signature(), found.help));
    let variable = find_variable(word).map(|found| format!("{}\n    {}", found.name, found.help));
    let block = BLOCKS.iter().find(|(name, _)| *name == word).map(|(_, words)| (*words).to_owned());
    let number = || of_setting.filter(|_| word.starts_with(|c: char| c.is_ascii_digit())).map(params::text);
    function.or(variable).or(block).or_else(number).or_else(|| param(word).map(params::text))
}

/// An argument of one of the parameter's calls.
fn argument(param: &Param, call: &str, word: &str) -> Option<String> {
    let call = param.calls.iter().find(|known| known.name == call)?;
    let arg = call.args.iter().find(|arg| arg.name == word)?;
    let range = params::range(arg.possible);
    let default = arg.default.map_or("it must be given".to_owned(), |default| format!("default {default}"));
    Some(
        [call.signature(), format!("    {}: {}", arg.name, arg.help), format!("    {default}"), range]
            .join("\n"),
    )
}

/// A call or word that the parameter can be set to.
fn choice(param: &Param, word: &str) -> Option<String> {
    if let Some(call) = param.calls.iter().find(|call| call.name == word) {
        return Some(format!("{}\n    {}", call.signature(), call.help));
    }
    let choice = param.choices().iter().find(|choice| choice.name == word)?;
    let also = choice.aliases.join(", ");
    let also = if also.is_empty() { String::new() } else { format!("\n    also {also}") };
    Some(format!("{}{also}\n    for `{}`: {}", choice.name, param.name, param.help))
}
