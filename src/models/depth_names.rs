//! Tensor names of depth networks: those of transformers, and those of the original repositories.

/// What the Depth Anything repository (DepthAnything/Depth-Anything-V2) calls what transformers calls `name`, by the
/// rules of transformers' `convert_depth_anything_to_hf.py`. `stages` is the number of feature maps.
pub fn anything(name: &str, stages: usize) -> String {
    if let Some(rest) = name.strip_prefix("backbone.") {
        let names = [
            ("embeddings.position_embeddings", "pos_embed"),
            ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
            ("embeddings.", ""),
            ("encoder.layer.", "blocks."),
            ("attention.output.dense", "attn.proj"),
            ("attention.qkv", "attn.qkv"),
            ("layer_scale1.lambda1", "ls1.gamma"),
            ("layer_scale2.lambda1", "ls2.gamma"),
            ("mlp.weights_in", "mlp.w12"),
            ("mlp.weights_out", "mlp.w3"),
            ("layernorm.", "norm."),
        ];
        let renamed = names.iter().fold(rest.to_owned(), |name, (hub, original)| name.replace(hub, original));
        return format!("pretrained.{renamed}");
    }
    let parts: Vec<&str> = name.split('.').collect();
    let renamed = match parts[..] {
        ["neck", "convs" | "fusion_stage", ..] => scratch(&parts, stages),
        ["neck", "reassemble_stage", "layers", i, "projection", leaf] => format!("projects.{i}.{leaf}"),
        ["neck", "reassemble_stage", "layers", i, "resize", leaf] => format!("resize_layers.{i}.{leaf}"),
        ["head", "conv1", leaf] => format!("scratch.output_conv1.{leaf}"),
        ["head", "conv2", leaf] => format!("scratch.output_conv2.0.{leaf}"),
        ["head", "conv3", leaf] => format!("scratch.output_conv2.2.{leaf}"),
        _ => name.to_owned(),
    };
    format!("depth_head.{renamed}")
}

/// Names of what both repositories keep in `scratch`.
fn scratch(parts: &[&str], stages: usize) -> String {
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    match parts {
        ["neck", "convs", i, leaf] => format!("scratch.layer{}_rn.{leaf}", number(i).saturating_add(1)),
        ["neck", "fusion_stage", "layers", i, rest @ ..] => {
            let rest = rest.join(".");
            let rest = rest.replace("residual_layer", "resConfUnit").replace("convolution", "conv");
            let level = stages.saturating_sub(number(i));
            format!("scratch.refinenet{level}.{}", rest.replace("projection", "out_conv"))
        }
        other => other.join("."),
    }
}

/// What the MiDaS and DPT repositories (isl-org/MiDaS v3, isl-org/DPT) call what transformers calls `name`, by the
/// rules of transformers' `convert_dpt_to_pytorch.py` and `convert_dpt_hybrid_to_pytorch.py`. `stages` is the number of
/// feature maps.
pub fn dpt(name: &str, stages: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |text: &str| text.parse::<usize>().unwrap_or(0).saturating_add(1);
    match parts[..] {
        ["dpt", "embeddings", "cls_token"] => "pretrained.model.cls_token".to_owned(),
        ["dpt", "embeddings", "position_embeddings"] => "pretrained.model.pos_embed".to_owned(),
        ["dpt", "embeddings", "patch_embeddings", "projection", leaf]
        | ["dpt", "embeddings", "projection", leaf] => format!("pretrained.model.patch_embed.proj.{leaf}"),
        ["dpt", "embeddings", "backbone", "bit", "embedder", part, leaf] => {
            let part = if part == "convolution" { "conv" } else { part };
            format!("pretrained.model.patch_embed.backbone.stem.{part}.{leaf}")
        }
        [
            "dpt",
            "embeddings",
            "backbone",
            "bit",
            "encoder",
            "stages",
            stage,
            "layers",
            layer,
            ref rest @ ..,
        ] => {
            let rest = rest.join(".");
            format!("pretrained.model.patch_embed.backbone.stages.{stage}.blocks.{layer}.{rest}")
        }
        ["dpt", "encoder", "layer", i, ref rest @ ..] => {
            let names = [
                ("attention.output.dense", "attn.proj"),
                ("attention.qkv", "attn.qkv"),
                ("intermediate.dense", "mlp.fc1"),
                ("output.dense", "mlp.fc2"),
                ("layernorm_before", "norm1"),
                ("layernorm_after", "norm2"),
            ];
            let rest = names.iter().fold(rest.join("."), |name, (hub, original)| name.replace(hub, original));
            format!("pretrained.model.blocks.{i}.{rest}")
        }
        ["neck", "reassemble_stage", "readout_projects", i, "0", leaf] => {
            format!("pretrained.act_postprocess{}.0.project.0.{leaf}", number(i))
        }
        ["neck", "reassemble_stage", "layers", i, part, leaf] => {
            let place = if part == "projection" { 3 } else { 4 };
            format!("pretrained.act_postprocess{}.{place}.{leaf}", number(i))
        }
        ["neck", ..] => scratch(&parts, stages),
        ["head", "head", i, leaf] => format!("scratch.output_conv.{i}.{leaf}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn original_names_are_those_of_the_conversion_script() {
        for (hub, original) in [
            ("backbone.embeddings.cls_token", "pretrained.cls_token"),
            ("backbone.embeddings.position_embeddings", "pretrained.pos_embed"),
            ("backbone.encoder.layer.3.attention.qkv.bias", "pretrained.blocks.3.attn.qkv.bias"),
            ("backbone.encoder.layer.3.layer_scale2.lambda1", "pretrained.blocks.3.ls2.gamma"),
            ("backbone.layernorm.weight", "pretrained.norm.weight"),
            ("neck.convs.0.weight", "depth_head.scratch.layer1_rn.weight"),
            ("neck.fusion_stage.layers.0.projection.bias", "depth_head.scratch.refinenet4.out_conv.bias"),
            (
                "neck.fusion_stage.layers.3.residual_layer2.convolution1.weight",
                "depth_head.scratch.refinenet1.resConfUnit2.conv1.weight",
            ),
            ("head.conv3.bias", "depth_head.scratch.output_conv2.2.bias"),
        ] {
            assert_eq!(anything(hub, 4), original);
        }
    }

    #[test]
    fn original_names_of_midas_are_those_of_the_conversion_scripts() {
        for (hub, original) in [
            ("dpt.embeddings.patch_embeddings.projection.weight", "pretrained.model.patch_embed.proj.weight"),
            ("dpt.encoder.layer.11.attention.qkv.bias", "pretrained.model.blocks.11.attn.qkv.bias"),
            ("dpt.encoder.layer.2.output.dense.weight", "pretrained.model.blocks.2.mlp.fc2.weight"),
            ("dpt.encoder.layer.2.attention.output.dense.bias", "pretrained.model.blocks.2.attn.proj.bias"),
            (
                "neck.reassemble_stage.readout_projects.3.0.bias",
                "pretrained.act_postprocess4.0.project.0.bias",
            ),
            ("neck.reassemble_stage.layers.0.resize.weight", "pretrained.act_postprocess1.4.weight"),
            (
                "dpt.embeddings.backbone.bit.encoder.stages.1.layers.0.downsample.conv.weight",
                "pretrained.model.patch_embed.backbone.stages.1.blocks.0.downsample.conv.weight",
            ),
            (
                "dpt.embeddings.backbone.bit.embedder.convolution.weight",
                "pretrained.model.patch_embed.backbone.stem.conv.weight",
            ),
            ("neck.fusion_stage.layers.0.projection.bias", "scratch.refinenet4.out_conv.bias"),
            ("head.head.4.bias", "scratch.output_conv.4.bias"),
        ] {
            assert_eq!(dpt(hub, 4), original);
        }
    }
}
