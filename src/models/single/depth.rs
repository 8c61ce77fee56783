//! Configs of a depth network in one file, from the names and shapes of its weights.
//!
//! What shapes do not show is as published models have it: heads of 64 channels, feature maps after the layers
//! that the repositories name (others after each quarter), and whether the numbers are metres: those of a file
//! whose name has `metric` in it are, up to 20 (`hypersim`, rooms) or 80 (`vkitti`, streets).

use serde_json::{Value, json};

use super::infer::Shapes;
use crate::models::depth_names;
use crate::models::tensors::Weights;

/// Channels of an attention head.
const HEAD: usize = 64;

/// Stages of the decoder of every published depth network.
const STAGES: usize = 4;

/// The side that published DPT networks were trained with, and the multiple of their sides.
const DPT_SIDE: (usize, usize) = (384, 32);

/// The two documents of a depth network, `config.json` and, where its own are not the reader's defaults,
/// `preprocessor_config.json`.
pub(super) struct Documents {
    pub config: Value,
    pub preprocessor: Option<Value>,
}

/// What a depth network in a file called `stem` is. An error says which weight is missing.
pub(super) fn documents(weights: &Weights, stem: &str) -> Result<Documents, String> {
    let has = |name: &str| weights.source(name).is_some();
    if has("pretrained.cls_token") || has("backbone.embeddings.cls_token") {
        let is_original = has("pretrained.cls_token");
        let look = Look { weights, original: is_original.then_some(depth_names::anything) };
        return Ok(Documents { config: anything(&look, &stem.to_lowercase())?, preprocessor: None });
    }
    if has("pretrained.model.cls_token") || has("dpt.embeddings.cls_token") {
        let is_original = has("pretrained.model.cls_token");
        let look = Look { weights, original: is_original.then_some(depth_names::dpt) };
        return Ok(Documents { config: dpt(&look)?, preprocessor: Some(preprocessor()) });
    }
    Err("expected a Depth Anything or a MiDaS 3 (DPT-Large, DPT-Hybrid), found a depth network of another \
         kind"
        .to_owned())
}

/// As MiDaS prepares pictures for DPT: the aspect is kept, the side that changes least becomes 384.
fn preprocessor() -> Value {
    let (side, multiple) = DPT_SIDE;
    json!({
        "size": side, "keep_aspect_ratio": true, "ensure_multiple_of": multiple, "resample": 3,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    })
}

/// Looks weights up by transformers' names.
struct Look<'a> {
    weights: &'a Weights,
    original: Option<fn(&str, usize) -> String>,
}

impl Look<'_> {
    fn named(&self, name: &str) -> String {
        self.original.map_or_else(|| name.to_owned(), |original| original(name, STAGES))
    }

    fn maybe(&self, name: &str, side: usize) -> Option<usize> {
        self.weights.shape(&self.named(name))?.get(side).copied()
    }

    fn side(&self, name: &str, side: usize) -> Result<usize, String> {
        self.maybe(name, side).ok_or_else(|| {
            format!("expected a weight called `{}` with {} sides, there is none", self.named(name), side + 1)
        })
    }

    fn layers(&self, prefix: &str) -> usize {
        // The name of a weight behind the number tells where the number stands.
        let named = self.named(&format!("{prefix}0.x"));
        let prefix = named.strip_suffix("0.x").unwrap_or(prefix).to_owned();
        Shapes(self.weights).count(&prefix)
    }

    /// Channels of each feature map, as `projection` (a name with `{}` for the stage) has them.
    fn channels(&self, stages: std::ops::Range<usize>) -> Result<Vec<usize>, String> {
        let name = |i: usize| format!("neck.reassemble_stage.layers.{i}.projection.weight");
        stages.map(|i| self.side(&name(i), 0)).collect()
    }

    /// What each map's sides are multiplied by: a kernel of 3 shrinks it to half, any other is the factor.
    fn factors(&self, stages: std::ops::Range<usize>) -> Vec<f64> {
        let name = |i: usize| format!("neck.reassemble_stage.layers.{i}.resize.weight");
        let factor = |i: usize| match self.maybe(&name(i), 3) {
            None => 1.0,
            Some(3) => 0.5,
            Some(side) => side as f64,
        };
        stages.map(factor).collect()
    }

    fn heads(width: usize) -> usize {
        (width / HEAD).max(1)
    }

    fn fusion(&self) -> Result<usize, String> {
        self.side("neck.convs.0.weight", 0)
    }
}

/// Layers after which feature maps are taken, the first being 1.
fn taps(layers: usize) -> [usize; STAGES] {
    match layers {
        // depth_anything_v2/dpt.py: `intermediate_layer_idx`, and isl-org/DPT's hooks.
        24 => [5, 12, 18, 24],
        40 => [10, 20, 30, 40],
        other => std::array::from_fn(|i| (other * (i + 1) / STAGES).max(1)),
    }
}

/// The `config.json` of a Depth Anything.
fn anything(look: &Look<'_>, stem: &str) -> Result<Value, String> {
    let width = look.side("backbone.embeddings.position_embeddings", 2)?;
    let layers = look.layers("backbone.encoder.layer.");
    let layer = "backbone.encoder.layer.0";
    let gated = look.maybe(&format!("{layer}.mlp.weights_in.weight"), 0);
    let inner = match gated {
        Some(_) => 4 * width,
        None => look.side(&format!("{layer}.mlp.fc1.weight"), 0)?,
    };
    let metric = stem.contains("metric");
    Ok(json!({
        "model_type": "depth_anything",
        "backbone_config": {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": Look::heads(width),
            "mlp_ratio": inner as f64 / width.max(1) as f64,
            "patch_size": look.side("backbone.embeddings.patch_embeddings.projection.weight", 3)?,
            "num_channels": look.side("backbone.embeddings.patch_embeddings.projection.weight", 1)?,
            "use_swiglu_ffn": gated.is_some(),
            "out_indices": taps(layers),
        },
        "neck_hidden_sizes": look.channels(0..STAGES)?,
        "reassemble_factors": look.factors(0..STAGES),
        "fusion_hidden_size": look.fusion()?,
        "head_hidden_size": look.side("head.conv2.weight", 0)?,
        "depth_estimation_type": if metric { "metric" } else { "relative" },
        "max_depth": if !metric { 1.0 } else if stem.contains("vkitti") { 80.0 } else { 20.0 },
    }))
}

/// The `config.json` of a dense prediction transformer.
fn dpt(look: &Look<'_>) -> Result<Value, String> {
    let bit = "dpt.embeddings.backbone.bit";
    let is_hybrid = look.maybe(&format!("{bit}.embedder.convolution.weight"), 0).is_some();
    let width = look.side("dpt.embeddings.position_embeddings", 2)?;
    let layers = look.layers("dpt.encoder.layer.");
    let first = if is_hybrid { 2 } else { 0 };
    let readout = format!("neck.reassemble_stage.readout_projects.{first}.0.weight");
    let mut channels = Vec::new();
    for stage in 0..first {
        channels.push(look.side(&format!("neck.convs.{stage}.weight"), 1)?);
    }
    channels.extend(look.channels(first..STAGES)?);
    // The stages of a BiT are as large as a plain network's maps: their factors are not read.
    let factors = [vec![1.0; first], look.factors(first..STAGES)].concat();
    let mut config = json!({
        "model_type": "dpt",
        "is_hybrid": is_hybrid,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": Look::heads(width),
        "intermediate_size": look.side("dpt.encoder.layer.0.intermediate.dense.weight", 0)?,
        "layer_norm_eps": 1e-6,
        "patch_size": 16,
        "num_channels": 3,
        "backbone_out_indices": taps(layers).map(|tap| tap - 1),
        "readout_type": if look.maybe(&readout, 0).is_some() { "project" } else { "ignore" },
        "neck_hidden_sizes": channels,
        "reassemble_factors": factors,
        "fusion_hidden_size": look.fusion()?,
    });
    if is_hybrid {
        let stages = (0..3).map(|i| format!("{bit}.encoder.stages.{i}.layers."));
        let last =
            |stage: usize| look.side(&format!("{bit}.encoder.stages.{stage}.layers.0.conv3.weight"), 0);
        config["backbone_config"] = json!({
            "model_type": "bit",
            "embedding_size": look.side(&format!("{bit}.embedder.convolution.weight"), 0)?,
            "hidden_sizes": (0..3).map(last).collect::<Result<Vec<_>, _>>()?,
            "depths": stages.map(|stage| look.layers(&stage)).collect::<Vec<_>>(),
        });
    } else {
        let patches = "dpt.embeddings.patch_embeddings.projection.weight";
        config["patch_size"] = json!(look.side(patches, 3)?);
        config["num_channels"] = json!(look.side(patches, 1)?);
    }
    Ok(config)
}

/// What people call the depth network with these weights: `Depth Anything vits`, `DPT-Hybrid` …
pub(in crate::models) fn called(weights: &Weights) -> Option<String> {
    let config = documents(weights, "").ok()?.config;
    let width = |config: &Value| config["hidden_size"].as_u64().unwrap_or_default();
    if config["model_type"] == "dpt" {
        let size = if config["is_hybrid"] == true { "Hybrid" } else { "Large" };
        return Some(match (size, width(&config)) {
            ("Hybrid", 768) | ("Large", 1024) => format!("MiDaS DPT-{size}"),
            ("Hybrid", width) => format!("MiDaS DPT-Hybrid of width {width}"),
            (_, width) => format!("MiDaS DPT of width {width}"),
        });
    }
    Some(match width(&config["backbone_config"]) {
        384 => "Depth Anything vits".to_owned(),
        768 => "Depth Anything vitb".to_owned(),
        1024 => "Depth Anything vitl".to_owned(),
        1536 => "Depth Anything vitg".to_owned(),
        width => format!("Depth Anything of width {width}"),
    })
}
