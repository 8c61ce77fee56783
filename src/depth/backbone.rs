//! DINOv2 (Oquab et al. 2023) as transformers 5.23 runs it below a depth head.

use candle_core::{DType, Result, Tensor};
use candle_nn::{LayerNorm, Module as _, VarBuilder, layer_norm};

use super::config::BackboneConfig;
use super::linear::{linear, weight};
use super::resample;
use crate::canvas::Size;
use crate::kernels::{Linear, attention, gelu, joined};

/// A DINOv2 that gives the feature maps of several layers.
#[derive(Clone, Debug)]
pub(super) struct Backbone {
    patch: Linear,
    patch_size: usize,
    class_token: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Option<LayerNorm>,
    taps: Vec<usize>,
}

impl Backbone {
    pub(super) fn new(config: &BackboneConfig, weights: VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        if config.patch_size == 0 {
            candle_core::bail!("expected a patch_size above 0")
        }
        if config.num_attention_heads == 0 || !width.is_multiple_of(config.num_attention_heads) {
            candle_core::bail!("expected hidden_size {width} to be a multiple of num_attention_heads")
        }
        let embeddings = weights.pp("embeddings");
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(config, weights.pp("encoder.layer").pp(i)))
            .collect::<Result<_>>()?;
        let norm =
            config.apply_layernorm.then(|| layer_norm(width, config.layer_norm_eps, weights.pp("layernorm")));
        Ok(Self {
            patch: patch_projection(config, embeddings.pp("patch_embeddings.projection"))?,
            patch_size: config.patch_size,
            class_token: embeddings.get((1, 1, width), "cls_token")?,
            positions: embeddings.get_unchecked("position_embeddings")?,
            layers,
            norm: norm.transpose()?,
            taps: config.taps()?,
        })
    }

    /// Patches across and down of a picture of `[B, C, H, W]`; what is left over is not seen.
    pub(super) fn grid(&self, pixels: &Tensor) -> Result<Size> {
        let (_, _, height, width) = pixels.dims4()?;
        let grid = Size::new(width / self.patch_size, height / self.patch_size);
        if grid.area() == 0 {
            candle_core::bail!("expected at least {0}x{0} pixels, found {width}x{height}", self.patch_size)
        }
        Ok(grid)
    }

    /// Patches, class token and positions: `[B, C, H, W]` → `[B, 1 + patches, hidden]`.
    pub(super) fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let (batch, channels, _, _) = pixels.dims4()?;
        let (grid, side) = (self.grid(pixels)?, self.patch_size);
        // A convolution whose stride is its kernel is a matrix product over cut-out patches.
        let patches = pixels
            .narrow(2, 0, grid.height * side)?
            .narrow(3, 0, grid.width * side)?
            .reshape((batch * channels, grid.height, side, grid.width, side))?
            .permute((0, 1, 3, 2, 4))?
            .contiguous()?
            .reshape((batch, channels, grid.area(), side * side))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((batch, grid.area(), channels * side * side))?;
        let class = self.class_token.expand((batch, 1, self.class_token.dim(2)?))?;
        let tokens = Tensor::cat(&[class, self.patch.forward(&patches)?], 1)?;
        tokens.broadcast_add(&self.positions_for(grid)?)
    }

    /// The position embedding, resampled bicubically to another grid than it was trained for
    /// (transformers: `Dinov2Embeddings.interpolate_pos_encoding`).
    fn positions_for(&self, grid: Size) -> Result<Tensor> {
        let (_, count, width) = self.positions.dims3()?;
        let places = count.saturating_sub(1);
        let side = places.isqrt();
        if side == 0 || side * side != places {
            candle_core::bail!("position_embeddings: expected a square grid, found {places} places")
        }
        if grid == Size::new(side, side) {
            return Ok(self.positions.clone());
        }
        let class = self.positions.narrow(1, 0, 1)?;
        let planes = self.positions.narrow(1, 1, places)?.get(0)?.t()?.contiguous()?;
        let planes = planes.flatten_all()?.to_vec1::<f32>()?;
        let resized = resample::bicubic(&planes, Size::new(side, side), grid);
        let resized = Tensor::from_vec(resized, (width, grid.area()), self.positions.device())?;
        Tensor::cat(&[class, resized.t()?.contiguous()?.unsqueeze(0)?], 1)
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

/// The patch convolution as a linear layer.
fn patch_projection(config: &BackboneConfig, weights: VarBuilder) -> Result<Linear> {
    let (width, channels, side) = (config.hidden_size, config.num_channels, config.patch_size);
    let kernel = weight(&weights, (width, channels, side, side))?;
    Ok(Linear::new(kernel.flatten_from(1)?, Some(weights.get(width, "bias")?)))
}

#[derive(Clone, Debug)]
struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    feed_forward: FeedForward,
}

impl Layer {
    fn new(config: &BackboneConfig, weights: VarBuilder) -> Result<Self> {
        let norm = |name: &str| layer_norm(config.hidden_size, config.layer_norm_eps, weights.pp(name));
        let scale = |name: &str| weights.get(config.hidden_size, name);
        Ok(Self {
            norm1: norm("norm1")?,
            attention: Attention::new(config, &scale("layer_scale1.lambda1")?, &weights.pp("attention"))?,
            norm2: norm("norm2")?,
            feed_forward: FeedForward::new(config, &scale("layer_scale2.lambda1")?, &weights.pp("mlp"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention.forward_add(&self.norm1.forward(x)?, x)?;
        self.feed_forward.forward_add(&self.norm2.forward(&x)?, &x)
    }
}

/// The layer with its output multiplied by one factor a channel: layer scale costs nothing then.
fn scaled(layer: &Linear, factors: &Tensor) -> Result<Linear> {
    let weight = layer.weight().to_dtype(DType::F32)?.broadcast_mul(&factors.unsqueeze(1)?)?;
    let bias = layer.bias().map(|bias| bias * factors).transpose()?;
    Ok(Linear::new(weight, bias))
}

#[derive(Clone, Debug)]
struct Attention {
    /// Rows of query, key and value, one after another.
    qkv: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn new(config: &BackboneConfig, scale: &Tensor, weights: &VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        let qkv = if weights.contains_tensor("qkv.weight") {
            linear(width, 3 * width, config.qkv_bias, weights.pp("qkv"))?
        } else {
            let part = |name: &str| linear(width, width, config.qkv_bias, weights.pp("attention").pp(name));
            joined(&[part("query")?, part("key")?, part("value")?])?
        };
        let out = scaled(&linear(width, width, true, weights.pp("output.dense"))?, scale)?;
        Ok(Self { qkv, out, heads: config.num_attention_heads })
    }

    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let width = x.dim(2)?;
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| qkv.narrow(2, i * width, width)?.contiguous();
        self.out.forward_add(&attention(&part(0)?, &part(1)?, &part(2)?, self.heads)?, residual)
    }
}

#[derive(Clone, Debug)]
enum FeedForward {
    Gelu {
        widen: Linear,
        narrow: Linear,
    },
    /// silu(gate) · value (Shazeer 2020): the giant model.
    Gated {
        widen: Linear,
        narrow: Linear,
    },
}

impl FeedForward {
    fn new(config: &BackboneConfig, scale: &Tensor, weights: &VarBuilder) -> Result<Self> {
        let width = config.hidden_size;
        let inner = (width as f64 * config.mlp_ratio) as usize;
        if !config.use_swiglu_ffn {
            return Ok(Self::Gelu {
                widen: linear(width, inner, true, weights.pp("fc1"))?,
                narrow: scaled(&linear(inner, width, true, weights.pp("fc2"))?, scale)?,
            });
        }
        // transformers keeps the number of weights and rounds up to a multiple of 8.
        let inner = (inner * 2 / 3).next_multiple_of(8);
        Ok(Self::Gated {
            widen: linear(width, 2 * inner, true, weights.pp("weights_in"))?,
            narrow: scaled(&linear(inner, width, true, weights.pp("weights_out"))?, scale)?,
        })
    }

    fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu { widen, narrow } => narrow.forward_add(&gelu(&widen.forward(x)?)?, residual),
            Self::Gated { widen, narrow } => {
                narrow.forward_add(&candle_nn::ops::swiglu(&widen.forward(x)?)?, residual)
            }
        }
    }
}
