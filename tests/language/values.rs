//! What parameters are worth.

use kinora::error::Error;
use kinora::schedule::params::{Kind, Places, all};
use kinora::schedule::read;
use kinora::schedule::units::Rate;
use kinora::timeline::frame::{
    Camera, Camera2d, Camera3d, ControlInput, ControlMode, DepthSource, FrameParams, FrameSource, PromptBlend,
};
use kinora::timeline::{Deflicker, Encode, Interpolate, Options, Timeline};

fn timeline(text: &str) -> Timeline {
    let (film, _) = read("film.kin", text).unwrap_or_else(|error| panic!("{error:?}"));
    Timeline::new(&film, &Options::default()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn at(text: &str, frame: u32) -> FrameParams {
    timeline(text).at(frame).unwrap_or_else(|error| panic!("{error:?}"))
}

fn flat(text: &str, frame: u32) -> Camera2d {
    match at(text, frame).camera {
        Camera::Flat(camera) => camera,
        Camera::Deep(_) => panic!("expected the flat camera"),
    }
}

fn deep(text: &str, frame: u32) -> Camera3d {
    match at(text, frame).camera {
        Camera::Deep(camera) => camera,
        Camera::Flat(_) => panic!("expected the 3D camera"),
    }
}

/// `angle` at some frames of a film of 121 frames at 12 per second.
fn angles(value: &str, frames: [u32; 4]) -> [f64; 4] {
    let text = format!("frames = 121\nvideo {{ bpm = 120 }}\nangle = {value}");
    frames.map(|frame| flat(&text, frame).angle)
}

#[test]
fn numbers_ramp_to_the_next_number() {
    assert_eq!(angles("0: 0, 10: 20, 20: 20, 30: 0", [0, 5, 15, 25]), [0.0, 10.0, 20.0, 10.0]);
    assert_eq!(angles("10: 1, 20: 2", [0, 10, 20, 120]), [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(angles("20: 2, 10: 1", [0, 10, 20, 120]), [1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn an_expression_runs_until_the_next_key() {
    assert_eq!(angles("0:(t*2), 10:(5)", [0, 5, 9, 10]), [0.0, 10.0, 18.0, 5.0]);
    // A number ramps to the value of the expression at the expression's own key.
    assert_eq!(angles("0:(0), 10:(t)", [0, 5, 10, 20]), [0.0, 5.0, 10.0, 20.0]);
}

#[test]
fn times_have_units() {
    // 12 frames a second, 120 beats a minute: a beat is 6 frames; the scene has 121 frames.
    assert_eq!(angles("0s: 0, 1s: 12", [0, 6, 12, 13]), [0.0, 6.0, 12.0, 12.0]);
    assert_eq!(angles("0b: 0, 2b: 12", [0, 6, 12, 13]), [0.0, 6.0, 12.0, 12.0]);
    assert_eq!(angles("0: 0, 1bar: 24", [0, 6, 24, 25]), [0.0, 6.0, 24.0, 24.0]);
    assert_eq!(angles("0%: 0, 100%: 121", [0, 6, 24, 120]), [0.0, 6.0, 24.0, 120.0]);
    assert_eq!(angles("0: 0, \"max_f/2\": 60, max_f: 0", [0, 60, 90, 120]), [0.0, 60.0, 30.0, 0.0]);
    assert_eq!(angles("0: 0, 500ms: 6, 24f: 24", [3, 6, 12, 24]), [3.0, 6.0, 12.0, 24.0]);
    // A time without a unit is cut off to a whole frame, as in Deforum; one with a unit is not.
    assert_eq!(angles("0: 0, 21/2: 10", [5, 10, 11, 12]), [5.0, 10.0, 10.0, 10.0]);
    assert_eq!(angles("0: 0, 10.5f: 10.5", [5, 10, 11, 12]), [5.0, 10.0, 10.5, 10.5]);
}

#[test]
fn eases_lead_to_their_key() {
    assert_eq!(angles("0: 0, 10: 5 ~cut, 20: 7", [9, 10, 15, 20]), [0.0, 5.0, 6.0, 7.0]);
    assert_eq!(angles("0: 0, 10: 8 ~steps(2)", [4, 5, 9, 10]), [0.0, 4.0, 4.0, 8.0]);
    let [early, middle, late, end] = angles("0: 0, 20: 1 ~ease-in-out", [5, 10, 15, 20]);
    // CSS: ease-in-out at a quarter is 0.1292; four digits are what the reference gives.
    assert!((early - 0.1292).abs() < 5e-5 && (late - 0.8708).abs() < 5e-5, "{early} {late}");
    assert!((middle - 0.5).abs() < 1e-12 && end == 1.0);
}

#[test]
fn rates_become_amounts_per_frame() {
    assert_eq!(angles("24deg/s", [0, 1, 2, 3]), [2.0; 4]);
    assert_eq!(angles("6deg/b + 1deg/f", [0, 1, 2, 3]), [2.0; 4]);
    assert_eq!(flat("frames = 2\ntranslation_x = -48px/s", 0).translation_x, -4.0);
    let zoom = flat("frames = 2\nvideo { fps = 24 }\nzoom = 2x/s", 1).zoom;
    assert_eq!(zoom, libm::pow(2.0, 1.0 / 24.0));
    assert_eq!(at("frames = 2\nstrength = 55%", 0).sampling.strength, 0.55);
    assert_eq!(angles("sin(90deg)", [0, 1, 2, 3]), [1.0; 4]);
}

#[test]
fn names_are_those_of_the_clock() {
    let text = "seed = 7\nscene a 12 { angle = t }\nscene b 2s { angle = max_f + s translation_x = u translation_y = sec }";
    assert_eq!(flat(text, 5).angle, 5.0);
    assert_eq!(flat(text, 12).angle, 23.0 + 7.0);
    assert_eq!(flat(text, 24).translation_x, 0.5);
    assert_eq!(flat(text, 24).translation_y, 1.0);
    // What stands at the top goes by the film's time, in every scene.
    assert_eq!(flat("angle = t\nscene a 12 { }\nscene b 12 { }", 15).angle, 15.0);
}

#[test]
fn scenes_follow_each_other() {
    let film = timeline("prompt = \"all\"\nscene a 1s { prompt = \"one\" }\nscene b 24 { zoom = 1.1 }");
    assert_eq!(film.frames(), 36);
    assert_eq!(film.scenes().collect::<Vec<_>>(), [("a", 0, 12), ("b", 12, 24)]);
    let cuts: Vec<u32> = (0..36).filter(|frame| film.at(*frame).unwrap().cut).collect();
    assert_eq!(cuts, [0, 12]);
    assert_eq!((film.at(11).unwrap().prompt.as_str(), film.at(12).unwrap().prompt.as_str()), ("one", "all"));
    assert_eq!(film.at(12).unwrap().scene, 1);
    assert!(matches!(film.at(36), Err(Error::Usage { .. })));
}

#[test]
fn lengths_of_scenes_do_not_drift() {
    // 7.5 frames each: ends at 7.5, 15, 22.5, 30, rounded.
    let film = timeline("fps = 15\nscene a 0.5s { } scene b 0.5s { } scene c 0.5s { } scene d 0.5s { }");
    assert_eq!(film.scenes().map(|(_, start, _)| start).collect::<Vec<_>>(), [0, 8, 15, 23]);
    assert_eq!(film.frames(), 30);
}

#[test]
fn frame_rates_are_exact() {
    let rate = |text: &str| timeline(&format!("frames = 2\nvideo {{ fps = {text} }}")).fps();
    assert_eq!(rate("24000/1001"), Rate { num: 24000, den: 1001 });
    assert_eq!(rate("23.976"), Rate { num: 2997, den: 125 });
    assert_eq!(timeline("frames = 2").fps(), Rate { num: 12, den: 1 });
    let (film, _) = read("film.kin", "scene a 2s { zoom = 4x/s }").unwrap();
    let rate = Rate::new(24, 1);
    let other = Timeline::new(&film, &Options { rate, ..Options::default() }).unwrap();
    assert_eq!(other.frames(), 48);
    let Camera::Flat(camera) = other.at(0).unwrap().camera else { panic!("expected the flat camera") };
    assert_eq!(camera.zoom, libm::pow(4.0, 1.0 / 24.0));
}

#[test]
fn seeds_go_on_as_deforums_do() {
    let seeds = |text: &str| {
        let film = timeline(&format!("frames = 6\n{text}"));
        (0..6).map(|frame| film.at(frame).unwrap().sampling.seed).collect::<Vec<_>>()
    };
    assert_eq!(seeds(""), [0, 1, 2, 3, 4, 5]);
    assert_eq!(seeds("seed = 40"), [40, 41, 42, 43, 44, 45]);
    assert_eq!(seeds("seed = each_frame(1000)"), [1000, 1001, 1002, 1003, 1004, 1005]);
    assert_eq!(seeds("seed = 7 seed_behavior = fixed"), [7; 6]);
    assert_eq!(seeds("seed = 7 seed_behavior = ladder"), [7, 9, 8, 10, 9, 11]);
    assert_eq!(seeds("seed = 7 seed_behavior = alternate"), [7, 8, 7, 8, 7, 8]);
    assert_eq!(seeds("seed = 0: 10, 4: 12"), [10, 10, 11, 11, 12, 12]);
    let random = seeds("seed = 7 seed_behavior = random");
    assert_eq!(random[0], 7);
    assert!(random[1..].iter().all(|seed| (0..1 << 32).contains(seed) && *seed != 7), "{random:?}");
    assert_eq!(random, seeds("seed = 7 seed_behavior = \"random\""));
    let deforum = seeds("seed = 5 seed_schedule = 0:(s), 1:(-1), \"max_f-2\":(-1), \"max_f-1\":(s)");
    assert_eq!((deforum[0], deforum[4], deforum[5]), (5, 5, 5));
    assert!(deforum[1..4].iter().all(|seed| *seed > 5), "{deforum:?}");
}

#[test]
fn the_command_lines_seed_replaces_the_films() {
    let (film, _) = read("film.kin", "seed = 3\nscene a 2 { }\nscene b 2 { seed = 9 }").unwrap();
    let film = Timeline::new(&film, &Options { seed: Some(50), ..Options::default() }).unwrap();
    assert_eq!(
        (0..4).map(|frame| film.at(frame).unwrap().sampling.seed).collect::<Vec<_>>(),
        [50, 51, 52, 53]
    );
}

#[test]
fn strength_and_denoise_are_two_sides_of_one() {
    assert_eq!(at("frames = 2\ndenoise = 0.25", 0).sampling.strength, 0.75);
    let text = "denoise = 0.25\nscene a 2 { strength = 0.5 }\nscene b 2 { }";
    assert_eq!((at(text, 0).sampling.strength, at(text, 2).sampling.strength), (0.5, 0.75));
    // A schedule that swings beyond 1 is cut off, as in Deforum.
    assert_eq!(at("frames = 3\nstrength = t", 2).sampling.strength, 1.0);
}

#[test]
fn sources_and_files_are_relative_to_the_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.kin");
    let text = "source = init(\"a.png\")\nframes = 3\ndepth = picture(\"d.png\")\nmodel = \"m\"\nvideo { out = \"o.mp4\" }\n";
    std::fs::write(&path, text).unwrap();
    let (film, timeline, _) = kinora::timeline::check(&path, &Options::default()).unwrap();
    let first = timeline.at(0).unwrap();
    assert_eq!(first.source, FrameSource::Init(folder.path().join("a.png")));
    assert_eq!(first.depth, DepthSource::Picture(folder.path().join("d.png")));
    assert_eq!((first.sampling.strength, timeline.at(1).unwrap().sampling.strength), (0.8, 0.5));
    assert_eq!(timeline.video().out, Some(folder.path().join("o.mp4")));
    let files: Vec<_> = film.files().into_iter().map(|file| (file.param, file.path)).collect();
    let named = |param, name: &str| (param, folder.path().join(name));
    assert_eq!(files, [named("source", "a.png"), named("depth", "d.png"), named("model", "m")]);
    let still = at("source = still(\"b.png\")\nframes = 3", 2);
    assert_eq!(still.source, FrameSource::Still("b.png".into()));
}

#[test]
fn controls_are_read_with_their_scenes_changes() {
    let text = "frames = 2\ncontrol depth { weight = 1.25 mode = control }\ncontrol lines { image = \"l.png\" end = 0: 0, 1: 1 }";
    let controls = at(text, 1).controls;
    assert_eq!(
        (controls[0].name.as_str(), controls[0].weight, controls[0].mode),
        ("depth", 1.25, ControlMode::Control)
    );
    assert_eq!(controls[0].input, ControlInput::Depth);
    assert_eq!(controls[1].input, ControlInput::Picture("l.png".into()));
    assert_eq!((controls[1].start, controls[1].end), (0.0, 1.0));
    let text = "control depth { weight = 1.25 start = 0.1 }\nscene a 2 { control depth { weight = 2 } }";
    let controls = at(text, 1).controls;
    assert_eq!((controls.len(), controls[0].weight, controls[0].start), (1, 2.0, 0.1));
    let deforum =
        at("frames = 2\ncn_1_weight = 0:(0.5)\ncn_1_guidance_end = 0:(0.8)\ncn_2_weight = 0:(1)", 0).controls;
    assert_eq!(
        (deforum.len(), deforum[0].name.as_str(), deforum[0].weight, deforum[0].end),
        (2, "cn_1", 0.5, 0.8)
    );
}

#[test]
fn the_camera_is_chosen_by_what_is_set() {
    assert_eq!(flat("frames = 2\nzoom = 1.02", 0).zoom, 1.02);
    assert_eq!(deep("frames = 2\ntranslation_z = 3\nrotation_3d_y = 1", 0).translation, [0.0, 0.0, 3.0]);
    assert_eq!(flat("frames = 2\ntranslation_z = 3\nanimation_mode = \"2D\"", 0).zoom, 1.0);
    assert_eq!(deep("frames = 2\nanimation_mode = depth", 0).fov, 70.0);
    assert_eq!(flat("frames = 2\nperspective_flip_theta = 3", 0).flip.unwrap().fv, 53.0);
    assert_eq!(flat("frames = 2\nperspective_flip_theta = 3 enable_perspective_flip = false", 0).flip, None);
}

#[test]
fn samplers_keep_the_web_uis_names() {
    let sampling = at("frames = 2\nsampler = \"DPM++ 2M Karras\"", 0).sampling;
    assert_eq!(
        (sampling.sampler.as_deref(), sampling.spacing.as_deref()),
        (Some("dpmpp_2m"), Some("karras"))
    );
    let text = "frames = 200\nsampler_schedule = 0: (\"Euler a\"), 100: (\"DPM++ 2M\")";
    assert_eq!(at(text, 99).sampling.sampler.as_deref(), Some("euler_a"));
    assert_eq!(at(text, 100).sampling.sampler.as_deref(), Some("dpmpp_2m"));
    let sampling = at("frames = 2", 0).sampling;
    assert_eq!(
        (sampling.model, sampling.sampler, sampling.steps, sampling.guidance),
        (None, None, None, None)
    );
}

#[test]
fn prompts_are_held_and_their_holes_filled() {
    let text = "frames = 61\nprompt = 0s: \"a ${t / 2}\", 2s: \"b ${1 + 1}\", 4s: \"c\" ~cut";
    assert_eq!(at(text, 3).prompt, "a 1.5");
    assert_eq!(at(text, 24).prompt, "b 2");
    assert_eq!((at(text, 47).prompt.as_str(), at(text, 48).prompt.as_str()), ("b 2", "c"));
    assert_eq!(at("frames = 1\nprompt = \"\\(x\\) \\\"q\\\" \\${a}\"", 0).prompt, "\\(x\\) \"q\" ${a}");
}

#[test]
fn post_and_video_are_plain_values() {
    let film = timeline(
        "frames = 2\nvideo { size = 1024x576 }\npost { interpolate = flow(fps=48000/1001) deflicker = gain_map(sigma=500ms) encode = h264(crf=16) }",
    );
    assert_eq!(film.size(), Some((1024, 576)));
    assert_eq!(film.post().interpolate, Interpolate::Flow { rate: Rate { num: 48000, den: 1001 } });
    assert_eq!(film.post().deflicker, Deflicker::GainMap { sigma: 6.0 });
    assert_eq!(film.post().encode, Encode::H264 { crf: 16, preset: "medium".to_owned() });
    let plain = timeline("frames = 2");
    assert_eq!((plain.size(), plain.post().interpolate), (None, Interpolate::None));
    assert_eq!(plain.post().encode, Encode::H264 { crf: 17, preset: "medium".to_owned() });
}

#[test]
fn defaults_are_those_of_the_table() {
    for mode in ["flat", "depth"] {
        let written: String = all()
            .iter()
            .filter(|param| param.places.has(Places::FILM) && !param.default.is_empty())
            .filter(|param| {
                !matches!(param.name, "animation_mode" | "denoise" | "camera.look" | "camera.fov")
            })
            .map(|param| format!("{} = {}\n", param.name, param.default))
            .collect();
        let plain = at(&format!("frames = 3\nanimation_mode = {mode}"), 1);
        assert_eq!(plain, at(&format!("frames = 3\nanimation_mode = {mode}\n{written}"), 1));
    }
    let controls: String = all()
        .iter()
        .filter(|param| param.places.has(Places::CONTROL) && !param.default.is_empty())
        .map(|param| format!("{} = {} ", param.name, param.default))
        .collect();
    let plain = at("frames = 3\ncontrol depth { }", 1);
    assert_eq!(plain, at(&format!("frames = 3\ncontrol depth {{ {controls} }}"), 1));
}

/// What a parameter belongs to, without which it would do nothing.
fn neighbours(name: &str) -> &'static str {
    match name {
        "optical_flow_cadence" => "cadence = 3\n",
        "cadence_flow_factor" => "cadence = 3\noptical_flow_cadence = dis_fine\n",
        "redo_flow_factor" => "optical_flow_redo_generation = dis_fine\n",
        "init_strength" => "source = init(\"a.png\")\n",
        "prompt.blend" => "prompt = 0: \"a\", 8: \"b\" ~linear\n",
        "coherence.every" => "coherence.image = video(\"a.mp4\")\n",
        "use_noise_mask" => "noise_mask = \"a.png\"\n",
        "fill_feather" | "fill_margin" => "border = outpaint\n",
        "loop.window" => "loop = true\n",
        "use_mask"
        | "invert_mask"
        | "mask_overlay_blur"
        | "overlay_mask"
        | "mask_fill"
        | "full_res_mask"
        | "mask_contrast_adjust"
        | "mask_brightness_adjust" => "mask = \"{box 0 0 1 0.5}\"\n",
        "full_res_mask_padding" => "mask = \"{box 0 0 1 0.5}\"\nfull_res_mask = true\n",
        "image_strength"
        | "blend_factor_max"
        | "blend_factor_slope"
        | "tweening_frames"
        | "color_correction_factor" => "guide.images = 0: \"a.png\", 4: \"b.png\"\n",
        "hybrid_use_init_image" => "source = init(\"a.png\")\nhybrid_composite = normal\n",
        "hybrid_composite" | "hybrid_motion" | "hybrid_use_first_frame_as_init_image" => {
            "hybrid = video(\"a.mp4\")\n"
        }
        "hybrid_comp_alpha" | "hybrid_comp_mask_type" => {
            "hybrid = video(\"a.mp4\")\nhybrid_composite = normal\n"
        }
        "hybrid_comp_mask_auto_contrast_cutoff_low" | "hybrid_comp_mask_auto_contrast_cutoff_high" => {
            "hybrid = video(\"a.mp4\")\nhybrid_composite = normal\nhybrid_comp_mask_type = blend\n\
             hybrid_comp_mask_auto_contrast = true\n"
        }
        name if name.starts_with("hybrid_comp_mask") => {
            "hybrid = video(\"a.mp4\")\nhybrid_composite = normal\nhybrid_comp_mask_type = blend\n"
        }
        "hybrid_consistency_blur" => {
            "hybrid = video(\"a.mp4\")\nhybrid_motion = optical_flow\nhybrid_flow_consistency = true\n"
        }
        name if name.starts_with("hybrid_") => "hybrid = video(\"a.mp4\")\nhybrid_motion = optical_flow\n",
        _ => "",
    }
}

#[test]
fn every_parameter_is_read() {
    // Each number set away from its default must change some frame's parameters or the film itself.
    for param in all().iter().filter(|param| param.places.has(Places::FILM)) {
        let value = match param.kind {
            Kind::Number(_) if param.possible.1 < 3.0 => "0.25".to_owned(),
            Kind::Number(_) | Kind::Integer => "3".to_owned(),
            Kind::Vector => "[t, 0, 2]".to_owned(),
            Kind::Choice(choices) => choices
                .iter()
                .map(|choice| choice.name)
                .find(|name| *name != param.default)
                .unwrap()
                .to_owned(),
            Kind::Text | Kind::File => "\"other\"".to_owned(),
            Kind::Switch => (param.default != "true").to_string(),
            Kind::Size => "64x64".to_owned(),
            Kind::Call => format!("{}(\"a.png\")", param.calls.last().unwrap().name),
        };
        let value = match param.name {
            "depth.near" => "0.25".to_owned(),
            "bpm" => "60".to_owned(),
            "loop.window" => "0.5".to_owned(),
            "camera.shake" => "shake(quake)".to_owned(),
            "animation_mode" => "depth".to_owned(),
            "transition" => "crossfade(length = 0.5s)".to_owned(),
            "method" => "compose()".to_owned(),
            "source" => "init(\"a.png\")".to_owned(),
            _ => value,
        };
        let mode = if param.name.starts_with("transform") || matches!(param.name, "zoom" | "angle" | "method")
        {
            "flat"
        } else {
            "depth"
        };
        let mode =
            if param.name == "animation_mode" { String::new() } else { format!("animation_mode = {mode}\n") };
        let length = if param.name == "frames" { "" } else { "frames = 9\n" };
        let init = neighbours(param.name);
        let base = if param.name == "seed_schedule" { "seed_behavior = schedule\n" } else { "" };
        let base = if param.name == "bpm" {
            "bpm = 120\nangle = 0: 0, 1b: 8\nanimation_mode = flat\n"
        } else {
            base
        };
        let text = |line: String| match param.name {
            "transition" => format!("{line}\nscene a 4 {{ prompt = \"a\" }}\nscene b 9 {{ prompt = \"b\" }}"),
            "bpm" => format!("frames = 9\n{}", base.replace("bpm = 120", &line)),
            _ => format!("{mode}{length}{init}{base}{line}"),
        };
        let own = if param.name == "bpm" { "bpm = 120".to_owned() } else { String::new() };
        let default_length = if param.name == "frames" { "frames = 9".to_owned() } else { own };
        let (before, after) =
            (timeline(&text(default_length)), timeline(&text(format!("{} = {value}", param.name))));
        let frames = |film: &Timeline| {
            (0..film.frames().min(13)).map(|frame| film.at(frame).unwrap()).collect::<Vec<_>>()
        };
        let changed = frames(&before) != frames(&after)
            || before.video() != after.video()
            || before.fades() != after.fades()
            || before.frames() != after.frames();
        assert!(changed, "`{} = {value}` changes nothing", param.name);
    }
}

#[test]
fn problems_at_a_frame_name_the_frame() {
    let film = timeline("frames = 120\nangle = 1 / (t - 96) + 1 / (t - 97)\nnoise = t / 100");
    assert!(film.at(95).is_ok());
    let Err(Error::Schedule(found)) = film.at(96) else { panic!("expected an error") };
    assert_eq!(found.list[0].message, "at frame 96 (8.0 s): division by zero");
    let all = film.check_all_frames();
    let messages: Vec<&str> = all.list.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "at frame 96 (8.0 s): division by zero",
            "at frame 97 (8.1 s): division by zero",
            "at frame 101 (8.4 s): `noise` is 0 to 1, 1.01 is not"
        ]
    );
}

#[test]
fn the_table_prints() {
    let text = kinora::schedule::params::text(kinora::schedule::params::find("deflicker").unwrap());
    assert!(text.contains("gain_map(sigma=6)"), "{text}");
    let markdown = kinora::schedule::params::markdown(all());
    assert_eq!(markdown.lines().count(), all().len() + 2);
    assert!(markdown.lines().all(|line| line.starts_with('|') && line.ends_with('|')));
}

fn mixes(text: &str, frames: &[u32]) -> Vec<Vec<(String, f64)>> {
    let film = timeline(text);
    frames.iter().map(|frame| film.at(*frame).unwrap().prompt.parts).collect()
}

fn one(text: &str) -> Vec<(String, f64)> {
    vec![(text.to_owned(), 1.0)]
}

#[test]
fn a_prompt_passes_into_the_next_one_over_a_key_with_an_ease() {
    let text = "frames = 31\nprompt = 0: \"a\", 8: \"b\" ~linear, 16: \"c\", 24: \"d\" ~cut";
    let found = mixes(text, &[0, 2, 8, 12, 16, 20, 24]);
    let half = vec![("a".to_owned(), 0.75), ("b".to_owned(), 0.25)];
    assert_eq!(found, [one("a"), half, one("b"), one("b"), one("c"), one("c"), one("d")]);
    // Eases shape the way, and equal texts are one text.
    let eased = mixes("frames = 21\nprompt = 0: \"a\", 20: \"b\" ~ease-in-out", &[5, 10]);
    assert!((eased[0][1].1 - 0.1292).abs() < 5e-5 && (eased[1][1].1 - 0.5).abs() < 1e-12, "{eased:?}");
    assert_eq!(mixes("frames = 9\nprompt = 0: \"a\", 8: \"a\" ~linear", &[4]), [one("a")]);
}

#[test]
fn holes_of_both_prompts_are_filled_at_the_frame() {
    let text = "frames = 9\nnegative = 0: \"x\", 8: \"y\" ~linear\nprompt = 0: \"a ${t}\", 8: \"b ${t * 2}\" ~linear";
    let film = timeline(text);
    let frame = film.at(2).unwrap();
    assert_eq!(frame.prompt.parts, [("a 2".to_owned(), 0.75), ("b 4".to_owned(), 0.25)]);
    assert_eq!(frame.prompt.to_string(), "(a 2):0.75 AND (b 4):0.25");
    assert_eq!(frame.negative.parts, [("x".to_owned(), 0.75), ("y".to_owned(), 0.25)]);
    assert_eq!(frame.prompt.as_str(), "a 2");
    assert!(film.warnings().list.is_empty(), "{:?}", film.warnings());
}

#[test]
fn the_blend_is_chosen_by_name() {
    let blend =
        |text: &str| at(&format!("frames = 9\nprompt = 0: \"a\", 8: \"b\" ~linear\n{text}"), 4).prompt.blend;
    assert_eq!(blend(""), PromptBlend::Lerp);
    assert_eq!(blend("prompt.blend = slerp"), PromptBlend::Slerp);
    assert_eq!(blend("prompt.blend = composed"), PromptBlend::Composed);
    assert_eq!(blend("prompt.blend = \"AND\""), PromptBlend::Composed);
}

#[test]
fn a_seed_walks_between_its_keys() {
    let film = timeline("scene seasons 12s { seed = 0s: 41, 12s: 42 }");
    let walk = |frame: u32| {
        let sampling = film.at(frame).unwrap().sampling;
        (sampling.seed, sampling.subseed, sampling.subseed_strength, sampling.seed_walk)
    };
    assert_eq!(walk(0), (41, 1, 0.0, false));
    assert_eq!(walk(36), (41, 42, 0.25, true));
    assert_eq!(walk(72), (41, 42, 0.5, true));
    let seeds = |text: &str, frame: u32| {
        let sampling = at(&format!("frames = 9\n{text}"), frame).sampling;
        (sampling.seed, sampling.subseed, sampling.subseed_strength)
    };
    // Parseq's rule.
    assert_eq!(seeds("seed = 10.5 seed_behavior = fixed", 4), (10, 11, 0.5));
    assert_eq!(seeds("seed = 10 + t / 4", 5), (11, 12, 0.25));
    assert_eq!(seeds("seed = 0: 41, 8: 42 ~cut", 7), (41, 1, 0.0));
    assert_eq!(seeds("seed = 0: 41, 8: 43 ~steps(2)", 4), (42, 1, 0.0));
    // Deforum cuts the fractions of its own schedule off.
    assert_eq!(seeds("seed_schedule = 0: 41, 8: 42", 7), (41, 1, 0.0));
    assert_eq!(seeds("seed = 9007199254740993 seed_behavior = fixed", 0).0, 9_007_199_254_740_993);
}

#[test]
fn a_variation_seed_is_mixed_in() {
    let text =
        "frames = 9\nseed = 5 subseed_schedule = 0:(77), 4:(88)\nsubseed_strength_schedule = 0:(0), 8:(0.5)";
    let sampling = at(text, 4).sampling;
    assert_eq!((sampling.seed, sampling.subseed, sampling.subseed_strength), (9, 88, 0.25));
    assert!(!sampling.seed_walk);
    let random = |frame| at("frames = 9\nsubseed = -1 subseed_strength = 0.1", frame).sampling.subseed;
    assert!(random(1) >= 0 && random(1) != random(2) && random(1) == random(1));
}
