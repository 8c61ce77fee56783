//! The names of an autoencoder's weights in the original code as diffusers calls them.

/// diffusers' name of a weight of an LDM autoencoder whose decoder has `levels` levels; `None` for what is none.
pub(super) fn diffusers(name: &str, levels: usize) -> Option<String> {
    let words: Vec<&str> = name.split('.').collect();
    let tail = |from: usize| words.get(from..).unwrap_or_default().join(".");
    Some(match words[..] {
        ["quant_conv" | "post_quant_conv", ..] => name.to_owned(),
        [half @ ("encoder" | "decoder"), "conv_in" | "conv_out", ..] => format!("{half}.{}", tail(1)),
        [half @ ("encoder" | "decoder"), "norm_out", ..] => format!("{half}.conv_norm_out.{}", tail(2)),
        [half @ ("encoder" | "decoder"), "mid", "attn_1", part, ..] => {
            let part = match part {
                "norm" => "group_norm",
                "q" => "to_q",
                "k" => "to_k",
                "v" => "to_v",
                "proj_out" => "to_out.0",
                _ => return None,
            };
            format!("{half}.mid_block.attentions.0.{part}.{}", tail(4))
        }
        [half @ ("encoder" | "decoder"), "mid", block @ ("block_1" | "block_2"), ..] => {
            format!("{half}.mid_block.resnets.{}.{}", usize::from(block == "block_2"), resnet(&words[3..]))
        }
        ["encoder", "down", level, "block", index, ..] => {
            format!("encoder.down_blocks.{level}.resnets.{index}.{}", resnet(&words[5..]))
        }
        ["encoder", "down", level, "downsample", "conv", ..] => {
            format!("encoder.down_blocks.{level}.downsamplers.0.conv.{}", tail(5))
        }
        ["decoder", "up", level, what, ..] => {
            let level = levels.checked_sub(1)?.checked_sub(level.parse().ok()?)?;
            match (what, words.get(4)) {
                ("block", Some(index)) => {
                    format!("decoder.up_blocks.{level}.resnets.{index}.{}", resnet(&words[5..]))
                }
                ("upsample", Some(&"conv")) => {
                    format!("decoder.up_blocks.{level}.upsamplers.0.conv.{}", tail(5))
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn resnet(words: &[&str]) -> String {
    match words {
        ["nin_shortcut", tail @ ..] => format!("conv_shortcut.{}", tail.join(".")),
        words => words.join("."),
    }
}

/// Where an original TAESD layer stands in diffusers' list: its decoder's clamp counts there and has no
/// weights.
pub(super) fn tiny(name: &str, is_decoder: bool) -> Option<String> {
    let (number, tail) = name.split_once('.')?;
    let number: usize = number.parse().ok()?;
    match is_decoder {
        true => Some(format!("decoder.layers.{}.{tail}", number.checked_sub(1)?)),
        false => Some(format!("encoder.layers.{number}.{tail}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_decoder_are_counted_from_the_other_end() {
        let pairs = [
            ("decoder.up.3.block.2.nin_shortcut.bias", "decoder.up_blocks.0.resnets.2.conv_shortcut.bias"),
            ("decoder.up.1.upsample.conv.weight", "decoder.up_blocks.2.upsamplers.0.conv.weight"),
            ("encoder.down.0.downsample.conv.bias", "encoder.down_blocks.0.downsamplers.0.conv.bias"),
            ("encoder.mid.attn_1.proj_out.weight", "encoder.mid_block.attentions.0.to_out.0.weight"),
            ("encoder.mid.block_2.norm1.bias", "encoder.mid_block.resnets.1.norm1.bias"),
            ("decoder.norm_out.weight", "decoder.conv_norm_out.weight"),
            ("quant_conv.bias", "quant_conv.bias"),
        ];
        for (ldm, name) in pairs {
            assert_eq!(diffusers(ldm, 4).as_deref(), Some(name), "{ldm}");
        }
        for odd in ["decoder.up.4.block.0.x", "decoder.up.x", "loss.logvar", "encoder.mid.attn_1.z.bias"] {
            assert_eq!(diffusers(odd, 4), None, "{odd}");
        }
        assert_eq!(tiny("1.weight", true).as_deref(), Some("decoder.layers.0.weight"));
        assert_eq!(tiny("4.conv.2.bias", false).as_deref(), Some("encoder.layers.4.conv.2.bias"));
        assert_eq!(tiny("0.weight", true), None);
    }
}
