//! The formatter on random films, the corpus and the examples.

use std::path::{Path, PathBuf};

use kinora::schedule::format::{format, without_places};
use kinora::schedule::parse::parse;
use proptest::prelude::*;

use super::spell::Writer;
use super::trees::file;

fn films(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            films(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "kin") {
            found.push(path);
        }
    }
    found.sort();
}

fn all(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        films(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found
}

#[test]
fn films_of_the_corpus_mean_the_same_when_formatted() {
    let mut formatted = 0;
    for path in all(&["grammar/corpus", "examples"]) {
        // One film of the corpus is there because it is no text.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let (tree, errors) = parse(0, &text);
        let Ok(once) = format("film.kin", &text) else {
            assert!(!errors.is_empty(), "{} can be read and is not formatted", path.display());
            continue;
        };
        assert!(errors.is_empty(), "{} is formatted and cannot be read", path.display());
        assert_eq!(without_places(&parse(0, &once).0), without_places(&tree), "{}", path.display());
        assert_eq!(format("film.kin", &once).unwrap(), once, "{}", path.display());
        assert_eq!(marks(&once), marks(&text), "{}", path.display());
        formatted += 1;
    }
    assert!(formatted > 20, "only {formatted} films were formatted");
}

/// Everything but blanks, commas and line breaks, sorted, since comments within a statement's head move.
fn marks(text: &str) -> Vec<char> {
    let mut marks: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
    marks.sort_unstable();
    marks
}

#[test]
fn the_examples_are_formatted() {
    for path in all(&["examples"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(format("film.kin", &text).unwrap(), text, "run `kinora fmt {}`", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_what_was_formatted_gives_the_same_tree(tree in file(), seed in any::<u64>()) {
        let mut writer = Writer::new(seed);
        writer.file(&tree);
        let (text, comments) = (writer.out, writer.comments);
        let (read, errors) = parse(0, &text);
        prop_assert!(errors.is_empty(), "{}\n{:#?}", text, errors);
        prop_assert_eq!(&without_places(&read), &tree, "{}", text);
        let once = match format("film.kin", &text) {
            Ok(once) => once,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
        };
        prop_assert_eq!(&without_places(&parse(0, &once).0), &tree, "{}\n---\n{}", text, once);
        let twice = format("film.kin", &once).unwrap();
        prop_assert_eq!(&twice, &once, "written\n{}", text);
        for number in 1..=comments {
            let comment = format!("# note {number}.");
            prop_assert_eq!(once.matches(&comment).count(), 1, "{} in\n{}\n---\n{}", comment, text, once);
        }
    }
}
