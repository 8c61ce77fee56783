//! ControlLLLite (kohya-ss 2023): small networks that shift the inputs of a UNet's attention projections.
//!
//! Names, shapes and the rule are those of kohya's sd-scripts (`networks/control_net_lllite.py`, 2e473674): an
//! embedding of the hint picture is joined to the input's narrow image, and what comes of both is added to the
//! input. Where a feature map has another size than the embedding, the embedding is resampled to it by the
//! nearest pixel, as in sd-webui-controlnet.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module as _};

use crate::diffusion::nn::BlockPlace;
use crate::diffusion::unet::{BlockType, UNet, UNetConfig};
use crate::kernels::{Conv2d, Padding};
use crate::models::{LdmBlocks, WeightFile};

/// How the names of all tensors begin.
pub(super) const PREFIX: &str = "lllite_unet_";

/// A projection whose input can be shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Queries of self-attention.
    SelfQuery,
    /// Keys of self-attention.
    SelfKey,
    /// Values of self-attention.
    SelfValue,
    /// Queries of cross-attention; its keys and values look at the text, which has no pixels.
    CrossQuery,
}

impl Projection {
    const ALL: [Self; 4] = [Self::SelfQuery, Self::SelfKey, Self::SelfValue, Self::CrossQuery];

    fn name(self) -> &'static str {
        match self {
            Self::SelfQuery => "attn1_to_q",
            Self::SelfKey => "attn1_to_k",
            Self::SelfValue => "attn1_to_v",
            Self::CrossQuery => "attn2_to_q",
        }
    }
}

/// The small network of one projection.
#[derive(Clone, Debug)]
struct Module {
    /// Convolutions without overlap, with a ReLU between two of them.
    conditioning: Vec<Conv2d>,
    down: Linear,
    mid: Linear,
    up: Linear,
}

impl Module {
    /// Kernel sizes, strides (each its kernel's side) and widths come from the shapes. `channels` is the width of
    /// the projection's input.
    fn load(file: &WeightFile, name: &str, channels: usize, device: &Device) -> Result<Self> {
        let tensor = |part: &str| file.tensor(&format!("{name}.{part}"), DType::F32, device);
        let mut conditioning = Vec::new();
        // The ReLUs between have numbers too.
        for i in (0..).step_by(2) {
            let part = format!("conditioning1.{i}");
            if i > 0 && file.view(&format!("{name}.{part}.weight")).is_none() {
                break;
            }
            let weight = tensor(&format!("{part}.weight"))?;
            let stride = weight.dims4()?.2;
            let bias = Some(tensor(&format!("{part}.bias"))?);
            conditioning.push(Conv2d::new(weight, bias, stride, Padding::Even(0))?);
        }
        let linear = |part: &str, wanted: (Option<usize>, usize)| -> Result<Linear> {
            let (weight, bias) = (tensor(&format!("{part}.0.weight"))?, tensor(&format!("{part}.0.bias"))?);
            let (outputs, inputs) = weight.dims2()?;
            let expected = (wanted.0.unwrap_or(outputs), wanted.1);
            if (outputs, inputs) != expected || bias.dims() != [outputs] {
                candle_core::bail!(
                    "weight `{name}.{part}.0`: expected shape {expected:?}, found {:?}",
                    (outputs, inputs)
                );
            }
            Ok(Linear::new(weight, Some(bias)))
        };
        let embedded = conditioning.last().map_or(Ok(0), |conv| conv.weight().dim(0))?;
        let down = linear("down", (None, channels))?;
        let narrow = down.weight().dim(0)?;
        let mid = linear("mid", (Some(narrow), narrow + embedded))?;
        Ok(Self { conditioning, down, mid, up: linear("up", (Some(channels), narrow))? })
    }

    /// The hint `[1, 3, H, W]`, −1..1, as an embedding `[1, E, h, w]`.
    fn embed(&self, hint: &Tensor) -> Result<Tensor> {
        let mut x = hint.clone();
        for (i, conv) in self.conditioning.iter().enumerate() {
            x = conv.forward(&if i == 0 { x } else { x.relu()? })?;
        }
        Ok(x)
    }

    /// What is added to `input` `[B, T, C]`, given the embedding as tokens `[1, T, E]`.
    fn shift(&self, input: &Tensor, embedded: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = input.dims3()?;
        let embedded = embedded.expand((batch, tokens, embedded.dim(2)?))?;
        let joined = Tensor::cat(&[&embedded, &self.down.forward(input)?.relu()?], 2)?;
        self.up.forward(&self.mid.forward(&joined)?.relu()?)
    }
}

/// A ControlLLLite, for one UNet.
#[derive(Clone, Debug)]
pub struct Lllite {
    modules: BTreeMap<(String, Projection), Module>,
}

impl Lllite {
    /// Reads the file. Each module finds its place in `unet` by LDM's or diffusers' name of it.
    ///
    /// # Errors
    /// When a module has no place in the UNet, a weight is missing or has another shape.
    pub(super) fn load(file: &WeightFile, unet: &UNet, config: &UNetConfig, device: &Device) -> Result<Self> {
        let attends = config.down_block_types.iter().map(|kind| *kind == BlockType::CrossAttnDownBlock2D);
        let levels: Vec<_> = config.levels()?.iter().map(|level| level.layers).zip(attends).collect();
        let ldm = LdmBlocks::of_levels(&levels);
        let mut places = BTreeMap::new();
        for block in unet.transformer_blocks() {
            for projection in Projection::ALL {
                let names = ldm.name(block.name()).into_iter().chain([block.name().to_owned()]);
                for name in names {
                    let name = format!("{PREFIX}{}_{}", name.replace('.', "_"), projection.name());
                    places.insert(name, (block, projection));
                }
            }
        }
        let names: std::collections::BTreeSet<&str> =
            file.header().tensors.keys().filter_map(|name| Some(name.split_once('.')?.0)).collect();
        let homeless: Vec<&&str> = names.iter().filter(|name| !places.contains_key(**name)).collect();
        if let Some(first) = homeless.first() {
            candle_core::bail!(
                "expected a ControlLLLite for {}, which the film's model is; {} of its {} modules have no place \
                 there, such as `{first}`",
                super::infer::family(config),
                homeless.len(),
                names.len()
            );
        }
        let module = |name: &&str| -> Result<_> {
            let (block, projection) = &places[*name];
            let module = Module::load(file, name, block.channels(), device)?;
            Ok(((block.name().to_owned(), *projection), module))
        };
        Ok(Self { modules: names.iter().map(module).collect::<Result<_>>()? })
    }

    /// How many projections it shifts.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether it shifts nothing.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Looks at a hint picture, `[1, 3, H, W]`, RGB in 0..=1, once for the whole run.
    ///
    /// # Errors
    /// When the picture is too small for the first convolutions.
    pub fn look(&self, hint: &Tensor) -> Result<LlliteHint<'_>> {
        let hint = hint.affine(2.0, -1.0)?;
        let embed = |((block, projection), module): (&(String, Projection), &Module)| -> Result<_> {
            Ok(((block.clone(), *projection), module.embed(&hint)?))
        };
        let embedded = self.modules.iter().map(embed).collect::<Result<_>>()?;
        Ok(LlliteHint { lllite: self, embedded })
    }
}

/// A ControlLLLite that has seen its hint.
#[derive(Debug)]
pub struct LlliteHint<'a> {
    lllite: &'a Lllite,
    embedded: BTreeMap<(String, Projection), Tensor>,
}

impl LlliteHint<'_> {
    /// What is added, at weight 1, to the input `[B, T, C]` of a block's projection; `None` when this network
    /// leaves it alone.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn shift(
        &self,
        block: BlockPlace<'_>,
        projection: Projection,
        input: &Tensor,
    ) -> Result<Option<Tensor>> {
        let key = (block.name.to_owned(), projection);
        let (Some(module), Some(embedded)) = (self.lllite.modules.get(&key), self.embedded.get(&key)) else {
            return Ok(None);
        };
        let tokens = nearest(embedded, block.size)?.flatten_from(2)?.transpose(1, 2)?;
        module.shift(input, &tokens).map(Some)
    }
}

/// `x` `[1, C, h, w]` at another size, by the pixel under the middle of each (PyTorch's `nearest-exact`).
fn nearest(x: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if (h, w) == (height, width) {
        return Ok(x.clone());
    }
    let from = |side: usize, to: usize| -> Vec<u32> {
        (0..to).map(|i| ((2 * i + 1) * side / (2 * to)).min(side.saturating_sub(1)) as u32).collect()
    };
    let index = |picks: Vec<u32>| Tensor::new(picks, x.device());
    x.index_select(&index(from(h, height))?, 2)?.index_select(&index(from(w, width))?, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_takes_the_pixel_under_the_middle() {
        let x = Tensor::arange(0f32, 4.0, &Device::Cpu).unwrap().reshape((1, 1, 1, 4)).unwrap();
        let at = |width| nearest(&x, (1, width)).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(at(4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(at(2), [1.0, 3.0]);
        assert_eq!(at(5), [0.0, 1.0, 2.0, 2.0, 3.0]);
    }
}
