//! Any text as a film: checked, laid out in frames, and its frames computed in two orders with one result.

#![no_main]

use kinora::timeline::{Options, Timeline};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok((film, _)) = kinora::schedule::read("film.kin", text) else { return };
    let Ok(timeline) = Timeline::new(&film, &Options::default()) else { return };
    let last = timeline.frames() - 1;
    let frames = [0, last / 3, last / 2, last];
    let forwards: Vec<String> = frames.iter().map(|frame| format!("{:?}", timeline.at(*frame).ok())).collect();
    let backwards = frames.iter().rev().map(|frame| format!("{:?}", timeline.at(*frame).ok()));
    assert!(backwards.eq(forwards.into_iter().rev()));
});
