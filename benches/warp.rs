//! Speed of warps, colour, noise and sharpening on one thread, beside Deforum's own functions.
//!
//! `cargo bench --bench warp`; with `KINORA_OPENCV_PYTHON` naming a Python that has OpenCV, its own figures are taken in the
//! same run. Deforum's figures are in `deforum.json`; they were taken on another day and perhaps on
//! another machine, so a ratio is a sign and not a measurement.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use kinora::camera::{
    DepthMeaning, Relief, equalise, flat_matrix, flow, unwound, warp, warp_deep, warp_flat,
};
use kinora::canvas::{Canvas, Plane, Size};
use kinora::colour::{Anchor, ChannelOrder, Overflow, contrast, sharpen};
use kinora::noise::{TorchRng, add};
use kinora::timeline::frame::{
    Border, Camera, Camera2d, Camera3d, Coherence, NoiseKind, NoiseParams, Sampling, SharpenParams,
};

const SIZE: Size = Size::new(768, 512);

/// Median processor times by the names of Deforum's functions.
struct Bench {
    criterion: Criterion,
    times: BTreeMap<&'static str, Duration>,
}

impl Bench {
    fn run<T>(&mut self, name: &'static str, mut work: impl FnMut() -> T) {
        let samples = RefCell::new(Vec::new());
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|n| {
                let (start, busy) = (Instant::now(), processor_time());
                for _ in 0..n {
                    black_box(work());
                }
                let took = start.elapsed();
                let busy = busy.zip(processor_time()).map_or(took, |(from, to)| to.saturating_sub(from));
                samples.borrow_mut().push(busy / u32::try_from(n).unwrap_or(u32::MAX));
                took
            });
        });
        let mut samples = samples.into_inner();
        samples.sort();
        if let Some(median) = samples.get(samples.len() / 2) {
            self.times.insert(name, *median);
        }
    }
}

/// Processor time of all threads so far, where the system tells (Linux): wall time says little on a busy machine.
fn processor_time() -> Option<Duration> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let busy = |thread: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    threads.map(busy).sum::<Option<u64>>().map(Duration::from_nanos)
}

/// Smooth colours with some grain, as frames have.
fn picture(seed: u64) -> Canvas {
    let grain = TorchRng::new(seed).randn(SIZE.area() * 3);
    let value = |(i, g): (usize, &f32)| {
        let (x, y) = (i / 3 % SIZE.width, i / 3 / SIZE.width);
        (((x * (i % 3 + 1) + y * 2) / 4 % 256) as f32 + g * 8.0) as u8
    };
    Canvas::from_rgb8(SIZE, grain.iter().enumerate().map(value).collect())
}

fn depth() -> Plane {
    let value = |i: usize| ((i % SIZE.width) as f32 - 384.0).hypot((i / SIZE.width) as f32 - 256.0);
    Plane::from_values(SIZE, (0..SIZE.area()).map(value).collect())
}

fn cameras(bench: &mut Bench, canvas: &Canvas, depth: &Plane) {
    let flat = Camera2d {
        zoom: 1.02,
        angle: 0.5,
        translation_x: 3.0,
        translation_y: -1.5,
        center_x: 0.5,
        center_y: 0.5,
        sampling: Sampling::Bilinear,
        flip: None,
    };
    let map = flat_matrix(&flat, SIZE);
    bench.run("warp_2d", || warp_flat(canvas, &map, Border::Replicate));
    let moved = |sampling| Camera::Flat(Camera2d { sampling, ..flat });
    let lagrange = moved(Sampling::Lagrange);
    bench.run("warp_2d_lagrange", || warp(canvas, &lagrange, Border::Replicate, None));
    let out = Camera::Flat(Camera2d { zoom: 0.98, sampling: Sampling::Lagrange, ..flat });
    bench.run("warp_2d_lagrange_out", || warp(canvas, &out, Border::Replicate, None));
    let ahead = vec![lagrange; 30];
    bench.run("loop_back_30", || unwound(canvas, &ahead, Border::Replicate, &Relief::flat()));
    let deep = |sampling| Camera3d {
        translation: [2.0, 1.0, 10.0],
        rotation: [0.3, -0.5, 0.2],
        fov: 70.0,
        sampling,
        ..Camera3d::STILL
    };
    let relief = Relief::new(Some(depth), DepthMeaning::Inverse);
    let mut moved = |name, sampling, relief: &Relief| {
        let camera = deep(sampling);
        bench.run(name, || warp_deep(canvas, &camera, Border::Replicate, Border::Replicate, relief));
    };
    moved("warp_3d_bicubic_depth", Sampling::Bicubic, &relief);
    moved("warp_3d_bilinear_depth", Sampling::Bilinear, &relief);
    moved("warp_3d_bicubic_no_depth", Sampling::Bicubic, &Relief::flat());
    let camera = Camera::Deep(deep(Sampling::Lagrange));
    bench.run("warp_3d_lagrange_depth", || warp(canvas, &camera, Border::Replicate, Some(depth)));
    let ahead = vec![camera; 30];
    bench.run("loop_back_30_deep", || unwound(canvas, &ahead, Border::Replicate, &relief));
    bench.run("depth_equalisation", || equalise(depth));
    let vectors = TorchRng::new(3).randn(SIZE.area() * 2).as_chunks::<2>().0.to_vec();
    let field = flow::Flow::new(SIZE, vectors);
    bench.run("flow_apply", || flow::apply(canvas, &field, 1.0, flow::FlowBorder::Reflect));
}

fn colours(bench: &mut Bench, canvas: &Canvas) {
    let other = picture(2);
    let mut matched = |name, coherence| {
        let anchor = Anchor::new(&other, coherence, ChannelOrder::Bgr);
        bench.run(name, || anchor.matched(canvas));
    };
    matched("color_match_lab", Coherence::Lab);
    matched("color_match_hsv", Coherence::Hsv);
    matched("color_match_rgb", Coherence::Rgb);
    bench.run("contrast", || contrast(canvas, 0.95, Overflow::Clamp));
    let params = SharpenParams { amount: 0.1, kernel: 5, sigma: 1.0, threshold: 0.0 };
    bench.run("unsharp_k5", || sharpen(canvas, &params, None));
}

fn noises(bench: &mut Bench, canvas: &Canvas) {
    let mut noisy = |name, kind| bench.run(name, || add(canvas, &NoiseParams { amount: 0.065, kind }, 42));
    noisy("noise_uniform", NoiseKind::Uniform);
    noisy("noise_perlin_octaves4", NoiseKind::Perlin { width: 8, height: 8, octaves: 4, persistence: 0.5 });
}

/// What OpenCV takes here and now, when there is one.
fn opencv() -> serde_json::Value {
    let Some(python) = std::env::var_os("KINORA_OPENCV_PYTHON") else { return serde_json::Value::Null };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/opencv.py");
    let ran = std::process::Command::new(python).arg(script).output().expect("the interpreter runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("figures as JSON")
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first use of the pool");
    let criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut bench = Bench { criterion, times: BTreeMap::new() };
    let (canvas, depth) = (picture(1), depth());
    cameras(&mut bench, &canvas, &depth);
    colours(&mut bench, &canvas);
    noises(&mut bench, &canvas);
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("deforum.json")).expect("the figures are JSON");
    println!("\n{:<28} {:>10} {:>12} {:>8}", "768x512, one thread", "kinora ms", "Deforum ms", "ratio");
    let opencv = opencv();
    for (name, time) in &bench.times {
        let ours = time.as_secs_f64() * 1e3;
        let theirs = reference["functions"][*name].as_f64().unwrap_or(f64::NAN);
        print!("{name:<28} {ours:>10.2} {theirs:>12.2} {:>7.1}x", theirs / ours);
        match opencv[*name].as_f64() {
            Some(theirs) => println!("   OpenCV {theirs:.2} ms, {:.2}x", theirs / ours),
            None => println!(),
        }
    }
}
