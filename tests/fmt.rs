//! `kinora fmt` and `kinora explain-error` as their users meet them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::Desk;

const UGLY: &str = "kinora 1\nprompt=\"a\"   # seen\nframes=4\n";
const NEAT: &str = "kinora 1\nprompt = \"a\"  # seen\nframes = 4\n";

#[test]
fn films_are_written_in_place_and_only_when_they_change() {
    let desk = Desk::new();
    desk.write("ugly.kin", UGLY);
    desk.write("neat.kin", NEAT);
    let before = std::fs::metadata(desk.path("neat.kin")).unwrap().modified().unwrap();
    assert_eq!(desk.run(&["fmt", "ugly.kin", "neat.kin"]).expect(0).stdout, "");
    assert_eq!(desk.read("ugly.kin"), NEAT.as_bytes());
    assert_eq!(std::fs::metadata(desk.path("neat.kin")).unwrap().modified().unwrap(), before);
    let left: Vec<_> =
        std::fs::read_dir(desk.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left beside the films: {left:?}");
}

#[test]
fn check_lists_what_would_change_and_changes_nothing() {
    let desk = Desk::new();
    desk.write("ugly.kin", UGLY);
    desk.write("neat.kin", NEAT);
    assert_eq!(desk.run(&["fmt", "--check", "neat.kin", "ugly.kin"]).expect(1).stdout, "ugly.kin\n");
    assert_eq!(desk.read("ugly.kin"), UGLY.as_bytes());
    assert_eq!(desk.run(&["fmt", "--check", "neat.kin"]).expect(0).stdout, "");
}

#[test]
fn a_film_with_syntax_errors_is_left_alone_and_the_others_are_not() {
    let desk = Desk::new();
    desk.write("broken.kin", "zoom = (1\n");
    desk.write("ugly.kin", UGLY);
    desk.run(&["fmt", "broken.kin", "ugly.kin"]).expect(1).says(&["error[E03]", "broken.kin:1:8"]);
    assert_eq!(desk.read("broken.kin"), b"zoom = (1\n");
    assert_eq!(desk.read("ugly.kin"), NEAT.as_bytes());
    desk.run(&["fmt", "missing.kin"]).expect(3).says(&["missing.kin"]);
    desk.write("bytes.kin", [0xff, 0xfe]);
    desk.run(&["fmt", "bytes.kin"]).expect(3).says(&["UTF-8"]);
    desk.run(&["fmt"]).expect(2);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let film = desk.write("ugly.kin", UGLY);
    std::fs::set_permissions(&film, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("ugly.kin", desk.path("link.kin")).unwrap();
    desk.run(&["fmt", "link.kin"]).expect(0);
    assert!(std::fs::symlink_metadata(desk.path("link.kin")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&film).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(desk.read("ugly.kin"), NEAT.as_bytes());
}

#[test]
fn stdin_goes_to_stdout() {
    let desk = Desk::new();
    let mut child =
        desk.kinora(&["fmt", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(UGLY.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(ran.status.success());
    assert_eq!(String::from_utf8_lossy(&ran.stdout), NEAT);
}

#[test]
fn errors_are_explained_and_listed() {
    let desk = Desk::new();
    let page = desk.run(&["explain-error", "e21"]).expect(0).stdout;
    for part in ["E21: an unknown setting", "Wrong:", "    strenght = 0.6", "Right:", "    strength = 0.6"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let list = desk.run(&["explain-error"]).expect(0).stdout;
    assert!(list.lines().count() > 30 && list.contains("E21  an unknown setting") && list.contains("W01  "));
    desk.run(&["explain-error", "E98"]).expect(2).says(&["E98"]);
}
