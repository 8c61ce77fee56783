use proptest::prelude::*;

use super::*;

/// As sd-webui's own tests write a schedule: each text with the count at which it ends.
fn schedule(prompt: &str, calls: usize) -> Vec<(usize, String)> {
    let edited = Edited::read(prompt);
    edited.ends(calls).into_iter().map(|end| (end, edited.at(end, calls))).collect()
}

fn expect(prompt: &str, texts: &[(usize, &str)]) {
    let texts: Vec<_> = texts.iter().map(|(end, text)| (*end, (*text).to_owned())).collect();
    assert_eq!(schedule(prompt, 10), texts, "{prompt}");
}

#[test]
fn published_examples() {
    // Inputs and outputs of the tests that sd-webui documents for its parser, 10 steps each.
    expect("test", &[(10, "test")]);
    expect("a [b:3]", &[(3, "a "), (10, "a b")]);
    expect("a [b: 3]", &[(3, "a "), (10, "a b")]);
    expect("a [[[b]]:2]", &[(2, "a "), (10, "a [[b]]")]);
    expect("[(a:2):3]", &[(3, ""), (10, "(a:2)")]);
    expect("a [b : c : 1] d", &[(1, "a b  d"), (10, "a  c  d")]);
    expect("a[b:[c:d:2]:1]e", &[(1, "abe"), (2, "ace"), (10, "ade")]);
    expect("a [unbalanced", &[(10, "a [unbalanced")]);
    expect("a [b:.5] c", &[(5, "a  c"), (10, "a b c")]);
    expect("((a][:b:c [d:3]", &[(3, "((a][:b:c "), (10, "((a][:b:c d")]);
    let alternate = |a: &str, b: &str| -> Vec<(usize, String)> {
        (1..=10).map(|i| (i, if i % 2 == 1 { a.to_owned() } else { b.to_owned() })).collect()
    };
    assert_eq!(schedule("[a|(b:1.1)]", 10), alternate("a", "(b:1.1)"));
    assert_eq!(schedule("[fe|]male", 10), alternate("female", "male"));
    let four: Vec<bool> = schedule("[fe|||]male", 10).iter().map(|(_, text)| text == "female").collect();
    assert_eq!(four, [true, false, false, false, true, false, false, false, true, false]);
}

#[test]
fn the_long_example_of_the_documentation() {
    let prompt = "fantasy landscape with a [mountain:lake:0.25] and [an oak:a christmas tree:0.75]\
                  [ in foreground::0.6][ in background:0.25] [shoddy:masterful:0.5]";
    let start = "fantasy landscape with a";
    let lines = [
        (25, "mountain and an oak in foreground shoddy"),
        (50, "lake and an oak in foreground in background shoddy"),
        (60, "lake and an oak in foreground in background masterful"),
        (75, "lake and an oak in background masterful"),
        (100, "lake and a christmas tree in background masterful"),
    ];
    let lines: Vec<_> = lines.iter().map(|(end, text)| (*end, format!("{start} {text}"))).collect();
    assert_eq!(schedule(prompt, 100), lines);
}

#[test]
fn a_point_makes_a_share_and_the_rest_are_calls() {
    expect("[a:b:1]", &[(1, "a"), (10, "b")]);
    expect("[a:b:1.]", &[(10, "a")]);
    expect("[a:b:1.5]", &[(10, "a")]);
    expect("[a:b:0]", &[(10, "b")]);
    expect("[a:b:0.0]", &[(10, "b")]);
    expect("[a:b:.05]", &[(10, "b")]);
    expect("[a:b:99]", &[(10, "a")]);
    expect("[a:b:-3]", &[(10, "b")]);
    expect("[a:b:+.35]", &[(3, "a"), (10, "b")]);
    expect("[a:b:2e0]", &[(2, "a"), (10, "b")]);
    expect("[a:b:9e999]", &[(10, "a")]);
    expect("[a:b:5e-1]", &[(10, "b")]);
    for text in ["[a:b:inf]", "[a:b:nan]", "[a:b:1.2.3]", "[a:b:]", "[a:b:1 2]", "[a:b:1:2]", "[a:b:0x2]"] {
        expect(text, &[(10, text)]);
    }
}

#[test]
fn escapes_and_marks_that_hold_nothing_are_text() {
    expect(r"[a\:b:c:2]", &[(2, r"a\:b"), (10, "c")]);
    expect(r"\[a:b:2]", &[(10, r"\[a:b:2]")]);
    expect(r"[a\|b|c]\", &[(10, r"[a\|b|c]\")]);
    expect("a | b [c:2]", &[(10, "a | b [c:2]")]);
    expect("(a|b) [c:2]", &[(10, "(a|b) [c:2]")]);
    expect("[x:y [c:d:2]:z]", &[(2, "[x:y c:z]"), (10, "[x:y d:z]")]);
    expect("[[b:c]:d:3]", &[(10, "[[b:c]:d:3]")]);
    expect("a\\\n[b:2]", &[(10, "a\\\n[b:2]")]);
}

#[test]
fn calls_count_from_0_and_the_first_text_has_one_more() {
    let edited = Edited::read("[a:b:3]");
    let seen: String = (0..10).map(|call| edited.in_force(call, 10)).collect();
    assert_eq!(seen, "aaaabbbbbb");
    let edited = Edited::read("[a|b|c]");
    let seen: String = (0..10).map(|call| edited.in_force(call, 10)).collect();
    assert_eq!(seen, "aabcabcabc");
    // More calls than planned: the first text is back.
    assert_eq!(Edited::read("[a:b:3]").in_force(11, 10), "a");
}

#[test]
fn a_hundred_thousand_characters_are_read_at_any_depth() {
    for (open, close) in
        [("[", "]"), ("(", ")"), ("[x:", ":2]"), ("[x|", "]"), ("[", ""), ("", "]"), ("[a|", "")]
    {
        let count = 100_000 / (open.len() + close.len());
        let prompt = format!("{}y{}", open.repeat(count), close.repeat(count));
        let edited = Edited::read(&prompt);
        assert!((2..4).any(|count| edited.at(count, 10).contains('y')), "{open}");
    }
}

/// The rules again, as a grammar that is tried out: at each place every form of bracket, the first that fits.
mod reference {
    /// A tree: text, or a choice with its brackets.
    #[derive(Clone, Debug)]
    pub enum Tree {
        Text(String),
        Switch(Vec<Tree>, Vec<Tree>, String),
        Alternate(Vec<Vec<Tree>>),
    }

    /// A prompt without separators of its own from `at`: as far as it goes.
    fn prompt(text: &[char], mut at: usize) -> (Vec<Tree>, usize) {
        let mut trees = Vec::new();
        while at < text.len() {
            if "[(".contains(text[at]) {
                let Some((tree, next)) = bracket(text, at) else { break };
                trees.extend(tree);
                at = next;
            } else if "])|:".contains(text[at]) {
                break;
            } else {
                let length = if text[at] == '\\' { 2 } else { 1 };
                if at + length > text.len() || text[at + length - 1] == '\n' && length == 2 {
                    break;
                }
                trees.push(Tree::Text(text[at..at + length].iter().collect()));
                at += length;
            }
        }
        (trees, at)
    }

    fn bracket(text: &[char], at: usize) -> Option<(Vec<Tree>, usize)> {
        let mark = |at: usize| text.get(at).copied();
        let plain = |c: char| vec![Tree::Text(c.to_string())];
        let (first, next) = prompt(text, at + 1);
        match (text[at], mark(next)?) {
            ('(', ')') => Some(([plain('('), first, plain(')')].concat(), next + 1)),
            ('[', ']') => Some(([plain('['), first, plain(']')].concat(), next + 1)),
            ('(', ':') => {
                let (second, next) = prompt(text, next + 1);
                let all = [plain('('), first, plain(':'), second, plain(')')].concat();
                (mark(next)? == ')').then_some((all, next + 1))
            }
            ('[', '|') => {
                let (mut options, mut next) = (vec![first], next);
                while mark(next)? == '|' {
                    let (option, behind) = prompt(text, next + 1);
                    options.push(option);
                    next = behind;
                }
                (mark(next)? == ']').then(|| (vec![Tree::Alternate(options)], next + 1))
            }
            ('[', ':') => {
                let number = |from: usize| {
                    let end = from + text[from..].iter().position(|c| *c == ']')?;
                    let written: String = text[from..end].iter().collect();
                    let trimmed = written.trim().to_owned();
                    let fits = fancy_regex::Regex::new(
                        r"^[+-]?([0-9]+[eE][+-]?[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[0-9]+)$",
                    );
                    fits.unwrap().is_match(&trimmed).unwrap().then_some((trimmed, end + 1))
                };
                if let Some((when, end)) = number(next + 1) {
                    return Some((vec![Tree::Switch(Vec::new(), first, when)], end));
                }
                let (second, next) = prompt(text, next + 1);
                if mark(next)? != ':' {
                    return None;
                }
                let (when, end) = number(next + 1)?;
                Some((vec![Tree::Switch(first, second, when)], end))
            }
            _ => None,
        }
    }

    /// The whole: what fits no bracket is text, unless it is a `|`.
    pub fn read(text: &str) -> Vec<Tree> {
        let chars: Vec<char> = text.chars().collect();
        let (mut trees, mut at) = (Vec::new(), 0);
        while at < chars.len() {
            let (more, next) = prompt(&chars, at);
            trees.extend(more);
            at = next;
            match chars.get(at) {
                Some('|' | '\\') => return vec![Tree::Text(text.to_owned())],
                Some(c) => trees.push(Tree::Text(c.to_string())),
                None => {}
            }
            at += 1;
        }
        trees
    }

    pub fn write(trees: &[Tree], count: usize, calls: usize) -> String {
        let one = |tree: &Tree| match tree {
            Tree::Text(text) => text.clone(),
            Tree::Alternate(options) => write(&options[(count - 1) % options.len()], count, calls),
            Tree::Switch(before, after, when) => {
                let number: f64 = when.parse().unwrap();
                let last = if when.contains('.') { number * calls as f64 } else { number };
                let first = (count as f64) <= last.trunc().min(calls as f64);
                write(if first { before } else { after }, count, calls)
            }
        };
        trees.iter().map(one).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_count_has_the_text_of_the_rules(
        parts in prop::collection::vec(
            prop_oneof!["[\\[\\]():|]", "[ab ]", "[0-3]", Just(".5".to_owned()), Just(":2]".to_owned()),
                        Just("[a:".to_owned()), Just("\\".to_owned()), Just("\n".to_owned())], 0..14),
        calls in 1_usize..9,
    ) {
        let prompt = parts.concat();
        let (edited, trees) = (Edited::read(&prompt), reference::read(&prompt));
        for count in 1..=calls {
            prop_assert_eq!(edited.at(count, calls), reference::write(&trees, count, calls), "{}", prompt);
        }
    }

    #[test]
    fn a_prompt_without_choices_is_itself(prompt in r"([()a-z ,.éß]|\\.){0,60}") {
        let edited = Edited::read(&prompt);
        prop_assert!(edited.is_constant());
        prop_assert_eq!(edited.at(1, 20), prompt);
    }

    #[test]
    fn ends_are_where_texts_end(prompt in r"[\[\]():|ab0-9. ]{0,40}", calls in 1_usize..12) {
        let edited = Edited::read(&prompt);
        let ends = edited.ends(calls);
        prop_assert!(ends.is_sorted());
        prop_assert_eq!(ends.last(), Some(&calls));
        // Between two ends nothing changes.
        for count in 1..=calls {
            let end = Edited::count_at(&ends, count);
            prop_assert_eq!(edited.at(count, calls), edited.at(end, calls), "{}", prompt);
        }
    }

    #[test]
    fn any_text_is_read(prompt in "\\PC{0,60}") {
        let _ = Edited::read(&prompt).in_force(3, 7);
    }
}
