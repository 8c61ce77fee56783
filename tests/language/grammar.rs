//! The grammar file against the parser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kinora::schedule::diagnostic::Severity;
use kinora::schedule::functions::FUNCTIONS;
use kinora::schedule::parse::{KEYWORDS, parse, rate_names, unit_names};
use kinora::timeline::eval::{constant_names, function_names};
use proptest::prelude::*;

use super::ebnf::Grammar;

fn grammar() -> Grammar {
    Grammar::new(include_str!("../../grammar/schedule.ebnf"))
}

fn films(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/corpus").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // The folder `with` holds what films use.
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "kin"));
    paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Whether the parser reads `text` without an error that the grammar could know of: size limits and
/// numbers that do not fit are none.
fn parses(text: &str) -> bool {
    let found = parse(0, text).1;
    found.iter().all(|found| matches!(found.code, "E04" | "E07") || found.severity == Severity::Warning)
}

#[test]
fn the_grammar_is_whole() {
    let grammar = grammar();
    assert_eq!(grammar.undefined(), Vec::<String>::new());
}

#[test]
fn words_and_units_are_the_parsers() {
    let grammar = grammar();
    let is_word = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let tokens = |name: &str| matches!(name, "UNIT" | "PER" | "PERCENT");
    let words: BTreeSet<String> = grammar.texts(|name| !tokens(name)).into_iter().filter(is_word).collect();
    assert_eq!(words, KEYWORDS.iter().map(|word| (*word).to_owned()).collect());
    let units = grammar.texts(|name| matches!(name, "UNIT" | "PERCENT"));
    assert_eq!(units, unit_names().map(str::to_owned).collect());
    let rates: BTreeSet<String> = grammar.texts(|name| name == "PER").into_iter().filter(is_word).collect();
    assert_eq!(rates, rate_names().map(str::to_owned).collect());
}

#[test]
fn every_production_is_in_the_corpus() {
    let grammar = grammar();
    for (path, text) in films("accept") {
        assert!(grammar.accepts(&text), "{} is not in the grammar", path.display());
        assert!(parses(&text), "{} is not read", path.display());
    }
    let (_, later) = films("reject").into_iter().find(|(path, _)| path.ends_with("later.kin")).unwrap();
    assert!(grammar.accepts(&later), "what is planned is in the grammar");
    let used = grammar.used.borrow();
    // These only ever stand behind a `!`.
    let unused: Vec<&str> = grammar
        .names()
        .filter(|name| !used.contains(*name) && !matches!(*name, "OPERAND" | "MORE" | "RESERVED" | "QUOTE"))
        .collect();
    assert!(unused.is_empty(), "no film of the corpus uses {unused:?}");
}

#[test]
fn grammar_and_parser_refuse_the_same_films() {
    let grammar = grammar();
    for (path, text) in films("reject") {
        assert_eq!(grammar.accepts(&text), parses(&text), "{}", path.display());
    }
}

#[test]
fn functions_and_constants_are_the_evaluators() {
    let ours: Vec<_> = FUNCTIONS.iter().map(|f| (f.name, f.order(), f.variadic)).collect();
    let theirs: Vec<_> = function_names().iter().map(|f| (f.name, f.params.to_vec(), f.variadic)).collect();
    assert_eq!(ours, theirs);
    for name in constant_names() {
        assert!(kinora::schedule::functions::find_variable(name).is_some(), "`{name}`");
    }
}

/// Pieces that random films are put together from.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "zoom",
        "=",
        "==",
        "1",
        "2.5",
        "30",
        "3s",
        "40px/s",
        "50%",
        "%",
        "1024x576",
        "0x10",
        ".5",
        "1e-3",
        "t",
        "sin",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "~cut",
        "~steps(2)",
        "\"a\"",
        "'b'",
        "\"${t}\"",
        "\"max_f/2\"",
        "+",
        "-",
        "*",
        "**",
        "/",
        "//",
        "<",
        "<=",
        "<<",
        "&",
        "|",
        "not",
        "and",
        "or",
        "~",
        ".",
        ".b",
        "let",
        "fn",
        "use",
        "scene",
        "a",
        "control",
        "video",
        "\n",
        "\n",
        "# note\n",
        " ",
        " ",
        "kinora",
        "x",
        "zoom = 1\n",
        "scene a 3s {\n",
        "}\n",
        "f(x)",
        "\"\"\"l\nm\"\"\"",
        "_",
        "$",
        "^",
        "é",
        "9q",
        "if",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parser_reads_what_the_grammar_describes(pieces in prop::collection::vec(piece(), 0..14)) {
        let text = pieces.concat();
        prop_assert_eq!(grammar().accepts(&text), parses(&text), "{:?}", text);
    }

    #[test]
    fn nothing_makes_the_checker_panic(text in "\\PC{0,200}") {
        let _ = kinora::schedule::read("film.kin", &text);
    }

    #[test]
    fn changed_films_do_not_panic(at in 0.0..1.0f64, length in 0usize..40, with in "[ -~\n]{0,6}", pick in any::<prop::sample::Index>()) {
        let films: Vec<_> = films("accept").into_iter().chain(films("reject")).collect();
        let mut text = films[pick.index(films.len())].1.clone();
        let boundary = |text: &str, mut at: usize| { while !text.is_char_boundary(at) { at -= 1; } at };
        let start = boundary(&text, (at * text.len() as f64) as usize);
        let end = boundary(&text, (start + length).min(text.len())).max(start);
        text.replace_range(start..end, &with);
        if let Ok((film, found)) = kinora::schedule::read("film.kin", &text) {
            prop_assert!(found.list.iter().all(|found| found.span.end as usize <= text.len()));
            if let Ok(timeline) = kinora::timeline::Timeline::new(&film, &Default::default()) {
                let last = timeline.frames() - 1;
                let _ = (timeline.at(0), timeline.at(last));
            }
        }
    }
}
