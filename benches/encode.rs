//! H.264 of 640x360 pictures, written, verified and read back.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use kinora::canvas::{Canvas, Size};
use kinora::encode::{Fps, Preset, VideoReader, VideoSettings, VideoWriter};

const SIZE: Size = Size::new(640, 360);
const FRAMES: usize = 24;

fn frame(number: usize) -> Canvas {
    let pixel = |i: usize| {
        let (x, y) = (i % SIZE.width + number * 3, i / SIZE.width);
        [((x * 7) ^ y) as u8, (x + y * 2) as u8, (y * 3) as u8]
    };
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(pixel).collect())
}

fn video(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.mp4");
    let frames: Vec<Canvas> = (0..FRAMES).map(frame).collect();
    for preset in [Preset::Veryfast, Preset::Medium] {
        let settings = VideoSettings { preset, ..VideoSettings::default() };
        criterion.bench_function(&format!("encode/h264 {preset}, {FRAMES} frames"), |bencher| {
            bencher.iter(|| {
                let mut writer = VideoWriter::open(&path, SIZE, Fps::new(24, 1), &settings).unwrap();
                frames.iter().for_each(|f| writer.push(f).unwrap());
                writer.finish().unwrap();
            });
        });
    }
    criterion.bench_function("decode/h264", |bencher| {
        bencher.iter(|| assert_eq!(VideoReader::open(&path).unwrap().count(), FRAMES));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = video
}
criterion_main!(benches);
