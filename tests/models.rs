//! Models by name: model folders of the web UI and of ComfyUI, on the command line, in the environment and in
//! the config file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{Desk, root};

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A desk with a film that names `model`, and the embedded model as `webui/models/Stable-diffusion/Tiny One`.
fn desk(model: &str) -> Desk {
    let desk = Desk::new();
    desk.write("film.kin", format!("kinora 1\nframes = 1\nprompt = \"a lamp\"\nmodel = \"{model}\"\n"));
    copy(
        &root().join("presets/models/kinora-tiny"),
        &desk.path("webui/models/Stable-diffusion/sets/Tiny One"),
    );
    desk
}

#[test]
fn a_model_folder_is_named_on_the_command_line_in_the_environment_and_in_the_config_file() {
    let desk = desk("tiny one");
    let refused = desk.run(&["check", "film.kin"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("E67"), "{refused:?}");
    assert_eq!(desk.run(&["check", "film.kin", "--models-dir", "webui"]).code, Some(0));
    assert_eq!(desk.run(&["--models-dir", "webui", "check", "film.kin"]).code, Some(0));
    let listed = std::env::join_paths(["elsewhere", "webui"]).unwrap();
    let mut command = desk.kinora(&["check", "film.kin"]);
    assert!(command.env("KINORA_MODELS", listed).status().unwrap().success());
    desk.write("home/kinora/config.json", r#"{ "models": ["../../webui"] }"#);
    let mut command = desk.kinora(&["check", "film.kin"]);
    assert!(command.env("XDG_CONFIG_HOME", desk.path("home")).status().unwrap().success());
}

#[test]
fn a_film_is_rendered_with_a_model_of_the_library() {
    let desk = desk("sets/Tiny One");
    let ran = desk.run(&["render", "film.kin", "--draft", "--models-dir", "webui"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let plan = desk.run(&["plan", "film.kin", "--models-dir", "webui"]);
    assert!(plan.stdout.contains("Tiny One"), "{plan:?}");
}

#[test]
fn a_near_name_is_offered_and_two_models_of_one_name_are_named() {
    let desk = desk("tiny ono");
    let near = desk.run(&["check", "film.kin", "--models-dir", "webui"]);
    assert!(near.stderr.contains("did you mean `sets/Tiny One`?"), "{near:?}");
    let desk = self::desk("tiny one");
    copy(&desk.path("webui/models/Stable-diffusion/sets"), &desk.path("comfy/models/checkpoints/more"));
    let both = desk.run(&["check", "film.kin", "--models-dir", "webui", "--models-dir", "comfy"]);
    assert_eq!(both.code, Some(1), "{both:?}");
    for place in ["sets/Tiny One", "more/Tiny One"] {
        assert!(both.stderr.contains(place), "{both:?}");
    }
}

#[test]
fn what_is_no_folder_is_refused() {
    let desk = desk("kinora-tiny");
    let missing = desk.run(&["check", "film.kin", "--models-dir", "nowhere"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("nowhere"), "{missing:?}");
    desk.write("home/kinora/config.json", "models = []");
    let mut command = desk.kinora(&["check", "film.kin"]);
    let broken = command.env("XDG_CONFIG_HOME", desk.path("home")).output().unwrap();
    assert_eq!(broken.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("config.json"));
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }
}

/// The seeds of `fuzz/corpus/safetensors` and fixed mutations of them through everything that reads weights.
#[test]
fn damaged_weights_never_panic() {
    let mut paths: Vec<_> = std::fs::read_dir(root().join("fuzz/corpus/safetensors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() > 5, "the seeds are gone");
    for (number, path) in paths.iter().enumerate() {
        let seed = std::fs::read(path).unwrap();
        kinora::models::probe(seed.clone());
        let mut dice = Dice(number as u64);
        for _ in 0..1000 {
            let mut bytes = seed.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                match dice.below(6) {
                    // Digits and brackets keep the head readable more often than other bytes do.
                    0 | 1 => bytes[at] = b"0123456789[]{},:.\"_ab"[dice.below(21)],
                    2 => bytes[at] = dice.below(256) as u8,
                    3 => bytes[dice.below(8)] ^= 1 << dice.below(8),
                    4 => bytes.truncate(at.max(9)),
                    _ => drop(
                        bytes.splice(at..at, seed[at.min(seed.len())..].iter().copied().take(dice.below(40))),
                    ),
                }
            }
            kinora::models::probe(bytes);
        }
    }
}

/// A file of tensors of these names and shapes, all nought.
fn weights(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut head, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let end = at + 2 * shape.iter().product::<usize>();
        let entry = serde_json::json!({"dtype": "F16", "shape": shape, "data_offsets": [at, end]});
        head.insert((*name).to_owned(), entry);
        at = end;
    }
    let head = serde_json::to_vec(&head).unwrap();
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&head);
    bytes.resize(bytes.len() + at, 0);
    bytes
}

#[test]
fn models_are_listed_with_what_they_are_and_what_they_are_for() {
    let desk = Desk::new();
    let oracles = root().join("tests/oracles/diffusion/models");
    let webui = [
        ("models/Stable-diffusion/sets/one.safetensors", "sd15_ldm.safetensors"),
        ("models/Stable-diffusion/big.safetensors", "sdxl_ldm.safetensors"),
        ("models/Lora/ink.safetensors", "lora/sdxl_kohya.safetensors"),
        ("models/VAE/clear.safetensors", "sd15/vae/diffusion_pytorch_model.safetensors"),
        ("models/ControlNet/depth.safetensors", "controlnet_sd15_depth_ldm.safetensors"),
    ];
    for (name, from) in webui {
        desk.write(&format!("webui/{name}"), std::fs::read(oracles.join(from)).unwrap());
    }
    desk.write("webui/embeddings/hands.safetensors", weights(&[("emb_params", &[2, 768])]));
    desk.write(
        "webui/models/Lora/lost.safetensors",
        weights(&[("clip_g", &[1, 1280]), ("clip_l", &[1, 768])]),
    );
    desk.write("webui/models/Stable-diffusion/old.ckpt", b"PK\x03\x04\0\0\0\0archive/data.pkl");
    desk.write("webui/models/Stable-diffusion/empty.safetensors", "");
    copy(&root().join("presets/models/kinora-tiny"), &desk.path("webui/models/Stable-diffusion/tiny"));
    let list = desk.run(&["models", "--models-dir", "webui", "--hash"]);
    assert_eq!(list.code, Some(0), "{list:?}");
    insta::assert_snapshot!("models", list.stdout);
    let json = desk.run(&["models", "--models-dir", "webui", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let models = json["models"].as_array().unwrap();
    assert!(
        models.iter().any(|model| model["family"] == "SDXL" && model["bytes"].as_u64() > Some(1_000_000))
    );
}

#[test]
fn a_film_takes_a_checkpoint_in_one_file_and_another_autoencoder() {
    let desk = Desk::new();
    let oracles = root().join("tests/oracles/diffusion/models");
    copy(&oracles.join("sd15"), &desk.path("one.config"));
    desk.write("one.safetensors", std::fs::read(oracles.join("sd15_ldm.safetensors")).unwrap());
    copy(&oracles.join("taesd"), &desk.path("vae/taesd"));
    let film = |vae: &str| {
        format!("kinora 1\nframes = 1\nsize = 64x64\nsteps = 2\nprompt = \"a lamp\"\nmodel = \"one\"\n{vae}")
    };
    desk.write("film.kin", film(""));
    desk.write("tiny.kin", film("vae = \"TAESD\"\n"));
    desk.write("lost.kin", film("vae = \"taesf\"\n"));
    let plan = desk.run(&["plan", "film.kin"]);
    assert!(plan.stdout.contains("one.safetensors"), "{plan:?}");
    for name in ["film.kin", "tiny.kin"] {
        let ran = desk.run(&["render", name, "--quiet"]);
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
    }
    let frames = |name: &str| {
        desk.frames(name).into_iter().map(|frame| desk.read(&format!("{name}/{frame}"))).collect::<Vec<_>>()
    };
    let (own, tiny) = (frames("film.frames"), frames("tiny.frames"));
    assert!(own.len() == 1 && tiny.len() == 1 && own != tiny, "{} and {} frames", own.len(), tiny.len());
    let lost = desk.run(&["check", "lost.kin"]);
    assert!(lost.stderr.contains("did you mean `taesd`?"), "{lost:?}");
}

#[test]
fn a_depth_network_is_found_by_its_name_like_any_model() {
    let desk = Desk::new();
    copy(&root().join("presets/models/kinora-depth"), &desk.path("webui/models/depth/Near One"));
    let film = |name: &str| {
        let text = format!(
            "kinora 1\nframes = 2\nprompt = \"a lamp\"\ntranslation_z = 5\ndepth = network(model = \"{name}\")\n"
        );
        desk.write("film.kin", text);
    };
    film("near one");
    let refused = desk.run(&["plan", "film.kin"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("E67"), "{refused:?}");
    let plan = desk.run(&["plan", "film.kin", "--models-dir", "webui"]);
    assert!(plan.code == Some(0) && plan.stdout.contains("Near One"), "{plan:?}");
    let ran = desk.run(&["render", "film.kin", "--draft", "--models-dir", "webui"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    film("kinora-depth");
    assert_eq!(desk.run(&["check", "film.kin"]).code, Some(0));
    film("kinora-dept");
    let refused = desk.run(&["check", "film.kin"]);
    assert!(refused.stderr.contains("did you mean `kinora-depth`?"), "{refused:?}");
}
