//! The names of a UNet's layers in the original code (LDM, and so A1111's and ComfyUI's files and kohya's LoRAs) and
//! in diffusers, from either to the other.

mod blocks;
mod unet_names;

pub use blocks::LdmBlocks;
pub use unet_names::UNetNames;

/// Layers of a residual block: LDM's name and diffusers'.
const RESNET: [(&str, &str); 6] = [
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
];

/// Layers outside of the blocks: LDM's name and diffusers'.
const FIXED: [(&str, &str); 7] = [
    ("input_blocks.0.0", "conv_in"),
    ("out.0", "conv_norm_out"),
    ("out.2", "conv_out"),
    ("time_embed.0", "time_embedding.linear_1"),
    ("time_embed.2", "time_embedding.linear_2"),
    ("label_emb.0.0", "add_embedding.linear_1"),
    ("label_emb.0.2", "add_embedding.linear_2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The layers of a UNet of four levels with attention on all but the first one.
    fn layers() -> Vec<String> {
        let mut layers: Vec<String> = FIXED.iter().map(|(_, name)| (*name).to_owned()).collect();
        let resnet = |place: String| RESNET.iter().map(move |(_, layer)| format!("{place}.{layer}"));
        for level in 0..4 {
            for (half, count) in [("down_blocks", 2), ("up_blocks", 3)] {
                for i in 0..count {
                    layers.extend(resnet(format!("{half}.{level}.resnets.{i}")));
                    if level > 0 {
                        layers.push(format!("{half}.{level}.attentions.{i}.transformer_blocks.0.attn1.to_q"));
                    }
                }
            }
            if level < 3 {
                layers.push(format!("down_blocks.{level}.downsamplers.0.conv"));
                layers.push(format!("up_blocks.{level}.upsamplers.0.conv"));
            }
        }
        layers.extend((0..2).flat_map(|i| resnet(format!("mid_block.resnets.{i}"))));
        layers.push("mid_block.attentions.0.proj_in".to_owned());
        layers
    }

    #[test]
    fn the_two_directions_are_each_others_inverse() {
        let layers = layers();
        let blocks = LdmBlocks::of(layers.iter().map(String::as_str));
        let ldm: Vec<String> = layers.iter().map(|layer| blocks.name(layer).unwrap() + ".weight").collect();
        let names = UNetNames::of(ldm.iter().map(String::as_str));
        for (layer, ldm) in layers.iter().zip(&ldm) {
            assert_eq!(names.diffusers(ldm), Some(format!("{layer}.weight")), "{ldm}");
        }
    }
}
