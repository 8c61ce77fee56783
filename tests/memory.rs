//! The estimate of memory beside what a process really takes. A file of its own, because the peak of a process is
//! measured, and other tests of the same process would count.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use candle_core::Device;
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::engine::{Engine, PaintJob};
use kinora::diffusion::sampler::Sampler;
use kinora::diffusion::sigmas::Spacing;
use kinora::models::ModelFolder;

/// The most memory that this process has had, in bytes.
fn high_water() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
}

#[test]
fn painting_takes_about_the_estimated_memory() {
    let model = ModelFolder::embedded("kinora-tiny").unwrap();
    let size = Size::new(768, 768);
    let estimate = Engine::memory(&model, &[], size, true).unwrap();
    let larger = Engine::memory(&model, &[], Size::new(1536, 1536), true).unwrap();
    assert!(larger.work > 2 * estimate.work && larger.weights == estimate.weights);
    let mut engine = Engine::load(&model, &[], &Device::Cpu).unwrap();
    let init = Canvas::filled(size, [90, 120, 150]);
    let defaults = engine.defaults();
    let job = PaintJob {
        init: Some(&init),
        denoise: 1.0,
        steps: 1,
        guidance: 3.0,
        sampler: Sampler::Euler,
        spacing: Spacing::Karras,
        seed: 1,
        ..PaintJob::new(size, "the sea".into(), "fog".into(), &defaults)
    };
    engine.paint(&job, &mut |_, _| true).unwrap().unwrap();
    let (peak, expected) = (high_water(), estimate.total() as f64);
    // The allocator's reserves and the number of threads are not in the estimate.
    let ratio = peak / expected;
    println!("peak {peak:.3e}, estimated {expected:.3e}");
    assert!((0.65..1.5).contains(&ratio), "peak {peak:.3e}, estimated {expected:.3e}: {ratio:.2} times");
}
