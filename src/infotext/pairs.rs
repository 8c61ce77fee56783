//! The line of `Name: value` pairs.

/// A value as it stands in the line: in JSON's quotes where it could be misread bare.
///
/// The web UI quotes values with a comma, a colon or a line break. Here values that begin with a quote or with
/// blanks at an end are quoted too: bare, the web UI would read another value than was written.
pub fn quoted(value: &str) -> String {
    let misread = value.contains([',', ':', '\n', '\r', '\0'])
        || value.starts_with(['"', '[', '{'])
        || value.trim() != value
        || value.is_empty();
    match misread {
        true => serde_json::Value::from(value).to_string(),
        false => value.to_owned(),
    }
}

/// `Name: value, Name: "value, with commas"`.
pub fn written_pairs(pairs: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| match name == value {
        true => name.clone(),
        false => format!("{name}: {}", quoted(value)),
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// Reads what [`written_pairs`] writes, and what the web UI, Forge and their extensions write: values in JSON's
/// quotes, in JSON's brackets, or bare up to the next comma. A name without a colon has itself as its value.
pub fn read_pairs(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (head, after) = match rest.split_once(':') {
            Some((head, after)) => (head, Some(after)),
            None => (rest, None),
        };
        // What stands before a comma in front of the colon are names of their own.
        let mut names: Vec<&str> = head.split(',').map(str::trim).collect();
        let name = if after.is_some() { names.pop().unwrap_or_default() } else { "" };
        let flags = names.into_iter().filter(|name| !name.is_empty());
        found.extend(flags.map(|flag| (flag.to_owned(), flag.to_owned())));
        let Some(after) = after else { break };
        let (value, next) = value(after.trim_start());
        if !name.is_empty() {
            found.push((name.to_owned(), value));
        }
        rest = next.trim_start();
    }
    found
}

/// The value at the start of a text, and what stands behind its comma.
fn value(text: &str) -> (String, &str) {
    if let Some(found) = json(text) {
        return found;
    }
    if let Some(inside) = text.strip_prefix('"') {
        // Quotes of old versions, which escaped nothing but quotes.
        let end = closing(inside);
        let rest = inside.get(end + 1..).unwrap_or_default().trim_start();
        if let Some(rest) = behind(rest) {
            return (inside[..end].replace("\\\"", "\""), rest);
        }
    }
    let (value, next) = text.split_once(',').unwrap_or((text, ""));
    (value.trim().to_owned(), next)
}

/// A string, list or object in JSON, where it is the whole value. Lists and objects are kept as written.
fn json(text: &str) -> Option<(String, &str)> {
    if !text.starts_with(['"', '[', '{']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let value = values.next()?.ok()?;
    let end = values.byte_offset();
    let rest = behind(text[end..].trim_start())?;
    match value {
        serde_json::Value::String(value) => Some((value, rest)),
        _ => Some((text[..end].to_owned(), rest)),
    }
}

/// What stands behind the comma that must come now; nothing at the end of the line.
fn behind(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(',') }
}

/// Where the quote that is not escaped stands.
fn closing(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if c == '"' && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    inside.len()
}
