//! Tensor names of the original Depth Anything repository.

/// Where the original repository keeps what transformers calls `name` (its conversion script).
pub(super) fn original_name(name: &str, stages: usize) -> String {
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
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    let renamed = match parts[..] {
        ["neck", "reassemble_stage", "layers", i, "projection", leaf] => format!("projects.{i}.{leaf}"),
        ["neck", "reassemble_stage", "layers", i, "resize", leaf] => format!("resize_layers.{i}.{leaf}"),
        ["neck", "convs", i, leaf] => format!("scratch.layer{}_rn.{leaf}", number(i) + 1),
        ["neck", "fusion_stage", "layers", i, ref rest @ ..] => {
            let rest = rest.join(".");
            let rest = rest.replace("residual_layer", "resConfUnit").replace("convolution", "conv");
            let level = stages.saturating_sub(number(i));
            format!("scratch.refinenet{level}.{}", rest.replace("projection", "out_conv"))
        }
        ["head", "conv1", leaf] => format!("scratch.output_conv1.{leaf}"),
        ["head", "conv2", leaf] => format!("scratch.output_conv2.0.{leaf}"),
        ["head", "conv3", leaf] => format!("scratch.output_conv2.2.{leaf}"),
        _ => name.to_owned(),
    };
    format!("depth_head.{renamed}")
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
            assert_eq!(original_name(hub, 4), original);
        }
    }
}
