//! The names of a UNet's weights in the original code as diffusers calls them.

use std::collections::BTreeSet;

use super::{FIXED, RESNET};

/// What the numbers in LDM's names mean, which depends on which of them there are.
#[derive(Debug)]
pub struct UNetNames {
    /// Numbers of the input blocks that halve the resolution.
    down: Vec<usize>,
    /// Numbers of the output blocks that double it.
    up: Vec<usize>,
}

impl UNetNames {
    /// Of a network with these LDM names.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let (mut down, mut up) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            let words: Vec<&str> = name.split('.').collect();
            match words[..] {
                ["input_blocks", n, "0", "op", ..] => down.extend(n.parse::<usize>()),
                ["output_blocks", n, "1" | "2", "conv", ..] => up.extend(n.parse::<usize>()),
                _ => {}
            }
        }
        Self { down: down.into_iter().collect(), up: up.into_iter().collect() }
    }

    /// diffusers' name; `None` for what is no weight of a UNet.
    pub fn diffusers(&self, name: &str) -> Option<String> {
        let fixed =
            FIXED.iter().find_map(|(ldm, layer)| Some((layer, name.strip_prefix(ldm)?.strip_prefix('.')?)));
        if let Some((layer, tail)) = fixed {
            return Some(format!("{layer}.{tail}"));
        }
        let words: Vec<&str> = name.split('.').collect();
        let tail = |from: usize| words.get(from..).unwrap_or_default().join(".");
        Some(match words[..] {
            ["input_blocks", n, "0", "op", ..] => {
                let (level, _) = self.input(n.parse().ok().filter(|n| *n > 0)?);
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
            ["output_blocks", n, "1" | "2", "conv", ..] => {
                let (level, _) = self.output(n.parse().ok()?);
                format!("up_blocks.{level}.upsamplers.0.conv.{}", tail(4))
            }
            ["output_blocks", n, part @ ("0" | "1"), ..] => {
                let (level, index) = self.output(n.parse().ok()?);
                format!("up_blocks.{level}.{}", stage(index, part, &words[3..])?)
            }
            _ => return None,
        })
    }

    /// Level and place in it of an input block behind the first.
    fn input(&self, block: usize) -> (usize, usize) {
        let level = self.down.partition_point(|down| *down < block);
        let start = level.checked_sub(1).map_or(1, |above| self.down[above] + 1);
        (level, block - start)
    }

    /// Level, lowest resolution first, and place in it of an output block.
    fn output(&self, block: usize) -> (usize, usize) {
        let level = self.up.partition_point(|up| *up < block);
        let start = level.checked_sub(1).map_or(0, |below| self.up[below] + 1);
        (level, block - start)
    }
}

/// A residual block (part 0) or the attention behind it (part 1).
fn stage(index: usize, part: &str, words: &[&str]) -> Option<String> {
    if part == "1" {
        return Some(format!("attentions.{index}.{}", words.join(".")));
    }
    let name = words.join(".");
    let renamed =
        RESNET.iter().find_map(|(ldm, layer)| Some((layer, name.strip_prefix(ldm)?.strip_prefix('.')?)));
    renamed.map(|(layer, tail)| format!("resnets.{index}.{layer}.{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_sd15_are_numbered_by_level() {
        let numbers = [
            "input_blocks.3.0.op.weight",
            "input_blocks.6.0.op.weight",
            "input_blocks.9.0.op.weight",
            "output_blocks.2.1.conv.weight",
            "output_blocks.5.2.conv.weight",
            "output_blocks.8.2.conv.weight",
        ];
        let names = UNetNames::of(numbers.into_iter());
        let pairs = [
            ("input_blocks.0.0.bias", "conv_in.bias"),
            ("input_blocks.4.1.proj_in.weight", "down_blocks.1.attentions.0.proj_in.weight"),
            ("input_blocks.11.0.out_layers.3.bias", "down_blocks.3.resnets.1.conv2.bias"),
            ("input_blocks.9.0.op.bias", "down_blocks.2.downsamplers.0.conv.bias"),
            ("output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"),
            ("output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight"),
            ("output_blocks.5.1.norm.bias", "up_blocks.1.attentions.2.norm.bias"),
            ("output_blocks.11.0.skip_connection.bias", "up_blocks.3.resnets.2.conv_shortcut.bias"),
            ("middle_block.2.in_layers.0.weight", "mid_block.resnets.1.norm1.weight"),
            ("out.2.weight", "conv_out.weight"),
            ("label_emb.0.2.bias", "add_embedding.linear_2.bias"),
        ];
        for (ldm, diffusers) in pairs {
            assert_eq!(names.diffusers(ldm).as_deref(), Some(diffusers), "{ldm}");
        }
        for odd in ["input_blocks.x.0.a", "output_blocks", "input_blocks.4", "betas", ""] {
            assert_eq!(names.diffusers(odd), None, "{odd}");
        }
    }
}
