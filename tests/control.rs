//! Control networks of the lighter kinds and edges, against data made with PyTorch and OpenCV
//! (`tests/control/make.py`), and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_types, reason = "candle's maps of tensors")]

mod common;
#[path = "control/engine.rs"]
mod engine;
#[path = "control/films.rs"]
mod films;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::controlnet::{ControlBase, ControlModel, ControlPlace};
use kinora::diffusion::reference::Bank;
use kinora::diffusion::steering::Steering;
use kinora::diffusion::unet::{AddedCond, UNet, UNetConfig};
use kinora::edges::canny;
use kinora::models::ModelFolder;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control").join(name)
}

fn models(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/diffusion/models").join(name)
}

/// A model that controls are made for.
struct Model {
    folder: ModelFolder,
    config: UNetConfig,
    unet: UNet,
}

impl Model {
    fn open(name: &str) -> Self {
        let folder = ModelFolder::open(&models(name).join("unet")).unwrap();
        let config = folder.json("config.json").unwrap();
        let unet = UNet::load(&folder, &Device::Cpu).unwrap();
        Self { folder, config, unet }
    }

    fn load(&self, path: &Path) -> kinora::error::Result<ControlModel> {
        let base = ControlBase { unet: &self.unet, config: &self.config, folder: &self.folder };
        ControlPlace::open(path)?.load(&base, &Device::Cpu)
    }

    /// Why a file is refused, with the hint.
    fn refusal(&self, path: &Path) -> String {
        let error = self.load(path).err().unwrap_or_else(|| panic!("{} was read", path.display()));
        format!("{error} ({})", error.hint().unwrap_or_default())
    }
}

struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn read() -> Self {
        Self(candle_core::safetensors::load(data("golden.safetensors"), &Device::Cpu).unwrap())
    }

    fn get(&self, name: &str) -> Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no `{name}`")).clone()
    }

    fn added(&self) -> AddedCond {
        AddedCond { text_embeds: self.get("text_embeds"), time_ids: self.get("time_ids") }
    }

    /// Largest difference to a tensor of the data as a share of its largest value.
    fn error(&self, name: &str, found: &Tensor) -> f32 {
        let wanted = self.get(name);
        let largest = wanted.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let error = (found - &wanted).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        error / largest
    }
}

/// f32 sums in another order differ by 1e-6 in these networks.
const LIMIT: f32 = 1e-5;

#[test]
fn a_control_lllite_shifts_what_kohya_s_does() {
    let (model, golden) = (Model::open("sdxl"), Golden::read());
    let ControlModel::Lllite(lllite) = model.load(&data("lllite.safetensors")).unwrap() else {
        panic!("expected a ControlLLLite")
    };
    assert!(!lllite.is_empty());
    let run = |x: &str, hint: &str, weight: Option<f64>| {
        let hint = lllite.look(&golden.get(hint)).unwrap();
        let bank = Bank::default();
        let lllites = weight.map(|weight| (&hint, weight)).into_iter().collect();
        let steering = Steering { lllites, bank: &bank, negative: 1 };
        let (context, added) = (golden.get("context"), golden.added());
        let x = golden.get(x);
        model.unet.forward_hooked(&x, &[437.0], &context, Some(&added), None, Some(&steering)).unwrap()
    };
    assert!(golden.error("plain", &run("x", "hint", None)) < LIMIT);
    assert!(golden.error("plain", &run("x", "hint", Some(0.0))) < LIMIT);
    assert!(golden.error("lllite.w1.0", &run("x", "hint", Some(1.0))) < LIMIT);
    assert!(golden.error("lllite.w0.4", &run("x", "hint", Some(0.4))) < LIMIT);
    // A size that is no multiple of the embedding's: it is resampled.
    assert!(golden.error("lllite.odd", &run("x_odd", "hint_odd", Some(1.0))) < LIMIT);
    // The data tells the cases apart.
    assert!(golden.error("plain", &golden.get("lllite.w1.0")) > 1e-2);
}

#[test]
fn a_control_lora_is_the_model_s_encoder_with_a_change() {
    let (model, golden) = (Model::open("sdxl"), Golden::read());
    let ControlModel::Net(net) = model.load(&data("control_lora.safetensors")).unwrap() else {
        panic!("expected a ControlNet")
    };
    let (x, context, hint) = (golden.get("x"), golden.get("context"), golden.get("hint"));
    let residuals = net.forward(&x, &[437.0], &context, Some(&golden.added()), &hint).unwrap();
    assert!(golden.error("lora.mid", &residuals.mid) < LIMIT);
    for (i, residual) in residuals.down.iter().enumerate() {
        let error = golden.error(&format!("lora.down{i}"), residual);
        assert!(error < LIMIT, "residual {i}: {error:.1e}");
    }
    assert!(!golden.0.contains_key(&format!("lora.down{}", residuals.down.len())));
}

#[test]
fn files_for_another_family_are_refused_with_both_families() {
    let (sd15, sdxl) = (Model::open("sd15"), Model::open("sdxl"));
    for (model, file, words) in [
        (&sdxl, models("controlnet_sd15_depth_ldm.safetensors"), ["text of width 80", "text of width 32"]),
        (&sd15, models("controlnet_sdxl_depth_ldm.safetensors"), ["text of width 32", "text of width 80"]),
        (&sdxl, models("controlnet_sd15_depth"), ["text of width 80", "text of width 32"]),
        (&sd15, data("lllite.safetensors"), ["expected a ControlLLLite", "have no place"]),
        (&sd15, data("control_lora.safetensors"), ["expected a Control-LoRA", "text of width 32"]),
    ] {
        let found = model.refusal(&file);
        assert!(words.iter().all(|word| found.contains(word)), "{}: {found}", file.display());
    }
}

#[test]
fn files_of_other_kinds_are_refused_by_name() {
    let model = Model::open("sd15");
    let found = model.refusal(&models("sd15_ldm.safetensors"));
    assert!(found.contains("a whole checkpoint"), "{found}");
    let lora = std::fs::read_dir(models("lora")).unwrap().flatten().map(|file| file.path());
    for file in lora.filter(|file| file.file_name().is_some_and(|n| n.to_string_lossy().contains("kohya"))) {
        let found = model.refusal(&file);
        assert!(found.contains("found a LoRA"), "{found}");
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(models("controlnet_sd15_depth_ldm.safetensors")).unwrap();
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (name, bytes, word) in [
        ("empty.safetensors", Vec::new(), "truncated"),
        ("cut.safetensors", whole[..whole.len() - 9].to_vec(), "truncated"),
        ("text.safetensors", b"this is a letter, not a network at all".to_vec(), "found a text file"),
        ("huge.safetensors", huge, "18446744073709551615 bytes"),
        ("old.ckpt", whole.clone(), "convert it to safetensors"),
        ("old.pth", whole, "convert it to safetensors"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let found = model.refusal(&path);
        assert!(found.contains(word), "{name}: {found}");
    }
    let found = model.refusal(&folder.path().join("nothing.safetensors"));
    assert!(found.contains("nothing here"), "{found}");
}

#[test]
fn weights_that_are_missing_left_over_or_of_another_shape_are_named() {
    let model = Model::open("sd15");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    let refusal = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let file = models("controlnet_sd15_depth_ldm.safetensors");
        let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        model.refusal(&path)
    };
    let found = refusal(&|tensors| {
        tensors.remove("control_model.zero_convs.3.0.bias").unwrap();
    });
    assert!(found.contains("controlnet_down_blocks.3.bias"), "{found}");
    let found = refusal(&|tensors| {
        let more = tensors["control_model.zero_convs.3.0.bias"].clone();
        tensors.insert("control_model.style_blocks.0.bias".to_owned(), more);
    });
    assert!(found.contains("1 weights") && found.contains("style_blocks.0.bias"), "{found}");
    let found = refusal(&|tensors| {
        let name = "control_model.zero_convs.3.0.bias";
        let wide = Tensor::cat(&[&tensors[name], &tensors[name]], 0).unwrap();
        tensors.insert(name.to_owned(), wide);
    });
    assert!(found.contains("controlnet_down_blocks.3.bias") && found.contains("of another shape"), "{found}");
    let found = refusal(&|tensors| {
        let ids = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
        tensors.insert("control_model.ids".to_owned(), ids);
    });
    assert!(found.contains("found U32"), "{found}");
}

#[test]
fn a_config_beside_the_file_says_what_weights_do_not_show() {
    let model = Model::open("sd15");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("depth.safetensors");
    std::fs::copy(models("controlnet_sd15_depth_ldm.safetensors"), &path).unwrap();
    let place = ControlPlace::open(&path).unwrap();
    let before = place.fingerprint().unwrap();
    let residual = |model: &Model| {
        let ControlModel::Net(net) = model.load(&path).unwrap() else { panic!("expected a ControlNet") };
        let golden =
            candle_core::safetensors::load(models("../golden/controlnet.safetensors"), &Device::Cpu).unwrap();
        let found = net.forward(&golden["x"], &[250.0], &golden["ctx"], None, &golden["hint"]).unwrap();
        found.mid.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let plain = residual(&model);
    // A web UI's note on the model is no config.
    std::fs::write(path.with_extension("json"), r#"{"description": "depth", "sd version": "SD1"}"#).unwrap();
    assert_eq!(residual(&model), plain);
    let config = r#"{"block_out_channels": [16, 32, 32, 32], "attention_head_dim": 2}"#;
    std::fs::write(path.with_extension("config.json"), config).unwrap();
    assert_ne!(residual(&model), plain);
    assert_ne!(place.fingerprint().unwrap(), before);
    std::fs::write(path.with_extension("config.json"), "{").unwrap();
    assert!(model.refusal(&path).contains("cannot understand"));
}

#[test]
fn broken_headers_are_refused_or_read_but_never_panic() {
    let model = Model::open("sdxl");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for file in ["lllite.safetensors", "control_lora.safetensors"] {
        let whole = std::fs::read(data(file)).unwrap();
        let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let at = random(header);
                // Digits and letters stay such: the header is still JSON, and says something else.
                bytes[at] = match bytes[at] {
                    b'0'..=b'9' => b'0' + random(10) as u8,
                    b'a'..=b'z' => b'a' + random(26) as u8,
                    other if random(4) == 0 => other.wrapping_add(random(256) as u8),
                    other => other,
                };
            }
            std::fs::write(&path, bytes).unwrap();
            match model.load(&path) {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }
    assert!(refused > 20, "{read} were read, {refused} refused");
}

/// The pictures of `make.py`.
fn picture(kind: u64, size: Size) -> Canvas {
    let (width, height) = (size.width as i64, size.height as i64);
    let pixel = |i: usize| -> [u8; 3] {
        let (x, y) = ((i % size.width) as i64, (i / size.width) as i64);
        let channels = match kind {
            0 => [x * 7 + y * 3, x * x / 9 + y * 5, y * y / 7 + x],
            1 => {
                let radius = width.min(height) / 3;
                let (across, down) = (x - width / 2, y - height / 2);
                let disc = if across * across + down * down < radius * radius { 170 } else { 0 };
                [disc + 30, disc / 2 + 60, 200 - disc]
            }
            2 => {
                let seed = (x * 1_103_515_245 + y * 12345 + x * y * 40503) % 2_147_483_648;
                [seed / 65536, seed / 4096, seed / 256]
            }
            _ => {
                let check = (x / 5 + y / 4) % 2;
                [check * 90 + x % 7, (x / 6) % 2 * 60 + 20, (y / 3) % 2 * 110 + 9]
            }
        };
        channels.map(|c| c.rem_euclid(256) as u8)
    };
    Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
}

#[test]
fn edges_are_opencv_s_to_the_pixel() {
    let cases: Vec<BTreeMap<String, serde_json::Value>> =
        serde_json::from_slice(&std::fs::read(data("canny.json")).unwrap()).unwrap();
    assert!(cases.len() >= 80);
    let mut lit = 0;
    for case in &cases {
        let side = |i: usize| case["size"][i].as_u64().unwrap() as usize;
        let picture = picture(case["picture"].as_u64().unwrap(), Size::new(side(0), side(1)));
        let edges = canny(&picture, case["low"].as_f64().unwrap(), case["high"].as_f64().unwrap());
        let bits: Vec<bool> = edges.as_rgb8().chunks(3).map(|pixel| pixel[0] == 255).collect();
        lit += bits.iter().filter(|bit| **bit).count();
        let byte = |bits: &[bool]| {
            let set = bits.iter().enumerate().filter(|(_, bit)| **bit);
            set.fold(0_u8, |byte, (i, _)| byte | 128 >> i)
        };
        let hex: String = bits.chunks(8).map(|bits| format!("{:02x}", byte(bits))).collect();
        assert_eq!(hex, case["edges"].as_str().unwrap(), "{case:?}");
    }
    assert!(lit > 1000, "the pictures have edges");
}
