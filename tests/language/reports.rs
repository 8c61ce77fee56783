//! What is said about films with mistakes.

use kinora::error::Error;
use kinora::schedule::diagnostic::{Diagnostics, Severity};
use kinora::schedule::report::{Style, json, render};
use kinora::schedule::{parse, read};

fn rejected(text: &str) -> Diagnostics {
    match read("film.kin", text) {
        Err(Error::Schedule(found)) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error in\n{text}"),
    }
}

fn snapshot(name: &str, text: String) {
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn forty_mistakes_are_forty_errors() {
    let found = rejected(include_str!("many-errors.kin"));
    snapshot("many-errors", render(&found, Style::default()));
    assert_eq!(found.of(Severity::Error).count(), 40);
}

#[test]
fn reports_read_as_designed() {
    let text = "kinora 1\nframes = 90\nzoom = 0:(1.0), 30:(1.02+0.01*sni(t/10))\nstrenght = 0.65\ntranslation_z = 40deg/s\n";
    snapshot("designed", render(&rejected(text), Style::default()));
    snapshot("designed-json", json(&rejected(text)));
}

#[test]
fn long_lines_are_cut_round_the_place() {
    let sum = (1..40).map(|n| format!("0.01*sin(t/{n})")).collect::<Vec<_>>().join(" + ");
    let text = format!("kinora 1\nframes = 90\nzoom = 1 + {sum} + sni(t) + {sum}\n");
    let report = render(&rejected(&text), Style { colour: false, width: 80 });
    assert!(report.lines().all(|line| line.chars().count() <= 80), "{report}");
    snapshot("long-line", report);
}

#[test]
fn colours_only_when_asked_for() {
    let found = rejected("frames = 1\nzom = 1\n");
    assert!(!render(&found, Style::default()).contains('\u{1b}'));
    assert!(render(&found, Style { colour: true, width: 80 }).contains('\u{1b}'));
}

#[test]
fn a_mistake_in_one_line_does_not_hide_the_next() {
    let found =
        rejected("prompt = \"a\nzom = 1\nangle = (1\nstregth = 2\nvideo { fps = } \ncontrast = 1.0.\n");
    let codes: Vec<&str> = found.of(Severity::Error).map(|found| found.code).collect();
    assert_eq!(codes, ["E02", "E21", "E03", "E21", "E01", "E01"]);
}

#[test]
fn floods_are_refused_without_falling_over() {
    for text in [
        "zoom = ".to_owned() + &"(".repeat(100_000),
        "zoom = ".to_owned() + &"[".repeat(100_000),
        "zoom = ".to_owned() + &"-".repeat(100_000) + "1",
        "zoom = ".to_owned() + &"not ".repeat(100_000) + "1",
        "zoom = 1".to_owned() + &" + 1".repeat(100_000),
        "zoom = 2".to_owned() + &" ** 2".repeat(100_000),
        "zoom = a".to_owned() + &".b()".repeat(100_000),
        "zoom = ".to_owned() + &"f(".repeat(100_000),
        "prompt = ".to_owned() + &"\"${".repeat(100_000),
        "a { ".repeat(100_000),
        "a ".repeat(100_000),
        "}".repeat(100_000),
        "\"".repeat(100_001),
        "@\n".repeat(100_000),
    ] {
        let (_, found) = parse::parse(0, &text);
        assert!(!found.is_empty(), "{}", &text[..40]);
    }
    let (_, found) = parse::parse(0, &"# long\n".repeat(1 << 20));
    assert_eq!(found[0].code, "E07");
}

#[test]
fn an_unreadable_film_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.kin");
    let error = kinora::schedule::load(&missing).unwrap_err();
    assert!(matches!(&error, Error::Input { path, .. } if *path == missing), "{error}");
    assert_eq!(error.exit_code(), 3);
    let binary = folder.path().join("binary.kin");
    std::fs::write(&binary, [b'a', 0xff]).unwrap();
    let error = kinora::schedule::load(&binary).unwrap_err();
    assert!(error.to_string().contains("expected UTF-8 text, found another byte at position 1"), "{error}");
}
