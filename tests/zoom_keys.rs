//! Which key pictures a composed zoom has, and which of them make up each frame.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use kinora::camera::zoom;
use kinora::canvas::Size;
use kinora::render::zoom::Chain;
use kinora::schedule;
use kinora::timeline::frame::{FrameParams, FrameSource};
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
