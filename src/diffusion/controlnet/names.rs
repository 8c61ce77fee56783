//! The names of a UNet's and a ControlNet's weights in the original code (LDM, lllyasviel's ControlNet, and so
//! A1111's and ComfyUI's files) against those of diffusers.

use std::collections::{BTreeMap, BTreeSet};

use crate::diffusion::unet::Level;

/// What stands in front of the names in a file that holds more than the control network.
const PREFIX: &str = "control_model.";

/// diffusers' name → the file's name, for every name of a control network in LDM naming. Names that are
/// diffusers' already are kept; what has another meaning is left out when `control_model.` marks the network's own.
pub(super) fn diffusers_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> BTreeMap<String, String> {
    let is_marked = names.clone().any(|name| name.starts_with(PREFIX));
    let own = |name: &'a str| match name.strip_prefix(PREFIX) {
        Some(rest) => Some((rest, name)),
        None => (!is_marked).then_some((name, name)),
    };
    let own: Vec<(&str, &str)> = names.filter_map(own).collect();
    let layout = Layout::of(own.iter().map(|(name, _)| *name));
    own.into_iter().map(|(name, full)| (layout.diffusers(name), full.to_owned())).collect()
}

/// What the numbers in LDM's names mean, which depends on how many there are.
struct Layout {
    /// Numbers of the input blocks that halve the resolution.
    downsamplers: Vec<usize>,
    /// Numbers of the hint's convolutions.
    hints: Vec<usize>,
}

impl Layout {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let (mut downsamplers, mut hints) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            let words: Vec<&str> = name.split('.').collect();
            match words[..] {
                ["input_blocks", n, "0", "op", ..] => downsamplers.extend(n.parse::<usize>()),
                ["input_hint_block", n, ..] => hints.extend(n.parse::<usize>()),
                _ => {}
            }
        }
        Self { downsamplers: downsamplers.into_iter().collect(), hints: hints.into_iter().collect() }
    }

    /// Level and place in it of an input block behind the first.
    fn input(&self, block: usize) -> (usize, usize) {
        let level = self.downsamplers.partition_point(|down| *down < block);
        let start = level.checked_sub(1).map_or(1, |above| self.downsamplers[above] + 1);
        (level, block - start)
    }

    fn diffusers(&self, name: &str) -> String {
        self.known(name).unwrap_or_else(|| name.to_owned())
    }

    fn known(&self, name: &str) -> Option<String> {
        let words: Vec<&str> = name.split('.').collect();
        let tail = |from: usize| words[from..].join(".");
        Some(match words[..] {
            ["time_embed", n @ ("0" | "2"), ..] => format!("time_embedding.{}.{}", linear(n), tail(2)),
            ["label_emb", "0", n @ ("0" | "2"), ..] => format!("add_embedding.{}.{}", linear(n), tail(3)),
            ["input_blocks", "0", "0", ..] => format!("conv_in.{}", tail(3)),
            ["input_blocks", n, "0", "op", ..] => {
                let (level, _) = self.input(n.parse().ok()?);
                format!("down_blocks.{level}.downsamplers.0.conv.{}", tail(4))
            }
            ["input_blocks", n, part @ ("0" | "1"), ..] => {
                let (level, index) = self.input(n.parse().ok().filter(|n| *n > 0)?);
                format!("down_blocks.{level}.{}", stage(index, part, &words[3..])?)
            }
            ["middle_block", "1", ..] => format!("mid_block.attentions.0.{}", tail(2)),
            ["middle_block", n @ ("0" | "2"), ..] => {
                format!("mid_block.{}", stage(usize::from(n == "2"), "0", &words[2..])?)
            }
            ["input_hint_block", n, ..] => {
                let at = self.hints.binary_search(&n.parse().ok()?).ok()?;
                let place = match at {
                    0 => "conv_in".to_owned(),
                    _ if at + 1 == self.hints.len() => "conv_out".to_owned(),
                    _ => format!("blocks.{}", at - 1),
                };
                format!("controlnet_cond_embedding.{place}.{}", tail(2))
            }
            ["zero_convs", n, "0", ..] => format!("controlnet_down_blocks.{n}.{}", tail(3)),
            ["middle_block_out", "0", ..] => format!("controlnet_mid_block.{}", tail(2)),
            _ => return None,
        })
    }
}

fn linear(number: &str) -> &'static str {
    if number == "0" { "linear_1" } else { "linear_2" }
}

/// A residual block (part 0) or the attention behind it (part 1).
fn stage(index: usize, part: &str, words: &[&str]) -> Option<String> {
    if part == "1" {
        return Some(format!("attentions.{index}.{}", words.join(".")));
    }
    let (layer, tail) = match words {
        ["in_layers", "0", tail @ ..] => ("norm1", tail),
        ["in_layers", "2", tail @ ..] => ("conv1", tail),
        ["emb_layers", "1", tail @ ..] => ("time_emb_proj", tail),
        ["out_layers", "0", tail @ ..] => ("norm2", tail),
        ["out_layers", "3", tail @ ..] => ("conv2", tail),
        ["skip_connection", tail @ ..] => ("conv_shortcut", tail),
        _ => return None,
    };
    Some(format!("resnets.{index}.{layer}.{}", tail.join(".")))
}

/// LDM's name of a transformer block of a UNet with these levels, from diffusers':
/// `down_blocks.1.attentions.0.transformer_blocks.0` → `input_blocks.4.1.transformer_blocks.0`.
pub(super) fn ldm_block(levels: &[Level], name: &str) -> Option<String> {
    let words: Vec<&str> = name.split('.').collect();
    let number = |at: usize| words.get(at)?.parse::<usize>().ok();
    match words.first().copied()? {
        "mid_block" => Some(format!("middle_block.1.{}", words[3..].join("."))),
        "down_blocks" => {
            let (level, index) = (number(1)?, number(3)?);
            let before: usize = levels.get(..level)?.iter().map(|level| level.layers + 1).sum();
            Some(format!("input_blocks.{}.1.{}", 1 + before + index, words[4..].join(".")))
        }
        "up_blocks" => {
            let (block, index) = (number(1)?, number(3)?);
            let before: usize = levels.iter().rev().take(block).map(|level| level.layers + 1).sum();
            Some(format!("output_blocks.{}.1.{}", before + index, words[4..].join(".")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_across_levels_and_the_hints_ends_have_names() {
        let ldm = [
            "control_model.input_blocks.0.0.weight",
            "control_model.input_blocks.2.0.in_layers.2.bias",
            "control_model.input_blocks.3.0.op.weight",
            "control_model.input_blocks.5.1.transformer_blocks.0.attn1.to_q.weight",
            "control_model.middle_block.2.out_layers.3.weight",
            "control_model.input_hint_block.0.weight",
            "control_model.input_hint_block.2.weight",
            "control_model.input_hint_block.14.weight",
            "control_model.label_emb.0.2.bias",
            "model.diffusion_model.input_blocks.0.0.weight",
        ];
        let names = diffusers_names(ldm.into_iter());
        let found: Vec<&str> = names.keys().map(String::as_str).collect();
        let mut expected = [
            "conv_in.weight",
            "down_blocks.0.resnets.1.conv1.bias",
            "down_blocks.0.downsamplers.0.conv.weight",
            "down_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q.weight",
            "mid_block.resnets.1.conv2.weight",
            "controlnet_cond_embedding.conv_in.weight",
            "controlnet_cond_embedding.blocks.0.weight",
            "controlnet_cond_embedding.conv_out.weight",
            "add_embedding.linear_2.bias",
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn blocks_of_both_halves_have_ldm_numbers() {
        let level = |channels| Level { channels, layers: 2, heads: 1, depth: 1, context: 8 };
        let levels = [level(8), level(16), level(16)];
        let name = |text: &str| ldm_block(&levels, text).unwrap();
        let tail = "transformer_blocks.3";
        assert_eq!(name(&format!("down_blocks.2.attentions.1.{tail}")), format!("input_blocks.8.1.{tail}"));
        assert_eq!(name(&format!("mid_block.attentions.0.{tail}")), format!("middle_block.1.{tail}"));
        assert_eq!(name(&format!("up_blocks.1.attentions.0.{tail}")), format!("output_blocks.3.1.{tail}"));
    }
}
