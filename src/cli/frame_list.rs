//! The `--frames` list: `0-23`, `0,12,40-47`.

use std::collections::BTreeSet;
use std::str::FromStr;

/// No list may name more frames than this; it guards against `0-4000000000`.
const MOST: u32 = 1_000_000;

/// Numbers of frames, from 0, sorted and without doubles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameList {
    frames: BTreeSet<u32>,
    text: String,
}

impl FrameList {
    /// The frames in order.
    pub(crate) fn frames(&self) -> &BTreeSet<u32> {
        &self.frames
    }

    /// The list as it was typed, for a file name.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for FrameList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut frames = BTreeSet::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(format!("the range {part} runs backwards; write {last}-{first}"));
            }
            if last - first >= MOST {
                return Err(format!("the range {part} has more than {MOST} frames"));
            }
            frames.extend(first..=last);
        }
        if frames.is_empty() {
            return Err("expected frame numbers such as 0-23 or 0,12,40-47".to_owned());
        }
        Ok(Self { frames, text: text.split_whitespace().collect() })
    }
}

fn number(text: &str) -> Result<u32, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("expected a frame number (0 or more), found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<u32>, String> {
        text.parse::<FrameList>().map(|list| list.frames.into_iter().collect())
    }

    #[test]
    fn ranges_and_numbers_mix() {
        assert_eq!(list("40-42, 0,12,41").unwrap(), [0, 12, 40, 41, 42]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, says) in
            [("", "expected"), ("5-2", "2-5"), ("a", "`a`"), ("-3", "``"), ("0-4000000000", "more")]
        {
            assert!(list(text).unwrap_err().contains(says), "{text}");
        }
    }
}
