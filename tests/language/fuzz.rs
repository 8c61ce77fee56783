//! The seeds of `fuzz/corpus` and of the grammar's corpus, and a fixed number of mutations of them, through
//! everything that reads text. The mutations are the same in every run.

use std::path::{Path, PathBuf};

use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::schedule::format::{format, without_places};
use kinora::schedule::parse::{MAX_BYTES, parse};
use kinora::timeline::deforum::{expand, expand_text};
use kinora::timeline::{Options, Timeline};

/// Mutations of each kind of text.
const MUTATIONS: usize = 4000;

fn texts(folders: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() > 5, "the seeds are gone");
    // Beside the films lie a folder that they use and sounds, and one film is no text.
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }

    /// A place in `text` between two characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// A part of `text`, short more often than long.
    fn part<'t>(&mut self, text: &'t str) -> &'t str {
        let start = self.place(text);
        let most = [1, 4, 40, 400][self.below(4)];
        let mut end = (start + self.below(most) + 1).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        &text[start..end.max(start)]
    }

    fn mutate(&mut self, seeds: &[String], signs: &[&str]) -> String {
        let mut text = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.place(&text);
            match self.below(5) {
                0 => {
                    let part = self.part(&text[at..]).len();
                    text.replace_range(at..at, "");
                    if text.is_char_boundary(at + part) {
                        text.replace_range(at..at + part, "");
                    }
                }
                1 => {
                    let part = self.part(&text).to_owned();
                    text.insert_str(at, &part);
                }
                2 => {
                    let other = self.below(seeds.len());
                    let part = self.part(&seeds[other]).to_owned();
                    text.insert_str(at, &part);
                }
                3 => text.truncate(at),
                _ => text.insert_str(at, signs[self.below(signs.len())]),
            }
        }
        text
    }
}

const SIGNS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\"\"\"",
    "${",
    "#",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{feff}",
    "\u{a0}",
    "é",
    "=",
    "==",
    ":",
    ",",
    "~",
    "~ease",
    ".",
    "..",
    "%",
    "50%",
    "-",
    "--",
    "**",
    "//",
    "/s",
    "px",
    "deg",
    "1e999",
    "0x",
    "9223372036854775807",
    "let ",
    "fn f(x) = ",
    "use \"a\"",
    "scene a 3s {",
    "kinora 1",
    "t",
    "max_f",
    " and ",
    " not ",
];

fn film(text: &str) {
    let (tree, errors) = parse(0, text);
    for found in &errors {
        assert!(
            found.span.start <= found.span.end && found.span.end as usize <= text.len(),
            "{found:?} in {text:?}"
        );
    }
    match format("film.kin", text) {
        Ok(once) => {
            assert_eq!(without_places(&parse(0, &once).0), without_places(&tree), "{text:?}");
            assert_eq!(format("film.kin", &once).unwrap(), once, "{text:?}");
        }
        Err(error) => assert_eq!(error.exit_code(), 1, "{error} {text:?}"),
    }
    let Ok((film, _)) = kinora::schedule::read("film.kin", text) else { return };
    let Ok(timeline) = Timeline::new(&film, &Options::default()) else { return };
    let last = timeline.frames() - 1;
    for frame in [0, last / 2, last] {
        let once = std::format!("{:?}", timeline.at(frame).ok());
        assert_eq!(std::format!("{:?}", timeline.at(frame).ok()), once, "{text:?}");
    }
}

fn deforum(text: &str) {
    let _ = Settings::read(text);
    for mode in [Mode::Compat, Mode::Lenient] {
        let _ = (expand(text, 12, 7, mode), expand_text(text, 12, 7, mode));
    }
}

#[test]
fn films_and_their_mutations_are_read_without_a_panic() {
    let seeds =
        texts(&["fuzz/corpus/parse", "fuzz/corpus/eval", "grammar/corpus/accept", "grammar/corpus/reject"]);
    seeds.iter().for_each(|text| film(text));
    let mut dice = Dice(1);
    for _ in 0..MUTATIONS {
        film(&dice.mutate(&seeds, SIGNS));
    }
}

#[test]
fn deforums_texts_and_their_mutations_are_read_without_a_panic() {
    let seeds = texts(&["fuzz/corpus/deforum_settings"]);
    seeds.iter().for_each(|text| deforum(text));
    let mut dice = Dice(2);
    for _ in 0..MUTATIONS {
        deforum(&dice.mutate(&seeds, SIGNS));
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let codes = |text: &str| -> Vec<&str> { parse(0, text).1.iter().map(|found| found.code).collect() };
    let huge = "zoom = 1\n".repeat(50_000_000 / 9);
    assert!(huge.len() > MAX_BYTES);
    assert_eq!(codes(&huge), ["E07"]);
    for open in ["(", "[", "f(", "-", "not (", "2**", "\"${", "x.f("] {
        let deep = std::format!("zoom = {}1\n", open.repeat(100_000));
        assert!(codes(&deep).contains(&"E07"), "{open} {:?}", codes(&deep));
        assert_eq!(format("film.kin", &deep).unwrap_err().exit_code(), 1);
    }
    assert!(codes(&"a {".repeat(100_000)).contains(&"E07"));
    assert!(codes(&std::format!("zoom = {}1", "1 + ".repeat(100_000))).contains(&"E07"));
    assert!(codes(&std::format!("zoom = x{}", ".f()".repeat(100_000))).contains(&"E07"));
    let many = "strenght = 0.5 $\n".repeat(200_000);
    assert!(!codes(&many).is_empty());
}
