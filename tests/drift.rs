//! The drift meter in the loop: a painter that loses a little at every frame is measured, warned of, held and stopped, and
//! a resumed run gives the same bytes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Mutex;

use kinora::canvas::{Canvas, DepthMap, Size};
use kinora::colour::Measures;
use kinora::error::{Error, Result};
use kinora::progress::{Progress, StopFlag};
use kinora::render::frame_loop::{FIRST, Planned, Rules, StageTimes, Studio, independent, run};
use kinora::render::journal::Expected;
use kinora::render::seams::{PaintRequest, Painter, Sources};
use kinora::render::store::Store;
use kinora::timeline::frame::{DepthSource, Fit};
use kinora::timeline::{Options, Timeline};

const SIZE: Size = Size::new(64, 48);

/// A first frame of waves; every later one is what is underneath, a little darker, greyer and softer.
struct Fading;

impl Painter for Fading {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let (w, h) = (request.size.width, request.size.height);
        let Some(init) = request.init else {
            let value = |i: usize| {
                let (x, y, c) = ((i / 3 % w) as f64, (i / 3 / w) as f64, (i % 3) as f64);
                130.0 + 40.0 * libm::sin(x * 0.9 + 2.0 * c) + 40.0 * libm::cos(y * 0.7 + x * 0.3 + c)
            };
            return Ok(Some(Canvas::from_rgb8(
                request.size,
                (0..w * h * 3).map(|i| value(i) as u8).collect(),
            )));
        };
        let mut faded = init.clone();
        for y in 0..h {
            for x in 0..w {
                let at = |x: usize, y: usize| init.pixel(x.min(w - 1), y.min(h - 1)).map(f64::from);
                let around =
                    [at(x + 1, y), at(x.saturating_sub(1), y), at(x, y + 1), at(x, y.saturating_sub(1))];
                let own = at(x, y);
                let soft: [f64; 3] = std::array::from_fn(|c| {
                    0.96 * own[c] + 0.01 * around.iter().map(|near| near[c]).sum::<f64>()
                });
                let grey = soft.iter().sum::<f64>() / 3.0;
                let new = soft.map(|v| (0.985 * (v + 0.015 * (grey - v))).round() as u8);
                faded.as_rgb8_mut()[(y * w + x) * 3..][..3].copy_from_slice(&new);
            }
        }
        Ok(Some(faded))
    }
}

struct Nothing;

impl Sources for Nothing {
    fn picture(&mut self, _path: &Path, size: Size, _fit: Fit) -> Result<Canvas> {
        Ok(Canvas::filled(size, [90, 60, 200]))
    }
    fn edges(&mut self, _path: &Path, size: Size, _fit: Fit, _thresholds: (f64, f64)) -> Result<Canvas> {
        Ok(Canvas::filled(size, [0; 3]))
    }
    fn depth(&mut self, _source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        Ok(DepthMap::filled(picture.size(), 1.0))
    }
    fn hint(&self, depth: &DepthMap) -> Canvas {
        Canvas::filled(depth.size(), [0; 3])
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn begin(&self, _label: &str, _total: u64, _done: u64) {}
    fn step(&self, _step: usize, _steps: usize) {}
    fn frame(&self) {}
    fn reach(&self, _done: u64) {}
    fn end(&self) {}
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// Renders `settings` to `folder`, up to `until` frames when not all, and gives what was said.
fn render(folder: &Path, settings: &str, until: Option<usize>) -> (Result<()>, Vec<String>) {
    let free = if settings.contains("coherence") { "" } else { "coherence = none" };
    let text = format!(
        "kinora 1\nframes = 160\nprompt = \"a\"\nnoise = 0\nsharpen.amount = 0\n{free}\n{settings}\n"
    );
    let (film, _) = kinora::schedule::read("film.kin", &text).unwrap();
    let timeline = Timeline::new(&film, &Options::default()).unwrap();
    let store = Store::open(folder).unwrap();
    let expected: Vec<Expected> = (0..160)
        .map(|frame| {
            let independent = independent(&timeline.at(frame).unwrap());
            Expected { params: format!("{settings} {frame}"), models: "m".to_owned(), independent }
        })
        .collect();
    let done = store.valid(&expected).unwrap();
    let mut plan: Vec<Planned> = (0..)
        .zip(expected)
        .zip(done)
        .map(|((frame, expected), done)| Planned {
            params: timeline.at(frame).unwrap(),
            expected,
            text: String::new(),
            done,
        })
        .collect();
    plan.truncate(until.unwrap_or(plan.len()));
    let (mut painter, mut sources) = (Fading, Nothing);
    let mut studio = Studio {
        painter: &mut painter,
        sources: &mut sources,
        size: SIZE,
        rules: Rules::NATIVE,
        times: StageTimes::default(),
    };
    let notes = Notes::default();
    let result =
        store.while_storing(|shelf| run(&plan, &store, shelf, &mut studio, &notes, &StopFlag::default()));
    (result, notes.0.into_inner().unwrap())
}

/// How far a frame has gone from the first ones.
fn drift_at(folder: &Path, frame: u32) -> [f64; 4] {
    let store = Store::look(folder);
    let of = |frame| Measures::of(&store.read(frame).unwrap());
    let first: Vec<Measures> = (0..FIRST as u32).map(of).collect();
    of(frame).drift(&Measures::median(&first).unwrap())
}

#[test]
fn what_fades_is_held_when_it_is_to_be_and_not_when_not() {
    let folder = tempfile::tempdir().unwrap();
    let (loose, held) = (folder.path().join("loose"), folder.path().join("held"));
    render(&loose, "drift.correct = 0\ndrift.warn = 0", None).0.unwrap();
    let gone = drift_at(&loose, 159);
    assert!(gone.iter().all(|drift| *drift < -0.6), "{gone:?}");
    render(&held, "drift.correct = 0.1\ndrift.warn = 0", None).0.unwrap();
    for frame in [40, 80, 120, 159] {
        let drift = drift_at(&held, frame);
        assert!(drift.iter().all(|drift| drift.abs() < 0.1), "frame {frame}: {drift:?}");
    }
    // Only what is asked for: the sharpness is held, the light goes.
    let sharp = folder.path().join("sharp");
    render(&sharp, "drift.correct = 0.1\ndrift.measures = sharpness\ndrift.warn = 0", None).0.unwrap();
    let drift = drift_at(&sharp, 60);
    assert!(drift[0] < -0.4, "{drift:?}");
}

#[test]
fn the_journal_keeps_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    render(folder.path(), "drift.correct = 0\ndrift.warn = 0", Some(5)).0.unwrap();
    let store = Store::look(folder.path());
    let kept = store.measures().unwrap();
    assert_eq!(kept.len(), 5);
    for (frame, measures) in kept {
        let own = Measures::of(&store.read(frame).unwrap());
        let near = own.compared().iter().zip(measures.compared()).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near, "{frame}: {own:?} {measures:?}");
    }
}

#[test]
fn each_measure_is_warned_of_once_with_its_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (result, said) = render(folder.path(), "drift.correct = 0\ndrift.warn = 0.25", None);
    result.unwrap();
    assert_eq!(said.len(), 4, "{said:?}");
    for name in ["luma", "contrast", "saturation", "sharpness"] {
        assert_eq!(said.iter().filter(|line| line.contains(name)).count(), 1, "{said:?}");
    }
    assert!(
        said.iter().all(|line| line.starts_with("warning: frame ") && line.contains("drift.warn = 0.25"))
    );
    let (result, said) = render(&folder.path().join("held"), "drift.correct = 0.1\ndrift.warn = 0.25", None);
    result.unwrap();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn stop_ends_the_run_keeps_its_frames_and_stays_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "drift.correct = 0\ndrift.warn = 0\ndrift.stop = 0.5";
    let Err(Error::Drift { frame, message, .. }) = render(folder.path(), settings, None).0 else {
        panic!("it was not stopped")
    };
    assert!(frame > 10 && frame < 159 && message.contains("drift.stop = 0.5"), "{frame}: {message}");
    let store = Store::look(folder.path());
    assert!(store.path(frame - 1).exists() && !store.path(frame).exists());
    // The same command does not paint on either.
    let again = render(folder.path(), settings, None).0.unwrap_err();
    assert!(matches!(again, Error::Drift { frame: second, .. } if second == frame), "{again}");
    assert!(!store.path(frame).exists());
    assert_eq!(again.exit_code(), 5);
}

#[test]
fn a_resumed_run_corrects_as_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let settings = "drift.correct = 0.08\ndrift.warn = 0";
    render(&whole, settings, None).0.unwrap();
    for until in [1, 2, 30, 60, 61, 130, 160] {
        render(&broken, settings, Some(until)).0.unwrap();
    }
    for frame in 0..160 {
        let bytes = |folder: &Path| std::fs::read(Store::look(folder).path(frame)).unwrap();
        assert!(bytes(&whole) == bytes(&broken), "frame {frame}");
    }
}

#[test]
fn colours_can_be_held_to_a_picture_from_the_first_frame_on() {
    let folder = tempfile::tempdir().unwrap();
    let picture = "coherence = mkl\ncoherence.image = \"look.png\"\ndrift.correct = 0\ndrift.warn = 0";
    render(folder.path(), picture, Some(3)).0.unwrap();
    let store = Store::look(folder.path());
    for frame in 0..3 {
        let mean = Measures::of(&store.read(frame).unwrap()).mean;
        let near = mean.iter().zip([90.0, 60.0, 200.0]).all(|(a, b): (&f64, f64)| (a - b).abs() < 1.0);
        assert!(near, "frame {frame}: {mean:?}");
    }
}
