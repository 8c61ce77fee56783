//! The levels of a UNet: encoder halves, the middle, decoder halves.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::{BlockType, Level, UNetConfig};
use crate::diffusion::nn::{
    BasicTransformerBlock, Context, Downsample, ResnetBlock, Transformer2d, TransformerConfig, Upsample,
};
use crate::kernels::Padding;

/// A residual block and the attention after it, if its level has attention.
#[derive(Clone, Debug)]
struct Stage {
    resnet: ResnetBlock,
    attention: Option<Transformer2d>,
}

impl Stage {
    /// Stage `index` of the block at `vb`.
    fn new(
        config: &UNetConfig,
        level: &Level,
        kind: BlockType,
        inputs: usize,
        index: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let attend = |()| transformer(config, level, vb.pp("attentions").pp(index));
        Ok(Self {
            resnet: resnet(config, inputs, level.channels, vb.pp("resnets").pp(index))?,
            attention: kind.has_attention().then_some(()).map(attend).transpose()?,
        })
    }

    fn transformer_blocks(&self) -> &[BasicTransformerBlock] {
        self.attention.as_ref().map_or(&[], Transformer2d::blocks)
    }

    fn forward(&self, x: &Tensor, time: &Tensor, context: Context<'_>) -> Result<Tensor> {
        let x = self.resnet.forward(x, Some(time))?;
        match &self.attention {
            Some(attention) => attention.forward(&x, context),
            None => Ok(x),
        }
    }
}

/// diffusers' `DownBlock2D` and `CrossAttnDownBlock2D`.
#[derive(Clone, Debug)]
pub struct DownBlock {
    stages: Vec<Stage>,
    downsampler: Option<Downsample>,
}

impl DownBlock {
    /// Level `index` of the encoder, at `down_blocks.index`. All but the last level halve the resolution.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, index: usize, vb: &VarBuilder) -> Result<Self> {
        let (levels, vb) = (config.levels()?, vb.pp("down_blocks").pp(index));
        let level = &levels[index];
        let stage = |i| {
            let inputs = if i == 0 { levels[index.saturating_sub(1)].channels } else { level.channels };
            Stage::new(config, level, config.down_block_types[index], inputs, i, &vb)
        };
        let downsample = |()| Downsample::new(level.channels, Padding::Even(1), vb.pp("downsamplers").pp(0));
        let is_last = index + 1 == levels.len();
        Ok(Self {
            stages: (0..level.layers).map(stage).collect::<Result<_>>()?,
            downsampler: (!is_last).then_some(()).map(downsample).transpose()?,
        })
    }

    /// Its transformer blocks, in the order in which they are passed.
    pub fn transformer_blocks(&self) -> impl Iterator<Item = &BasicTransformerBlock> {
        self.stages.iter().flat_map(Stage::transformer_blocks)
    }

    /// Returns the result and appends what each layer gave to `skips`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(
        &self,
        x: &Tensor,
        time: &Tensor,
        context: Context<'_>,
        skips: &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for stage in &self.stages {
            x = stage.forward(&x, time, context)?;
            skips.push(x.clone());
        }
        if let Some(downsampler) = &self.downsampler {
            x = downsampler.forward(&x)?;
            skips.push(x.clone());
        }
        Ok(x)
    }
}

/// diffusers' `UNetMidBlock2DCrossAttn`: residual block, attention, residual block.
#[derive(Clone, Debug)]
pub struct MidBlock {
    first: Stage,
    last: ResnetBlock,
}

impl MidBlock {
    /// The middle, at `mid_block`; `None` when the config has none. Its sizes are the last level's.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, vb: &VarBuilder) -> Result<Option<Self>> {
        let levels = config.levels()?;
        let (Some(level), Some(_)) = (levels.last(), &config.mid_block_type) else { return Ok(None) };
        let (vb, channels) = (vb.pp("mid_block"), level.channels);
        Ok(Some(Self {
            first: Stage::new(config, level, BlockType::CrossAttnDownBlock2D, channels, 0, &vb)?,
            last: resnet(config, channels, channels, vb.pp("resnets").pp(1))?,
        }))
    }

    /// Its transformer blocks, in the order in which they are passed.
    pub fn transformer_blocks(&self) -> impl Iterator<Item = &BasicTransformerBlock> {
        self.first.transformer_blocks().iter()
    }

    /// `[B, C, H, W]` → `[B, C, H, W]`.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(&self, x: &Tensor, time: &Tensor, context: Context<'_>) -> Result<Tensor> {
        self.last.forward(&self.first.forward(x, time, context)?, Some(time))
    }
}

/// diffusers' `UpBlock2D` and `CrossAttnUpBlock2D`.
#[derive(Clone, Debug)]
pub struct UpBlock {
    stages: Vec<Stage>,
    upsampler: Option<Upsample>,
}

impl UpBlock {
    /// Decoder half `index`, lowest resolution first, at `up_blocks.index`. All but the last double the
    /// resolution.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, index: usize, vb: &VarBuilder) -> Result<Self> {
        let (levels, vb) = (config.levels()?, vb.pp("up_blocks").pp(index));
        let here = levels.len() - 1 - index;
        let level = &levels[here];
        let below = levels[(here + 1).min(levels.len() - 1)].channels;
        let above = levels[here.saturating_sub(1)].channels;
        let stage = |i| {
            let own = if i == 0 { below } else { level.channels };
            let skip = if i == level.layers { above } else { level.channels };
            Stage::new(config, level, config.up_block_types[index], own + skip, i, &vb)
        };
        let upsample = |()| Upsample::new(level.channels, vb.pp("upsamplers").pp(0));
        Ok(Self {
            stages: (0..=level.layers).map(stage).collect::<Result<_>>()?,
            upsampler: (here > 0).then_some(()).map(upsample).transpose()?,
        })
    }

    /// Its transformer blocks, in the order in which they are passed.
    pub fn transformer_blocks(&self) -> impl Iterator<Item = &BasicTransformerBlock> {
        self.stages.iter().flat_map(Stage::transformer_blocks)
    }

    /// Takes this level's skips from the end of `skips`, and enlarges the result to the size of the next.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward(
        &self,
        x: &Tensor,
        time: &Tensor,
        context: Context<'_>,
        skips: &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for stage in &self.stages {
            let Some(skip) = skips.pop() else {
                candle_core::bail!("decoder: expected one more skip, found none")
            };
            x = stage.forward(&Tensor::cat(&[&x, &skip], 1)?, time, context)?;
        }
        match (&self.upsampler, skips.last()) {
            (Some(upsampler), Some(next)) => {
                let (_, _, height, width) = next.dims4()?;
                upsampler.forward(&x, (height, width))
            }
            _ => Ok(x),
        }
    }
}

/// A residual block with this network's norm and time embedding.
fn resnet(config: &UNetConfig, inputs: usize, outputs: usize, vb: VarBuilder) -> Result<ResnetBlock> {
    ResnetBlock::new(inputs, outputs, Some(config.time_width()), config.norm_num_groups, config.norm_eps, vb)
}

/// An attention layer of this level.
fn transformer(config: &UNetConfig, level: &Level, vb: VarBuilder) -> Result<Transformer2d> {
    let Level { channels, heads, depth, context, .. } = *level;
    let groups = config.norm_num_groups;
    Transformer2d::new(TransformerConfig { channels, context, heads, depth, groups }, vb)
}
