//! The table as text for the terminal and as Markdown for the manual.

use std::fmt::Write as _;

use super::{Kind, Measure, Param};

/// A parameter for the terminal, several lines.
pub fn text(param: &Param) -> String {
    let mut out = format!("{}  {}\n    {}\n", param.name, kind(param), param.help);
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "    {name:<11}{value}");
        }
    };
    line("default", param.default.to_owned());
    line("range", range(param.possible));
    line("usual", if param.usual == param.possible { String::new() } else { range(param.usual) });
    line("also", param.aliases.join(", "));
    line("stands in", param.places.names().join(", "));
    for call in param.calls {
        line("", format!("{}  {}", call.signature(), call.help));
    }
    out
}

/// All the given parameters as a JSON array.
pub fn json<'a>(params: impl IntoIterator<Item = &'a Param>) -> String {
    let limits = |(least, most): (f64, f64)| {
        let bound = |limit: f64| limit.is_finite().then_some(limit);
        serde_json::json!([bound(least), bound(most)])
    };
    let record = |param: &Param| {
        let choices: Vec<&str> = param.choices().iter().map(|choice| choice.name).collect();
        let call = |call: &super::CallSpec| serde_json::json!({"form": call.signature(), "help": call.help});
        serde_json::json!({
            "name": param.name,
            "aliases": param.aliases,
            "type": kind(param).trim_end_matches(", keys"),
            "choices": choices,
            "calls": param.calls.iter().map(call).collect::<Vec<_>>(),
            "keys": param.keyed,
            "default": param.default,
            "possible": limits(param.possible),
            "usual": limits(param.usual),
            "stands_in": param.places.names(),
            "help": param.help,
        })
    };
    let records: Vec<serde_json::Value> = params.into_iter().map(record).collect();
    format!("{:#}\n", serde_json::Value::Array(records))
}

/// All the given parameters as a Markdown table.
pub fn markdown<'a>(params: impl IntoIterator<Item = &'a Param>) -> String {
    let mut out = "| Name | Type | Default | Range | Where | What it does | Deforum's name |\n".to_owned();
    out.push_str("|---|---|---|---|---|---|---|\n");
    for param in params {
        let default = if param.default.is_empty() { String::new() } else { format!("`{}`", param.default) };
        let calls: Vec<String> =
            param.calls.iter().map(|call| format!(" `{}`: {}.", call.signature(), call.help)).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {default} | {} | {} | {}{} | {} |",
            param.name,
            kind(param),
            range(param.possible),
            param.places.names().join(", "),
            param.help,
            calls.concat(),
            param.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>().join(", "),
        );
    }
    out
}

/// The type in words.
fn kind(param: &Param) -> String {
    let words = match param.kind {
        Kind::Number(Measure::Factor) => "factor per frame, or `x/s`".to_owned(),
        Kind::Number(Measure::Turn) => "degrees per frame, or `deg/s`".to_owned(),
        Kind::Number(Measure::Angle) => "degrees".to_owned(),
        Kind::Number(Measure::Shift) => "pixels per frame, or `px/s`".to_owned(),
        Kind::Number(Measure::Time) => "frames, or a time".to_owned(),
        Kind::Number(Measure::Rate) => "per second".to_owned(),
        Kind::Number(Measure::Frequency) => "frequency".to_owned(),
        Kind::Number(Measure::Plain) => "number".to_owned(),
        Kind::Vector => "`[x, y, z]`".to_owned(),
        Kind::Integer => "whole number".to_owned(),
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::Choice(choices) => {
            let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
            super::super::names::alternatives(&names)
        }
        Kind::Text => "text".to_owned(),
        Kind::File => "file".to_owned(),
        Kind::Size => "size".to_owned(),
        Kind::Call => "call".to_owned(),
    };
    if param.keyed { words + ", keys" } else { words }
}

/// `0 to 1`, `at least 1`, or nothing.
pub(crate) fn range(limits: (f64, f64)) -> String {
    match (limits.0.is_finite(), limits.1.is_finite()) {
        (true, true) => format!("{} to {}", limits.0, limits.1),
        (true, false) => format!("at least {}", limits.0),
        (false, true) => format!("at most {}", limits.1),
        (false, false) => String::new(),
    }
}
