//! The configs of networks from the names and shapes of their weights, as diffusers names them.
//!
//! What shapes do not show is as published models have it: 32 groups in every norm, and eight heads in
//! Stable Diffusion 1, heads of 64 channels in 2 and XL (`configs/stable-diffusion` and `configs/inference` of the models'
//! own repositories).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::models::tensors::Weights;

/// Channels of a head in Stable Diffusion 2 and XL, and in every CLIP text encoder.
const HEAD: usize = 64;

/// Heads of every attention of Stable Diffusion 1.
const HEADS_OF_SD1: usize = 8;

/// Layers of a network: looks weights up by name and side.
pub(super) struct Shapes<'a>(pub(super) &'a Weights);

impl Shapes<'_> {
    pub(super) fn side(&self, name: &str, side: usize) -> Option<usize> {
        self.0.shape(name)?.get(side).copied()
    }

    /// How many numbers stand behind `prefix`: 3 for `prefix0.…`, `prefix1.…`, `prefix2.…`.
    pub(super) fn count(&self, prefix: &str) -> usize {
        let number = |name: &str| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
        let numbers: BTreeSet<usize> = self.0.names().filter_map(number).collect();
        numbers.len()
    }
}

/// A UNet's `config.json`. An error says which weight is missing.
pub(super) fn unet(weights: &Weights, sample_size: usize) -> Result<Value, String> {
    let shapes = Shapes(weights);
    let side = |name: &str, side: usize| {
        shapes.side(name, side).ok_or_else(|| format!("expected a weight called `{name}`, there is none"))
    };
    let levels = shapes.count("down_blocks.");
    let (mut channels, mut layers, mut depths) = (Vec::new(), Vec::new(), Vec::new());
    for level in 0..levels {
        let block = format!("down_blocks.{level}");
        channels.push(side(&format!("{block}.resnets.0.conv1.weight"), 0)?);
        layers.push(shapes.count(&format!("{block}.resnets.")));
        depths.push(shapes.count(&format!("{block}.attentions.0.transformer_blocks.")));
    }
    let mid = "mid_block.attentions.0";
    let depth = shapes.count(&format!("{mid}.transformer_blocks."));
    match depths.last_mut() {
        None => return Err("expected blocks of a UNet, there are none".to_owned()),
        Some(last) if *last != 0 && *last != depth => {
            return Err(format!(
                "expected {last} transformer blocks in the middle as in the last level, found {depth}"
            ));
        }
        Some(_) => {}
    }
    let kinds = |attention: &str, none: &str| -> Vec<String> {
        let kind = |depth: &usize| if *depth > 0 { attention } else { none }.to_owned();
        depths.iter().map(kind).collect()
    };
    let mut up = kinds("CrossAttnUpBlock2D", "UpBlock2D");
    up.reverse();
    let is_linear = side(&format!("{mid}.proj_in.weight"), 0).is_ok()
        && weights.shape(&format!("{mid}.proj_in.weight")).is_some_and(|shape| shape.len() == 2);
    let heads: Vec<usize> =
        channels.iter().map(|c| if is_linear { (c / HEAD).max(1) } else { HEADS_OF_SD1 }).collect();
    // The middle takes the last level's number.
    let transformers: Vec<usize> =
        depths.iter().map(|own| if *own > 0 { *own } else { depth.max(1) }).collect();
    let mut config = json!({
        "_class_name": "UNet2DConditionModel",
        "sample_size": sample_size,
        "in_channels": side("conv_in.weight", 1)?,
        "out_channels": side("conv_out.weight", 0)?,
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": kinds("CrossAttnDownBlock2D", "DownBlock2D"),
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "up_block_types": up,
        "cross_attention_dim": side(&format!("{mid}.transformer_blocks.0.attn2.to_k.weight"), 1)?,
        "attention_head_dim": heads,
        "transformer_layers_per_block": transformers,
        "use_linear_projection": is_linear,
        "norm_num_groups": 32,
        "norm_eps": 1e-5,
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        "addition_embed_type": null,
    });
    if let Some(added) = shapes.side("add_embedding.linear_1.weight", 1) {
        config["addition_embed_type"] = json!("text_time");
        config["addition_time_embed_dim"] = json!(256);
        config["projection_class_embeddings_input_dim"] = json!(added);
    }
    Ok(config)
}

/// An `AutoencoderKL`'s `config.json`.
pub(super) fn vae(weights: &Weights, scaling_factor: f64) -> Result<Value, String> {
    let shapes = Shapes(weights);
    let levels = shapes.count("encoder.down_blocks.");
    let channels = |level: usize| {
        let name = format!("encoder.down_blocks.{level}.resnets.0.conv1.weight");
        shapes.side(&name, 0).ok_or_else(|| format!("expected a weight called `{name}`, there is none"))
    };
    let latent = shapes.side("decoder.conv_in.weight", 1);
    let latent = latent.ok_or("expected a weight called `decoder.conv_in.weight`, there is none")?;
    if levels == 0 {
        return Err("expected the levels of an autoencoder, there are none".to_owned());
    }
    Ok(json!({
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (0..levels).map(channels).collect::<Result<Vec<_>, _>>()?,
        "layers_per_block": shapes.count("encoder.down_blocks.0.resnets."),
        "latent_channels": latent,
        "norm_num_groups": 32,
        "scaling_factor": scaling_factor,
        "use_quant_conv": weights.source("quant_conv.weight").is_some(),
        "use_post_quant_conv": weights.source("post_quant_conv.weight").is_some(),
        "mid_block_add_attention": weights.source("encoder.mid_block.attentions.0.to_q.weight").is_some()
            || weights.source("encoder.mid_block.attentions.0.query.weight").is_some(),
    }))
}

/// An `AutoencoderTiny`'s `config.json`, from diffusers' lists of layers.
pub(super) fn tiny(weights: &Weights) -> Result<Value, String> {
    let shapes = Shapes(weights);
    let missing = |half: &str| format!("expected the layers of a tiny {half}, there are none");
    let side = |name: &str, half: &str| shapes.side(name, 0).ok_or_else(|| missing(half));
    let encoder = side("encoder.layers.0.weight", "encoder")?;
    let decoder = side("decoder.layers.0.weight", "decoder")?;
    let (blocks_in, latent) = stages(&shapes, "encoder").ok_or_else(|| missing("encoder"))?;
    let (blocks_out, _) = stages(&shapes, "decoder").ok_or_else(|| missing("decoder"))?;
    Ok(json!({
        "_class_name": "AutoencoderTiny",
        "encoder_block_out_channels": vec![encoder; blocks_in.len()],
        "decoder_block_out_channels": vec![decoder; blocks_out.len()],
        "num_encoder_blocks": blocks_in,
        "num_decoder_blocks": blocks_out,
        "latent_channels": latent,
        "scaling_factor": 1.0,
    }))
}

/// Blocks in each stage of one half of a tiny autoencoder, and the channels of its last layer. In the encoder
/// a plain convolution begins a stage, in the decoder it ends one.
fn stages(shapes: &Shapes<'_>, half: &str) -> Option<(Vec<usize>, usize)> {
    let last = shapes.0.names().filter_map(|name| {
        name.strip_prefix(half)?.strip_prefix(".layers.")?.split('.').next()?.parse::<usize>().ok()
    });
    let last = last.max()?;
    let is_block = |n: usize| shapes.0.source(&format!("{half}.layers.{n}.conv.0.weight")).is_some();
    let is_conv = |n: usize| shapes.0.source(&format!("{half}.layers.{n}.weight")).is_some();
    let (mut stages, mut open) = (Vec::new(), None);
    // The names are the file's: a large number must not become a long walk.
    for layer in (1..=last.min(512)).filter(|layer| is_block(*layer) || is_conv(*layer)) {
        match is_block(layer) {
            true => *open.get_or_insert(0) += 1,
            false => stages.push(open.take().unwrap_or(0)),
        }
    }
    Some((stages, shapes.side(&format!("{half}.layers.{last}.weight"), 0)?))
}

/// A CLIP text encoder's `config.json`. `skip` layers at the end are not loaded.
pub(super) fn text(weights: &Weights, activation: &str, skip: usize) -> Result<Value, String> {
    let shapes = Shapes(weights);
    let side = |name: &str, side: usize| {
        shapes.side(name, side).ok_or_else(|| format!("expected a weight called `{name}`, there is none"))
    };
    let tokens = "text_model.embeddings.token_embedding.weight";
    let (vocabulary, width) = (side(tokens, 0)?, side(tokens, 1)?);
    Ok(json!({
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": side("text_model.encoder.layers.0.mlp.fc1.weight", 0)?,
        "projection_dim": shapes.side("text_projection.weight", 0).unwrap_or(width),
        "num_hidden_layers": shapes.count("text_model.encoder.layers.").saturating_sub(skip).max(1),
        "num_attention_heads": (width / HEAD).max(1),
        "max_position_embeddings": side("text_model.embeddings.position_embedding.weight", 0)?,
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
        "eos_token_id": vocabulary.saturating_sub(1),
    }))
}
