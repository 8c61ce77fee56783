//! Prompts that pass into each other, seeds that walk and vary, and settings under another program's names.

use std::path::Path;

use kinora::import::{Imported, Kind, import};
use kinora::timeline::frame::PromptBlend;
use kinora::timeline::{Options, Timeline};

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

#[test]
fn eta_schedules_are_carried_over_where_they_are_switched_on() {
    let film = |ancestral: bool, ddim: bool| {
        deforum(&format!(
            "{{\"max_frames\": 11, \"enable_ancestral_eta_scheduling\": {ancestral},
              \"enable_ddim_eta_scheduling\": {ddim},
              \"ancestral_eta_schedule\": \"0:(1), 10:(0.5)\", \"ddim_eta_schedule\": \"0:(0.01*t)\"}}"
        ))
    };
    let both = film(true, true);
    let frame = timeline(&both.film).at(10).unwrap().sampling;
    assert_eq!((frame.eta, frame.ddim_eta), (Some(0.5), Some(0.1)), "{}", both.film);
    assert!(both.report.carried.iter().any(|carried| carried.key == "ancestral_eta_schedule"));
    assert!(both.report.not_carried.iter().all(|note| !note.key.contains("eta_sched")));
    let none = film(false, false);
    let frame = timeline(&none.film).at(10).unwrap().sampling;
    assert_eq!((frame.eta, frame.ddim_eta), (None, None), "{}", none.film);
    assert!(none.report.without_effect.iter().any(|note| note.key == "ddim_eta_schedule"));
}

#[test]
fn pictures_of_the_web_ui_say_whose_noise_they_were_made_of() {
    use kinora::timeline::frame::Rng;
    let film = |more: &str| {
        let text = format!("a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5{more}");
        let found = import(Path::new("a.txt"), text.as_bytes(), Some(Kind::A1111), Path::new("/nowhere"));
        timeline(&found.unwrap().film).at(0).unwrap().sampling
    };
    let plain = film("");
    assert_eq!((plain.rng, plain.spacing.as_deref()), (Rng::Nv, Some("uniform")));
    let said =
        film(", RNG: CPU, ENSD: 31337, Eta: 0.67, Eta DDIM: 0.2, Sigma noise: 1.05, Schedule type: Karras");
    assert_eq!((said.rng, said.spacing.as_deref()), (Rng::Cpu, Some("karras")));
    assert_eq!((said.eta_noise_seed_delta, said.eta, said.ddim_eta), (31337, Some(0.67), Some(0.2)));
    assert_eq!(said.s_noise, 1.05);
    assert_eq!(film(", RNG: NV").rng, Rng::Nv);
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
