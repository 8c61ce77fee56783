//! Reads the emphasis of a prompt: `(more)`, `[less]`, `(this:1.3)`, escapes and `BREAK`.
//!
//! The rules are those of A1111's prompt parser (newer releases, which allow blanks around a weight).
//! One thing differs: a weight that is no number, such as `(x:1.2.3)`, is an exception there and plain
//! text here.

/// What a pair of round brackets multiplies by; square brackets divide by it.
const BRACKET: f64 = 1.1;

/// The word that ends a chunk.
const BREAK: &str = "BREAK";

/// A run of text that has one weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// The text as written, without the brackets and the backslashes that escaped one.
    pub text: String,
    /// What its tokens are multiplied by; 1 is neutral, −1 on the text `BREAK` ends a chunk.
    pub weight: f64,
}

impl Fragment {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), weight: 1.0 }
    }

    /// Whether the fragment is the end of a chunk and no text.
    ///
    /// As in the peer, brackets round a `BREAK` weigh it too, and then it is a word like any other.
    pub fn is_break(&self) -> bool {
        self.text == BREAK && self.weight == -1.0
    }
}

/// What the prompt's characters stand for.
enum Token<'a> {
    Escaped(&'a str),
    OpenRound,
    OpenSquare,
    CloseRound,
    CloseSquare,
    /// `:1.3)`.
    Weight(f64),
    Text,
}

/// Splits a prompt into fragments of one weight each. There is always at least one.
///
/// Any text is accepted: brackets that nobody closed count to the end, those that nobody opened are text.
pub fn fragments(prompt: &str) -> Vec<Fragment> {
    let mut found: Vec<Fragment> = Vec::new();
    let (mut round, mut square) = (Vec::new(), Vec::new());
    let mut rest = prompt;
    while let Some((token, tail)) = next_token(rest) {
        let raw = &rest[..rest.len() - tail.len()];
        rest = tail;
        let closed = match token {
            Token::OpenRound => {
                round.push(found.len());
                continue;
            }
            Token::OpenSquare => {
                square.push(found.len());
                continue;
            }
            Token::Escaped(text) => {
                found.push(Fragment::plain(text));
                continue;
            }
            Token::Weight(weight) => round.pop().map(|from| (from, weight)),
            Token::CloseRound => round.pop().map(|from| (from, BRACKET)),
            Token::CloseSquare => square.pop().map(|from| (from, 1.0 / BRACKET)),
            Token::Text => None,
        };
        match closed {
            Some((from, factor)) => weigh(&mut found[from..], factor),
            None => push_text(raw, &mut found),
        }
    }
    round.iter().for_each(|from| weigh(&mut found[*from..], BRACKET));
    square.iter().for_each(|from| weigh(&mut found[*from..], 1.0 / BRACKET));
    if found.is_empty() {
        found.push(Fragment::plain(""));
    }
    merged(found)
}

fn weigh(fragments: &mut [Fragment], factor: f64) {
    fragments.iter_mut().for_each(|fragment| fragment.weight *= factor);
}

/// Adds text, with each `BREAK` in it as a fragment of its own.
fn push_text(text: &str, found: &mut Vec<Fragment>) {
    let mut rest = text;
    while let Some((from, to)) = find_break(rest) {
        found.push(Fragment::plain(&rest[..from]));
        found.push(Fragment { text: BREAK.to_owned(), weight: -1.0 });
        rest = &rest[to..];
    }
    found.push(Fragment::plain(rest));
}

/// Where the first `BREAK` that is a word of its own lies, with the blanks round it.
fn find_break(text: &str) -> Option<(usize, usize)> {
    let at = text.match_indices(BREAK).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + BREAK.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })?;
    let tail = &text[at + BREAK.len()..];
    let to = text.len() - tail.trim_start_matches(is_blank).len();
    Some((text[..at].trim_end_matches(is_blank).len(), to))
}

/// Python's `\w`.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Python's `\s`, which counts the four information separators as blanks.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The first token of the text, and what follows it.
fn next_token(text: &str) -> Option<(Token<'_>, &str)> {
    let first = text.chars().next()?;
    let cut = |token, length: usize| Some((token, &text[length..]));
    match first {
        '\\' => {
            let escapes = text[1..].starts_with(['(', ')', '[', ']', '\\']);
            let end = 1 + usize::from(escapes);
            cut(Token::Escaped(&text[1..end]), end)
        }
        '(' => cut(Token::OpenRound, 1),
        '[' => cut(Token::OpenSquare, 1),
        ')' => cut(Token::CloseRound, 1),
        ']' => cut(Token::CloseSquare, 1),
        ':' => match weight(text) {
            Some((value, end)) => cut(Token::Weight(value), end),
            None => cut(Token::Text, 1),
        },
        _ => {
            let end = text.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(text.len());
            cut(Token::Text, end)
        }
    }
}

/// Reads `:` number `)` with blanks between; gives the number and the length of all.
fn weight(text: &str) -> Option<(f64, usize)> {
    let number = text.strip_prefix(':')?.trim_start_matches(is_blank);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let tail = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = number[..number.len() - tail.len()].parse().ok()?;
    let tail = tail.trim_start_matches(is_blank).strip_prefix(')')?;
    value.is_finite().then(|| (value, text.len() - tail.len()))
}

/// Joins neighbours of equal weight.
fn merged(fragments: Vec<Fragment>) -> Vec<Fragment> {
    let mut out: Vec<Fragment> = Vec::with_capacity(fragments.len());
    for fragment in fragments {
        match out.last_mut() {
            Some(last) if last.weight == fragment.weight => last.text += &fragment.text,
            _ => out.push(fragment),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(prompt: &str) -> Vec<(String, f64)> {
        fragments(prompt).into_iter().map(|f| (f.text, f.weight)).collect()
    }

    fn expect(prompt: &str, parts: &[(&str, f64)]) {
        let parts: Vec<_> = parts.iter().map(|(text, weight)| ((*text).to_owned(), *weight)).collect();
        assert_eq!(read(prompt), parts, "{prompt}");
    }

    #[test]
    fn brackets_weights_and_escapes() {
        expect("", &[("", 1.0)]);
        expect("a (b:1.3) c", &[("a ", 1.0), ("b", 1.3), (" c", 1.0)]);
        expect("[a]", &[("a", 1.0 / 1.1)]);
        expect(r"\(a\) \\ \x", &[(r"(a) \ x", 1.0)]);
        expect("(a:)b", &[("a:", 1.1), ("b", 1.0)]);
        expect("a:1.5)", &[("a:1.5)", 1.0)]);
    }

    #[test]
    fn a_weight_that_is_no_number_is_text() {
        expect("(a:1.2.3)", &[("a:1.2.3", 1.1)]);
        expect("(a:.)", &[("a:.", 1.1)]);
    }

    #[test]
    fn break_is_a_word_of_its_own() {
        expect("a BREAK b", &[("a", 1.0), ("BREAK", -1.0), ("b", 1.0)]);
        expect("aBREAK BREAKb", &[("aBREAK BREAKb", 1.0)]);
        // Weighed by its brackets it no longer breaks: the peer does the same.
        expect("(a BREAK b)", &[("a", 1.1), ("BREAK", -1.1), ("b", 1.1)]);
        assert!(!fragments("(BREAK)").iter().any(Fragment::is_break));
    }

    proptest! {
        #[test]
        fn any_text_is_read(prompt in r"([()\[\]:\\. a-zé0-9]|BREAK|\PC){0,40}") {
            prop_assert!(!fragments(&prompt).is_empty());
        }

        #[test]
        fn text_without_marks_is_one_fragment(prompt in "[a-z ,.é]{0,60}") {
            prop_assert_eq!(fragments(&prompt), vec![Fragment::plain(prompt)]);
        }

        #[test]
        fn escaping_every_mark_gives_the_text_back(text in r"[()\[\]\\ab :,]{0,30}") {
            let escaped: String = text.chars().flat_map(|c| {
                r"()[]\".contains(c).then_some('\\').into_iter().chain([c])
            }).collect();
            prop_assert_eq!(fragments(&escaped), vec![Fragment::plain(text)]);
        }
    }
}
