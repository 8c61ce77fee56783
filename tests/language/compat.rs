//! Values in Deforum's notation: where kinora reads them as Deforum does, where it does not, and what it says then.

use kinora::schedule::deforum::Mode;
use kinora::schedule::diagnostic::Diagnostics;
use kinora::schedule::report::{Style, render};
use kinora::schedule::{read, read_all};
use kinora::timeline::deforum::expand;
use kinora::timeline::frame::Camera;
use kinora::timeline::{Compat, Options, Timeline, check_film};

/// `angle = value` in a film of 11 frames, and what is said about it.
fn angles(value: &str, compat: Compat) -> (Vec<f64>, Vec<&'static str>) {
    let text = format!("kinora 1\nframes = 11\nprompt = \"x\"\nangle = {value}");
    let (film, mut found) = read("film.kin", &text).unwrap_or_else(|error| panic!("{value}: {error:?}"));
    let options = Options { compat, ..Options::default() };
    let film = Timeline::new(&film, &options).unwrap_or_else(|error| panic!("{value}: {error:?}"));
    found.list.extend(film.warnings().list);
    let angle = |frame| match film.at(frame).unwrap_or_else(|error| panic!("{value}: {error:?}")).camera {
        Camera::Flat(camera) => camera.angle,
        Camera::Deep(_) => panic!("expected the flat camera"),
    };
    ((0..11).map(angle).collect(), found.list.iter().map(|found| found.code).collect())
}

fn deforum(value: &str) -> Vec<f64> {
    expand(value, 11, 0, Mode::Compat).unwrap()
}

#[test]
fn a_key_behind_the_end_is_kept_and_deforum_drops_it() {
    let value = "0:(0), 20:(10)";
    let (own, said) = angles(value, Compat::Native);
    assert_eq!((own[10], said), (5.0, vec!["W81"]));
    assert_eq!(angles(value, Compat::Deforum), (vec![0.0; 11], vec!["W81"]));
    assert_eq!(deforum(value), vec![0.0; 11]);
    // The frame behind the last one is dropped too.
    assert_eq!(angles("0:(0), 11:(11)", Compat::Native).1, ["W81"]);
    // Without a difference nothing is said.
    assert_eq!(angles("0:(3), 20:(3)", Compat::Native).1, Vec::<&str>::new());
}

#[test]
fn blanks_in_brackets_do_not_make_a_step() {
    let value = "0:( 0 ), 10:( 10 )";
    let (own, said) = angles(value, Compat::Native);
    assert_eq!((own[5], said), (5.0, vec!["W82"]));
    let (old, said) = angles(value, Compat::Deforum);
    assert_eq!((old[9], old[10], said), (0.0, 10.0, vec![]));
    assert_eq!(old, deforum(value));
    // The last one is held anyway.
    assert_eq!(angles("0:(0), 10:( 10 )", Compat::Native).1, Vec::<&str>::new());
}

#[test]
fn nothing_behind_a_second_colon_is_read() {
    for compat in [Compat::Native, Compat::Deforum] {
        let (values, said) = angles("0:(1):(2), 5:(3)", compat);
        assert_eq!((values[0], values[5], said), (1.0, 3.0, vec!["W83"]));
        assert_eq!(values, deforum("0:(1):(2), 5:(3)"));
        assert_eq!(angles("0:0: ((t))", compat).0, vec![0.0; 11]);
    }
}

#[test]
fn two_values_side_by_side_are_refused_with_deforums_reading() {
    let (_, found) =
        read_all("".as_ref(), "film.kin", "kinora 1\nframes = 2\nprompt = \"x\"\nangle = 0:(2)(3)");
    assert_eq!(found.list.iter().map(|found| found.code).collect::<Vec<_>>(), ["E81"]);
    assert!(found.list[0].hints[0].starts_with("Deforum would read 23 here"), "{found:?}");
    assert_eq!(deforum("0:(2)(3)"), vec![23.0; 11]);
}

#[test]
fn two_values_side_by_side_are_one_number_where_deforum_is_followed() {
    let check = |value: &str| {
        let text = format!("kinora 1\nframes = 11\nprompt = \"x\"\nangle = {value}");
        let (film, found) = read_all("".as_ref(), "film.kin", &text);
        let options = |compat| Options { compat, ..Options::default() };
        // Without it the film stays refused.
        assert!(check_film(&film, found.clone(), &options(Compat::Native)).0.is_none(), "{value}");
        check_film(&film, found, &options(Compat::Deforum))
    };
    for value in ["0:(2)(3)", "0:(2)(3), 10:(0)", "0:(1), 6:(1).5, 9:(-2)0", "0:(2)(3):(4)"] {
        let (timeline, found) = check(value);
        assert!(!found.has_errors(), "{value}: {found:?}");
        let timeline = timeline.unwrap();
        let values: Vec<f64> =
            (0..11).map(|frame| timeline.value("angle", frame).unwrap().as_f64().unwrap()).collect();
        assert_eq!(values, deforum(value), "{value}");
    }
    // What is no number to Deforum either stays an error.
    let (timeline, found) = check("0:(t)(3)");
    assert!(timeline.is_none() && found.list.iter().any(|found| found.code == "E81"), "{found:?}");
}

#[test]
fn gaps_of_nan_are_bridged_in_both() {
    let value = "0:((t-3)**0.5), 8:(2)";
    for compat in [Compat::Native, Compat::Deforum] {
        let (values, said) = angles(value, compat);
        assert_eq!((values.clone(), said), (deforum(value), vec![]));
        assert_eq!(values[4], 1.0);
    }
}

#[test]
fn what_kills_deforum_is_read_here_in_silence_and_refused_there() {
    for value in
        ["0:(max(t, 3))", "4:(1), 8:(3)", "0:(t), 5:(where(t > 6 and t < 9, 1, 2)),", "0:(2deg), 9:(1deg)"]
    {
        assert_eq!(angles(value, Compat::Native).1, Vec::<&str>::new(), "{value}");
        let text = format!("kinora 1\nframes = 11\nprompt = \"x\"\nangle = {value}");
        let (film, _) = read("film.kin", &text).unwrap();
        let options = Options { compat: Compat::Deforum, ..Options::default() };
        let error = Timeline::new(&film, &options).unwrap_err();
        let kinora::error::Error::Schedule(found) = error else { panic!("{error}") };
        assert_eq!(found.list[0].code, "E82", "{value}");
    }
}

#[test]
fn films_that_never_were_deforums_are_left_alone() {
    for value in
        ["0: 0, 10: 5", "0s: (1), 0.5s: (2)", "0: (0), 5: (1) ~ease-in", "(t)", "0: 0, 5: (t * 2), 8: 1"]
    {
        let (own, said) = angles(value, Compat::Native);
        assert_eq!(said, Vec::<&str>::new(), "{value}");
        assert_eq!(own, angles(value, Compat::Deforum).0, "{value}");
    }
}

#[test]
fn numbers_follow_numexpr() {
    // An integer power of a constant, floored remainders, integers that stay integers.
    for value in ["0:(-t%4)", "0:(2**t/3)", "0:(t//3*2.5)", "0:(-2**2+t)", "0:(t%0)", "0:((t>5)*2)"] {
        if let Ok(expected) = expand(value, 11, 0, Mode::Compat) {
            assert_eq!(angles(value, Compat::Native), (expected, vec![]), "{value}");
        }
    }
}

#[test]
fn back_quotes_and_neg_in_prompts_are_text_here_and_code_there() {
    let text = "kinora 1\nframes = 11\nprompt = {\"0\": \"a cat (big:`t/10`) --neg fog\", \"6\": \"a dog\"}\nnegative = \"text\"";
    let (film, found) = read("film.kin", text).unwrap();
    assert_eq!(found.list.iter().map(|found| found.code).collect::<Vec<_>>(), ["W04", "W04"]);
    let own = Timeline::new(&film, &Options::default()).unwrap().at(5).unwrap();
    assert!(own.prompt == "a cat (big:`t/10`) --neg fog" && own.negative == "text");
    let options = Options { compat: Compat::Deforum, ..Options::default() };
    let old = Timeline::new(&film, &options).unwrap();
    let frame = old.at(5).unwrap();
    assert_eq!((frame.prompt.as_str(), frame.negative.as_str()), ("a cat (big:0.5)", "fog  text"));
    assert_eq!(old.at(6).unwrap().prompt.as_str(), "a dog");
}

#[test]
fn scenes_count_their_own_frames() {
    let text =
        "kinora 1\nprompt = \"x\"\nscene a 5 { angle = 0:(0), 4:(4) }\nscene b 6 { angle = 0:(t*2), 9:(1) }";
    let (film, _) = read("film.kin", text).unwrap();
    let film = Timeline::new(&film, &Options::default()).unwrap();
    let angle = |frame| match film.at(frame).unwrap().camera {
        Camera::Flat(camera) => camera.angle,
        Camera::Deep(_) => panic!("expected the flat camera"),
    };
    assert_eq!(
        (0..11).map(angle).collect::<Vec<_>>(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    );
}

#[test]
fn the_warnings_read_well() {
    let text = "kinora 1\nframes = 90\nprompt = \"x\"\nzoom = 0:(1.0), 120:(1.4)\nangle = 0:( 0 ), 45:( 2 )\n\
                strength_schedule = 0:(0.6):(0.2), 30:(0.5)\n";
    let (film, mut found) = read("film.kin", text).unwrap();
    found.list.extend(Timeline::new(&film, &Options::default()).unwrap().warnings().list);
    found.sort();
    let (_, refused) =
        read_all("".as_ref(), "film.kin", "kinora 1\nframes = 90\nprompt = \"x\"\nzoom = 0:(1)(2)\n");
    let report = |found: &Diagnostics| render(found, Style::default());
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("compat-warnings", report(&found) + &report(&refused));
    });
}
