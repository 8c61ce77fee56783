//! What a file is, by its content.

use std::path::Path;

use serde_json::{Map, Value};

use super::Kind;
use crate::error::{Error, Result};
use crate::infotext::{self, Container, Found};
use crate::schedule::deforum::settings::{MAX_FILE, Settings, relaxed};

/// The kind of a file and its text.
pub(super) fn open(path: &Path, bytes: &[u8], kind: Option<Kind>) -> Result<(Kind, String)> {
    if bytes.len() > MAX_FILE {
        let message = format!("expected a file of at most {MAX_FILE} bytes, found {}", bytes.len());
        return Err(Error::input(path, message));
    }
    if let Some(container) = Container::of(bytes) {
        return match kind {
            None | Some(Kind::A1111) => Ok((Kind::A1111, parameters(path, bytes)?)),
            Some(_) => Err(Error::input(
                path,
                format!("expected a settings file, found a {} picture", container.name()),
            )
            .with_hint("pictures of the web UI are read with `--from a1111`")),
        };
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Error::input(path, format!("expected UTF-8 text or a picture, found another byte at position {at}"))
            .with_hint("save the file as UTF-8")
    })?;
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let kind = kind.map_or_else(|| recognised(path, &text), Ok)?;
    Ok((kind, text))
}

fn recognised(path: &Path, text: &str) -> Result<Kind> {
    match text.trim_start().chars().next() {
        Some('{') => of_object(path, text),
        Some('[') => Err(unknown(path, "a JSON list")),
        None => Err(unknown(path, "an empty file")),
        Some(_) if super::a1111::looks_like(text) => Ok(Kind::A1111),
        Some(_) => {
            let first = super::print::in_one_line(text.trim_start().lines().next().unwrap_or_default(), 40);
            Err(unknown(path, &format!("a text that begins `{first}`")))
        }
    }
}

fn of_object(path: &Path, text: &str) -> Result<Kind> {
    let strict = relaxed(text).map_err(|error| Error::input(path, error.message))?;
    let object: Map<String, Value> = serde_json::from_str(&strict).map_err(|error| {
        Error::input(path, format!("expected JSON: {error}"))
            .with_hint("check the quotes, commas and brackets at that line and column")
    })?;
    if ["rendered_frames", "keyframes", "managedFields"].iter().any(|key| object.contains_key(*key)) {
        return Ok(Kind::Parseq);
    }
    let defaults = Settings::defaults();
    let old = ["prompts", "animation_prompts", "flip_2d_perspective", "use_zoe_depth"];
    let known =
        object.keys().filter(|key| defaults.get(key).is_some() || old.contains(&key.as_str())).count();
    if known >= 3 || (known > 0 && known * 2 >= object.len()) {
        return Ok(Kind::Deforum);
    }
    let names: Vec<String> = object.keys().take(6).map(|key| format!("`{key}`")).collect();
    let more = if object.len() > 6 { ", ..." } else { "" };
    let found = match object.len() {
        0 => "an empty JSON object".to_owned(),
        _ => format!("a JSON object with {}{more}", names.join(", ")),
    };
    Err(unknown(path, &found))
}

fn unknown(path: &Path, found: &str) -> Error {
    let message = format!(
        "expected Deforum settings, a Parseq document or parameters of the A1111 web UI, found {found}"
    );
    Error::input(path, message).with_hint("when it is one of them, say which: `--from deforum`")
}

/// The web UI's text in a picture.
fn parameters(path: &Path, bytes: &[u8]) -> Result<String> {
    match infotext::find(bytes) {
        Found::Text(text) => Ok(text),
        Found::Foreign(program) => Err(Error::input(
            path,
            format!("the picture's settings are in {program}'s form, which is not read"),
        )
        .with_hint("kinora reads the text that the A1111 web UI, Forge and kinora itself write")),
        Found::Nothing => Err(Error::input(
            path,
            "expected a picture with a text called `parameters`, found none in this one",
        )
        .with_hint("the web UI writes it when «save text information about generation parameters» is on")),
    }
}
