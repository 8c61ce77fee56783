//! The language's speed: a film of 10,000 frames with 200 keys is parsed, checked, and every parameter of every frame
//! computed; beside it Deforum schedules are expanded.
//!
//! `cargo bench --bench schedule`. One thread, whose processor time is what is told where the system counts it (Linux):
//! wall time says little on a busy machine. 50 ms is what the first may take.
//!
//! Deforum's way of expanding the same twenty schedules, written again for this measurement (its loop over frames, numexpr 2.14.2 and
//! pandas 3.1.1 on one thread) took 1.39 s of processor time on the machine on which the film took 40 ms, reading and
//! checking 0.5 ms of it, and our expansion of those schedules 3 ms (55 ms before expressions were compiled).

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use kinora::schedule::read;
use kinora::timeline::deforum::{Mode, expand};
use kinora::timeline::{Options, Timeline};

const FRAMES: u32 = 10_000;
const EASES: [&str; 10] = [
    "",
    "~ease-in-out",
    "~cubic-out",
    "~monotone",
    "~elastic-out",
    "~cubic-bezier(.2, 0, 0, 1)",
    "~catmull-rom",
    "~steps(8)",
    "~sine-in-out",
    "~cut",
];

/// Numbers with keys: name, middle and swing.
const NUMBERS: [(&str, f64, f64); 13] = [
    ("translation_x", 0.0, 8.0),
    ("translation_y", 0.0, 4.0),
    ("translation_z", 2.0, 1.5),
    ("rotation_3d_x", 0.0, 1.0),
    ("rotation_3d_y", 0.0, 1.0),
    ("rotation_3d_z", 0.0, 0.5),
    ("fov", 70.0, 20.0),
    ("strength", 0.6, 0.1),
    ("noise", 0.03, 0.02),
    ("contrast", 1.0, 0.05),
    ("guidance", 7.0, 2.0),
    ("sharpen.amount", 0.2, 0.1),
    ("sharpen.sigma", 1.0, 0.2),
];

/// 13 numbers with 10 keys each, 30 keys of running expressions, 20 prompts with a number in them, 20 of a control.
fn film() -> String {
    let mut text = format!("kinora 1\nframes = {FRAMES}\nvideo {{ fps = 24  bpm = 120 }}\n");
    let line = |name: &str, value: &dyn Fn(u32) -> String| {
        let keys: Vec<String> = (0..10).map(|i| format!("{}: {}", i * 1000, value(i))).collect();
        format!("{name} = {}\n", keys.join(", "))
    };
    for (n, (name, middle, swing)) in NUMBERS.into_iter().enumerate() {
        let at = |i: u32| {
            let share = f64::from((i * 7 + n as u32 * 3) % 10) / 10.0 - 0.5;
            format!("{:.4} {}", middle + swing * share, EASES[(i as usize + n) % 10])
        };
        text += &line(name, &at);
    }
    text += &line("aspect_ratio", &|i| format!("1 + 0.0{i} * sin(2 * pi * t / 240) * cos(t / 31)"));
    text += &line("steps", &|i| format!("10 + {i} + round(3 * osc(\"tri\", 4b))"));
    text += &line("clip_skip", &|i| format!("1 + (t // {}) % 2", i + 5));
    text += &line("prompt", &|i| format!("\"a forest in month {i}, (fog:${{0.5 + 0.01 * {i} * u}})\""));
    text += &line("negative", &|i| format!("\"photo {i}\" ~cut"));
    let weight = line("weight", &|i| format!("noise(2s, 0.{i}, 1, seed={i})"));
    let end = line("end", &|i| format!("0.9{i} ~quad-in"));
    let _ = writeln!(text, "control depth {{\n{weight}{end}}}");
    text
}

/// Processor time of this thread so far, where the system tells.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Has the processor time of `work` measured.
fn measure<T>(bencher: &mut Bencher<'_>, mut work: impl FnMut() -> T) {
    bencher.iter_custom(|n| {
        let (start, busy) = (Instant::now(), processor_time());
        for _ in 0..n {
            black_box(work());
        }
        busy.zip(processor_time()).map_or_else(|| start.elapsed(), |(from, to)| to.saturating_sub(from))
    });
}

fn whole(text: &str) -> f64 {
    let (film, _) = read("film.kin", text).expect("the film is right");
    let timeline = Timeline::new(&film, &Options::default()).expect("the film has a length");
    (0..timeline.frames())
        .map(|frame| timeline.at(frame).expect("every frame is right").sampling.strength)
        .sum()
}

/// Twenty schedules of ten keys as Deforum writes them, half of them with expressions.
fn deforum() -> Vec<String> {
    (0..20)
        .map(|n| {
            let value = |i: u32| match n % 2 {
                0 => format!("{}.{}", i % 3, n),
                _ => format!("1.0 + 0.0{i} * sin(2 * 3.14 * t / 240) * cos(t / 3{})", n % 10),
            };
            let keys: Vec<String> = (0..10).map(|i| format!("{}:({})", i * 1000, value(i))).collect();
            keys.join(", ")
        })
        .collect()
}

fn schedules(criterion: &mut Criterion) {
    let film = film();
    let timeline = || {
        let (film, _) = read("film.kin", &film).expect("the film is right");
        Timeline::new(&film, &Options::default()).expect("the film has a length")
    };
    let mut group = criterion.benchmark_group("schedule");
    group.sample_size(20);
    group
        .bench_function("film_200_keys_10000_frames", |bencher| measure(bencher, || whole(black_box(&film))));
    // Ten times, since the system counts in steps of some milliseconds.
    group.bench_function("film_200_keys_parse_and_check_ten_times", |bencher| {
        measure(bencher, || (0..10).map(|_| timeline().frames()).sum::<u32>());
    });
    let schedules = deforum();
    group.bench_function("deforum_20_schedules_200_keys_10000_frames", |bencher| {
        measure(bencher, || {
            let expanded = schedules.iter().map(|text| expand(black_box(text), FRAMES, 0, Mode::Compat));
            expanded.map(|values| values.expect("the schedule is right").len()).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, schedules);
criterion_main!(benches);
