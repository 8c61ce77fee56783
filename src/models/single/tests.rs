//! Against the oracles' models: each is there as a diffusers folder and as one file, and key maps and cuts must
//! give the same numbers under the same names.

use candle_core::{DType, Device};

use super::*;
use crate::models::ModelFolder;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/diffusion/models")
}

/// The folder's tensors, by name, from its own files.
fn of_folder(folder: &Path) -> Weights {
    ModelFolder::open(folder).unwrap().tensors().unwrap()
}

fn values(weights: &Weights, name: &str) -> (Vec<usize>, Vec<f32>) {
    let vb = weights.clone().builder(&Device::Cpu);
    let tensor = vb.get_unchecked_dtype(name, DType::F32).unwrap();
    (tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1().unwrap())
}

/// Every weight of the folder's network is in the part, with its numbers. `same_shape` is false where a 1×1
/// convolution stands for a linear layer.
fn assert_same(single: &SingleFile, part: &str, folder: &Path) {
    let (found, expected) = (single.weights(part).unwrap(), of_folder(folder));
    for name in expected.names().filter(|name| !name.ends_with("position_ids")) {
        let (shape, numbers) = values(&expected, name);
        assert!(found.source(name).is_some(), "{part}: {name} is missing");
        let (other, same) = values(found, name);
        assert_eq!(numbers, same, "{part}: {name}");
        let is_point = other.len() == 4 && other[2..] == [1, 1] && other[..2] == shape[..];
        assert!(shape == other || is_point, "{part}: {name} {shape:?} {other:?}");
    }
    let extra = found.names().filter(|name| expected.source(name).is_none()).count();
    assert_eq!(extra, 0, "{part}: names that the network does not know");
}

fn config(single: &SingleFile, path: &str) -> Value {
    serde_json::from_slice(&single.read(path).unwrap().unwrap()).unwrap()
}

#[test]
fn one_file_is_the_folder_that_it_was_made_of() {
    for (name, parts) in [
        ("sd15", vec!["unet", "vae", "text_encoder"]),
        ("sdxl", vec!["unet", "vae", "text_encoder", "text_encoder_2"]),
    ] {
        let single = SingleFile::open(&models().join(format!("{name}_ldm.safetensors")), None).unwrap();
        for part in parts {
            assert_same(&single, part, &models().join(name).join(part));
        }
        assert!(single.has_part("") && single.has_part("unet") && !single.has_part("controlnet"));
        assert!(single.has("model_index.json") && single.has("scheduler/scheduler_config.json"));
    }
}

#[test]
fn shapes_say_what_configs_say() {
    for name in ["sd15", "sdxl"] {
        let single = SingleFile::open(&models().join(format!("{name}_ldm.safetensors")), None).unwrap();
        let folder = ModelFolder::open(&models().join(name)).unwrap();
        let keys = [
            ("unet", "in_channels"),
            ("unet", "block_out_channels"),
            ("unet", "down_block_types"),
            ("unet", "up_block_types"),
            ("unet", "cross_attention_dim"),
            ("unet", "use_linear_projection"),
            ("unet", "addition_embed_type"),
            ("unet", "projection_class_embeddings_input_dim"),
            ("vae", "block_out_channels"),
            ("vae", "layers_per_block"),
            ("vae", "latent_channels"),
            ("vae", "scaling_factor"),
            ("text_encoder", "hidden_size"),
            ("text_encoder", "vocab_size"),
            ("text_encoder", "intermediate_size"),
            ("text_encoder", "num_hidden_layers"),
            ("text_encoder", "hidden_act"),
            ("text_encoder", "eos_token_id"),
        ];
        for (part, key) in keys {
            let expected: Value = folder.join(part).json("config.json").unwrap();
            let found = config(&single, &format!("{part}/config.json"));
            assert_eq!(found.get(key).unwrap_or(&Value::Null), &expected[key], "{name}: {part}: {key}");
        }
        let layers = config(&single, "unet/config.json")["layers_per_block"].clone();
        assert!(layers.as_array().unwrap().iter().all(|n| *n == json!(2)), "{layers}");
    }
    let single = SingleFile::open(&models().join("sdxl_ldm.safetensors"), None).unwrap();
    let second: Value = config(&single, "text_encoder_2/config.json");
    assert_eq!((&second["hidden_act"], &second["projection_dim"]), (&json!("gelu"), &json!(48)));
    assert_eq!(config(&single, "unet/config.json")["transformer_layers_per_block"][2], json!(2));
    assert_eq!(config(&single, "tokenizer_2/tokenizer_config.json")["pad_token"], json!("!"));
}

#[test]
fn configs_beside_the_file_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.safetensors");
    std::fs::copy(models().join("sd15_ldm.safetensors"), &file).unwrap();
    let heads = |single: &SingleFile| config(single, "unet/config.json")["attention_head_dim"].clone();
    assert_eq!(heads(&SingleFile::open(&file, None).unwrap()), json!([8, 8, 8, 8]));
    std::fs::create_dir_all(folder.path().join("mine.config/unet")).unwrap();
    std::fs::copy(models().join("sd15/unet/config.json"), folder.path().join("mine.config/unet/config.json"))
        .unwrap();
    assert_eq!(heads(&SingleFile::open(&file, None).unwrap()), json!(4));
    let given = SingleFile::open(&file, Some(&models().join("sd15"))).unwrap();
    assert!(given.has("tokenizer/vocab.json") && !given.has("safety_checker/config.json"));
}

/// A file of tensors of these names and shapes, all nought, with notes.
fn write(path: &Path, tensors: &[(&str, &[usize])], notes: &[(&str, &str)]) {
    let (mut head, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let end = at + 2 * shape.iter().product::<usize>();
        head.insert((*name).to_owned(), json!({"dtype": "F16", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let notes: serde_json::Map<String, Value> =
        notes.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    head.insert("__metadata__".to_owned(), Value::Object(notes));
    let head = serde_json::to_vec(&head).unwrap();
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&head);
    bytes.resize(bytes.len() + at, 0);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_a_model_predicts_is_told_by_marks_notes_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let is_v = |name: &str, mark: Option<&str>, notes: &[(&str, &str)], base| {
        let path = folder.path().join(name);
        let tensors: Vec<(&str, &[usize])> = mark.iter().map(|mark| (*mark, &[0][..])).collect();
        write(&path, &tensors, notes);
        Prediction::of(&WeightFile::open(&path).unwrap(), Some(base)).is_v
    };
    assert!(!is_v("a.safetensors", None, &[], Base::Xl));
    assert!(is_v("a.safetensors", Some("v_pred"), &[], Base::Xl));
    assert!(is_v("a.safetensors", None, &[("modelspec.prediction_type", "v")], Base::Sd1));
    assert!(is_v("768-ema.safetensors", None, &[], Base::Sd2));
    assert!(!is_v("512-base-ema.safetensors", None, &[], Base::Sd2));
    assert!(!is_v("x.safetensors", None, &[("modelspec.prediction_type", "epsilon")], Base::Sd2));
    std::fs::write(folder.path().join("y.yaml"), "model:\n  params:\n    parameterization: \"v\"\n").unwrap();
    assert!(is_v("y.safetensors", None, &[], Base::Sd1));
    let path = folder.path().join("z.safetensors");
    write(&path, &[("ztsnr", &[0]), ("v_pred", &[0])], &[]);
    let scheduler = Prediction::of(&WeightFile::open(&path).unwrap(), Some(Base::Xl)).scheduler();
    assert_eq!(scheduler["rescale_betas_zero_snr"], json!(true));
}

#[test]
fn a_tiny_autoencoder_is_read_whole_and_in_halves() {
    let taesd = models().join("taesd");
    let expected: Value = ModelFolder::open(&taesd).unwrap().json("config.json").unwrap();
    for file in
        ["taesd_decoder.safetensors", "taesd_encoder.safetensors", "diffusion_pytorch_model.safetensors"]
    {
        let single = SingleFile::open(&taesd.join(file), None).unwrap();
        let found = config(&single, "config.json");
        for key in
            ["num_encoder_blocks", "num_decoder_blocks", "encoder_block_out_channels", "latent_channels"]
        {
            assert_eq!(found[key], expected[key], "{file}: {key}");
        }
        assert_same(&single, "", &taesd);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(taesd.join("taesd_decoder.safetensors"), folder.path().join("taesd_decoder.safetensors"))
        .unwrap();
    let error = SingleFile::open(&folder.path().join("taesd_decoder.safetensors"), None).unwrap_err();
    assert!(error.to_string().contains("taesd_encoder.safetensors"), "{error}");
}

#[test]
fn an_autoencoder_alone_is_read_in_both_namings() {
    let diffusers = models().join("sd15/vae/diffusion_pytorch_model.safetensors");
    let single = SingleFile::open(&diffusers, None).unwrap();
    assert_eq!(single.family().kind, FileKind::Vae);
    assert_same(&single, "", &models().join("sd15/vae"));
    assert!(single.has("config.json"));
}

#[test]
fn a_file_that_is_no_model_is_called_what_it_is() {
    let lora = ModelFolder::open(&models().join("lora/kohya.safetensors")).unwrap();
    let error = lora.require("model_index.json", "a diffusion model").unwrap_err().to_string();
    assert!(error.contains("LoRA"), "{error}");
    let unet = ModelFolder::open(&models().join("sd15/unet/diffusion_pytorch_model.safetensors")).unwrap();
    let error = unet.require("model_index.json", "a diffusion model").unwrap_err().to_string();
    assert!(error.contains("UNet"), "{error}");
}

#[test]
fn damaged_checkpoints_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    // Names of a checkpoint whose numbers and shapes make no sense together.
    let names = [
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.input_blocks.99999999999999999999.0.op.weight",
        "model.diffusion_model.input_blocks.18446744073709551615.0.in_layers.2.weight",
        "model.diffusion_model.output_blocks.0.0.in_layers.0.weight",
        "model.diffusion_model.output_blocks.3.1.conv.weight",
        "first_stage_model.decoder.up.18446744073709551615.block.0.conv1.weight",
        "first_stage_model.decoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight",
        "encoder.layers.18446744073709551615.weight",
        "decoder.layers.2.conv.0.weight",
        "conditioner.embedders.1.model.ln_final.bias",
    ];
    let shapes: [&[usize]; 5] = [&[], &[0], &[1], &[2, 1], &[1, 4, 1, 1]];
    for pick in 0..1_u32 << names.len() {
        // Every eleventh subset, each with other shapes.
        if pick % 11 != 0 {
            continue;
        }
        let tensors: Vec<(&str, &[usize])> = (0..names.len())
            .filter(|i| pick & 1 << i != 0)
            .map(|i| (names[i], shapes[(i + pick as usize / 11) % shapes.len()]))
            .collect();
        write(&path, &tensors, &[]);
        let _ = SingleFile::open(&path, None);
    }
}
