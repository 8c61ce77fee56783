//! The README is true: its films are whole films, and every command in it runs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, root, two_steps};

/// Fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in text.lines() {
        match &mut open {
            None if line == format!("```{language}") => open = Some(Vec::new()),
            None => {}
            Some(lines) if line == "```" => {
                found.push(lines.join("\n"));
                open = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    found
}

/// Copies the examples, at a size that a test can afford.
fn copy_examples(desk: &Desk) {
    for folder in ["examples", "examples/batch", "examples/deflicker-timelapse"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap().flatten().filter(|e| e.path().is_file())
        {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let bytes = std::fs::read(entry.path()).unwrap();
            desk.write(&name, small(&bytes));
        }
    }
}

/// Films at 64x64 and two steps; other files as they are.
fn small(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("kinora 1") => {
            let text =
                text.replace("256x256", "64x64").replace("128x128", "64x64").replace("fps = 8", "fps = 4");
            two_steps(&text).into_bytes()
        }
        _ => bytes.to_vec(),
    }
}

/// A line as a shell takes it apart: words, of which quoted ones may have blanks, up to a remark.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted && words.last().is_some_and(String::is_empty) => break,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => words.last_mut().expect("it begins with one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let desk = Desk::new();
    copy_examples(&desk);
    for film in blocks(&readme, "kin") {
        let name =
            film.lines().next().and_then(|l| l.strip_prefix("# ")).expect("a film begins with its name");
        desk.write(name, small(film.split_once('\n').unwrap().1.as_bytes()));
    }
    let mut ran = 0;
    for line in blocks(&readme, "sh").iter().flat_map(|block| block.lines()) {
        let words = words(line);
        let mut words = words.iter().map(String::as_str);
        match words.next() {
            Some("kinora") => {
                let args: Vec<&str> = words.collect();
                desk.run(&args).expect(0);
                ran += 1;
            }
            Some("make") => {
                let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
                let target = words.next().unwrap();
                assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no `{target}`");
            }
            other => panic!("a command that no test runs: {other:?}"),
        }
    }
    assert!(ran >= 8, "only {ran} commands were found in the README");
}

#[test]
fn commands_and_examples_that_are_named_exist() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for (_, rest) in readme.match_indices("](").map(|(at, _)| readme.split_at(at + 2)) {
        let target = &rest[..rest.find(')').unwrap()];
        assert!(target.starts_with("https://") || root().join(target).exists(), "{target} does not exist");
    }
    let picture = std::fs::metadata(root().join("examples/infinite-zoom.jpg")).unwrap();
    assert!(picture.len() < 400_000, "the README's picture is too large");
}

#[test]
fn the_exit_codes_of_readme_and_help_agree() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = Desk::new().run(&["--help"]).expect(0).stdout;
    for code in ["0", "1", "2", "3", "4", "130"] {
        assert!(readme.contains(&format!("| {code} |")), "README lacks {code}");
        assert!(
            help.split_whitespace().any(|w| w.trim_matches([',', ':', '.']) == code),
            "help lacks {code}"
        );
    }
}
