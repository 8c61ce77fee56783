//! The first three stages of BiT (Kolesnikov et al. 2019): a residual network with standardised kernels and group
//! norms, as transformers 5.24 runs it below a hybrid DPT.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

use super::dpt_config::BitConfig;
use super::linear::weight;
use crate::kernels::{Conv2d, GroupNorm, Padding};

/// Added to the variance of a kernel.
const KERNEL_EPS: f64 = 1e-8;

/// Added to the variance in the norms.
const NORM_EPS: f64 = 1e-5;

/// Channels inside a layer are its channels over this.
const BOTTLENECK: usize = 4;

/// A BiT that gives the maps of its three stages, at a quarter, an eighth and a sixteenth of the picture's sides.
#[derive(Clone, Debug)]
pub(super) struct Bit {
    stem: Standardised,
    norm: GroupNorm,
    stages: Vec<Vec<Bottleneck>>,
}

impl Bit {
    pub(super) fn new(config: &BitConfig, channels: usize, weights: &VarBuilder) -> Result<Self> {
        config.check()?;
        let embedder = weights.pp("embedder");
        let width = config.embedding_size;
        let mut before = width;
        let mut stages = Vec::with_capacity(config.depths.len());
        for (i, (depth, outputs)) in config.depths.iter().zip(&config.hidden_sizes).enumerate() {
            let mut layers = Vec::new();
            for j in 0..*depth {
                let stride = if i > 0 && j == 0 { 2 } else { 1 };
                let own = weights.pp(format!("encoder.stages.{i}.layers.{j}"));
                layers.push(Bottleneck::new((before, *outputs), stride, j == 0, config.num_groups, &own)?);
                before = *outputs;
            }
            stages.push(layers);
        }
        Ok(Self {
            stem: Standardised::new((channels, width), (7, 2), &embedder.pp("convolution"))?,
            norm: norm(width, config.num_groups, &embedder.pp("norm"))?,
            stages,
        })
    }

    /// `[B, C, H, W]` → the three maps.
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Vec<Tensor>> {
        let x = self.norm.forward(&self.stem.forward(pixels)?)?.relu()?;
        // Zeros change no largest value: there is none below them after the activation.
        let mut x = padded(&x, 3, 2)?.max_pool2d_with_stride(3, 2)?;
        let mut maps = Vec::with_capacity(self.stages.len());
        for layers in &self.stages {
            for layer in layers {
                x = layer.forward(&x)?;
            }
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

/// 1x1, 3x3, 1x1, and a way around them.
#[derive(Clone, Debug)]
struct Bottleneck {
    around: Option<(Standardised, GroupNorm)>,
    first: (Standardised, GroupNorm),
    middle: (Standardised, GroupNorm),
    last: (Standardised, GroupNorm),
}

impl Bottleneck {
    fn new(
        (inputs, outputs): (usize, usize),
        stride: usize,
        is_first: bool,
        groups: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let inner = inner(outputs);
        let part = |number: usize, sides, kernel| -> Result<_> {
            let conv = Standardised::new(sides, kernel, &weights.pp(format!("conv{number}")))?;
            Ok((conv, norm(sides.1, groups, &weights.pp(format!("norm{number}")))?))
        };
        let around = || -> Result<_> {
            let around = weights.pp("downsample");
            let conv = Standardised::new((inputs, outputs), (1, stride), &around.pp("conv"))?;
            Ok((conv, norm(outputs, groups, &around.pp("norm"))?))
        };
        Ok(Self {
            around: is_first.then(around).transpose()?,
            first: part(1, (inputs, inner), (1, 1))?,
            middle: part(2, (inner, inner), (3, stride))?,
            last: part(3, (inner, outputs), (1, 1))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let apply = |(conv, norm): &(Standardised, GroupNorm), x: &Tensor| norm.forward(&conv.forward(x)?);
        let around = self.around.as_ref().map_or(Ok(x.clone()), |around| apply(around, x))?;
        let inner = apply(&self.first, x)?.relu()?;
        let inner = apply(&self.middle, &inner)?.relu()?;
        (apply(&self.last, &inner)? + around)?.relu()
    }
}

/// Channels inside a layer: a quarter, to a multiple of 8, and not a tenth less (timm's `make_divisible`).
fn inner(outputs: usize) -> usize {
    let quarter = outputs / BOTTLENECK;
    let even = ((quarter + 4) / 8 * 8).max(8);
    if even * 10 < quarter * 9 { even + 8 } else { even }
}

fn norm(channels: usize, groups: usize, weights: &VarBuilder) -> Result<GroupNorm> {
    GroupNorm::new(weights.get(channels, "weight")?, weights.get(channels, "bias")?, groups, NORM_EPS)
}

/// A convolution whose kernels have mean 0 and deviation 1 each (Qiao et al. 2019), padded as TensorFlow's `SAME`.
#[derive(Clone, Debug)]
struct Standardised {
    conv: Conv2d,
    side: usize,
    stride: usize,
}

impl Standardised {
    fn new(
        (inputs, outputs): (usize, usize),
        (side, stride): (usize, usize),
        weights: &VarBuilder,
    ) -> Result<Self> {
        let kernel = weight(weights, (outputs, inputs, side, side))?.to_dtype(DType::F64)?;
        let flat = kernel.flatten_from(1)?;
        let centred = flat.broadcast_sub(&flat.mean_keepdim(1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(1)? + KERNEL_EPS)?.sqrt()?;
        let kernel = centred.broadcast_div(&deviation)?.to_dtype(DType::F32)?;
        let kernel = kernel.reshape((outputs, inputs, side, side))?;
        Ok(Self { conv: Conv2d::new(kernel, None, stride, Padding::Even(0))?, side, stride })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward(&padded(x, self.side, self.stride)?)
    }
}

/// Zeros around the picture, so that its sides come out divided by the stride, rounded up; an odd number of them
/// has the larger part at the right and below.
fn padded(x: &Tensor, side: usize, stride: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let missing =
        |length: usize| ((length.div_ceil(stride).max(1) - 1) * stride + side).saturating_sub(length);
    let (down, across) = (missing(height), missing(width));
    let x = if down > 0 { x.pad_with_zeros(2, down / 2, down - down / 2)? } else { x.clone() };
    if across > 0 { x.pad_with_zeros(3, across / 2, across - across / 2) } else { Ok(x) }
}
