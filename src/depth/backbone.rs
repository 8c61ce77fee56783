//! DINOv2 (Oquab et al. 2023) as transformers 5.23 runs it below a depth head.

use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Module as _, VarBuilder, layer_norm};

use super::config::BackboneConfig;
use super::layer::Layer;
use super::patches::{Patches, placed, positions_for};
use super::resample;
use crate::canvas::Size;

/// A DINOv2 that gives the feature maps of several layers.
#[derive(Clone, Debug)]
pub(super) struct Backbone {
    patches: Patches,
    class_token: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Option<LayerNorm>,
    taps: Vec<usize>,
}

impl Backbone {
    pub(super) fn new(config: &BackboneConfig, weights: VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        let embeddings = weights.pp("embeddings");
        let patches = Patches::new(
            width,
            config.num_channels,
            config.patch_size,
            &embeddings.pp("patch_embeddings.projection"),
        )?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::dinov2(config, weights.pp("encoder.layer").pp(i)))
            .collect::<Result<_>>()?;
        let norm =
            config.apply_layernorm.then(|| layer_norm(width, config.layer_norm_eps, weights.pp("layernorm")));
        Ok(Self {
            patches,
            class_token: embeddings.get((1, 1, width), "cls_token")?,
            positions: embeddings.get_unchecked("position_embeddings")?,
            layers,
            norm: norm.transpose()?,
            taps: config.taps()?,
        })
    }

    /// Patches across and down of a picture of `[B, C, H, W]`; what is left over is not seen.
    pub(super) fn grid(&self, pixels: &Tensor) -> Result<Size> {
        self.patches.grid(pixels)
    }

    /// Patches, class token and positions: `[B, C, H, W]` → `[B, 1 + patches, hidden]`. The positions are
    /// resampled bicubically (transformers: `Dinov2Embeddings.interpolate_pos_encoding`).
    pub(super) fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let positions = positions_for(&self.positions, self.grid(pixels)?, resample::bicubic)?;
        placed(&self.class_token, &self.patches.forward(pixels)?, &positions)
    }

    /// Feature maps `[B, 1 + patches, hidden]` after each tapped layer, the class token first.
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Vec<Tensor>> {
        let mut x = self.embed(pixels)?;
        let mut maps = Vec::with_capacity(self.taps.len());
        let last = self.taps.last().copied().unwrap_or(0);
        for depth in 0..=last {
            if depth > 0 {
                x = self.layers[depth - 1].forward(&x)?;
            }
            for _ in self.taps.iter().filter(|tap| **tap == depth) {
                maps.push(self.norm.as_ref().map_or(Ok(x.clone()), |norm| norm.forward(&x))?);
            }
        }
        Ok(maps)
    }
}
