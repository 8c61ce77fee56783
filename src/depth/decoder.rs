//! The dense prediction decoder of Ranftl et al. 2021: feature maps of several layers become pictures of several
//! sizes, which are fused from the coarsest to the finest.

use candle_core::{Module as _, Result as CandleResult, Tensor};
use candle_nn::VarBuilder;

use super::conv::Conv;
use super::linear::weight;
use super::patches::Filter;
use super::resample;
use crate::canvas::Size;
use crate::kernels::Linear;

/// The fused map that `head_in_index` names.
pub(super) fn head_index(index: isize, stages: usize) -> CandleResult<usize> {
    let from_start = if index < 0 { index + stages as isize } else { index };
    match usize::try_from(from_start) {
        Ok(found) if found < stages => Ok(found),
        _ => candle_core::bail!("head_in_index: expected 0 to {}, found {index}", stages - 1),
    }
}

/// Size of the planes of `[B, C, H, W]`.
pub(super) fn plane_size(x: &Tensor) -> CandleResult<Size> {
    let (_, _, height, width) = x.dims4()?;
    Ok(Size::new(width, height))
}

/// Bilinear with aligned corners, `[B, C, H, W]` to the planes' size `to`.
pub(super) fn bilinear(x: &Tensor, to: Size) -> CandleResult<Tensor> {
    if !x.device().is_cpu() && plane_size(x)? != to {
        return x.upsample_bilinear2d(to.height, to.width, true);
    }
    // candle's own is one thread in f64.
    filtered(x, to, resample::bilinear_corners)
}

/// Bilinear between pixel centres.
fn centred(x: &Tensor, to: Size) -> CandleResult<Tensor> {
    filtered(x, to, resample::bilinear)
}

fn filtered(x: &Tensor, to: Size, filter: Filter) -> CandleResult<Tensor> {
    let (batch, channels, _, _) = x.dims4()?;
    let from = plane_size(x)?;
    if from == to {
        return Ok(x.clone());
    }
    let values = filter(&x.flatten_all()?.to_vec1()?, from, to);
    Tensor::from_vec(values, (batch, channels, to.height, to.width), x.device())
}

/// Tokens of one layer as a picture of its level's size.
#[derive(Clone, Debug)]
pub(super) struct Reassemble {
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
    pub(super) fn new(
        hidden: usize,
        channels: usize,
        factor: f64,
        weights: VarBuilder,
    ) -> CandleResult<Self> {
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
    pub(super) fn forward(&self, map: &Tensor, grid: Size) -> CandleResult<Tensor> {
        self.without_class(&map.narrow(1, 1, grid.area())?.contiguous()?, grid)
    }

    /// `[B, patches, hidden]` → `[B, channels, H, W]`.
    pub(super) fn without_class(&self, patches: &Tensor, grid: Size) -> CandleResult<Tensor> {
        let tokens = self.projection.forward(patches)?;
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
pub(super) struct Fusion {
    /// Prepares the finer level; the first step has none to prepare.
    skip: Option<Residual>,
    mixed: Residual,
    projection: Conv,
}

impl Fusion {
    pub(super) fn new(width: usize, has_skip: bool, weights: VarBuilder) -> CandleResult<Self> {
        Self::with_bias(width, has_skip, true, weights)
    }

    pub(super) fn with_bias(
        width: usize,
        has_skip: bool,
        bias: bool,
        weights: VarBuilder,
    ) -> CandleResult<Self> {
        let skip = has_skip.then(|| Residual::new(width, bias, weights.pp("residual_layer1")));
        Ok(Self {
            skip: skip.transpose()?,
            mixed: Residual::new(width, bias, weights.pp("residual_layer2"))?,
            projection: Conv::one((width, width), weights.pp("projection"))?,
        })
    }

    /// Adds `level` to `x`, and enlarges to `size`, or by 2 where none is given. A level of another size is brought
    /// to that of `x` (bilinear between pixel centres).
    pub(super) fn forward(
        &self,
        x: &Tensor,
        level: Option<&Tensor>,
        size: Option<Size>,
    ) -> CandleResult<Tensor> {
        let x = match (level, &self.skip) {
            (Some(level), Some(skip)) => (x + skip.forward(&centred(level, plane_size(x)?)?)?)?,
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
    fn new(width: usize, bias: bool, weights: VarBuilder) -> CandleResult<Self> {
        Ok(Self {
            first: Conv::three((width, width), 1, bias, weights.pp("convolution1"))?,
            second: Conv::three((width, width), 1, bias, weights.pp("convolution2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let inner = self.first.forward(&x.relu()?)?;
        self.second.forward_add(&inner.relu()?, x)
    }
}
