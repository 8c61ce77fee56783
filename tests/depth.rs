//! The embedded depth network against PyTorch, and the whole way from a picture to its depth.

#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::safetensors::SliceSafetensors;
use candle_core::{Device, Tensor};
use kinora::canvas::{Canvas, Size};
use kinora::depth::{DepthEstimator, DepthNetwork, Estimator, Preprocess, normalise, to_canvas};
use kinora::models::ModelFolder;

/// Results of the same network in PyTorch, in f32 from the same f16-rounded weights.
const ORACLE: &[u8] = include_bytes!("../presets/models/kinora-depth/oracle.safetensors");

/// Largest difference over largest value, between two f32 programs that sum in different orders.
const LIMIT: f32 = 1e-4;

/// Both name their 8-bit pixels; the one uses f64 and the other f32 for mean and deviation.
const PIXEL_LIMIT: f32 = 1e-6;

fn model() -> ModelFolder {
    ModelFolder::embedded("kinora-depth").unwrap()
}

fn relative(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (found, expected) = (values(found), values(expected));
    assert!(found.iter().all(|v| v.is_finite()));
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let error = found.iter().zip(&expected).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    error / largest
}

/// Every tensor of the oracle, by what its name ends in.
#[test]
fn the_embedded_network_agrees_with_pytorch() {
    let oracle = SliceSafetensors::new(ORACLE).unwrap();
    let network = DepthNetwork::load(&model(), &Device::Cpu).unwrap();
    let load = |name: &str| oracle.load(name, &Device::Cpu).unwrap();
    let mut checked = 0;
    for (name, _) in oracle.tensors() {
        let (case, what) = name.split_once('.').unwrap();
        let pixels = load(&format!("{case}.pixel_values"));
        let (found, limit) = match what {
            "embeddings" => (network.embeddings(&pixels).unwrap(), LIMIT),
            "last_feature" => (network.features(&pixels).unwrap().pop().unwrap(), LIMIT),
            "predicted_depth" => (network.forward(&pixels).unwrap(), LIMIT),
            "rgb" => continue,
            "pixel_values" => (preprocessed(&load(&format!("{case}.rgb"))), PIXEL_LIMIT),
            other => panic!("{other}: a kind of tensor that this test does not know"),
        };
        let error = relative(&found, &load(&name));
        println!("{name}: {error:.2e}");
        assert!(error <= limit, "{name}: {error:.2e}, allowed {limit:.0e}");
        checked += 1;
    }
    assert!(checked > 0);
}

fn canvas(rgb: &Tensor) -> Canvas {
    let (height, width, _) = rgb.dims3().unwrap();
    Canvas::from_rgb8(Size::new(width, height), rgb.flatten_all().unwrap().to_vec1().unwrap())
}

fn preprocessed(rgb: &Tensor) -> Tensor {
    let canvas = canvas(rgb);
    let patch = DepthNetwork::load(&model(), &Device::Cpu).unwrap().patch_size();
    let pixels = Preprocess::load(&model()).unwrap().pixels(&canvas, patch, &Device::Cpu).unwrap();
    // Pictures of the oracle are at the network's size already; should one not be, this says so.
    assert_eq!(pixels.dims()[2..], [canvas.height(), canvas.width()]);
    pixels
}

/// The whole way: at the network's own size nothing is resized, so it is the network's result.
#[test]
fn the_estimator_gives_the_networks_depth_at_the_pictures_size() {
    let oracle = SliceSafetensors::new(ORACLE).unwrap();
    let mut estimator = Estimator::load(None).unwrap();
    for (name, _) in oracle.tensors() {
        let Some(case) = name.strip_suffix(".rgb") else { continue };
        let picture = canvas(&oracle.load(&name, &Device::Cpu).unwrap());
        let depth = estimator.estimate(&picture).unwrap();
        let expected = oracle.load(&format!("{case}.predicted_depth"), &Device::Cpu).unwrap();
        let found = Tensor::from_vec(depth.values().to_vec(), expected.dims(), &Device::Cpu).unwrap();
        assert!(relative(&found, &expected) <= LIMIT, "{name}");
    }
}

/// A picture of a size that the network has to be asked at another.
fn odd_picture() -> Canvas {
    let size = Size::new(203, 117);
    let pixel = |i: usize| [(i % 203) as u8, (i / 203 * 2) as u8, (i * 7 % 251) as u8];
    Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
}

#[test]
fn any_size_comes_back_at_its_own_size() {
    let mut estimator = Estimator::load(None).unwrap();
    for picture in
        [odd_picture(), Canvas::filled(Size::new(1, 1), [5; 3]), Canvas::filled(Size::new(90, 3), [5; 3])]
    {
        let depth = estimator.estimate(&picture).unwrap();
        assert_eq!(depth.size(), picture.size());
        assert!(normalise(&depth).values().iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(to_canvas(&depth).size(), picture.size());
    }
}

/// Prints the bits of a depth map. On its own it says nothing: the test below runs it in processes with
/// different numbers of threads.
#[test]
fn print_bits() {
    let depth = Estimator::load(None).unwrap().estimate(&odd_picture()).unwrap();
    let bytes: Vec<u8> = depth.values().iter().flat_map(|v| v.to_le_bytes()).collect();
    println!("\nbits {}", blake3::hash(&bytes));
}

/// The same bits from one thread, two, three and seven.
///
/// candle reads the number from the environment, so each takes a process.
#[test]
fn the_number_of_threads_changes_nothing() {
    let bits = |threads: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "print_bits", "--nocapture"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("bits ")).expect("the child prints its bits").to_owned()
    };
    let one = bits("1");
    for threads in ["2", "3", "7"] {
        assert_eq!(bits(threads), one, "{threads} threads");
    }
}
