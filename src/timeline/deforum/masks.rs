//! Mask expressions: `[file] & {video_mask} | !<words>`. A mask is one truth value a pixel; where the pictures come
//! from is the caller's business.
//!
//! Deforum substitutes text: within one pair of brackets first every `!`, then every `&`, `|`, `^` and `\`. That has
//! consequences, which are kept: `!` inverts the *last* mask of what follows it and swallows everything between, and
//! an operator whose left neighbour is not the first mask there is an error (`a | b & c`).

use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::keys::within;
use crate::schedule::span::Span;

/// Most brackets open at once.
const MAX_DEPTH: usize = 64;

/// Most masks and signs in an expression.
const MAX_PARTS: usize = 1000;

/// Where a mask comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// `{everywhere}`: white throughout.
    Everywhere,
    /// `{video_mask}`: the mask of the init picture or video.
    Video,
    /// `[file]`
    File(&'a str),
    /// `<words>`: what a network finds for these words.
    Words(&'a str),
}

/// A mask: one value a pixel, row by row, `true` is white.
pub type Mask = Vec<bool>;

/// What expressions are made of: masks of pixels, or what stands for them.
pub trait Masked: Clone {
    /// White for black.
    #[must_use]
    fn inverse(&self) -> Self;

    /// Two of them by `&`, `|`, `^` or `\`; `None` when their sizes differ.
    fn joined(sign: char, a: &Self, b: &Self) -> Option<Self>;
}

impl Masked for Mask {
    fn inverse(&self) -> Self {
        self.iter().map(|white| !white).collect()
    }

    fn joined(sign: char, a: &Self, b: &Self) -> Option<Self> {
        (a.len() == b.len()).then(|| a.iter().zip(b).map(|(a, b)| joined(sign, *a, *b)).collect())
    }
}

/// Gives the mask of a source, all of one size; `None` where there is none.
pub type Load<'a, M = Mask> = &'a dyn Fn(Source<'_>) -> Option<M>;

/// The mask that an expression means; `None` for one that is black throughout, which Deforum takes for no mask.
///
/// # Errors
/// What stops Deforum: unbalanced brackets, unknown names, no or more than one mask left at the end, an operator
/// that stands too far right. Also masks of different sizes, and expressions of more than 1000 parts.
pub fn evaluate(expression: &str, load: Load<'_>) -> Result<Option<Mask>, ReadError> {
    Ok(Some(reduce(expression, load)?).filter(|mask| mask.contains(&true)))
}

/// As [`evaluate`], of masks of any kind; whether one is black is not looked at.
///
/// # Errors
/// As [`evaluate`].
pub fn reduce<M: Masked>(expression: &str, load: Load<'_, M>) -> Result<M, ReadError> {
    let reader = Reader { text: expression, load };
    let (rest, mask) = reader.sequence(expression, 0)?;
    if !rest.is_empty() {
        return Err(reader.wrong(&rest[..1], "expected no `)` here: it closes nothing"));
    }
    Ok(mask)
}

#[derive(Clone, Debug)]
enum Part<M> {
    Mask(M),
    /// `!`, `&`, `|`, `^` or `\`.
    Sign(char),
    /// Anything else that is not blank; it separates.
    Stray,
}

struct Reader<'a, M> {
    text: &'a str,
    load: Load<'a, M>,
}

impl<'a, M: Masked> Reader<'a, M> {
    fn wrong(&self, at: &str, message: impl Into<String>) -> ReadError {
        ReadError::new(within(self.text, at, Span::default()), message)
    }

    /// Everything up to the end or a `)` that is not its own.
    fn sequence(&self, start: &'a str, depth: usize) -> Result<(&'a str, M), ReadError> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(&start[..0], format!("expected at most {MAX_DEPTH} brackets")));
        }
        let (mut rest, mut parts) = (start, Vec::new());
        while let Some(first) = rest.chars().next().filter(|first| *first != ')') {
            let after = &rest[first.len_utf8()..];
            rest = match first {
                '(' => {
                    let (after, mask) = self.sequence(after, depth + 1)?;
                    parts.push(Part::Mask(mask));
                    after.strip_prefix(')').ok_or_else(|| {
                        self.wrong(&rest[..1], "expected a `)` for this bracket, found none")
                    })?
                }
                '!' | '&' | '|' | '^' | '\\' => {
                    parts.push(Part::Sign(first));
                    after
                }
                _ => match self.source(rest) {
                    Some((after, written, source)) => {
                        parts.push(Part::Mask(self.load(written, source)?));
                        after
                    }
                    None => {
                        if !first.is_whitespace() {
                            parts.push(Part::Stray);
                        }
                        after
                    }
                },
            };
            if parts.len() > MAX_PARTS {
                return Err(self.wrong(rest, format!("expected at most {MAX_PARTS} masks and signs")));
            }
        }
        let place = &start[..start.len() - rest.len()];
        Ok((rest, self.reduce(place, parts)?))
    }

    /// `[...]`, `<...>` or `{...}` at the start of `rest`: what follows, the whole of it, and what is inside.
    fn source(&self, rest: &'a str) -> Option<(&'a str, &'a str, Option<Source<'a>>)> {
        let close = match rest.chars().next()? {
            '[' => ']',
            '<' => '>',
            '{' => '}',
            _ => return None,
        };
        let end = rest.find(close)?;
        let inside = &rest[1..end];
        let source = match (close, inside) {
            (']', file) => Some(Source::File(file)),
            ('>', words) => Some(Source::Words(words)),
            (_, "everywhere") => Some(Source::Everywhere),
            (_, "video_mask") => Some(Source::Video),
            _ => None,
        };
        Some((&rest[end + 1..], &rest[..=end], source))
    }

    fn load(&self, written: &str, source: Option<Source<'_>>) -> Result<M, ReadError> {
        let Some(source) = source else {
            let message = format!("expected `{{everywhere}}` or `{{video_mask}}`, found `{written}`");
            return Err(self.wrong(written, message));
        };
        (self.load)(source).ok_or_else(|| self.wrong(written, format!("there is no mask `{written}`")))
    }

    fn reduce(&self, place: &str, mut parts: Vec<Part<M>>) -> Result<M, ReadError> {
        invert(&mut parts);
        for sign in ['&', '|', '^', '\\'] {
            while self.combine(place, sign, &mut parts)? {}
        }
        let count = parts.iter().filter(|part| matches!(part, Part::Mask(_))).count();
        match parts.into_iter().find(|part| matches!(part, Part::Mask(_))) {
            Some(Part::Mask(mask)) if count == 1 => Ok(mask),
            _ => Err(self
                .wrong(place, format!("expected one mask at the end, found {count}"))
                .hint("put an operator between two masks: `&`, `|`, `^`, `\\`")),
        }
    }

    /// One pass from the left over all places where `sign` stands between two masks; whether there was one.
    fn combine(&self, place: &str, sign: char, parts: &mut Vec<Part<M>>) -> Result<bool, ReadError> {
        let (mut from, mut found) = (0, false);
        while let Some(at) = between(sign, &parts[from..]).map(|at| at + from) {
            // The text in front of it, from the first mask on, is taken for one name.
            if parts[from..at].iter().any(|part| matches!(part, Part::Mask(_))) {
                let message = format!("`{sign}` stands behind a sign that binds less tightly");
                return Err(self.wrong(place, message).hint("put it first, or use brackets"));
            }
            let (Part::Mask(a), Part::Mask(b)) = (&parts[at], &parts[at + 2]) else { return Ok(found) };
            let mask =
                M::joined(sign, a, b).ok_or_else(|| self.wrong(place, "expected masks of one size"))?;
            parts.splice(at..at + 3, [Part::Mask(mask)]);
            (from, found) = (at + 1, true);
        }
        Ok(found)
    }
}

/// Where the mask stands that has `sign` and another mask right behind it.
fn between<M>(sign: char, parts: &[Part<M>]) -> Option<usize> {
    parts.windows(3).position(
        |three| matches!(three, [Part::Mask(_), Part::Sign(found), Part::Mask(_)] if *found == sign),
    )
}

/// From the first `!` to the last mask behind it: the inverse of that mask.
fn invert<M: Masked>(parts: &mut Vec<Part<M>>) {
    let Some(first) = parts.iter().position(|part| matches!(part, Part::Sign('!'))) else { return };
    let Some(last) =
        parts.iter().rposition(|part| matches!(part, Part::Mask(_))).filter(|last| *last > first)
    else {
        return;
    };
    if let Part::Mask(mask) = &parts[last] {
        let inverse = mask.inverse();
        parts.splice(first..=last, [Part::Mask(inverse)]);
    }
}

fn joined(sign: char, a: bool, b: bool) -> bool {
    match sign {
        '&' => a && b,
        '|' => a || b,
        '^' => a != b,
        _ => a && !b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four pixels; a file's name says which of them are white.
    fn load(source: Source<'_>) -> Option<Mask> {
        match source {
            Source::Everywhere => Some(vec![true; 4]),
            Source::Video => Some(vec![true, true, false, false]),
            Source::File(name) => (!name.is_empty()).then(|| name.chars().map(|c| c == '1').collect()),
            Source::Words(_) => None,
        }
    }

    fn value(expression: &str) -> String {
        match evaluate(expression, &load) {
            Ok(Some(mask)) => mask.iter().map(|white| if *white { '1' } else { '0' }).collect(),
            Ok(None) => "none".to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn operators_join_masks() {
        assert_eq!(value("[1100] & [1010]"), "1000");
        assert_eq!(value("[1100]|[1010]"), "1110");
        assert_eq!(value("[1100]^[1010]"), "0110");
        assert_eq!(value(r"[1100]\[1010]"), "0100");
        assert_eq!(value("{video_mask} & {everywhere}"), "1100");
        assert_eq!(value("[1100] & [1010] | [0001] & [0011]"), "1001");
        assert_eq!(value("([1100] | [0010]) & [1010]"), "1010");
        assert_eq!(value("[1100] & [0011]"), "none");
    }

    #[test]
    fn substitution_shows() {
        // `!` reaches for the last mask.
        assert_eq!(value("![1100] & [1010]"), "0101");
        assert!(value("[1100] | [1010] & [1000]").starts_with("error: `&` stands behind"));
        assert_eq!(value(r"\[0110]"), "0110");
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        for wrong in ["", "([1100]", "[1100])", "[1100] [1010]", "{left}", "<sky>", "[]", "[1100] & [101]"] {
            assert!(value(wrong).starts_with("error"), "{wrong}: {}", value(wrong));
        }
        assert!(value(&"(".repeat(100_000)).starts_with("error: expected at most 64"));
        assert!(value(&"&".repeat(100_000)).starts_with("error: expected at most 1000"));
    }
}
