//! A video that kinora wrote, read back by kinora: size, rate, number, colours, bytes, and every refusal.

#![cfg(feature = "ffmpeg")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use kinora::canvas::{Canvas, Size};
use kinora::encode::{Fps, Preset, VideoReader, VideoSettings, VideoWriter, probe};

const SIZE: Size = Size::new(64, 48);

/// Horizontal ramp that moves by one level a frame.
fn frame(size: Size, number: usize) -> Canvas {
    let rgb = (0..size.area())
        .flat_map(|i| [(i % size.width * 3 + number) as u8, (i / size.width * 4) as u8, 90])
        .collect();
    Canvas::from_rgb8(size, rgb)
}

fn write(path: &Path, size: Size, fps: Fps, frames: usize) {
    let mut writer = VideoWriter::open(path, size, fps, &VideoSettings::default()).unwrap();
    for number in 0..frames {
        writer.push(&frame(size, number)).unwrap();
    }
    writer.finish().unwrap();
}

fn read(path: &Path) -> Vec<Canvas> {
    VideoReader::open(path).unwrap().map(|frame| frame.unwrap()).collect()
}

#[test]
fn size_rate_and_number_of_frames_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for (fps, frames) in [(Fps::new(24, 1), 1), (Fps::new(30_000, 1001), 2), (Fps::new(15, 2), 61)] {
        let path = folder.path().join(format!("{frames}.mp4"));
        write(&path, SIZE, fps, frames);
        let mut reader = VideoReader::open(&path).unwrap();
        assert_eq!((reader.size(), reader.fps()), (SIZE, fps));
        assert_eq!(reader.count_frames().unwrap(), frames as u64);
        assert_eq!(reader.count(), frames);
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 3, "only the finished files are left: {left:?}");
}

/// Flat colours survive YUV 4:2:0 at crf 4 within 3 levels: 8-bit BT.709 in 16–235 alone costs up to 2.
#[test]
fn flat_colours_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.mp4");
    let colours =
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40], [128, 128, 128]];
    for colour in colours {
        let settings = VideoSettings { crf: 4.0, preset: Preset::Veryfast, ..VideoSettings::default() };
        let mut writer = VideoWriter::open(&path, SIZE, Fps::new(24, 1), &settings).unwrap();
        writer.push(&Canvas::filled(SIZE, colour)).unwrap();
        writer.finish().unwrap();
        let found = read(&path).remove(0).pixel(20, 20);
        let error = (0..3).map(|c| found[c].abs_diff(colour[c])).max().unwrap();
        assert!(error <= 3, "{colour:?} came back as {found:?}");
    }
}

#[test]
fn every_frame_is_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order.mp4");
    let mut writer =
        VideoWriter::open(&path, SIZE, Fps::new(24, 1), &VideoSettings { crf: 8.0, ..Default::default() })
            .unwrap();
    for grey in (0..30).map(|n| (20 + n * 7) as u8) {
        writer.push(&Canvas::filled(SIZE, [grey; 3])).unwrap();
    }
    writer.finish().unwrap();
    for (number, canvas) in read(&path).iter().enumerate() {
        let found = canvas.pixel(31, 17)[1];
        assert!(found.abs_diff((20 + number * 7) as u8) <= 3, "frame {number} is {found}");
    }
}

/// The index (`moov`) precedes the data (`mdat`), the file is tagged BT.709 / limited range
/// (`colr nclx 1 1 1`, range bit 0), and carries neither a date nor the name of an encoder.
#[test]
fn the_file_is_tagged_streamable_and_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.mp4"), folder.path().join("b.mp4"));
    write(&a, SIZE, Fps::new(24, 1), 20);
    write(&b, SIZE, Fps::new(24, 1), 20);
    let bytes = std::fs::read(&a).unwrap();
    assert_eq!(bytes, std::fs::read(&b).unwrap());
    let at = |what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    assert!(at(b"moov").unwrap() < at(b"mdat").unwrap());
    assert!(at(b"colrnclx\0\x01\0\x01\0\x01\0").is_some(), "BT.709 primaries, transfer, matrix, limited");
    assert_eq!(at(b"Lavf"), None);
    let created = at(b"mvhd").unwrap() + 8;
    assert_eq!(bytes[created..created + 8], [0; 8], "no date of creation or change");
}

#[test]
fn an_odd_side_is_padded_by_its_last_line() {
    let folder = tempfile::tempdir().unwrap();
    for size in [Size::new(33, 17), Size::new(1, 1), Size::new(32, 17)] {
        let path = folder.path().join("odd.mp4");
        write(&path, size, Fps::new(10, 1), 3);
        let reader = VideoReader::open(&path).unwrap();
        let even = Size::new(size.width.next_multiple_of(2), size.height.next_multiple_of(2));
        assert_eq!(reader.size(), even);
        assert_eq!(reader.count(), 3);
    }
}

#[test]
fn the_name_may_be_anything_the_disk_allows() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b.mp4", "http:x.mp4", "%03d.mp4", "zoom", "ü.mp4", "-i.mp4"] {
        let path = folder.path().join(name);
        write(&path, SIZE, Fps::new(24, 1), 2);
        assert_eq!(read(&path).len(), 2, "{name}");
    }
}

#[test]
fn an_unfinished_video_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, b"the film of yesterday").unwrap();
    let mut writer = VideoWriter::open(&path, SIZE, Fps::new(24, 1), &VideoSettings::default()).unwrap();
    writer.push(&frame(SIZE, 0)).unwrap();
    drop(writer);
    assert_eq!(std::fs::read(&path).unwrap(), b"the film of yesterday");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_probe_leaves_nothing_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let settings = VideoSettings::default();
    let out = folder.path().join("film.mp4");
    probe(&settings, SIZE, Fps::new(24, 1), &out).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let absent = folder.path().join("no/film.mp4");
    let error = probe(&settings, SIZE, Fps::new(24, 1), &absent).unwrap_err();
    assert!(error.to_string().starts_with(&absent.display().to_string()), "{error}");
    assert!(error.to_string().contains("there is no folder") && error.hint().is_some(), "{error}");
    let taken = probe(&settings, SIZE, Fps::new(24, 1), folder.path()).unwrap_err();
    assert!(taken.to_string().contains("found a folder"), "{taken}");
    let rate = probe(&settings, SIZE, Fps::new(0, 1), &out).unwrap_err();
    assert_eq!(rate.exit_code(), 2);
    let wide = probe(&settings, Size::new(20_000, 10), Fps::new(24, 1), &out).unwrap_err();
    assert!(wide.to_string().contains("20000x10"), "{wide}");
}

#[test]
fn two_writers_of_one_video_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let open = || VideoWriter::open(&path, SIZE, Fps::new(24, 1), &VideoSettings::default());
    let mut first = open().unwrap();
    let second = open().err().expect("the video is being written");
    assert!(second.to_string().contains("another kinora"), "{second}");
    first.push(&frame(SIZE, 0)).unwrap();
    first.finish().unwrap();
    assert_eq!(VideoReader::open(&path).unwrap().count_frames().unwrap(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(open().unwrap());
}

/// `/dev/full` answers every write with "no space left".
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join(".film.mp4.part")).unwrap();
    let path = folder.path().join("film.mp4");
    let outcome =
        VideoWriter::open(&path, SIZE, Fps::new(24, 1), &VideoSettings::default()).and_then(|mut writer| {
            (0..200).try_for_each(|n| writer.push(&frame(SIZE, n))).and_then(|()| writer.finish())
        });
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("no space is left"), "{error}");
    assert!(error.hint().is_some());
    assert!(!path.exists());
}

#[test]
fn wrong_frames_and_no_frames_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let open = || VideoWriter::open(&path, SIZE, Fps::new(24, 1), &VideoSettings::default()).unwrap();
    assert!(open().finish().is_err());
    let error = open().push(&frame(Size::new(32, 32), 0)).unwrap_err();
    assert!(error.to_string().contains("32x32") && error.to_string().contains("64x48"), "{error}");
}

#[test]
fn damaged_files_and_files_of_other_kinds_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.mp4");
    write(&whole, SIZE, Fps::new(24, 1), 30);
    let bytes = std::fs::read(&whole).unwrap();
    let path = folder.path().join("bad.mp4");
    for bad in [&b""[..], b"not a video at all", &bytes[..40]] {
        std::fs::write(&path, bad).unwrap();
        assert!(VideoReader::open(&path).is_err());
    }
    std::fs::write(&path, &bytes[..bytes.len() - 400]).unwrap();
    let frames: Vec<_> = VideoReader::open(&path).unwrap().collect();
    assert!(frames.iter().any(Result::is_err) || frames.len() < 30, "a cut file does not pass as whole");
    assert!(VideoReader::open(folder.path()).is_err());
    assert!(VideoReader::open(&folder.path().join("absent.mp4")).is_err());
}
