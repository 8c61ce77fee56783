//! Deflicker, flow and in-between frames on 640x360 pictures of moving texture.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kinora::canvas::{Canvas, Size};
use kinora::flow::{FlowSettings, flow};
use kinora::post::deflicker::{Analyser, Matching, Method};
use kinora::post::interpolate::Between;

const SIZE: Size = Size::new(640, 360);

fn frame(number: usize) -> Canvas {
    let pixel = |i: usize| {
        let (x, y) = ((i % SIZE.width + number * 3) as f32, (i / SIZE.width + number) as f32);
        let value = 120.0 + 50.0 * (x * 0.13).sin() * (y * 0.11).cos() + 30.0 * ((x - y) * 0.41).sin();
        [value as u8, (value * 0.8) as u8, (200.0 - value * 0.5) as u8]
    };
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(pixel).collect())
}

fn deflicker(criterion: &mut Criterion) {
    let frames: Vec<Canvas> = (0..8).map(frame).collect();
    let histogram = Method::Histogram { radius: 15, matching: Matching::Soft };
    for (name, method) in
        [("gain curve", Method::GAIN_CURVE), ("gain map", Method::GAIN_MAP), ("histogram", histogram)]
    {
        criterion.bench_function(&format!("deflicker/{name}, 8 frames, both passes"), |bencher| {
            bencher.iter(|| {
                let mut analyser = Analyser::new(method).unwrap();
                frames.iter().for_each(|f| analyser.push(f).unwrap());
                let correction = analyser.finish(&[]);
                for (i, frame) in frames.iter().enumerate() {
                    let mut frame = frame.clone();
                    correction.apply(i, &mut frame);
                    black_box(frame);
                }
            });
        });
    }
}

fn interpolate(criterion: &mut Criterion) {
    let (first, second) = (frame(0), frame(1));
    let settings = FlowSettings::default();
    criterion.bench_function("flow/one way", |b| b.iter(|| flow(black_box(&first), &second, &settings)));
    let between = Between::new(&first, &second, &settings);
    criterion.bench_function("interpolate/one frame, flow known", |b| b.iter(|| between.at(black_box(0.5))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = deflicker, interpolate
}
criterion_main!(benches);
