//! Depth Anything V2 (Yang et al. 2024): a DINOv2 backbone under the dense prediction head of
//! Ranftl et al. 2021, as transformers 5.23 runs it.
//!
//! ```text
//! pixels ─backbone→ 4 feature maps ─reassemble→ 4 sizes ─fusion, coarse to fine→ ─head→ depth
//! ```

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::VarBuilder;

use super::backbone::Backbone;
use super::config::{DepthConfig, DepthKind};
use super::conv::Conv;
use super::decoder::{Fusion, Reassemble, bilinear, head_index, plane_size};
use crate::canvas::Size;
use crate::models::depth_names;

/// The network, of any size that its config describes.
#[derive(Clone, Debug)]
pub(super) struct DepthAnything {
    backbone: Backbone,
    reassemble: Vec<Reassemble>,
    convs: Vec<Conv>,
    fusion: Vec<Fusion>,
    head: Head,
    head_in: usize,
    kind: DepthKind,
    patch_size: usize,
}

impl DepthAnything {
    /// Takes the weights from a tree of names, transformers' or those of the original repository (`pretrained.*`,
    /// `depth_head.*`).
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape.
    pub(super) fn new(config: &DepthConfig, weights: VarBuilder) -> CandleResult<Self> {
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
            weights.rename_f(move |name| depth_names::anything(name, stages))
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
    pub(super) fn kind(&self) -> DepthKind {
        self.kind
    }

    /// Side of a patch in pixels: pictures' sides should be multiples of it.
    pub(super) fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// Patches, class token and positions, before the first layer: `[B, 1 + patches, hidden]`.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub(super) fn embeddings(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        self.backbone.embed(pixels)
    }

    /// The backbone's feature maps, the class token first: `[B, 1 + patches, hidden]` each.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub(super) fn features(&self, pixels: &Tensor) -> CandleResult<Vec<Tensor>> {
        self.backbone.forward(pixels)
    }

    /// Normalised pixels `[B, 3, H, W]` → depth `[B, H, W]`, sides rounded down to whole patches.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub(super) fn forward(&self, pixels: &Tensor) -> CandleResult<Tensor> {
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
