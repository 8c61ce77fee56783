//! Deflicker and the chain on made-up sequences with a known truth, and on folders and videos.

#![allow(clippy::disallowed_methods, reason = "made-up pictures, compared with themselves")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use kinora::canvas::{Canvas, Size};
use kinora::encode::{Fps, VideoSettings, stills};
use kinora::error::{Error, Result};
use kinora::flow::FlowSettings;
use kinora::post::chain::{Chain, FrameSource};
use kinora::post::deflicker::sequence::{Job, Progress, deflicker};
use kinora::post::deflicker::{Analyser, Matching, Method};

const SIZE: Size = Size::new(96, 72);

/// A textured picture whose linear light is `light` times that of a mid-tone one, with a gain by row.
fn picture(light: f64, row_gain: impl Fn(f64) -> f64) -> Canvas {
    let pixel = |i: usize| {
        let (x, y) = ((i % SIZE.width) as f64, (i / SIZE.width) as f64);
        let base = 0.12 + 0.05 * (x * 0.4).sin() + 0.05 * (y * 0.3 + x * 0.1).cos();
        let linear = base * light * row_gain(y / SIZE.height as f64);
        let encoded = 1.055 * linear.max(0.0032).powf(1.0 / 2.4) - 0.055;
        [(encoded * 255.0 + 0.5) as u8, (encoded * 240.0 + 0.5) as u8, (encoded * 200.0 + 0.5) as u8]
    };
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(pixel).collect())
}

/// Bounded white noise from a fixed sequence, -1 to 1.
fn noise(i: usize) -> f64 {
    let hash = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / (1u64 << 23) as f64 - 1.0
}

fn corrected(frames: &[Canvas], method: Method, cuts: &[usize]) -> Vec<Canvas> {
    let mut analyser = Analyser::new(method).unwrap();
    frames.iter().for_each(|f| analyser.push(f).unwrap());
    let correction = analyser.finish(cuts);
    let one = |(i, frame): (usize, &Canvas)| {
        let mut frame = frame.clone();
        correction.apply(i, &mut frame);
        frame
    };
    frames.iter().enumerate().map(one).collect()
}

fn mean(frame: &Canvas, rows: std::ops::Range<usize>) -> f64 {
    let bytes = &frame.as_rgb8()[rows.start * SIZE.width * 3..rows.end * SIZE.width * 3];
    bytes.iter().map(|v| f64::from(*v)).sum::<f64>() / bytes.len() as f64
}

/// Root mean square of the second difference over time / sqrt 6: white flicker of deviation s gives s.
fn flicker(frames: &[Canvas], rows: std::ops::Range<usize>) -> f64 {
    let means: Vec<f64> = frames.iter().map(|f| mean(f, rows.clone())).collect();
    let square = means.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).powi(2)).sum::<f64>();
    (square / (means.len() - 2) as f64 / 6.0).sqrt()
}

const ALL: std::ops::Range<usize> = 0..SIZE.height;

#[test]
fn a_steady_sequence_is_left_alone() {
    let frames = vec![picture(1.0, |_| 1.0); 9];
    for method in
        [Method::GAIN_CURVE, Method::GAIN_MAP, Method::Histogram { radius: 15, matching: Matching::Full }]
    {
        for (before, after) in frames.iter().zip(corrected(&frames, method, &[])) {
            let worst = before.as_rgb8().iter().zip(after.as_rgb8()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(1), "{method:?}: {worst:?}");
        }
    }
}

/// At least a tenth of exposure flicker goes, with either method.
#[test]
fn exposure_flicker_falls_to_a_tenth() {
    let frames: Vec<Canvas> = (0..40).map(|i| picture(2f64.powf(0.35 * noise(i)), |_| 1.0)).collect();
    for method in [Method::GAIN_CURVE, Method::GAIN_MAP] {
        let (before, after) = (flicker(&frames, ALL), flicker(&corrected(&frames, method, &[]), ALL));
        assert!(after < before / 10.0, "{method:?}: {before} to {after}");
    }
}

/// Bands that roll through the picture: the map takes five sixths out of each strip, the curve cannot.
#[test]
fn rolling_bands_need_the_map() {
    let band =
        |i: usize| move |y: f64| 1.0 + 0.25 * (std::f64::consts::TAU * (1.3 * y + 0.37 * i as f64)).sin();
    let frames: Vec<Canvas> = (0..40).map(|i| picture(1.0, band(i))).collect();
    let strip = 30..36;
    let before = flicker(&frames, strip.clone());
    let map = flicker(&corrected(&frames, Method::GAIN_MAP, &[]), strip.clone());
    let curve = flicker(&corrected(&frames, Method::GAIN_CURVE, &[]), strip);
    assert!(map < before / 6.0 && curve > before / 2.0, "{before}: map {map}, curve {curve}");
}

/// A sunset over 60 frames stays within two levels of what it was; so does its end.
#[test]
fn a_ramp_survives() {
    let frames: Vec<Canvas> = (0..60).map(|i| picture(2f64.powf(1.0 - i as f64 / 30.0), |_| 1.0)).collect();
    for (i, (before, after)) in frames.iter().zip(corrected(&frames, Method::GAIN_MAP, &[])).enumerate() {
        let moved = (mean(before, ALL) - mean(&after, ALL)).abs();
        assert!(moved < 2.0, "frame {i} moved by {moved}");
    }
}

/// Day and night with a cut between: with the cut known, neither bleeds into the other.
#[test]
fn nothing_is_smoothed_across_a_cut() {
    let frames: Vec<Canvas> = (0..20).map(|i| picture(if i < 10 { 2.0 } else { 0.5 }, |_| 1.0)).collect();
    let known = corrected(&frames, Method::GAIN_CURVE, &[10]);
    assert_eq!(known, frames);
    let unknown = corrected(&frames, Method::GAIN_CURVE, &[]);
    assert!((mean(&unknown[9], ALL) - mean(&frames[9], ALL)).abs() > 5.0);
}

fn job<'a>(method: Method, video: &'a VideoSettings, watch: &'a mut dyn FnMut(Progress) -> bool) -> Job<'a> {
    Job { method, cuts: &[], video, watch }
}

fn folder_job(input: &Path, output: &Path) -> Result<usize> {
    deflicker(input, output, job(Method::GAIN_CURVE, &VideoSettings::default(), &mut |_| true))
        .map(|done| done.frames)
}

#[test]
fn a_folder_keeps_its_names_kinds_and_originals() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |name: &str, image: &image::DynamicImage| image.save(input.path().join(name)).unwrap();
    for i in 0..12 {
        let canvas = picture(2f64.powf(0.3 * noise(i)), |_| 1.0);
        let rgb = image::RgbImage::from_raw(96, 72, canvas.into_rgb8()).unwrap();
        let rgb = image::DynamicImage::ImageRgb8(rgb);
        match i % 3 {
            0 => write(&format!("img{i}.jpg"), &rgb),
            1 => write(&format!("img{i}.png"), &image::DynamicImage::ImageRgb16(rgb.to_rgb16())),
            _ => write(&format!("img{i}.png"), &image::DynamicImage::ImageRgba8(rgb.to_rgba8())),
        }
    }
    let before: Vec<_> =
        stills::list(input.path()).unwrap().iter().map(|p| std::fs::read(p).unwrap()).collect();
    let mut steps = Vec::new();
    let settings = VideoSettings::default();
    let mut watch = |p| {
        steps.push(p);
        true
    };
    let done =
        deflicker(input.path(), output.path(), job(Method::GAIN_CURVE, &settings, &mut watch)).unwrap();
    assert_eq!(done.frames, 12);
    assert_eq!(steps.last(), Some(&Progress { pass: 2, done: 12, total: 12 }));
    let after: Vec<_> =
        stills::list(input.path()).unwrap().iter().map(|p| std::fs::read(p).unwrap()).collect();
    assert_eq!(before, after, "the originals are as they were");
    let names = |folder: &Path| -> Vec<_> {
        stills::list(folder).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(input.path()), names(output.path()));
    let colour = |name: &str| image::open(output.path().join(name)).unwrap().color();
    assert_eq!(colour("img1.png"), image::ColorType::Rgb16);
    assert_eq!(colour("img2.png"), image::ColorType::Rgba8);
    assert_eq!(colour("img0.jpg"), image::ColorType::Rgb8);
    let frames = |folder: &Path| -> Vec<Canvas> {
        stills::list(folder).unwrap().iter().map(|p| Canvas::open(p).unwrap()).collect()
    };
    let (raw, smooth) = (flicker(&frames(input.path()), ALL), flicker(&frames(output.path()), ALL));
    assert!(smooth < raw / 8.0, "{raw} to {smooth}");
}

#[test]
fn the_input_folder_is_never_the_output() {
    let input = tempfile::tempdir().unwrap();
    std::fs::write(input.path().join("a.png"), picture(1.0, |_| 1.0).to_png().unwrap()).unwrap();
    let error = folder_job(input.path(), &input.path().join("../").join(input.path().file_name().unwrap()));
    assert!(matches!(error, Err(Error::Usage { .. })), "{error:?}");
}

#[test]
fn pictures_of_two_sizes_are_both_named() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, size) in [("a.png", Size::new(8, 8)), ("b.png", Size::new(8, 8)), ("c.png", Size::new(8, 9))] {
        std::fs::write(input.path().join(name), Canvas::filled(size, [90; 3]).to_png().unwrap()).unwrap();
    }
    let error = folder_job(input.path(), output.path()).unwrap_err().to_string();
    assert!(error.contains("c.png: is 8x9, but") && error.contains("a.png is 8x8"), "{error}");
    assert_eq!(std::fs::read_dir(output.path()).unwrap().count(), 0);
}

#[test]
fn cancelling_stops_between_frames() {
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(input.path().join("a.png"), picture(1.0, |_| 1.0).to_png().unwrap()).unwrap();
    let settings = VideoSettings::default();
    let outcome = deflicker(input.path(), output.path(), job(Method::GAIN_MAP, &settings, &mut |_| false));
    assert!(matches!(outcome, Err(Error::Interrupted)));
}

/// Memory stays flat because frames are made when they are asked for, and only then: a source of
/// 300 frames that keeps none.
struct Made;

impl FrameSource for Made {
    fn count(&self) -> usize {
        300
    }

    fn frame(&self, number: usize) -> Result<Canvas> {
        Ok(picture(2f64.powf(0.2 * noise(number)), |_| 1.0))
    }
}

#[cfg(feature = "ffmpeg")]
#[test]
fn the_chain_writes_a_video_that_lasts_as_long_as_its_source() {
    use kinora::encode::{VideoReader, VideoWriter};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let chain = Chain {
        deflicker: Some(Method::GAIN_CURVE),
        fps_in: Fps::new(30, 1),
        fps_out: Fps::new(25, 1),
        flow: FlowSettings { refinements: 0, iterations: 2, ..FlowSettings::default() },
        cuts: vec![100],
        closed: false,
    };
    let sink = VideoWriter::open(&path, SIZE, chain.fps_out, &VideoSettings::default()).unwrap();
    let given = chain.run(&Made, Box::new(sink), &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(given, 250);
    let reader = VideoReader::open(&path).unwrap();
    assert_eq!((reader.fps(), reader.count()), (Fps::new(25, 1), 250));
}

#[cfg(feature = "ffmpeg")]
#[test]
fn a_video_can_be_deflickered() {
    use kinora::encode::{VideoReader, VideoWriter};
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.mp4"), folder.path().join("out.mp4"));
    let settings = VideoSettings { crf: 8.0, ..VideoSettings::default() };
    let mut writer = VideoWriter::open(&input, SIZE, Fps::new(24, 1), &settings).unwrap();
    (0..30).for_each(|i| writer.push(&picture(2f64.powf(0.3 * noise(i)), |_| 1.0)).unwrap());
    writer.finish().unwrap();
    let frames =
        |path: &Path| -> Vec<Canvas> { VideoReader::open(path).unwrap().map(Result::unwrap).collect() };
    let done = deflicker(&input, &output, job(Method::GAIN_CURVE, &settings, &mut |_| true)).unwrap();
    assert_eq!((done.frames, frames(&output).len()), (30, 30));
    let (raw, smooth) = (flicker(&frames(&input), ALL), flicker(&frames(&output), ALL));
    assert!(smooth < raw / 6.0, "{raw} to {smooth}");
    let stills_folder = folder.path().join("stills");
    deflicker(&input, &stills_folder, job(Method::GAIN_CURVE, &settings, &mut |_| true)).unwrap();
    assert_eq!(stills::list(&stills_folder).unwrap().len(), 30);
    assert!(deflicker(&input, &input, job(Method::GAIN_CURVE, &settings, &mut |_| true)).is_err());
}
