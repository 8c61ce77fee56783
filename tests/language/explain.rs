//! The pages of `kinora explain-error` against the program.

use std::collections::BTreeSet;
use std::path::Path;

use kinora::error::Error;
use kinora::run::project::Project;
use kinora::run::table::{Names, table};
use kinora::schedule::explain::{PAGES, Page, find};
use kinora::timeline::{Compat, Options};

/// A fence: its language, the name of a file if it has one, and its text.
struct Fence<'a> {
    language: &'a str,
    file: Option<&'a str>,
    compat: Compat,
    text: String,
}

fn fences(page: &Page) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut words = info.split_whitespace();
        let (language, behind) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
        let (file, compat) = match behind.as_slice() {
            ["--compat", "deforum"] => (None, Compat::Deforum),
            [] => (None, Compat::Native),
            [file] => (Some(*file), Compat::Native),
            _ => panic!("{}: the fence `{info}`", page.code),
        };
        let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        fences.push(Fence { language, file, compat, text });
    }
    fences
}

/// The codes that the program finds in a film which lies in `folder`.
fn codes(folder: &Path, film: &Fence<'_>) -> BTreeSet<String> {
    let path = folder.join("film.kin");
    std::fs::write(&path, &film.text).unwrap();
    let warnings = match film.compat {
        Compat::Native => Project::open(&path).map(|project| project.warnings),
        compat => table(&path, Names::Kinora, &Options { compat, ..Options::default() }).map(|found| found.1),
    };
    let found = match warnings {
        Ok(found) | Err(Error::Schedule(found)) => found,
        Err(other) => panic!("{other}\n{}", film.text),
    };
    found.list.iter().map(|found| found.code.to_owned()).collect()
}

#[test]
fn examples_show_their_code_and_its_fix() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/corpus");
    // A build without FFmpeg hears and sees nothing.
    let heard = PAGES.iter().filter(|page| {
        cfg!(feature = "ffmpeg") || ["audio(\"", "video(\""].iter().all(|call| !page.text.contains(call))
    });
    for page in heard {
        let folder = tempfile::tempdir().unwrap();
        for sound in ["beat.wav", "silence.wav", "clip.mp4"] {
            std::fs::copy(corpus.join(sound), folder.path().join(sound)).unwrap();
        }
        let fences = fences(page);
        for fence in &fences {
            if let Some(file) = fence.file {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, &fence.text).unwrap();
            }
        }
        let films: Vec<&Fence<'_>> =
            fences.iter().filter(|fence| fence.language == "kin" && fence.file.is_none()).collect();
        match films.as_slice() {
            [wrong, right] => {
                // Of the reader's own models, which the films change between, none is here.
                let own = if page.code == "W34" { "E67" } else { "" };
                let found = |film| codes(folder.path(), film).into_iter().filter(|code| code != own);
                let expected = BTreeSet::from([page.code.to_owned()]);
                assert_eq!(found(wrong).collect::<BTreeSet<_>>(), expected, "{}: the wrong film", page.code);
                assert_eq!(found(right).collect::<Vec<_>>(), [""; 0], "{}: the right film", page.code);
            }
            [] => assert!(!fences.is_empty(), "{} has no example", page.code),
            _ => panic!("{} needs a wrong film and a right one", page.code),
        }
    }
}

#[test]
fn every_code_of_the_program_has_a_page_and_every_page_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = BTreeSet::new();
    collect(&root, &mut used);
    let listed: BTreeSet<String> = PAGES.iter().map(|page| page.code.to_owned()).collect();
    let missing: Vec<&String> = used.difference(&listed).collect();
    assert!(missing.is_empty(), "write src/schedule/explain/CODE.md for {missing:?} (see mod.rs there)");
    let unused: Vec<&String> = listed.difference(&used).collect();
    assert!(unused.is_empty(), "nothing in the program has the codes {unused:?}: delete their pages");
    let files: BTreeSet<String> = std::fs::read_dir(root.join("schedule/explain"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, listed, "the list in src/schedule/explain/mod.rs");
}

#[test]
fn pages_have_a_title_and_words() {
    for page in PAGES {
        assert!(page.text.starts_with("# ") && !page.title().is_empty(), "{}", page.code);
        assert!(page.text.lines().nth(2).is_some_and(|line| line.len() > 20), "{}", page.code);
        assert_eq!(find(&page.code.to_lowercase()), Some(page));
    }
    assert_eq!(find("E99"), None);
}

/// Codes in quotes in the source, `"E12"`, tests left aside.
fn collect(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, used);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
            let quoted = code.match_indices('"').filter_map(|(at, _)| code.get(at + 1..at + 5));
            used.extend(quoted.filter(|text| is_code(text)).map(|text| text[..3].to_owned()));
        }
    }
}

fn is_code(text: &str) -> bool {
    text.starts_with(['E', 'W'])
        && text[1..3].bytes().all(|byte| byte.is_ascii_digit())
        && text.ends_with('"')
}
