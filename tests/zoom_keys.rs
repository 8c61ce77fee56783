//! Which key pictures a composed zoom has, and which of them make up each frame.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use kinora::camera::zoom;
use kinora::canvas::Size;
use kinora::render::zoom::Chain;
use kinora::schedule;
use kinora::timeline::frame::{Camera, FrameParams, FrameSource};
use kinora::timeline::{Options, Timeline};

const SIZE: Size = Size::new(64, 48);

fn frames(film: &str) -> Vec<FrameParams> {
    let text = format!("kinora 1\nprompt = \"a\"\n{film}");
    let (film, _) = schedule::read("film.kin", &text).unwrap();
    let timeline = Timeline::new(&film, &Options::default()).unwrap();
    (0..timeline.frames()).map(|frame| timeline.at(frame).unwrap()).collect()
}

fn chain(film: &str) -> Chain {
    Chain::all(&frames(film), SIZE).unwrap().remove(0)
}

fn filled(chain: &Chain) -> Vec<u32> {
    chain.keys.iter().map(|key| key.params.frame).collect()
}

#[test]
fn a_zoom_takes_one_painting_and_one_for_each_ratio() {
    // 60 frames are 59 steps of 2 ** (1 / 12): 4.92 doublings.
    let zoom = "zoom = 2x/s\nmethod = compose(ratio=2)\nframes = 60\n";
    assert_eq!(chain(zoom).keys.len(), 6);
    assert_eq!(chain(&zoom.replace("ratio=2", "ratio=4")).keys.len(), 4);
    assert_eq!(chain(&zoom.replace("60", "61")).keys.len(), 6);
    assert_eq!(chain(&zoom.replace("60", "62")).keys.len(), 7);
    assert_eq!(chain(&zoom.replace("2x/s", "1")).keys.len(), 1);
    // The same seconds at another rate are the same zoom.
    assert_eq!(chain(&format!("fps = 24\n{}", zoom.replace("60", "121"))).keys.len(), 6);
}

#[test]
fn zooming_in_is_painted_backward_in_time_and_out_forward() {
    let zoom = "zoom = 2x/s\nmethod = compose()\nframes = 61\n";
    assert_eq!(filled(&chain(zoom)), [60, 48, 36, 24, 12, 0]);
    assert_eq!(filled(&chain(&zoom.replace("2x/s", "0.5x/s"))), [0, 12, 24, 36, 48, 60]);
}

#[test]
fn a_zoom_that_turns_back_meets_its_keys_again() {
    let there_and_back = chain("zoom = 0: 2x/s, 24: 0.5x/s ~cut\nmethod = compose()\nframes = 47\n");
    // Frames 1 to 23 go in, 24 to 46 out.
    assert_eq!(there_and_back.keys.len(), 3);
    let (there, back) = (there_and_back.shown(10), there_and_back.shown(36));
    assert_eq!(there.len(), back.len());
    // The way there and back is summed in another order: equal but for rounding.
    for ((key, place, passage), (met, found, part)) in there.iter().zip(&back) {
        assert_eq!((key, place.angle), (met, found.angle));
        let apart = (passage.share - part.share).abs() + (passage.bands - part.bands).abs();
        assert!(apart < 1e-12, "{passage:?} and {part:?}");
        assert!((place.scale / found.scale - 1.0).abs() < 1e-12, "{} and {}", place.scale, found.scale);
    }
}

#[test]
fn every_frame_is_covered_and_shows_few_keys() {
    for film in [
        "zoom = 1.9x/s\nmethod = compose()\nframes = 80\n",
        "zoom = 0.6x/s\nmethod = compose(ratio=1.5)\nframes = 80\n",
        "zoom = 1.9x/s\nangle = 40deg/s\nmethod = compose()\nframes = 80\n",
        "zoom = 1\nangle = 40deg/s\nmethod = compose()\nframes = 80\n",
        "zoom = 0: 1, 40: 1.1 ~ease-in-out, 80: 0.95\nangle = -3\nmethod = compose(ratio=3)\nframes = 80\n",
    ] {
        let chain = chain(film);
        for frame in 0..80 {
            let shown = chain.shown(frame);
            let overlap = chain.compose.overlap;
            assert!(zoom::covers(SIZE, shown[0].1, overlap, 0.0), "{film}: {frame}");
            assert!((1..=4).contains(&shown.len()), "{film}: {frame}: {shown:?}");
        }
    }
}

#[test]
fn what_a_key_is_painted_with_is_what_its_frame_says() {
    let film = "zoom = 2x/s\nmethod = compose(refine=0.3)\nframes = 25\nsteps = 0: 10, 12: 20 ~cut, 24: 30 ~cut\n\
                strength = 0.9\nseed = 5\n";
    let keys = chain(film).keys;
    let said: Vec<_> =
        keys.iter().map(|k| (k.params.sampling.steps, k.params.sampling.seed, k.is_outer)).collect();
    assert_eq!(said, [(Some(30), 29, false), (Some(20), 17, true), (Some(10), 5, true)]);
    assert!(keys.iter().all(|key| key.params.sampling.strength == 0.0));
    let refined: Vec<_> =
        keys.iter().map(|k| k.refined().map(|p| (p.sampling.strength, p.sampling.seed))).collect();
    assert_eq!(refined, [None, Some((0.7, 18)), Some((0.7, 6))]);
    let over = chain(&format!("{film}source = init(\"a.png\")\ninit_strength = 0.6\n")).keys;
    assert_eq!(over[0].params.sampling.strength, 0.6);
    assert!(matches!(over[0].params.source, FrameSource::Init(_)));
    assert_eq!(over[1].params.source, FrameSource::Previous);
}

#[test]
fn no_zoom_asks_for_pictures_without_end() {
    let endless = frames("zoom = 1000\nmethod = compose(ratio=1.1)\nframes = 200\n");
    let refused = Chain::all(&endless, SIZE).unwrap_err();
    assert!(refused.to_string().contains("more than 10000 key pictures"), "{refused}");
}

#[test]
fn the_keys_of_a_loop_are_painted_in_two_laps_and_come_again() {
    // Five doublings and a bit, in steps that close.
    let film = "method = compose(ratio=2)\nscene well 60f loop { zoom = 2.1x/s  angle = 7 }\n";
    for film in [film.to_owned(), film.replace("2.1x/s", "0.5x/s")] {
        let chain = chain(&film);
        assert_eq!(chain.keys.len(), 10);
        let over: Vec<Option<usize>> = chain.keys.iter().map(|key| key.over).collect();
        assert_eq!(over[..5], [None; 5]);
        assert_eq!(over[5..], [0, 1, 2, 3, 4].map(Some));
        // The ways of all frames, each as it looks from the one before, are those from the last to the first.
        let scale = |frame: u32, key: usize| {
            chain
                .shown(frame)
                .iter()
                .find(|(shown, ..)| *shown == key)
                .map(|(_, place, _)| (place.scale, place.angle))
        };
        for frame in 0..60 {
            let shown = chain.shown(frame);
            assert!(shown.iter().all(|(key, ..)| *key >= 5), "{film}: {frame}: {shown:?}");
            assert!(zoom::covers(SIZE, shown[0].1, chain.compose.overlap, 0.0), "{film}: {frame}");
            let next = (frame + 1) % 60;
            let both = shown.iter().find_map(|(key, place, _)| Some((place, scale(next, *key)?)));
            let (here, there) = both.unwrap_or_else(|| panic!("{film}: {frame} and {next} show other keys"));
            let rate = if film.contains("2.1x/s") { 2.1 } else { 0.5 };
            let step = libm::pow(rate, 1.0 / 12.0);
            assert!((there.0 / here.scale / step - 1.0).abs() < 1e-9, "{film}: {frame}");
            let turned = (there.1 - here.angle - 7.0).abs();
            assert!(turned < 1e-9, "{film}: {frame}: {turned}");
        }
    }
}

#[test]
fn a_loop_that_comes_back_needs_no_second_lap_and_one_that_hardly_zooms_is_refused() {
    let breath = "zoom = osc(\"sin\", period=60, amp=0.03, centre=1)";
    let film = format!("method = compose(ratio=2)\nscene well 60f loop {{ {breath} }}\n");
    let breathing = chain(&film);
    assert!(breathing.keys.iter().all(|key| key.over.is_none()));
    // A sine of magnifications does not come back quite: (1 + a)(1 - a) is below 1. What is missing is spread.
    let zooms = frames(&film).into_iter().map(|frame| match frame.camera {
        Camera::Flat(camera) => libm::log(camera.zoom),
        Camera::Deep(_) => 0.0,
    });
    let (zooms, seen): (Vec<f64>, _) = (zooms.collect(), |frame: u32| breathing.shown(frame)[0].1.scale);
    let net: f64 = zooms.iter().sum();
    let into_the_first = libm::log(seen(0) / seen(59));
    assert!(
        net < -0.005 && (into_the_first - (zooms[0] - net / 60.0)).abs() < 1e-9,
        "{net} {into_the_first}"
    );
    let still = chain("method = compose(ratio=2)\nscene well 60f loop { zoom = 1  angle = 6 }\n");
    assert!(still.keys.iter().all(|key| key.over.is_none()));
    for zoom in ["1.004", "1.0005"] {
        let little = format!("method = compose(ratio=2)\nscene well 60f loop {{ zoom = {zoom} }}\n");
        let refused = Chain::all(&frames(&little), SIZE).unwrap_err();
        assert!(refused.to_string().contains("which no key pictures close"), "{refused}");
    }
}
