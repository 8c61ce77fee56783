//! Every kind of control through the engine.

use candle_core::Device;
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::controlnet::ControlPlace;
use kinora::diffusion::engine::{ControlSource, Engine, PaintControl, PaintJob, PaintReference};
use kinora::diffusion::guidance::ControlMode;
use kinora::models::ModelFolder;

use crate::{data, models};

const SIZE: Size = Size::new(64, 64);

fn engine() -> Engine {
    let place = |name: &str, path: &std::path::Path| (name.to_owned(), ControlPlace::open(path).unwrap());
    let controls = [
        place("net", &models("controlnet_sdxl_depth_ldm.safetensors")),
        place("folder", &models("controlnet_sdxl_depth")),
        place("low rank", &data("control_lora.safetensors")),
        place("light", &data("lllite.safetensors")),
    ];
    Engine::load(&ModelFolder::open(&models("sdxl")).unwrap(), &controls, &Device::Cpu).unwrap()
}

fn ramp(step: usize) -> Canvas {
    let grey = |i: usize| [(i % SIZE.width * step % 256) as u8, (i / SIZE.width * 3) as u8, 90];
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(grey).collect())
}

fn control<'a>(name: &'a str, hint: &'a Canvas, weight: f64) -> PaintControl<'a> {
    let mode = ControlMode::Balanced;
    PaintControl { net: ControlSource::Named(name), hint, weight, start: 0.0, end: 1.0, mode }
}

fn reference(picture: &Canvas, weight: f64) -> PaintReference<'_> {
    PaintReference { picture, weight, fidelity: 0.5, start: 0.0, end: 1.0, mode: ControlMode::Balanced }
}

#[test]
fn each_kind_counts_by_its_weight_and_window_and_several_add_up() {
    let mut engine = engine();
    let (hint, other) = (ramp(4), ramp(9));
    let defaults = engine.defaults();
    let mut paint = |controls: Vec<PaintControl<'_>>, references: Vec<PaintReference<'_>>| {
        let new = PaintJob::new(SIZE, "a fox".into(), "fog".into(), &defaults);
        let job = PaintJob { steps: 2, guidance: 4.0, seed: 7, controls, references, ..new };
        engine.paint(&job, &mut |_, _| true).unwrap().unwrap()
    };
    let plain = paint(Vec::new(), Vec::new());
    let mut alone = Vec::new();
    for name in ["net", "low rank", "light"] {
        let full = paint(vec![control(name, &hint, 1.0)], Vec::new());
        assert!(full != plain, "{name} at weight 1");
        assert!(full == paint(vec![control(name, &hint, 1.0)], Vec::new()), "{name} twice");
        assert!(full != paint(vec![control(name, &other, 1.0)], Vec::new()), "{name} sees its hint");
        assert!(full != paint(vec![control(name, &hint, 0.5)], Vec::new()), "{name} at weight 0.5");
        assert!(plain == paint(vec![control(name, &hint, 0.0)], Vec::new()), "{name} at weight 0");
        let never = PaintControl { start: 1.0, ..control(name, &hint, 1.0) };
        assert!(plain == paint(vec![never], Vec::new()), "{name} beyond the run");
        alone.push(full);
    }
    // One file and one folder with the same weights are the same network.
    assert!(alone[0] == paint(vec![control("folder", &hint, 1.0)], Vec::new()));
    let both = paint(vec![control("net", &hint, 1.0), control("light", &hint, 1.0)], Vec::new());
    assert!(both != alone[0] && both != alone[2]);
    // Halves of the same network add up to the whole one, to the rounding of sums.
    let halves = paint(vec![control("net", &hint, 0.5), control("net", &hint, 0.5)], Vec::new());
    let apart = halves.as_rgb8().iter().zip(alone[0].as_rgb8()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart.is_some_and(|most| most <= 1), "{apart:?}");

    let full = paint(Vec::new(), vec![reference(&other, 1.0)]);
    assert!(full != plain && full == paint(Vec::new(), vec![reference(&other, 1.0)]));
    assert!(full != paint(Vec::new(), vec![reference(&hint, 1.0)]), "a reference sees its picture");
    assert!(plain == paint(Vec::new(), vec![reference(&other, 0.0)]), "a reference at weight 0");
    let loyal = PaintReference { mode: ControlMode::Control, ..reference(&other, 1.0) };
    let exact = PaintReference { fidelity: 1.0, ..reference(&other, 1.0) };
    assert!(paint(Vec::new(), vec![loyal]) == paint(Vec::new(), vec![exact]), "the mode fixes fidelity");
    let all = paint(vec![control("light", &hint, 1.0)], vec![reference(&other, 1.0), reference(&hint, 0.5)]);
    assert!(all != full && all != alone[2]);
}
