//! Several prompts in one: `a house AND a storm :1.2`.
//!
//! The rules are sd-webui 1.10's: the word `AND` divides a prompt, wherever it stands; each part may end in `:` and
//! a weight, also when there is only one part. A negative prompt is not divided: there is one.

use super::emphasis::{is_blank, is_word};

/// The word between two prompts.
const AND: &str = "AND";

/// A part of a prompt with its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct SubPrompt<'a> {
    /// The text, without its weight and the blanks at its end.
    pub text: &'a str,
    /// What the guidance towards it is multiplied by; 1 is neutral, below 0 leads away.
    pub weight: f64,
}

/// The parts of a prompt. There is always at least one.
pub fn sub_prompts(prompt: &str) -> Vec<SubPrompt<'_>> {
    let (mut parts, mut from, mut look) = (Vec::new(), 0, 0);
    while let Some(found) = prompt[look..].find(AND) {
        let (at, behind) = (look + found, look + found + AND.len());
        look = behind;
        let before = prompt[..at].chars().next_back();
        let after = prompt[behind..].chars().next();
        if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
            parts.push(weighed(&prompt[from..at]));
            from = behind;
        }
    }
    parts.push(weighed(&prompt[from..]));
    parts
}

/// Takes the weight off the end of a part.
fn weighed(part: &str) -> SubPrompt<'_> {
    let text = part.trim_end_matches(is_blank);
    let with = || {
        let (before, number) = text.rsplit_once(':')?;
        let weight = decimal(number.trim_start_matches(is_blank))?;
        Some(SubPrompt { text: before.trim_end_matches(is_blank), weight })
    };
    with().unwrap_or(SubPrompt { text, weight: 1.0 })
}

/// Digits with at most one point and a sign; no exponent.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    // A run of digits that is too large for a number is no weight.
    text.parse().ok().filter(|weight: &f64| weight.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(prompt: &str) -> Vec<(&str, f64)> {
        sub_prompts(prompt).into_iter().map(|part| (part.text, part.weight)).collect()
    }

    #[test]
    fn parts_and_weights() {
        assert_eq!(read("a house"), [("a house", 1.0)]);
        assert_eq!(read(""), [("", 1.0)]);
        assert_eq!(read("a AND b"), [("a", 1.0), (" b", 1.0)]);
        assert_eq!(read("a :1.2 AND b : -0.5 "), [("a", 1.2), (" b", -0.5)]);
        assert_eq!(read("a:5."), [("a", 5.0)]);
        assert_eq!(read("a:+.5\nAND\tb"), [("a", 0.5), ("\tb", 1.0)]);
        assert_eq!(read("a:1:2"), [("a:1", 2.0)]);
        assert_eq!(read("AND"), [("", 1.0), ("", 1.0)]);
    }

    #[test]
    fn what_is_no_word_or_no_number_divides_and_weighs_nothing() {
        assert_eq!(read("SAND ANDy and _AND"), [("SAND ANDy and _AND", 1.0)]);
        for text in ["a:1e3", "a:1.2.3", "a:.", "a:", "a: b", "(a:1.2)", "[a:b:2]"] {
            assert_eq!(read(text), [(text, 1.0)]);
        }
        // Brackets do not hold a prompt together.
        assert_eq!(read("(a AND b:2)"), [("(a", 1.0), (" b:2)", 1.0)]);
        assert_eq!(read("AND,AND"), [("", 1.0), (",", 1.0), ("", 1.0)]);
    }

    proptest! {
        #[test]
        fn words_are_divided_where_a_pattern_says(prompt in r"(AND|[ab_:., 0-9é\n-]){0,30}") {
            // The same rules as regular expressions.
            let and = fancy_regex::Regex::new(r"\bAND\b").unwrap();
            let weight = fancy_regex::Regex::new(r"^([\s\S]*?)(?:\s*:\s*([-+]?(?:[0-9]+\.?|[0-9]*\.[0-9]+)))?\s*$").unwrap();
            let mut expected = Vec::new();
            let mut from = 0;
            for found in and.find_iter(&prompt).map(|found| found.unwrap()) {
                expected.push(&prompt[from..found.start()]);
                from = found.end();
            }
            expected.push(&prompt[from..]);
            let expected: Vec<(&str, f64)> = expected.into_iter().map(|part| {
                let found = weight.captures(part).unwrap().unwrap();
                let number = found.get(2).map_or(1.0, |number| number.as_str().parse().unwrap());
                (found.get(1).unwrap().as_str(), number)
            }).collect();
            prop_assert_eq!(read(&prompt), expected);
        }
    }
}
