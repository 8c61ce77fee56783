//! diffusers' names of a UNet's layers as the original code calls them.

use std::collections::BTreeMap;

use super::{FIXED, RESNET};

/// What the blocks of a UNet hold, read from the names of its layers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LdmBlocks {
    /// Residual blocks of each encoder level.
    down: BTreeMap<usize, usize>,
    /// Residual blocks of each decoder level, and whether it has attention.
    up: BTreeMap<usize, (usize, bool)>,
}

impl LdmBlocks {
    /// From diffusers' names of layers.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut blocks = Self::default();
        for name in names {
            let words: Vec<&str> = name.split('.').collect();
            let [half, level, kind, index, ..] = words[..] else { continue };
            let (Ok(level), Ok(index)) = (level.parse::<usize>(), index.parse::<usize>()) else { continue };
            match (half, kind) {
                ("down_blocks", "resnets") => {
                    let count = blocks.down.entry(level).or_default();
                    *count = (*count).max(index + 1);
                }
                ("up_blocks", "resnets") => {
                    let entry = blocks.up.entry(level).or_default();
                    entry.0 = entry.0.max(index + 1);
                }
                ("up_blocks", "attentions") => blocks.up.entry(level).or_default().1 = true,
                _ => {}
            }
        }
        blocks
    }

    /// Of a UNet whose levels, from the highest resolution on, have so many residual blocks in the encoder and, as is
    /// usual, one more in the decoder; and whether they have attention.
    pub fn of_levels(levels: &[(usize, bool)]) -> Self {
        let up = levels.iter().rev().map(|(count, attends)| (count + 1, *attends));
        Self {
            down: levels.iter().map(|(count, _)| *count).enumerate().collect(),
            up: up.enumerate().collect(),
        }
    }

    /// LDM's name of a layer, such as `input_blocks.1.1.proj_in` for `down_blocks.0.attentions.0.proj_in`.
    pub fn name(&self, layer: &str) -> Option<String> {
        if let Some((ldm, _)) = FIXED.iter().find(|(_, own)| *own == layer) {
            return Some((*ldm).to_owned());
        }
        let words: Vec<&str> = layer.split('.').collect();
        match words[..] {
            ["mid_block", kind, index, ref rest @ ..] => {
                let index: usize = index.parse().ok()?;
                // Residual block, attention, residual block …
                let place = if kind == "resnets" { 2 * index } else { 2 * index + 1 };
                Some(format!("middle_block.{place}.{}", inside(kind, &rest.join("."))))
            }
            [half @ ("down_blocks" | "up_blocks"), level, kind, index, ref rest @ ..] => {
                self.block(half, level.parse().ok()?, kind, index.parse().ok()?, &rest.join("."))
            }
            _ => None,
        }
    }

    fn block(&self, half: &str, level: usize, kind: &str, index: usize, rest: &str) -> Option<String> {
        if half == "down_blocks" {
            // The first convolution is block 0; each level has one block more, which halves the picture.
            let before: usize = self.down.range(..level).map(|(_, count)| count + 1).sum();
            let own = *self.down.get(&level)?;
            let (block, place) = match kind {
                "resnets" => (index, 0),
                "attentions" => (index, 1),
                "downsamplers" => return Some(format!("input_blocks.{}.0.op", 1 + before + own)),
                _ => return None,
            };
            return Some(format!("input_blocks.{}.{place}.{}", 1 + before + block, inside(kind, rest)));
        }
        let before: usize = self.up.range(..level).map(|(_, (count, _))| count).sum();
        let (own, attends) = *self.up.get(&level)?;
        let (block, place) = match kind {
            "resnets" => (index, 0),
            "attentions" => (index, 1),
            // The last block of a level doubles the picture, behind its attention.
            "upsamplers" => (own.checked_sub(1)?, 1 + usize::from(attends)),
            _ => return None,
        };
        Some(format!("output_blocks.{}.{place}.{}", before + block, inside(kind, rest)))
    }
}

/// The name inside a block: residual blocks have other names, the rest keeps its own.
fn inside(kind: &str, rest: &str) -> String {
    let renamed = RESNET.iter().find(|(_, own)| *own == rest).filter(|_| kind == "resnets");
    renamed.map_or(rest, |(ldm, _)| ldm).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_first_checkpoints() {
        let mut names: Vec<String> = Vec::new();
        for level in 0..4 {
            names.extend((0..2).map(|i| format!("down_blocks.{level}.resnets.{i}.conv1")));
            names.extend((0..3).map(|i| format!("up_blocks.{level}.resnets.{i}.conv1")));
            if level > 0 {
                names.push(format!("up_blocks.{level}.attentions.0.proj_in"));
            }
        }
        let blocks = LdmBlocks::of(names.iter().map(String::as_str));
        // From the table of sd-v1-5's own names.
        for (diffusers, ldm) in [
            ("conv_in", "input_blocks.0.0"),
            ("down_blocks.0.attentions.1.proj_in", "input_blocks.2.1.proj_in"),
            ("down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
            ("down_blocks.1.resnets.0.conv_shortcut", "input_blocks.4.0.skip_connection"),
            ("down_blocks.3.resnets.1.time_emb_proj", "input_blocks.11.0.emb_layers.1"),
            ("mid_block.resnets.0.norm1", "middle_block.0.in_layers.0"),
            ("mid_block.attentions.0.proj_out", "middle_block.1.proj_out"),
            ("mid_block.resnets.1.conv2", "middle_block.2.out_layers.3"),
            ("up_blocks.0.upsamplers.0.conv", "output_blocks.2.1.conv"),
            ("up_blocks.1.upsamplers.0.conv", "output_blocks.5.2.conv"),
            (
                "up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_out.0",
                "output_blocks.11.1.transformer_blocks.0.attn1.to_out.0",
            ),
            ("conv_out", "out.2"),
        ] {
            assert_eq!(blocks.name(diffusers).as_deref(), Some(ldm));
        }
        assert_eq!(blocks.name("down_blocks.9.resnets.0.conv1"), None);
        assert_eq!(blocks.name("encoder.down"), None);
        assert_eq!(LdmBlocks::of_levels(&[(2, true), (2, true), (2, true), (2, false)]), blocks);
    }
}
