//! `kinora import`: whole films as snapshots, the round trip of schedules, what is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "import/round_trip.rs"]
mod round_trip;

use std::path::{Path, PathBuf};

use common::Desk;
use kinora::error::Error;
use kinora::import::{Imported, Kind, import};
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::settings::{animation_settings, expand_setting};
use kinora::timeline::frame::PromptBlend;
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

fn deforum(text: &str) -> Imported {
    import(Path::new("a.txt"), text.as_bytes(), Some(Kind::Deforum), Path::new("/nowhere")).unwrap()
}

#[track_caller]
fn timeline(film: &str) -> Timeline {
    let (film, found) = kinora::schedule::read("film.kin", film).unwrap();
    assert!(!found.has_errors());
    Timeline::new(&film, &Options::default()).unwrap()
}

#[test]
fn variation_seeds_become_subseeds() {
    let film = |switch: bool, strength: &str| {
        deforum(&format!(
            "{{\"max_frames\": 10, \"enable_subseed_scheduling\": {switch}, \"seed\": 5,
              \"subseed_schedule\": \"0:(70), 5:(s+1)\", \"subseed_strength_schedule\": \"{strength}\"}}"
        ))
    };
    let on = film(true, "0:(0), 9:(0.9)");
    let frame = timeline(&on.film).at(4).unwrap().sampling;
    assert_eq!(frame.subseed, 18, "{}", on.film);
    assert!((frame.subseed_strength - 0.4).abs() < 1e-9, "{}", on.film);
    assert_eq!(timeline(&on.film).at(7).unwrap().sampling.subseed, 6);
    assert!(on.report.carried.iter().any(|carried| carried.key == "subseed_strength_schedule"));
    assert!(on.report.not_carried.iter().all(|note| !note.key.contains("subseed")), "{}", on.report.text());
    for off in [film(false, "0:(0.5)"), film(true, "0:(0)")] {
        let params = timeline(&off.film).at(4).unwrap().sampling;
        assert_eq!(params.subseed_strength, 0.0, "{}", off.film);
        assert!(off.report.without_effect.iter().any(|note| note.key == "subseed_schedule"));
    }
}

fn parseq(text: &str) -> Imported {
    import(Path::new("a.json"), text.as_bytes(), Some(Kind::Parseq), Path::new("/nowhere")).unwrap()
}

/// What a frame is told, where the parts are composed.
#[track_caller]
fn told(film: &str, frame: u32, negative: bool) -> Vec<(String, f64)> {
    let params = timeline(film).at(frame).unwrap();
    let mix = if negative { params.negative } else { params.prompt };
    assert!(mix.parts.len() == 1 || mix.blend == PromptBlend::Composed, "{film}");
    mix.parts.into_iter().map(|(text, weight)| (text, (weight * 1e6).round() / 1e6)).collect()
}

fn mix(parts: &[(&str, f64)]) -> Vec<(String, f64)> {
    parts.iter().map(|(text, weight)| ((*text).to_owned(), *weight)).collect()
}

#[test]
fn interpolation_mode_fades_from_prompt_to_prompt() {
    let of = |prompts: &str, negative: &str| {
        deforum(&format!(
            "{{\"max_frames\": 20, \"animation_mode\": \"Interpolation\", \"prompts\": {{{prompts}}},
              \"animation_prompts_negative\": \"{negative}\"}}"
        ))
    };
    let is_changed = |imported: &Imported| imported.report.changed.iter().any(|note| note.key == "prompts");
    let found = of(
        r#""0": "a meadow", "8": "a field (hay:`0.5+t/8`) --neg snow", "max_f": "a wood", "99": "never""#,
        "fog",
    );
    assert!(!is_changed(&found), "{}\n{}", found.report.text(), found.film);
    let film = &found.film;
    assert_eq!(told(film, 0, false), mix(&[("a meadow", 1.0)]));
    assert_eq!(told(film, 2, false), mix(&[("a meadow", 0.75), ("a field (hay:0.75)", 0.25)]));
    assert_eq!(told(film, 2, true), mix(&[("fog", 0.75), ("snow  fog", 0.25)]));
    assert_eq!(told(film, 8, false), mix(&[("a field (hay:1.5)", 1.0)]));
    // In this mode `max_f` is the number of frames: 20.
    assert_eq!(told(film, 11, false), mix(&[("a field (hay:1.875)", 0.75), ("a wood", 0.25)]));
    // One prompt is no fade.
    assert!(!of(r#""0": "a meadow", "9": "a meadow""#, "").film.contains("prompt.blend"));
    // Deforum leaves out the side that is empty, which no fade does.
    let one_sided = of(r#""0": "a", "8": "b --neg snow""#, "");
    assert!(is_changed(&one_sided), "{}", one_sided.film);
    assert_eq!(told(&one_sided.film, 4, false), mix(&[("a", 0.5), ("b", 0.5)]));
}

#[test]
fn fractional_seeds_walk_as_in_parseq() {
    let of = |keys: &str| {
        let found = parseq(&format!("{{\"managedFields\": [\"seed\"], \"keyframes\": [{keys}]}}"));
        assert!(found.report.changed.is_empty(), "{}", found.report.text());
        let timeline = timeline(&found.film);
        move |frame| {
            let params = timeline.at(frame).unwrap().sampling;
            (params.seed, params.subseed, params.subseed_strength)
        }
    };
    let walk = of("{\"frame\": 0, \"seed\": 10}, {\"frame\": 4, \"seed\": 12}");
    assert_eq!((walk(1), walk(3)), ((10, 11, 0.5), (11, 12, 0.5)));
    assert_eq!((walk(2).0, walk(2).2), (11, 0.0));
    // A seed that stays does not count up.
    let still = of("{\"frame\": 0, \"seed\": 10.25}, {\"frame\": 4}");
    assert_eq!((still(0), still(3)), ((10, 11, 0.25), (10, 11, 0.25)));
    let rendered = |strength: f64| {
        let frame = |n: i32, seed: f64| {
            format!("{{\"frame\": {n}, \"seed\": {seed}, \"subseed\": 11, \"subseed_strength\": {strength}}}")
        };
        parseq(&format!("{{\"rendered_frames\": [{}, {}]}}", frame(0, 10.5), frame(1, 10.5)))
    };
    let found = rendered(0.5);
    assert!(found.report.without_effect.iter().any(|note| note.key == "subseed"), "{}", found.film);
    assert_eq!(timeline(&found.film).at(1).unwrap().sampling.subseed_strength, 0.5);
    assert!(rendered(0.25).report.not_carried.iter().any(|note| note.key == "subseed_strength"));
    let own = parseq(
        "{\"rendered_frames\": [{\"frame\": 0, \"seed\": 3, \"subseed\": 9, \"subseed_strength\": 0.25}]}",
    );
    let params = timeline(&own.film).at(0).unwrap().sampling;
    assert_eq!((params.seed, params.subseed, params.subseed_strength), (3, 9, 0.25), "{}", own.film);
}

#[test]
fn prompts_of_parseq_that_fade_into_each_other_do_so_in_the_film() {
    let document = |fade: i32| {
        parseq(&format!(
            r#"{{"keyframes": [{{"frame": 0, "noise": 1}}, {{"frame": 40}}], "prompts": {{
            "commonPrompt": {{"positive": "ink", "negative": "fog"}}, "promptList": [
            {{"positive": "a fox ${{f}}", "from": 0, "to": 20, "overlap": {{"type": "linear", "inFrames": 0, "outFrames": 10}}}},
            {{"positive": "a heron", "from": 10, "to": 40, "overlap": {{"type": "linear", "inFrames": {fade}, "outFrames": 0}}}}
            ]}}}}"#
        ))
    };
    let found = document(10);
    assert!(found.report.not_carried.is_empty(), "{}\n{}", found.report.text(), found.film);
    assert_eq!(told(&found.film, 10, false), mix(&[("a fox 10 ink", 1.0)]));
    assert_eq!(told(&found.film, 13, false), mix(&[("a fox 13 ink", 0.7), ("a heron ink", 0.3)]));
    assert_eq!(told(&found.film, 20, false), mix(&[("a heron ink", 1.0)]));
    assert_eq!(told(&found.film, 13, true), mix(&[("fog", 1.0)]));
    let other = document(5);
    assert!(other.report.not_carried.iter().any(|note| note.key == "prompts"), "{}", other.film);
    assert!(!other.film.contains("~linear"), "{}", other.film);

    let rendered = |middle: &str| {
        let texts = ["a --neg fog", "a: 1 AND b: 0.000 --neg fog: 1 AND fog: 0.000", middle];
        let last = ["a: 0.000 AND b: 1 --neg fog: 0.000 AND fog: 1", "b --neg fog"];
        let frames: Vec<String> = texts
            .iter()
            .chain(&last)
            .enumerate()
            .map(|(n, text)| format!("{{\"frame\": {n}, \"deforum_prompt\": \"{text}\"}}"))
            .collect();
        parseq(&format!("{{\"rendered_frames\": [{}]}}", frames.join(", ")))
    };
    let found = rendered("a: 0.5000 AND b: 0.5000 --neg fog: 0.5000 AND fog: 0.5000");
    assert_eq!(told(&found.film, 2, false), mix(&[("a", 0.5), ("b", 0.5)]), "{}", found.film);
    assert_eq!(told(&found.film, 2, true), mix(&[("fog", 1.0)]), "{}", found.film);
    assert!(found.film.contains("prompt       = 0: \"a\", 1: \"a\", 3: \"b\" ~linear"), "{}", found.film);
    let bent = rendered("a: 0.9000 AND b: 0.1000 --neg fog: 0.9000 AND fog: 0.1000");
    assert!(bent.report.not_carried.iter().any(|note| note.key == "deforum_prompt"), "{}", bent.film);
}

#[test]
fn names_of_the_studio_stand_in_for_those_of_deforum() {
    let of = |settings: &str| deforum(&format!("{{\"max_frames\": 3, {settings}}}"));
    let studio = of("\"width\": 1024, \"height\": \"580\", \"sampler_name\": \"dpmpp_2m_sde_gpu\"");
    assert!(studio.film.contains("size = 1024x576"), "{}", studio.film);
    assert!(studio.film.contains("sampler  = dpmpp_2m_sde\n"), "{}", studio.film);
    assert!(studio.report.unknown.is_empty(), "{}", studio.report.text());
    let usual = of("\"W\": 512, \"width\": 768, \"sampler\": \"Euler a\", \"sampler_name\": \"heun\"");
    assert!(usual.film.contains("size = 768x512") && usual.film.contains("= heun\n"), "{}", usual.film);
    // Where Deforum's own name says something, it counts, and the other one is named.
    let own = of("\"W\": 640, \"width\": 768, \"sampler\": \"Heun\", \"sampler_name\": \"euler\"");
    assert!(own.film.contains("size = 640x512") && own.film.contains("= heun\n"), "{}", own.film);
    let unknown: Vec<&str> = own.report.unknown.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(unknown, ["sampler_name", "width"]);
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
        "hybrid_motion = \"Optical Flow\": video input is not there yet",
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
    assert!(film.contains("source        = init(\"init.png\")\ninit_strength = 0.7"), "{film}");
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
