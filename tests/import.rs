//! `kinora import`: whole films as snapshots, the round trip of schedules, what is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "import/over_time.rs"]
mod over_time;
#[path = "import/round_trip.rs"]
mod round_trip;

use std::path::{Path, PathBuf};

use common::Desk;
use kinora::error::Error;
use kinora::import::{Imported, Kind, import};
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::settings::{animation_settings, expand_setting};
use kinora::timeline::{Options, Timeline};
use proptest::prelude::*;
use round_trip::{difference, series};

fn file(name: &str) -> PathBuf {
    common::root().join("tests/import/files").join(name)
}

fn imported(name: &str) -> Imported {
    let path = file(name);
    import(&path, &std::fs::read(&path).unwrap(), None, Path::new("/nowhere")).unwrap()
}

/// The film and the report, without the version of the program.
fn whole(imported: &Imported) -> String {
    let version = format!("kinora {}.", env!("CARGO_PKG_VERSION"));
    format!("{}----\n{}", imported.film.replace(&version, "kinora VERSION."), imported.report.text())
}

#[test]
fn films_read_as_their_authors_would_have_written_them() {
    for name in ["flat.txt", "deep.json", "refused.txt", "document.json", "manifest.json", "picture.txt"] {
        let imported = imported(name);
        insta::with_settings!({ snapshot_path => "import/snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, whole(&imported));
        });
        assert!(
            imported.report.errors.iter().all(|e| e.code == "E91"),
            "{name}: {:?}",
            imported.report.errors
        );
        let (film, found) = kinora::schedule::read("film.kin", &imported.film).unwrap();
        assert!(!found.has_errors(), "{name}");
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        assert!(!timeline.check_all_frames().has_errors(), "{name}");
    }
}

/// 1e-9: what the language keeps of a number that an import rounds to 12 digits.
#[track_caller]
fn same_schedules(text: &str, film: &str, seed: i64, refused: &[String]) {
    let settings = Settings::read(text).unwrap();
    let frames = settings.get("max_frames").and_then(serde_json::Value::as_f64).unwrap() as u32;
    let names: Vec<(&str, String)> = animation_settings().collect();
    for (name, found) in series(film, seed).unwrap() {
        let (_, setting) = names.iter().find(|(known, _)| *known == name).unwrap();
        if refused.contains(setting) {
            continue;
        }
        let expected = expand_setting(&settings, setting, frames, seed, Mode::Compat).unwrap();
        let (error, place) = difference(&found, &expected);
        assert!(error <= 1e-9, "{name}: {place}\n{}\n{film}", settings.schedule(setting).unwrap_or_default());
    }
}

#[test]
fn every_schedule_comes_back() {
    for (name, seed) in [("flat.txt", 41), ("deep.json", 1234), ("refused.txt", 3)] {
        let imported = imported(name);
        let refused: Vec<String> = imported.report.errors.iter().map(|wrong| wrong.key.clone()).collect();
        same_schedules(&std::fs::read_to_string(file(name)).unwrap(), &imported.film, seed, &refused);
    }
}

#[test]
fn nothing_of_a_file_is_dropped_in_silence() {
    for name in ["flat.txt", "deep.json", "refused.txt"] {
        let text = std::fs::read_to_string(file(name)).unwrap();
        let report = serde_json::to_string(&imported(name).report).unwrap();
        let keys = text.lines().flat_map(|line| line.split(", \"").map(str::to_owned).collect::<Vec<_>>());
        for key in
            keys.filter_map(|part| Some(part.trim().trim_start_matches('"').split_once("\": ")?.0.to_owned()))
        {
            let is_name = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !key.bytes().all(|b| b.is_ascii_digit());
            let found =
                report.contains(&format!("\"key\":\"{key}\"")) || report.contains(&format!("`{key}`"));
            assert!(!is_name || found || key.ends_with("prompts"), "{name}: `{key}` is not in the report");
        }
    }
}

#[test]
fn documents_have_the_values_of_their_formulas() {
    let film = imported("document.json").film;
    let (film, _) = kinora::schedule::read("film.kin", &film).unwrap();
    let timeline = Timeline::new(&film, &Options::default()).unwrap();
    let value = |name: &str, frame| timeline.value(name, frame).unwrap().as_f64().unwrap();
    // 10 / 4 / 2 is 10 / (4 / 2) there.
    assert!((value("noise", 0) - 0.05).abs() < 1e-12);
    assert!((value("zoom", 9) - 1.02).abs() < 1e-12);
    assert_eq!(value("translation_x", 5), 2.0);
    assert_eq!(value("translation_x", 30), 0.0);
    assert_eq!(value("seed", 12), 19.0);
    assert_eq!((value("contrast", 19), value("contrast", 20)), (1.0, 1.1));
    // At frame 3 the condition holds, at frame 6 it does not.
    assert_eq!((value("guidance", 3), value("guidance", 6)), (8.0, 7.6));
    let angle = |frame: f64| 1.0 + 3.0 * libm::sin((frame + 5.0) * std::f64::consts::TAU / 20.0);
    assert!((value("angle", 8) - (angle(8.0) - angle(7.0))).abs() < 1e-9);
}

#[test]
fn files_of_other_kinds_are_refused_with_what_was_found() {
    let refuse = |bytes: &[u8], kind: Option<Kind>, parts: &[&str]| {
        let error = import(Path::new("file.txt"), bytes, kind, Path::new("")).unwrap_err();
        let text = format!("{error} / {}", error.hint().unwrap_or_default());
        assert!(matches!(error, Error::Input { .. }), "{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is not in: {text}"));
    };
    refuse(b"", None, &["an empty file"]);
    refuse(b"{\"a\": 1, \"b\": 2}", None, &["a JSON object with `a`, `b`", "--from deforum"]);
    refuse(b"[1, 2]", None, &["a JSON list"]);
    refuse(b"hello there", None, &["a text that begins `hello there`"]);
    refuse(b"{\n  \"zoom\": \"0:(1)\",\n  \"angle\" \"0\"\n}", None, &["line 3 column"]);
    refuse(b"{\"zoom\": \xff}", None, &["position 9"]);
    refuse(b"{\"prompts\": 3}", None, &["prompts"]);
    refuse(b"{\"x\": 1}", Some(Kind::Parseq), &["`keyframes` or `rendered_frames`"]);
    refuse(b"a cat", Some(Kind::A1111), &["Steps: 20"]);
    refuse(b"\x89PNG\r\n\x1a\nbroken", None, &["cannot be read"]);
    refuse(&b"[".repeat(1_000_000), Some(Kind::Deforum), &["JSON"]);
    refuse(&b"{\"keyframes\":".repeat(100_000), None, &["JSON"]);
}

/// A PNG of one pixel with the text in it.
fn picture(text: &str, is_unicode: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Grayscale);
    if is_unicode {
        encoder.add_itxt_chunk("parameters".to_owned(), text.to_owned()).unwrap();
    } else {
        encoder.add_text_chunk("parameters".to_owned(), text.to_owned()).unwrap();
    }
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
    bytes
}

#[test]
fn pictures_of_the_web_ui_carry_their_parameters() {
    let text = std::fs::read_to_string(file("picture.txt")).unwrap();
    let plain =
        import(Path::new("picture.txt"), &picture(text.trim_end(), false), None, Path::new("")).unwrap();
    assert_eq!(plain.film, imported("picture.txt").film);
    let text = "ein Gärtner, 庭師\nSteps: 5, Sampler: Euler, CFG scale: 2, Seed: 1";
    let unicode = import(Path::new("a.png"), &picture(text, true), None, Path::new("")).unwrap();
    assert!(unicode.film.contains("prompt = \"ein Gärtner, 庭師\""), "{}", unicode.film);
    let mut empty = Vec::new();
    png::Encoder::new(&mut empty, 1, 1).write_header().unwrap().write_image_data(&[0]).unwrap();
    let error = import(Path::new("a.png"), &empty, None, Path::new("")).unwrap_err();
    assert!(error.to_string().contains("found none"), "{error}");
}

#[test]
fn the_command_writes_a_film_that_checks_and_never_replaces_one() {
    let desk = Desk::new();
    let text = std::fs::read_to_string(file("flat.txt")).unwrap();
    desk.write("settings.txt", &text);
    desk.run(&["import", "settings.txt"]).expect(0).says(&[
        "not carried over",
        "my_own_note = \"keep me\"",
        "wrote settings.kin",
    ]);
    desk.run(&["check", "settings.kin"]).expect(0);
    desk.run(&["import", "settings.txt"]).expect(2).says(&["settings.kin is there already", "--force"]);
    desk.run(&["import", "settings.txt", "--force"]).expect(0);
    let ran = desk.run(&["import", "settings.txt", "-o", "other.kin", "--format", "json"]).expect(0);
    let data: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&data["kind"], &data["film"]), (&"deforum".into(), &"other.kin".into()));
    assert_eq!(data["unknown"][0]["key"], "my_own_note");
    assert_eq!(desk.read("other.kin"), desk.read("settings.kin"));
    desk.write("refused.txt", std::fs::read_to_string(file("refused.txt")).unwrap());
    desk.run(&["import", "refused.txt"]).expect(1).says(&["error[E91]: `zoom`", "sni(t)", "^^^"]);
    desk.run(&["check", "refused.kin"]).expect(0);
    let film = desk.run(&["import", "settings.txt", "-o", "-"]).expect(0).stdout;
    assert_eq!(film.into_bytes(), desk.read("settings.kin"));
    desk.run(&["import", "nowhere.txt"]).expect(3).says(&["nowhere.txt"]);
    desk.write("list.json", "[1]");
    desk.run(&["import", "list.json"]).expect(3).says(&["expected Deforum settings"]);
    desk.write("init.png", picture("nothing", false));
    desk.write(
        "init.txt",
        "{\"use_init\": true, \"init_image\": \"init.png\", \"strength\": 0.7, \"max_frames\": 5}",
    );
    desk.run(&["import", "init.txt"]).expect(0);
    let film = String::from_utf8(desk.read("init.kin")).unwrap();
    assert!(film.contains("source           = init(\"init.png\")\ninit_strength    = 0.7"), "{film}");
}

fn schedule() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0..200_i32).prop_map(|n| format!("{}", f64::from(n) / 100.0)),
        (0..9_i32).prop_map(|n| n.to_string()),
    ];
    let value = prop_oneof![
        4 => number.clone(),
        1 => number.clone().prop_map(|n| format!(" {n} ")),
        1 => number.clone().prop_map(|n| format!("{n} + 0.3*sin(t/7)**1")),
        1 => number.clone().prop_map(|n| format!("cos(t/{n}.5 + 1)**0.9 + {n}")),
        1 => number.clone().prop_map(|n| format!("{n}*(t>4)+t%5/10")),
        1 => number.prop_map(|n| format!("{n} + s/max_f")),
        1 => Just("sqrt(t-3)".to_owned()),
        1 => Just("1/t".to_owned()),
        1 => Just("t^2".to_owned()),
        1 => "[a-z0-9()+*/ .]{0,9}",
    ];
    let frame = prop_oneof![
        4 => (0..60_u32).prop_map(|n| n.to_string()),
        1 => Just("max_f/2".to_owned()),
        1 => Just("\"max_f-2\"".to_owned()),
    ];
    let keys = prop::collection::vec((frame, value.clone()), 0..5);
    (value, keys).prop_map(|(first, keys)| {
        let keys: String = keys.iter().map(|(frame, value)| format!(", {frame}:({value})")).collect();
        format!("0:({first}){keys}")
    })
}

const NAMES: [&str; 16] = [
    "zoom",
    "angle",
    "translation_x",
    "translation_z",
    "rotation_3d_x",
    "fov_schedule",
    "strength_schedule",
    "noise_schedule",
    "contrast_schedule",
    "cfg_scale_schedule",
    "amount_schedule",
    "kernel_schedule",
    "perspective_flip_phi",
    "seed_schedule",
    "hybrid_comp_alpha_schedule",
    "steps_schedule",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_settings_become_a_film_with_the_same_schedules(
        schedules in prop::collection::btree_map(prop::sample::select(&NAMES[..]), schedule(), 0..7),
        frames in 1..50_u32,
        mode in prop::sample::select(vec!["2D", "3D", "Interpolation"]),
        switches in any::<[bool; 3]>(),
        prompt in "[ -~\n]{0,30}",
    ) {
        let mut settings = serde_json::json!({
            "max_frames": frames, "animation_mode": mode, "enable_steps_scheduling": switches[0],
            "enable_perspective_flip": switches[1],
            "seed_behavior": if switches[2] { "schedule" } else { "iter" }, "prompts": {"0": prompt},
        });
        for (name, text) in schedules {
            settings[name] = text.into();
        }
        let text = settings.to_string();
        let imported = import(Path::new("a.txt"), text.as_bytes(), Some(Kind::Deforum), Path::new("/nowhere")).unwrap();
        let refused: Vec<String> = imported.report.errors.iter().map(|wrong| wrong.key.clone()).collect();
        for wrong in &imported.report.errors {
            prop_assert_eq!(wrong.code, "E91", "{}: {}\n{}", wrong.text, wrong.message, imported.film);
        }
        same_schedules(&text, &imported.film, 0, &refused);
    }

    #[test]
    fn no_file_makes_it_panic(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for kind in [None, Some(Kind::Deforum), Some(Kind::Parseq), Some(Kind::A1111)] {
            let _ = import(Path::new("a"), text.as_bytes(), kind, Path::new("/nowhere"));
            let _ = import(Path::new("a"), &bytes, kind, Path::new("/nowhere"));
            let keyed = format!("{{\"keyframes\": [{{\"frame\": 0, \"zoom\": 1, \"zoom_i\": {text:?}}}, {{\"frame\": 3}}]}}");
            let _ = import(Path::new("a"), keyed.as_bytes(), kind, Path::new("/nowhere"));
        }
    }
}
