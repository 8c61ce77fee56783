//! Depth networks of every kind that is read, under both kinds of names, against transformers: tiny ones whose
//! weights are a function of their names (tests/oracles/depth/make.py).

#![allow(clippy::unwrap_used, clippy::disallowed_types, reason = "tests; safetensors takes a HashMap")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use kinora::depth::{DepthNetwork, Preprocess};
use kinora::models::{ModelFolder, WeightFile, Weights, called_depth};
use serde_json::Value;

/// Largest difference over largest value, between two f32 programs that sum in different orders. Values pass
/// through up to 24 layers.
const LIMIT: f32 = 2e-5;

/// -1 to 1, exact in f32: splitmix64 of FNV-1a of the name, counted up (make.py's `noise`).
fn noise(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let fnv = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325, fnv);
    (1..=count as u64).map(move |i| {
        let mut x = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        (x >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

/// One stored case.
struct Case {
    name: String,
    said: HashMap<String, String>,
    expected: Tensor,
}

impl Case {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, head) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            said: head.metadata().clone().unwrap(),
            expected: tensors["predicted_depth"].clone(),
        }
    }

    /// The file of weights in `folder`, and the config beside it when there is one.
    fn write(&self, folder: &Path) -> PathBuf {
        let list: Vec<Value> = serde_json::from_str(&self.said["weights"]).unwrap();
        let tensor = |entry: &Value| {
            let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).unwrap();
            let from: Vec<String> = serde_json::from_value(entry["from"].clone()).unwrap();
            let (scale, offset) = (entry["scale"].as_f64().unwrap(), entry["offset"].as_f64().unwrap());
            let each = shape.iter().product::<usize>() / from.len();
            let values = from.iter().flat_map(|name| noise(name, each));
            let values: Vec<f32> = values.map(|v| (offset + scale * v) as f32).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (entry["name"].as_str().unwrap().to_owned(), tensor)
        };
        let tensors: HashMap<String, Tensor> = list.iter().map(tensor).collect();
        let path = folder.join(&self.said["file"]);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        if self.said["config"].is_empty() {
            return path;
        }
        std::fs::write(folder.join("config.json"), &self.said["config"]).unwrap();
        folder.to_owned()
    }

    fn pixels(&self) -> Tensor {
        let shape: Vec<usize> = serde_json::from_str(&self.said["pixels"]).unwrap();
        let values = noise("pixel_values", shape.iter().product()).map(|v| (2.0 * v) as f32);
        Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/depth");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_kind_of_network_agrees_with_transformers() {
    let cases = cases();
    assert!(cases.len() >= 10, "two sizes of each kind and naming");
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelFolder::open(&case.write(folder.path())).unwrap();
        let network = DepthNetwork::load(&model, &Device::Cpu).unwrap();
        let found = network.forward(&case.pixels()).unwrap();
        assert_eq!(found.dims(), case.expected.dims(), "{}", case.name);
        let (found, expected) = (values(&found), values(&case.expected));
        let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let error = found.iter().zip(&expected).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs())) / largest;
        println!("{}: {error:.2e}", case.name);
        assert!(error <= LIMIT, "{}: {error:.2e}, allowed {LIMIT:.0e}", case.name);
    }
}

#[test]
fn weights_say_what_network_they_are() {
    for (name, called) in [
        ("anything_original", "Depth Anything of width 64"),
        ("dpt_original", "MiDaS DPT of width 64"),
        ("dpt_hybrid_original", "MiDaS DPT-Hybrid of width 128"),
        ("dpt_hybrid", "MiDaS DPT-Hybrid of width 32"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let case = case(name);
        case.write(folder.path());
        let file = WeightFile::open(&folder.path().join(&case.said["file"])).unwrap();
        assert_eq!(called_depth(&Weights::of(&[file.into()])).as_deref(), Some(called));
    }
}

#[test]
fn a_weight_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = case("dpt_original");
    let mut list: Vec<Value> = serde_json::from_str(&case.said["weights"]).unwrap();
    list.retain(|entry| entry["name"] != "pretrained.model.blocks.2.mlp.fc1.bias");
    case.said.insert("weights".to_owned(), serde_json::to_string(&list).unwrap());
    let model = ModelFolder::open(&case.write(folder.path())).unwrap();
    let error = DepthNetwork::load(&model, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("1 is missing: pretrained.model.blocks.2.mlp.fc1.bias"), "{error}");
}

#[test]
fn a_weight_of_another_shape_is_named_with_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = case("dpt_hybrid");
    case.said.insert(
        "config".to_owned(),
        case.said["config"].replace("\"fusion_hidden_size\": 16", "\"fusion_hidden_size\": 18"),
    );
    let model = ModelFolder::open(&case.write(folder.path())).unwrap();
    let error = DepthNetwork::load(&model, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("head.head.0.weight (expected [9, 18, 3, 3], found [8, 16, 3, 3])"), "{error}");
}

#[test]
fn a_pytorch_file_is_refused_with_the_line_that_converts_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("depth_anything_v2_vits.pth");
    std::fs::write(&path, b"PK\x03\x04 archive/data.pkl").unwrap();
    let error = ModelFolder::open(&path).unwrap_err();
    assert!(error.hint().unwrap().contains("torch.load"), "{error}");
}

#[test]
fn a_network_of_another_kind_is_refused_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"model_type": "zoedepth"}"#).unwrap();
    let model = ModelFolder::open(folder.path()).unwrap();
    let error = DepthNetwork::load(&model, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("zoedepth") && error.contains("dpt"), "{error}");
    // What its own file leaves out DPT takes from transformers' processor, not from Depth Anything's.
    std::fs::write(folder.path().join("config.json"), r#"{"model_type": "dpt"}"#).unwrap();
    std::fs::write(folder.path().join("preprocessor_config.json"), r#"{"size": 384}"#).unwrap();
    let size = Preprocess::load(&model).unwrap().network_size(kinora::canvas::Size::new(640, 320), 16);
    assert_eq!((size.width, size.height), (384, 384));
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let size = Preprocess::load(&model).unwrap().network_size(kinora::canvas::Size::new(640, 320), 16);
    assert_eq!((size.width, size.height), (768, 384));
}
