//! One guided step of the embedded model at its own size: the unit in which a film's time is counted.

use candle_core::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::engine::{ControlSource, Engine, PaintControl, PaintJob};
use kinora::diffusion::guidance::ControlMode;
use kinora::diffusion::sampler::Sampler;
use kinora::diffusion::sigmas::Spacing;
use kinora::models::ModelFolder;

fn sampler_step(criterion: &mut Criterion) {
    let folder = ModelFolder::embedded("kinora-tiny").expect("it is compiled in");
    let mut engine = Engine::load(&folder, &[], &Device::Cpu).expect("it loads");
    let size = Size::new(256, 256);
    let hint = Canvas::filled(size, [128; 3]);
    let control = PaintControl {
        net: ControlSource::Own,
        hint: &hint,
        weight: 1.0,
        start: 0.0,
        end: 1.0,
        mode: ControlMode::Balanced,
    };
    let mut group = criterion.benchmark_group("sampler_step_256");
    group.sample_size(10);
    for (name, guidance, controls) in [
        ("unguided", 1.0, Vec::new()),
        ("guided", 3.5, Vec::new()),
        ("guided_with_depth", 3.5, vec![control]),
    ] {
        let defaults = engine.defaults();
        let job = PaintJob {
            steps: 1,
            guidance,
            sampler: Sampler::Euler,
            spacing: Spacing::Karras,
            seed: 1,
            controls,
            ..PaintJob::new(size, "the sea, sunset".into(), "".into(), &defaults)
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| engine.paint(&job, &mut |_, _| true).expect("it paints"));
        });
    }
    group.finish();
}

criterion_group!(benches, sampler_step);
criterion_main!(benches);
