//! What a ControlNet's weights say of its build, and for which family of models it is.

use std::collections::BTreeMap;

use candle_core::Result;
use serde_json::json;

use super::ControlNetConfig;
use crate::diffusion::nn::PerLevel;
use crate::diffusion::unet::{BlockType, UNetConfig};
use crate::models::family::Base;

/// Shapes by diffusers' names.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// The config of a ControlNet from the shapes of its weights. Weights do not show into how many heads an
/// attention is cut and into how many groups a norm: those are the film's model's, which the network is a copy of.
///
/// # Errors
/// When a weight that shows the build is missing or has another number of axes.
pub(super) fn config(shapes: &Shapes, base: &UNetConfig) -> Result<ControlNetConfig> {
    let side = |name: &str, axis: usize| -> Result<usize> {
        let Some(shape) = shapes.get(name) else {
            return Err(candle_core::Error::CannotFindTensor { path: name.to_owned() });
        };
        match shape.get(axis) {
            Some(side) if *side > 0 => Ok(*side),
            _ => candle_core::bail!("weight `{name}`: expected more axes, found the shape {shape:?}"),
        }
    };
    let mut config = base.clone();
    config.in_channels = side("conv_in.weight", 1)?;
    config.conv_in_kernel = side("conv_in.weight", 2)?;
    config.block_out_channels.clear();
    config.down_block_types.clear();
    let (mut layers, mut depths) = (Vec::new(), Vec::new());
    for level in 0.. {
        let conv = format!("down_blocks.{level}.resnets.0.conv1.weight");
        if !shapes.contains_key(&conv) {
            break;
        }
        config.block_out_channels.push(side(&conv, 0)?);
        layers.push(count(shapes, |i| format!("down_blocks.{level}.resnets.{i}.conv1.weight")));
        let depth = depth(shapes, &format!("down_blocks.{level}.attentions.0"));
        config.down_block_types.push(match depth {
            0 => BlockType::DownBlock2D,
            _ => BlockType::CrossAttnDownBlock2D,
        });
        depths.push(depth.max(1));
    }
    if config.block_out_channels.len() != base.block_out_channels.len() {
        // For another family: it will be refused as such, whatever its heads.
        config.attention_head_dim = PerLevel::One(1);
        config.num_attention_heads = None;
    }
    let middle = depth(shapes, "mid_block.attentions.0");
    // The middle is as deep as the last level says, also where that level has no attention itself.
    if let (Some(last), Some(BlockType::DownBlock2D)) = (depths.last_mut(), config.down_block_types.last()) {
        *last = middle;
    }
    config.mid_block_type = (middle > 0).then(|| "UNetMidBlock2DCrossAttn".to_owned());
    config.layers_per_block = PerLevel::Each(layers);
    config.transformer_layers_per_block = PerLevel::Each(depths);
    config.cross_attention_dim = PerLevel::One(context(shapes).unwrap_or_default());
    config.time_embedding_dim = Some(side("time_embedding.linear_1.weight", 0)?);
    let added = shapes.get("add_embedding.linear_1.weight").and_then(|shape| shape.get(1)).copied();
    config.addition_embed_type = added.map(|_| "text_time".to_owned());
    config.projection_class_embeddings_input_dim = added;
    config.addition_time_embed_dim = added.and(base.addition_time_embed_dim).or(added.map(|_| 256));
    let (conditioning_channels, conditioning_embedding_out_channels) = hint(shapes)?;
    Ok(ControlNetConfig {
        unet: config,
        conditioning_channels,
        conditioning_embedding_out_channels,
        global_pool_conditions: false,
    })
}

/// Channels of the hint picture and of its convolutions.
pub(super) fn hint(shapes: &Shapes) -> Result<(usize, Vec<usize>)> {
    let find = |name: String| shapes.get(&name).filter(|shape| shape.len() == 4);
    let Some(first) = find("controlnet_cond_embedding.conv_in.weight".to_owned()) else {
        return Err(candle_core::Error::CannotFindTensor {
            path: "controlnet_cond_embedding.conv_in.weight".to_owned(),
        });
    };
    // Of two convolutions each the second one halves the resolution.
    let wider = (0..).map_while(|i| find(format!("controlnet_cond_embedding.blocks.{}.weight", 2 * i + 1)));
    Ok((first[1], std::iter::once(first[0]).chain(wider.map(|shape| shape[0])).collect()))
}

fn count(shapes: &Shapes, name: impl Fn(usize) -> String) -> usize {
    (0..).take_while(|i| shapes.contains_key(&name(*i))).count()
}

/// Transformer blocks of an attention layer; 0 when there is none.
fn depth(shapes: &Shapes, place: &str) -> usize {
    count(shapes, |i| format!("{place}.transformer_blocks.{i}.norm1.weight"))
}

/// The width of the text that the cross-attentions look at.
fn context(shapes: &Shapes) -> Option<usize> {
    let keys = shapes.iter().find(|(name, _)| name.ends_with("attn2.to_k.weight"));
    keys.and_then(|(_, shape)| shape.get(1)).copied()
}

/// The family of models that a UNet's or a ControlNet's config belongs to, in words.
pub(super) fn family(config: &UNetConfig) -> String {
    let width = match &config.cross_attention_dim {
        PerLevel::One(width) => *width,
        PerLevel::Each(widths) => widths.first().copied().unwrap_or_default(),
    };
    let name = match (config.addition_embed_type.is_some(), Base::of_context(width)) {
        // XL models alone are told the picture's size, whatever the width of their text.
        (true, base) if base != Some(Base::XlRefiner) => Base::Xl.name(),
        (_, Some(base)) => base.name(),
        (_, None) => "another family",
    };
    let channels: Vec<String> = config.block_out_channels.iter().map(ToString::to_string).collect();
    format!("{name} (text of width {width}, channels {})", channels.join(", "))
}

/// Whether a ControlNet's residuals and conditions fit a UNet.
///
/// # Errors
/// A message with both families.
pub(super) fn check_family(control: &UNetConfig, base: &UNetConfig) -> Result<()> {
    let (own, theirs) = (control.levels()?, base.levels()?);
    let same = own.len() == theirs.len()
        && own
            .iter()
            .zip(&theirs)
            .all(|(a, b)| a.channels == b.channels && a.layers == b.layers && a.context == b.context)
        && control.addition_embed_type == base.addition_embed_type
        && control.projection_class_embeddings_input_dim == base.projection_class_embeddings_input_dim;
    if !same {
        candle_core::bail!(
            "expected a control network for {}, which the film's model is, found one for {}",
            family(base),
            family(control)
        );
    }
    Ok(())
}

/// The config of a Control-LoRA: the film's model's with the hint of its own.
///
/// # Errors
/// When the hint's weights are missing.
pub(super) fn lora_config(shapes: &Shapes, base: &UNetConfig) -> Result<ControlNetConfig> {
    let (conditioning_channels, conditioning_embedding_out_channels) = hint(shapes)?;
    Ok(ControlNetConfig {
        unet: base.clone(),
        conditioning_channels,
        conditioning_embedding_out_channels,
        global_pool_conditions: false,
    })
}

/// A config that stands beside a weight file: the keys it has win over what the weights show.
///
/// # Errors
/// When a key cannot be understood.
pub(super) fn overridden(config: ControlNetConfig, given: &serde_json::Value) -> Result<ControlNetConfig> {
    let mut config = config;
    config.global_pool_conditions =
        given.get("global_pool_conditions").is_some_and(|given| given == &json!(true));
    let wrong = |e: serde_json::Error| candle_core::Error::Msg(format!("its config: {e}"));
    if let Some(given) = given.get("attention_head_dim").filter(|given| !given.is_null()) {
        config.unet.attention_head_dim = serde_json::from_value(given.clone()).map_err(wrong)?;
        config.unet.num_attention_heads = None;
    }
    if let Some(given) = given.get("num_attention_heads").filter(|given| !given.is_null()) {
        config.unet.num_attention_heads = Some(serde_json::from_value(given.clone()).map_err(wrong)?);
    }
    let take = |key: &str, into: &mut usize| -> Result<()> {
        if let Some(given) = given.get(key) {
            *into = serde_json::from_value(given.clone()).map_err(wrong)?;
        }
        Ok(())
    };
    take("norm_num_groups", &mut config.unet.norm_num_groups)?;
    if let Some(width) = &mut config.unet.addition_time_embed_dim {
        let given = given.get("addition_time_embed_dim").cloned().unwrap_or(json!(*width));
        *width = serde_json::from_value(given).map_err(wrong)?;
    }
    Ok(config)
}
