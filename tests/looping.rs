//! Scenes that loop: the last frame leads into the first as any frame into the next.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use kinora::camera::{Manner, warp_as};
use kinora::canvas::{Canvas, DepthMap, Size};
use kinora::error::Result;
use kinora::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use kinora::render::seams::{PaintRequest, Painter, Sources};
use kinora::timeline::frame::{DepthSource, Fit};
use kinora::timeline::{Options, Timeline};

const SIZE: Size = Size::new(96, 64);

/// Paints spots of its own over the picture underneath, other ones in every frame: what a model does as far as a
/// loop is concerned. Where they lie goes on from frame to frame, so that the film leaves its beginning behind.
struct Spots;

impl Painter for Spots {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let (frame, strength) = (f64::from(request.params.frame), request.params.sampling.strength);
        let mut canvas = Canvas::filled(request.size, [0; 3]);
        for (i, value) in canvas.as_rgb8_mut().iter_mut().enumerate() {
            let (x, y, c) = ((i / 3 % SIZE.width) as f64, (i / 3 / SIZE.width) as f64, (i % 3) as f64);
            let own = 128.0
                + 60.0 * libm::sin(x / 7.0 + frame / 3.0 + c)
                + 50.0 * libm::cos(y / 6.0 - frame / 4.0 + 2.0 * c);
            let under = request.init.map_or(own, |init| f64::from(init.as_rgb8()[i]));
            *value = (under * strength + own * (1.0 - strength)).round() as u8;
        }
        Ok(Some(canvas))
    }
}

/// A bowl, and no files.
struct Bowl;

impl Sources for Bowl {
    fn picture(&mut self, _: &Path, size: Size, _: Fit) -> Result<Canvas> {
        Ok(Canvas::filled(size, [90; 3]))
    }

    fn edges(&mut self, _: &Path, size: Size, _: Fit, _: (f64, f64)) -> Result<Canvas> {
        Ok(Canvas::filled(size, [0; 3]))
    }

    fn depth(&mut self, _: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        let (w, h) = (picture.width(), picture.height());
        let bowl =
            |i: usize| libm::hypot((i % w) as f64 - w as f64 / 2.0, (i / w) as f64 - h as f64 / 2.0) as f32;
        Ok(DepthMap::from_values(picture.size(), (0..w * h).map(bowl).collect()))
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        Canvas::filled(depth.size(), [128; 3])
    }
}

fn timeline(text: &str) -> Timeline {
    let (film, _) =
        kinora::schedule::read("film.kin", &format!("kinora 1\nprompt = \"a\"\nfps = 10\n{text}")).unwrap();
    Timeline::new(&film, &Options::default()).unwrap()
}

/// The frames from `state` on.
fn frames(film: &Timeline, mut state: LoopState, numbers: std::ops::Range<u32>) -> Vec<Canvas> {
    let (mut painter, mut sources) = (Spots, Bowl);
    let mut studio = Studio {
        painter: &mut painter,
        sources: &mut sources,
        size: SIZE,
        // What is measured of earlier frames comes from the journal: here there is none.
        rules: Rules { measured: false, ..Rules::NATIVE },
        times: StageTimes::default(),
    };
    numbers
        .map(|frame| {
            let params = film.at(frame).unwrap();
            studio.frame(&params, &mut state, &mut |_, _| true).unwrap().unwrap().canvas
        })
        .collect()
}

fn difference(a: &Canvas, b: &Canvas) -> f64 {
    let pairs = a.as_rgb8().iter().zip(b.as_rgb8());
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.as_rgb8().len() as f64
}

/// The step from the last frame to the first, over the mean of all others.
fn seam(film: &Timeline) -> f64 {
    let frames = frames(film, LoopState::default(), 0..film.frames());
    let steps: Vec<f64> = frames.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    difference(&frames[frames.len() - 1], &frames[0]) / mean
}

#[test]
fn the_seam_is_a_step_like_any_other() {
    for (motion, what) in [
        ("zoom = 1.01 border = reflect", "a zoom in"),
        ("zoom = 0.99 border = reflect", "a zoom out"),
        ("translation_x = 1 border = wrap", "a scroll"),
        ("angle = osc(\"sin\", period=2s) border = reflect", "a swing"),
        ("translation_z = 1.5 depth = flat border = reflect", "a flight"),
        ("translation_z = 1 rotation_3d_y = 0.2 border = reflect", "a flight over a relief"),
    ] {
        let settings = format!("strength = 0.8 noise = 0 coherence = none {motion}");
        let open = seam(&timeline(&format!("scene a 40f {{ {settings} }}")));
        let closed = seam(&timeline(&format!("scene a 40f loop {{ {settings} }}")));
        println!("{what}: seam {closed:.2} of a step with `loop`, {open:.2} without");
        assert!(closed < 1.6, "{what}: the seam is {closed:.2} steps");
        assert!(open > 2.0 * closed, "{what}: without loop the seam is {open:.2} steps, with it {closed:.2}");
    }
}

#[test]
fn a_frame_after_the_last_would_be_the_first_moved_there() {
    // In the end nearly all of the picture is the first frame, before its last step.
    let film = timeline(
        "scene a 40f loop { zoom = 1.01 strength = 0.5 noise = 0 coherence = none border = reflect }",
    );
    let frames = frames(&film, LoopState::default(), 0..40);
    let camera = film.at(39).unwrap().closing.unwrap().ahead[0];
    let after = warp_as(Manner::Native, &frames[39], &camera, film.at(39).unwrap().border, None).canvas;
    let (seam, start) = (difference(&after, &frames[0]), difference(&frames[20], &frames[0]));
    assert!(seam < start / 4.0, "{seam} of {start}");
}

#[test]
fn a_resumed_loop_has_the_same_frames() {
    // Steady depth would have to be handed on as well, as the store does.
    for motion in ["zoom = 1.01", "depth.steady = false translation_z = 1"] {
        let film = timeline(&format!("scene a 24f loop {{ {motion} loop.window = 50% strength = 0.6 }}"));
        let whole = frames(&film, LoopState::default(), 0..24);
        for from in [13, 17, 23] {
            let state = LoopState::new(whole[from - 1].clone(), whole[0].clone());
            let rest = frames(&film, state, from as u32..24);
            assert!(rest == whole[from..], "{motion} from {from}");
        }
    }
}
