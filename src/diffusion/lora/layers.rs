//! The layers of a network by all the names that LoRA files call them.

use std::collections::BTreeMap;

use crate::models::LdmBlocks;

/// Names and shapes of a network's weights.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// The layers of one network.
#[derive(Debug)]
pub(super) struct Layers {
    shapes: Shapes,
    /// Names with all dots as underscores, to the layer's own name.
    aliases: BTreeMap<String, String>,
}

impl Layers {
    /// The layers of a UNet with diffusers' names.
    pub fn unet(shapes: &Shapes) -> Self {
        let names = names(shapes);
        let blocks = LdmBlocks::of(names.iter().map(String::as_str));
        let mut aliases = BTreeMap::new();
        for name in names {
            if let Some(ldm) = blocks.name(&name) {
                aliases.insert(flat(&ldm), name.clone());
            }
            aliases.insert(flat(&name), name);
        }
        Self { shapes: shapes.clone(), aliases }
    }

    /// The layers of a text encoder with transformers' names, with or without `text_model.` before them.
    pub fn text(shapes: &Shapes) -> Self {
        let mut aliases = BTreeMap::new();
        for name in names(shapes) {
            let short = name.strip_prefix("text_model.").unwrap_or(&name);
            if let Some(open) = open_clip(short) {
                aliases.insert(flat(&open), name.clone());
                aliases.insert(flat(&format!("transformer.{open}")), name.clone());
            }
            aliases.insert(flat(short), name.clone());
            aliases.insert(flat(&format!("text_model.{short}")), name.clone());
        }
        Self { shapes: shapes.clone(), aliases }
    }

    /// The layer that `path` means, dots and underscores being the same.
    pub fn find(&self, path: &str) -> Option<&str> {
        self.aliases.get(&flat(path)).map(String::as_str)
    }

    /// The shape of a layer's `weight` or `bias`.
    pub fn shape(&self, layer: &str, what: &str) -> Option<&[usize]> {
        self.shapes.get(&format!("{layer}.{what}")).map(Vec::as_slice)
    }

    /// Width of the context that a UNet's attention looks at: what tells the families apart.
    pub fn context(&self) -> Option<usize> {
        let attends = |name: &&String| name.ends_with(".attn2.to_k.weight");
        self.shapes.keys().find(attends).and_then(|name| self.shapes[name].get(1)).copied()
    }
}

/// Names of layers, without `.weight` and `.bias`.
fn names(shapes: &Shapes) -> Vec<String> {
    let layer = |name: &String| {
        name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias")).map(str::to_owned)
    };
    let mut names: Vec<String> = shapes.keys().filter_map(layer).collect();
    names.dedup();
    names
}

fn flat(name: &str) -> String {
    name.replace('.', "_")
}

/// OpenCLIP's name of a layer.
fn open_clip(name: &str) -> Option<String> {
    let (index, layer) = name.strip_prefix("encoder.layers.")?.split_once('.')?;
    let layer = match layer {
        "layer_norm1" => "ln_1",
        "layer_norm2" => "ln_2",
        "mlp.fc1" => "mlp.c_fc",
        "mlp.fc2" => "mlp.c_proj",
        "self_attn.out_proj" => "attn.out_proj",
        "self_attn.q_proj" => "attn.q_proj",
        "self_attn.k_proj" => "attn.k_proj",
        "self_attn.v_proj" => "attn.v_proj",
        _ => return None,
    };
    Some(format!("resblocks.{index}.{layer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(names: &[&str]) -> Shapes {
        names.iter().map(|name| ((*name).to_owned(), vec![4, 3])).collect()
    }

    #[test]
    fn a_layer_is_found_by_each_of_its_names() {
        let unet = Layers::unet(&shapes(&[
            "down_blocks.0.resnets.0.conv1.weight",
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        ]));
        let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k";
        for name in [
            layer,
            "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k",
            "input_blocks_1_1_transformer_blocks_0_attn2_to_k",
            "input_blocks.1.1.transformer_blocks.0.attn2.to_k",
        ] {
            assert_eq!(unet.find(name), Some(layer), "{name}");
        }
        assert_eq!(unet.find("down_blocks_0"), None);
        assert_eq!(unet.shape(layer, "weight"), Some([4, 3].as_slice()));
        assert_eq!(unet.shape(layer, "bias"), None);
        assert_eq!(unet.context(), Some(3));
    }

    #[test]
    fn text_encoders_are_found_with_and_without_their_prefix() {
        for own in ["text_model.encoder.layers.1.mlp.fc1", "encoder.layers.1.mlp.fc1"] {
            let text = Layers::text(&shapes(&[&format!("{own}.weight")]));
            for name in [
                "text_model_encoder_layers_1_mlp_fc1",
                "encoder.layers.1.mlp.fc1",
                "transformer_resblocks_1_mlp_c_fc",
            ] {
                assert_eq!(text.find(name), Some(own), "{name}");
            }
        }
    }
}
