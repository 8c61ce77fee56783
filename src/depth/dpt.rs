//! The dense prediction transformer (Ranftl et al. 2021), which MiDaS 3 is: a vision transformer, or one behind
//! the first stages of a BiT, under the dense prediction head, as transformers 5.24 runs it.

use candle_core::{Module as _, Result, Tensor};
use candle_nn::VarBuilder;

use super::bit::Bit;
use super::conv::Conv;
use super::decoder::{Fusion, Reassemble, bilinear, head_index, plane_size};
use super::dpt_config::DptConfig;
use super::layer::Layer;
use super::linear::linear;
use super::patches::{Patches, placed, positions_for};
use super::resample;
use crate::canvas::Size;
use crate::kernels::{Linear, gelu};
use crate::models::depth_names;

/// Channels before the last convolution.
const LAST: usize = 32;

/// Stages of a hybrid's BiT that are feature maps themselves.
const OF_BIT: usize = 2;

/// The network, of any size that its config describes.
#[derive(Clone, Debug)]
pub(super) struct Dpt {
    stem: Stem,
    class_token: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    /// Layers after which a feature map is taken, the first being 0.
    taps: Vec<usize>,
    readouts: Vec<Readout>,
    reassemble: Vec<Reassemble>,
    convs: Vec<Conv>,
    fusion: Vec<Fusion>,
    head: Head,
    head_in: usize,
    patch_size: usize,
}

/// What makes patches of a picture.
#[derive(Clone, Debug)]
enum Stem {
    Patches(Patches),
    Hybrid(Box<Bit>, Conv),
}

impl Dpt {
    /// Takes the weights from a tree of names, transformers' or those of the original repository
    /// (`pretrained.model.*`, `scratch.*`).
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape, or the key of the config
    /// that is not known.
    pub(super) fn new(config: &DptConfig, weights: VarBuilder) -> Result<Self> {
        config.check()?;
        let stages = config.neck_hidden_sizes.len();
        let weights = if weights.contains_tensor("pretrained.model.cls_token") {
            weights.rename_f(move |name| depth_names::dpt(name, stages))
        } else {
            weights
        };
        let of_bit = if config.is_hybrid { OF_BIT } else { 0 };
        let (hidden, width) = (config.hidden_size, config.fusion_hidden_size);
        let (neck, embeddings) = (weights.pp("neck"), weights.pp("dpt.embeddings"));
        let mut taps = config.backbone_out_indices[of_bit..].to_vec();
        taps.sort_unstable();
        let last = taps.last().copied().unwrap_or(0);
        let layers = (0..=last).map(|i| Layer::plain(config, weights.pp("dpt.encoder.layer").pp(i)));
        let own = of_bit..stages;
        let readouts = own.clone().map(|i| Readout::new(config, i, &neck));
        let reassemble = own.map(|i| {
            let (channels, factor) = (config.neck_hidden_sizes[i], config.reassemble_factors[i]);
            Reassemble::new(hidden, channels, factor, neck.pp("reassemble_stage.layers").pp(i))
        });
        let convs = (0..stages)
            .map(|i| Conv::three((config.neck_hidden_sizes[i], width), 1, false, neck.pp("convs").pp(i)));
        let bias = config.use_bias_in_fusion_residual.unwrap_or(true);
        let fusion =
            (0..stages).map(|i| Fusion::with_bias(width, i > 0, bias, neck.pp("fusion_stage.layers").pp(i)));
        Ok(Self {
            stem: Stem::new(config, &embeddings)?,
            class_token: embeddings.get((1, 1, hidden), "cls_token")?,
            positions: embeddings.get_unchecked("position_embeddings")?,
            layers: layers.collect::<Result<_>>()?,
            taps,
            readouts: readouts.collect::<Result<_>>()?,
            reassemble: reassemble.collect::<Result<_>>()?,
            convs: convs.collect::<Result<_>>()?,
            fusion: fusion.collect::<Result<_>>()?,
            head: Head::new(config, &weights.pp("head"))?,
            head_in: head_index(config.head_in_index, stages)?,
            patch_size: config.patch_size,
        })
    }

    /// Side of a patch in pixels.
    pub(super) fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// Patches, class token and positions, and the maps of a hybrid's first stages.
    fn embed(&self, pixels: &Tensor) -> Result<(Tensor, Size, Vec<Tensor>)> {
        let (patches, grid, maps) = self.stem.forward(pixels)?;
        let positions = positions_for(&self.positions, grid, resample::bilinear)?;
        Ok((placed(&self.class_token, &patches, &positions)?, grid, maps))
    }

    /// Patches, class token and positions, before the first layer: `[B, 1 + patches, hidden]`.
    pub(super) fn embeddings(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.embed(pixels)?.0)
    }

    /// Tokens after the tapped layers, the class token first.
    fn tapped(&self, mut x: Tensor) -> Result<Vec<Tensor>> {
        let mut tokens = Vec::with_capacity(self.taps.len());
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x)?;
            tokens.extend(self.taps.iter().filter(|tap| **tap == i).map(|_| x.clone()));
        }
        Ok(tokens)
    }

    /// The transformer's feature maps, the class token first: `[B, 1 + patches, hidden]` each.
    pub(super) fn features(&self, pixels: &Tensor) -> Result<Vec<Tensor>> {
        self.tapped(self.embed(pixels)?.0)
    }

    /// Normalised pixels `[B, 3, H, W]` → depth `[B, H, W]`, of the sides that the head gives: with the usual factors
    /// those of the picture, rounded down to whole patches.
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (x, grid, mut maps) = self.embed(pixels)?;
        let parts = self.readouts.iter().zip(&self.reassemble);
        for (tokens, (readout, reassemble)) in self.tapped(x)?.iter().zip(parts) {
            maps.push(reassemble.without_class(&readout.forward(tokens)?, grid)?);
        }
        let levels =
            maps.iter().zip(&self.convs).map(|(map, conv)| conv.forward(map)).collect::<Result<Vec<_>>>()?;
        let coarse_first = levels.iter().rev().enumerate().take(self.head_in + 1);
        let mut fused: Option<Tensor> = None;
        for ((i, level), layer) in coarse_first.zip(&self.fusion) {
            let below = fused.as_ref().unwrap_or(level);
            fused = Some(layer.forward(below, (i > 0).then_some(level), None)?);
        }
        match fused {
            Some(fused) => self.head.forward(&fused),
            None => candle_core::bail!("expected feature maps, there are none"),
        }
    }
}

impl Stem {
    fn new(config: &DptConfig, weights: &VarBuilder) -> Result<Self> {
        let (width, channels) = (config.hidden_size, config.num_channels);
        if !config.is_hybrid {
            let own = weights.pp("patch_embeddings.projection");
            return Ok(Self::Patches(Patches::new(width, channels, config.patch_size, &own)?));
        }
        let bit = config.backbone_config.clone().unwrap_or_default();
        let backbone = Bit::new(&bit, channels, &weights.pp("backbone.bit"))?;
        let inputs = bit.hidden_sizes.get(OF_BIT).copied().unwrap_or_default();
        Ok(Self::Hybrid(Box::new(backbone), Conv::one((inputs, width), weights.pp("projection"))?))
    }

    /// `[B, C, H, W]` → patches `[B, patches, hidden]`, their grid, and maps of the stages before.
    fn forward(&self, pixels: &Tensor) -> Result<(Tensor, Size, Vec<Tensor>)> {
        match self {
            Self::Patches(patches) => Ok((patches.forward(pixels)?, patches.grid(pixels)?, Vec::new())),
            Self::Hybrid(bit, projection) => {
                let mut maps = bit.forward(pixels)?;
                let Some(last) = maps.pop() else { candle_core::bail!("expected stages, there are none") };
                let patches = projection.forward(&last)?;
                let grid = plane_size(&patches)?;
                Ok((patches.flatten_from(2)?.transpose(1, 2)?.contiguous()?, grid, maps))
            }
        }
    }
}

/// What becomes of the class token.
#[derive(Clone, Debug)]
enum Readout {
    Ignore,
    /// It is added to every patch.
    Add,
    /// Each patch and it become one.
    Project(Linear),
}

impl Readout {
    fn new(config: &DptConfig, stage: usize, neck: &VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        let own = neck.pp(format!("reassemble_stage.readout_projects.{stage}.0"));
        Ok(match config.readout_type.as_str() {
            "ignore" => Self::Ignore,
            "add" => Self::Add,
            _ => Self::Project(linear(2 * width, width, true, own)?),
        })
    }

    /// `[B, 1 + patches, hidden]` → `[B, patches, hidden]`.
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let patches = tokens.narrow(1, 1, tokens.dim(1)? - 1)?.contiguous()?;
        let class = tokens.narrow(1, 0, 1)?;
        match self {
            Self::Ignore => Ok(patches),
            Self::Add => patches.broadcast_add(&class),
            Self::Project(project) => {
                let class = class.expand(patches.dims())?.contiguous()?;
                gelu(&project.forward(&Tensor::cat(&[patches, class], 2)?)?)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Head {
    projection: Option<Conv>,
    conv1: Conv,
    conv2: Conv,
    conv3: Conv,
}

impl Head {
    fn new(config: &DptConfig, weights: &VarBuilder) -> Result<Self> {
        let width = config.fusion_hidden_size;
        let layer = |name: &str| weights.pp("head").pp(name);
        let projection = config
            .add_projection
            .then(|| Conv::three((width, width), 1, true, weights.pp("projection")))
            .transpose()?;
        Ok(Self {
            projection,
            conv1: Conv::three((width, width / 2), 1, true, layer("0"))?,
            conv2: Conv::three((width / 2, LAST), 1, true, layer("2"))?,
            conv3: Conv::one((LAST, 1), layer("4"))?,
        })
    }

    /// `[B, C, h, w]` → `[B, 2h, 2w]`.
    fn forward(&self, fused: &Tensor) -> Result<Tensor> {
        let own = plane_size(fused)?;
        let fused = match &self.projection {
            Some(projection) => projection.forward(fused)?.relu()?,
            None => fused.clone(),
        };
        let size = Size::new(own.width * 2, own.height * 2);
        let x = bilinear(&self.conv1.forward(&fused)?, size)?;
        self.conv3.forward(&self.conv2.forward(&x)?.relu()?)?.relu()?.squeeze(1)
    }
}
