//! Changes against LyCORIS and PEFT (`tests/lora`, see `make.py` there), refusals, and what must not drift.

#![allow(clippy::disallowed_types, reason = "candle's builder takes a HashMap; its order says nothing here")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use proptest::prelude::*;

use super::*;
use crate::error::Result;

type Tensors = HashMap<String, Tensor>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lora")
}

fn golden() -> BTreeMap<String, Tensor> {
    let file = folder().join("golden.safetensors");
    candle_core::safetensors::load(file, &Device::Cpu).unwrap().into_iter().collect()
}

/// The weights that the changes of the data are made to.
fn base() -> Tensors {
    let named = |(name, x): (String, Tensor)| name.strip_prefix("base.").map(|name| (name.to_owned(), x));
    golden().into_iter().filter_map(named).collect()
}

/// Weights of a UNet, asked for once so that their names are known.
fn weights(tensors: &Tensors) -> PatchedWeights {
    let weights = PatchedWeights::new(VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu));
    for name in tensors.keys() {
        weights.builder().get_unchecked(name).unwrap();
    }
    weights
}

fn open(kind: &str) -> Arc<LoraFile> {
    Arc::new(LoraFile::open(&folder().join(format!("{kind}.safetensors"))).unwrap())
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn get(weights: &PatchedWeights, name: &str) -> Vec<f32> {
    values(&weights.builder().get_unchecked(name).unwrap())
}

#[test]
fn every_kind_is_what_its_trainer_merges() {
    let weights = weights(&base());
    let mut seen = std::collections::BTreeSet::new();
    for (case, expected) in golden().iter().filter(|(case, _)| !case.starts_with("base.")) {
        let (kind, rest) = case.split_once('.').unwrap();
        let digits = [".conv", ".down"].iter().filter_map(|mark| rest.find(mark)).min().unwrap();
        let (strength, name) = (rest[..digits].parse::<f64>().unwrap(), &rest[digits + 1..]);
        let lora = Lora::new(open(kind), &Networks::new(&weights, &[])).unwrap();
        assert_eq!(lora.unmatched(), &[] as &[String], "{case}");
        patch_unet(&weights, &[(&lora, strength)]);
        let (found, expected) = (get(&weights, name), values(expected));
        let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
        for (a, b) in found.iter().zip(&expected) {
            // f32 against f64 over sums of at most 36 products.
            assert!((a - b).abs() <= 2e-6 * largest, "{case}: {a} {b}");
        }
        seen.insert(kind.to_owned());
    }
    assert_eq!(seen.len(), 14, "{seen:?}");
}

#[test]
fn weights_never_drift_and_what_is_not_changed_is_shared() {
    let tensors = base();
    let weights = weights(&tensors);
    let lora = Lora::new(open("full"), &Networks::new(&weights, &[])).unwrap();
    let dora = Lora::new(open("dora_in"), &Networks::new(&weights, &[])).unwrap();
    let changed = "down_blocks.0.resnets.0.conv1.weight";
    let at = |strength: f64| {
        patch_unet(&weights, &[(&lora, strength), (&dora, -strength)]);
        get(&weights, changed)
    };
    let first = at(0.8);
    assert_ne!(first, values(&tensors[changed]));
    assert_eq!(at(0.0), values(&tensors[changed]));
    assert_eq!(at(0.8), first);
    for i in 0..1000 {
        at(f64::from(i) * 0.37 - 180.0);
    }
    assert_eq!(at(0.8), first);
    assert_eq!(at(0.0), values(&tensors[changed]));
    let other = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let read = || weights.builder().get_unchecked(other).unwrap();
    assert_eq!(read().id(), read().id());
}

/// A file with these tensors, in memory.
fn file(tensors: &[(&str, Tensor)]) -> Result<LoraFile> {
    let views = tensors.iter().map(|(name, x)| (*name, x.clone()));
    let bytes = safetensors::serialize(views, None).unwrap();
    LoraFile::from_bytes(bytes, Path::new("test.safetensors"))
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn number(value: f32) -> Tensor {
    Tensor::new(value, &Device::Cpu).unwrap()
}

const KEY: &str = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";

/// A file with one change of a layer of 8 outputs and 6 inputs.
fn plain(down: &[usize], up: &[usize], alpha: f32) -> Result<LoraFile> {
    file(&[
        (&format!("{KEY}.lora_down.weight"), zeros(down)),
        (&format!("{KEY}.lora_up.weight"), zeros(up)),
        (&format!("{KEY}.alpha"), number(alpha)),
    ])
}

fn refusal(file: Result<LoraFile>) -> String {
    let weights = weights(&base());
    let error =
        file.and_then(|file| Lora::new(Arc::new(file), &Networks::new(&weights, &[]))).map(drop).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    assert_eq!(error.exit_code(), 3);
    error.to_string()
}

#[test]
fn broken_changes_are_refused_by_their_keys() {
    assert!(plain(&[2, 6], &[8, 2], 1.0).is_ok());
    for (file, parts) in [
        (plain(&[2, 6], &[8, 3], 1.0), ["one rank above 0", "[8, 3]"]),
        (plain(&[0, 6], &[8, 0], 1.0), ["one rank above 0", "[0, 6]"]),
        (plain(&[2], &[8, 2], 1.0), ["one rank above 0", "lora_down"]),
        (plain(&[2, 6], &[8, 2], f32::NAN), ["alpha", "NaN"]),
        (plain(&[2, 6], &[8, 2], f32::INFINITY), ["alpha", "infinity"]),
        (plain(&[2, 6], &[9, 2], 1.0), ["[8, 6]", "9 outputs"]),
        (file(&[(&format!("{KEY}.lora_down.weight"), zeros(&[2, 6]))]), ["lora_down", "Up"]),
        (file(&[(&format!("{KEY}.alpha"), number(1.0))]), ["alpha", "stands alone"]),
        (file(&[(&format!("{KEY}.hada_w1_a"), zeros(&[8, 2]))]), ["hada_w1_a", "HadaW1b"]),
        (file(&[(&format!("{KEY}.oft_blocks"), zeros(&[8, 2]))]), ["oft_blocks", "OFT"]),
        (
            file(&[
                (&format!("{KEY}.lora_A.weight"), zeros(&[2, 6])),
                (&format!("{KEY}.lora_A.other.weight"), zeros(&[2, 6])),
            ]),
            ["same part", "lora_A"],
        ),
        (file(&[("model.diffusion_model.out.2.weight", zeros(&[4, 4]))]), ["expected a LoRA", "out.2"]),
        (file(&[]), ["expected a LoRA", "no tensor"]),
    ] {
        let message = refusal(file);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let alphas = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
    let pair = [(2, 6), (8, 2)].map(|(a, b)| zeros(&[a, b]));
    let many = file(&[
        (&format!("{KEY}.lora_down.weight"), pair[0].clone()),
        (&format!("{KEY}.lora_up.weight"), pair[1].clone()),
        (&format!("{KEY}.alpha"), alphas),
    ]);
    assert!(refusal(many).contains("expected one number, found 2"));
}

#[test]
fn numbers_that_are_none_are_told_when_they_are_used() {
    let nan = (zeros(&[8, 2]) / 0.0).unwrap();
    let file = file(&[
        (&format!("{KEY}.lora_down.weight"), zeros(&[2, 6])),
        (&format!("{KEY}.lora_up.weight"), nan),
    ]);
    let weights = weights(&base());
    let lora = Lora::new(Arc::new(file.unwrap()), &Networks::new(&weights, &[])).unwrap();
    patch_unet(&weights, &[(&lora, 1.0)]);
    let name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let error = weights.builder().get_unchecked(name).unwrap_err().to_string();
    assert!(error.contains("lora_up") && error.contains("NaN"), "{error}");
}

#[test]
fn files_that_are_none_are_refused() {
    let whole = std::fs::read(folder().join("tucker.safetensors")).unwrap();
    let at = Path::new("x.safetensors");
    for (bytes, part) in [
        (Vec::new(), "truncated"),
        (b"hello".to_vec(), "safetensors"),
        (b"a whole page of text that is called .safetensors".to_vec(), "safetensors"),
        (whole[..whole.len() - 7].to_vec(), "truncated"),
        (whole[..40].to_vec(), "truncated"),
    ] {
        let error = LoraFile::from_bytes(bytes.clone(), at).unwrap_err();
        assert!(error.to_string().contains(part) && error.hint().is_some(), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let error = LoraFile::open(file.path()).unwrap_err().to_string();
        assert!(error.contains(part), "{part} from the disk: {error}");
    }
    assert!(LoraFile::open(Path::new("no-such-file")).is_err());
}

/// A UNet whose context is `width` wide, as far as LoRAs see it.
fn model(width: usize) -> PatchedWeights {
    let layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k";
    weights(&Tensors::from([(format!("{layer}.weight"), zeros(&[16, width]))]))
}

fn lora_of(key: &str, width: usize) -> Arc<LoraFile> {
    let (down, up) = (format!("{key}.lora_down.weight"), format!("{key}.lora_up.weight"));
    Arc::new(file(&[(down.as_str(), zeros(&[2, width])), (up.as_str(), zeros(&[16, 2]))]).unwrap())
}

#[test]
fn a_lora_for_another_family_is_refused_with_both_names() {
    let matching = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    let other = "lora_unet_input_blocks_8_1_transformer_blocks_0_attn2_to_k";
    for (key, made_for, width, model_width, model_name) in [
        (matching, "SD 1.x", 768, 1024, "SD 2.x"),
        (matching, "SD 2.x", 1024, 768, "SD 1.x"),
        (matching, "SD 1.x", 768, 2048, "SDXL"),
        (other, "SDXL", 2048, 768, "SD 1.x"),
        ("lora_unet_double_blocks_0_img_attn_qkv", "Flux", 3072, 768, "SD 1.x"),
        ("transformer.joint_transformer_blocks.0.attn.to_q", "Stable Diffusion 3", 9, 2048, "SDXL"),
    ] {
        let networks = Networks::new(&model(model_width), &[]);
        let error = Lora::new(lora_of(key, width), &networks).unwrap_err();
        let message = error.to_string();
        let said = format!("this LoRA is for {made_for}, the model is {model_name}");
        assert!(message.contains(&said) && error.hint().is_some(), "{message}");
    }
    assert!(Lora::new(lora_of(matching, 768), &Networks::new(&model(768), &[])).is_ok());
}

#[test]
fn keys_that_fit_nothing_are_counted() {
    let layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    let file = file(&[
        (&format!("{layer}.lora_down.weight"), zeros(&[2, 768])),
        (&format!("{layer}.lora_up.weight"), zeros(&[16, 2])),
        ("lora_te_text_model_encoder_layers_99_mlp_fc1.lora_down.weight", zeros(&[2, 768])),
        ("lora_te_text_model_encoder_layers_99_mlp_fc1.lora_up.weight", zeros(&[768, 2])),
        ("step", zeros(&[1])),
    ]);
    let lora = Lora::new(Arc::new(file.unwrap()), &Networks::new(&model(768), &[])).unwrap();
    let warning = lora.warning().unwrap();
    assert!(warning.contains("3 keys fit nothing") && warning.contains("1 weights are changed"), "{warning}");
    assert_eq!(lora.weights().count(), 1);
}

/// Every file of the data, and one of the peers' with text encoders.
fn samples() -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Does with the bytes what a render does, without minding what comes of it.
fn use_bytes(bytes: Vec<u8>, weights: &PatchedWeights) {
    let Ok(file) = LoraFile::from_bytes(bytes, Path::new("x")) else { return };
    let Ok(lora) = Lora::new(Arc::new(file), &Networks::new(weights, &[])) else { return };
    patch_unet(weights, &[(&lora, 0.5)]);
    for (_, name) in lora.weights() {
        let _ = weights.builder().get_unchecked(name);
    }
    patch_unet(weights, &[]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..100,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut samples = samples();
        let at = which % samples.len();
        let mut bytes = samples.swap_remove(at);
        // Most of the bytes are numbers; the header is where damage matters.
        let header = bytes.len().min(600);
        for (place, value) in changes {
            let place = place.index(header);
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        use_bytes(bytes, &weights(&base()));
    }

    #[test]
    fn swapped_digits_in_the_header_never_panic(which in 0usize..100, place in any::<proptest::sample::Index>(), digit in 0u8..10) {
        let mut samples = samples();
        let at = which % samples.len();
        let mut bytes = samples.swap_remove(at);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let digits: Vec<usize> = (8..8 + length).filter(|i| bytes[*i].is_ascii_digit()).collect();
        bytes[digits[place.index(digits.len())]] = b'0' + digit;
        use_bytes(bytes, &weights(&base()));
    }
}
