//! Speed of warps, colour, noise and sharpening on one thread, in turns with OpenCV's and Deforum's own functions.
//!
//! ```text
//! KINORA_OPENCV_PYTHON=python KINORA_DEFORUM_PYTHON=python KINORA_DEFORUM=sd-webui-deforum cargo bench --bench warp
//! ```
//!
//! The first names a Python with OpenCV, the second one with what Deforum needs (PyTorch, OpenCV, scikit-image, einops,
//! numexpr, Pillow), the third a checkout of sd-webui-deforum; either may be left out. Of each sample of kinora's the
//! peer runs once before it, and what is compared is processor time: medians and minima, so that other work on
//! the machine cancels. Words after `--` select benches.
//!
//! Without them Deforum's figures are those of `deforum.json`, taken on another day and perhaps on another machine: a
//! sign and not a measurement.

use std::cell::RefCell;
use std::ffi::OsString;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
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

/// Median and least processor time, ms.
#[derive(Clone, Copy)]
struct Figure {
    median: f64,
    least: f64,
}

impl Figure {
    fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        Some(Self { median: *samples.get(samples.len() / 2)?, least: samples[0] })
    }
}

/// What one function takes here and with the peers.
struct Outcome {
    name: &'static str,
    ours: Figure,
    /// As many as there are peers; `None` where a peer has no such function.
    peers: Vec<Option<Figure>>,
}

struct Bench {
    criterion: Criterion,
    peers: Vec<Peer>,
    outcomes: Vec<Outcome>,
}

impl Bench {
    fn run<T>(&mut self, name: &'static str, mut work: impl FnMut() -> T) {
        let ours = RefCell::new(Vec::new());
        let peers = RefCell::new(&mut self.peers);
        let theirs = RefCell::new(vec![Vec::new(); peers.borrow().len()]);
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|n| {
                for (peer, samples) in peers.borrow_mut().iter_mut().zip(theirs.borrow_mut().iter_mut()) {
                    samples.extend(peer.run(name));
                }
                let (start, busy) = (Instant::now(), processor_time());
                for _ in 0..n {
                    black_box(work());
                }
                let took = start.elapsed();
                let busy = busy.zip(processor_time()).map_or(took, |(from, to)| to.saturating_sub(from));
                ours.borrow_mut().push(busy.as_secs_f64() * 1e3 / n as f64);
                took
            });
        });
        if let Some(ours) = Figure::of(ours.into_inner()) {
            let peers = theirs.into_inner().into_iter().map(Figure::of).collect();
            self.outcomes.push(Outcome { name, ours, peers });
        }
    }

    fn print(&self) {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("deforum.json")).expect("the figures are JSON");
        println!(
            "\n768x512, one thread: processor time in ms, median (least), and how many times as long a peer takes"
        );
        for Outcome { name, ours, peers } in &self.outcomes {
            print!("{name:<26} {:7.2} ({:.2})", ours.median, ours.least);
            for (peer, figure) in self.peers.iter().zip(peers) {
                if let Some(Figure { median, least }) = figure {
                    let (often, best) = (median / ours.median, least / ours.least);
                    print!("   {} {median:.2} ({least:.2}): {often:.2}x ({best:.2}x)", peer.name);
                }
            }
            match reference["functions"][*name].as_f64() {
                Some(once) if peers.iter().all(Option::is_none) => println!("   Deforum took {once:.2} once"),
                _ => println!(),
            }
        }
    }
}

/// `peers.py`, which waits for the name of a function and answers with the time it took.
struct Peer {
    name: &'static str,
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start(name: &'static str, python: OsString, arguments: &[OsString]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py");
        let mut process = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter runs");
        let (to, from) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let mut peer = Self { name, process, to, from: BufReader::new(from) };
        println!("{}", peer.line());
        peer
    }

    /// Those that the environment names.
    fn all() -> Vec<Self> {
        let named = std::env::var_os;
        let opencv = named("KINORA_OPENCV_PYTHON").map(|python| Self::start("OpenCV", python, &[]));
        let deforum = named("KINORA_DEFORUM_PYTHON").zip(named("KINORA_DEFORUM"));
        let deforum = deforum.map(|(python, folder)| Self::start("Deforum", python, &[folder]));
        opencv.into_iter().chain(deforum).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.from.read_line(&mut line).expect("the peer answers");
        assert!(read > 0, "{} has ended, see above", self.name);
        line.trim().to_owned()
    }

    /// Milliseconds of processor time; `None` when it has no such function.
    fn run(&mut self, task: &str) -> Option<f64> {
        writeln!(self.to, "{task}").expect("the peer listens");
        self.line().parse().ok()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
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

const FLAT: Camera2d = Camera2d {
    zoom: 1.02,
    angle: 0.5,
    translation_x: 3.0,
    translation_y: -1.5,
    center_x: 0.5,
    center_y: 0.5,
    sampling: Sampling::Bilinear,
    flip: None,
};

fn flat_cameras(bench: &mut Bench, canvas: &Canvas) {
    let map = flat_matrix(&FLAT, SIZE);
    bench.run("warp_2d", || warp_flat(canvas, &map, Border::Replicate));
    let moved = |sampling| Camera::Flat(Camera2d { sampling, ..FLAT });
    for (name, sampling) in [
        ("warp_2d_bicubic", Sampling::Bicubic),
        ("warp_2d_lanczos", Sampling::Lanczos),
        ("warp_2d_lagrange", Sampling::Lagrange),
    ] {
        let camera = moved(sampling);
        bench.run(name, || warp(canvas, &camera, Border::Replicate, None));
    }
    let out = Camera::Flat(Camera2d { zoom: 0.98, sampling: Sampling::Lagrange, ..FLAT });
    bench.run("warp_2d_lagrange_out", || warp(canvas, &out, Border::Replicate, None));
    let ahead = vec![moved(Sampling::Lagrange); 30];
    bench.run("loop_back_30", || unwound(canvas, &ahead, Border::Replicate, &Relief::flat()));
}

fn deep_cameras(bench: &mut Bench, canvas: &Canvas, depth: &Plane) {
    let deep = |sampling| Camera3d {
        translation: [2.0, 1.0, 10.0],
        rotation: [0.3, -0.5, 0.2],
        fov: 70.0,
        sampling,
        ..Camera3d::STILL
    };
    // As Deforum's function: from the depth map to the picture, equalisation included.
    let mut moved = |name, sampling, depth: Option<&Plane>| {
        let camera = deep(sampling);
        bench.run(name, || {
            let relief = Relief::new(depth, DepthMeaning::Inverse);
            warp_deep(canvas, &camera, Border::Replicate, Border::Replicate, &relief)
        });
    };
    moved("warp_3d_bicubic_depth", Sampling::Bicubic, Some(depth));
    moved("warp_3d_bilinear_depth", Sampling::Bilinear, Some(depth));
    moved("warp_3d_bicubic_no_depth", Sampling::Bicubic, None);
    let camera = Camera::Deep(deep(Sampling::Lagrange));
    bench.run("warp_3d_lagrange_depth", || warp(canvas, &camera, Border::Replicate, Some(depth)));
    let relief = Relief::new(Some(depth), DepthMeaning::Inverse);
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

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first use of the pool");
    let criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut bench = Bench { criterion, peers: Peer::all(), outcomes: Vec::new() };
    let (canvas, depth) = (picture(1), depth());
    flat_cameras(&mut bench, &canvas);
    deep_cameras(&mut bench, &canvas, &depth);
    colours(&mut bench, &canvas);
    noises(&mut bench, &canvas);
    bench.print();
}
