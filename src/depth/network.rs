//! Depth Anything V2 (Yang et al. 2024): a DINOv2 backbone under the dense prediction head of
//! Ranftl et al. 2021, as transformers 5.23 runs it.
//!
//! ```text
//! pixels ─backbone→ 4 feature maps ─reassemble→ 4 sizes ─fusion, coarse to fine→ ─head→ depth
//! ```

use candle_core::{Device, Module, Result as CandleResult, Tensor};
use candle_nn::VarBuilder;

use super::backbone::Backbone;
use super::config::{DepthConfig, DepthKind};
use super::conv::Conv;
use super::linear::weight;
use super::names::original_name;
use super::resample;
use crate::canvas::Size;
use crate::error::Result;
use crate::kernels::Linear;
use crate::models::ModelFolder;

/// The network, of any size that its config describes.
#[derive(Clone, Debug)]
pub struct DepthNetwork {
    backbone: Backbone,
    reassemble: Vec<Reassemble>,
    convs: Vec<Conv>,
    fusion: Vec<Fusion>,
    head: Head,
    head_in: usize,
    kind: DepthKind,
    patch_size: usize,
}

impl DepthNetwork {
    /// Loads the weights of `folder` by its `config.json`, under transformers' names or those of the
    /// original repository (`pretrained.*`, `depth_head.*`).
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the weights which are missing or have another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> Result<Self> {
        let config: DepthConfig = folder.json("config.json")?;
        folder.network("depth network", device, |weights| Self::new(&config, weights))
    }

    /// Takes the weights from a tree of names of either kind.
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape.
    pub fn new(config: &DepthConfig, weights: VarBuilder) -> CandleResult<Self> {
        let stages = config.neck_hidden_sizes.len();
        let taps = config.backbone_config.taps()?.len();
        if stages == 0 || taps != stages || config.reassemble_factors.len() != stages {
            let factors = config.reassemble_factors.len();
            candle_core::bail!(
                "config: expected as many neck_hidden_sizes ({stages}) as reassemble_factors ({factors}) and \
                 tapped layers ({taps})"
            )
        }
        let weights = if weights.contains_tensor("pretrained.cls_token") {
            weights.rename_f(move |name| original_name(name, stages))
        } else {
            weights
        };
        Self::with_stages(config, stages, &weights)
    }

    fn with_stages(config: &DepthConfig, stages: usize, weights: &VarBuilder) -> CandleResult<Self> {
        let (neck, width) = (weights.pp("neck"), config.fusion_hidden_size);
        let hidden = config.backbone_config.hidden_size;
        let reassemble = (0..stages).map(|i| {
            let (channels, factor) = (config.neck_hidden_sizes[i], config.reassemble_factors[i]);
            Reassemble::new(hidden, channels, factor, neck.pp("reassemble_stage.layers").pp(i))
        });
        let convs = (0..stages)
            .map(|i| Conv::three((config.neck_hidden_sizes[i], width), 1, false, neck.pp("convs").pp(i)));
        let fusion = (0..stages).map(|i| Fusion::new(width, i > 0, neck.pp("fusion_stage.layers").pp(i)));
        Ok(Self {
            backbone: Backbone::new(&config.backbone_config, weights.pp("backbone"))?,
            reassemble: reassemble.collect::<CandleResult<_>>()?,
            convs: convs.collect::<CandleResult<_>>()?,
            fusion: fusion.collect::<CandleResult<_>>()?,
            head: Head::new(config, weights.pp("head"))?,
            head_in: head_index(config.head_in_index, stages)?,
            kind: config.depth_estimation_type,
            patch_size: config.backbone_config.patch_size,
        })
    }

    /// What the numbers of [`DepthNetwork::forward`] mean.
    pub fn kind(&self) -> DepthKind {
        self.kind
    }

    /// Side of a patch in pixels: pictures' sides should be multiples of it.
    pub fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// Patches, class token and positions, before the first layer: `[B, 1 + patches, hidden]`.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn embeddings(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        self.backbone.embed(pixels)
    }

    /// The backbone's feature maps, the class token first: `[B, 1 + patches, hidden]` each.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn features(&self, pixels: &Tensor) -> CandleResult<Vec<Tensor>> {
        self.backbone.forward(pixels)
    }

    /// Normalised pixels `[B, 3, H, W]` → depth `[B, H, W]`, sides rounded down to whole patches.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn forward(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        let grid = self.backbone.grid(pixels)?;
        let maps = self.backbone.forward(pixels)?;
        let mut levels = Vec::with_capacity(maps.len());
        for ((map, reassemble), conv) in maps.iter().zip(&self.reassemble).zip(&self.convs) {
            levels.push(conv.forward(&reassemble.forward(map, grid)?)?);
        }
        let fused = self.fuse(&levels)?;
        let size = Size::new(grid.width * self.patch_size, grid.height * self.patch_size);
        self.head.forward(&fused, size)
    }

    /// Fuses the levels from the coarsest (last) to the finest, as far as the head reads.
    fn fuse(&self, levels: &[Tensor]) -> CandleResult<Tensor> {
        let coarse_first: Vec<&Tensor> = levels.iter().rev().collect();
        let mut fused = coarse_first[0].clone();
        for (i, (level, layer)) in coarse_first.iter().zip(&self.fusion).enumerate().take(self.head_in + 1) {
            let skip = (i > 0).then_some(*level);
            let size = coarse_first.get(i + 1).map(|next| plane_size(next)).transpose()?;
            fused = layer.forward(&fused, skip, size)?;
        }
        Ok(fused)
    }
}

/// The fused map that `head_in_index` names.
fn head_index(index: isize, stages: usize) -> CandleResult<usize> {
    let from_start = if index < 0 { index + stages as isize } else { index };
    match usize::try_from(from_start) {
        Ok(found) if found < stages => Ok(found),
        _ => candle_core::bail!("head_in_index: expected 0 to {}, found {index}", stages - 1),
    }
}

/// Size of the planes of `[B, C, H, W]`.
fn plane_size(x: &Tensor) -> CandleResult<Size> {
    let (_, _, height, width) = x.dims4()?;
    Ok(Size::new(width, height))
}

/// Bilinear with aligned corners, `[B, C, H, W]` to the planes' size `to`.
fn bilinear(x: &Tensor, to: Size) -> CandleResult<Tensor> {
    let (batch, channels, _, _) = x.dims4()?;
    let from = plane_size(x)?;
    if from == to {
        return Ok(x.clone());
    }
    if !x.device().is_cpu() {
        return x.upsample_bilinear2d(to.height, to.width, true);
    }
    // candle's own is one thread in f64.
    let values = resample::bilinear_corners(&x.flatten_all()?.to_vec1()?, from, to);
    Tensor::from_vec(values, (batch, channels, to.height, to.width), x.device())
}

/// Tokens of one layer as a picture of its level's size.
#[derive(Clone, Debug)]
struct Reassemble {
    projection: Linear,
    resize: Resize,
}

#[derive(Clone, Debug)]
enum Resize {
    /// A transposed convolution whose stride is its kernel: a product, then pixels put side by side.
    Grow {
        product: Linear,
        factor: usize,
    },
    Keep,
    Shrink(Conv),
}

impl Reassemble {
    fn new(hidden: usize, channels: usize, factor: f64, weights: VarBuilder) -> CandleResult<Self> {
        let projection = weights.pp("projection");
        let kernel = weight(&projection, (channels, hidden, 1, 1))?.flatten_from(1)?;
        let projection = Linear::new(kernel, Some(projection.get(channels, "bias")?));
        let resize = weights.pp("resize");
        let resize = if factor > 1.0 {
            grow(channels, factor as usize, resize)?
        } else if factor == 1.0 {
            Resize::Keep
        } else if factor > 0.0 {
            let stride = (1.0 / factor).round() as usize;
            Resize::Shrink(Conv::three((channels, channels), stride, true, resize)?)
        } else {
            candle_core::bail!("reassemble_factors: expected numbers above 0, found {factor}")
        };
        Ok(Self { projection, resize })
    }

    /// `[B, 1 + patches, hidden]` → `[B, channels, H, W]`; the class token is dropped.
    fn forward(&self, map: &Tensor, grid: Size) -> CandleResult<Tensor> {
        let tokens = self.projection.forward(&map.narrow(1, 1, grid.area())?.contiguous()?)?;
        let (batch, _, channels) = tokens.dims3()?;
        let picture = |tokens: &Tensor| {
            tokens.transpose(1, 2)?.contiguous()?.reshape((batch, channels, grid.height, grid.width))
        };
        match &self.resize {
            Resize::Keep => picture(&tokens),
            Resize::Shrink(conv) => conv.forward(&picture(&tokens)?),
            Resize::Grow { product, factor } => product
                .forward(&tokens)?
                .reshape(&[batch, grid.height, grid.width, channels, *factor, *factor][..])?
                .permute(vec![0, 3, 1, 4, 2, 5])?
                .contiguous()?
                .reshape((batch, channels, grid.height * factor, grid.width * factor)),
        }
    }
}

/// The transposed convolution `[C, C, k, k]` with stride k as a linear layer C → C · k · k.
fn grow(channels: usize, factor: usize, weights: VarBuilder) -> CandleResult<Resize> {
    let kernel = weight(&weights, (channels, channels, factor, factor))?;
    let bias = weights.get(channels, "bias")?;
    let bias = bias.unsqueeze(1)?.repeat((1, factor * factor))?.flatten_all()?;
    let product = Linear::new(kernel.flatten_from(1)?.t()?.contiguous()?, Some(bias));
    Ok(Resize::Grow { product, factor })
}

/// One step from a coarser to a finer level.
#[derive(Clone, Debug)]
struct Fusion {
    /// Prepares the finer level; the first step has none to prepare.
    skip: Option<Residual>,
    mixed: Residual,
    projection: Conv,
}

impl Fusion {
    fn new(width: usize, has_skip: bool, weights: VarBuilder) -> CandleResult<Self> {
        let skip = has_skip.then(|| Residual::new(width, weights.pp("residual_layer1")));
        Ok(Self {
            skip: skip.transpose()?,
            mixed: Residual::new(width, weights.pp("residual_layer2"))?,
            projection: Conv::one((width, width), weights.pp("projection"))?,
        })
    }

    /// Adds `level` to `x`, and enlarges to `size`, or by 2 where there is no finer level.
    fn forward(&self, x: &Tensor, level: Option<&Tensor>, size: Option<Size>) -> CandleResult<Tensor> {
        let x = match (level, &self.skip) {
            (Some(level), Some(skip)) => (x + skip.forward(level)?)?,
            _ => x.clone(),
        };
        let x = self.mixed.forward(&x)?;
        let own = plane_size(&x)?;
        let size = size.unwrap_or(Size::new(own.width * 2, own.height * 2));
        // The peer enlarges first. The projection mixes channels and the enlargement pixels, with weights
        // that sum to 1, so they commute, and this way it has a quarter of the pixels to work on.
        bilinear(&self.projection.forward(&x)?, size)
    }
}

/// x + conv(relu(conv(relu(x)))).
#[derive(Clone, Debug)]
struct Residual {
    first: Conv,
    second: Conv,
}

impl Residual {
    fn new(width: usize, weights: VarBuilder) -> CandleResult<Self> {
        Ok(Self {
            first: Conv::three((width, width), 1, true, weights.pp("convolution1"))?,
            second: Conv::three((width, width), 1, true, weights.pp("convolution2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let inner = self.first.forward(&x.relu()?)?;
        self.second.forward_add(&inner.relu()?, x)
    }
}

#[derive(Clone, Debug)]
struct Head {
    conv1: Conv,
    conv2: Conv,
    conv3: Conv,
    kind: DepthKind,
    max_depth: f64,
}

impl Head {
    fn new(config: &DepthConfig, weights: VarBuilder) -> CandleResult<Self> {
        let (width, inner) = (config.fusion_hidden_size, config.head_hidden_size);
        Ok(Self {
            conv1: Conv::three((width, width / 2), 1, true, weights.pp("conv1"))?,
            conv2: Conv::three((width / 2, inner), 1, true, weights.pp("conv2"))?,
            conv3: Conv::one((inner, 1), weights.pp("conv3"))?,
            kind: config.depth_estimation_type,
            max_depth: config.max_depth.unwrap_or(1.0),
        })
    }

    /// `[B, C, h, w]` → `[B, H, W]` at `size`.
    fn forward(&self, fused: &Tensor, size: Size) -> CandleResult<Tensor> {
        let x = bilinear(&self.conv1.forward(fused)?, size)?;
        let x = self.conv3.forward(&self.conv2.forward(&x)?.relu()?)?;
        let x = match self.kind {
            DepthKind::Relative => x.relu()?,
            DepthKind::Metric => candle_nn::ops::sigmoid(&x)?,
        };
        (x * self.max_depth)?.squeeze(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_of_another_model_names_the_weight() {
        let folder = ModelFolder::embedded("kinora-depth").unwrap();
        let mut config: DepthConfig = folder.json("config.json").unwrap();
        config.neck_hidden_sizes[1] = 97;
        let build = |weights| DepthNetwork::new(&config, weights);
        let error = folder.network("depth network", &Device::Cpu, build).unwrap_err().to_string();
        assert!(error.contains("of another shape") && error.contains("97"), "{error}");
        assert!(error.contains("reassemble_stage.layers.1.projection.weight"), "{error}");
    }
}
