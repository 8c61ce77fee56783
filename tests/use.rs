//! Films of several files: which setting wins, where reports point, what is read how often.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::rc::Rc;

use common::{Desk, tiny_film};
use kinora::schedule::diagnostic::{Diagnostics, Severity};
use kinora::schedule::film::{Film, SettingValue};
use kinora::schedule::library::Memory;
use kinora::schedule::report::{Style, json, render};
use kinora::schedule::{presets, read_from};
use kinora::timeline::frame::{Camera, ControlInput, FrameParams};
use kinora::timeline::{Options, Timeline};
use proptest::prelude::*;

/// The film `film.kin` among `files`.
fn film(files: &[(&str, &str)]) -> (Film, Diagnostics) {
    let library = files.iter().fold(Memory::default(), |all, (name, text)| all.with(name, *text));
    let text = files.iter().find(|(name, _)| *name == "film.kin").unwrap().1;
    read_from(Rc::new(library), Path::new(""), "film.kin", text, &[])
}

fn first_frame(files: &[(&str, &str)]) -> FrameParams {
    let (film, found) = film(files);
    assert!(!found.has_errors(), "{}", render(&found, Style::default()));
    Timeline::new(&film, &Options::default()).unwrap().at(0).unwrap()
}

/// The number that the film sets `name` to.
fn number(film: &Film, name: &str) -> f64 {
    let SettingValue::Track(keys) = &film.setting(name).unwrap().value else { panic!("a track") };
    film.sources.text(keys[0].value.span).parse().unwrap()
}

#[test]
fn the_later_setting_wins_and_says_which_it_replaced() {
    let (before, _) = film(&[
        ("film.kin", "kinora 1\nuse \"look.kin\"\nstrength = 0.5\nframes = 2\nprompt = \"a\""),
        ("look.kin", "strength = 0.7\nnoise = 0.1"),
    ]);
    assert_eq!((number(&before, "strength"), number(&before, "noise")), (0.5, 0.1));
    let strength = before.setting("strength").unwrap();
    assert_eq!((strength.name.span.source, strength.replaced[0].span.source), (0, 1));
    let (after, _) = film(&[
        ("film.kin", "kinora 1\nstrength = 0.5\nframes = 2\nprompt = \"a\"\nuse \"look.kin\""),
        ("look.kin", "strength = 0.7"),
    ]);
    assert_eq!(number(&after, "strength"), 0.7);
    assert_eq!(after.setting("strength").unwrap().name.span.source, 1);
}

#[test]
fn strength_of_one_file_takes_the_place_of_denoise_in_another() {
    let params = first_frame(&[
        ("film.kin", "kinora 1\nuse \"look.kin\"\ndenoise = 0.25\nframes = 2\nprompt = \"a\""),
        ("look.kin", "strength = 0.1"),
    ]);
    assert_eq!(params.sampling.strength, 0.75);
}

#[test]
fn the_frame_rate_follows_the_last_file_even_to_the_default() {
    let (film, _) = film(&[
        ("film.kin", "kinora 1\nuse \"look.kin\"\nvideo { fps = 12 }\nframes = 2\nprompt = \"a\""),
        ("look.kin", "video { fps = 24  bpm = 90 }"),
    ]);
    assert_eq!((film.tempo.rate.num, film.tempo.bpm), (12, Some(90.0)));
}

#[test]
fn a_bound_name_changes_what_the_used_file_computes() {
    let params = first_frame(&[
        ("film.kin", "kinora 1\nuse \"look.kin\"\nlet speed = 2\nframes = 2\nprompt = \"a\""),
        ("look.kin", "let speed = 1\nlet twice = speed * 2\nfn f(x) = x + speed\nangle = f(twice)"),
    ]);
    let Camera::Flat(camera) = params.camera else { panic!("a flat camera") };
    assert_eq!(camera.angle, 6.0);
}

#[test]
fn controls_of_one_name_merge() {
    let params = first_frame(&[
        ("film.kin", "kinora 1\nuse \"look.kin\"\ncontrol a { weight = 0.5 }\nframes = 2\nprompt = \"a\""),
        ("look.kin", "control a { weight = 1  start = 0.25 }\ncontrol b { end = 0.5 }"),
    ]);
    let found: Vec<_> = params.controls.iter().map(|c| (c.name.as_str(), c.weight, c.start, c.end)).collect();
    assert_eq!(found, [("a", 0.5, 0.25, 1.0), ("b", 1.0, 0.0, 0.5)]);
}

#[test]
fn paths_are_relative_to_the_file_they_stand_in() {
    let files = [
        (
            "film.kin",
            "kinora 1\nuse \"looks/rain.kin\"\nframes = 2\nprompt = \"a\"\nvideo { out = \"x.mp4\" }",
        ),
        (
            "looks/rain.kin",
            "use \"../shared/base.kin\"\ncontrol a { image = \"map.png\"  from = as_is }\nmodel = \"tiny\"",
        ),
        ("shared/base.kin", "source = still(\"deep/a.png\")\ncontrol b { model = \"nets/depth\" }"),
    ];
    let params = first_frame(&files);
    let image = params.controls.iter().find(|control| control.name == "a").unwrap();
    assert!(matches!(&image.input, ControlInput::Picture(path) if path == Path::new("looks/map.png")));
    let model = params.controls.iter().find(|control| control.name == "b").unwrap();
    assert_eq!(model.model.as_deref(), Some("shared/nets/depth"));
    // The name of a model is no path.
    assert_eq!(params.sampling.model.as_deref(), Some("tiny"));
    let named: Vec<String> =
        film(&files).0.files().iter().map(|file| file.path.display().to_string()).collect();
    assert!(named.contains(&"shared/deep/a.png".to_owned()), "{named:?}");
}

#[test]
fn a_file_beside_the_film_wins_over_a_preset() {
    let text = "kinora 1\nuse \"presets/zoom.kin\"\nframes = 2\nprompt = \"a\"";
    let own = first_frame(&[("film.kin", text), ("presets/zoom.kin", "zoom = 1.125")]);
    let Camera::Flat(camera) = own.camera else { panic!("a flat camera") };
    assert_eq!(camera.zoom, 1.125);
    let built_in = first_frame(&[("film.kin", text)]);
    assert_ne!(built_in.camera, own.camera);
}

#[test]
fn every_preset_is_valid_by_itself() {
    assert!(presets::all().len() >= 10);
    for preset in presets::all() {
        let text = format!("kinora 1\nuse \"{}\"\nframes = 12  prompt = \"a\"", preset.name);
        let (film, found) = film(&[("film.kin", &text)]);
        assert!(found.list.is_empty(), "{}: {}", preset.name, render(&found, Style::default()));
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        assert!(timeline.warnings().list.is_empty() && timeline.check_all_frames().list.is_empty());
        // What the comment promises is what the preset sets.
        let says = preset.text.split("# Sets ").nth(1).unwrap().split(".\n").next().unwrap();
        let mut says: Vec<&str> = says.split(", ").collect();
        says.sort_unstable();
        let sets: Vec<&str> =
            film.settings.keys().copied().filter(|n| !["frames", "prompt"].contains(n)).collect();
        assert_eq!(says, sets, "{}", preset.name);
        assert!(preset.help().len() > 40, "{}", preset.name);
    }
}

#[test]
fn reports_name_the_file_and_come_in_the_order_of_files() {
    let (_, found) = film(&[
        (
            "film.kin",
            "kinora 1\nuse \"sub/a.kin\"\nframes = 2\nprompt = \"a\"\nzom = 1\nstrength = 0.5\nstrength = 0.6",
        ),
        ("sub/a.kin", "use \"b.kin\"\nstrenght = 1\nzoom = 1 + sni(t)"),
        ("sub/b.kin", "noise = 3deg\nuse \"a.kin\"\nuse \"c.kin\""),
    ]);
    let text = render(&found, Style::default());
    insta::with_settings!({ snapshot_path => "language/snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("several-files", text);
    });
    let data: serde_json::Value = serde_json::from_str(&json(&found)).unwrap();
    let files: Vec<&str> =
        data.as_array().unwrap().iter().map(|d| d["place"]["file"].as_str().unwrap()).collect();
    let mut sorted = files.clone();
    sorted.sort_by_key(|name| ["film.kin", "sub/a.kin", "sub/b.kin"].iter().position(|known| known == name));
    assert_eq!(files, sorted);
    assert_eq!(files.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
}

#[test]
fn limits_hold_and_cost_nothing() {
    let long = format!("noise = 0.1 # {}", "x".repeat(5 << 20));
    let (_, found) =
        film(&[("film.kin", "kinora 1\nuse \"a.kin\"\nframes = 2\nprompt = \"a\""), ("a.kin", &long)]);
    assert_eq!(found.of(Severity::Error).map(|d| d.code).collect::<Vec<_>>(), ["E63"]);
    let names: Vec<String> = (0..300).map(|n| format!("f{n}.kin")).collect();
    let uses: String = names.iter().map(|name| format!("use \"{name}\"\n")).collect();
    let text = format!("kinora 1\n{uses}frames = 2\nprompt = \"a\"");
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "noise = 0.1")).collect();
    files.push(("film.kin", &text));
    let (_, found) = film(&files);
    assert_eq!(found.of(Severity::Error).filter(|d| d.code == "E63").count(), 45);
}

#[test]
fn series_are_values_like_any_other() {
    let text = "kinora 1\nfps = 4\nprompt = \"n ${level}\"\nlet level = series(\"n.csv\")\n\
        fn late(t) = series(\"n.csv\", at=t - 1) + series(\"n.csv\")\n\
        translation_x = late(t)\nangle = 0: 0, 2: level\ncontrast = series(\"n.csv\", at=0.5s)\n\
        translation_y = series(\"s.json\", \"x\", time=\"sec\", interpolate=hold)\n\
        scene a 1s { }\nscene b 1s { zoom = 1 + 0.01 * level }\n";
    let files = [
        ("film.kin", text),
        ("n.csv", "1\n2\n4\n8\n"),
        ("s.json", "[{\"sec\": 0.25, \"x\": 5}, {\"sec\": 0.5, \"x\": 7}]"),
    ];
    let (film, found) = film(&files);
    assert!(found.list.iter().all(|d| d.code == "W05"), "{}", render(&found, Style::default()));
    assert_eq!(film.files().iter().filter(|file| file.param == "series").count(), 5);
    let timeline = Timeline::new(&film, &Options::default()).unwrap();
    let camera = |frame: u32| match timeline.at(frame).unwrap().camera {
        Camera::Flat(camera) => camera,
        Camera::Deep(_) => panic!("a flat camera"),
    };
    // At the top of the film it runs through the scenes; the ends hold.
    assert_eq!([0, 1, 3, 5].map(|frame| camera(frame).translation_x), [2.0, 3.0, 12.0, 16.0]);
    assert_eq!([0, 1, 2, 7].map(|frame| camera(frame).angle), [0.0, 2.0, 4.0, 8.0]);
    assert_eq!([0, 1, 2, 7].map(|frame| camera(frame).translation_y), [5.0, 5.0, 7.0, 7.0]);
    // In a scene it begins with the scene.
    assert_eq!([4, 5].map(|frame| camera(frame).zoom), [1.01, 1.02]);
    assert_eq!(timeline.at(6).unwrap().colour.contrast, 4.0);
    assert_eq!(timeline.at(2).unwrap().prompt, "n 4.0");
}

#[test]
fn frames_do_not_depend_on_the_folder() {
    let desk = Desk::new();
    let files = |folder: &str| {
        desk.write(&format!("{folder}/film.kin"), format!("{}use \"looks/a.kin\"\n", tiny_film(2)));
        desk.write(
            &format!("{folder}/looks/a.kin"),
            "use \"../deep/b.kin\"\nnoise = 0.01 * series(\"n.csv\")\nsource = init(\"a.png\")",
        );
        desk.write(&format!("{folder}/looks/n.csv"), "1\n2\n");
        desk.write(&format!("{folder}/deep/b.kin"), "contrast = 1.01");
        common::picture(&desk.path(&format!("{folder}/looks/a.png")), 64, 64);
    };
    files("here \"now\"");
    desk.run(&["render", "here \"now\"/film.kin"]).expect(0);
    std::fs::rename(desk.path("here \"now\""), desk.path("there")).unwrap();
    let ran = desk.run(&["render", "there/film.kin"]).expect(0);
    assert!(ran.stderr.contains("is up to date; nothing to do"), "{}", ran.stderr);
    // A number of the series changes the frames from its own on, and no other.
    let before = desk.read("there/film.frames/000000.png");
    let second = desk.read("there/film.frames/000001.png");
    desk.write("there/looks/n.csv", "1\n9\n");
    let ran = desk.run(&["render", "there/film.kin"]).expect(0);
    assert!(ran.stderr.contains("1 of 2 frames were there already"), "{}", ran.stderr);
    assert_eq!(before, desk.read("there/film.frames/000000.png"));
    assert_ne!(second, desk.read("there/film.frames/000001.png"));
}

#[test]
fn missing_pictures_and_models_are_found_with_everything_else() {
    let desk = Desk::new();
    common::picture(&desk.path("start.png"), 64, 64);
    std::fs::create_dir_all(desk.path("dreamshaper")).unwrap();
    desk.write(
        "film.kin",
        "kinora 1\nframes = 2\nprompt = \"a\"\nsource = init(\"strat.png\")\nmodel = \"dreamshapr\"\n\
         control a { image = \"none.png\"  from = as_is  model = \"kinora-tny\" }\nnoise = 3\n",
    );
    let ran = desk.run(&["check", "film.kin", "--format", "json"]).expect(1);
    let data: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found: Vec<(u64, &str, &str)> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            (
                d["place"]["line"].as_u64().unwrap(),
                d["code"].as_str().unwrap(),
                d["place"]["text"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (4, "E60", "did you mean `start.png`?"),
            (5, "E67", "did you mean `dreamshaper`?"),
            (6, "E60", ""),
            (6, "E67", "did you mean `kinora-tiny`?"),
            (7, "E33", "for 3 hundredths write `3%`"),
        ]
    );
}

#[test]
fn presets_are_listed_and_printed() {
    let desk = Desk::new();
    let list = desk.run(&["presets"]).expect(0).stdout;
    for preset in presets::all() {
        assert!(list.contains(preset.name), "{list}");
    }
    assert_eq!(
        desk.run(&["presets", "zoom"]).expect(0).stdout,
        presets::find("presets/zoom.kin").unwrap().text
    );
    desk.run(&["presets", "zom"]).expect(2).says(&["there is no preset `zom`", "did you mean `zoom`?"]);
}

proptest! {
    /// Films of files that use each other at random never hang, never panic, and a cycle is an error.
    #[test]
    fn any_graph_of_files_ends(edges in proptest::collection::vec((0usize..6, 0usize..7), 0..20)) {
        let text = |own: usize| -> String {
            let uses = edges.iter().filter(|(from, _)| *from == own);
            let uses: String = uses.map(|(_, to)| format!("use \"f{to}.kin\"\n")).collect();
            format!("{uses}noise = 0.0{own}\n")
        };
        let texts: Vec<(String, String)> = (0..6).map(|n| (format!("f{n}.kin"), text(n))).collect();
        let library = texts.iter().fold(Memory::default(), |all, (name, text)| all.with(name, text.as_str()));
        let (_, found) = read_from(Rc::new(library), Path::new(""), "f0.kin", &texts[0].1, &[]);
        // f6 is never there; files that f0 does not lead to do not matter.
        let mut reached = vec![0usize];
        let mut at = 0;
        while at < reached.len() {
            let next = edges.iter().filter(|(from, to)| *from == reached[at] && *to < 6).map(|(_, to)| *to);
            let next: Vec<usize> = next.filter(|to| !reached.contains(to)).collect();
            for to in next { if !reached.contains(&to) { reached.push(to); } }
            at += 1;
        }
        let is_missing = edges.iter().any(|(from, to)| *to == 6 && reached.contains(from));
        prop_assert_eq!(found.list.iter().any(|d| d.code == "E60"), is_missing);
        prop_assert_eq!(found.list.iter().any(|d| d.code == "E62"), has_cycle(&edges, &reached));
        for diagnostic in &found.list {
            let (_, text) = &found.sources[diagnostic.span.source as usize];
            prop_assert!(diagnostic.span.end as usize <= text.len());
        }
    }
}

/// Whether the files `reached` use each other in a circle.
fn has_cycle(edges: &[(usize, usize)], reached: &[usize]) -> bool {
    let mut left: Vec<usize> = reached.to_vec();
    loop {
        let uses_one_left = |file: usize| edges.iter().any(|(from, to)| *from == file && left.contains(to));
        let kept: Vec<usize> = left.iter().copied().filter(|file| uses_one_left(*file)).collect();
        if kept.len() == left.len() {
            return !left.is_empty();
        }
        left = kept;
    }
}
