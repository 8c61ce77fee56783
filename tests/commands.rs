//! The commands that look at a film without rendering it: timeline, eval, explain, plot, plan, params. Long because
//! each has its own short tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, picture, root, tiny_film};
use kinora::error::Error;
use kinora::run::eval::{EvalOptions, eval};
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::settings::{Series, expand_all};
use kinora::timeline::table::Cell;
use serde_json::Value;

/// A film with scenes, eases, expressions, texts with marks that XML escapes, and a control.
const FILM: &str = r#"kinora 1
video { size = 128x64  fps = 8  bpm = 120 }
control depth { image = "map.png"  from = as_is  weight = 0s: 1, 2s: 0.5 }
noise = 0.02 + 0.01*sin(t/3)
guidance = 6

scene meadow 2s {
  prompt        = 0s: "a <meadow> & \"flowers\"", 1s: "snow ${t}" ~cut
  translation_z = 0s: 0, 1s: 3 ~ease-in, 2s: 0
  rotation_3d_y = 0s: 0deg, 50%: 12deg/s ~ease-in-out
  strength      = 0s: 0.45, 1s: 0.65 ~cut
}

scene storm 1s {
  prompt  = "a storm"
  denoise = 0.4
  seed    = 41
  steps   = 0: 4, 2b: 8
}
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    picture(&desk.path("map.png"), 128, 64);
    desk.write("film.kin", FILM);
    desk
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/oracles/deforum/schedules.json")).unwrap();
    json(&text)["cases"].as_array().unwrap().clone()
}

/// A number, or the name of one that JSON does not have.
fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap_or_else(|| panic!("no number: {value}")),
    }
}

/// The oracle's libraries round differently in the last bits: 1e-9 as in the parity test.
fn same(found: f64, expected: f64) -> bool {
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

/// What the newest numexpr gives; `None` where Deforum refuses.
fn expected(case: &Value) -> Option<&Vec<Value>> {
    case["values"].as_array().or_else(|| case["accepted_by_numexpr_2_14"].as_array())
}

/// Splines and integers are not what `eval` computes.
fn is_for_eval(case: &Value) -> bool {
    matches!(case["method"].as_str(), None | Some("Linear")) && case["integer"].is_null()
}

fn options(case: &Value) -> EvalOptions {
    EvalOptions {
        seed: case["seed"].as_i64().unwrap(),
        text: case["string_schedule"] == Value::Bool(true),
        compat: true,
        ..EvalOptions::new(u32::try_from(case["max_frames"].as_u64().unwrap()).unwrap())
    }
}

#[test]
fn eval_gives_deforums_values_for_every_schedule_of_the_oracle() {
    let mut count = 0;
    for case in cases().iter().filter(|case| is_for_eval(case)) {
        let name = &case["name"];
        let found = eval(case["text"].as_str().unwrap(), &options(case));
        match (found, expected(case)) {
            (Ok((cells, _)), Some(values)) => {
                assert_eq!(cells.len(), values.len(), "{name}");
                for (cell, value) in cells.iter().zip(values) {
                    match cell {
                        Cell::Text(text) => assert_eq!(text, value.as_str().unwrap(), "{name}"),
                        cell => {
                            assert!(same(cell.as_f64().unwrap(), number(value)), "{name}: {cell}, {value}")
                        }
                    }
                }
            }
            (Err(Error::Schedule(found)), None) => assert_eq!(found.list[0].code, "E96", "{name}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
        count += 1;
    }
    assert!(count > 350, "{count} cases");
}

#[test]
fn eval_prints_arrays_and_diagnostics() {
    let desk = Desk::new();
    let all: Vec<Value> = cases().into_iter().filter(is_for_eval).collect();
    for case in all.iter().step_by(16) {
        let (frames, seed) = (case["max_frames"].to_string(), case["seed"].to_string());
        let text = case["text"].as_str().unwrap();
        let mut args = vec![
            "eval", text, "--frames", &frames, "--seed", &seed, "--compat", "deforum", "--format", "json",
        ];
        if case["string_schedule"] == Value::Bool(true) {
            args.push("--text");
        }
        let ran = desk.run(&args);
        match expected(case) {
            Some(values) if case["string_schedule"] == Value::Bool(true) => {
                assert_eq!(json(&ran.expect(0).stdout), Value::Array(values.clone()), "{text}");
            }
            Some(values) => {
                let found = json(&ran.expect(0).stdout);
                let found = found.as_array().unwrap();
                assert_eq!(found.len(), values.len(), "{text}");
                assert!(
                    found.iter().zip(values).all(|(f, v)| same(number(f), number(v))),
                    "{text}: {found:?}"
                );
            }
            None => {
                let ran = ran.expect(1);
                let found = json(&ran.stdout);
                assert!(found[0]["message"].is_string() && found[0]["place"]["line"].is_u64(), "{found}");
                assert_eq!(
                    (found[0]["severity"].as_str(), ran.stderr.as_str()),
                    (Some("error"), ""),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn eval_names_what_json_has_no_number_for() {
    let desk = Desk::new();
    let args = ["eval", "0:(log(t))", "--frames", "2", "--compat", "deforum"];
    let ran = desk.run(&[&args[..], &["--format", "json"]].concat()).expect(0);
    assert_eq!(ran.stdout, "[\"-Infinity\",0.0]\n");
    assert_eq!(desk.run(&args).expect(0).stdout, "-Infinity\n0\n");
}

#[test]
fn eval_reads_values_as_a_film_does() {
    let desk = Desk::new();
    for (schedule, more, values) in [
        ("0: 1, 4: 3", &[][..], "1\n1.5\n2\n2.5\n"),
        ("0s: 0deg, 1s: 40deg/s", &["--fps", "4"], "0\n2.5\n5\n7.5\n"),
        ("4x/s", &["--fps", "2"], "2\n2\n2\n2\n"),
        ("0: 0, 2b: 1 ~cut", &["--bpm", "60", "--fps", "1.5"], "0\n0\n0\n1\n"),
        ("s + t", &["--seed", "-5"], "-5\n-4\n-3\n-2\n"),
        ("0: \"a\", 2: \"b ${t}\"", &["--text"], "a\na\nb 2\nb 3\n"),
        ("0: \"a, b\", 50%: \"c\",", &["--text"], "a, b\na, b\nc\nc\n"),
    ] {
        let args = [&["eval", schedule, "--frames", "4"], more].concat();
        assert_eq!(desk.run(&args).expect(0).stdout, values, "{schedule}");
    }
}

#[test]
fn eval_points_at_what_is_wrong() {
    let desk = Desk::new();
    let ran = desk.run(&["eval", "0: 1, 30: 1 + sni(t)", "--frames", "4"]).expect(1);
    ran.says(&["E12", "schedule:1:15", "did you mean `sin`?"]);
    let ran = desk.run(&["eval", "1/(t - 2)", "--frames", "4"]).expect(1);
    ran.says(&["at frame 2", "division by zero", "schedule:1:1"]);
    desk.run(&["eval", "1 zoom = 2", "--frames", "4"]).expect(1).says(&["E97"]);
    desk.run(&["eval", "", "--frames", "4"]).expect(1);
    desk.run(&["eval", "3deg + 2px", "--frames", "4"]).expect(1).says(&["E31"]);
    desk.run(&["eval", "1", "--frames", "0"]).expect(2);
    desk.run(&["eval", "1", "--frames", "4", "--fps", "0"]).expect(2).says(&["24000/1001"]);
    desk.run(&["eval", "-1:(3)", "--frames", "4", "--compat", "deforum"]).expect(1).says(&["frame 0"]);
}

#[test]
fn timeline_has_a_value_per_frame_for_everything() {
    let desk = desk();
    let table = json(&desk.run(&["timeline", "film.kin"]).expect(0).stdout);
    assert_eq!((table["fps"].as_f64(), table["frames"].as_u64()), (Some(8.0), Some(24)));
    let parameters = table["parameters"].as_object().unwrap();
    for (name, values) in parameters {
        assert_eq!(values.as_array().unwrap().len(), 24, "{name}");
    }
    let at = |name: &str, frame: usize| parameters[name][frame].clone();
    assert_eq!(at("prompt", 9), "snow 9");
    assert_eq!(at("translation_z", 8), 3.0);
    assert_eq!(
        (at("strength", 7), at("strength", 8), at("strength", 16)),
        (0.45.into(), 0.65.into(), 0.6.into())
    );
    assert_eq!((at("seed", 15), at("seed", 16), at("seed", 17)), (15.into(), 41.into(), 42.into()));
    // Without the film's word the model decides.
    assert_eq!((at("steps", 0), at("steps", 16), at("steps", 23)), (Value::Null, 4.into(), 7.into()));
    assert_eq!((at("control.depth.weight", 0), at("control.depth.weight", 16)), (1.0.into(), 0.5.into()));
    assert_eq!((at("contrast", 3), at("border", 3)), (1.0.into(), "replicate".into()));
    // The storm is flat, so it has a zoom; nothing flips.
    assert_eq!(at("zoom", 20), 1.0);
    assert!(!parameters.contains_key("perspective_flip_theta"));
    let other = json(&desk.run(&["timeline", "film.kin", "--seed", "100"]).expect(0).stdout);
    assert_eq!(other["parameters"]["seed"][3], 103);
}

#[test]
fn a_timeline_as_csv_has_a_line_a_frame() {
    let desk = desk();
    let text = desk.run(&["timeline", "film.kin", "--format", "csv"]).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 25);
    assert!(lines[0].starts_with("frame,seconds,prompt,negative,"), "{}", lines[0]);
    assert!(lines[1].starts_with("0,0,\"a <meadow> & \"\"flowers\"\"\",,"), "{}", lines[1]);
    assert!(lines[9].starts_with("8,1,snow 8,,"), "{}", lines[9]);
    assert!(
        lines
            .iter()
            .skip(2)
            .all(|line| line.split(',').count() == lines[0].split(',').count() || line.contains('"'))
    );
}

#[test]
fn under_deforums_names_there_is_every_schedule_of_deforums() {
    let desk = Desk::new();
    desk.write(
        "film.kin",
        "kinora 1\nframes = 6\nprompt = 0: \"a\", 3: \"b\"\nseed = 5\nsampler = \"DPM++ 2M Karras\"\n\
         strength_schedule = 0:(0.5 + t/4)\nrotation_3d_x = t\nkernel_schedule = 0: (3), 4: (5)\n\
         deforum { near_schedule = \"0: (100 + t)\" }\n",
    );
    let table = json(&desk.run(&["timeline", "film.kin", "--names", "deforum"]).expect(0).stdout);
    let parameters = table["parameters"].as_object().unwrap();
    assert_eq!(parameters.len(), 47);
    let at = |name: &str, frame: usize| parameters[name][frame].clone();
    // Deforum limits and rounds where it uses a value, not where it computes it.
    assert_eq!((at("strength_schedule", 3), at("strength_schedule", 5)), (1.25.into(), 1.75.into()));
    assert_eq!((at("kernel_schedule", 1), at("rotation_3d_x", 4)), (3.5.into(), 4.0.into()));
    assert_eq!(at("sampler_schedule", 0), "DPM++ 2M Karras");
    // The film's own default has an effect, so that is the value, and not Deforum's 0.065.
    assert_eq!(at("noise_schedule", 0), 0.08);
    // These mean nothing to the film: Deforum's defaults, or what the film keeps for it.
    assert_eq!((at("far", 0), at("checkpoint_schedule", 0)), (10000.0.into(), "model1.ckpt".into()));
    assert_eq!((at("near", 0), at("near", 5)), (100.0.into(), 105.0.into()));
    assert_eq!((at("seed_schedule", 0), at("seed_schedule", 1)), (5.0.into(), (-1.0).into()));
    assert_eq!((&table["prompts"][3], &table["seeds"][2]), (&Value::from("b"), &Value::from(7)));
    desk.write("bad.kin", "kinora 1\nframes = 2\nprompt = \"a\"\ndeforum { near_schedule = \"1: (1)\" }\n");
    desk.run(&["timeline", "bad.kin"]).expect(0);
    let ran = desk.run(&["timeline", "bad.kin", "--names", "deforum"]).expect(1);
    ran.says(&["E96", "bad.kin:4:28", "near_schedule"]);
}

#[test]
fn an_imported_film_gives_every_schedule_back() {
    let desk = Desk::new();
    let text = r#"{"W": 512, "H": 512, "max_frames": 40, "fps": 12, "animation_mode": "3D", "seed": 9,
        "prompts": {"0": "a tree", "20": "a house"}, "zoom": "0: (0)", "near_schedule": "0: (100), 20: (t)",
        "translation_z": "0: (1), 10: (2*sin(t/5)), 30: (0)", "strength_schedule": "0: (0.5), 45: (0.9)",
        "noise_schedule": "0: ( 0.02 ), 20: ( 0.05 )", "rotation_3d_y": "0: (max_f/(t + 1))",
        "sampler_schedule": "0: (\"DDIM\")", "seed_schedule": "0: (s), 5: (-1)", "fov_schedule": "0: (60)"}"#;
    desk.write("settings.txt", text);
    desk.run(&["import", "settings.txt", "-o", "film.kin"]);
    let args = ["timeline", "film.kin", "--names", "deforum", "--compat", "deforum", "--seed", "123"];
    let table = json(&desk.run(&args).expect(0).stdout);
    let settings = Settings::read(text).unwrap();
    let wanted = expand_all(&settings, 40, 123, Mode::Compat).unwrap();
    for (name, series) in wanted.anim {
        let found = table["parameters"][&name].as_array().unwrap();
        match series {
            Series::Numbers(numbers) => {
                assert!(found.iter().zip(&numbers).all(|(f, n)| same(number(f), *n)), "{name}: {found:?}");
            }
            Series::Texts(texts) => assert_eq!(found, &texts, "{name}"),
        }
    }
}

#[test]
fn explain_says_where_every_value_comes_from() {
    let desk = desk();
    let text = |frame: &str| desk.run(&["explain", "film.kin", "--frame", frame]).expect(0).stdout;
    insta::assert_snapshot!("explain-between-keys", text("12"));
    insta::assert_snapshot!("explain-second-scene", text("2.5s"));
    assert_eq!(text("2.5s"), text("20"));
    assert_eq!(text("50%"), text("12"));
    let data =
        json(&desk.run(&["explain", "film.kin", "--frame", "12", "--format", "json"]).expect(0).stdout);
    let of = |name: &str| {
        data["values"].as_array().unwrap().iter().find(|value| value["name"] == name).unwrap().clone()
    };
    let way = of("translation_z");
    assert_eq!(
        (&way["how"], &way["value"], &way["unit"]),
        (&"between".into(), &1.5.into(), &"units per frame".into())
    );
    assert_eq!(
        (&way["from"]["frame"], &way["to"]["seconds"], &way["time"]),
        (&8.0.into(), &2.0.into(), &0.5.into())
    );
    assert_eq!((&way["to"]["place"]["line"], &way["to"]["place"]["file"]), (&9.into(), &"film.kin".into()));
    assert_eq!((&of("prompt")["value"], &of("prompt")["how"]), (&"snow 12".into(), &"expression".into()));
    assert_eq!(of("contrast")["how"], "default");
}

/// A film whose camera is given by poses in one scene, and one whose picture only moves in its plane.
const POSED: &str = "kinora 1
prompt = \"a\"
zoom = 0: 1, 6: 1.25 ~cut
scene fly 1s {
  camera.position = 0: [0, 0, 0], 10: [1, 0, 5]
  camera.look = [0, 0.25, 1]
  camera.shake = shake(handheld)
}
scene flat 1s { angle = 2 }
";

#[test]
fn vectors_stand_in_tables_and_explanations() {
    let desk = Desk::new();
    desk.write("film.kin", POSED);
    let table = json(&desk.run(&["timeline", "film.kin"]).expect(0).stdout);
    let parameters = &table["parameters"];
    assert_eq!(parameters["camera.position"][1].to_string(), "[0.1,0.0,0.5]");
    assert_eq!(parameters["camera.look"][3].to_string(), "[0.0,0.25,1.0]");
    // The second scene has no pose.
    assert_eq!(
        (&parameters["camera.position"][12], parameters["zoom"].as_array().unwrap().len()),
        (&Value::Null, 24)
    );
    let csv = desk.run(&["timeline", "film.kin", "--format", "csv"]).expect(0).stdout;
    assert!(csv.lines().nth(2).unwrap().contains(",\"0.1 0 0.5\",\"0 0.25 1\","), "{csv}");
    let text = desk.run(&["explain", "film.kin", "--frame", "1"]).expect(0).stdout;
    for wanted in [
        "camera.position = [0.1, 0, 0.5] units\n    linear from `[0, 0, 0]` at frame 0 (0.00 s) (film.kin:5:24) \
         to `[1, 0, 5]` at frame 10",
        "camera.look = [0, 0.25, 1]\n    film.kin:6:17: always `[0, 0.25, 1]`",
        "camera.shake = shake(handheld)\n    film.kin:7:18",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
    let data = desk.run(&["explain", "film.kin", "--frame", "5", "--format", "json"]).expect(0).stdout;
    let values = json(&data)["values"].as_array().unwrap().clone();
    let place = values.iter().find(|value| value["name"] == "camera.position").unwrap();
    assert_eq!((&place["value"][2], &place["way"]), (&2.5.into(), &0.5.into()));
}

#[test]
fn explain_refuses_what_is_no_frame() {
    let desk = desk();
    let frame = |frame: &str| desk.run(&["explain", "film.kin", "--frame", frame]);
    frame("24").expect(2).says(&["24 frames", "the last one is 23"]);
    frame("4.0s").expect(2);
    frame("-1").expect(2);
    frame("soon").expect(2).says(&["4.0s"]);
    frame("3deg").expect(2);
    desk.run(&["explain", "no.kin", "--frame", "0"]).expect(3).says(&["no.kin"]);
}

#[test]
fn a_plan_names_scenes_models_disk_and_keys() {
    let desk = desk();
    let ran = desk.run(&["plan", "film.kin"]).expect(0);
    // What was measured differs from run to run.
    let steady: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| match line.starts_with("time:") {
            true => line
                .split(|c: char| c.is_ascii_digit() || c == '.')
                .filter(|p| !p.is_empty())
                .collect::<Vec<_>>()
                .join("#"),
            false => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!("plan", steady.join("\n"));
    assert!(!desk.path("film.frames").exists(), "a plan writes nothing");
}

#[test]
fn a_plan_finds_frames_that_are_there() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(3));
    let plan = || json(&desk.run(&["plan", "film.kin", "--format", "json"]).expect(0).stdout);
    let before = plan();
    assert_eq!((&before["found"], &before["to_paint"]), (&0.into(), &3.into()));
    // 2 steps from text, then strength 0.65 of 2 leaves a part of one step for each frame.
    assert_eq!(before["steps"], 4);
    assert!(before["time"]["step"].as_f64().unwrap() > 0.0);
    assert_eq!(before["disk"]["measured"], false);
    desk.run(&["render", "film.kin", "--quiet"]).expect(0);
    let after = plan();
    assert_eq!((&after["found"], &after["to_paint"], &after["time"]), (&3.into(), &0.into(), &Value::Null));
    assert_eq!((&after["disk"]["measured"], &after["models"]), (&true.into(), &Value::Array(Vec::new())));
    // A change at the end of the film leaves the frames before it.
    desk.write("film.kin", format!("{}noise = 0: 0.08, 1: 0.08, 2: 0.05\n", tiny_film(3)));
    assert_eq!((&plan()["found"], &plan()["to_paint"]), (&2.into(), &1.into()));
}

#[test]
fn a_plan_of_a_model_that_is_not_there_names_it() {
    let desk = Desk::new();
    desk.write("film.kin", format!("{}model = \"no-such-model\"\n", tiny_film(2)));
    desk.run(&["plan", "film.kin"]).expect(1).says(&["no-such-model"]);
}

/// The names of the elements that are closed, in order; panics where the text is no well-formed XML.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut closed) = (Vec::<String>::new(), Vec::new());
    let mut rest = xml.trim();
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        assert!(!text.contains('>') && is_escaped(text), "{text}");
        let end = tag.find('>').expect("a tag ends");
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in another order");
            closed.push(name.to_owned());
        } else {
            let name: String = inside.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            assert!(
                !name.is_empty() && inside.matches('"').count() % 2 == 0 && is_escaped(inside),
                "<{inside}>"
            );
            if inside.ends_with('/') { closed.push(name) } else { open.push(name) }
        }
        assert!(!open.is_empty() || rest.is_empty(), "more than one element at the top");
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} is not closed");
    closed
}

fn is_escaped(text: &str) -> bool {
    text.match_indices('&')
        .all(|(at, _)| ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|e| text[at..].starts_with(e)))
}

#[test]
fn a_plot_is_well_formed_and_has_a_panel_for_each_measure() {
    let desk = desk();
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    let elements = elements(&svg);
    assert_eq!(elements.last().map(String::as_str), Some("svg"));
    // Turn, way, share (strength, noise), number (the control's weight), whole number (steps), seed.
    assert_eq!(svg.matches("class=\"panel\"").count(), 6);
    assert_eq!(svg.matches("class=\"cut\"").count(), 1);
    for name in
        ["rotation_3d_y", "translation_z", "strength", "control.depth.weight", "meadow", "storm", "stays:"]
    {
        assert!(svg.contains(name), "{name}");
    }
    assert!(svg.contains("a &lt;meadow&gt; &amp; &quot;fl"), "the prompt is escaped");
    // translation_z has three keys, rotation_3d_y two, strength two, the weight two, steps two.
    assert_eq!(elements.iter().filter(|name| *name == "circle").count(), 11);
    desk.run(&["plot", "film.kin", "-o", "again.svg"]).expect(0);
    assert_eq!(svg.as_bytes(), desk.read("again.svg"));
    desk.run(&["plot", "film.kin", "-o", "film.png"]).expect(2).says(&[".svg"]);
    desk.run(&["plot", "film.kin", "-o", "none/film.svg"]).expect(4).says(&["none"]);
}

#[test]
fn vectors_have_a_curve_a_number() {
    let desk = Desk::new();
    desk.write("film.kin", POSED);
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    elements(&svg);
    for axis in ["x", "y", "z"] {
        assert!(svg.contains(&format!("<title>camera.position {axis}</title>")), "{svg}");
    }
    assert!(svg.contains("camera.look y 0.25"), "what stays is said");
    let text = desk.run(&["plot", "film.kin"]).expect(0).stdout;
    assert!(text.contains("place, units\n") && text.contains(" camera.position z\n"), "{text}");
}

#[test]
fn jumps_are_drawn_upright_at_their_keys() {
    let desk = Desk::new();
    // Keys at frames 3.6 and 8; the steps to the latter halve the way, at frame 5.8.
    let keys = "angle = 0: 1, 0.3s: 1.5 ~cut, 8: 1.9 ~steps(2)";
    desk.write("film.kin", format!("kinora 1\nframes = 8\nprompt = \"a\"\n{keys}\n"));
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    let curve = svg.lines().find(|line| line.contains("<title>angle</title>")).unwrap();
    let path = curve.split('"').nth(1).unwrap();
    let (mut at, mut upright) = ((0.0, 0.0), Vec::new());
    for part in path.split('L') {
        let (point, down) = part.split_once('V').map_or((part, None), |(point, y)| (point, Some(y)));
        let (x, y) = point.trim_start_matches('M').split_once(' ').unwrap();
        let next: (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
        assert!(part.starts_with('M') || next.1 == at.1, "a slope to {next:?} in {path}");
        at = (next.0, down.map_or(next.1, |y| y.parse().unwrap()));
        upright.extend(down.map(|_| next.0));
    }
    let x = |frame: f64| 78.0 + frame / 8.0 * (1200.0 - 78.0 - 26.0);
    assert_eq!(upright.len(), 2, "{path}");
    assert!((upright[0] - x(3.6)).abs() < 0.01 && (upright[1] - x(5.8)).abs() < 0.01, "{upright:?}");
    // In the terminal, one column of dots joins both heights.
    desk.write("film.kin", "kinora 1\nframes = 8\nprompt = \"a\"\nangle = 0: 1, 4: 2 ~cut\n");
    let text = desk.run(&["plot", "film.kin"]).expect(0).stdout;
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.ends_with(" angle")).skip(1).take(4).collect();
    assert!(rows[1..3].iter().all(|row| row.trim().chars().count() == 1), "{text}");
}

#[test]
fn what_has_no_effect_in_a_scene_is_not_drawn_there() {
    let desk = Desk::new();
    desk.write("film.kin", POSED);
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    // The film's zoom changes in the scene with the 3D camera alone: in the other one it stays.
    assert!(!svg.contains("<title>zoom</title>") && svg.contains("zoom 1.25"), "{svg}");
    let film = POSED.replace("6: 1.25", "18: 1.25");
    desk.write("film.kin", film);
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    let starts = |name: &str| {
        let title = format!("<title>{name}</title></path>");
        let curve = svg.lines().find(|line| line.contains(&title)).unwrap();
        curve.split(['M', ' ']).nth(2).unwrap().parse::<f64>().unwrap()
    };
    assert_eq!((starts("zoom"), starts("camera.position x")), (626.0, 78.0));
    // Its first key stands where it has no effect.
    let text = desk.run(&["plot", "film.kin"]).expect(0).stdout;
    let zoom: Vec<&str> = text.lines().skip_while(|line| !line.ends_with(" zoom")).take(6).collect();
    assert_eq!(zoom[5].matches('◆').count(), 1, "{text}");
}

#[test]
fn a_long_film_is_drawn_with_its_extremes_and_no_more() {
    let desk = Desk::new();
    // One frame stands out; a picture of every ninth frame would lose it.
    desk.write(
        "film.kin",
        "kinora 1\nframes = 10000\nprompt = \"a\"\nangle = where(t == 4321, 40, sin(t/5))\n",
    );
    desk.run(&["plot", "film.kin", "-o", "film.svg"]).expect(0);
    let svg = String::from_utf8(desk.read("film.svg")).unwrap();
    elements(&svg);
    assert!(svg.len() < 100_000, "{} bytes", svg.len());
    let curve = svg.lines().find(|line| line.contains("<title>angle</title>")).unwrap();
    let heights = curve.split(['M', 'L']).filter_map(|point| point.split(' ').nth(1)?.parse::<f64>().ok());
    let highest = heights.clone().filter(|y| *y < heights.clone().fold(f64::MAX, f64::min) + 1.0).count();
    assert_eq!(highest, 1, "the one frame that stands out is drawn once");
}

#[test]
fn a_sketch_fits_eighty_columns() {
    let desk = desk();
    let text = desk.run(&["plot", "film.kin"]).expect(0).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!("plot", text);
    desk.write("one.kin", "kinora 1\nframes = 1\nprompt = \"a\"\n");
    assert!(desk.run(&["plot", "one.kin"]).expect(0).stdout.contains("1 frame at 12 a second"));
    desk.run(&["plot", "one.kin", "-o", "one.svg"]).expect(0);
    elements(&String::from_utf8(desk.read("one.svg")).unwrap());
}

#[test]
fn params_is_searched_by_words_and_printed_as_data() {
    let desk = Desk::new();
    let found = desk.run(&["params", "colour", "space"]).expect(0).stdout;
    assert!(found.starts_with("coherence ") && found.contains("    stands in  film, scene\n"), "{found}");
    assert!(desk.run(&["params", "cfg_scale_schedule"]).expect(0).stdout.starts_with("guidance "));
    assert!(desk.run(&["params", "karras"]).expect(0).stdout.contains("spacing "));
    assert!(desk.run(&["params", "strenght"]).expect(0).stdout.contains("strength "));
    let data = json(&desk.run(&["params", "zoom", "--format", "json"]).expect(0).stdout);
    assert_eq!(
        (&data[0]["name"], &data[0]["possible"][1], &data[0]["keys"]),
        (&"zoom".into(), &1000.0.into(), &true.into())
    );
    desk.run(&["params", "zoom", "--format", "json", "--markdown"]).expect(2);
}

#[test]
fn films_with_errors_are_1_and_help_has_examples() {
    let desk = Desk::new();
    desk.write("bad.kin", "zom = 1\n");
    for command in ["timeline", "explain", "plot", "plan"] {
        let mut args = vec![command, "bad.kin"];
        args.extend((command == "explain").then_some(["--frame", "0"]).into_iter().flatten());
        desk.run(&args).expect(1).says(&["bad.kin:1:1", "did you mean `zoom`?"]);
        args[1] = "none.kin";
        desk.run(&args).expect(3).says(&["none.kin"]);
    }
    for command in ["timeline", "eval", "explain", "plot", "plan"] {
        assert!(desk.run(&[command, "--help"]).expect(0).stdout.contains("Example"), "{command}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let desk = desk();
    desk.write("long.kin", "kinora 1\nframes = 20000\nprompt = \"a\"\nzoom = 1 + 0.01*sin(t)\n");
    let mut child = desk
        .kinora(&["timeline", "long.kin"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
