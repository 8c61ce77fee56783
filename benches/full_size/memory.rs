//! Peak memory, and whether both layouts paint the same picture.

use std::path::Path;
use std::time::Instant;

use candle_core::Device;
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::engine::{Engine, PaintJob};
use kinora::diffusion::sampler::Sampler;
use kinora::diffusion::sigmas::Spacing;
use kinora::models::ModelFolder;

const MIB: f64 = 1024.0 * 1024.0;

/// Loads the diffusers layout and paints one guided step over a picture.
pub fn peak(folder: &Path, side: usize) {
    let folder = folder.join("diffusers");
    let disk = weights(&folder);
    paint(&folder, side);
    let peak = high_water();
    println!(
        "weights on disk {:.0} MiB, peak {:.0} MiB, above the weights {:.0} MiB",
        disk / MIB,
        peak / MIB,
        (peak - disk) / MIB
    );
}

/// Both layouts, one after the other.
pub fn agree(folder: &Path, side: usize) {
    let pictures = ["diffusers", "single.safetensors"].map(|name| paint(&folder.join(name), side));
    let same = pictures[0].as_rgb8() == pictures[1].as_rgb8();
    println!("the two layouts paint {}", if same { "the same picture" } else { "DIFFERENT pictures" });
    assert!(same);
}

fn paint(model: &Path, side: usize) -> Canvas {
    let start = Instant::now();
    let model = ModelFolder::open(model).unwrap();
    let mut engine = Engine::load(&model, &[], &Device::Cpu).unwrap();
    let loaded = start.elapsed();
    println!("loaded in {loaded:.1?}, peak {:.0} MiB", high_water() / MIB);
    let size = Size::new(side, side);
    let init = Canvas::filled(size, [90, 120, 150]);
    let defaults = engine.defaults();
    let job = PaintJob {
        init: Some(&init),
        denoise: 1.0,
        steps: 1,
        guidance: 7.0,
        sampler: Sampler::Euler,
        spacing: Spacing::Karras,
        seed: 1,
        ..PaintJob::new(size, "the sea, sunset".into(), "blurry".into(), &defaults)
    };
    let picture = engine.paint(&job, &mut |_, _| true).unwrap().unwrap();
    println!("painted in {:.1?}, peak {:.0} MiB", start.elapsed() - loaded, high_water() / MIB);
    picture
}

/// Bytes of the safetensors files in a folder's folders.
fn weights(folder: &Path) -> f64 {
    let parts = std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().is_dir());
    let files = parts.flat_map(|part| std::fs::read_dir(part.path()).unwrap().flatten());
    files
        .filter(|file| file.path().extension().is_some_and(|e| e == "safetensors"))
        .map(|file| file.metadata().unwrap().len() as f64)
        .sum()
}

/// The most memory that this process has had, in bytes (Linux).
pub fn high_water() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}
