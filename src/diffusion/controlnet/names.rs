//! The names of a ControlNet's weights in the original code (lllyasviel's, and so A1111's and ComfyUI's files) as
//! diffusers calls them.

use std::collections::{BTreeMap, BTreeSet};

use crate::models::UNetNames;

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
    /// The encoder's.
    encoder: UNetNames,
    /// Numbers of the hint's convolutions.
    hints: Vec<usize>,
}

impl Layout {
    fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let hint = |name: &str| name.strip_prefix("input_hint_block.")?.split('.').next()?.parse().ok();
        let hints: BTreeSet<usize> = names.clone().filter_map(hint).collect();
        Self { encoder: UNetNames::of(names), hints: hints.into_iter().collect() }
    }

    fn diffusers(&self, name: &str) -> String {
        self.own(name).or_else(|| self.encoder.diffusers(name)).unwrap_or_else(|| name.to_owned())
    }

    /// What a UNet does not have.
    fn own(&self, name: &str) -> Option<String> {
        let words: Vec<&str> = name.split('.').collect();
        let tail = |from: usize| words[from..].join(".");
        Some(match words[..] {
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
}
