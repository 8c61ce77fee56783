//! What is wrong with a text, as the protocol's diagnostics.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::place::Places;
use crate::error::Error;
use crate::schedule::diagnostic::{Diagnostic, Severity};
use crate::schedule::read_all;
use crate::timeline::{Options, Timeline};

/// Films up to this length are computed in every frame at each change; `kinora check` does longer ones.
const MAX_FRAMES: u32 = 5_000;

/// All diagnostics of the film `text`. Places in other files than the film are named in the message.
pub(super) fn diagnose(uri: &str, text: &str, options: &Options) -> Value {
    let path = path(uri);
    let folder = path.parent().unwrap_or(Path::new(""));
    let (film, mut found) = read_all(folder, "film.kin", text);
    if !found.has_errors() {
        match Timeline::new(&film, options) {
            Ok(timeline) => {
                found.list.extend(timeline.warnings().list);
                if timeline.frames() <= MAX_FRAMES {
                    found.list.extend(timeline.check_all_frames().list);
                }
            }
            Err(Error::Schedule(errors)) => found.list.extend(errors.list),
            Err(other) => return json!([plain(&other.to_string())]),
        }
    }
    found.sort();
    let places = Places::new(text);
    found.list.iter().map(|found| one(found, uri, &places)).collect()
}

fn plain(message: &str) -> Value {
    let start = json!({"line": 0, "character": 0});
    json!({"range": {"start": start, "end": start}, "severity": 1, "source": "kinora", "message": message})
}

fn one(found: &Diagnostic, uri: &str, places: &Places<'_>) -> Value {
    let mut message = found.message.clone();
    let lines = found.label.iter().map(|label| label.to_string());
    for line in lines.chain(found.hints.iter().map(|hint| format!("help: {hint}"))) {
        message = message + "\n" + &line;
    }
    let own: Vec<Value> = found
        .labels
        .iter()
        .filter(|label| label.span.source == 0)
        .map(|label| json!({"location": {"uri": uri, "range": places.span(label.span)}, "message": label.text}))
        .collect();
    let range = if found.span.source == 0 { places.span(found.span) } else { places.range(0, 0) };
    json!({
        "range": range,
        "severity": if found.severity == Severity::Error { 1 } else { 2 },
        "code": found.code,
        "source": "kinora",
        "message": message,
        "relatedInformation": own,
    })
}

/// The file of a `file://` URI; other URIs have none, and their films' paths are relative to nothing.
fn path(uri: &str) -> PathBuf {
    let Some(encoded) = uri.strip_prefix("file://") else { return PathBuf::new() };
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let decoded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_decoded() {
        assert_eq!(path("file:///a%20b/c%C3%A9.kin"), Path::new("/a b/cé.kin"));
        assert_eq!(path("file:///50%/x%2"), Path::new("/50%/x%2"));
        assert_eq!(path("untitled:1"), Path::new(""));
    }
}
