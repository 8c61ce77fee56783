//! Tags that name networks inside a prompt: `<lora:name:weight>`, as the web UI reads them.
//!
//! | written | read |
//! |---|---|
//! | `<lora:name>` | weight 1 |
//! | `<lora:name:0.8>` | 0.8 for the UNet and the text encoders |
//! | `<lora:name:0.5:1>` | 0.5 for the text encoders, 1 for the UNet |
//! | `<lora:name:te=0.5:unet=1>` | the same |
//! | `<lyco:name:0.8>` | the same as `lora` |
//!
//! The rules are those of sd-webui 1.10 (`extra_networks.py`, `extra_networks_lora.py`), with two differences: blanks
//! around names and numbers do not count, and what is malformed is an error, while the web UI leaves it in the text.

use std::ops::Range;

/// A LoRA as a prompt names it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraTag {
    /// The file's name, usually without its ending.
    pub name: String,
    /// Weight of the change of the UNet.
    pub unet: f64,
    /// Weight of the change of the text encoders.
    pub text: f64,
}

/// A tag that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagError {
    /// What was expected and found.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The tag's bytes in the prompt.
    pub at: Range<usize>,
}

/// A tag and its bytes in the prompt.
pub type Tag = (Range<usize>, Result<LoraTag, TagError>);

/// Kinds of tags that name LoRAs.
const LORA: [&str; 2] = ["lora", "lyco"];
/// Kinds that the web UI knows and kinora does not.
const REFUSED: [(&str, &str); 1] = [("hypernet", "hypernetworks")];
const FORM: &str = "write `<lora:name:0.8>`, or `<lora:name:0.5:1>` for text encoder and UNet";

/// Takes the tags out of a prompt: the text without them, and what they name in order.
///
/// The text around a tag stays as it is, blanks and commas too, as in the web UI.
///
/// # Errors
/// The first tag that is malformed or of a kind that is not supported.
pub fn split_loras(text: &str) -> Result<(String, Vec<LoraTag>), TagError> {
    let (mut rest, mut from, mut found) = (String::new(), 0, Vec::new());
    for (at, tag) in lora_tags(text) {
        rest.push_str(&text[from..at.start]);
        from = at.end;
        found.push(tag?);
    }
    rest.push_str(&text[from..]);
    Ok((rest, found))
}

/// The LoRAs in force after several tags of one prompt. One that is named more than once counts as often as it is
/// named, each time with the weights of its last tag: that is what sd-webui 1.10 does, which puts the same loaded
/// network into its list again and overwrites its weights (`networks.load_networks`).
pub fn in_force(tags: &[LoraTag]) -> Vec<LoraTag> {
    let mut merged: Vec<(LoraTag, f64)> = Vec::new();
    for tag in tags {
        match merged.iter_mut().find(|(known, _)| known.name == tag.name) {
            Some((known, times)) => {
                known.clone_from(tag);
                *times += 1.0;
            }
            None => merged.push((tag.clone(), 1.0)),
        }
    }
    let times =
        |(tag, times): (LoraTag, f64)| LoraTag { unet: tag.unet * times, text: tag.text * times, ..tag };
    merged.into_iter().map(times).collect()
}

/// Every tag of a prompt, also those that cannot be followed.
pub fn lora_tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find('<').map(|at| from + at) {
        from = open + 1;
        let inner = &text[from..];
        let word = inner.trim_start();
        let length = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(word.len());
        let kind = word[..length].to_ascii_lowercase();
        let refused = REFUSED.iter().find(|(name, _)| *name == kind).map(|(_, what)| *what);
        if refused.is_none() && !LORA.contains(&kind.as_str()) {
            continue;
        }
        let close = inner.find(['<', '>']).filter(|at| inner[*at..].starts_with('>'));
        let end = close.map_or_else(|| open + 1 + inner.find('<').unwrap_or(inner.len()), |at| from + at + 1);
        let error = |message: String, hint: &str| TagError { message, hint: hint.to_owned(), at: open..end };
        let tag = match (refused, close) {
            (Some(what), _) => {
                Err(error(format!("`<{kind}:…>`: {what} are not supported"), "leave the tag out"))
            }
            (None, None) => Err(error(format!("the tag `<{kind}…` is not closed: expected `>`"), FORM)),
            (None, Some(at)) => {
                let after = word.len() - length;
                let arguments = &inner[inner.len() - after..at];
                read(arguments).map_err(|message| error(format!("`{}`: {message}", &text[open..end]), FORM))
            }
        };
        tags.push((open..end, tag));
        from = end;
    }
    tags
}

/// What stands behind the kind: `:name:weight`.
fn read(arguments: &str) -> Result<LoraTag, String> {
    let Some(arguments) = arguments.trim_start().strip_prefix(':') else {
        return Err("expected `:` and a name behind the kind".to_owned());
    };
    let mut plain: Vec<&str> = Vec::new();
    let (mut text, mut unet) = (None, None);
    for argument in arguments.split(':').map(str::trim) {
        match argument.split_once('=') {
            // The first is the name, whatever it holds.
            Some((key, value)) if !plain.is_empty() => match key.trim() {
                "te" => text = Some(number(value)?),
                "unet" => unet = Some(number(value)?),
                "dyn" => return Err("`dyn` (a lower rank) is not supported".to_owned()),
                other => return Err(format!("expected `te` or `unet`, found `{other}`")),
            },
            _ => plain.push(argument),
        }
    }
    let name = plain.first().copied().unwrap_or_default();
    if name.is_empty() {
        return Err("expected a name, found none".to_owned());
    }
    if plain.len() > 3 {
        return Err(format!("expected a name and at most two weights, found {} parts", plain.len()));
    }
    let first = plain.get(1).map(|value| number(value)).transpose()?;
    let second = plain.get(2).map(|value| number(value)).transpose()?;
    let text = text.or(first).unwrap_or(1.0);
    let unet = unet.or(second).unwrap_or(text);
    Ok(LoraTag { name: name.to_owned(), unet, text })
}

fn number(text: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| format!("expected a number, found `{}`", text.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(name: &str, text: f64, unet: f64) -> LoraTag {
        LoraTag { name: name.to_owned(), unet, text }
    }

    #[test]
    fn every_form_is_read() {
        for (text, found) in [
            ("<lora:a>", tag("a", 1.0, 1.0)),
            ("<lora:a:0.8>", tag("a", 0.8, 0.8)),
            ("<lora:a:-.5>", tag("a", -0.5, -0.5)),
            ("<lora:a:0.5:1>", tag("a", 0.5, 1.0)),
            ("<lora:a:te=0.5:unet=1>", tag("a", 0.5, 1.0)),
            ("<lora:a:unet=0.3>", tag("a", 1.0, 0.3)),
            ("<lora:a:0.7:unet=0.3>", tag("a", 0.7, 0.3)),
            ("<lyco:a b : 2 >", tag("a b", 2.0, 2.0)),
            ("< LoRA : art/neon v2.safetensors:1e-1>", tag("art/neon v2.safetensors", 0.1, 0.1)),
            ("<lora:x=y:2>", tag("x=y", 2.0, 2.0)),
        ] {
            assert_eq!(split_loras(text), Ok((String::new(), vec![found])), "{text}");
        }
    }

    #[test]
    fn the_text_around_stays_as_it_is() {
        let (text, tags) = split_loras("a (cat:1.2) <lora:x:1>, <b> 3 < 4 <lyco:y> <cat-toy>").unwrap();
        assert_eq!(text, "a (cat:1.2) , <b> 3 < 4  <cat-toy>");
        assert_eq!(tags, [tag("x", 1.0, 1.0), tag("y", 1.0, 1.0)]);
        assert_eq!(split_loras("<lorax:1>").unwrap().0, "<lorax:1>");
    }

    #[test]
    fn malformed_tags_are_told_with_their_place() {
        for (text, at, part) in [
            ("a <lora:x", 2..9, "not closed"),
            ("<lora:x <lora:y>", 0..8, "not closed"),
            ("<lora:>", 0..7, "expected a name"),
            ("<lora>", 0..6, "expected `:`"),
            ("<lora x:1>", 0..10, "expected `:`"),
            ("<lora:x:much>", 0..13, "found `much`"),
            ("<lora:x:>", 0..9, "expected a number, found ``"),
            ("<lora:x:inf>", 0..12, "found `inf`"),
            ("<lora:x:1:2:3>", 0..14, "4 parts"),
            ("<lora:x:lbw=a>", 0..14, "found `lbw`"),
            ("<lora:x:dyn=4>", 0..14, "`dyn`"),
            ("é <hypernet:x:1>", 3..17, "hypernetworks"),
        ] {
            let error = split_loras(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error:?}");
            assert_eq!(error.at, at, "{text}");
            assert!(!error.hint.is_empty());
        }
    }

    #[test]
    fn a_name_given_twice_counts_twice_with_its_last_weights() {
        let tags = [tag("a", 0.3, 0.3), tag("b", 1.0, 1.0), tag("a", 0.5, 0.25)];
        assert_eq!(in_force(&tags), [tag("a", 1.0, 0.5), tag("b", 1.0, 1.0)]);
    }

    proptest! {
        #[test]
        fn no_prompt_panics_and_no_tag_is_left(text in "(<lora|<lyco|:|>|<|=|x|1\\.5|é| |te=|\\(|hypernet){0,20}") {
            if let Ok((rest, tags)) = split_loras(&text) {
                prop_assert!(tags.len() == lora_tags(&text).len());
                prop_assert!(tags.iter().all(|tag| tag.unet.is_finite() && tag.text.is_finite()));
                prop_assert!(rest.len() <= text.len());
            }
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z][a-z0-9 _.-]{0,10}[a-z]", te in -9.0f64..9.0, unet in -9.0f64..9.0) {
            let (rest, tags) = split_loras(&format!("sea<lora:{name}:{te}:{unet}> sky")).unwrap();
            prop_assert_eq!(rest, "sea sky");
            prop_assert_eq!(tags, vec![tag(&name, te, unet)]);
        }
    }
}
